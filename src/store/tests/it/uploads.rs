//! Uploads: whatever interrupts them, what is kept stays kept, and the payload in the end is what was sent.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use store::{NewUpload, Store, Upload, UploadQuota, Work};

use crate::make::TENANT;
use crate::{Bed, conflict, on_every_engine};

const CHUNK: usize = 64 * 1024;
const SEGMENT: usize = 8 << 20;
const OWNER: &str = "token-1";
const QUOTA: UploadQuota = UploadQuota { per_owner: 3, per_tenant: 5, tenant_bytes: 1 << 30 };

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8 ^ (at / CHUNK) as u8).collect()
}

fn new(owner: &str, length: Option<u64>) -> NewUpload {
    NewUpload {
        tenant: TENANT.to_owned(),
        owner: owner.to_owned(),
        target: json!({ "for": "test" }),
        length,
        lifetime: Duration::from_secs(3_600),
    }
}

async fn begin(store: &Store) -> Upload {
    store.create_upload(new(OWNER, None), QUOTA).await.unwrap()
}

async fn row(store: &Store, upload: &Upload) -> Upload {
    store.upload(TENANT, OWNER, upload.id).await.unwrap().unwrap()
}

/// Makes a payload of the upload and compares it with `content`.
async fn complete(store: &Store, upload: Upload, content: &[u8]) {
    let writer = store.continue_upload(upload, None).await.unwrap();
    let (upload, stored) = writer.finish().await.unwrap();
    assert_eq!(stored.reference().id, upload.id);
    assert_eq!(stored.reference().sha256, seal::sha256(&[content]).to_string());
    let mut work = Work::new();
    work.insert_payload(TENANT, &stored);
    store.commit(work).await.unwrap();
    let payload = store.open_payload(TENANT, upload.id).await.unwrap();
    assert!(payload.read_at(0, content.len() + 1).await.unwrap() == content);
    let digests = store.chunk_digests(TENANT, upload.id).await.unwrap();
    assert_eq!(digests.len(), content.len().div_ceil(CHUNK).max(1));
    assert!(row(store, &upload).await.complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_in_parts_becomes_one_payload() {
    on_every_engine(|bed| async move {
        let content = bytes(SEGMENT + 3 * CHUNK + 77);
        let mut upload = begin(&bed.store).await;
        for part in content.chunks(3 * 1_000_003) {
            let mut writer = bed.store.continue_upload(upload, None).await.unwrap();
            writer.write(part).await.unwrap();
            let kept = writer.suspend().await.unwrap();
            upload = row(&bed.store, &kept).await;
            assert_eq!(upload.size, kept.size);
        }
        assert_eq!(upload.size, content.len() as u64);
        complete(&bed.store, upload, &content).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_it_goes_on_at_whole_chunks_and_with_other_bytes() {
    on_every_engine(|bed| async move {
        let first = bytes(SEGMENT + 5 * CHUNK + 9);
        let upload = begin(&bed.store).await;
        let id = upload.id;
        let mut writer = bed.store.continue_upload(upload, None).await.unwrap();
        writer.write(&first).await.unwrap();
        // Gone without a word: whole segments are kept, and more was sealed than that.
        drop(writer);
        let store = bed.reopen().await;
        let upload = store.upload(TENANT, OWNER, id).await.unwrap().unwrap();
        assert!(upload.size >= SEGMENT as u64 && upload.size % CHUNK as u64 == 0, "{}", upload.size);
        let mut content = first[..upload.size as usize].to_vec();
        content.extend(std::iter::repeat_n(0xAB, 10 * CHUNK + 1));
        let from = upload.size as usize;
        let mut writer = store.continue_upload(upload, None).await.unwrap();
        writer.write(&content[from..]).await.unwrap();
        let upload = writer.suspend().await.unwrap();
        complete(&store, upload, &content).await;
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_one_loses_and_nothing_is_spoilt() {
    on_every_engine(|bed| async move {
        let upload = begin(&bed.store).await;
        let content = bytes(2 * CHUNK + 5);
        let late = bed.store.continue_upload(upload.clone(), None).await.unwrap();
        let refused = bed.store.continue_upload(upload.clone(), None).await.err().unwrap();
        assert_eq!(refused.code(), "store.conflict");
        let mut writer = bed.store.continue_upload(row(&bed.store, &upload).await, None).await.unwrap();
        assert_eq!(conflict(late.suspend().await.map(drop)), "upload");
        writer.write(&content).await.unwrap();
        let upload = writer.suspend().await.unwrap();
        complete(&bed.store, upload, &content).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_completed_again_until_the_row_of_its_payload_is_there() {
    on_every_engine(|bed| async move {
        for size in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let content = bytes(size);
            let mut writer = bed.store.continue_upload(begin(&bed.store).await, None).await.unwrap();
            writer.write(&content).await.unwrap();
            let (upload, stored) = writer.finish().await.unwrap();
            drop(stored);
            let upload = row(&bed.store, &upload).await;
            assert_eq!((upload.size, upload.complete), (size as u64, false));
            complete(&bed.store, upload.clone(), &content).await;
            let again = bed.store.continue_upload(row(&bed.store, &upload).await, None).await.err().unwrap();
            assert_eq!(again.code(), "store.conflict");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_are_bounded_and_belong_to_their_owner() {
    on_every_engine(|bed| async move {
        let store = &bed.store;
        let mut own = vec![];
        for _ in 0..3 {
            own.push(begin(store).await);
        }
        let refused = |outcome: Result<Upload, store::Error>| conflict(outcome.map(drop));
        assert_eq!(refused(store.create_upload(new(OWNER, None), QUOTA).await), "upload");
        store.create_upload(new("token-2", None), QUOTA).await.unwrap();
        assert_eq!(refused(store.create_upload(new("token-3", Some(1 << 31)), QUOTA).await), "upload");
        store.create_upload(new("token-3", Some(1 << 20)), QUOTA).await.unwrap();
        assert_eq!(refused(store.create_upload(new("token-4", None), QUOTA).await), "upload");
        assert_eq!(store.upload_bytes(TENANT, own[0].id).await.unwrap(), 1 << 20);
        for (tenant, owner) in [(TENANT, "token-2"), ("unna", OWNER)] {
            assert_eq!(store.upload(tenant, owner, own[0].id).await.unwrap(), None);
        }
        store.drop_upload(&own[0]).await.unwrap();
        begin(store).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_swept_with_its_files_and_what_is_not_stays() {
    on_every_engine(|bed| async move {
        let store = &bed.store;
        let content = bytes(3 * CHUNK);
        let mut uploads = vec![];
        for _ in 0..2 {
            let mut writer = store.continue_upload(begin(store).await, None).await.unwrap();
            writer.write(&content).await.unwrap();
            uploads.push(writer.suspend().await.unwrap());
        }
        complete(store, uploads.remove(0), &content).await;
        let files = bed.payload_files().len();
        // Old enough for the sweep of orphans, but under way.
        bed.clock.advance(Duration::from_secs(1_800));
        assert_eq!(store.sweep(Duration::from_secs(60)).await.unwrap().removed, 0);
        assert_eq!(store.sweep_uploads().await.unwrap(), 0);
        assert_eq!(bed.payload_files().len(), files);
        bed.clock.advance(Duration::from_secs(1_801));
        assert_eq!(store.upload(TENANT, OWNER, uploads[0].id).await.unwrap(), None);
        assert_eq!(store.sweep_uploads().await.unwrap(), 1);
        assert_eq!(bed.payload_files().len(), files / 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_what_the_row_says_end_it() {
    on_every_engine(|bed| async move {
        let mut writer = bed.store.continue_upload(begin(&bed.store).await, None).await.unwrap();
        writer.write(&bytes(3 * CHUNK)).await.unwrap();
        let upload = writer.suspend().await.unwrap();
        bed.payload_files().iter().for_each(|file| std::fs::remove_file(file).unwrap());
        let lost = bed.store.continue_upload(upload, None).await.err().unwrap();
        assert_eq!(lost.code(), "store.corrupt");
    })
    .await;
}

/// What a client, its line and the gateway's machine do to an upload.
#[derive(Debug, Clone)]
enum Step {
    /// So many bytes come in and are kept.
    Append(usize),
    /// So many bytes come in, then the gateway is killed.
    Crash(usize),
    /// The gateway is started anew.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size =
        prop_oneof![0..200_usize, 0..3 * CHUNK, Just(CHUNK), Just(2 * CHUNK), SEGMENT - 9..SEGMENT + 9];
    let step = (0..5_u8, size).prop_map(|(kind, size)| match kind {
        0 | 1 => Step::Append(size),
        2 | 3 => Step::Crash(size),
        _ => Step::Restart,
    });
    proptest::collection::vec(step, 1..8)
}

async fn play(bed: &Bed, steps: &[Step]) {
    let mut store = bed.reopen().await;
    let upload = begin(&store).await;
    let mut content: Vec<u8> = vec![];
    for (number, step) in steps.iter().enumerate() {
        let now = row(&store, &upload).await;
        assert!(now.size >= content.len() as u64, "what was kept is kept");
        let (Step::Append(size) | Step::Crash(size)) = step else {
            store.close().await;
            store = bed.reopen().await;
            continue;
        };
        // Other bytes each time, also where bytes were sent before and lost.
        let part: Vec<u8> = (0..*size).map(|at| (at % 241) as u8 ^ number as u8).collect();
        let mut writer = store.continue_upload(now, None).await.unwrap();
        writer.write(&part).await.unwrap();
        match step {
            Step::Append(_) => {
                writer.suspend().await.unwrap();
            }
            _ => drop(writer),
        }
        let kept = row(&store, &upload).await.size as usize;
        assert!(kept >= content.len(), "an offset never goes back");
        let more = kept - content.len();
        content.extend_from_slice(&part[..more]);
    }
    let last = row(&store, &upload).await;
    complete(&store, last, &content).await;
    store.close().await;
}

#[test]
fn whatever_happens_the_payload_is_what_was_kept() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bed = runtime.block_on(Bed::new(None));
    proptest!(ProptestConfig::with_cases(40), |(steps in steps())| {
        runtime.block_on(play(&bed, &steps));
    });
    runtime.block_on(bed.store.close());
}
