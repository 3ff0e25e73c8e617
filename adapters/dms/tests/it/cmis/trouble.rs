//! Repositories that fail in the middle, or that somebody else works with at the same time.

use conformance::simulate::cmis::Fault;
use model::FailureKind::{Permanent, Transient, Unauthorised};
use model::adapter::Adapter;
use serde_json::json;

use super::{BINDINGS, having, started};
use crate::host::Memory;
use crate::support::{Tree, told};

fn with_file() -> (Memory, Tree) {
    let mut tree = Tree::new();
    tree.add("1", "lageplan.pdf", b"eins");
    (Memory::default(), tree)
}

#[tokio::test]
async fn a_lost_answer_to_a_creation_leads_to_one_document() {
    for binding in BINDINGS {
        for action in ["createdocument", "createfolder"] {
            let (repository, dms) = started(binding).await;
            let (host, tree) = with_file();
            repository.fault(Fault::Cut, Some(action), 1);
            let delivery = tree.of_document(&host, true);
            let lost = told(&dms, &host, &delivery, b"eins").await.unwrap_err();
            assert_eq!(lost.kind, Transient, "whoever tries again looks first");
            if action == "createdocument" {
                assert!(dms.reconcile(&delivery).await.unwrap().is_some(), "it is found");
            } else {
                assert!(dms.reconcile(&delivery).await.unwrap().is_none(), "it is not whole");
            }
            told(&dms, &host, &delivery, b"eins").await.unwrap();
            assert_eq!(having(&repository, "amt:id", &tree.document.meta.id.to_string()).len(), 1);
            assert_eq!(having(&repository, "amt:id", &tree.case.meta.id.to_string()).len(), 1);
        }
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_check_in_or_check_out_leads_to_one_version() {
    for binding in BINDINGS {
        for action in ["checkin", "checkout"] {
            let (repository, dms) = started(binding).await;
            let (host, mut tree) = with_file();
            told(&dms, &host, &tree.of_document(&host, true), b"eins").await.unwrap();
            tree.add("2", "lageplan.pdf", b"zwei");
            repository.fault(Fault::Cut, Some(action), 1);
            let delivery = tree.of_document(&host, true);
            assert_eq!(told(&dms, &host, &delivery, b"zwei").await.unwrap_err().kind, Transient);
            told(&dms, &host, &delivery, b"zwei").await.unwrap();
            let versions = having(&repository, "amt:id", &tree.document.meta.id.to_string());
            assert_eq!(versions.len(), 2, "{action}");
            assert!(versions.iter().all(|it| it["cmis:isPrivateWorkingCopy"] == false), "{action}");
        }
    }
}

#[tokio::test]
async fn failures_have_their_kinds() {
    for binding in BINDINGS {
        let (repository, dms) = started(binding).await;
        let (host, tree) = with_file();
        let delivery = tree.of_document(&host, true);
        for (fault, kind, code) in [
            (Fault::Html, Transient, "dms.not-understood"),
            (Fault::Cut, Transient, "dms.unreachable"),
            (Fault::Hang, Transient, "dms.unreachable"),
            (Fault::Slow, Transient, "dms.unreachable"),
            (Fault::Unavailable, Transient, "dms.unavailable"),
        ] {
            repository.fault(fault, None, 1);
            let failure = told(&dms, &host, &delivery, b"eins").await.unwrap_err();
            assert_eq!((failure.kind, &*failure.code), (kind, code), "{fault:?}");
            if fault == Fault::Unavailable {
                assert_eq!(failure.retry_after.map(|it| it.as_secs()), Some(7));
            }
        }
        told(&dms, &host, &delivery, b"eins").await.unwrap();

        let mut wrong = super::settings(&repository, binding);
        wrong.password = "falsch".to_owned().into();
        let failure =
            told(&crate::support::dms(super::port(wrong)), &host, &delivery, b"eins").await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (Unauthorised, "dms.unauthorised"));
    }
}

#[tokio::test]
async fn what_both_sides_changed_is_a_conflict_and_nothing_is_overwritten() {
    for binding in BINDINGS {
        let (repository, dms) = started(binding).await;
        let (host, mut tree) = with_file();
        told(&dms, &host, &tree.of_document(&host, true), b"eins").await.unwrap();
        let id = host.links_of(tree.document.meta.id)[0].reference.clone();

        repository.set(&id, "amt:bemerkung", json!("von dort"));
        tree.document.description.title = "Plan".into();
        told(&dms, &host, &tree.of_document(&host, false), b"").await.unwrap();
        let now = &having(&repository, "cmis:objectId", &id)[0];
        assert_eq!(
            (&now["amt:bemerkung"], &now["amt:titel"]),
            (&json!("von dort"), &json!("Plan")),
            "another property"
        );

        repository.set(&id, "amt:titel", json!("Titel von dort"));
        tree.document.description.title = "Titel von hier".into();
        let failure = told(&dms, &host, &tree.of_document(&host, false), b"").await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (Permanent, "dms.conflict"));
        assert_eq!(having(&repository, "cmis:objectId", &id)[0]["amt:titel"], "Titel von dort");
        repository.set(&id, "amt:titel", json!("Titel von hier"));
        told(&dms, &host, &tree.of_document(&host, false), b"").await.unwrap();

        repository.revise(&id, "lageplan.pdf", b"von dort");
        tree.add("2", "lageplan.pdf", b"zwei");
        let failure = told(&dms, &host, &tree.of_document(&host, true), b"zwei").await.unwrap_err();
        assert_eq!(&*failure.code, "dms.conflict");
    }
}

#[tokio::test]
async fn a_document_that_somebody_works_on_waits_and_one_that_is_gone_is_told() {
    for binding in BINDINGS {
        let (repository, dms) = started(binding).await;
        let (host, mut tree) = with_file();
        told(&dms, &host, &tree.of_document(&host, true), b"eins").await.unwrap();
        let id = host.links_of(tree.document.meta.id)[0].reference.clone();
        repository.check_out(&id);
        tree.add("2", "lageplan.pdf", b"zwei");
        let failure = told(&dms, &host, &tree.of_document(&host, true), b"zwei").await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (Transient, "dms.checked-out"));

        repository.delete(&id);
        let failure = told(&dms, &host, &tree.of_document(&host, true), b"zwei").await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (Permanent, "dms.gone"));
    }
}
