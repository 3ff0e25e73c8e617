//! The header of a message (Type.GDS.Nachrichtenkopf of XJustiz 3.5.1 and 3.6.2, which differ).

use std::io::Write;

use model::standard::{Endpoint, Outgoing};

use super::sink::Sink;
use crate::Error;

/// Versions that are written, newest first.
pub(super) const WRITTEN: [&str; 2] = ["3.6.2", "3.5.1"];

/// A version that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V3_5,
    V3_6,
}

impl Version {
    pub(super) fn by_number(number: &str) -> Option<Self> {
        match number {
            "3.6.2" => Some(Version::V3_6),
            "3.5.1" => Some(Version::V3_5),
            _ => None,
        }
    }

    fn number(self) -> &'static str {
        match self {
            Version::V3_6 => WRITTEN[0],
            Version::V3_5 => WRITTEN[1],
        }
    }
}

/// What the header says of the records.
#[derive(Debug, Default)]
pub(super) struct Header {
    /// The court's file number, if it is known.
    pub(super) court_number: Option<String>,
    /// The sender's.
    pub(super) own_number: Option<String>,
}

/// Writes the header.
pub(super) fn write_header<W: Write>(
    sink: &mut Sink<W>,
    message: &Outgoing,
    header: &Header,
    version: Version,
) -> Result<(), Error> {
    sink.start_with("nachrichtenkopf", &[("xjustizVersion", version.number())])?;
    match version {
        Version::V3_5 => write_3_5(sink, message, header)?,
        Version::V3_6 => write_3_6(sink, message, header)?,
    }
    sink.start("herstellerinformation")?;
    sink.text("nameDesProdukts", "Amtsbote")?;
    sink.text("herstellerDesProdukts", "Amtsbote")?;
    sink.text("version", env!("CARGO_PKG_VERSION"))?;
    sink.end()?;
    sink.end()
}

fn write_3_5<W: Write>(sink: &mut Sink<W>, message: &Outgoing, header: &Header) -> Result<(), Error> {
    sink.some("aktenzeichen.absender", header.own_number.as_deref())?;
    sink.some("aktenzeichen.empfaenger", header.court_number.as_deref())?;
    sink.text("erstellungszeitpunkt", &message.created_at.to_string())?;
    sink.start("auswahl_absender")?;
    sink.text("absender.sonstige", &shown(&message.sender))?;
    sink.end()?;
    sink.start("auswahl_empfaenger")?;
    sink.text("empfaenger.sonstige", &shown(&message.recipient))?;
    sink.end()?;
    sink.text("eigeneNachrichtenID", &message.process_id.to_string())?;
    sink.some("fremdeNachrichtenID", message.answers_id.map(|id| id.to_string()).as_deref())
}

fn write_3_6<W: Write>(sink: &mut Sink<W>, message: &Outgoing, header: &Header) -> Result<(), Error> {
    sink.text("erstellungszeitpunkt", &message.created_at.to_string())?;
    sink.start("absender")?;
    partner(sink, &message.sender)?;
    sink.some("aktenzeichen", header.own_number.as_deref())?;
    sink.text("eigeneNachrichtenID", &message.process_id.to_string())?;
    sink.end()?;
    sink.start("empfaenger")?;
    partner(sink, &message.recipient)?;
    sink.start("auswahl_aktenzeichen")?;
    match header.court_number.as_deref().filter(|number| !number.trim().is_empty()) {
        Some(number) => sink.text("aktenzeichen.freitext", number)?,
        // Whether the court opens a file or has one already is not known here.
        None => sink.text("aktenzeichen.unbekannt", "true")?,
    }
    sink.end()?;
    sink.some("fremdeNachrichtenID", message.answers_id.map(|id| id.to_string()).as_deref())?;
    sink.end()
}

fn partner<W: Write>(sink: &mut Sink<W>, endpoint: &Endpoint) -> Result<(), Error> {
    sink.start("informationen")?;
    sink.start("auswahl_kommunikationspartner")?;
    sink.text("sonstige", &shown(endpoint))?;
    sink.end()?;
    sink.end()
}

/// The name of an authority; its key if it has none.
fn shown(endpoint: &Endpoint) -> String {
    let key = endpoint.authority.as_ref().map(ToString::to_string);
    let name = endpoint.name.clone().or(key).unwrap_or_default();
    match &endpoint.unit {
        Some(unit) => format!("{name}, {unit}"),
        None => name,
    }
}
