//! What the repository is told.

use model::adapter::Adapter;
use model::command::Change;
use model::testkit::adapter_contract;
use serde_json::json;

use super::{BINDINGS, having, started};
use crate::host::Memory;
use crate::support::{Tree, told};

#[tokio::test]
async fn it_keeps_the_contract_with_both_bindings() {
    for binding in BINDINGS {
        let (_repository, dms) = started(binding).await;
        let host = Memory::default();
        let mut tree = Tree::new();
        tree.add("1", "lageplan.pdf", b"%PDF-1.7 eins");
        adapter_contract(dms.clone(), tree.of_case(&host), &[]).await;
        adapter_contract(dms, tree.of_document(&host, true), &[b"%PDF-1.7 eins".to_vec()]).await;
    }
}

#[tokio::test]
async fn a_document_comes_into_its_case_in_its_case_file_in_the_file_plan() {
    for binding in BINDINGS {
        let (repository, dms) = started(binding).await;
        let host = Memory::default();
        let mut tree = Tree::new();
        tree.add("1", "lageplan.pdf", b"%PDF-1.7 eins");
        let receipt = told(&dms, &host, &tree.of_document(&host, true), b"%PDF-1.7 eins").await.unwrap();
        assert_eq!(receipt.links.len(), 3, "case file, case, document");

        let case = &having(&repository, "amt:id", &tree.case.meta.id.to_string())[0];
        assert_eq!(
            case["cmis:path"],
            "/Fachverfahren/Amtsbote/63.1 Bauanträge/Neubau Hauptstraße 7/Bauantrag 'Müller'"
        );
        assert_eq!(case["amt:titel"], "Bauantrag 'Müller'");
        let document = &having(&repository, "amt:id", &tree.document.meta.id.to_string())[0];
        assert_eq!(document["cmis:name"], "Lageplan.pdf");
        assert_eq!(document["cmis:contentStreamLength"], 13);
        assert_eq!(document["cmis:contentStreamMimeType"], "application/pdf");
        assert_eq!(document["amt:eingang"], 1_795_910_400_000_i64, "2026-11-29, in UTC");
    }
}

#[tokio::test]
async fn a_new_version_is_checked_out_and_in_and_properties_follow_the_record() {
    for binding in BINDINGS {
        let (repository, dms) = started(binding).await;
        let host = Memory::default();
        let mut tree = Tree::new();
        tree.add("1", "lageplan.pdf", b"eins");
        told(&dms, &host, &tree.of_document(&host, true), b"eins").await.unwrap();
        tree.add("2", "lageplan.pdf", b"zwei!");
        tree.document.description.title = "Lageplan, berichtigt".into();
        let receipt = told(&dms, &host, &tree.of_document(&host, true), b"zwei!").await.unwrap();
        assert_eq!(receipt.data, json!({ "version": "2.0" }));

        let versions = having(&repository, "amt:id", &tree.document.meta.id.to_string());
        assert_eq!(versions.len(), 2);
        let latest = versions.iter().find(|it| it["cmis:isLatestVersion"] == true).unwrap();
        assert_eq!(latest["cmis:contentStreamLength"], 5);
        assert_eq!(latest["amt:titel"], "Lageplan, berichtigt");
        assert_eq!(latest["cmis:isVersionSeriesCheckedOut"], false);

        tree.document.dates.received = None;
        told(&dms, &host, &tree.of_document(&host, false), b"").await.unwrap();
        let latest = having(&repository, "cmis:versionLabel", "2.0");
        assert_eq!(latest[0]["amt:eingang"], json!(null), "what is cleared here is cleared there");
    }
}

#[tokio::test]
async fn a_name_that_somebody_else_has_is_left_to_them() {
    for binding in BINDINGS {
        let (repository, dms) = started(binding).await;
        let host = Memory::default();
        let mut tree = Tree::new();
        told(&dms, &host, &tree.of_case(&host), b"").await.unwrap();
        let folder = host.links_of(tree.case.meta.id)[0].reference.clone();
        repository.put(&folder, "cmis:document", "Lageplan.pdf", b"von jemand").unwrap();
        tree.add("1", "lageplan.pdf", b"eins");
        told(&dms, &host, &tree.of_document(&host, true), b"eins").await.unwrap();

        let ours = &having(&repository, "amt:id", &tree.document.meta.id.to_string())[0];
        let name = ours["cmis:name"].as_str().unwrap();
        assert!(name.starts_with("Lageplan (") && name.ends_with(").pdf"), "{name}");
        assert_eq!(having(&repository, "cmis:name", "Lageplan.pdf")[0]["cmis:contentStreamLength"], 10);
    }
}

#[tokio::test]
async fn the_aktenzeichen_of_the_repository_is_assigned_to_the_record() {
    let (repository, dms) = started(BINDINGS[0]).await;
    let host = Memory::default();
    let tree = Tree::new();
    told(&dms, &host, &tree.of_case(&host), b"").await.unwrap();
    let folder = host.links_of(tree.case.meta.id)[0].reference.clone();
    assert!(repository.set(&folder, "amt:aktenzeichen", json!("63.1-0815/26")));
    let receipt = told(&dms, &host, &tree.of_case(&host), b"").await.unwrap();
    assert_eq!(receipt.commands.len(), 1);
    assert_eq!(receipt.commands[0].id, tree.case.meta.id);
    assert_eq!(receipt.commands[0].change, Change::AssignReference("63.1-0815/26".into()));
}

#[tokio::test]
async fn the_check_tells_what_the_repository_is_and_what_it_lacks() {
    for binding in BINDINGS {
        let (repository, dms) = started(binding).await;
        let health = dms.check().await;
        assert!(health.ok, "{}", health.detail);
        assert!(health.detail.contains("CMIS 1.1, repository A1"), "{}", health.detail);
        let without = super::Settings {
            document_type: "cmis:document".into(),
            ..super::settings(&repository, binding)
        };
        let health = crate::support::dms(super::port(without)).check().await;
        assert!(!health.ok && health.detail.contains("dms.setup"), "{}", health.detail);
    }
}

#[tokio::test]
async fn an_older_version_is_never_put_on_top_of_a_newer_one() {
    for binding in BINDINGS {
        let (repository, dms) = started(binding).await;
        let host = Memory::default();
        let mut tree = Tree::new();
        for (number, bytes) in [("1", b"eins!"), ("2", b"zwei."), ("3", b"drei?")] {
            tree.add(number, "lageplan.pdf", bytes);
        }
        // The first waits for a human; then the second made the document, and the third a version of it.
        for at in [1, 2] {
            let bytes: &[u8] = if at == 1 { b"zwei." } else { b"drei?" };
            told(&dms, &host, &tree.of_version(&host, at), bytes).await.unwrap();
            // Of equal size, so that nothing but the mark tells them apart.
            let late = told(&dms, &host, &tree.of_version(&host, 0), b"eins!").await.unwrap_err();
            assert_eq!((late.kind, &*late.code), (model::FailureKind::Permanent, "dms.newer-version"));
            assert_eq!(having(&repository, "amt:id", &tree.document.meta.id.to_string()).len(), at);
        }
        // What is there already is no older version.
        told(&dms, &host, &tree.of_version(&host, 2), b"drei?").await.unwrap();
    }
}
