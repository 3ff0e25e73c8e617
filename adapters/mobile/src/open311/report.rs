//! A report as it is judged before anything of it is kept: all that is wrong is told at once (GeoReport v2, "POST Service Request").

use std::collections::{BTreeMap, BTreeSet};

use model::Timestamp;
use model::party::{Contact, Party, Person};

use super::Refusal;
use super::form::Form;
use crate::geo::Point;
use crate::settings::{Attribute, Service};

/// Longest description, in characters.
const DESCRIPTION: usize = 4_000;

/// Longest other text, in characters.
const TEXT: usize = 200;

/// Fields that say who calls or how, and nothing of the report.
pub(crate) const ASIDE: &[&str] = &["api_key", "jurisdiction_id"];

/// A report whose form is as it should be.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) point: Option<Point>,
    pub(crate) address: Option<String>,
    pub(crate) address_id: Option<String>,
    pub(crate) description: String,
    /// Answers to the questions of the service, by their codes.
    pub(crate) attributes: BTreeMap<String, Vec<String>>,
    pub(crate) account_id: Option<String>,
    pub(crate) device_id: Option<String>,
    pub(crate) party: Option<Party>,
    /// Where photographs lie.
    pub(crate) media_urls: Vec<String>,
}

/// Reads a report of that service.
///
/// # Errors
/// 400 with everything that is wrong.
pub(crate) fn read(form: &Form, service: &Service) -> Result<Report, Refusal> {
    let mut wrong = vec![];
    let point = match (form.get("lat"), form.get("long")) {
        (Some(lat), Some(long)) => {
            let point = Point::parse(lat, long);
            if point.is_none() {
                wrong.push("lat and long are not degrees of WGS 84".to_owned());
            }
            point
        }
        (None, None) => None,
        _ => {
            wrong.push("lat and long go together".to_owned());
            None
        }
    };
    let mut text = |name: &str, most: usize| {
        let text = form.get(name)?;
        // Lines are for whoever describes something; names and numbers are looked up.
        if most <= TEXT && text.chars().any(char::is_control) {
            wrong.push(format!("{name} has characters that nobody can see"));
        }
        if text.chars().count() > most {
            wrong.push(format!("{name} is longer than {most} characters"));
        }
        Some(text.to_owned())
    };
    let description = text("description", DESCRIPTION).unwrap_or_default();
    let (address, address_id) = (text("address_string", 500), text("address_id", TEXT));
    let (account_id, device_id) = (text("account_id", TEXT), text("device_id", TEXT));
    let named = ["first_name", "last_name", "email", "phone"].map(|name| text(name, TEXT));
    let media_urls = media_urls(form, &mut wrong);
    if point.is_none() && address.is_none() && address_id.is_none() && wrong.is_empty() {
        wrong.push("expected lat and long, address_string or address_id".to_owned());
    }
    let attributes = answers(form, service, &mut wrong);
    if !wrong.is_empty() {
        return Err(Refusal { status: 400, wrong });
    }
    let party = party(named);
    Ok(Report {
        point,
        address,
        address_id,
        description,
        attributes,
        account_id,
        device_id,
        party,
        media_urls,
    })
}

/// Where photographs lie.
pub(crate) fn media_urls(form: &Form, wrong: &mut Vec<String>) -> Vec<String> {
    let urls: Vec<String> = form.all("media_url").map(str::to_owned).collect();
    if urls.len() > super::form::PHOTOS || urls.iter().any(|url| url.len() > 2_000) {
        wrong.push("media_url stands too often, or is too long".to_owned());
    }
    urls
}

/// Answers to the questions of the service; what was never asked is left out, as apps send it for others.
fn answers(form: &Form, service: &Service, wrong: &mut Vec<String>) -> BTreeMap<String, Vec<String>> {
    let mut answers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let asked: BTreeMap<&str, &Attribute> =
        service.attributes.iter().map(|it| (it.code.as_str(), it)).collect();
    for (code, value) in form.attributes().filter(|(_, value)| !value.is_empty()) {
        if asked.contains_key(code) {
            answers.entry(code.to_owned()).or_default().push(value.to_owned());
        }
    }
    for attribute in &service.attributes {
        let given = answers.get(&attribute.code).map(Vec::as_slice).unwrap_or_default();
        if attribute.required && attribute.variable && given.is_empty() {
            wrong.push(format!("attribute[{}] is required", attribute.code));
        }
        if let Some(rule) = lack(attribute, given) {
            wrong.push(format!("attribute[{}]: {rule}", attribute.code));
        }
    }
    answers
}

/// What is wrong with the answers to a question.
fn lack(attribute: &Attribute, given: &[String]) -> Option<&'static str> {
    if given.len() > 1 && attribute.datatype != "multivaluelist" {
        return Some("one value is expected");
    }
    let keys: BTreeSet<&str> = attribute.values.iter().map(|(key, _)| key.as_str()).collect();
    let most = if attribute.datatype == "text" { DESCRIPTION } else { TEXT };
    given.iter().find_map(|value| match attribute.datatype.as_str() {
        "number" if value.parse::<f64>().is_err() => Some("a number is expected"),
        "datetime" if Timestamp::parse(value).is_none() => Some("a time with its offset is expected"),
        "singlevaluelist" | "multivaluelist" if !keys.contains(value.as_str()) => {
            Some("one of the keys of the definition is expected")
        }
        _ if value.chars().count() > most => Some("the value is too long"),
        _ => None,
    })
}

/// Who reports, if that is said. It is never shown to anybody but clerks.
fn party([first, last, email, phone]: [Option<String>; 4]) -> Option<Party> {
    let contact = |channel: &str, value: Option<String>| {
        value.map(|value| Contact { channel: channel.to_owned(), value, addition: None })
    };
    let contacts: Vec<Contact> = contact("email", email).into_iter().chain(contact("phone", phone)).collect();
    let person = (first.is_some() || last.is_some()).then(|| Person {
        given_name: first,
        family_name: last,
        ..Person::default()
    });
    let is_nobody = person.is_none() && contacts.is_empty();
    (!is_nobody).then(|| Party { role: Some("reporter".to_owned()), person, contacts, ..Party::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Service {
        let list = |code: &str, datatype: &str| Attribute {
            code: code.into(),
            datatype: datatype.into(),
            variable: true,
            values: vec![("a".into(), "A".into()), ("b".into(), "B".into())],
            ..Attribute::default()
        };
        let depth = Attribute {
            code: "depth".into(),
            datatype: "number".into(),
            required: true,
            variable: true,
            ..Attribute::default()
        };
        Service {
            attributes: vec![depth, list("one", "singlevaluelist"), list("many", "multivaluelist")],
            ..Service::default()
        }
    }

    fn wrong(query: &str) -> Vec<String> {
        read(&Form::query(query).unwrap(), &service()).unwrap_err().wrong
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        assert_eq!(wrong("").len(), 2);
        assert_eq!(wrong("lat=1&attribute[depth]=x&attribute[one]=c").len(), 3);
        assert_eq!(wrong("lat=99&long=1&attribute[depth]=1"), ["lat and long are not degrees of WGS 84"]);
        let long = "x".repeat(DESCRIPTION + 1);
        assert_eq!(wrong(&format!("address_id=1&attribute[depth]=1&description={long}")).len(), 1);
        assert_eq!(wrong("address_id=1&attribute[depth]=1&attribute[one]=a&attribute[one]=b").len(), 1);
    }

    #[test]
    fn a_report_says_what_was_said() {
        let query = "lat=51.5&long=8.1&description=Loch&email=a%40b.example&first_name=Erika&attribute[depth]=5&\
                     attribute[many][]=a&attribute[many][]=b&attribute[other]=x&media_url=";
        let report = read(&Form::query(query).unwrap(), &service()).unwrap();
        assert_eq!(report.point, Point::parse("51.5", "8.1"));
        assert_eq!(report.attributes["many"], ["a", "b"]);
        assert!(!report.attributes.contains_key("other"));
        let party = report.party.unwrap();
        assert_eq!(party.contacts[0].value, "a@b.example");
        assert!(report.media_urls.is_empty());
    }
}
