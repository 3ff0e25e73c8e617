//! What ends with access ends whatever happens at the same time: apps, uploads that are under way. And what each entry leaves.

use std::time::Duration;

use broker::{Asked, Error};
use bytes::Bytes;
use model::RecordKind;
use model::adapter::CallbackRequest;

use crate::citizens::{Bed, PDF, is_refused};
use crate::citizens_hold::subscription;
use crate::engines::on_every_engine;

impl Bed {
    /// The adapter of the way `push` reads its links of a record (`read`), or keeps what it has read (`write`).
    async fn pusher(&self, what: &str, record: model::Id) {
        let call = CallbackRequest {
            method: "POST".into(),
            path: format!("{what}/{record}"),
            headers: vec![],
            body: Box::new(&b""[..]),
        };
        self.broker.callback("push", call).await.unwrap();
    }

    async fn links(&self, case: model::Id) -> usize {
        self.broker.links(&self.ours, case).await.unwrap().len()
    }

    /// How often it is told that somebody entered.
    async fn entries(&self, case: model::Id) -> usize {
        self.told_of(case).await.iter().filter(|it| it["citizenAccess"] == "entered").count()
    }
}

#[tokio::test]
async fn who_subscribes_while_access_is_revoked_is_not_pushed_to() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let mut access = bed.apply("k").await.access;
        for _ in 0..12 {
            let session = bed.enters(&access.number, &access.secret).await.unwrap();
            let (subscribed, revoked) = tokio::join!(
                bed.broker.citizen_subscribes(&session, subscription(1)),
                bed.broker.revoke_access(&bed.ours, access.case)
            );
            assert!(subscribed.is_ok() || is_refused(&subscribed), "{subscribed:?}");
            revoked.unwrap();
            assert_eq!(bed.links(access.case).await, 0);
            access = bed.broker.give_access(&bed.ours, access.case).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn what_an_adapter_has_learnt_of_an_app_brings_it_not_back() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let access = bed.apply("k").await.access;
        let session = bed.enters(&access.number, &access.secret).await.unwrap();
        for at in 0..2 {
            bed.broker.citizen_subscribes(&session, subscription(at)).await.unwrap();
        }
        bed.pusher("read", access.case).await;
        bed.broker.citizen_unsubscribes(&session, Some("https://push.example/0")).await.unwrap();
        bed.pusher("write", access.case).await;
        let kept = bed.broker.links(&bed.ours, access.case).await.unwrap();
        assert_eq!((kept.len(), &*kept[0].1.reference), (1, "https://push.example/1"));
        assert_eq!(kept[0].1.state["told"], "now", "of one that is there it is kept");
        // Also if nobody pushes any more when access is revoked.
        let without = bed.broker.clone().with_adapters(vec![]);
        without.revoke_access(&bed.ours, access.case).await.unwrap();
        bed.pusher("write", access.case).await;
        assert_eq!(bed.links(access.case).await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_upload_that_is_under_way_when_access_is_revoked_is_not_taken_in() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let access = bed.apply("k").await.access;
        let asked = Asked { what: "Lageplan".into(), due_days: 14 };
        let wanting = bed.broker.ask_for_document(&bed.ours, access.case, asked, None).await.unwrap();
        let before = bed.kept_payloads();
        let page = bed.broker.upload_page(wanting.link.rsplit('/').next().unwrap()).await.unwrap();
        let body = futures::stream::iter([Ok(Bytes::from_static(PDF))]);
        let file = bed.broker.stage_upload(&page, (1, "plan.pdf"), body).await.unwrap();
        bed.broker.revoke_access(&bed.ours, access.case).await.unwrap();
        let taken = bed.broker.take_upload(&page, vec![file]).await;
        assert!(matches!(taken, Err(Error::LinkOver)), "{taken:?}");
        let task = bed.broker.record(&bed.ours, RecordKind::Task, wanting.task.meta.id).await.unwrap();
        assert_eq!((task.status(), bed.kept_payloads()), ("open", before));
    })
    .await;
}

#[tokio::test]
async fn an_app_that_asks_again_and_again_leaves_one_event_a_day_and_has_a_limit() {
    let bed = Bed::new(None).await;
    let access = bed.apply("k").await.access;
    let asks = async || bed.broker.citizen_app_enters(&access.number, &access.secret).await;
    for _ in 0..5 {
        asks().await.unwrap();
    }
    assert_eq!(bed.entries(access.case).await, 1);
    bed.clock.advance(Duration::from_secs(24 * 3_600));
    asks().await.unwrap();
    assert_eq!(bed.entries(access.case).await, 2);
    let mut entered = 6;
    while asks().await.is_ok() {
        entered += 1;
        assert!(entered <= 300, "right secrets have a limit, too");
    }
    assert!(matches!(asks().await, Err(Error::CitizenLater)));
    assert_eq!((entered, bed.entries(access.case).await), (300, 2));
}
