//! What comes back although it is much, copied, the same as before, or cannot be read.

use adapter_dms::cmis::{Binding, ChangeSource};
use conformance::simulate::cmis::types;
use model::FailureKind;
use model::adapter::Adapter;
use model::command::Change;
use serde_json::json;

use super::having;
use super::look::{document, happened, look, started, ways};
use crate::host::Memory;
use crate::support::told;

/// Titles of the documents that came from there.
fn taken(host: &Memory) -> Vec<String> {
    host.with(|books| {
        let changes = books.submitted.iter().map(|(_, command)| &command.change);
        let new = changes.filter_map(|change| match change {
            Change::Create(record) => record.description().map(|it| it.title.clone()),
            _ => None,
        });
        new.collect()
    })
}

#[tokio::test]
async fn of_many_documents_none_is_jumped_over() {
    for (binding, changes) in ways() {
        let (repository, dms, host, tree) = started(binding, changes).await;
        look(&dms, &host).await;
        let folder = host.links_of(tree.case.meta.id)[0].reference.clone();
        for number in 0..150 {
            let name = format!("Plan {number:03}.pdf");
            repository.put(&folder, types::CASE_DOCUMENT, &name, name.as_bytes()).unwrap();
        }
        look(&dms, &host).await;
        let mut titles = taken(&host);
        titles.sort();
        titles.dedup();
        assert_eq!(titles.len(), 150, "{binding:?} {changes:?}");
    }
}

#[tokio::test]
async fn many_documents_of_one_moment_are_all_looked_at() {
    let (repository, dms, host, tree) = started(Binding::Browser, ChangeSource::Query).await;
    look(&dms, &host).await;
    let folder = host.links_of(tree.case.meta.id)[0].reference.clone();
    let root = having(&repository, "cmis:path", "/Fachverfahren/Amtsbote")[0]["cmis:objectId"].clone();
    // Those in no case stay as they are and have to be passed.
    repository.put_many(root.as_str().unwrap(), types::CASE_DOCUMENT, 270);
    repository.put_many(&folder, types::CASE_DOCUMENT, 120);
    look(&dms, &host).await;
    assert_eq!(taken(&host).len(), 120);
}

#[tokio::test]
async fn a_copy_is_a_document_of_its_own() {
    for (binding, changes) in ways() {
        let (repository, dms, host, mut tree) = started(binding, changes).await;
        look(&dms, &host).await;
        let id = tree.document.meta.id;
        let there = host.links_of(id)[0].reference.clone();
        let folder = host.links_of(tree.case.meta.id)[0].reference.clone();
        let copy = repository.copy(&there, &folder, "Kopie.pdf").unwrap();
        look(&dms, &host).await;
        look(&dms, &host).await;
        assert_eq!(host.links_of(id)[0].reference, there, "{binding:?} {changes:?}");
        assert_eq!(taken(&host), ["Kopie.pdf"]);
        let copied = &having(&repository, "cmis:objectId", &copy)[0];
        assert_ne!(copied["amt:id"], json!(id.to_string()));

        // What comes later goes to the original.
        tree.add("2", "lageplan.pdf", b"zwei!");
        told(&dms, &host, &tree.of_document(&host, true), b"zwei!").await.unwrap();
        assert_eq!(having(&repository, "amt:id", &id.to_string()).len(), 2);
        let copied = &having(&repository, "cmis:objectId", &copy)[0];
        assert_eq!(copied["cmis:isLatestVersion"], true);
    }
}

#[tokio::test]
async fn a_copied_folder_is_told_and_what_lies_in_it_is_not_in_the_case() {
    for (binding, changes) in ways() {
        let (repository, dms, host, tree) = started(binding, changes).await;
        look(&dms, &host).await;
        let folder = host.links_of(tree.case.meta.id)[0].reference.clone();
        let above = host.links_of(tree.case_file.meta.id)[0].reference.clone();
        let there = host.links_of(tree.document.meta.id)[0].reference.clone();
        let copy = repository.copy(&folder, &above, "Kopie des Falls").unwrap();
        repository.copy(&there, &copy, "Lageplan.pdf").unwrap();
        look(&dms, &host).await;
        assert_eq!(happened(&host), ["folder"], "{binding:?} {changes:?}");
        assert!(taken(&host).is_empty());
        assert_eq!(host.links_of(tree.case.meta.id)[0].reference, folder);
    }
}

#[tokio::test]
async fn a_value_that_comes_back_to_an_earlier_one_is_taken_each_time() {
    for (binding, changes) in ways() {
        let (repository, dms, host, tree) = started(binding, changes).await;
        let id = tree.document.meta.id;
        let there = host.links_of(id)[0].reference.clone();
        let folder = host.links_of(tree.case.meta.id)[0].reference.clone();
        for (title, reference) in [("Nord", "1"), ("Süd", "2"), ("Nord", "1"), ("Süd", "2")] {
            assert!(repository.set(&there, "amt:titel", json!(title)));
            assert!(repository.set(&there, "amt:bemerkung", json!(title)));
            assert!(repository.set(&folder, "amt:aktenzeichen", json!(reference)));
            look(&dms, &host).await;
            assert_eq!(document(&host, id).description.title, title, "{binding:?} {changes:?}");
            let case = host.with(|books| books.records[&tree.case.meta.id].clone());
            assert_eq!(case.description().unwrap().record_reference.as_deref(), Some(reference));
        }
        assert_eq!(happened(&host), ["property-changed"; 4]);
    }
}

#[tokio::test]
async fn a_version_that_somebody_restored_is_a_version() {
    for (binding, changes) in ways() {
        let (repository, dms, host, mut tree) = started(binding, changes).await;
        tree.add("2", "lageplan.pdf", b"zwei!");
        told(&dms, &host, &tree.of_document(&host, true), b"zwei!").await.unwrap();
        look(&dms, &host).await;
        let id = tree.document.meta.id;
        let there = host.links_of(id)[0].reference.clone();
        repository.revise(&there, "lageplan.pdf", b"eins").unwrap();
        look(&dms, &host).await;
        look(&dms, &host).await;
        let known = document(&host, id);
        assert_eq!(known.versions.len(), 3, "{binding:?} {changes:?}");
        let sha256 = |at: usize| known.versions[at].files[0].content.as_ref().unwrap().sha256.clone();
        assert_eq!(sha256(2), sha256(0));
    }
}

#[tokio::test]
async fn what_is_being_delivered_does_not_come_back() {
    for (binding, changes) in ways() {
        let (_repository, dms, host, mut tree) = started(binding, changes).await;
        look(&dms, &host).await;
        tree.add("2", "lageplan.pdf", b"zwei!");
        let second = tree.of_document(&host, true);
        dms.deliver(&second, &[Box::new(b"zwei!".to_vec())]).await.unwrap();
        // Its end is not noted yet, and the third version waits.
        tree.add("3", "lageplan.pdf", b"drei");
        tree.of_document(&host, true);
        look(&dms, &host).await;
        host.with(|books| assert!(books.submitted.is_empty(), "{binding:?} {changes:?}"));
    }
}

#[tokio::test]
async fn an_object_that_may_not_be_read_keeps_no_other_waiting() {
    for (binding, changes) in ways() {
        let (repository, dms, host, tree) = started(binding, changes).await;
        look(&dms, &host).await;
        let there = host.links_of(tree.document.meta.id)[0].reference.clone();
        let folder = host.links_of(tree.case.meta.id)[0].reference.clone();
        assert!(repository.set(&there, "amt:titel", json!("geheim")));
        repository.refuse_to_read(&there, Some("permissionDenied"));
        let secret = repository.put(&folder, types::CASE_DOCUMENT, "Geheim.pdf", b"x").unwrap();
        repository.refuse_to_read(&secret, Some("permissionDenied"));
        repository.put(&folder, types::CASE_DOCUMENT, "Offen.pdf", b"offen").unwrap();
        look(&dms, &host).await;
        look(&dms, &host).await;
        assert_eq!(taken(&host), ["Offen.pdf"], "{binding:?} {changes:?}");
        let mut notes = happened(&host);
        notes.sort();
        assert_eq!(notes, ["not-taken", "version"], "{binding:?} {changes:?}");
    }
}

#[tokio::test]
async fn an_object_that_fails_again_and_again_is_given_up_after_a_while() {
    for (binding, changes) in ways() {
        let (repository, dms, host, tree) = started(binding, changes).await;
        look(&dms, &host).await;
        let folder = host.links_of(tree.case.meta.id)[0].reference.clone();
        let broken: Vec<String> = ["Kaputt.pdf", "Auch kaputt.pdf"]
            .map(|name| repository.put(&folder, types::CASE_DOCUMENT, name, b"x").unwrap())
            .into();
        for id in &broken {
            repository.refuse_to_read(id, Some("storage"));
        }
        repository.put(&folder, types::CASE_DOCUMENT, "Ganz.pdf", b"ganz").unwrap();
        let mut failures = 0;
        while let Err(failure) = dms.run(std::sync::Arc::new(host.clone())).await {
            assert_eq!((failure.kind, &*failure.code), (FailureKind::Transient, "dms.unavailable"));
            failures += 1;
            assert!(failures < 100, "{binding:?} {changes:?}");
        }
        assert_eq!(failures, 38, "{binding:?} {changes:?}: each is tried twenty times");
        assert_eq!(taken(&host), ["Ganz.pdf"]);
        // It is not tried any more, until it changes.
        look(&dms, &host).await;
    }
}

#[tokio::test]
async fn what_the_adapter_may_not_see_any_more_stops_no_session() {
    for binding in super::BINDINGS {
        let (repository, dms, host, tree) = started(binding, ChangeSource::Log).await;
        look(&dms, &host).await;
        let there = host.links_of(tree.document.meta.id)[0].reference.clone();
        host.with(|books| books.records.remove(&tree.document.meta.id));
        assert!(repository.delete(&there));
        look(&dms, &host).await;
        assert!(happened(&host).is_empty());
    }
}
