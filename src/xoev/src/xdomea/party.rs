//! Kontakt (KontaktType of 3.0.0 and 3.1.0) and [`Party`].

use model::Authority;
use model::party::{Address, Contact, Organisation, Party, Person};

use super::node::{Node, code, filled, group, leaf};
use super::text::day;

const KEYS: &str = "urn:xoev-de:bund:bmi:bit:codeliste:dvdv.behoerdenschluessel";
const PREFIXES: &str = "urn:xoev-de:bund:bmi:bit:codeliste:dvdv.praefix";
const COUNTRIES: &str = "urn:xoev-de:kosit:codeliste:country-codes";
const CHANNELS: &str = "urn:de:xoev:codeliste:erreichbarkeit";
/// Roles have no common list; this names ours.
const ROLES: &str = "urn:amtsbote:codeliste:rolle";

/// Codes of the list of channels and the model's words.
const CHANNEL_WORDS: [(&str, &str); 6] =
    [("01", "email"), ("02", "phone"), ("03", "mobile"), ("04", "fax"), ("08", "de-mail"), ("09", "web")];

/// Roles that are elements of their own in documents.
pub(crate) const SENDER: &str = "sender";
pub(crate) const RECIPIENT: &str = "recipient";

/// Reads a Kontakt. `role` is what the element itself says; otherwise its Rolle.
pub(crate) fn read_party(node: &Node, role: Option<&str>) -> Party {
    let own_role = || node.code_of("Rolle").filter(|role| *role != SENDER && *role != RECIPIENT);
    Party {
        role: role.or_else(own_role).map(str::to_owned),
        person: read_person(node),
        organisation: read_organisation(node),
        authority: read_authority(node),
        addresses: node.children("Anschrift").map(read_address).collect(),
        contacts: node.children("Kommunikation").map(read_contact).collect(),
        ..Party::default()
    }
}

/// Writes a Kontakt under the name `element`. The role is written unless the element says it.
pub(crate) fn make_party(party: &Party, element: &str) -> Node {
    let mut nodes = Vec::new();
    nodes.extend(party.authority.as_ref().map(make_authority));
    let organisation = party.organisation.clone().unwrap_or_default();
    nodes.extend(make_institution(organisation.name.as_deref(), organisation.short_name.as_deref()));
    nodes.extend(make_unit(organisation.unit.as_deref()));
    nodes.extend(party.person.as_ref().and_then(make_person));
    nodes.extend(party.addresses.iter().map(make_address));
    nodes.extend(party.contacts.iter().map(make_contact));
    let role = party.role.as_deref().filter(|_| element != "Absender" && element != "Empfaenger");
    nodes.extend(role.map(|role| code("Rolle", ROLES, "1", role)));
    let born = party.person.as_ref().and_then(|person| person.born.as_deref());
    nodes.extend(born.map(|born| group("Geburt", vec![leaf("Datum", born)])));
    group(element, nodes)
}

/// Behoerdenkennung, if prefix and key can be used.
pub(crate) fn read_authority(node: &Node) -> Option<Authority> {
    let key = node.child("Behoerdenkennung")?;
    let (prefix, key) = (key.code_of("Praefix")?, key.code_of("Behoerdenschluessel")?);
    format!("{prefix}:{key}").parse().ok()
}

pub(crate) fn make_authority(authority: &Authority) -> Node {
    // No version of these lists is prescribed; the directory always uses the current one.
    let nodes = vec![
        code("Behoerdenschluessel", KEYS, "", authority.key()),
        code("Praefix", PREFIXES, "", authority.prefix()),
    ];
    group("Behoerdenkennung", nodes)
}

pub(crate) fn make_institution(name: Option<&str>, short_name: Option<&str>) -> Option<Node> {
    let mut nodes = Vec::new();
    nodes.extend(name.map(|name| leaf("Name", name)));
    nodes.extend(short_name.map(|name| leaf("Kurzbezeichnung", name)));
    filled("Institution", nodes)
}

pub(crate) fn make_unit(unit: Option<&str>) -> Option<Node> {
    unit.map(|unit| group("Organisationseinheit", vec![leaf("Name", unit)]))
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn read_organisation(node: &Node) -> Option<Organisation> {
    let institution = node.child("Institution");
    let organisation = Organisation {
        name: owned(institution.and_then(|node| node.text_of("Name"))),
        short_name: owned(institution.and_then(|node| node.text_of("Kurzbezeichnung"))),
        unit: owned(node.child("Organisationseinheit").and_then(|node| node.text_of("Name"))),
    };
    (organisation != Organisation::default()).then_some(organisation)
}

fn read_person(node: &Node) -> Option<Person> {
    let name = node.child("Name");
    let part = |local| name.and_then(|node| node.text_of(local));
    let inner = |local| name.and_then(|node| node.child(local)).and_then(|node| node.text_of("Name"));
    let person = Person {
        salutation: owned(part("Anrede")),
        title: owned(part("Titel")),
        given_name: owned(inner("Vorname")),
        family_name: owned(inner("Familienname")),
        born: node.child("Geburt").and_then(|node| node.text_of("Datum")).and_then(day),
    };
    (person != Person::default()).then_some(person)
}

fn make_person(person: &Person) -> Option<Node> {
    let mut nodes = Vec::new();
    nodes.extend(person.salutation.as_ref().map(|text| leaf("Anrede", text)));
    nodes.extend(person.title.as_ref().map(|text| leaf("Titel", text)));
    let name = |local, text: &String| group(local, vec![leaf("Name", text)]);
    nodes.extend(person.family_name.as_ref().map(|text| name("Familienname", text)));
    nodes.extend(person.given_name.as_ref().map(|text| name("Vorname", text)));
    filled("Name", nodes)
}

fn read_address(node: &Node) -> Address {
    let country = node.child("Staat").and_then(|node| node.code_of("Staat"));
    let is_alpha2 = |code: &&str| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
    Address {
        street: owned(node.text_of("Strasse")),
        house_number: owned(node.text_of("Hausnummer")),
        post_box: owned(node.text_of("Postfach")),
        postcode: owned(node.text_of("Postleitzahl")),
        town: owned(node.text_of("Ort")),
        country: owned(country.filter(is_alpha2)),
        addition: owned(node.text_of("Zusatz")),
    }
}

fn make_address(address: &Address) -> Node {
    let country = |country: &String| group("Staat", vec![code("Staat", COUNTRIES, "", country)]);
    let mut nodes: Vec<Node> = address.country.iter().map(country).collect();
    let parts = [
        ("Strasse", &address.street),
        ("Hausnummer", &address.house_number),
        ("Postfach", &address.post_box),
        ("Postleitzahl", &address.postcode),
        ("Ort", &address.town),
        ("Zusatz", &address.addition),
    ];
    nodes.extend(parts.into_iter().filter_map(|(local, text)| text.as_ref().map(|text| leaf(local, text))));
    group("Anschrift", nodes)
}

fn read_contact(node: &Node) -> Contact {
    let channel = node.code_of("Kanal").unwrap_or_default();
    let word = CHANNEL_WORDS.iter().find(|(code, _)| *code == channel).map_or(channel, |(_, word)| *word);
    Contact {
        channel: word.to_owned(),
        value: node.text_of("Kennung").unwrap_or_default().to_owned(),
        addition: owned(node.text_of("Zusatz")),
    }
}

fn make_contact(contact: &Contact) -> Node {
    let word = contact.channel.as_str();
    let is_code = word.len() == 2 && word.bytes().all(|b| b.is_ascii_digit());
    let channel = match CHANNEL_WORDS.iter().find(|(_, known)| *known == word) {
        Some((code, _)) => Some(*code),
        None if word.is_empty() => None,
        None if is_code => Some(word),
        // 07: another channel.
        None => Some("07"),
    };
    let mut nodes: Vec<Node> =
        channel.map(|channel| code("Kanal", CHANNELS, "3", channel)).into_iter().collect();
    if !contact.value.is_empty() {
        nodes.push(leaf("Kennung", &contact.value));
    }
    nodes.extend(contact.addition.as_ref().map(|text| leaf("Zusatz", text)));
    group("Kommunikation", nodes)
}
