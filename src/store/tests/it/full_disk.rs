//! A disk that fills up: what does not fit is refused, what was kept stays, and the process goes on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use seal::keys::{KeyRing, MasterKey};
use serde_json::json;
use store::{Config, NewUpload, Store, UploadQuota, Work};

use crate::TestClock;
use crate::make::TENANT;

const SIZE: usize = 26 << 20;

/// A disk of its own, given back at the end.
struct Disk(PathBuf);

impl Disk {
    /// `None` where nobody may mount one.
    fn mount(at: &Path) -> Option<Disk> {
        let size = format!("size={SIZE}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Disk(at.to_owned())),
            _ => {
                eprintln!("SKIPPED: a disk of its own cannot be mounted here");
                None
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

async fn write(store: &Store, size: usize) -> Result<store::StoredPayload, store::Error> {
    let mut writer = store.payload_writer(TENANT);
    for _ in 0..size / 65_536 {
        writer.write(&[7; 65_536]).await?;
    }
    writer.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_in_the_middle_refuses_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(folder.path()) else { return };
    let store = Store::open(Config {
        database: format!("sqlite:{}", folder.path().join("rows.db").display()),
        payloads: folder.path().join("payloads"),
        keys: Arc::new(KeyRing::new(MasterKey::random().unwrap(), vec![])),
        clock: Arc::new(TestClock::now()) as Arc<dyn Clock>,
    });
    let store = store.await.unwrap();
    let kept = write(&store, 4 << 20).await.unwrap();
    let mut work = Work::new();
    work.insert_payload(TENANT, &kept);
    store.commit(work).await.unwrap();
    let before = store.disk_free().unwrap();
    assert!(before < SIZE as u64);

    let refused = write(&store, SIZE).await.err().unwrap();
    assert_eq!((refused.code(), refused.is_transient()), ("store.disk-full", true));
    // Its files are removed by a thread of the runtime.
    while store.disk_free().unwrap() < before {
        tokio::task::yield_now().await;
    }

    // What an operator can remove afterwards.
    let filler = folder.path().join("filler");
    std::fs::write(&filler, vec![0; 2 << 20]).unwrap();
    let quota = UploadQuota { per_owner: 1, per_tenant: 1, tenant_bytes: u64::MAX >> 1 };
    let new = NewUpload {
        tenant: TENANT.to_owned(),
        owner: "token".to_owned(),
        target: json!({}),
        length: None,
        lifetime: Duration::from_secs(60),
    };
    let upload = store.create_upload(new, quota).await.unwrap();
    let mut writer = store.continue_upload(upload.clone(), None).await.unwrap();
    let full = loop {
        if let Err(error) = writer.write(&[9; 65_536]).await {
            break error;
        }
    };
    assert_eq!(full.code(), "store.disk-full");
    drop(writer);
    let now = store.upload(TENANT, "token", upload.id).await.unwrap().unwrap();
    assert!(now.size >= 8 << 20, "whole segments are kept: {}", now.size);
    let payload = store.open_payload(TENANT, kept.reference().id).await.unwrap();
    assert!(payload.read_at(0, 4 << 20).await.unwrap().iter().all(|byte| *byte == 7));

    // The database meets the full disk, too.
    let row = vec![1_u8; 12 * 1024];
    let mut refused = None;
    for _ in 0..2_000 {
        let mut writer = store.payload_writer(TENANT);
        writer.write(&row).await.unwrap();
        let small = writer.finish().await.unwrap();
        let mut work = Work::new();
        work.insert_payload(TENANT, &small);
        if let Err(error) = store.commit(work).await {
            refused = Some(error.code());
            break;
        }
    }
    assert_eq!(refused, Some("store.disk-full"));
    std::fs::remove_file(&filler).unwrap();
    store.drop_upload(&now).await.unwrap();
    let again = write(&store, 1 << 20).await.unwrap();
    let mut work = Work::new();
    work.insert_payload(TENANT, &again);
    store.commit(work).await.unwrap();
    store.close().await;
}
