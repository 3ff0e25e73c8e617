//! Walks the tenant's batches: each continues the one before, has its own head, and is signed.

use std::io::{Read, Seek};

use super::{Verification, stamps::Stamps};
use crate::{
    Digest,
    bundle::{BundleFile, Place, SignedBatch, archive::EntryReader, lines::Records},
    chain::{Batch, Fault, SignedBy},
    evidence_key::{EvidenceKeys, EvidencePublicKey},
};

const FILE: BundleFile = BundleFile::Batches;

/// The batches from 1 on, one at a time.
pub(super) struct BatchWalk<'a, R> {
    records: Option<Records<EntryReader<'a, R>, SignedBatch>>,
    /// The batch read last; `None` before the first and after an unreadable line.
    current: Option<Batch>,
    /// Whether the current batch's root can be relied on.
    sound: bool,
    /// The number that the next batch must have.
    expected: u64,
    /// The time stamps over heads.
    pub(super) stamps: Stamps,
}

/// What the walk can say about a batch.
pub(super) enum Found<'b> {
    /// The batch; its root can be relied on.
    Batch(&'b Batch),
    /// There is something wrong with the batches, which was named already.
    Broken,
    /// The chain is whole so far and has no such batch (any more).
    Absent,
}

impl<'a, R: Read + Seek> BatchWalk<'a, R> {
    pub(super) fn new(run: &Verification<'a, R>) -> Self {
        let stamps = Stamps::new(run);
        Self { records: run.read(FILE).map(Records::new), current: None, sound: false, expected: 1, stamps }
    }

    /// Goes on to the batch with this number; numbers must ascend from call to call.
    pub(super) fn find(&mut self, run: &mut Verification<'a, R>, no: u64) -> Found<'_> {
        while self.current.as_ref().is_none_or(|batch| batch.no < no) && self.step(run) {}
        match &self.current {
            Some(batch) if batch.no == no && self.sound => Found::Batch(batch),
            _ if self.records.is_none() || run.report.blames(FILE) => Found::Broken,
            _ => Found::Absent,
        }
    }

    /// Reads all batches that are left and compares the last one with the manifest.
    pub(super) fn finish(mut self, run: &mut Verification<'a, R>) {
        if self.records.is_none() {
            return;
        }
        while self.step(run) {}
        std::mem::take(&mut self.stamps).finish(run);
        let tip = run.manifest.chain;
        let (no, head) = self.current.map_or((0, Digest::ZERO), |batch| (batch.no, batch.head));
        run.report.last_batch = no;
        let whole = run.report.counts.batches == run.manifest.counts.batches;
        if whole && (no, head) != (tip.last_batch, tip.head) && !run.report.blames(FILE) {
            let place = Place::line(FILE, run.report.counts.batches).batch(no);
            run.report.find(
                "evidence.batch-changed",
                place,
                "the last batch is not the one that the manifest names",
            );
        }
    }

    /// Reads and checks one batch; `false` at the end.
    fn step(&mut self, run: &mut Verification<'a, R>) -> bool {
        let Some(line) = self.records.as_mut().and_then(Records::next) else {
            return false;
        };
        run.report.counts.batches += 1;
        run.tick();
        let previous = self.current.take();
        let place = Place::line(FILE, line.number);
        match line.record {
            Ok(signed) => {
                let judged = self.judge(&run.manifest.tenant, run.keys, previous.as_ref(), &signed);
                self.sound = judged.is_ok();
                match judged {
                    Ok(key) => {
                        SignedBy::count(&mut run.report.signed_by, key, signed.batch.no);
                        self.stamps.check(run, &signed.batch);
                    }
                    Err((code, what)) => run.report.find(code, place.batch(signed.batch.no), what),
                }
                self.expected = signed.batch.no.saturating_add(1);
                self.current = Some(signed.batch);
            }
            Err(fault) => {
                run.report.find(fault.code(), place.batch(self.expected), "the line is not a batch's record");
                self.expected += 1;
            }
        }
        true
    }
}

impl<R> BatchWalk<'_, R> {
    /// The key that signed a batch, or what is wrong with it.
    fn judge<'k>(
        &self,
        tenant: &str,
        keys: &'k EvidenceKeys,
        previous: Option<&Batch>,
        signed: &SignedBatch,
    ) -> Result<&'k EvidencePublicKey, Fault> {
        let key = signed.signer(tenant, keys, self.expected)?;
        // Where the line before was unreadable, that is named already.
        let fault = match previous {
            None if self.expected > 1 => None,
            previous => signed.batch.break_after(previous, self.sound),
        };
        fault.map_or(Ok(key), Err)
    }
}
