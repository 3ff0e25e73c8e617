//! The bytes of documents: added once, never replaced.

use broker::Upload;
use bytes::Bytes;
use model::case::{Description, Document, DocumentDates, RecordStatus};
use model::{Caller, Id, Record};

use crate::house::{Gateway, caller, create, new_case};

async fn a_document(gateway: &Gateway, caller: &Caller) -> Id {
    document_in(gateway, caller, None).await
}

/// A document, in a case if one is named, with these bytes.
pub async fn a_file_in(gateway: &Gateway, caller: &Caller, case: Id, bytes: &'static [u8]) -> Id {
    let id = document_in(gateway, caller, Some(case)).await;
    put(gateway, caller, id, bytes).await.unwrap();
    id
}

async fn document_in(gateway: &Gateway, caller: &Caller, parent: Option<Id>) -> Id {
    let mut meta = new_case(caller, "63", "").meta().clone();
    meta.root = parent.unwrap_or(meta.id);
    let id = meta.id;
    let document = Document {
        meta,
        description: Description { title: "Lageplan".into(), ..Description::default() },
        parent,
        kind: None,
        dates: DocumentDates::default(),
        versions: vec![],
        status: RecordStatus::Open,
    };
    gateway.broker.submit(caller, create(Record::Document(document)), None).await.unwrap();
    id
}

async fn put(
    gateway: &Gateway,
    caller: &Caller,
    id: Id,
    bytes: &'static [u8],
) -> Result<Record, broker::Error> {
    let upload = Upload { file_name: "plan.pdf".into(), version: "1".into(), ..Upload::default() };
    let body = futures::stream::iter([Ok(Bytes::from_static(bytes))]);
    gateway.broker.add_content(caller, id, upload, body).await
}

#[tokio::test]
async fn the_same_bytes_at_once_and_again_are_one_file_and_other_bytes_are_refused() {
    let gateway = Gateway::start().await;
    let caller = caller("soest", "63");
    let id = a_document(&gateway, &caller).await;
    let all = futures::future::join_all((0..8).map(|_| put(&gateway, &caller, id, b"%PDF eins"))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    put(&gateway, &caller, id, b"%PDF eins").await.unwrap();
    assert_eq!(put(&gateway, &caller, id, b"%PDF zwei").await.unwrap_err().code(), "model.exists");
    let (file, payload) = gateway.broker.content(&caller, id, None, None).await.unwrap();
    assert_eq!(file.name, "plan.pdf");
    assert_eq!(payload.read_at(0, 100).await.unwrap(), &b"%PDF eins"[..]);
}
