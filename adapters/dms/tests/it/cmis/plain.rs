//! AtomPub with nothing but what the standard has: statuses that name no exception, a change log without an extension.

use adapter_dms::cmis::{Binding, ChangeSource};
use conformance::simulate::cmis::{Repository, types};
use model::FailureKind::{Permanent, Transient, Unauthorised};
use model::adapter::Adapter;
use std::sync::Arc;

use super::look::{happened, look};
use super::{having, port, settings};
use crate::host::Memory;
use crate::support::{Tree, dms, told};

#[tokio::test]
async fn what_a_status_means_is_known_without_a_word() {
    let repository = Repository::start().await.unwrap();
    repository.plain();
    let dms = dms(port(settings(&repository, Binding::AtomPub)));
    let host = Memory::default();
    let mut tree = Tree::new();
    told(&dms, &host, &tree.of_case(&host), b"").await.unwrap();
    let folder = host.links_of(tree.case.meta.id)[0].reference.clone();
    repository.put(&folder, "cmis:document", "Lageplan.pdf", b"von jemand").unwrap();
    tree.add("1", "lageplan.pdf", b"eins");
    told(&dms, &host, &tree.of_document(&host, true), b"eins").await.unwrap();
    let ours = &having(&repository, "amt:id", &tree.document.meta.id.to_string())[0];
    assert!(ours["cmis:name"].as_str().unwrap().starts_with("Lageplan ("), "409: the name is taken");

    let there = host.links_of(tree.document.meta.id)[0].reference.clone();
    tree.add("2", "lageplan.pdf", b"zwei");
    repository.check_out(&there).unwrap();
    let failure = told(&dms, &host, &tree.of_document(&host, true), b"zwei").await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (Transient, "dms.checked-out"));
    repository.refuse_to_read(&there, Some("permissionDenied"));
    let failure = told(&dms, &host, &tree.of_document(&host, true), b"zwei").await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (Unauthorised, "dms.unauthorised"));
    repository.refuse_to_read(&there, None);
    assert!(repository.delete(&there));
    let failure = told(&dms, &host, &tree.of_document(&host, true), b"zwei").await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (Permanent, "dms.gone"));
}

#[tokio::test]
async fn a_change_log_whose_token_stands_in_links_and_the_service_document_is_read_to_its_end() {
    let repository = Repository::start().await.unwrap();
    repository.plain();
    let settings = super::Settings { changes: ChangeSource::Log, ..settings(&repository, Binding::AtomPub) };
    let dms = dms(port(settings));
    let host = Memory::default();
    let mut tree = Tree::new();
    dms.run(Arc::new(host.clone())).await.unwrap();
    tree.add("1", "lageplan.pdf", b"eins");
    told(&dms, &host, &tree.of_document(&host, true), b"eins").await.unwrap();
    let folder = host.links_of(tree.case.meta.id)[0].reference.clone();
    for number in 0..120 {
        repository.put(&folder, types::CASE_DOCUMENT, &format!("{number}.pdf"), b"x").unwrap();
    }
    look(&dms, &host).await;
    host.with(|books| assert_eq!(books.links.len(), 3 + 120));
    assert!(repository.delete(&host.links_of(tree.document.meta.id)[0].reference));
    look(&dms, &host).await;
    assert_eq!(happened(&host).last().map(String::as_str), Some("deleted"));
    let cursor = host.with(|books| books.state["changes"].clone());
    look(&dms, &host).await;
    host.with(|books| assert_eq!(books.state["changes"], cursor, "it is at its end"));
}
