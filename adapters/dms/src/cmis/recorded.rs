//! What a real server (Apache OpenCMIS) answered is understood, errors included.

use std::path::PathBuf;

use net::Answer;
use serde_json::Value;

use super::http::Exception;
use super::{browser, entry};

/// Name, status and body of each recorded answer.
fn answers(folder: &str) -> Vec<(String, Answer)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/cmis").join(folder);
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("SKIPPED: ../shared is absent");
        return vec![];
    };
    let one = |path: PathBuf| {
        let text = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&text).replace("\r\n", "\n");
        let (_, response) = text.split_once("\n==== RESPONSE ====\n").unwrap();
        let (head, body) = response.split_once("\n\n").unwrap_or((response, ""));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, Answer { status, headers: Default::default(), body: body.trim().as_bytes().to_vec() })
    };
    files.map(|file| one(file.unwrap().path())).collect()
}

#[test]
fn every_exception_of_the_browser_binding_is_known() {
    for (name, answer) in answers("wire-browser") {
        let expected = match &name[..2] {
            "07" => Some(Exception::NameConstraintViolation),
            "17" | "29" => Some(Exception::UpdateConflict),
            "25" | "32" | "43" => Some(Exception::InvalidArgument),
            "44" => Some(Exception::NotSupported),
            "46" => Some(Exception::ObjectNotFound),
            "50" => Some(Exception::Constraint),
            _ => None,
        };
        assert_eq!(browser::exception(&answer), expected, "{name}");
    }
}

#[test]
fn every_object_of_the_browser_binding_is_read() {
    let objects = ["05", "08", "10", "16", "20", "23", "26", "28", "37", "38", "40"];
    for (name, answer) in answers("wire-browser") {
        let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if objects.contains(&&name[..2]) {
            let it = browser::object(&told).unwrap();
            assert!(it.one("cmis:changeToken").is_some() && it.one("cmis:name").is_some(), "{name}");
        }
        match &name[..2] {
            "11" => assert_eq!(
                browser::object(&told["objects"][0]["object"]).map(|it| it.id().to_owned()).ok(),
                Some("138".into())
            ),
            "19" => {
                let latest = browser::object(&told[0]).unwrap();
                assert_eq!(latest.one("cmis:checkinComment"), Some("Zweite Fassung"));
                assert!(latest.is("cmis:isLatestVersion"));
            }
            "31" => {
                let it = browser::object(&told["results"][0]).unwrap();
                assert_eq!((it.id(), it.one("cmis:path")), ("136", Some("/Akte 2026-0815")), "not succinct");
            }
            _ => {}
        }
    }
}

#[test]
fn every_answer_of_atompub_is_read() {
    for (name, answer) in answers("wire-atompub") {
        let expected = match &name[..2] {
            "08" => Some(Exception::UpdateConflict),
            "19" => Some(Exception::NameConstraintViolation),
            _ => None,
        };
        assert_eq!(entry::exception(&answer), expected, "{name}");
        if expected.is_some() || !answer.body.starts_with(b"<?xml") {
            continue;
        }
        let it = entry::tree(&answer).unwrap();
        match &name[..2] {
            "01" => {
                let all = entry::workspaces(&it);
                assert_eq!(all[0].repository.id, "A1");
                assert_eq!(all[0].repository.can("capabilityChanges"), "objectidsonly");
                assert!(all[0].templates["objectbyid"].contains("{id}") && all[0].changes.is_some());
                assert!(
                    all[0].collections.contains_key("checkedout") && all[0].collections.contains_key("query")
                );
            }
            "02" | "04" | "05" | "10" => {
                let properties = entry::properties(&it).unwrap();
                assert!(properties.one("cmis:changeToken").is_some(), "{name}");
                assert!(it.link("self", "").is_some());
            }
            "13" => {
                let versions: Vec<_> = it.entries().map(|it| entry::properties(it).unwrap()).collect();
                assert_eq!(versions[0].one("cmis:checkinComment"), Some("fertig"));
            }
            "16" => {
                assert_eq!(entry::log_token(&it).as_deref(), Some("token-1"));
                let changes: Vec<_> = it.entries().map(|it| entry::log_entry(it).unwrap()).collect();
                assert_eq!(
                    (changes.len(), changes[0].object.as_str(), changes[0].change.as_str()),
                    (2, "cl-0", "deleted")
                );
            }
            "17" => {
                let kind = entry::type_definition(&it).unwrap();
                assert_eq!((kind.base.as_str(), kind.query_name.as_str()), ("cmis:folder", "cmis:folder"));
                assert!(kind.properties["cmis:name"].queryable);
            }
            _ => {}
        }
    }
}
