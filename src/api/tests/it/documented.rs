//! The OpenAPI document says exactly what the router does.

use std::collections::BTreeSet;
use std::path::Path;

use api::Settings;
use serde_json::Value;

fn document() -> Value {
    api::document(&Settings::default())
}

#[test]
fn the_document_lists_exactly_the_routes() {
    let document = document();
    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let routed: BTreeSet<(String, String)> =
        api::routes().iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    assert_eq!(documented, routed);
    assert!(routed.len() > 50, "{}", routed.len());
}

#[test]
fn every_reference_leads_to_something() {
    let document = document();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.contains("#/components/schemas/Case"), "{references:?}");
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                references.insert(reference.clone());
            }
            members.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[test]
fn extensions_cannot_be_written_from_outside() {
    let document = document();
    for name in ["NewCaseFile", "NewCase", "NewDocument"] {
        let properties = &document["components"]["schemas"][name]["properties"];
        assert!(
            properties["title"].is_object() && properties["extensions"].is_null(),
            "{name}: {properties}"
        );
    }
}

/// `lint.sh` checks this file against the Dutch API Design Rules.
#[test]
fn the_document_is_written_for_the_linter() {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    std::fs::create_dir_all(&target).unwrap();
    let text = serde_json::to_string_pretty(&document()).unwrap();
    std::fs::write(target.join("openapi.json"), text).unwrap();
}
