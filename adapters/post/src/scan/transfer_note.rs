//! The Transfervermerk of TR-03138 A.NB.4, in the XML form that DRV Bund has proposed ("Transfervermerk", 29 July 2016): who scanned, by
//! what procedure, which pages of which stack, what was done with them and what stood out. The proposal has no namespace and shows fragments
//! alone; names of attributes and steps are ours.

use model::Timestamp;
use xml::Writer;

use super::settings::{Note, Organisation};

/// A thing to be noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribut {
    /// What.
    pub name: &'static str,
    /// Words.
    pub text: String,
    /// Whether it stands out (`auffaelligkeit`).
    pub stands_out: bool,
}

/// Prozessschritt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// What was done.
    pub name: &'static str,
    /// When.
    pub at: Timestamp,
    /// What did it.
    pub system: String,
    /// What is to be noted of it.
    pub attributes: Vec<Attribut>,
}

/// What is known of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Noted {
    /// When the note is made.
    pub at: Timestamp,
    /// Pages of the document.
    pub pages: u32,
    /// What is to be noted of it.
    pub attributes: Vec<Attribut>,
    /// Name of the stack.
    pub stack: String,
    /// When the stack was scanned.
    pub scanned: Timestamp,
    /// Where the document stood in it.
    pub position: String,
    /// What was done.
    pub steps: Vec<Step>,
}

/// The note as XML, without a seal.
pub(super) fn write(note: &Note, noted: &Noted) -> Result<Vec<u8>, xml::Error> {
    let mut to = Writer::indented(Vec::new())?;
    to.start("Transfervermerk", &[("erstellt", &noted.at.to_string())])?;
    organisation(&mut to, "Auftragnehmer", &note.contractor)?;
    if let Some(client) = &note.client {
        organisation(&mut to, "Auftraggeber", client)?;
    }
    to.start("Dokument", &[])?;
    to.element("Seiten", &noted.pages.to_string())?;
    attributes(&mut to, &noted.attributes)?;
    to.end()?;
    to.start("Stapel", &[("name", &noted.stack), ("erstellt", &noted.scanned.to_string())])?;
    to.start("Verfahren", &[])?;
    to.element("Bezeichnung", &note.procedure.name)?;
    to.element("Auspraegung", &note.procedure.variant)?;
    to.element("Version", &note.procedure.version)?;
    to.element("Stand", &note.procedure.date)?;
    organisation(&mut to, "Pfleger", &note.procedure.keeper)?;
    to.end()?;
    to.element("PositionDesDokuments", &noted.position)?;
    to.start("Prozessschritte", &[])?;
    for step in &noted.steps {
        to.start("Prozessschritt", &[("name", step.name), ("zeitpunkt", &step.at.to_string())])?;
        to.element("Durchfuehrung", "Serverdienst")?;
        to.element("ITSystem", &step.system)?;
        attributes(&mut to, &step.attributes)?;
        to.end()?;
    }
    to.end()?;
    to.end()?;
    to.end()?;
    to.finish()
}

fn organisation(to: &mut Writer<Vec<u8>>, name: &str, it: &Organisation) -> Result<(), xml::Error> {
    to.start(name, &[])?;
    to.element("Name", &it.name)?;
    if let Some(street) = &it.street {
        to.element("Strasse", street)?;
    }
    if let Some(postcode) = &it.postcode {
        to.element("PLZ", postcode)?;
    }
    to.element("Ort", &it.town)?;
    to.element("Organisationseinheit", &it.unit)?;
    to.end()
}

fn attributes(to: &mut Writer<Vec<u8>>, attributes: &[Attribut]) -> Result<(), xml::Error> {
    if attributes.is_empty() {
        return Ok(());
    }
    to.start("Attribute", &[])?;
    for it in attributes {
        let stands_out = [("name", it.name), ("auffaelligkeit", "true")];
        to.start("Attribut", if it.stands_out { &stands_out } else { &stands_out[..1] })?;
        to.text(&it.text)?;
        to.end()?;
    }
    to.end()
}
