//! Walking through a statement, and what may be wrong with it. What is wrong is told by line and element, never by its value.

use std::io::{self, BufReader, Read};

use model::{Failure, FailureKind};
use xml::{Event, Reader};

/// A statement being read.
pub(super) type Input<'a> = Reader<BufReader<&'a mut dyn Read>>;

/// Longest text of one element, in bytes; the longest of ISO 20022 has 500 characters.
const TEXT_BYTES: usize = 4 * 1024;

/// What is wrong.
pub(super) enum Fault {
    /// Not XML, or XML that is not taken.
    Xml(xml::Error),
    /// Some other message or version.
    Unknown,
    /// An element that is missing, comes twice, or is not what it has to be.
    Value {
        /// Line, from 1.
        line: u64,
        /// Its name.
        what: &'static str,
    },
    /// Whoever takes the lines has failed.
    Each(Failure),
}

impl From<xml::Error> for Fault {
    fn from(error: xml::Error) -> Self {
        Fault::Xml(error)
    }
}

impl Fault {
    /// As the broker wants it; `file` counts the files of a ZIP from 1: their names may hold account numbers.
    pub(super) fn failure(self, file: Option<usize>) -> Failure {
        let place = file.map_or_else(String::new, |file| format!("file {file} of the ZIP: "));
        match self {
            Fault::Xml(xml::Error::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                rejected("payment.statement-broken", format!("{place}the ZIP is damaged"))
            }
            Fault::Xml(xml::Error::Io(error)) => super::unreadable(error),
            Fault::Xml(error) => rejected("payment.statement-broken", format!("{place}{error}")),
            Fault::Unknown => rejected(
                "payment.statement-unknown",
                format!("{place}expected camt.052, camt.053 or camt.054 in version 02, 04, 06 or 08"),
            ),
            Fault::Value { line, what } => {
                let detail = format!("{place}line {line}: {what} is missing, there twice, or not understood");
                rejected("payment.statement-broken", detail)
            }
            Fault::Each(failure) => failure,
        }
    }
}

/// A statement that is not taken.
pub(super) fn rejected(code: &'static str, detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Rejected, code, detail)
}

/// Calls `each` at the start of every child of the open element that is in `namespace`, with its local name. What `each` leaves unread is
/// passed over. Reads up to and with the end of the open element.
pub(super) fn children<'a>(
    reader: &mut Input<'a>,
    namespace: &str,
    each: &mut dyn FnMut(&mut Input<'a>, &str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let depth = reader.depth();
    while reader.depth() >= depth {
        let name = match reader.next()? {
            Event::Start(start) => (start.namespace() == Some(namespace)).then(|| start.local().to_owned()),
            Event::End | Event::Text(_) | Event::Eof => continue,
        };
        let inside = reader.depth();
        if let Some(name) = name {
            each(reader, &name)?;
        }
        if reader.depth() >= inside {
            reader.skip()?;
        }
    }
    Ok(())
}

/// The text of the open element, without blanks around it.
pub(super) fn text(reader: &mut Input<'_>) -> Result<String, Fault> {
    let text = reader.read_text(TEXT_BYTES)?;
    Ok(text.trim().to_owned())
}

/// Puts `value` into `place`, which has to be empty.
pub(super) fn once<T>(place: &mut Option<T>, value: T, line: u64, what: &'static str) -> Result<(), Fault> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::Value { line, what }),
    }
}
