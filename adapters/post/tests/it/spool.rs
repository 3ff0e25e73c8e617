//! Letters for a print centre.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use adapter_post::out::print;
use adapter_post::out::settings::{Pdf, Print};
use model::FailureKind;
use model::activity::DispatchStatus;
use model::adapter::{Adapter, Receipt};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::parcel::{addressee, noon, parcel, pdf, refused, sources, step};

fn spool(folder: &Path, pdf: Pdf) -> Arc<dyn Adapter> {
    print(Print { id: "print".into(), folder: folder.to_owned(), pdf }, noon())
}

fn counted() -> Pdf {
    let qpdf = PathBuf::from("/usr/bin/qpdf");
    Pdf { qpdf: qpdf.exists().then_some(qpdf), most_bytes: 10_000, ..Pdf::default() }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_spool_keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    let delivery = parcel("print", addressee(), 1);
    model::testkit::adapter_contract(spool(folder.path(), counted()), delivery, &[pdf()]).await;
}

#[tokio::test]
async fn a_letter_is_its_files_and_a_ticket_in_two_forms() {
    let folder = TempDir::new().unwrap();
    let (spool, delivery, pdf) = (spool(folder.path(), counted()), parcel("print", addressee(), 2), pdf());
    let receipt = spool.deliver(&delivery, &sources(&[&pdf, &pdf])).await.unwrap();
    assert_eq!(step(&receipt.commands).0, DispatchStatus::Accepted);
    let id = delivery.id;
    let wanted = [
        ".amtsbote".to_owned(),
        format!("{id}-1.pdf"),
        format!("{id}-2.pdf"),
        format!("{id}.json"),
        format!("{id}.xml"),
    ];
    assert_eq!(names(folder.path()), wanted);
    assert_eq!(names(&folder.path().join(".amtsbote")), [format!("{id}.done")]);
    let read = |ending: &str| std::fs::read(folder.path().join(format!("{id}{ending}"))).unwrap();
    assert_eq!(read("-2.pdf"), pdf);
    let ticket: Value = serde_json::from_slice(&read(".json")).unwrap();
    assert_eq!(ticket["reference"], "63.01/2026");
    assert_eq!(
        ticket["to"],
        json!({ "lines": ["Frau", "Anna & Bert <Müller>", "Am Weg 1"], "zip": "59494", "city": "Soest", "country": "DE" })
    );
    assert_eq!(ticket["options"]["colour"], true);
    assert_eq!(ticket["files"][1]["sha256"], seal::sha256(&[&pdf]).to_string());
    if counted().qpdf.is_some() {
        assert_eq!(ticket["files"][0]["pages"], 1);
    }
    let xml = String::from_utf8(read(".xml")).unwrap();
    assert!(
        xml.contains("<line>Anna &amp; Bert &lt;Müller") && xml.contains(&format!("<name>{id}-1.pdf</name>")),
        "{xml}"
    );
}

#[tokio::test]
async fn a_letter_that_the_print_centre_took_is_not_printed_again() {
    let folder = TempDir::new().unwrap();
    let (spool, delivery, pdf) = (spool(folder.path(), counted()), parcel("print", addressee(), 1), pdf());
    let first = spool.deliver(&delivery, &sources(&[&pdf])).await.unwrap();
    for name in names(folder.path()).iter().filter(|it| !it.starts_with('.')) {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    assert_eq!(spool.deliver(&delivery, &sources(&[&pdf])).await.unwrap(), first);
    assert_eq!(names(folder.path()), [".amtsbote"]);
}

#[tokio::test]
async fn after_a_crash_a_letter_goes_out_once_or_a_human_decides() {
    let folder = TempDir::new().unwrap();
    let (spool, delivery, pdf) = (spool(folder.path(), counted()), parcel("print", addressee(), 1), pdf());
    let receipt = spool.deliver(&delivery, &sources(&[&pdf])).await.unwrap();
    let noted = |ending: &str| folder.path().join(format!(".amtsbote/{}.{ending}", delivery.id));
    let ticket = folder.path().join(format!("{}.json", delivery.id));
    // Between the ticket and the note of it.
    std::fs::rename(noted("done"), noted("begun")).unwrap();
    assert_eq!(spool.reconcile(&delivery).await.unwrap(), Some(receipt.clone()));
    // Before the ticket, or after it was taken: nobody knows.
    std::fs::rename(noted("done"), noted("begun")).unwrap();
    std::fs::remove_file(&ticket).unwrap();
    let unclear = (FailureKind::Uncertain, "post.print-unclear".to_owned());
    assert_eq!(refused(&spool, &delivery, &[&pdf]).await, unclear);
    // Whoever asks again is told the same, so a human is asked at once.
    let failure = spool.reconcile(&delivery).await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Permanent, "post.print-unclear"));
    // Before anything was noted.
    std::fs::remove_file(noted("begun")).unwrap();
    assert_eq!(spool.reconcile(&delivery).await.unwrap(), None);
    assert_eq!(spool.deliver(&delivery, &sources(&[&pdf])).await.unwrap(), receipt);
}

#[tokio::test]
async fn what_is_no_letter_is_refused_and_leaves_nothing() {
    use FailureKind::{Permanent, Rejected, Transient};
    let folder = TempDir::new().unwrap();
    let (small, pdf) = (spool(folder.path(), counted()), pdf());
    let one = || parcel("print", addressee(), 1);
    let large = [pdf.as_slice(), &[0; 10_000]].concat();
    let mut cases = vec![
        (b"PK\x03\x04 no PDF".to_vec(), "post.not-pdf"),
        (vec![], "post.not-pdf"),
        (large, "post.too-large"),
    ];
    if counted().qpdf.is_some() {
        cases.push((b"%PDF-1.7\nnonsense".to_vec(), "post.not-pdf"));
    }
    for (bytes, code) in cases {
        assert_eq!(refused(&small, &one(), &[&bytes]).await, (Rejected, code.to_owned()));
    }
    assert_eq!(
        refused(&small, &parcel("print", addressee(), 0), &[]).await,
        (Rejected, "post.no-document".to_owned())
    );
    let nowhere = crate::parcel::changed(one(), |dispatch| dispatch.to = None);
    assert_eq!(refused(&small, &nowhere, &[&pdf]).await, (Rejected, "post.no-address".to_owned()));
    assert_eq!(names(folder.path()), [".amtsbote"]);
    assert_eq!(names(&folder.path().join(".amtsbote")), [""; 0]);
    let missing = spool(folder.path(), Pdf { qpdf: Some("/nowhere/qpdf".into()), ..Pdf::default() });
    assert_eq!(refused(&missing, &one(), &[&pdf]).await, (Permanent, "post.pdf-tool".to_owned()));
    let slow = spool(
        folder.path(),
        Pdf {
            qpdf: Some(script(folder.path())),
            within: std::time::Duration::from_millis(200),
            ..Pdf::default()
        },
    );
    assert_eq!(refused(&slow, &one(), &[&pdf]).await, (Rejected, "post.not-pdf".to_owned()));
    // Where the folder is missing, such as a share that is not mounted, nothing is made in its place.
    let missing = folder.path().join("spool");
    let no_folder = spool(&missing, counted());
    assert_eq!(refused(&no_folder, &one(), &[&pdf]).await, (Transient, "post.folder".to_owned()));
    assert!(!no_folder.check().await.ok && !missing.exists());
}

/// A program that never ends.
fn script(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(".slow");
    std::fs::write(&path, "#!/bin/sh\nexec sleep 60\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

#[tokio::test]
async fn dispatches_of_other_ways_or_that_somebody_carries_are_left_alone() {
    let folder = TempDir::new().unwrap();
    let spool = spool(folder.path(), counted());
    let other = parcel("mail", addressee(), 1);
    let carried =
        crate::parcel::changed(parcel("print", addressee(), 1), |it| it.status = DispatchStatus::Accepted);
    for delivery in [&other, &carried] {
        assert_eq!(spool.deliver(delivery, &sources(&[b"x"])).await.unwrap(), Receipt::nothing());
    }
    assert_eq!(spool.reconcile(&other).await.unwrap(), Some(Receipt::nothing()));
    assert_eq!(names(folder.path()), [""; 0]);
}
