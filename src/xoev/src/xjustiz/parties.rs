//! Parties of the records as Beteiligung of the Grunddaten (Type.GDS.Beteiligung of XJustiz 3.5 and 3.6): people and organisations with
//! name, birthday and addresses. The roles that courts have are no words of an authority, so a role is told in words.

use std::io::Write;

use model::party::{Address, Organisation, Party, Person};

use super::latin::{Letters, fits};
use super::sink::{Sink, is_day};
use crate::Error;

/// Writes a party. One that has no name that courts can take is counted as left out. A person beside an organisation is whom to ask there:
/// the organisation is the party.
pub(super) fn write_party<W: Write>(sink: &mut Sink<W>, party: &Party, number: usize) -> Result<(), Error> {
    let person = party.person.as_ref().filter(|person| has_name(person));
    let is_named = |it: &&Organisation| it.name.as_deref().is_some_and(|name| !name.trim().is_empty());
    let organisation = party.organisation.as_ref().filter(is_named);
    if person.is_none() && organisation.is_none() {
        sink.left.out("party", true);
        return Ok(());
    }
    let unsaid = !party.contacts.is_empty() || party.mandate.is_some() || party.mailbox.is_some();
    let is_one_unsaid = match organisation {
        Some(_) => party.person.is_some(),
        None => party.organisation.is_some(),
    };
    sink.left.out("party-details", unsaid || is_one_unsaid);
    sink.start("beteiligung")?;
    if let Some(role) = party.role.as_deref().filter(|role| !role.trim().is_empty()) {
        sink.start("rolle")?;
        sink.start("auswahl_bezeichnung")?;
        sink.text("sonstigeBezeichnung", role)?;
        sink.end()?;
        sink.end()?;
    }
    sink.start("beteiligter")?;
    sink.text("beteiligtennummer", &number.to_string())?;
    sink.start("auswahl_beteiligter")?;
    match (organisation, person) {
        (Some(organisation), _) => write_organisation(sink, organisation, &party.addresses)?,
        (None, Some(person)) => write_person(sink, person, &party.addresses)?,
        (None, None) => {}
    }
    sink.end()?;
    sink.end()?;
    sink.end()
}

fn has_name(person: &Person) -> bool {
    person.family_name.as_deref().is_some_and(|name| !name.trim().is_empty() && fits(name, Letters::Name))
}

fn write_person<W: Write>(sink: &mut Sink<W>, person: &Person, addresses: &[Address]) -> Result<(), Error> {
    let given = person.given_name.as_deref();
    let is_given_written = given.is_none_or(|name| fits(name, Letters::Name));
    let is_born_written = person.born.as_deref().is_none_or(is_day);
    sink.left.out("party-details", !is_given_written || !is_born_written || person.salutation.is_some());
    sink.start("natuerlichePerson")?;
    sink.start("vollerName")?;
    sink.some("vorname", given.filter(|_| is_given_written))?;
    sink.some("titel", person.title.as_deref())?;
    sink.some("nachname", person.family_name.as_deref())?;
    sink.end()?;
    if let Some(born) = person.born.as_deref().filter(|born| is_day(born)) {
        sink.start("geburt")?;
        sink.text("geburtsdatum", born)?;
        sink.end()?;
    }
    addresses.iter().try_for_each(|address| write_address(sink, address))?;
    sink.end()
}

fn write_organisation<W: Write>(
    sink: &mut Sink<W>,
    organisation: &Organisation,
    addresses: &[Address],
) -> Result<(), Error> {
    sink.left.out("party-details", organisation.unit.is_some());
    sink.start("organisation")?;
    sink.start("bezeichnung")?;
    sink.text("bezeichnung.aktuell", organisation.name.as_deref().unwrap_or_default())?;
    sink.end()?;
    sink.some("kurzbezeichnung", organisation.short_name.as_deref())?;
    addresses.iter().try_for_each(|address| write_address(sink, address))?;
    sink.end()
}

fn write_address<W: Write>(sink: &mut Sink<W>, address: &Address) -> Result<(), Error> {
    let place = |text: &Option<String>| text.clone().filter(|text| fits(text, Letters::Place));
    let parts = [&address.street, &address.house_number, &address.town];
    let are_all_written = parts.iter().all(|part| place(part) == **part);
    // Countries are codes of a list that the model does not keep.
    sink.left.out("party-details", !are_all_written || address.country.is_some());
    sink.start("anschrift")?;
    sink.some("anschriftenzusatz", address.addition.as_deref())?;
    sink.some("strasse", place(&address.street).as_deref())?;
    sink.some("hausnummer", place(&address.house_number).as_deref())?;
    sink.some("postfachnummer", address.post_box.as_deref())?;
    sink.some("postleitzahl", address.postcode.as_deref())?;
    sink.some("ort", place(&address.town).as_deref())?;
    sink.end()
}
