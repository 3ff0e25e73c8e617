//! Calls from outside to an adapter, and whole messages that it brings.

use std::sync::Arc;

use broker::Error;
use broker::house::PartnerEntry;
use model::adapter::{CallbackRequest, Content, Handed};
use model::command::{Change, Command};
use model::{Authority, RecordKind};
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::bed::{Bed, POST, kept};
use crate::house::{lippstadt, unna};

fn call(body: &'static str) -> CallbackRequest {
    CallbackRequest {
        method: "POST".into(),
        path: "done".into(),
        headers: vec![],
        body: Box::new(body.as_bytes()),
    }
}

async fn read(mut body: Content) -> String {
    let mut text = String::new();
    body.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_call_is_answered_after_what_it_leads_to_is_kept() {
    let bed = Bed::new(None).await;
    let case = bed.case("Neubau").await;
    let close = Command { kind: RecordKind::Case, id: case.meta.id, expected: None, change: Change::Close };
    bed.post.set(|state| state.commands = vec![("c-1".into(), close)]);
    for _ in 0..2 {
        let answer = bed.broker.callback(POST, call("x")).await.unwrap();
        assert_eq!((answer.status, read(answer.body).await.as_str()), (202, "done x"));
    }
    assert_eq!(bed.record(RecordKind::Case, case.meta.id).await.meta().version, 2);
    let unknown = bed.broker.callback("nobody", call("")).await;
    assert!(matches!(unknown, Err(Error::Model(model::Error::NotFound { .. }))));
    assert!(bed.broker.takes_callbacks(POST) && !bed.broker.takes_callbacks("nobody"));
}

#[tokio::test]
async fn an_adapter_brings_messages_of_partners_that_it_is_the_way_to() {
    let bed = bed_with_partner().await;
    bed.sessions().await;
    let host = bed.post.host();
    let body =
        json!({ "toy": "0401", "process": model::ids::new_id(), "objects": [[model::ids::new_id(), "x"]] });
    let hand = async |from: Option<Authority>, to: Option<Authority>| {
        let content = kept(&host, "m.json", &body.to_string()).await.content.unwrap();
        Handed { from, to, file_name: Some("m.json".into()), content }
    };
    let other = host.message("m-1", hand(Some(unna()), None).await).await.unwrap_err();
    assert_eq!(other.code, "broker.unknown-authority");
    let first = host.message("m-1", hand(Some(hamm()), None).await).await.unwrap();
    let again = host.message("m-1", hand(Some(hamm()), None).await).await.unwrap();
    assert_eq!(first, again);
    bed.run().await;
    let taken = bed.broker.message(&bed.ours, first).await.unwrap();
    assert_eq!((taken.partner, taken.door), (hamm().to_string(), model::message::Door::Adapter));
    assert_eq!(bed.all(RecordKind::Case).await.len(), 1);

    let out = host.message("m-1", hand(None, Some(lippstadt())).await).await.unwrap();
    assert_eq!(host.message("m-1", hand(None, Some(lippstadt())).await).await.unwrap(), out);
    let out = bed.broker.message(&bed.ours, out).await.unwrap();
    assert_eq!((out.partner, out.direction), (lippstadt().to_string(), model::message::Direction::Out));
    assert!(host.message("m-2", hand(None, None).await).await.is_err());
}

fn hamm() -> Authority {
    "bab:05915000".parse().unwrap()
}

async fn bed_with_partner() -> Bed {
    let partner = PartnerEntry {
        tenant: Some("soest".into()),
        authority: hamm(),
        name: "Hamm".into(),
        adapter: Some(POST.into()),
        osci: None,
        xta: None,
        prefer: vec![],
        reads: vec![("toy".into(), "1".into())],
        most_bytes: 1 << 20,
        may_repeat: false,
    };
    let clock = Arc::new(crate::house::SetClock::default());
    let gateway = crate::house::Gateway::with_partners(clock.clone(), vec![partner], vec![]).await;
    Bed::over(gateway, clock).await
}
