//! The number by which a citizen knows a case: the gateway gives it, and nobody gives another or takes it away.

use crate::case::{Description, Reference};
use crate::citizen::NUMBER;
use crate::record::Record;
use crate::{Error, EventKind};

/// The case gets its number, unless it has one.
pub(super) fn numbered(mut record: Record, number: &str) -> Result<(Record, EventKind), Error> {
    let Record::Case(case) = &mut record else { return Err(Error::Invalid { field: "references" }) };
    if case.description.reference(NUMBER).is_some() {
        return Err(Error::Exists);
    }
    case.description.references.push(Reference { kind: NUMBER.to_owned(), value: number.to_owned() });
    Ok((record, EventKind::RecordChanged))
}

/// Whoever amends references may leave the number out without taking it away; to name another one is refused.
pub(super) fn keep_number(before: &Record, after: &mut Record) -> Result<(), Error> {
    let had: Vec<Reference> = before.description().map(numbers).unwrap_or_default();
    let Some(description) = description_of(after) else { return Ok(()) };
    let named = numbers(description);
    if !named.is_empty() && named != had {
        return Err(Error::Invalid { field: "references" });
    }
    if named.is_empty() {
        description.references.extend(had);
    }
    Ok(())
}

fn numbers(description: &Description) -> Vec<Reference> {
    description.references.iter().filter(|it| it.kind == NUMBER).cloned().collect()
}

fn description_of(record: &mut Record) -> Option<&mut Description> {
    match record {
        Record::CaseFile(file) => Some(&mut file.description),
        Record::Case(case) => Some(&mut case.description),
        Record::Document(document) => Some(&mut document.description),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::command::{Change, Command, Rules, decide};
    use crate::testkit::a_case;
    use crate::{RecordKind, Timestamp};

    fn run(record: &Record, change: Change) -> Result<Record, Error> {
        let (kind, id) = (RecordKind::Case, record.meta().id);
        let command = Command { kind, id, expected: None, change };
        decide(Some(record), &command, Rules::default(), Timestamp::from_micros(1))
            .map(|decided| decided.record)
    }

    fn amend(record: &Record, references: Value) -> Result<Record, Error> {
        run(record, Change::Amend(json!({ "references": references })))
    }

    fn number(record: &Record) -> Option<&str> {
        record.description().unwrap().reference(NUMBER)
    }

    #[test]
    fn nobody_takes_the_number_from_a_case_or_gives_it_another() {
        let case = a_case("Carport");
        let ours = json!({ "kind": "citizen", "value": "12345678903" });
        let other = json!({ "kind": "citizen", "value": "12345678902" });
        let own = json!({ "kind": "dms", "value": "7" });
        let refused = Err(Error::Invalid { field: "references" });
        assert_eq!(amend(&case, json!([ours])), refused, "it has none, and nobody gives one by an amendment");
        let case = run(&case, Change::CitizenNumber("12345678903".into())).unwrap();
        assert_eq!(run(&case, Change::CitizenNumber("12345678902".into())), Err(Error::Exists));
        for references in [json!([own]), json!([]), Value::Null, json!([ours, own])] {
            let after = amend(&case, references.clone());
            assert_eq!(after.as_ref().map(number), Ok(Some("12345678903")), "{references}");
        }
        for references in [json!([other]), json!([ours, other]), json!([ours, ours])] {
            assert_eq!(amend(&case, references.clone()), refused, "{references}");
        }
        assert_eq!(number(&run(&case, Change::Amend(json!({ "title": "x" }))).unwrap()), Some("12345678903"));
    }
}
