//! Codes whose lists the schemas leave open, and classified content (XÖV handbook, code types 3 and 4).

use model::Finding;
use schemas::{CodeLists, Verdict};
use xml::Start;

use super::Setting;
use super::found::{Found, Spot};
use crate::container::shown;

const FORMATS: &str = "urn:xoev-de:xdomea:codeliste:dateiformat";
/// Degrees of confidentiality. All but two are classified higher than a gateway may carry.
const DEGREES: &str = "urn:xoev-de:xdomea:codeliste:vertraulichkeitsstufe";
const RESTRICTED: &str = "002";
const OPEN: &str = "003";
const CHANNELS: &str = "urn:de:xoev:codeliste:erreichbarkeit";

/// Where a code stands, as far as its list follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    Format,
    Channel,
    Elsewhere,
}

/// The list that the code at hand is of.
pub(super) struct Codes<'a> {
    lists: &'a CodeLists,
    /// Whether the element has attributes at all.
    is_named: bool,
    uri: String,
    version: String,
}

impl<'a> Codes<'a> {
    pub(super) fn new(lists: &'a CodeLists) -> Self {
        Codes { lists, is_named: false, uri: String::new(), version: String::new() }
    }

    /// Remembers the list that an element names.
    pub(super) fn begin(&mut self, start: &Start<'_>) {
        // `code` itself has no namespace.
        if start.namespace().is_some() {
            self.is_named = false;
        }
        for attribute in start.attributes() {
            if !std::mem::replace(&mut self.is_named, true) {
                self.uri.clear();
                self.version.clear();
            }
            match attribute.local {
                "listURI" => attribute.value.clone_into(&mut self.uri),
                "listVersionID" => attribute.value.clone_into(&mut self.version),
                _ => {}
            }
        }
    }

    pub(super) fn check(&self, code: &str, place: Where, found: &mut Found, spot: &dyn Spot) {
        if !self.is_named {
            return;
        }
        let uri = match (self.uri.as_str(), place) {
            ("", Where::Channel) => CHANNELS,
            ("", Where::Format) => FORMATS,
            (uri, _) => uri,
        };
        let finding = match self.lists.check(uri, &self.version, code) {
            // Only a warning, as of unknown versions: real senders get the lists of contact channels wrong.
            Verdict::UnknownCode => Finding::warning("xdomea.code-unknown"),
            Verdict::UnknownVersion => Finding::warning("xdomea.code-list-version"),
            // Lists that nobody has given us cannot be judged.
            Verdict::Known | Verdict::UnknownList => return,
        };
        found.add(finding.with("list", shown(uri)), spot);
    }

    /// Whether a Vertraulichkeitsstufe (up to 3.1) or Geheimhaltungsgrad (4.0) is not taken: what is
    /// classified, and what nobody here can tell the degree of.
    pub(super) fn is_refused(&self, code: &str, setting: &Setting) -> bool {
        let uri = if self.is_named { self.uri.as_str() } else { "" };
        // Up to 3.1 the schema says the list.
        let is_known = uri == DEGREES || (uri.is_empty() && !setting.is_4);
        let is_taken = code == OPEN || (code == RESTRICTED && setting.allow_restricted);
        !(is_known && is_taken)
    }
}
