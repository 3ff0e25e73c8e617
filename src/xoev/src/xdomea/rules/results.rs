//! What reading keeps of the results of an import (AbgegebenesObjekt of 0402, AusgesondertesSGO of 0506, BewerteteAktenplaneinheit of 0514):
//! the element only if the model would write it otherwise. There may be several hundred thousand of them in one answer.

use super::words::Word;
use crate::xdomea::body::results::{RESULT_BYTES, TEXT_BYTES};

/// A result that is open.
pub(super) struct OpenResult {
    /// What reading holds until its end.
    bytes: usize,
    /// What the model holds of it afterwards.
    model: usize,
    /// Something in it may be written otherwise by the model, so that it is kept as it came.
    is_kept: bool,
    /// Erfolgreich stands in it, which the model writes always.
    has_outcome: bool,
    /// The innermost element that is open has text.
    has_text: bool,
}

impl OpenResult {
    /// One that begins with an element of so many bytes; `is_plain` if that has no attributes.
    pub(super) fn new(bytes: usize, is_plain: bool) -> Self {
        OpenResult { bytes, model: RESULT_BYTES, is_kept: !is_plain, has_outcome: false, has_text: false }
    }

    /// An element in it.
    pub(super) fn element(&mut self, word: Word, bytes: usize, is_plain: bool) {
        self.bytes += bytes;
        self.model += TEXT_BYTES;
        self.has_text = false;
        self.has_outcome |= word == Word::Successful;
        self.is_kept |= !is_plain || !matches!(word, Word::Id | Word::Whole | Word::Successful | Word::Said);
    }

    /// Text in it.
    pub(super) fn text(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.model += bytes;
        self.has_text = true;
    }

    /// The end of an element in it, with its text: what the model writes in a form of its own must have come in that.
    pub(super) fn end(&mut self, word: Word, text: &str) {
        self.is_kept |= match word {
            Word::Id => text.len() != 36 || text.bytes().any(|byte| byte.is_ascii_uppercase()),
            Word::Successful => !matches!(text, "0" | "1"),
            Word::Said => !self.has_text,
            _ => false,
        };
    }

    /// Bytes that reading holds no more once it has ended.
    pub(super) fn freed(&self) -> usize {
        let is_held = self.is_kept || !self.has_outcome;
        if is_held { 0 } else { self.bytes.saturating_sub(self.model) }
    }
}
