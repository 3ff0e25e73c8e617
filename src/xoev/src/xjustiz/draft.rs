//! A document and a party while they are read of a message (Type.GDS.Dokument, Type.GDS.Beteiligung of XJustiz 2.4 to 3.6).

use std::collections::HashMap;

use model::case::{Description, File, Version};
use model::party::{Address, Organisation, Party, Person};
use model::{Id, PayloadRef};

use crate::container::{is_harmless, shown};

/// Longest line, in characters: what the model takes of a reference.
const LINE_CHARS: usize = 200;
/// Longest title, in characters.
const TITLE_CHARS: usize = 2_000;
/// Most files of a document.
const MOST_FILES: usize = 1_000;
/// Endings of files that courts have, and their media types.
const MEDIA_TYPES: [(&str, &str); 6] = [
    ("pdf", "application/pdf"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("xml", "application/xml"),
    ("p7s", "application/pkcs7-signature"),
    ("pkcs7", "application/pkcs7-signature"),
];

/// A document.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) id: Option<Id>,
    title: String,
    reference: Option<String>,
    pub(super) received: Option<String>,
    pub(super) written: Option<String>,
    sender: Option<String>,
    recipient: Option<String>,
    /// Names of files, each with the number of its version.
    files: Vec<(String, String)>,
}

impl Draft {
    /// Takes note of the element that ends, the last of those that are open.
    pub(super) fn note(&mut self, open: &[&str], text: &str) {
        match open {
            [.., "dokument", "identifikation", "id"] => self.id = text.parse().ok(),
            [.., "anzeigename"] => self.title = text_cut(text, TITLE_CHARS).to_owned(),
            [.., "fremdesGeschaeftszeichen"] => self.reference = Some(line(text)),
            [.., "posteingang", "datum"] | [.., "posteingangsdatum"] => self.received = day(text),
            [.., "datumDesSchreibens"] => self.written = day(text),
            [.., "absenderAnzeigename"] => self.sender = Some(line(text)),
            [.., "adressatAnzeigename"] => self.recipient = Some(line(text)),
            [.., "datei", "dateiname"] if self.files.len() < MOST_FILES => {
                self.files.push((text.to_owned(), "1".to_owned()));
            }
            [.., "datei", "versionsnummer"] => {
                if let Some((_, version)) = self.files.last_mut() {
                    *version = line(text);
                }
            }
            _ => {}
        }
    }

    /// Title, parties and so on; without a title it is called like its first file.
    pub(super) fn description(&self) -> Description {
        let first_file = || self.files.first().map(|(name, _)| line(name)).unwrap_or_default();
        let title = if self.title.is_empty() { first_file() } else { self.title.clone() };
        let party = |role: &str, name: &String| Party {
            role: Some(role.to_owned()),
            organisation: Some(Organisation { name: Some(name.clone()), ..Organisation::default() }),
            ..Party::default()
        };
        let sender = self.sender.as_ref().map(|name| party("sender", name));
        let recipient = self.recipient.as_ref().map(|name| party("recipient", name));
        let parties = sender.into_iter().chain(recipient).collect();
        Description { title, record_reference: self.reference.clone(), parties, ..Description::default() }
    }

    /// Versions in the order in which they are named; files that did not come have no content. A name that would do harm is replaced.
    pub(super) fn versions(&self, payloads: &HashMap<String, PayloadRef>) -> Vec<Version> {
        let mut versions: Vec<Version> = Vec::new();
        for (at, (said, number)) in self.files.iter().enumerate() {
            let is_kept = is_harmless(said);
            let name = if is_kept { said.clone() } else { format!("datei-{}", at + 1) };
            let file = File {
                name,
                original_name: (!is_kept).then(|| shown(said)),
                media_type: media_type(said).map(str::to_owned),
                content: payloads.get(said).cloned(),
                ..File::default()
            };
            match versions.iter_mut().find(|version| version.number == *number) {
                Some(version) => version.files.push(file),
                None => versions.push(Version { number: number.clone(), files: vec![file] }),
            }
        }
        versions
    }
}

/// A party.
#[derive(Default)]
pub(super) struct PartyDraft {
    role: Option<String>,
    person: Person,
    organisation: Option<String>,
    address: Address,
    /// Whether the first address has ended.
    is_addressed: bool,
}

impl PartyDraft {
    /// Takes note of the element that ends. Other names and people within the party are left where they are.
    pub(super) fn note(&mut self, open: &[&str], text: &str) {
        let value = Some(line(text));
        match open {
            [.., "sonstigeBezeichnung"] if self.role.is_none() => self.role = value,
            [.., "auswahl_beteiligter", "natuerlichePerson", "vollerName", part] => match *part {
                "vorname" => self.person.given_name = value,
                "nachname" => self.person.family_name = value,
                "titel" => self.person.title = value,
                _ => {}
            },
            [.., "auswahl_beteiligter", "natuerlichePerson", "geburt", "geburtsdatum"] => {
                self.person.born = day(text);
            }
            [.., "organisation" | "ra.kanzlei", _, "bezeichnung.aktuell"] => self.organisation = value,
            [.., "auswahl_beteiligter", _, "anschrift", part] => self.address(part, value),
            _ => {}
        }
    }

    /// Of several addresses the first that says anything counts: the model could not say which is which.
    fn address(&mut self, part: &str, value: Option<String>) {
        if self.is_addressed {
            return;
        }
        let address = &mut self.address;
        match part {
            "strasse" => address.street = value,
            "hausnummer" => address.house_number = value,
            "postfachnummer" => address.post_box = value,
            "postleitzahl" => address.postcode = value,
            "ort" => address.town = value,
            _ => {}
        }
    }

    /// Ends an address. What comes behind it is of another.
    pub(super) fn end_address(&mut self) {
        self.is_addressed |= self.address != Address::default();
    }

    /// The party, if it has a name.
    pub(super) fn finish(self) -> Option<Party> {
        let PartyDraft { role, person, organisation, address, .. } = self;
        let person = Some(person).filter(|person| person.family_name.is_some());
        let organisation =
            organisation.map(|name| Organisation { name: Some(name), ..Organisation::default() });
        if person.is_none() && organisation.is_none() {
            return None;
        }
        let addresses = Some(address).filter(|address| *address != Address::default()).into_iter().collect();
        Some(Party { role, person, organisation, addresses, ..Party::default() })
    }
}

/// A text on one line, as long as the model takes it.
pub(super) fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    text_cut(&words.join(" "), LINE_CHARS).to_owned()
}

/// At most so many characters.
pub(super) fn text_cut(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| text.get(..end).unwrap_or(text))
}

/// The day of a day or moment.
fn day(text: &str) -> Option<String> {
    let day = text.get(..10)?;
    super::sink::is_day(day).then(|| day.to_owned())
}

fn media_type(name: &str) -> Option<&'static str> {
    let ending = name.rsplit_once('.')?.1;
    MEDIA_TYPES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(ending))
        .map(|(_, media_type)| *media_type)
}
