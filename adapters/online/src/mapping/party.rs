//! Who applies: fields of a party, by their names in the configuration.

use std::collections::BTreeMap;

use model::party::{Address, Authentication, Contact, Organisation, Party, Person, TrustLevel};

use super::template::{Sources, Template};
use super::{Wrong, template, wrong};

/// Names of fields, in the order in which they are shown.
const FIELDS: [&str; 26] = [
    "role",
    "salutation",
    "title",
    "given_name",
    "family_name",
    "born",
    "organisation",
    "organisation_unit",
    "street",
    "house_number",
    "post_box",
    "postcode",
    "town",
    "country",
    "address_addition",
    "email",
    "phone",
    "mobile",
    "fax",
    "authentication_source",
    "authentication_level",
    "mandate",
    "mailbox",
    "prefers",
    "language",
    "web",
];

/// Words for levels as they are found in the field: the model's own, eIDAS, STORK of the BundID (1 is its basic registration).
const LEVELS: [(&str, TrustLevel); 20] = [
    ("none", TrustLevel::None),
    ("basic", TrustLevel::None),
    ("1", TrustLevel::None),
    ("stork-qaa-level-1", TrustLevel::None),
    ("low", TrustLevel::Low),
    ("normal", TrustLevel::Low),
    ("niedrig", TrustLevel::Low),
    ("2", TrustLevel::Low),
    ("stork-qaa-level-2", TrustLevel::Low),
    ("http://eidas.europa.eu/loa/low", TrustLevel::Low),
    ("substantial", TrustLevel::Substantial),
    ("substanziell", TrustLevel::Substantial),
    ("3", TrustLevel::Substantial),
    ("stork-qaa-level-3", TrustLevel::Substantial),
    ("http://eidas.europa.eu/loa/substantial", TrustLevel::Substantial),
    ("high", TrustLevel::High),
    ("hoch", TrustLevel::High),
    ("4", TrustLevel::High),
    ("stork-qaa-level-4", TrustLevel::High),
    ("http://eidas.europa.eu/loa/high", TrustLevel::High),
];

/// Templates of a party's fields.
#[derive(Debug, Clone)]
pub(super) struct PartyMap {
    fields: Vec<(&'static str, Template)>,
}

/// Values of a party's fields.
pub(super) struct Values(Vec<(&'static str, Option<String>)>);

impl PartyMap {
    pub(super) fn new(at: usize, raw: &BTreeMap<String, String>) -> Result<Self, Wrong> {
        let mut fields = vec![];
        for (name, text) in raw {
            let key = format!("party[{at}].{name}");
            let known = FIELDS.iter().find(|known| *known == name);
            let known =
                known.ok_or_else(|| wrong(&key, &format!("expected one of {}", FIELDS.join(", "))))?;
            fields.push((*known, template(&key, text)?));
        }
        fields.sort_by_key(|(name, _)| FIELDS.iter().position(|known| known == name));
        Ok(PartyMap { fields })
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|(name, _)| *name == field)
    }

    pub(super) fn values(&self, sources: &Sources<'_>) -> Values {
        Values(self.fields.iter().map(|(name, template)| (*name, template.value(sources))).collect())
    }
}

impl Values {
    pub(super) fn all(&self) -> &[(&'static str, Option<String>)] {
        &self.0
    }

    pub(super) fn get(&self, field: &str) -> Option<String> {
        self.0.iter().find(|(name, _)| *name == field)?.1.clone()
    }

    /// The party; nothing if no more than a fixed role is known of it.
    pub(super) fn party(&self, levels: &BTreeMap<String, TrustLevel>) -> Option<Party> {
        let get = |field: &str| self.get(field);
        let person = Person {
            salutation: get("salutation"),
            title: get("title"),
            given_name: get("given_name"),
            family_name: get("family_name"),
            born: get("born").and_then(|text| day(&text)),
        };
        let organisation = Organisation {
            name: get("organisation"),
            unit: get("organisation_unit"),
            ..Organisation::default()
        };
        let address = Address {
            street: get("street"),
            house_number: get("house_number"),
            post_box: get("post_box"),
            postcode: get("postcode"),
            town: get("town"),
            country: get("country"),
            addition: get("address_addition"),
        };
        let ways = ["email", "phone", "mobile", "fax", "web"];
        let contact = |way: &str| Some(Contact { channel: way.to_owned(), value: get(way)?, addition: None });
        let party = Party {
            person: (person != Person::default()).then_some(person),
            organisation: (organisation != Organisation::default()).then_some(organisation),
            addresses: (address != Address::default()).then_some(address).into_iter().collect(),
            contacts: ways.into_iter().filter_map(contact).collect(),
            authentication: self.authentication(levels),
            mandate: get("mandate"),
            mailbox: get("mailbox"),
            ..Party::default()
        };
        (party != Party::default()).then(|| Party {
            role: get("role").or_else(|| Some("applicant".to_owned())),
            prefers: get("prefers"),
            language: get("language"),
            ..party
        })
    }

    /// What cannot be understood: a level or a day of birth that is none.
    pub(super) fn strange(&self, levels: &BTreeMap<String, TrustLevel>) -> Vec<&'static str> {
        let is_no_level = self.get("authentication_level").is_some_and(|text| level(&text, levels).is_none());
        let is_no_day = self.get("born").is_some_and(|text| day(&text).is_none());
        let all = [("authentication_level", is_no_level), ("born", is_no_day)];
        all.into_iter().filter(|(_, is_it)| *is_it).map(|(name, _)| name).collect()
    }

    fn authentication(&self, levels: &BTreeMap<String, TrustLevel>) -> Option<Authentication> {
        let level = level(&self.get("authentication_level")?, levels)?;
        Some(Authentication { source: self.get("authentication_source").unwrap_or_default(), level })
    }
}

/// A level by whichever word; those of the configuration first.
fn level(text: &str, levels: &BTreeMap<String, TrustLevel>) -> Option<TrustLevel> {
    let usual = || LEVELS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, level)| *level);
    levels.get(text).copied().or_else(usual)
}

/// A calendar day, as programs write it (of `xs:date` also with a time zone, which a day of birth has none of) or as Germans do. A moment
/// is none: which day it is depends on where.
fn day(text: &str) -> Option<String> {
    let programs = time::macros::format_description!("[year]-[month]-[day]");
    let people = time::macros::format_description!("[day].[month].[year]");
    let (day, zone) = text.split_at_checked(10)?;
    let day = match zone.is_empty() || is_zone(zone) {
        true => time::Date::parse(day, &programs),
        false => return None,
    };
    let day = day.or_else(|_| time::Date::parse(text, &people)).ok()?;
    day.format(&programs).ok()
}

/// A time zone of XML Schema: `Z`, `+01:00`.
fn is_zone(text: &str) -> bool {
    let digits: String = text.chars().map(|it| if it.is_ascii_digit() { '9' } else { it }).collect();
    ["Z", "+99:99", "-99:99"].contains(&digits.as_str())
}
