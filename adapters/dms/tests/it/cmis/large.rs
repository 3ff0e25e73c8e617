//! A document of 1 GB goes there and comes back; memory does not grow with it. The simulated repository keeps it in a file.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use adapter_dms::cmis::Binding;
use adapter_dms::port::{Bytes, Created, Entry, Port};
use async_trait::async_trait;
use conformance::simulate::cmis::Repository;
use model::Failure;
use model::adapter::{Content, Source};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::{port, settings};

const SIZE: u64 = 1 << 30;
const PIECE: &[u8] = &[b'x'; 64 * 1024];

/// Most memory above idle, in KiB.
const MOST: u64 = 64 * 1024;

/// Bytes that nobody holds.
struct Much(u64);

impl AsyncRead for Much {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let piece = into.remaining().min(PIECE.len()).min(usize::try_from(self.0).unwrap());
        into.put_slice(&PIECE[..piece]);
        self.0 -= piece as u64;
        Poll::Ready(Ok(()))
    }
}

struct Large;

#[async_trait]
impl Source for Large {
    async fn open(&self) -> Result<Content, Failure> {
        Ok(Box::new(Much(SIZE)))
    }
}

fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_of_1_gb_needs_no_more_memory_than_a_small_one() {
    let repository = Repository::start().await.unwrap();
    let port = port(settings(&repository, Binding::Browser));
    let root = port.root().await.unwrap().reference;
    let idle = memory("VmRSS:");

    let entry = Entry { own: "gross".into(), name: "gross.bin".into(), properties: BTreeMap::new() };
    let bytes = Bytes { source: &Large, size: SIZE, media_type: None, file_name: "gross.bin", mark: "m" };
    let Created::New(made) = port.create_document(&root, &entry, &bytes).await.unwrap() else {
        unreachable!()
    };
    assert_eq!(made.size, Some(SIZE));
    let mut content = port.open(&made).await.unwrap();
    let (mut read, mut piece) = (0, vec![0; 128 * 1024]);
    loop {
        let more = content.read(&mut piece).await.unwrap();
        if more == 0 {
            break;
        }
        read += more as u64;
    }
    assert_eq!(read, SIZE);
    // Other tests share the process with `cargo test`; each has its own with nextest.
    if std::env::var_os("NEXTEST").is_some() {
        assert!(memory("VmHWM:") < idle + MOST, "{} KiB above {idle}", memory("VmHWM:") - idle);
    }
}
