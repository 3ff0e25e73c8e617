//! What adapters are to be told: what is left of a tree, what comes before what, and what a message brought.

use model::{EventKind, Id, RecordKind, Scope, Timestamp, ids};
use store::{ChannelDelivery, ChannelLeft, Work};

use crate::make::{self, TENANT};
use crate::{conflict, on_every_engine};

fn delivery(root: Id, number: u64) -> ChannelDelivery {
    ChannelDelivery {
        id: ids::new_id(),
        tenant: TENANT.into(),
        adapter: "dms".into(),
        unit: "63".into(),
        public_service: None,
        number,
        event: EventKind::RecordCreated,
        kind: RecordKind::Case,
        record: ids::new_id(),
        root,
        payload: None,
        message: Some(ids::new_id()),
        whole: true,
        parked: None,
        failed: None,
        task: None,
        created_at: Timestamp::from_micros(1),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_a_dropped_record_is_left_until_it_is_listed() {
    on_every_engine(|bed| async move {
        let it = delivery(ids::new_id(), 7);
        let left = async || bed.store.channel_left(TENANT, "dms", it.root).await.unwrap();
        let mut work = Work::new();
        work.add_channel_delivery(&it).fail_channel_delivery(TENANT, it.id, "dms.unreachable");
        bed.store.commit(work).await.unwrap();
        let read = async || bed.store.channel_delivery(&Scope::tenant(TENANT), it.id).await.unwrap();
        assert_eq!(read().await.unwrap().failed.as_deref(), Some("dms.unreachable"));
        let mut work = Work::new();
        work.require_parked(TENANT, it.id);
        assert_eq!(conflict(bed.store.commit(work).await), "channel-delivery");

        let mut work = Work::new();
        work.park_channel_delivery(TENANT, it.id, "a.b", ids::new_id()).require_parked(TENANT, it.id);
        work.drop_channel_delivery(TENANT, it.id);
        bed.store.commit(work).await.unwrap();
        assert_eq!(read().await, None);
        assert_eq!(left().await, ChannelLeft { waiting: 1, ..ChannelLeft::default() });
        let dropped = bed.store.dropped_delivery(TENANT, it.id).await.unwrap().unwrap();
        assert_eq!((dropped.whole, dropped.parked, dropped.failed), (true, None, None));
        let mut work = Work::new();
        work.list_channel_delivery(TENANT, it.id);
        bed.store.commit(work).await.unwrap();
        let code = Some("a.b".to_owned());
        assert_eq!(left().await, ChannelLeft { dropped: 1, code, ..ChannelLeft::default() });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_before_in_the_same_tree_comes_before() {
    on_every_engine(|bed| async move {
        let root = ids::new_id();
        let (first, last) = (delivery(root, 7), delivery(root, 9));
        let mut work = Work::new();
        work.add_channel_delivery(&first).add_channel_delivery(&last);
        work.add_channel_delivery(&ChannelDelivery { adapter: "other".into(), ..delivery(root, 1) });
        work.add_channel_delivery(&delivery(ids::new_id(), 1));
        bed.store.commit(work).await.unwrap();
        assert!(bed.store.waits_before(&last, None).await.unwrap());
        assert!(!bed.store.waits_before(&first, None).await.unwrap());
        assert!(bed.store.waits_before(&last, Some(RecordKind::Dispatch)).await.unwrap());
        assert!(!bed.store.waits_before(&last, Some(RecordKind::Case)).await.unwrap(), "those stand apart");
        let mut work = Work::new();
        work.park_channel_delivery(TENANT, first.id, "a.b", ids::new_id());
        bed.store.commit(work).await.unwrap();
        assert!(
            !bed.store.waits_before(&last, None).await.unwrap(),
            "what waits for a human keeps nobody waiting"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_message_brought_is_known_from_what_came_later() {
    on_every_engine(|bed| async move {
        let (parent, message, other) = (ids::new_id(), ids::new_id(), ids::new_id());
        let record = |title| {
            let mut record = make::case(title);
            if let model::Record::Case(case) = &mut record {
                case.parent = Some(parent);
            }
            record
        };
        let (came, later) = (record("a"), record("b"));
        let mut stored = vec![];
        for bytes in [&b"came"[..], b"later"] {
            let mut writer = bed.store.payload_writer(TENANT);
            writer.write(bytes).await.unwrap();
            stored.push(writer.finish().await.unwrap());
        }
        let mut work = Work::new();
        work.begin_staging(TENANT, message).put_record(&came, Some(message));
        work.insert_staged_payload(TENANT, &stored[0], message).reveal(TENANT, message);
        work.put_record(&later, None).insert_payload(TENANT, &stored[1]);
        bed.store.commit(work).await.unwrap();
        let scope = Scope::tenant(TENANT);
        assert_eq!(bed.store.children(&scope, parent).await.unwrap().len(), 2);
        let brought = bed.store.brought_children(&scope, parent, message).await.unwrap();
        assert_eq!(brought, [(RecordKind::Case, came.meta().id)]);
        assert!(bed.store.brought_children(&scope, parent, other).await.unwrap().is_empty());
        let payloads: Vec<Id> = stored.iter().map(|stored| stored.reference().id).collect();
        let brought = bed.store.brought_payloads(TENANT, message, &payloads).await.unwrap();
        assert_eq!(brought.into_iter().collect::<Vec<_>>(), payloads[..1]);
    })
    .await;
}
