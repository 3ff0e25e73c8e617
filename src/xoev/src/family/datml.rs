//! The head of a message of XGewerbeanzeige 1.3, which is a DatML/RAW document (2.0) of the statistical offices: who sends it to whom,
//! and when it was made.

use model::standard::{Endpoint, Identity};
use model::{Authority, Timestamp};
use xml::Event;

use crate::container::shown;

/// Namespace of the form.
pub(crate) const NAMESPACE: &str = "http://www.destatis.de/schema/datml-raw/2.0/de";

/// Longest text that is kept, in bytes.
const TEXT_BYTES: usize = 200;

/// Reads a document's events in order, the root's start first.
#[derive(Default)]
pub(crate) struct DatmlReader {
    /// Names of the elements that are open, the root first, no deeper than needed.
    open: Vec<String>,
    depth: usize,
    /// Directory of the key that is being read (`@klasse`).
    class: String,
    text: String,
    day: String,
    time: String,
    sender: Endpoint,
    recipient: Endpoint,
    is_head_read: bool,
}

/// Deepest element that is looked at: `absender/identifikation/identitaet/organisation/name` below the root.
const DEEPEST: usize = 6;

impl DatmlReader {
    /// Takes note of an event.
    pub(crate) fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(start) => {
                self.depth += 1;
                self.text.clear();
                self.class = shown(start.attribute("klasse").unwrap_or_default());
                if self.depth <= DEEPEST {
                    self.open.push(shown(start.local()));
                }
                self.is_head_read |= self.depth == 2 && start.local() == "nachricht";
            }
            Event::Text(piece) if self.text.len() + piece.len() <= TEXT_BYTES => self.text.push_str(piece),
            Event::End => {
                if self.depth == self.open.len() {
                    self.note();
                    self.open.pop();
                }
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {}
        }
    }

    /// Whether everything before the statistical data was read.
    pub(crate) fn is_head_read(&self) -> bool {
        self.is_head_read
    }

    /// Puts what was read into an identity.
    pub(crate) fn complete(self, identity: &mut Identity) {
        identity.created_at = moment(&self.day, &self.time);
        let some = |endpoint: Endpoint| Some(endpoint).filter(|it| *it != Endpoint::default());
        identity.sender = some(self.sender);
        identity.recipient = some(self.recipient);
    }

    fn note(&mut self) {
        let text = std::mem::take(&mut self.text).trim().to_owned();
        let path: Vec<&str> = self.open.iter().skip(1).map(String::as_str).collect();
        let authority = || -> Option<Authority> { format!("{}:{text}", self.class).parse().ok() };
        match path[..] {
            ["protokoll", "dokumentinstanz", "datum"] => self.day = text,
            ["protokoll", "dokumentinstanz", "uhrzeit"] => self.time = text,
            ["absender", "kennung"] => self.sender.authority = authority(),
            ["absender", "identifikation", "identitaet", "organisation", "name"] => {
                self.sender.name = Some(shown(&text));
            }
            ["empfaenger", "kennung"] => {
                self.recipient.authority = self.recipient.authority.take().or(authority());
            }
            // The key by which the recipient is known outside of statistics goes before.
            ["empfaenger", "externeIdentifikation"] => {
                self.recipient.authority = authority().or(self.recipient.authority.take());
            }
            _ => {}
        }
    }
}

/// `27.10.2017` and `19:15:24`; without a zone, so taken as UTC.
fn moment(day: &str, time: &str) -> Option<Timestamp> {
    let mut parts = day.splitn(3, '.');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    Timestamp::parse(&format!("{year}-{month}-{day}T{time}Z"))
}
