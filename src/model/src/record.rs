//! A record of any kind, with the identity and ownership that all share.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::activity::{CallState, Decision, Dispatch, Interaction, Task};
use crate::case::{Case, CaseFile, Description, Document};
use crate::exchange::Exchange;
use crate::payment::{Claim, Payment};
use crate::{Authority, Error, Id, Timestamp, phone};

/// The country that a telephone number without one is of.
const HOME: &str = "49";

/// Telephone numbers of one record that are looked up.
const NUMBERS: usize = 50;

/// Identity and ownership of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// Identifier, given by the gateway.
    pub id: Id,
    /// Tenant (Mandant).
    pub tenant: String,
    /// Authority (Behörde) that owns it.
    pub authority: Authority,
    /// Organisational unit (Organisationseinheit) that owns it.
    pub unit: String,
    /// Public service (Leistung) it belongs to. Absent: seen only by those who see all services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_service: Option<String>,
    /// Topmost record of the tree it lies in; its own id if it is the topmost.
    pub root: Id,
    /// Counts the changes, from 1.
    pub version: u64,
    /// When it came into being here.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// Kinds of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RecordKind {
    /// Akte.
    CaseFile,
    /// Vorgang.
    Case,
    /// Dokument.
    Document,
    /// Austausch.
    Exchange,
    /// Aufgabe.
    Task,
    /// Kontakt.
    Interaction,
    /// Versand.
    Dispatch,
    /// Bescheid.
    Decision,
    /// Forderung.
    Claim,
    /// Zahlung.
    Payment,
}

impl RecordKind {
    /// Name as in the JSON form and in the store.
    pub fn name(self) -> &'static str {
        match self {
            RecordKind::CaseFile => "caseFile",
            RecordKind::Case => "case",
            RecordKind::Document => "document",
            RecordKind::Exchange => "exchange",
            RecordKind::Task => "task",
            RecordKind::Interaction => "interaction",
            RecordKind::Dispatch => "dispatch",
            RecordKind::Decision => "decision",
            RecordKind::Claim => "claim",
            RecordKind::Payment => "payment",
        }
    }
}

/// A record of any kind. Its JSON form is the record's own; the kind is known from beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Akte.
    CaseFile(CaseFile),
    /// Vorgang.
    Case(Case),
    /// Dokument.
    Document(Document),
    /// Austausch.
    Exchange(Exchange),
    /// Aufgabe.
    Task(Task),
    /// Kontakt.
    Interaction(Interaction),
    /// Versand.
    Dispatch(Dispatch),
    /// Bescheid.
    Decision(Decision),
    /// Forderung.
    Claim(Claim),
    /// Zahlung.
    Payment(Payment),
}

impl Record {
    /// Which kind it is.
    pub fn kind(&self) -> RecordKind {
        match self {
            Record::CaseFile(_) => RecordKind::CaseFile,
            Record::Case(_) => RecordKind::Case,
            Record::Document(_) => RecordKind::Document,
            Record::Exchange(_) => RecordKind::Exchange,
            Record::Task(_) => RecordKind::Task,
            Record::Interaction(_) => RecordKind::Interaction,
            Record::Dispatch(_) => RecordKind::Dispatch,
            Record::Decision(_) => RecordKind::Decision,
            Record::Claim(_) => RecordKind::Claim,
            Record::Payment(_) => RecordKind::Payment,
        }
    }

    /// Identity and ownership.
    pub fn meta(&self) -> &Meta {
        match self {
            Record::CaseFile(r) => &r.meta,
            Record::Case(r) => &r.meta,
            Record::Document(r) => &r.meta,
            Record::Exchange(r) => &r.meta,
            Record::Task(r) => &r.meta,
            Record::Interaction(r) => &r.meta,
            Record::Dispatch(r) => &r.meta,
            Record::Decision(r) => &r.meta,
            Record::Claim(r) => &r.meta,
            Record::Payment(r) => &r.meta,
        }
    }

    /// Identity and ownership, to be changed.
    pub fn meta_mut(&mut self) -> &mut Meta {
        match self {
            Record::CaseFile(r) => &mut r.meta,
            Record::Case(r) => &mut r.meta,
            Record::Document(r) => &mut r.meta,
            Record::Exchange(r) => &mut r.meta,
            Record::Task(r) => &mut r.meta,
            Record::Interaction(r) => &mut r.meta,
            Record::Dispatch(r) => &mut r.meta,
            Record::Decision(r) => &mut r.meta,
            Record::Claim(r) => &mut r.meta,
            Record::Payment(r) => &mut r.meta,
        }
    }

    /// Title, references and so on of case files, cases and documents.
    pub fn description(&self) -> Option<&Description> {
        match self {
            Record::CaseFile(r) => Some(&r.description),
            Record::Case(r) => Some(&r.description),
            Record::Document(r) => Some(&r.description),
            _ => None,
        }
    }

    /// The record that this one lies in or belongs to, for look-ups of children.
    pub fn parent(&self) -> Option<Id> {
        match self {
            Record::CaseFile(r) => r.parent,
            Record::Case(r) => r.parent.or(r.case_file),
            Record::Document(r) => r.parent,
            Record::Exchange(_) => None,
            Record::Task(r) => r.payment_id.or(r.case_id).or(r.message_id).or(r.exchange_id).or(r.task_id),
            Record::Interaction(r) => r.case_id,
            Record::Dispatch(r) => Some(r.case_id),
            Record::Decision(r) => Some(r.case_id),
            Record::Claim(r) => Some(r.case_id),
            Record::Payment(r) => Some(r.claim_id),
        }
    }

    /// A word for the state, for filters.
    pub fn status(&self) -> &'static str {
        match self {
            Record::CaseFile(r) => r.status.name(),
            Record::Case(r) => r.status.name(),
            Record::Document(r) => r.status.name(),
            Record::Task(r) => r.status.name(),
            Record::Claim(r) => r.status.name(),
            Record::Payment(r) => r.status.name(),
            Record::Interaction(r) => r.status.name(),
            Record::Dispatch(r) => r.status.name(),
            Record::Exchange(_) | Record::Decision(_) => "",
        }
    }

    /// Names by which the record is looked up besides its id, as kind and value: the references of
    /// case files, cases and documents; telephone numbers of their parties and of calls; the process of an exchange; the Kassenzeichen of claims and payments. The store indexes them.
    pub fn names(&self) -> Vec<(String, String)> {
        match self {
            Record::Exchange(exchange) => vec![exchange.name()],
            Record::Claim(claim) => cash_reference(claim.cash_reference.as_ref()),
            Record::Payment(payment) => cash_reference(payment.cash_reference.as_ref()),
            Record::Interaction(it) => {
                let Some(call) = &it.call else { return vec![] };
                let number = call.number.clone().map(|number| (CALL.to_owned(), number));
                let wanted = (call.state == CallState::Wanted).then(wanted_call);
                number.into_iter().chain(wanted).collect()
            }
            record => {
                let Some(description) = record.description() else { return vec![] };
                let references = description.references.iter().map(|r| (r.kind.clone(), r.value.clone()));
                // Of documents, which often name the same party and are newer, nobody who calls is looked for.
                let has_numbers = matches!(record, Record::CaseFile(_) | Record::Case(_));
                references.chain(has_numbers.then(|| numbers(description)).into_iter().flatten()).collect()
            }
        }
    }

    /// JSON form.
    pub fn to_json(&self) -> Value {
        let json = match self {
            Record::CaseFile(r) => serde_json::to_value(r),
            Record::Case(r) => serde_json::to_value(r),
            Record::Document(r) => serde_json::to_value(r),
            Record::Exchange(r) => serde_json::to_value(r),
            Record::Task(r) => serde_json::to_value(r),
            Record::Interaction(r) => serde_json::to_value(r),
            Record::Dispatch(r) => serde_json::to_value(r),
            Record::Decision(r) => serde_json::to_value(r),
            Record::Claim(r) => serde_json::to_value(r),
            Record::Payment(r) => serde_json::to_value(r),
        };
        json.unwrap_or(Value::Null)
    }

    /// Reads the JSON form of a record of `kind`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is not one.
    pub fn from_json(kind: RecordKind, json: Value) -> Result<Record, Error> {
        let record = match kind {
            RecordKind::CaseFile => serde_json::from_value(json).map(Record::CaseFile),
            RecordKind::Case => serde_json::from_value(json).map(Record::Case),
            RecordKind::Document => serde_json::from_value(json).map(Record::Document),
            RecordKind::Exchange => serde_json::from_value(json).map(Record::Exchange),
            RecordKind::Task => serde_json::from_value(json).map(Record::Task),
            RecordKind::Interaction => serde_json::from_value(json).map(Record::Interaction),
            RecordKind::Dispatch => serde_json::from_value(json).map(Record::Dispatch),
            RecordKind::Decision => serde_json::from_value(json).map(Record::Decision),
            RecordKind::Claim => serde_json::from_value(json).map(Record::Claim),
            RecordKind::Payment => serde_json::from_value(json).map(Record::Payment),
        };
        record.map_err(|_| Error::Invalid { field: "record" })
    }
}

/// Kind of the name that records of those who have a telephone are looked up by.
pub const PHONE: &str = "phone";

/// Kind of the name of a call: the number of the other side, by E.164. Not that of parties, so that whoever calls often is not in the way of
/// those who are looked up.
pub const CALL: &str = "call";

/// Name of the calls that somebody wants, until they are begun: so that whoever makes them finds each, however many contacts there are.
pub fn wanted_call() -> (String, String) {
    ("callState".to_owned(), "wanted".to_owned())
}

/// Telephone numbers of the parties, each once.
fn numbers(description: &Description) -> BTreeSet<(String, String)> {
    let contacts = description.parties.iter().flat_map(|party| &party.contacts);
    let phones = contacts.filter(|contact| matches!(contact.channel.as_str(), "phone" | "mobile"));
    let numbers = phones.filter_map(|contact| phone::e164(&contact.value, HOME, None));
    numbers.take(NUMBERS).map(|number| (PHONE.to_owned(), number)).collect()
}

/// Kind of the name that claims and payments are looked up by.
pub const CASH_REFERENCE: &str = "cashReference";

fn cash_reference(reference: Option<&String>) -> Vec<(String, String)> {
    reference.map(|reference| (CASH_REFERENCE.to_owned(), reference.clone())).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{a_case, a_meta, a_task, an_exchange};

    #[test]
    fn every_record_reads_its_own_json_form() {
        let at = Timestamp::from_micros(1);
        let id = a_meta().id;
        let records = [
            a_case("Neubau"),
            a_task("Stellungnahme"),
            Record::Exchange(an_exchange(id)),
            Record::CaseFile(CaseFile {
                meta: a_meta(),
                description: Description::default(),
                parent: Some(id),
                status: crate::case::RecordStatus::Received,
            }),
            Record::Document(Document {
                meta: a_meta(),
                description: Description::default(),
                parent: Some(id),
                kind: Some("Lageplan".into()),
                dates: crate::case::DocumentDates::default(),
                versions: vec![crate::case::Version { number: "1".into(), files: vec![] }],
                status: crate::case::RecordStatus::Open,
            }),
            Record::Interaction(Interaction {
                meta: a_meta(),
                case_id: None,
                kind: "call".into(),
                at,
                subject: None,
                from: Some("Erika Mustermann".into()),
                documents: vec![id],
                hints: vec![],
                proposals: vec![],
                concerns: vec!["post.unsure".into()],
                call: None,
                proof: serde_json::json!({ "batch": "1" }),
                status: crate::activity::InteractionStatus::Filed,
            }),
            Record::Dispatch(Dispatch {
                documents: vec![id],
                way: Some("print".into()),
                to: Some(crate::activity::Addressee::default()),
                ..Dispatch::new(a_meta(), id, crate::activity::DispatchKind::Disclosure)
            }),
            Record::Decision(Decision {
                meta: a_meta(),
                case_id: id,
                outcome: "granted".into(),
                document: None,
                at,
            }),
            Record::Claim(crate::testkit::a_claim(12_345)),
            Record::Payment(crate::testkit::a_payment(&crate::testkit::a_claim(12_345))),
        ];
        for record in records {
            let json = serde_json::from_str(&record.to_json().to_string()).unwrap();
            assert_eq!(Record::from_json(record.kind(), json), Ok(record));
        }
    }
}
