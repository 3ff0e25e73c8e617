//! What is known of a person (GDPR article 15): looked for by a reference, by name and day of birth, by telephone or by e-mail, in the
//! records of the caller's scope; by the last two also among those who called or wrote, and to whom something was sent. Parties belong to
//! their record and are never merged across units: whoever asks sees what his own units know.

use std::collections::BTreeSet;

use model::party::Party;
use model::rights::Action;
use model::{Caller, EventKind, Id, Record, RecordKind, Scope, phone};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::{Page, RecordFilter, Work};

use crate::{Broker, Error};

/// Records of one look.
const SLICE: u32 = 200;

/// Most records of one answer.
const MOST: usize = 5_000;

/// Kind of channels that telephone numbers are of.
const PHONES: [&str; 3] = ["phone", "mobile", "fax"];

/// By what a person is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonBy {
    /// The citizen of the records with this reference (Aktenzeichen, or another identifier).
    Reference(String),
    /// Family name and day of birth (`YYYY-MM-DD`), and given name if it is known.
    Born {
        /// Familienname.
        family_name: String,
        /// Vorname.
        given_name: Option<String>,
        /// Geburtsdatum.
        born: String,
    },
    /// A telephone number.
    Phone(String),
    /// An address of e-mail.
    Email(String),
}

/// Where a person stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonPlace {
    /// Kind of record.
    pub kind: RecordKind,
    /// The record.
    pub id: Id,
    /// Topmost record of its tree.
    pub root: Id,
    /// Unit that it belongs to.
    pub unit: String,
    /// Aktenzeichen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_reference: Option<String>,
    /// What the person is there.
    pub roles: Vec<String>,
    /// State of the record.
    pub status: String,
    /// Version of the record, and which of its parties are the person.
    #[serde(skip)]
    pub(super) exactly: (u64, Vec<usize>),
}

/// What is known of a person: where, and whether that is all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonFound {
    /// The records that name the person.
    pub places: Vec<PersonPlace>,
    /// Whether there are more than are named.
    pub more: bool,
}

/// Who is meant, once it is known.
#[derive(Debug, Clone)]
pub(super) enum Who {
    Born {
        family: String,
        given: Option<String>,
        born: String,
    },
    Phone(String),
    Email(String),
    /// The very party of a record, with whatever names the same person.
    Same(Box<Party>),
}

impl PersonBy {
    /// Name of the way of looking, for the account of it: never what was looked for.
    pub(super) fn way(&self) -> &'static str {
        match self {
            PersonBy::Reference(_) => "reference",
            PersonBy::Born { .. } => "born",
            PersonBy::Phone(_) => "phone",
            PersonBy::Email(_) => "email",
        }
    }
}

impl Who {
    /// Whether a party is the person.
    pub(super) fn is(&self, party: &Party) -> bool {
        match self {
            Who::Born { family, given, born } => party.person.as_ref().is_some_and(|person| {
                person.born.as_deref() == Some(born)
                    && same(person.family_name.as_deref(), Some(family))
                    && given.as_ref().is_none_or(|given| same(person.given_name.as_deref(), Some(given)))
            }),
            Who::Phone(number) => numbers(party).contains(number),
            Who::Email(address) => mails(party).contains(address),
            Who::Same(known) => known.as_ref() == party || is_same(known, party),
        }
    }

    /// Texts of which one stands in the JSON of every record that names the person, in lower case.
    pub(super) fn needles(&self) -> Vec<String> {
        let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        match self {
            Who::Born { born, .. } => vec![format!("\"born\":\"{born}\"")],
            // Not every engine knows the small letter of more than ASCII.
            Who::Email(address) if address.is_ascii() => vec![address.clone()],
            Who::Email(_) => all(&["\"contacts\":[", "\"from\":\"", "\"email\":\""]),
            // Of parties as people write them, of calls and dispatches by E.164.
            Who::Phone(number) => all(&["\"contacts\":[", &format!("\"{number}\"")]),
            Who::Same(_) => all(&["\"parties\":["]),
        }
    }

    /// What the person is in a record, and which of its parties; a contact or a dispatch has one.
    fn roles_in(&self, record: &Record) -> Vec<(usize, String)> {
        let alone = |role: &str, is_it: bool| is_it.then(|| (0, role.to_owned())).into_iter().collect();
        match (record, self) {
            (Record::Interaction(it), Who::Phone(number)) => {
                let called = it.call.as_ref().and_then(|call| call.number.as_ref());
                alone("caller", called == Some(number))
            }
            (Record::Interaction(it), Who::Email(address)) => {
                alone("sender", it.from.as_ref().is_some_and(|from| is_address_of(address, from)))
            }
            (Record::Dispatch(it), Who::Phone(number)) => {
                alone("addressee", it.to.as_ref().and_then(|to| to.phone.as_ref()) == Some(number))
            }
            (Record::Dispatch(it), Who::Email(address)) => {
                let email = it.to.as_ref().and_then(|to| to.email.as_ref());
                alone("addressee", email.is_some_and(|email| email.to_lowercase() == *address))
            }
            (record, _) => {
                let named = parties(record).iter().enumerate().filter(|(_, party)| self.is(party));
                named.map(|(at, party)| (at, party.role.clone().unwrap_or_default())).collect()
            }
        }
    }
}

/// Two parties that name the same person: name and day of birth, or a name and a way to reach both.
fn is_same(one: &Party, other: &Party) -> bool {
    let (Some(first), Some(second)) = (&one.person, &other.person) else { return false };
    let named = same(first.family_name.as_deref(), second.family_name.as_deref())
        && same(first.given_name.as_deref(), second.given_name.as_deref());
    let born = first.born.is_some() && first.born == second.born;
    let reached = !numbers(one).is_disjoint(&numbers(other)) || !mails(one).is_disjoint(&mails(other));
    named && (born || reached)
}

/// Whether an address stands in what somebody is called by, as a whole: `Kim Muster <kim@mail.example>`.
fn is_address_of(address: &str, from: &str) -> bool {
    let is_end = |it: char| it.is_whitespace() || "<>()[],;:\"'".contains(it);
    from.split(is_end).any(|word| word.to_lowercase() == address)
}

fn same(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.trim().to_lowercase() == other.trim().to_lowercase(),
        _ => false,
    }
}

fn numbers(party: &Party) -> BTreeSet<String> {
    let phones = party.contacts.iter().filter(|contact| PHONES.contains(&contact.channel.as_str()));
    phones.filter_map(|contact| phone::e164(&contact.value, "49", None)).collect()
}

fn mails(party: &Party) -> BTreeSet<String> {
    let mails = party.contacts.iter().filter(|contact| contact.value.contains('@'));
    mails.map(|contact| contact.value.trim().to_lowercase()).collect()
}

/// The parties of a record.
pub(super) fn parties(record: &Record) -> &[Party] {
    record.description().map_or(&[], |description| &description.parties)
}

impl Broker {
    /// Where a person is known within the caller's scope. That somebody was looked for is in the evidence; who, is not.
    ///
    /// # Errors
    /// `Forbidden` unless the caller may export persons; `Invalid` for what is no telephone number, address or day.
    pub async fn person(&self, caller: &Caller, by: &PersonBy) -> Result<PersonFound, Error> {
        let found = self.known_of(caller, by).await?;
        let detail = json!({ "by": by.way(), "records": found.places.len() });
        let mut work = Work::new();
        let tenant = &caller.scope.tenant;
        work.insert_event(&self.audit(tenant, EventKind::PersonSought, &caller.actor, detail));
        self.store().commit(work).await?;
        Ok(found)
    }

    /// The same for what is told by an event of its own.
    pub(super) async fn known_of(&self, caller: &Caller, by: &PersonBy) -> Result<PersonFound, Error> {
        let scope = caller.may(Action::ExportPersons)?;
        let mut found = PersonFound::default();
        for who in self.who(scope, by).await? {
            self.find_person(scope, by, &who, &mut found).await?;
        }
        Ok(found)
    }

    /// Who is meant: with a reference the citizen of each record that has it.
    pub(super) async fn who(&self, scope: &Scope, by: &PersonBy) -> Result<Vec<Who>, Error> {
        let invalid = |field| Error::from(model::Error::Invalid { field });
        let who = match by {
            PersonBy::Born { family_name, given_name, born } => {
                let is_day =
                    born.len() == 10 && born.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
                if !is_day || family_name.trim().is_empty() {
                    return Err(invalid("born"));
                }
                Who::Born { family: family_name.clone(), given: given_name.clone(), born: born.clone() }
            }
            PersonBy::Phone(number) => {
                Who::Phone(phone::e164(number, "49", None).ok_or_else(|| invalid("phone"))?)
            }
            PersonBy::Email(address) if address.contains('@') => Who::Email(address.trim().to_lowercase()),
            PersonBy::Email(_) => return Err(invalid("email")),
            PersonBy::Reference(reference) => return self.citizens_of(scope, reference).await,
        };
        Ok(vec![who])
    }

    async fn citizens_of(&self, scope: &Scope, reference: &str) -> Result<Vec<Who>, Error> {
        let mut all = vec![];
        for record in self.of_reference(scope, reference).await? {
            let citizen = record.description().and_then(|description| description.citizen());
            all.extend(citizen.map(|party| Who::Same(Box::new(party.clone()))));
        }
        Ok(all)
    }

    /// Files and cases with a reference.
    pub(super) async fn of_reference(&self, scope: &Scope, reference: &str) -> Result<Vec<Record>, Error> {
        let mut found = vec![];
        for kind in [RecordKind::CaseFile, RecordKind::Case] {
            let by_reference = Some(reference.to_owned());
            for filter in [
                RecordFilter { record_reference: by_reference.clone(), ..RecordFilter::of(kind) },
                RecordFilter { named: by_reference.clone(), ..RecordFilter::of(kind) },
            ] {
                found.extend(self.store().records(scope, &filter, &Page::first(SLICE)).await?.items);
            }
        }
        found.sort_by_key(|record| record.meta().id);
        found.dedup_by_key(|record| record.meta().id);
        Ok(found)
    }

    /// What belongs to a record and lies in no tree: contacts, dispatches, decisions and claims of a case, payments of a claim. Tasks are the
    /// house's own.
    pub(super) async fn beside(&self, scope: &Scope, id: Id) -> Result<Vec<(RecordKind, Id)>, Error> {
        let mut found = self.store().beside(scope, id).await?;
        found.retain(|(kind, _)| *kind != RecordKind::Task);
        Ok(found)
    }

    async fn find_person(
        &self,
        scope: &Scope,
        by: &PersonBy,
        who: &Who,
        found: &mut PersonFound,
    ) -> Result<(), Error> {
        if let PersonBy::Reference(reference) = by {
            // A reference names its own records, and nobody is looked for beyond.
            for record in self.of_reference(scope, reference).await? {
                found.note(&record, who);
            }
            return Ok(());
        }
        for needle in who.needles() {
            let mut after = None;
            loop {
                let some = self.store().records_with(scope, &needle, after, SLICE).await?;
                let Some(last) = some.last() else { break };
                after = Some(last.meta().id);
                some.iter().for_each(|record| found.note(record, who));
                if found.places.len() >= MOST {
                    found.more = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl PersonFound {
    fn note(&mut self, record: &Record, who: &Who) {
        let (which, roles): (Vec<usize>, Vec<String>) = who.roles_in(record).into_iter().unzip();
        let meta = record.meta();
        if roles.is_empty() || self.places.iter().any(|place| place.id == meta.id) {
            return;
        }
        self.places.push(PersonPlace {
            kind: record.kind(),
            id: meta.id,
            root: meta.root,
            unit: meta.unit.clone(),
            record_reference: record
                .description()
                .and_then(|description| description.record_reference.clone()),
            roles,
            status: record.status().to_owned(),
            exactly: (meta.version, which),
        });
    }
}

/// The JSON of a record with nothing of other persons but what they are in it (article 15, paragraph 4).
pub(super) fn of_one(json: &mut Value, who: &Who) {
    let Some(Value::Array(parties)) = json.get_mut("parties") else { return };
    for value in parties {
        let Ok(party) = serde_json::from_value::<Party>(value.clone()) else { continue };
        if !who.is(&party) {
            let mut left = Map::new();
            left.extend(party.role.map(|role| ("role".to_owned(), Value::String(role))));
            left.insert("withheld".to_owned(), Value::Bool(true));
            *value = Value::Object(left);
        }
    }
    // What a standard says beyond the model may name anybody.
    if let Some(members) = json.as_object_mut() {
        members.remove("extensions");
    }
}

#[cfg(test)]
mod tests {
    use model::party::{Contact, Person};

    use super::*;

    fn party(family: &str, born: Option<&str>, contacts: &[(&str, &str)]) -> Party {
        let text = |text: &str| Some(text.to_owned());
        Party {
            person: Some(Person {
                family_name: text(family),
                born: born.and_then(text),
                ..Person::default()
            }),
            contacts: contacts
                .iter()
                .map(|(channel, value)| Contact {
                    channel: (*channel).to_owned(),
                    value: (*value).to_owned(),
                    addition: None,
                })
                .collect(),
            ..Party::default()
        }
    }

    #[test]
    fn a_person_is_known_however_it_is_written() {
        let one = party("Müller", Some("1970-01-02"), &[("phone", "02921 30-0"), ("email", "A@b.example")]);
        let born =
            |family: &str, born: &str| Who::Born { family: family.into(), given: None, born: born.into() };
        assert!(born("MÜLLER ", "1970-01-02").is(&one));
        assert!(!born("Müller", "1970-01-03").is(&one) && !born("Muller", "1970-01-02").is(&one));
        assert!(Who::Phone("+492921300".into()).is(&one) && !Who::Phone("+492921301".into()).is(&one));
        assert!(Who::Email("a@b.example".into()).is(&one));
    }

    #[test]
    fn an_address_is_not_found_in_a_longer_one() {
        for (from, is_it) in [
            ("m@mail.example", true),
            ("Kim Muster <M@mail.example>", true),
            ("mailto:m@mail.example", true),
            ("Kim <kim@mail.example>", false),
            ("m@mail.example.com", false),
            ("", false),
        ] {
            assert_eq!(is_address_of("m@mail.example", from), is_it, "{from}");
        }
    }

    #[test]
    fn of_others_only_what_they_are_is_told() {
        let (one, other) =
            (party("Müller", Some("1970-01-02"), &[]), party("Meier", None, &[("phone", "1")]));
        let mut json =
            serde_json::json!({ "title": "x", "parties": [one, other], "extensions": { "a": "Meier" } });
        of_one(&mut json, &Who::Same(Box::new(one.clone())));
        assert!(json.to_string().contains("Müller") && !json.to_string().contains("Meier"));
    }
}
