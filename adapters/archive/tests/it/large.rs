//! A package never stands in memory, whatever its size: measured in a process of its own, as what it takes beyond what it takes idle.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use adapter_archive::{Folder, Target, TrEsor};
use async_trait::async_trait;
use conformance::simulate::tresor::Archive;
use model::Failure;
use model::adapter::{Content, Source};
use serde_json::json;

use crate::support::{OBJECT, adapter, assert_archived, delivery, message, settings};

/// What may be held beyond idle, in bytes.
const MOST: u64 = 64 << 20;
/// Names the size of the document, in bytes, to the process that is measured.
const SIZE: &str = "AMTSBOTE_TEST_PACKAGE_BYTES";

struct OnDisk(PathBuf);

#[async_trait]
impl Source for OnDisk {
    async fn open(&self) -> Result<Content, Failure> {
        Ok(Box::new(tokio::fs::File::open(&self.0).await.unwrap()))
    }
}

/// A value of this process from the kernel, in bytes.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

/// Runs the measurement below, in a process that does nothing else.
fn measure(bytes: u64) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "large::measured_in_a_process_of_its_own", "--ignored", "--nocapture"])
        .env(SIZE, bytes.to_string())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

#[test]
fn a_large_package_does_not_stand_in_memory() {
    // Twice what may be held, so that no part of it can.
    measure(2 * MOST);
}

#[test]
#[ignore = "takes a minute: ./dev test --full"]
fn a_package_of_a_gigabyte_does_not_stand_in_memory() {
    measure(1 << 30);
}

#[tokio::test]
#[ignore = "run by those above"]
async fn measured_in_a_process_of_its_own() {
    let Ok(size) = std::env::var(SIZE) else { return };
    let size: u64 = size.parse().unwrap();
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("message.zip");
    let mut container = xoev::container::ContainerWriter::new(fs::File::create(&path).unwrap());
    let name = "0198c0de-0000-7000-8000-000000000001_Aussonderung.Aussonderung.0503.xml";
    container.entry(name, |sink| sink.write_all(message("0503", OBJECT, "").as_bytes())).unwrap();
    container.entry("large.pdf", |sink| std::io::copy(&mut std::io::repeat(7).take(size), sink)).unwrap();
    container.finish().unwrap();
    let mut bytes = seal::Sha256Writer::new();
    std::io::copy(&mut fs::File::open(&path).unwrap(), &mut bytes).unwrap();
    let mut delivery = delivery("0503", b"");
    delivery.detail["sha256"] = bytes.finish().to_string().into();
    let source: Box<dyn Source> = Box::new(OnDisk(path));
    let sources = [source];

    let archive = Archive::start().await.unwrap();
    let s4 = adapter(settings(Target::TrEsor(TrEsor {
        url: archive.url.clone(),
        login: None,
        client_id: "amtsbote".into(),
        retention_years: 10,
        wants_evidence: false,
        stamps: None,
        trust: None,
        within: Duration::from_secs(600),
    })));
    let folder = adapter(settings(Target::Folder(Folder { folder: room.path().to_owned() })));
    // From here on the peak counts anew.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let idle = memory("VmRSS:");
    folder.deliver(&delivery, &sources).await.unwrap();
    let receipt = s4.deliver(&delivery, &sources).await.unwrap();
    delivery.detail["receipt"] = json!({ "reference": receipt.reference, "data": receipt.data });
    let followed = s4.follow(&delivery, &sources).await.unwrap();
    assert_archived(&followed, &receipt.reference.unwrap());
    let grown = memory("VmHWM:").saturating_sub(idle);
    println!("{grown} bytes beyond idle");
    assert!(grown < MOST, "{grown} bytes");
}
