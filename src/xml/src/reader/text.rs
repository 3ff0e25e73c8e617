//! Text between tags (XML 1.0 sections 2.4, 2.7, 4.1): in pieces, over references and CDATA sections.

use super::{CDATA_END, Kind, OTHER_TOKEN_BYTES, Reader, outside_root};
use crate::Error;
use crate::tag::resolve_reference;
use quick_xml::events::Event as Token;
use std::io::BufRead;

impl<R: BufRead> Reader<R> {
    /// Text up to the next tag, over references and CDATA sections and, unless they are wanted, over
    /// comments and processing instructions; or one of these. `None` if there is none.
    pub(super) fn read_text_run(&mut self) -> Result<Option<Kind>, Error> {
        self.text.clear();
        loop {
            // Less than one character may need.
            if self.limits.text_bytes - self.text.len() < 4 {
                return Ok(Some(Kind::TextCollected));
            }
            let brackets = std::mem::take(&mut self.brackets);
            if self.in_cdata {
                self.collect_cdata()?;
                continue;
            }
            match self.source().at_least(2)? {
                [] => break,
                [b'<', b'!', ..] => {
                    if let Some(kind) = self.read_declaration()? {
                        return Ok(Some(kind));
                    }
                }
                [b'<', b'?', ..] => {
                    if let Some(kind) = self.read_instruction()? {
                        return Ok(Some(kind));
                    }
                }
                [b'<', ..] => break,
                [b'&', ..] => self.collect_reference()?,
                _ => {
                    if let Some(length) = self.collect_text(brackets)? {
                        self.lent = length;
                        return Ok(Some(Kind::TextInSource(length)));
                    }
                }
            }
        }
        Ok((!self.text.is_empty()).then_some(Kind::TextCollected))
    }

    /// Takes plain text up to the next `<`, `&` or the end of what is buffered. If that is a whole
    /// text node, its length is returned and it stays where it is. `brackets` end the text before.
    fn collect_text(&mut self, brackets: usize) -> Result<Option<usize>, Error> {
        let inside = self.state.depth() > 0;
        let room = self.limits.text_bytes - self.text.len();
        let source = self.tokens.get_mut();
        let bytes = source.buffered();
        if !inside {
            let length = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let is_text = bytes.get(length).is_some_and(|byte| !matches!(byte, b'<' | b'&'));
            source.skip(length);
            return if is_text { Err(outside_root(source.line())) } else { Ok(None) };
        }
        let length = match plain_length(bytes, brackets) {
            Ok(length) => length,
            Err(at) => {
                source.skip(at);
                return Err(Error::Syntax { line: source.line(), rule: "]]> in text" });
            }
        };
        let is_whole = matches!(bytes[length..], [b'<', next, ..] if next != b'!' && next != b'?');
        if self.text.is_empty() && is_whole && length <= room {
            return Ok(Some(length));
        }
        let text = source.buffered_text(length);
        let piece = &text[..text.floor_char_boundary(room)];
        let trailing = piece.bytes().rev().take(2).take_while(|b| *b == b']').count();
        self.brackets = if trailing == piece.len() { (brackets + trailing).min(2) } else { trailing };
        self.text.push_str(piece);
        let taken = piece.len();
        source.skip(taken);
        Ok(None)
    }

    fn collect_reference(&mut self) -> Result<(), Error> {
        let line = self.source().line();
        if self.state.depth() == 0 {
            return Err(outside_root(line));
        }
        match self.next_token(OTHER_TOKEN_BYTES)? {
            Token::GeneralRef(reference) => {
                let character = resolve_reference(&reference).map_err(|error| error.at(line))?;
                self.text.push(character);
                Ok(())
            }
            _ => Err(Error::Entity { line }),
        }
    }

    fn collect_cdata(&mut self) -> Result<(), Error> {
        let source = self.tokens.get_mut();
        let bytes = source.at_least(CDATA_END.len())?;
        let (length, behind) = match memchr::memmem::find(bytes, CDATA_END) {
            Some(index) => (index, CDATA_END.len()),
            None if bytes.len() < CDATA_END.len() => {
                return Err(Error::Truncated { line: source.line() });
            }
            // The last two bytes may be the beginning of the end.
            None => (bytes.len() - bytes.iter().rev().take(2).take_while(|b| **b == b']').count(), 0),
        };
        let room = self.limits.text_bytes - self.text.len();
        let text = source.buffered_text(length);
        let piece = &text[..text.floor_char_boundary(room)];
        let taken = piece.len();
        self.text.push_str(piece);
        if taken == length {
            source.skip(length + behind);
            self.in_cdata = behind == 0;
        } else {
            source.skip(taken);
        }
        Ok(())
    }
}

/// Length of the text up to `<`, `&` or the end; of a literal `]]>` (XML 1.0 section 2.4), where its `>` stands.
/// `brackets` stand before `bytes`.
fn plain_length(bytes: &[u8], brackets: usize) -> Result<usize, usize> {
    if brackets > 1 && bytes.starts_with(b">") {
        return Err(0);
    }
    if brackets > 0 && bytes.starts_with(b"]>") {
        return Err(1);
    }
    let mut from = 0;
    while let Some(index) = memchr::memchr3(b'<', b'&', b'>', &bytes[from..]) {
        let index = from + index;
        if bytes[index] != b'>' {
            return Ok(index);
        }
        if bytes[..index].ends_with(b"]]") {
            return Err(index);
        }
        from = index + 1;
    }
    Ok(bytes.len())
}
