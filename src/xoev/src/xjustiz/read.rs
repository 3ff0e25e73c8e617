//! What an XJustiz message says that the gateway has to know (XJustiz 2.4 to 3.7, Grunddatensatz and Fachmodul eEB): its ids, the
//! files that it names, whether an eEB is asked for, and what an eEB says. Read in one pass; nothing else is kept.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};

use model::Id;
use xml::{Event, Limits, Reader, Start};

use super::NAMESPACE;

/// Longest text that is kept, in bytes; what is longer is cut.
const TEXT_BYTES: usize = 500;
/// Longest code that is kept, in bytes.
const CODE_BYTES: usize = 20;
/// Files that are remembered: more than any message may have.
const MOST_FILES: usize = 20_000;

/// What a message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Local name of the root element.
    pub root: String,
    /// Version of the standard, such as `3.5.1`; empty if it says none.
    pub version: String,
    /// Its own id (eigeneNachrichtenID), if that is a UUID.
    pub id: Option<Id>,
    /// The id of the message that it answers (fremdeNachrichtenID), if that is a UUID.
    pub answers: Option<Id>,
    /// The file number of its recipient (Aktenzeichen), at most 500 bytes.
    pub file_number: Option<String>,
    /// Whether an acknowledgement is asked for (ruecksendungEEB.erforderlich).
    pub wants_eeb: bool,
    /// Whether it has parts that only courts may use among themselves (nachrichtenuebergreifenderProzess, justizinterneDaten).
    pub is_internal: bool,
    /// Names of the files that its documents consist of (dateiname), without repetition.
    pub files: BTreeSet<String>,
    /// What it says if it is an acknowledgement.
    pub eeb: Option<Eeb>,
}

/// What an acknowledgement (elektronisches Empfangsbekenntnis) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eeb {
    /// Received on that day (empfangsbestaetigung), as it is written: `YYYY-MM-DD`, maybe with a zone; empty if it is none.
    Received(String),
    /// Not acknowledged (stoerungsmeldung); the code of the reason (stoerungsID), empty if there is none that is one.
    Refused(String),
}

/// Elements that something is read of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Other,
    Header,
    OwnId,
    ForeignId,
    Recipient,
    FileNumber,
    FreeFileNumber,
    File,
    FileName,
    WantsEeb,
    Internal,
    Received,
    Refusal,
    ReasonId,
    Code,
}

impl Word {
    fn of(start: &Start<'_>) -> Word {
        match start.local() {
            // Elements of code lists have no namespace.
            "code" => Word::Code,
            _ if start.namespace() != Some(NAMESPACE) => Word::Other,
            "nachrichtenkopf" => Word::Header,
            "eigeneNachrichtenID" | "eigene_Nachrichten_ID" => Word::OwnId,
            "fremdeNachrichtenID" | "fremde_Nachrichten_ID" => Word::ForeignId,
            "empfaenger" => Word::Recipient,
            "aktenzeichen.empfaenger" => Word::FileNumber,
            "aktenzeichen.freitext" => Word::FreeFileNumber,
            "datei" => Word::File,
            "dateiname" => Word::FileName,
            "ruecksendungEEB.erforderlich" | "ruecksendung_EEB_erforderlich" => Word::WantsEeb,
            "nachrichtenuebergreifenderProzess" | "justizinterneDaten" => Word::Internal,
            "empfangsbestaetigung" => Word::Received,
            "stoerungsmeldung" => Word::Refusal,
            "stoerungsID" | "stoerungs_ID" => Word::ReasonId,
            _ => Word::Other,
        }
    }
}

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// The header, and the version, which 2.x says behind it.
    Head,
    End,
}

/// Reads a message. `None` if it is not of XJustiz.
///
/// # Errors
/// If it cannot be read to its end.
pub fn read(xml: impl Read) -> Result<Option<Said>, xml::Error> {
    let mut reader = Reader::new(BufReader::new(xml), Limits::default());
    match reader.next()? {
        Event::Start(start) if start.namespace() == Some(NAMESPACE) => {
            let root = start.local().to_owned();
            said(&mut reader, root, Until::End).map(Some)
        }
        _ => Ok(None),
    }
}

/// Reads on behind the start of the root.
pub(super) fn said<R: BufRead>(
    reader: &mut Reader<R>,
    root: String,
    until: Until,
) -> Result<Said, xml::Error> {
    let mut said = Said { root, ..Said::default() };
    let mut open = vec![Word::Other];
    let mut text = String::new();
    let mut is_head_read = false;
    while !open.is_empty() {
        match reader.next()? {
            Event::Start(start) => {
                if let Some(version) = start.attribute("xjustizVersion") {
                    cut(version).clone_into(&mut said.version);
                }
                open.push(Word::of(&start));
                text.clear();
            }
            Event::Text(piece) if text.len() < TEXT_BYTES => text.push_str(cut(piece)),
            Event::Text(_) => {}
            Event::End => {
                said.note(&open, cut(text.trim()));
                text.clear();
                open.pop();
                is_head_read |= open.len() == 1;
            }
            Event::Eof => break,
        }
        if until == Until::Head && is_head_read && !said.version.is_empty() {
            break;
        }
    }
    Ok(said)
}

impl Said {
    /// Takes note of the element that ends, the last of those that are open.
    fn note(&mut self, open: &[Word], text: &str) {
        let lies_in = |word| open.contains(&word);
        match open {
            [.., Word::OwnId] if lies_in(Word::Header) => self.id = text.parse().ok(),
            [.., Word::ForeignId] if lies_in(Word::Header) => self.answers = text.parse().ok(),
            [.., Word::FileNumber] if lies_in(Word::Header) => self.file_number = some(text),
            [.., Word::FreeFileNumber] if lies_in(Word::Header) && lies_in(Word::Recipient) => {
                self.file_number = some(text);
            }
            [.., Word::File, Word::FileName] if self.files.len() < MOST_FILES => {
                self.files.insert(text.to_owned());
            }
            [.., Word::WantsEeb] => self.wants_eeb |= matches!(text, "true" | "1"),
            [.., Word::Internal] => self.is_internal = true,
            [.., Word::Received] => {
                let is_date = text.parse::<xml::value::Date>().is_ok();
                self.eeb = Some(Eeb::Received(if is_date { text.to_owned() } else { String::new() }));
            }
            [.., Word::Refusal] => {
                self.eeb.get_or_insert(Eeb::Refused(String::new()));
            }
            [.., Word::ReasonId, Word::Code] if lies_in(Word::Refusal) => {
                let is_code =
                    text.len() <= CODE_BYTES && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
                self.eeb = Some(Eeb::Refused(if is_code { text.to_owned() } else { String::new() }));
            }
            _ => {}
        }
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_BYTES)).unwrap_or_default()
}
