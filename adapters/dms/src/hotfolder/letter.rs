//! The message that tells of a document: Informationsaustausch.Schriftgut.0101 (xdomea, group 01), since the system keeps its own copy
//! and nothing is handed over for good. It holds the case file or case as far down as the document, with all that describes
//! them, and of the document the one file that is new.

use std::fs::File;
use std::io::{BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::adapter::About;
use model::case::Document;
use model::exchange::ExchangeKind;
use model::standard::{Outgoing, OutgoingContent, Records, Sequence, Standard, Written};
use model::{Failure, Id, PayloadRef, Record, RecordKind, Timestamp, ids};
use tokio::task::spawn_blocking;

use super::Told;
use super::folder::{self, unreadable, unwritable};
use crate::failure;

/// A message to be written.
pub(super) struct Letter<'a> {
    pub(super) told: &'a Told,
    pub(super) about: &'a About,
    /// The delivery: it names the process, so that the same delivery always makes the same message.
    pub(super) id: Id,
    pub(super) now: Timestamp,
}

impl Letter<'_> {
    /// Writes it into a file of its own, durably; `content` holds the bytes of the document's file.
    pub(super) async fn write(
        &self,
        standard: &Arc<dyn Standard>,
        content: &Path,
        target: &Path,
    ) -> Result<Written, Failure> {
        let message = self.message();
        let mut chain = Chain::of(self.about, content)?;
        let (standard, target) = (Arc::clone(standard), target.to_owned());
        let write = move || {
            let mut out = BufWriter::new(File::create(&target).map_err(unwritable)?);
            let written = standard.write(&message, &mut chain, &mut out)?;
            out.flush().map_err(unwritable)?;
            out.into_inner()
                .map_err(|error| unwritable(error.into_error()))?
                .sync_all()
                .map_err(unwritable)?;
            match folder::is_name(&written.file_name) {
                true => Ok(written),
                false => Err(failure::refused("the standard names no file")),
            }
        };
        spawn_blocking(write).await.map_err(|_| failure::unavailable())?
    }

    fn message(&self) -> Outgoing {
        Outgoing {
            content: OutgoingContent::Records(ExchangeKind::Submission),
            version: self.told.version.clone(),
            process_id: self.id,
            sender: self.told.sender.clone(),
            recipient: self.told.recipient.clone(),
            created_at: self.now,
            message_id: ids::derived_id(self.id, "message"),
            sequence: Sequence::default(),
            wants_receipt: false,
            wants_archive_references: false,
            answers: None,
            answers_id: None,
        }
    }
}

/// The document and what it lies in: each holds the next.
struct Chain {
    /// Outermost first.
    records: Vec<Record>,
    content: PathBuf,
}

impl Chain {
    fn of(about: &About, content: &Path) -> Result<Self, Failure> {
        let (Record::Document(document), Some(file)) = (&about.record, about.files.first()) else {
            return Err(failure::refused("only files of documents are told"));
        };
        let mut versions = document.versions.clone();
        versions.retain(|version| version.number == file.version);
        for version in &mut versions {
            version.files = vec![file.file.clone()];
        }
        let document = Document { versions, ..document.clone() };
        let records = about.above.iter().cloned().chain([Record::Document(document)]).collect();
        Ok(Chain { records, content: content.to_owned() })
    }

    fn place(&self, id: Id) -> Option<usize> {
        self.records.iter().position(|record| record.meta().id == id)
    }
}

impl Records for Chain {
    fn roots(&mut self) -> Vec<Id> {
        self.records.first().map(|record| record.meta().id).into_iter().collect()
    }

    fn record(&mut self, id: Id) -> Result<Record, Failure> {
        let place = self.place(id).ok_or_else(|| failure::refused("a record is missing"))?;
        Ok(self.records[place].clone())
    }

    fn children(&mut self, id: Id) -> Result<Vec<(RecordKind, Id)>, Failure> {
        let next = self.place(id).and_then(|place| self.records.get(place + 1));
        Ok(next.map(|record| (record.kind(), record.meta().id)).into_iter().collect())
    }

    fn open(&mut self, _: &PayloadRef) -> Result<Box<dyn Read + '_>, Failure> {
        Ok(Box::new(File::open(&self.content).map_err(unreadable)?))
    }
}
