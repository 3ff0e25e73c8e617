//! A package never stands in memory, whatever its size.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use adapter_archive::{Folder, Target, TrEsor};
use async_trait::async_trait;
use conformance::simulate::tresor::Archive;
use model::Failure;
use model::adapter::{Content, Source};

use crate::support::{OBJECT, adapter, delivery, follow, message, settings};

/// Bytes of the document: many times what may be held.
const SIZE: u64 = 1 << 30;

struct OnDisk(PathBuf);

#[async_trait]
impl Source for OnDisk {
    async fn open(&self) -> Result<Content, Failure> {
        Ok(Box::new(tokio::fs::File::open(&self.0).await.unwrap()))
    }
}

/// Most memory that the process has ever had, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

#[tokio::test]
#[ignore = "takes minutes where nothing is optimised, and the memory's peak of its whole process: run by itself"]
async fn a_large_package_does_not_stand_in_memory() {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("message.zip");
    let mut container = xoev::container::ContainerWriter::new(fs::File::create(&path).unwrap());
    let name = "0198c0de-0000-7000-8000-000000000001_Aussonderung.Aussonderung.0503.xml";
    container.entry(name, |sink| sink.write_all(message("0503", OBJECT, "").as_bytes())).unwrap();
    container.entry("large.pdf", |sink| std::io::copy(&mut std::io::repeat(7).take(SIZE), sink)).unwrap();
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
    let idle = peak();
    folder.deliver(&delivery, &sources).await.unwrap();
    let receipt = s4.deliver(&delivery, &sources).await.unwrap();
    follow(&*s4, &delivery, &receipt).await.unwrap();
    let grown = peak() - idle;
    assert!(grown < 64 << 20, "{grown} bytes");
}
