//! What comes back from the repository.

use std::sync::Arc;

use adapter_dms::cmis::{Binding, ChangeSource};
use adapter_dms::dms::Dms;
use conformance::simulate::cmis::{Repository, types};
use model::adapter::Adapter;
use model::command::Change;
use model::{Id, Record};
use serde_json::json;

use super::{BINDINGS, port, settings};
use crate::host::Memory;
use crate::support::{Tree, dms, told};

pub(super) async fn started(binding: Binding, changes: ChangeSource) -> (Repository, Arc<Dms>, Memory, Tree) {
    let repository = Repository::start().await.unwrap();
    let dms = dms(port(super::Settings { changes, ..settings(&repository, binding) }));
    let host = Memory::default();
    dms.run(Arc::new(host.clone())).await.unwrap();
    let mut tree = Tree::new();
    tree.add("1", "lageplan.pdf", b"eins");
    told(&dms, &host, &tree.of_document(&host, true), b"eins").await.unwrap();
    (repository, dms, host, tree)
}

pub(super) async fn look(dms: &Dms, host: &Memory) {
    dms.run(Arc::new(host.clone())).await.unwrap();
}

pub(super) fn happened(host: &Memory) -> Vec<String> {
    host.with(|books| {
        books.notes.iter().map(|(_, note)| note["happened"].as_str().unwrap().to_owned()).collect()
    })
}

pub(super) fn ways() -> Vec<(Binding, ChangeSource)> {
    let sources = [ChangeSource::Log, ChangeSource::Query];
    BINDINGS.into_iter().flat_map(|binding| sources.map(|changes| (binding, changes))).collect()
}

pub(super) fn document(host: &Memory, id: Id) -> model::case::Document {
    host.with(|books| match &books.records[&id] {
        Record::Document(document) => document.clone(),
        _ => unreachable!(),
    })
}

#[tokio::test]
async fn what_we_did_ourselves_does_not_come_back() {
    for (binding, changes) in ways() {
        let (_repository, dms, host, mut tree) = started(binding, changes).await;
        look(&dms, &host).await;
        tree.add("2", "lageplan.pdf", b"zwei");
        told(&dms, &host, &tree.of_document(&host, true), b"zwei").await.unwrap();
        look(&dms, &host).await;
        host.with(|books| assert!(books.submitted.is_empty() && books.notes.is_empty(), "{:?}", books.notes));
    }
}

#[tokio::test]
async fn a_version_that_somebody_made_is_taken_in_once() {
    for (binding, changes) in ways() {
        let (repository, dms, host, mut tree) = started(binding, changes).await;
        let id = tree.document.meta.id;
        let there = host.links_of(id)[0].reference.clone();
        repository.revise(&there, "neu.pdf", b"von dort").unwrap();
        look(&dms, &host).await;
        look(&dms, &host).await;
        let known = document(&host, id);
        assert_eq!(known.versions.len(), 2, "{binding:?} {changes:?}");
        let file = &known.versions[1].files[0];
        assert_eq!((known.versions[1].number.as_str(), file.name.as_str()), ("2.0", "neu.pdf"));
        host.with(|books| assert_eq!(books.kept[&file.content.as_ref().unwrap().id], b"von dort"));

        // What was taken in is no conflict any more.
        tree.document = known;
        tree.add("3", "lageplan.pdf", b"drei");
        told(&dms, &host, &tree.of_document(&host, true), b"drei").await.unwrap();
    }
}

#[tokio::test]
async fn a_document_that_somebody_put_into_a_case_is_taken_in_once_over_any_kill() {
    for (binding, changes) in ways() {
        for calls in 0..7 {
            let (repository, dms, host, tree) = started(binding, changes).await;
            look(&dms, &host).await;
            let folder = host.links_of(tree.case.meta.id)[0].reference.clone();
            repository.put(&folder, types::CASE_DOCUMENT, "Stellungnahme.pdf", b"von dort").unwrap();
            host.with(|books| books.calls_left = Some(calls));
            _ = dms.run(Arc::new(host.clone())).await;
            host.with(|books| books.calls_left = None);
            look(&dms, &host).await;
            look(&dms, &host).await;

            let new: Vec<_> = host.with(|books| {
                let new = books.submitted.iter().filter(|(_, it)| matches!(it.change, Change::Create(_)));
                new.map(|(_, command)| command.id).collect()
            });
            assert_eq!(new.len(), 1, "{binding:?} {changes:?} {calls}");
            let known = document(&host, new[0]);
            assert_eq!(known.description.title, "Stellungnahme.pdf");
            assert_eq!(known.parent, Some(tree.case.meta.id));
            assert_eq!(known.meta.root, tree.case.meta.root);
            assert_eq!(known.versions.len(), 1, "{binding:?} {changes:?} {calls}");
            assert_eq!(host.links_of(new[0]).len(), 1);
        }
    }
}

#[tokio::test]
async fn properties_come_back_or_are_told() {
    for (binding, changes) in ways() {
        let (repository, dms, host, tree) = started(binding, changes).await;
        let id = tree.document.meta.id;
        let there = host.links_of(id)[0].reference.clone();
        let folder = host.links_of(tree.case.meta.id)[0].reference.clone();
        assert!(repository.set(&there, "amt:titel", json!("Lageplan Nord")));
        assert!(repository.set(&there, "amt:bemerkung", json!("geprüft")));
        assert!(repository.set(&folder, "amt:aktenzeichen", json!("63.1-0815/26")));
        look(&dms, &host).await;
        look(&dms, &host).await;
        assert_eq!(document(&host, id).description.title, "Lageplan Nord");
        assert_eq!(happened(&host), ["property-changed"], "{binding:?} {changes:?}");
        let reference = host
            .with(|books| books.records[&tree.case.meta.id].description().unwrap().record_reference.clone());
        assert_eq!(reference.as_deref(), Some("63.1-0815/26"));
    }
}

#[tokio::test]
async fn what_both_sides_changed_is_told_and_stays_a_conflict() {
    for (binding, changes) in ways() {
        let (repository, dms, host, mut tree) = started(binding, changes).await;
        let there = host.links_of(tree.document.meta.id)[0].reference.clone();
        assert!(repository.set(&there, "amt:titel", json!("von dort")));
        tree.document.description.title = "von hier".into();
        let delivery = tree.of_document(&host, false);
        look(&dms, &host).await;
        assert_eq!(happened(&host), ["conflict"]);
        let failure = told(&dms, &host, &delivery, b"").await.unwrap_err();
        assert_eq!(&*failure.code, "dms.conflict");
    }
}

#[tokio::test]
async fn the_change_log_tells_what_was_deleted() {
    for binding in BINDINGS {
        let (repository, dms, host, tree) = started(binding, ChangeSource::Auto).await;
        look(&dms, &host).await;
        assert!(repository.delete(&host.links_of(tree.document.meta.id)[0].reference));
        look(&dms, &host).await;
        assert_eq!(happened(&host), ["deleted"]);
    }
}
