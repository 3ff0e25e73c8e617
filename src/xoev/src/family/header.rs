//! The header that messages of the XÖV family begin with: `nachrichtenkopf.g2g` of the basic message 1.0 and 1.1, qualified or not
//! (XBau, XBeteiligung, XWasser …), and `nachrichtenkopf` of XInneres and those like it (XMeld, XPersonenstand, XGewerbeanzeige 2.x …).
//! And what is said behind it of the message that one answers, and of attachments. Read in pieces; nothing else is kept.

use model::standard::{Acknowledgement, Endpoint, Identity};
use model::{Id, Timestamp};
use xml::value::DateTime;
use xml::{Event, Start};

use super::known::{by_attribute, by_namespace, is_rejection, type_of};
use crate::container::shown;
use crate::head::Root;

/// Longest text that is kept, in bytes; what is longer is cut.
const TEXT_BYTES: usize = 500;
/// Attachments that are remembered: more than any message may have.
const MOST_ATTACHMENTS: usize = 20_000;

/// Which header a message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Of the basic message: an office has a directory, a key in it and a name.
    G2g,
    /// Of XInneres: an office has a prefix, a key and a name, each with its code list.
    XInneres,
    /// `header` of XDatenfelder: an id and a time.
    Plain,
}

/// A code and the list that it is of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) code: String,
    pub(crate) list: String,
    pub(crate) version: String,
}

/// An office as a header names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Office {
    /// Directory in which the key stands (verzeichnisdienst); only of the basic message.
    pub(crate) directory: Code,
    /// Prefix; only of XInneres.
    pub(crate) prefix: Code,
    /// Key; of the basic message with its prefix, `psw:01003110`.
    pub(crate) key: Code,
    pub(crate) name: String,
}

/// A file that a message names and that travels beside it (anhang of XBau).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attachment {
    /// Its id, the same as the content's in OSCI and XTA (dokumentid).
    pub id: String,
    /// Its name (dateiname).
    pub name: String,
}

/// What a message says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) style: Option<Style>,
    /// Attributes of the root: standard, version, test.
    pub(crate) standard: String,
    pub(crate) version: String,
    pub(crate) test: Option<String>,
    /// Its own id (nachrichtenUUID), as written.
    pub(crate) id: String,
    pub(crate) message_type: Code,
    /// Erstellungszeitpunkt, as written.
    pub(crate) created: String,
    pub(crate) reader: Office,
    pub(crate) author: Office,
    /// The id of the message that it answers or rejects.
    pub(crate) answers: Option<Id>,
    /// Why it rejects that, by the first reason's code.
    pub(crate) refused: Option<String>,
    pub(crate) attachments: Vec<Attachment>,
}

/// Elements that something is read of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Other,
    Header,
    Identification,
    Id,
    Type,
    Created,
    Reader,
    Author,
    Directory,
    OfficeKey,
    Prefix,
    Key,
    Name,
    Code,
    Answered,
    Reasons,
    Reason,
    Attachment,
    DocumentId,
    FileName,
}

impl Word {
    fn of(local: &str) -> Word {
        match local {
            "nachrichtenkopf.g2g" | "nachrichtenkopf" | "header" => Word::Header,
            "identifikation.nachricht" => Word::Identification,
            "nachrichtenUUID" | "nachrichtID" => Word::Id,
            "nachrichtentyp" => Word::Type,
            "erstellungszeitpunkt" => Word::Created,
            "leser" => Word::Reader,
            "autor" => Word::Author,
            "verzeichnisdienst" => Word::Directory,
            "behoerdenkennung" => Word::OfficeKey,
            "praefix" => Word::Prefix,
            "kennung" => Word::Key,
            "name" | "behoerdenname" => Word::Name,
            "code" => Word::Code,
            "bezugNachricht" | "ursprungsnachricht" | "idNachricht" => Word::Answered,
            "rueckweisungsgrund" => Word::Reasons,
            "grund" => Word::Reason,
            "anhang" => Word::Attachment,
            "dokumentid" => Word::DocumentId,
            "dateiname" => Word::FileName,
            _ => Word::Other,
        }
    }
}

/// Reads a message's events in order, the root's start first.
#[derive(Default)]
pub(crate) struct HeaderReader {
    header: Header,
    /// Elements that are open below the root.
    open: Vec<Word>,
    has_root: bool,
    /// Whether the first child of the root has ended, which is the header if there is one.
    is_head_read: bool,
    text: String,
}

impl HeaderReader {
    /// Takes note of an event.
    pub(crate) fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(start) => self.start(start),
            Event::Text(piece) if self.text.len() < TEXT_BYTES => self.text.push_str(cut(piece)),
            Event::End => self.end(),
            _ => {}
        }
    }

    /// Whether everything of the header was read, or there is none.
    pub(crate) fn is_head_read(&self) -> bool {
        self.is_head_read
    }

    pub(crate) fn finish(self) -> Header {
        self.header
    }

    fn start(&mut self, start: &Start<'_>) {
        self.text.clear();
        if !self.has_root {
            self.has_root = true;
            let attribute = |name| start.attribute(name).map(|value| cut(value).to_owned());
            self.header.standard = attribute("standard").unwrap_or_default();
            self.header.version = attribute("version").unwrap_or_default();
            self.header.test = attribute("test");
            return;
        }
        let mut word = Word::of(start.local());
        if self.open.is_empty() && !self.is_head_read {
            self.header.style = style_of(start.local());
        } else if word == Word::Header {
            // A second one says nothing.
            word = Word::Other;
        }
        self.open.push(word);
        let list = |name| cut(start.attribute(name).unwrap_or_default()).to_owned();
        if let Some(code) = self.code() {
            *code = Code { code: String::new(), list: list("listURI"), version: list("listVersionID") };
        }
        if word == Word::Attachment && self.header.attachments.len() < MOST_ATTACHMENTS {
            self.header.attachments.push(Attachment::default());
        }
    }

    fn end(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.note(cut(text.trim()));
        self.open.pop();
        self.is_head_read |= self.open.is_empty();
    }

    /// The code whose list the element says that has just begun.
    fn code(&mut self) -> Option<&mut Code> {
        let header = &mut self.header;
        match self.open[..] {
            [Word::Header, Word::Identification, Word::Type] => Some(&mut header.message_type),
            [Word::Header, office, Word::Directory] => header.office(office).map(|it| &mut it.directory),
            [Word::Header, office, Word::OfficeKey, Word::Prefix] => {
                header.office(office).map(|it| &mut it.prefix)
            }
            [Word::Header, office, Word::OfficeKey, Word::Key] => header.office(office).map(|it| &mut it.key),
            _ => None,
        }
    }

    /// Takes note of the element that ends, the last of those that are open.
    fn note(&mut self, text: &str) {
        let own = || text.to_owned();
        let header = &mut self.header;
        match self.open[..] {
            [Word::Header, Word::Identification, Word::Id] | [Word::Header, Word::Id] => header.id = own(),
            [Word::Header, Word::Identification, Word::Created] | [Word::Header, Word::Created] => {
                header.created = own();
            }
            [Word::Header, office, Word::Key] => {
                header.office(office).into_iter().for_each(|it| it.key.code = own());
            }
            [Word::Header, office, Word::Name] => {
                header.office(office).into_iter().for_each(|it| it.name = own());
            }
            [Word::Header, .., Word::Code] => self.note_code(text),
            [.., Word::Answered, Word::Id] => header.answers = header.answers.or(text.parse().ok()),
            [.., Word::Reasons, Word::Reason, Word::Code] if header.refused.is_none() => {
                header.refused = Some(own()).filter(|code| model::ids::is_name(code)).or(Some(String::new()));
            }
            [.., Word::Attachment, Word::DocumentId] => {
                header.attachments.last_mut().into_iter().for_each(|it| it.id = own());
            }
            [.., Word::Attachment, Word::FileName] => {
                header.attachments.last_mut().into_iter().for_each(|it| it.name = own());
            }
            _ => {}
        }
    }

    fn note_code(&mut self, text: &str) {
        let inner = self.open.pop();
        if let Some(code) = self.code() {
            text.clone_into(&mut code.code);
        }
        self.open.extend(inner);
    }
}

fn style_of(local: &str) -> Option<Style> {
    match local {
        "nachrichtenkopf.g2g" => Some(Style::G2g),
        "nachrichtenkopf" => Some(Style::XInneres),
        "header" => Some(Style::Plain),
        _ => None,
    }
}

impl Header {
    fn office(&mut self, word: Word) -> Option<&mut Office> {
        match word {
            Word::Reader => Some(&mut self.reader),
            Word::Author => Some(&mut self.author),
            _ => None,
        }
    }

    /// Its own id, if it has one.
    pub(crate) fn own_id(&self) -> Option<Id> {
        self.id.parse().ok().filter(|id: &Id| !id.is_nil())
    }

    /// What a message is whose root and header these are; `None` if neither its namespace nor its header is known.
    pub(crate) fn identity(&self, root: &Root) -> Option<Identity> {
        let by_namespace = by_namespace(&root.namespace);
        let says = matches!(self.style, Some(Style::G2g | Style::XInneres)) && !self.id.is_empty();
        if by_namespace.is_none() && !says {
            return None;
        }
        let (standard, version) =
            by_namespace.unwrap_or_else(|| (by_attribute(&self.standard), String::new()));
        let version = if says && !self.version.is_empty() { &self.version } else { &version };
        let refused = self.refused.clone().filter(|_| is_rejection(root));
        Some(Identity {
            standard,
            version: shown(version),
            message_type: type_of(&root.local).to_owned(),
            name: root.local.clone(),
            // These messages belong to no process: each has an id of its own instead.
            process_id: self.own_id(),
            message_id: self.own_id(),
            created_at: moment(&self.created),
            answers: self.answers,
            test: self.test.is_some(),
            acknowledgement: refused.map(|code| Acknowledgement { day: None, refused: Some(code) }),
            sender: self.author.endpoint(),
            recipient: self.reader.endpoint(),
            ..Identity::default()
        })
    }
}

impl Office {
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        let whole = match self.prefix.code.as_str() {
            "" => self.key.code.clone(),
            prefix => format!("{prefix}:{}", self.key.code),
        };
        let endpoint = Endpoint {
            authority: whole.parse().ok(),
            name: Some(shown(&self.name)).filter(|name| !name.is_empty()),
            unit: None,
        };
        (endpoint != Endpoint::default()).then_some(endpoint)
    }
}

/// A point in time. Without a zone it is taken as UTC: what is meant is not known.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let time: DateTime = text.parse().ok()?;
    let text = time.to_string();
    Timestamp::parse(&if time.zone.is_some() { text } else { format!("{text}Z") })
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_BYTES)).unwrap_or_default()
}
