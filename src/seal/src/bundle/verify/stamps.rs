//! Checks the time stamps as the walk over the batches meets their heads, and counts what each of them proves.

use std::{
    collections::BTreeMap,
    io::{Read, Seek},
};

use super::{FileRecord, Verification, read_small};
use crate::{
    bundle::{BundleFile, Place, Stamped},
    chain::Batch,
    sha256,
    timestamp::{MAX_RESPONSE, check},
};

/// The stamps that the manifest lists, by batch.
#[derive(Default)]
pub(super) struct Stamps {
    stamps: BTreeMap<u64, Stamp>,
    unstamped: u64,
}

/// A stamp, and the proven events whose batches it is the first to cover.
#[derive(Default)]
struct Stamp {
    /// Whether its batch was met.
    met: bool,
    /// See [`Stamped::before_micros`]; absent as long as it is not verified.
    before_micros: Option<i64>,
    events: u64,
    first: u64,
    last: u64,
}

impl Stamps {
    pub(super) fn new<R: Read + Seek>(run: &Verification<'_, R>) -> Self {
        let stamps = run.manifest.files.keys().filter_map(|file| match file {
            BundleFile::Stamp(no) => Some((*no, Stamp::default())),
            _ => None,
        });
        Self { stamps: stamps.collect(), unstamped: 0 }
    }

    /// Counts a proven event of this batch to the stamp that covers it first.
    pub(super) fn count(&mut self, event: u64, batch: u64) {
        let Some((_, stamp)) = self.stamps.range_mut(batch..).next() else {
            self.unstamped += 1;
            return;
        };
        stamp.first = if stamp.events == 0 { event } else { stamp.first };
        stamp.last = event;
        stamp.events += 1;
    }

    /// Checks the stamp over this batch's head, if there is one.
    pub(super) fn check<R: Read + Seek>(&mut self, run: &mut Verification<'_, R>, batch: &Batch) {
        let Some(stamp) = self.stamps.get_mut(&batch.no) else { return };
        stamp.met = true;
        stamp.before_micros = verified(run, batch);
    }

    /// Names stamps without a batch, and reports what the others prove. What a wrong stamp should have covered counts to
    /// the next good one.
    pub(super) fn finish<R: Read + Seek>(self, run: &mut Verification<'_, R>) {
        let mut carried = Stamp::default();
        run.report.stamps_trusted = run.trust.authorities.is_some();
        for (batch, stamp) in self.stamps {
            if !stamp.met && !run.report.blames(BundleFile::Batches) {
                let place = Place::file(BundleFile::Stamp(batch)).batch(batch);
                run.report.find("evidence.stamp-wrong", place, "the stamp is over a batch that is not there");
            }
            carried.add(&stamp);
            if let Some(before_micros) = stamp.before_micros {
                let Stamp { events, first, last, .. } = std::mem::take(&mut carried);
                let stamped = Stamped { batch, before_micros, events, first_event: first, last_event: last };
                run.report.stamps.push(stamped);
                run.report.counts.stamps += 1;
            } else {
                run.report.stamps_trusted = false;
            }
        }
        run.report.stamps_trusted &= !run.report.stamps.is_empty();
        run.report.unstamped_events = self.unstamped + carried.events;
        if run.trust.require_stamps && run.report.unstamped_events > 0 {
            let what = format!("{} events are covered by no time stamp", run.report.unstamped_events);
            run.report.find("evidence.stamp-missing", Place::default(), what);
        }
    }
}

impl Stamp {
    fn add(&mut self, other: &Stamp) {
        if other.events > 0 {
            self.first = if self.events == 0 { other.first } else { self.first };
            self.last = other.last;
            self.events += other.events;
        }
    }
}

/// Until when the head existed, if the stamp over it is good; names what is not.
fn verified<R: Read + Seek>(run: &mut Verification<'_, R>, batch: &Batch) -> Option<i64> {
    let (head_file, file) = (BundleFile::StampedHead(batch.no), BundleFile::Stamp(batch.no));
    let place = |file| Place::file(file).batch(batch.no);
    let head = read(run, head_file, batch.head.0.len() as u64)?;
    if head != batch.head.0 {
        run.report.find(
            "evidence.stamp-wrong",
            place(head_file),
            "these are not the bytes of the batch's head",
        );
        return None;
    }
    let response = read(run, file, MAX_RESPONSE as u64)?;
    match check(&response, &head, run.trust.authorities) {
        Ok(stamp) => Some(stamp.before_micros()),
        Err(error) => {
            run.report.find("evidence.stamp-wrong", place(file), format!("{error} [{}]", error.code()));
            None
        }
    }
}

/// A small file, its digest compared with the listed one.
fn read<R: Read + Seek>(run: &mut Verification<'_, R>, file: BundleFile, limit: u64) -> Option<Vec<u8>> {
    // A missing one was named already.
    run.read(file)?;
    let bytes = read_small(run.archive, file, limit, "evidence.stamp-wrong", run.report)?;
    run.note_digest(file, FileRecord { size: bytes.len() as u64, sha256: sha256(&[&bytes]) });
    run.tick();
    Some(bytes)
}
