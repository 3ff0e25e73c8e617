//! Time stamps: whose turn it is, and what they cover.

use std::time::Duration;

use model::Timestamp;
use store::{EvidenceKey, StampRow, Work};

use crate::make::{self, TENANT};
use crate::{Bed, on_every_engine};

const MINUTE: Duration = Duration::from_secs(60);

pub(crate) async fn seal_one(bed: &Bed, key: &EvidenceKey) {
    let mut work = Work::new();
    work.insert_event(&make::event(None));
    bed.store.commit(work).await.unwrap();
    assert_eq!(bed.store.seal(TENANT, key).await.unwrap(), 1);
}

fn stamp(batch_no: u64) -> StampRow {
    StampRow { batch_no, at: Timestamp::from_micros(5), response: vec![1, 2, 3] }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stamp_covers_its_batch_and_all_before() {
    on_every_engine(|bed| async move {
        let key = EvidenceKey::random().unwrap();
        let state = bed.store.stamp_state(TENANT).await.unwrap();
        assert!(state.last.is_none() && state.unstamped.is_none() && state.unstamped_since.is_none());
        seal_one(&bed, &key).await;
        let first = bed.store.last_batch(TENANT).await.unwrap().unwrap();
        bed.clock.advance(MINUTE);
        seal_one(&bed, &key).await;
        let state = bed.store.stamp_state(TENANT).await.unwrap();
        assert_eq!(state.unstamped.unwrap().batch.no, 2, "the newest is to be stamped");
        assert_eq!(state.unstamped_since.unwrap().micros(), first.batch.sealed_at_micros);

        bed.store.put_stamp(TENANT, &stamp(2), MINUTE).await.unwrap();
        let state = bed.store.stamp_state(TENANT).await.unwrap();
        assert_eq!(state.last, Some(Timestamp::from_micros(5)));
        assert!(state.unstamped.is_none() && state.unstamped_since.is_none());
        for (from, found) in [(1, 1), (2, 1), (3, 0)] {
            assert_eq!(bed.store.stamps(TENANT, from, 1).await.unwrap().len(), found);
        }
        let later = StampRow { response: vec![9], ..stamp(2) };
        bed.store.put_stamp(TENANT, &later, MINUTE).await.unwrap();
        assert_eq!(bed.store.stamps(TENANT, 1, 9).await.unwrap(), [stamp(2)], "the first stays");
        assert!(bed.store.stamps("lippstadt", 1, 9).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_asks_at_a_time_and_not_before_it_is_due() {
    on_every_engine(|bed| async move {
        assert_eq!(bed.store.claim_stamping(TENANT, MINUTE).await.unwrap(), Some(0));
        assert_eq!(bed.store.claim_stamping(TENANT, MINUTE).await.unwrap(), None, "somebody is at it");
        bed.store.stamping_failed(TENANT, Duration::ZERO).await.unwrap();
        assert_eq!(bed.store.claim_stamping(TENANT, MINUTE).await.unwrap(), Some(1));
        bed.store.stamping_failed(TENANT, MINUTE).await.unwrap();
        assert_eq!(bed.store.claim_stamping(TENANT, MINUTE).await.unwrap(), None, "not due yet");
        bed.store.put_stamp(TENANT, &stamp(1), Duration::ZERO).await.unwrap();
        assert_eq!(
            bed.store.claim_stamping(TENANT, MINUTE).await.unwrap(),
            Some(0),
            "success ends the count"
        );
    })
    .await;
}
