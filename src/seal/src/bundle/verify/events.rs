//! Walks events, proofs and batches side by side: each event's digest must be proven by a batch.
//!
//! Event and proof find each other by the event's number, so that one lost or damaged line does not condemn the rest.

use std::io::{Read, Seek};

use super::{
    Verification,
    batches::{BatchWalk, Found},
    payloads::Payloads,
};
use crate::{
    bundle::{
        Absence, BundleFile, Content, EventRecord, Place, ProofRecord, archive,
        format::payloads_of,
        lines::{Line, Records},
    },
    merkle,
};

const EVENTS: BundleFile = BundleFile::Events;
const PROOFS: BundleFile = BundleFile::Proofs;

/// Checks every event, and every batch on the way.
pub(super) fn walk<'a, R: Read + Seek>(run: &mut Verification<'a, R>, payloads: &mut Payloads) {
    let mut batches = BatchWalk::new(run);
    let mut proofs = ProofWalk::new(run);
    if let Some(events) = run.read(EVENTS) {
        let mut events = Records::<_, EventRecord>::new(events);
        let mut last = 0;
        while let Some(line) = events.next() {
            run.report.counts.events += 1;
            run.tick();
            let place = Place::line(EVENTS, line.number);
            let event = match line.record {
                Ok(event) if event.number > last => event,
                Ok(event) => {
                    let what = "the event's number does not ascend";
                    run.report.find("evidence.order", place.event(event.number), what);
                    continue;
                }
                Err(fault) => {
                    run.report.find(fault.code(), place, "the line is not an event's record");
                    proofs.unmatched_events += 1;
                    continue;
                }
            };
            last = event.number;
            if matches!(event.content, Content::Erased { .. }) {
                run.report.counts.erased += 1;
                run.report.note_erased_event(event.number);
            }
            let place = place.event(event.number);
            if is_proven(run, &mut proofs, &mut batches, &event, place) {
                check_payloads(run, payloads, &event, place);
            }
        }
    }
    proofs.finish(run);
    batches.finish(run);
}

/// Whether nothing speaks against the event; names what does.
fn is_proven<'a, R: Read + Seek>(
    run: &mut Verification<'a, R>,
    proofs: &mut ProofWalk<'a, R>,
    batches: &mut BatchWalk<'a, R>,
    event: &EventRecord,
    place: Place,
) -> bool {
    let Some((proof_line, proof)) = proofs.find(run, event.number, place) else {
        return true;
    };
    let proof_place = Place::line(PROOFS, proof_line).event(event.number);
    let batch = match batches.find(run, proof.batch) {
        Found::Batch(batch) => batch,
        Found::Broken => return true,
        Found::Absent => {
            run.report.find("evidence.proof-wrong", proof_place, "the proof names a batch that is not there");
            return false;
        }
    };
    let fits = event.number.checked_sub(batch.first) == Some(proof.index) && event.number <= batch.last;
    if !fits {
        let what = "the event's number does not stand at this place of the batch";
        run.report.find("evidence.proof-wrong", proof_place.batch(proof.batch), what);
        return false;
    }
    let leaf = event.entry().map(|entry| entry.leaf());
    let size = batch.size();
    if leaf.is_ok_and(|leaf| merkle::proves(&leaf, proof.index, size, &proof.path, &batch.root)) {
        batches.stamps.count(event.number, proof.batch);
        return true;
    }
    if run.only_changed(PROOFS) {
        let what = "the proof does not lead from the event to the batch's root";
        run.report.find("evidence.proof-wrong", proof_place.batch(proof.batch), what);
    } else {
        let what = "the event is not the one that was sealed";
        run.report.find("evidence.event-changed", place.batch(proof.batch), what);
    }
    false
}

/// Compares the payloads that an event names with their files.
fn check_payloads<R>(
    run: &mut Verification<'_, R>,
    payloads: &mut Payloads,
    event: &EventRecord,
    place: Place,
) {
    let number = event.number;
    let Content::Full { event, .. } = &event.content else {
        return;
    };
    let Some(named) = payloads_of(event) else {
        run.report.find("evidence.payload-invalid", place, "the event names a payload without its digests");
        return;
    };
    for info in named {
        match payloads.get_mut(&info.id) {
            None if run.manifest.absent.get(&info.id) == Some(&Absence::Lost) => {
                let what = "the gateway had lost content and digests of a payload that the event names";
                run.report.find("evidence.content-lost", place, what);
            }
            None => {
                run.report.find("evidence.payload-missing", place, "the event names a payload without a file")
            }
            // Its file is damaged, which was named already.
            Some(None) => {}
            Some(Some(payload)) => {
                payload.is_named = true;
                if payload.info != info {
                    // The event is proven, so the payload's file is the wrong one.
                    let place = Place::line(BundleFile::PayloadInfo(info.id), 1).event(number);
                    run.report.find(
                        "evidence.payload-differs",
                        place,
                        "the event names other digests of this payload",
                    );
                }
            }
        }
    }
}

/// The proofs, one at a time.
struct ProofWalk<'a, R> {
    records: Option<Records<archive::EntryReader<'a, R>, ProofRecord>>,
    next: Option<(u64, ProofRecord)>,
    last: u64,
    /// Proof lines that were named as wrong; the events that they belonged to will have no proof.
    unmatched_proofs: u64,
    /// Event lines that were named as wrong; their proofs will have no event.
    unmatched_events: u64,
}

impl<'a, R: Read + Seek> ProofWalk<'a, R> {
    fn new(run: &Verification<'a, R>) -> Self {
        let records = run.read(PROOFS).map(Records::new);
        Self { records, next: None, last: 0, unmatched_proofs: 0, unmatched_events: 0 }
    }

    /// The proof of the event `number`, which stands at `place`, and the proof's line. Names what is missing.
    fn find(
        &mut self,
        run: &mut Verification<'a, R>,
        number: u64,
        place: Place,
    ) -> Option<(u64, ProofRecord)> {
        loop {
            let Some((line, proof)) = self.next.take().or_else(|| self.step(run)) else {
                // The end: the count of lines tells how many proofs are missing.
                return None;
            };
            if proof.number == number {
                return Some((line, proof));
            }
            if proof.number > number {
                self.next = Some((line, proof));
                self.name_missing_proof(run, line, place.event(number));
                return None;
            }
            self.name_missing_event(run, line, place.event(proof.number));
        }
    }

    /// The event at `place` has no proof; the next one stands in `line`.
    fn name_missing_proof(&mut self, run: &mut Verification<'a, R>, line: u64, place: Place) {
        if self.unmatched_proofs > 0 {
            self.unmatched_proofs -= 1;
        } else if run.only_changed(EVENTS) {
            run.report.find(
                "evidence.event-changed",
                place,
                "no event of this number was sealed for the case",
            );
            self.unmatched_events += 1;
        } else {
            let place = Place { file: Some(PROOFS), line: Some(line), ..place };
            run.report.find("evidence.proof-missing", place, "the event's proof should stand here");
        }
    }

    /// The proof in `line` has no event; it should stand at `place`.
    fn name_missing_event(&mut self, run: &mut Verification<'a, R>, line: u64, place: Place) {
        if self.unmatched_events > 0 {
            self.unmatched_events -= 1;
        } else if run.only_changed(PROOFS) {
            let place = Place { file: Some(PROOFS), line: Some(line), ..place };
            run.report.find("evidence.proof-wrong", place, "the proof belongs to no event of the case");
            self.unmatched_proofs += 1;
        } else {
            run.report.find("evidence.event-missing", place, "an event that has a proof should stand here");
        }
    }

    /// Reads the proofs that are left, to count them.
    fn finish(mut self, run: &mut Verification<'a, R>) {
        while self.step(run).is_some() {}
    }

    /// The next readable proof and its line.
    fn step(&mut self, run: &mut Verification<'a, R>) -> Option<(u64, ProofRecord)> {
        loop {
            let Line { number: line, record } = self.records.as_mut()?.next()?;
            run.report.proofs += 1;
            let place = Place::line(PROOFS, line);
            match record {
                Ok(proof) if proof.number > self.last => {
                    self.last = proof.number;
                    return Some((line, proof));
                }
                Ok(proof) => {
                    let what = "the proof's number does not ascend";
                    run.report.find("evidence.order", place.event(proof.number), what);
                }
                Err(fault) => {
                    run.report.find(fault.code(), place, "the line is not a proof's record");
                    self.unmatched_proofs += 1;
                }
            }
        }
    }
}
