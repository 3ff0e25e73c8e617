//! What a server says of places: multistatus (RFC 4918, section 13), read strictly and within limits. Properties whose status is not
//! 200 are not there.

use xml::{Event, Limits, Reader};

use super::place::{Base, Place};

/// Namespace of WebDAV.
const DAV: &str = "DAV:";

/// Longest value of a property, in bytes.
const VALUE_BYTES: usize = 8 * 1024;

/// Most places that one answer may tell of.
const MOST_ENTRIES: usize = 50_000;

/// What is known of a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it is.
    pub(crate) place: Place,
    /// Whether it is a folder.
    pub(crate) is_folder: bool,
    /// Entity tag, as the server writes it.
    pub(crate) etag: Option<String>,
    /// Size in bytes.
    pub(crate) size: Option<u64>,
    /// When it was changed, as the server writes it.
    pub(crate) modified: Option<String>,
    /// Media type.
    pub(crate) media_type: Option<String>,
}

/// Why an answer cannot be used.
#[derive(Debug)]
pub(crate) struct Broken;

impl From<xml::Error> for Broken {
    fn from(_: xml::Error) -> Self {
        Broken
    }
}

/// A response of a multistatus that is being read.
#[derive(Default)]
struct Open {
    href: Option<String>,
    entry: Entry,
    /// What the open propstat says.
    said: Entry,
    /// The status of the open propstat, or of the response.
    status: Option<u16>,
    is_gone: bool,
}

/// The places that lie in `base`; others are left out.
pub(crate) fn read(bytes: &[u8], base: &Base) -> Result<Vec<Entry>, Broken> {
    let limits = Limits { depth: 40, names: 2_000, total_bytes: bytes.len() as u64, ..Limits::default() };
    let mut reader = Reader::new(bytes, limits);
    let Event::Start(root) = reader.next()? else { return Err(Broken) };
    if !root.is(DAV, "multistatus") {
        return Err(Broken);
    }
    let mut entries = vec![];
    let mut open = Open::default();
    // Local names of the open elements below the root; empty for those of foreign namespaces.
    let mut names: Vec<String> = vec![];
    let mut text = String::new();
    loop {
        match reader.next()? {
            Event::Start(start) => {
                text.clear();
                let is_known = start.namespace() == Some(DAV);
                names.push(if is_known { start.local().to_owned() } else { String::new() });
                match names.as_slice() {
                    [response] if response == "response" => open = Open::default(),
                    [_, propstat] if propstat == "propstat" => open.said = Entry::default(),
                    [.., kind, collection] if kind == "resourcetype" && collection == "collection" => {
                        open.said.is_folder = true;
                    }
                    _ => {}
                }
            }
            Event::Text(piece) if text.len() + piece.len() <= VALUE_BYTES => text.push_str(piece),
            Event::Text(_) => return Err(Broken),
            Event::End if names.is_empty() => {}
            Event::End => {
                open.ends(&names, text.trim());
                text.clear();
                names.pop();
                if names.is_empty() {
                    entries.extend(std::mem::take(&mut open).done(base));
                }
                if entries.len() > MOST_ENTRIES {
                    return Err(Broken);
                }
            }
            Event::Eof => return Ok(entries),
        }
    }
}

impl Open {
    /// The innermost of these elements ends.
    fn ends(&mut self, names: &[String], text: &str) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let value = || Some(text.to_owned()).filter(|value| !value.is_empty());
        match names.as_slice() {
            ["response", "href"] => self.href = self.href.take().or_else(value),
            ["response", "status"] => self.is_gone = status(text).is_some_and(|status| status >= 300),
            ["response", "propstat", "status"] => self.status = status(text),
            ["response", "propstat"] => {
                let said = std::mem::take(&mut self.said);
                if self.status.take().is_some_and(|status| (200..300).contains(&status)) {
                    self.entry.add(said);
                }
            }
            ["response", "propstat", "prop", property] => match *property {
                "getetag" => self.said.etag = value().map(tag),
                "getcontentlength" => self.said.size = text.parse().ok(),
                "getlastmodified" => self.said.modified = value(),
                "getcontenttype" => self.said.media_type = value(),
                _ => {}
            },
            _ => {}
        }
    }

    fn done(self, base: &Base) -> Option<Entry> {
        let place = base.place(&self.href.filter(|_| !self.is_gone)?)?;
        Some(Entry { place, ..self.entry })
    }
}

impl Entry {
    fn add(&mut self, said: Entry) {
        self.is_folder |= said.is_folder;
        self.etag = said.etag.or(self.etag.take());
        self.size = said.size.or(self.size);
        self.modified = said.modified.or(self.modified.take());
        self.media_type = said.media_type.or(self.media_type.take());
    }
}

/// Some servers (wsgidav) leave the quotation marks out here, and only here.
fn tag(text: String) -> String {
    let is_tag = text.ends_with('"') && (text.starts_with('"') || text.starts_with("W/\""));
    if is_tag || text.contains('"') { text } else { format!("\"{text}\"") }
}

/// The number in `HTTP/1.1 200 OK`.
fn status(line: &str) -> Option<u16> {
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<D:multistatus xmlns:D="DAV:" xmlns:x="urn:x">
 <D:response><D:href>/dav/</D:href>
  <D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype><D:getetag/></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>
 </D:response>
 <D:response><D:href>/dav/Pl%C3%A4ne.pdf</D:href>
  <D:propstat><D:prop><D:resourcetype/><D:getetag>"a-1"</D:getetag><D:getcontentlength>12</D:getcontentlength><x:getetag>falsch</x:getetag>
   <D:getcontenttype>application/pdf</D:getcontenttype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>
  <D:propstat><D:prop><D:displayname>x</D:displayname><D:getetag>falsch</D:getetag></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>
 </D:response>
 <D:response><D:href>/anderswo/x</D:href><D:propstat><D:prop/><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
 <D:response><D:href>/dav/weg</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>
</D:multistatus>"#;

    #[test]
    fn what_a_server_says_is_read_and_what_it_has_not_is_not_there() {
        let base = Base::new("http://a/dav").unwrap();
        let entries = read(ANSWER.as_bytes(), &base).unwrap();
        assert_eq!(entries.len(), 2, "what lies elsewhere and what is gone is left out");
        assert!(entries[0].is_folder && entries[0].place == Place::root());
        let file = Entry {
            place: Place::root().child("Pläne.pdf"),
            etag: Some("\"a-1\"".into()),
            size: Some(12),
            media_type: Some("application/pdf".into()),
            ..Entry::default()
        };
        assert_eq!(entries[1], file);
    }

    #[test]
    fn tags_have_their_quotation_marks_whether_the_server_writes_them_or_not() {
        for (said, read) in [("\"a\"", "\"a\""), ("a-1", "\"a-1\""), ("W/\"a\"", "W/\"a\"")] {
            assert_eq!(tag(said.to_owned()), read);
        }
    }

    #[test]
    fn what_is_no_multistatus_is_broken() {
        let base = Base::new("http://a/dav").unwrap();
        let entities = "<!DOCTYPE x [<!ENTITY e 'x'>]><D:multistatus xmlns:D='DAV:'>&e;</D:multistatus>";
        for wrong in ["", "<html><body>Login</body></html>", "<multistatus/>", &ANSWER[..400], entities] {
            assert!(read(wrong.as_bytes(), &base).is_err(), "{wrong}");
        }
    }
}
