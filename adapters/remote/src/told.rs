//! What a program is told of a delivery: the facts that are signed, and for records a short form of them. It never holds who
//! takes part in a case, no note, no address: programs outside are told what they need to put bytes into their place.

use model::Record;
use model::adapter::{About, AboutFile, Delivery};
use seal::sha256;
use serde_json::{Map, Value, json};

/// Members of a record's JSON form that are told as they are.
const TOLD: &[&str] = &[
    "id",
    "title",
    "recordReference",
    "references",
    "status",
    "unit",
    "publicService",
    "version",
    "createdAt",
    "updatedAt",
    "caseId",
    "due",
    "way",
];

/// What is signed of a delivery; `about` are the bytes that its body begins with.
pub(crate) fn facts(delivery: &Delivery, about: Option<&[u8]>) -> Value {
    let record = delivery.record.map(|(kind, id)| json!({ "kind": kind, "id": id }));
    let mut facts = json!({
        "id": delivery.id,
        "tenant": delivery.tenant,
        "kind": delivery.kind,
        "record": record,
        "detail": delivery.detail,
    });
    if let Some(about) = about {
        facts["about"] = json!({ "size": about.len(), "sha256": sha256(&[about]) });
    }
    facts
}

/// The first bytes of the body of a delivery about a record.
pub(crate) fn about(about: &About) -> Vec<u8> {
    let above: Vec<Value> = about.above.iter().map(short).collect();
    let files: Vec<Value> = about.files.iter().map(file).collect();
    json!({ "record": short(&about.record), "above": above, "links": about.links, "files": files })
        .to_string()
        .into_bytes()
}

/// Bytes of the files of a delivery.
pub(crate) fn size(about: &About) -> u64 {
    about.files.iter().filter_map(|file| file.file.content.as_ref()).map(|content| content.size).sum()
}

fn short(record: &Record) -> Value {
    let mut all = record.to_json();
    let mut told = Map::from_iter([("kind".to_owned(), json!(record.kind()))]);
    if let Some(kind) = all.get_mut("kind").map(Value::take) {
        told.insert("type".to_owned(), kind);
    }
    for name in TOLD {
        if let Some(value) = all.get_mut(*name).map(Value::take).filter(|value| !value.is_null()) {
            told.insert((*name).to_owned(), value);
        }
    }
    Value::Object(told)
}

fn file(about: &AboutFile) -> Value {
    let content = about.file.content.as_ref();
    json!({
        "document": about.document,
        "version": about.version,
        "name": about.file.name,
        "mediaType": about.file.media_type,
        "size": content.map(|content| content.size),
        "sha256": content.map(|content| &content.sha256),
    })
}

#[cfg(test)]
mod tests {
    use model::testkit::a_case;

    use super::*;

    #[test]
    fn nobody_who_takes_part_is_told() {
        let Record::Case(mut case) = a_case("Bauantrag") else { panic!("a case") };
        case.description.note = Some("geheim".to_owned());
        let mut all = Record::Case(case).to_json();
        all["parties"] = json!([{ "role": "applicant", "mailbox": "geheim" }]);
        let told = short(&Record::from_json(model::RecordKind::Case, all).unwrap());
        assert_eq!((&told["kind"], &told["title"]), (&json!("case"), &json!("Bauantrag")));
        assert!(!told.to_string().contains("geheim"), "{told}");
    }
}
