//! Payloads: round trips, ranges, damage, erasure, sweeping.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use futures::{Stream, StreamExt};
use model::{Id, PayloadRef};
use proptest::prelude::*;
use store::Work;

use crate::make::TENANT;
use crate::{Bed, on_every_engine};

const CHUNK: usize = 64 * 1024;

/// Bytes that differ from chunk to chunk.
fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8 ^ (at / CHUNK) as u8).collect()
}

async fn put(bed: &Bed, content: &[u8]) -> PayloadRef {
    let mut writer = bed.store.payload_writer(TENANT);
    for piece in content.chunks(50_000) {
        writer.write(piece).await.unwrap();
    }
    let stored = writer.finish().await.unwrap();
    let mut work = Work::new();
    work.insert_payload(TENANT, &stored);
    bed.store.commit(work).await.unwrap();
    stored.reference().clone()
}

async fn gathered(stream: impl Stream<Item = std::io::Result<bytes::Bytes>>) -> Vec<u8> {
    let pieces: Vec<_> = stream.collect().await;
    pieces.into_iter().flat_map(|piece| piece.unwrap()).collect()
}

fn segment(bed: &Bed, id: Id, number: u64) -> PathBuf {
    let name = format!("{id}.{number}");
    bed.payload_files().into_iter().find(|path| path.ends_with(&name)).expect("the segment is there")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_size_comes_back_as_it_was_written() {
    on_every_engine(|bed| async move {
        let sizes = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 8 << 20, (8 << 20) + 1, 20 << 20];
        for size in sizes {
            let content = bytes(size);
            let reference = put(&bed, &content).await;
            assert_eq!(reference.size, size as u64);
            assert_eq!(reference.sha256, seal::sha256(&[&content]).to_string());
            let payload = bed.store.open_payload(TENANT, reference.id).await.unwrap();
            assert_eq!(payload.reference(), reference);
            assert!(gathered(payload.stream(0..u64::MAX)).await == content, "{size} streamed");
            let mut read = Vec::new();
            let mut reader = payload.blocking();
            tokio::task::spawn_blocking(move || {
                reader.read_to_end(&mut read).unwrap();
                assert!(read == content, "{size} read");
            })
            .await
            .unwrap();
            let digests = bed.store.chunk_digests(TENANT, reference.id).await.unwrap();
            assert_eq!(digests.len(), size.div_ceil(CHUNK).max(1));
            assert_eq!(bed.payload_files().is_empty(), size <= CHUNK, "{size} in a row or in files");
        }
        let largest = bed.payload_files();
        assert!(largest.iter().all(|path| fs::metadata(path).unwrap().len() <= 128 * (CHUNK as u64 + 16)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_blocking_writer_makes_the_same_payload() {
    on_every_engine(|bed| async move {
        let content = bytes(3 * CHUNK + 5);
        let expected = put(&bed, &content).await;
        let mut writer = bed.store.payload_writer_blocking(TENANT);
        let stored = tokio::task::spawn_blocking(move || {
            writer.write_all(&content).unwrap();
            writer.finish().unwrap()
        });
        let reference = stored.await.unwrap().reference().clone();
        assert_eq!(
            (reference.size, &reference.sha256, &reference.chunk_root),
            (expected.size, &expected.sha256, &expected.chunk_root)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_cut_at_the_end() {
    on_every_engine(|bed| async move {
        let content = bytes(CHUNK + 10);
        let reference = put(&bed, &content).await;
        let payload = bed.store.open_payload(TENANT, reference.id).await.unwrap();
        assert_eq!(payload.read_at(CHUNK as u64 - 2, 4).await.unwrap(), content[CHUNK - 2..CHUNK + 2]);
        assert_eq!(payload.read_at(CHUNK as u64 + 9, 4).await.unwrap(), content[CHUNK + 9..]);
        assert!(payload.read_at(CHUNK as u64 + 10, 4).await.unwrap().is_empty());
        assert!(payload.read_at(u64::MAX, 4).await.unwrap().is_empty());
        assert!(gathered(payload.stream(u64::MAX..u64::MAX)).await.is_empty());
        #[expect(clippy::reversed_empty_ranges, reason = "it is what is tested")]
        let reversed = payload.stream(9..3);
        assert!(gathered(reversed).await.is_empty());
    })
    .await;
}

#[test]
fn any_range_of_a_payload_is_that_range_of_its_bytes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bed = runtime.block_on(Bed::new(None));
    let content = bytes(9 * (1 << 20));
    let reference = runtime.block_on(put(&bed, &content));
    let payload = runtime.block_on(bed.store.open_payload(TENANT, reference.id)).unwrap();
    let size = content.len();
    proptest!(ProptestConfig::with_cases(64), |(start in 0..size + 9, len in 0..3 * CHUNK)| {
        let end = (start + len).min(size);
        let expected = content.get(start..end).unwrap_or_default();
        let range = start as u64..(start + len) as u64;
        prop_assert!(runtime.block_on(payload.read_at(range.start, len)).unwrap() == expected);
        prop_assert!(runtime.block_on(gathered(payload.stream(range))) == expected);
        let mut reader = payload.blocking();
        reader.seek(SeekFrom::Start(start as u64)).unwrap();
        let mut read = Vec::new();
        reader.take(len as u64).read_to_end(&mut read).unwrap();
        prop_assert!(read == expected);
    });
    runtime.block_on(bed.store.close());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_is_found_and_only_in_its_chunk() {
    on_every_engine(|bed| async move {
        let reference = put(&bed, &bytes(3 * CHUNK)).await;
        let path = segment(&bed, reference.id, 0);
        let mut sealed = fs::read(&path).unwrap();
        sealed[CHUNK + 16 + 5] ^= 1;
        fs::write(&path, sealed).unwrap();
        let payload = bed.store.open_payload(TENANT, reference.id).await.unwrap();
        assert!(payload.read_at(0, CHUNK).await.is_ok());
        assert_eq!(payload.read_at(CHUNK as u64, 1).await.unwrap_err().code(), "store.corrupt");
        assert!(payload.read_at(2 * CHUNK as u64, CHUNK).await.is_ok());
        let pieces: Vec<_> = payload.stream(0..u64::MAX).collect().await;
        assert!(pieces.last().unwrap().is_err(), "a stream ends with the error");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_or_missing_segment_is_found() {
    on_every_engine(|bed| async move {
        let reference = put(&bed, &bytes((8 << 20) + 2 * CHUNK)).await;
        let path = segment(&bed, reference.id, 1);
        let sealed = fs::read(&path).unwrap();
        let payload = bed.store.open_payload(TENANT, reference.id).await.unwrap();
        let read = async || payload.read_at((8 << 20) + CHUNK as u64, 1).await.map_err(|error| error.code());
        assert!(read().await.is_ok());
        // Cut at a whole chunk: what is left has valid tags.
        fs::write(&path, &sealed[..CHUNK + 16]).unwrap();
        assert_eq!(read().await, Err("store.corrupt"));
        fs::remove_file(&path).unwrap();
        assert_eq!(read().await, Err("store.corrupt"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_chunk_digests_are_found() {
    on_every_engine(|bed| async move {
        let reference = put(&bed, &bytes(3 * CHUNK)).await;
        let path = segment(&bed, reference.id, 0).with_extension("digests");
        let mut digests = fs::read(&path).unwrap();
        digests[40] ^= 1;
        fs::write(&path, digests).unwrap();
        let error = bed.store.chunk_digests(TENANT, reference.id).await.unwrap_err();
        assert_eq!(error.code(), "store.corrupt");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_given_up_leaves_no_file() {
    on_every_engine(|bed| async move {
        let content = bytes(9 << 20);
        let mut writer = bed.store.payload_writer(TENANT);
        writer.write(&content).await.unwrap();
        assert!(!bed.payload_files().is_empty());
        writer.abort().await.unwrap();
        assert_eq!(bed.payload_files(), Vec::<PathBuf>::new());

        let mut blocking = bed.store.payload_writer_blocking(TENANT);
        blocking.write_all(&content).unwrap();
        drop(blocking);
        assert_eq!(bed.payload_files(), Vec::<PathBuf>::new());

        let mut dropped = bed.store.payload_writer(TENANT);
        dropped.write(&content).await.unwrap();
        drop(dropped);
        while !bed.payload_files().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_payload_can_be_read_and_discarded_before_its_row_is_written() {
    on_every_engine(|bed| async move {
        for size in [10, 2 * CHUNK] {
            let mut writer = bed.store.payload_writer(TENANT);
            writer.write(&bytes(size)).await.unwrap();
            let stored = writer.finish().await.unwrap();
            let payload = bed.store.open_stored(TENANT, &stored).unwrap();
            assert_eq!(payload.read_at(0, size).await.unwrap(), bytes(size));
            assert_eq!(bed.store.open_stored("lippstadt", &stored).err().unwrap().code(), "key.wrap");
            bed.store.discard(stored).await;
            assert_eq!(bed.payload_files(), Vec::<PathBuf>::new());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_cannot_open_or_erase() {
    on_every_engine(|bed| async move {
        let reference = put(&bed, b"content").await;
        let other = "lippstadt";
        assert_eq!(
            bed.store.open_payload(other, reference.id).await.err().unwrap().code(),
            "store.not-found"
        );
        assert_eq!(bed.store.erase_payload(other, reference.id).await.unwrap_err().code(), "store.not-found");
        assert!(bed.store.chunk_digests(other, reference.id).await.is_err());
        assert!(bed.store.open_payload(TENANT, reference.id).await.is_ok());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_payload_is_unreadable_and_its_digests_remain() {
    on_every_engine(|bed| async move {
        for size in [100, 3 * CHUNK] {
            let reference = put(&bed, &bytes(size)).await;
            let digests = bed.store.chunk_digests(TENANT, reference.id).await.unwrap();
            bed.store.erase_payload(TENANT, reference.id).await.unwrap();
            bed.store.erase_payload(TENANT, reference.id).await.unwrap();
            let error = bed.store.open_payload(TENANT, reference.id).await.err().unwrap();
            assert_eq!(error.code(), "store.erased");
            assert_eq!(bed.store.chunk_digests(TENANT, reference.id).await.unwrap(), digests);
        }
        assert!(bed.payload_files().iter().all(|path| path.extension().unwrap() == "digests"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_removes_old_files_without_a_row_and_nothing_else() {
    on_every_engine(|bed| async move {
        let kept = put(&bed, &bytes(2 * CHUNK)).await;
        let erased = put(&bed, &bytes(2 * CHUNK)).await;
        let left = segment(&bed, erased.id, 0);
        let copy = fs::read(&left).unwrap();
        bed.store.erase_payload(TENANT, erased.id).await.unwrap();
        // As if the process had died between the row and the file.
        fs::write(&left, copy).unwrap();
        let mut orphan = bed.store.payload_writer(TENANT);
        orphan.write(&bytes(2 * CHUNK)).await.unwrap();
        drop(orphan.finish().await.unwrap());
        let foreign = bed.payload_folder().join("00/readme.txt");
        fs::write(&foreign, "x").unwrap();

        let young = bed.store.sweep(Duration::from_secs(3600)).await.unwrap();
        assert_eq!((young.files, young.removed), (0, 0), "young files may still get their row");
        // The files have the machine's time, which went on while they were written.
        bed.clock.advance(Duration::from_secs(2 * 3600));
        let swept = bed.store.sweep(Duration::from_secs(3600)).await.unwrap();
        assert_eq!(swept.removed, 3, "segment and digests of the orphan, segment of the erased one");
        assert!(foreign.exists());
        let payload = bed.store.open_payload(TENANT, kept.id).await.unwrap();
        assert_eq!(payload.read_at(0, 2 * CHUNK).await.unwrap(), bytes(2 * CHUNK));
        assert!(bed.store.chunk_digests(TENANT, erased.id).await.is_ok());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_content_lies_readable_on_the_disk() {
    on_every_engine(|bed| async move {
        let secret = b"Antragstellerin Beispiel ".repeat(8_000);
        put(&bed, &secret).await;
        put(&bed, &secret[..900]).await;
        let mut files = bed.payload_files();
        files.extend(
            fs::read_dir(bed.folder.path()).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_file()),
        );
        for file in files {
            let bytes = fs::read(&file).unwrap();
            assert!(!bytes.windows(14).any(|window| window == b"Antragstelleri"), "{}", file.display());
        }
    })
    .await;
}
