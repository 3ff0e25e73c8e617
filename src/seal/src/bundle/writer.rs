//! Writes a bundle front to back; memory holds one record, and under 256 bytes per file for the manifest.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Seek, Write},
};

use serde::Serialize;
use uuid::Uuid;
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::{
    Absence, BundleFile, ChainTip, Content, Counts, EventRecord, FileRecord, MAX_ENTRIES, MAX_LINE,
    MAX_MANIFEST, Manifest, PayloadInfo, ProofRecord, SignedBatch,
    format::{CHUNKS_CLOSE, CHUNKS_OPEN, FORMAT, VERSION},
};
use crate::{Digest, Error, Result, Sha256Writer, canonical, evidence_key::EvidenceKey};

/// Writes a bundle: all events, then all proofs, batches, time stamps, payloads, then [`BundleWriter::finish`].
///
/// Records are pushed one by one, so that an asynchronous source needs no adapter.
pub struct BundleWriter<W: Write + Seek> {
    zip: ZipWriter<W>,
    open: Option<(BundleFile, Sha256Writer)>,
    section: Section,
    manifest: Manifest,
    last_number: u64,
    /// Payloads described so far, with what their content must be.
    payloads: BTreeMap<Uuid, FileRecord>,
    contents: BTreeSet<Uuid>,
}

/// The parts of a bundle in their order.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Section {
    Events,
    Proofs,
    Batches,
    Stamps,
    Payloads,
}

impl<W: Write + Seek> BundleWriter<W> {
    /// Begins the bundle of a case; `created_at_micros` counts microseconds since 1970-01-01 UTC.
    pub fn new(sink: W, tenant: &str, case_id: Uuid, created_at_micros: i64) -> Result<Self> {
        let mut writer = Self {
            zip: ZipWriter::new(sink),
            open: None,
            section: Section::Events,
            manifest: Manifest {
                format: FORMAT.to_owned(),
                version: VERSION,
                tenant: tenant.to_owned(),
                case_id,
                created_at_micros,
                counts: Counts::default(),
                chain: ChainTip { last_batch: 0, head: Digest::ZERO },
                absent: BTreeMap::new(),
                public_key: String::new(),
                older_keys: Vec::new(),
                files: BTreeMap::new(),
            },
            last_number: 0,
            payloads: BTreeMap::new(),
            contents: BTreeSet::new(),
        };
        writer.start(BundleFile::Events)?;
        Ok(writer)
    }

    /// Adds the next event of the case, by ascending number.
    ///
    /// # Errors
    /// [`Error::BundleLimit`] if its line is longer than [`MAX_LINE`].
    pub fn event(&mut self, record: &EventRecord) -> Result<()> {
        self.enter(Section::Events)?;
        self.ascend(record.number)?;
        self.manifest.counts.events += 1;
        self.manifest.counts.erased += u64::from(matches!(record.content, Content::Erased { .. }));
        self.line(record)
    }

    /// Adds the proof of the next event.
    pub fn proof(&mut self, record: &ProofRecord) -> Result<()> {
        self.enter(Section::Proofs)?;
        self.ascend(record.number)?;
        self.line(record)
    }

    /// Adds the tenant's next batch, from 1 on.
    pub fn batch(&mut self, signed: &SignedBatch) -> Result<()> {
        self.enter(Section::Batches)?;
        let chain = &mut self.manifest.chain;
        if signed.batch.no != chain.last_batch + 1 {
            return Err(Error::BundleOrder);
        }
        *chain = ChainTip { last_batch: signed.batch.no, head: signed.batch.head };
        self.manifest.counts.batches += 1;
        self.line(signed)
    }

    /// Adds the time stamp over the head of batch `no`, by ascending number; `response` is what the authority sent.
    pub fn stamp(&mut self, no: u64, head: &Digest, response: &[u8]) -> Result<()> {
        self.enter(Section::Stamps)?;
        self.ascend(no)?;
        if no > self.manifest.chain.last_batch {
            return Err(Error::BundleOrder);
        }
        self.manifest.counts.stamps += 1;
        self.start_counted(BundleFile::StampedHead(no))?;
        self.write(&head.0)?;
        self.start_counted(BundleFile::Stamp(no))?;
        self.write(response)
    }

    /// Says of a payload that neither digests nor content of it can be put in, or no content.
    pub fn absent(&mut self, id: Uuid, why: Absence) -> Result<()> {
        self.enter(Section::Payloads)?;
        self.manifest.absent.insert(id, why);
        Ok(())
    }

    /// Describes a payload by its digests; `chunks` are the digests of its 64 KiB chunks.
    pub fn payload(&mut self, info: &PayloadInfo, chunks: impl IntoIterator<Item = Digest>) -> Result<()> {
        self.enter(Section::Payloads)?;
        let content = FileRecord { size: info.size, sha256: info.sha256 };
        if self.payloads.insert(info.id, content).is_some() {
            return Err(Error::BundleOrder);
        }
        self.manifest.counts.payloads += 1;
        self.start_counted(BundleFile::PayloadInfo(info.id))?;
        let mut head = canonical::serialize(info)?;
        head.pop();
        head.extend(CHUNKS_OPEN.as_bytes());
        self.write(&head)?;
        for (index, digest) in chunks.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            self.write(format!("{comma}\n\"{digest}\"").as_bytes())?;
        }
        self.write(format!("\n{CHUNKS_CLOSE}\n").as_bytes())
    }

    /// Adds the content of a payload that was described before: write it to the result, then close that.
    pub fn content(&mut self, id: Uuid) -> Result<ContentWriter<'_, W>> {
        self.enter(Section::Payloads)?;
        if !self.payloads.contains_key(&id) || !self.contents.insert(id) {
            return Err(Error::BundleOrder);
        }
        self.manifest.counts.contents += 1;
        self.start_counted(BundleFile::PayloadContent(id))?;
        Ok(ContentWriter { bundle: self, id })
    }

    /// Writes and signs the manifest; returns the sink, which the caller syncs.
    pub fn finish(mut self, key: &EvidenceKey) -> Result<W> {
        self.enter(Section::Payloads)?;
        self.close()?;
        let keys = key.keys()?;
        self.manifest.public_key = keys.current().to_pem()?;
        self.manifest.older_keys = keys.older_pems()?;
        let bytes = canonical::serialize(&self.manifest)?;
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(Error::BundleLimit);
        }
        self.start(BundleFile::Manifest)?;
        self.zip.write_all(&bytes)?;
        self.start(BundleFile::Signature)?;
        self.zip.write_all(&key.sign(&bytes)?.0)?;
        Ok(self.zip.finish()?)
    }

    /// Moves on to a section; those in between are there, but empty.
    fn enter(&mut self, section: Section) -> Result<()> {
        if section < self.section {
            return Err(Error::BundleOrder);
        }
        if self.section < Section::Proofs && section >= Section::Proofs {
            self.start(BundleFile::Proofs)?;
        }
        if self.section < Section::Batches && section >= Section::Batches {
            self.start(BundleFile::Batches)?;
        }
        if section != self.section {
            self.last_number = 0;
            self.section = section;
        }
        Ok(())
    }

    fn ascend(&mut self, number: u64) -> Result<()> {
        if number <= self.last_number {
            return Err(Error::BundleOrder);
        }
        self.last_number = number;
        Ok(())
    }

    fn start_counted(&mut self, file: BundleFile) -> Result<()> {
        self.close()?;
        // This one, the manifest and its signature are still to come.
        if self.manifest.files.len() as u64 + 3 > MAX_ENTRIES {
            return Err(Error::BundleLimit);
        }
        self.start(file)
    }

    fn start(&mut self, file: BundleFile) -> Result<()> {
        self.close()?;
        // ZIP64 sizes from the start: nobody knows yet how long the entry will be. A fixed date, so that equal content
        // makes an equal bundle.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true)
            .last_modified_time(DateTime::default());
        self.zip.start_file(file.to_string(), options)?;
        self.open = Some((file, Sha256Writer::new()));
        Ok(())
    }

    fn close(&mut self) -> Result<Option<FileRecord>> {
        let Some((file, hash)) = self.open.take() else {
            return Ok(None);
        };
        let record = FileRecord { size: hash.size(), sha256: hash.finish() };
        self.manifest.files.insert(file, record);
        Ok(Some(record))
    }

    fn line(&mut self, record: &impl Serialize) -> Result<()> {
        let mut line = canonical::serialize(record)?;
        line.push(b'\n');
        if line.len() > MAX_LINE {
            return Err(Error::BundleLimit);
        }
        self.write(&line)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.zip.write_all(bytes)?;
        if let Some((_, hash)) = &mut self.open {
            hash.update(bytes);
        }
        Ok(())
    }
}

/// Takes the content of one payload; [`ContentWriter::close`] compares it with what was described, and
/// [`ContentWriter::break_off`] says that the rest is lost.
#[must_use = "close() tells whether the content is the right one"]
pub struct ContentWriter<'a, W: Write + Seek> {
    bundle: &'a mut BundleWriter<W>,
    id: Uuid,
}

impl<W: Write + Seek> ContentWriter<'_, W> {
    /// Ends the content.
    ///
    /// # Errors
    /// [`Error::BundleContent`] if it was not the one that its description names: the bundle is wrong then, unless it is
    /// said to be [`Absence::Lost`].
    pub fn close(self) -> Result<()> {
        let written = self.bundle.close()?;
        if written.as_ref() == self.bundle.payloads.get(&self.id) {
            Ok(())
        } else {
            Err(Error::BundleContent(self.id))
        }
    }

    /// Ends the content where it cannot be read any more: the bundle says that the rest is [`Absence::Lost`].
    pub fn break_off(self) -> Result<()> {
        self.bundle.close()?;
        self.bundle.absent(self.id, Absence::Lost)
    }
}

impl<W: Write + Seek> Write for ContentWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bundle.write(bytes).map_err(|error| match error {
            Error::Io(error) => error,
            other => io::Error::other(other),
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
