//! The evidence of a case as a bundle that an auditor verifies without the gateway.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::time::Duration;

use model::rights::Action;
use model::{Actor, Caller, Event, EventKind, Id, PayloadRef, Scope};
use seal::Digest;
use seal::bundle::{Absence, BundleWriter, Content, EventRecord, PayloadInfo, ProofRecord};
use seal::chain::{self, SignedBatch};
use seal::evidence_key::{EvidenceKeys, EvidencePublicKey};
use seal::payload::{CHUNK, Digester};
use seal::timestamp::Authorities;
use store::{Payload, Store, Work};
use tokio::runtime::Handle;

use crate::{Broker, Error, blocking};

/// Rows fetched at once.
pub(crate) const PAGE: u32 = 200;

/// How long an export waits for another node that seals: at most five seconds.
const SEAL_ATTEMPTS: u32 = 100;
const SEAL_PAUSE: Duration = Duration::from_millis(50);

impl Broker {
    /// Writes the evidence bundle of the tree whose topmost record is `root` into `file`. What happened
    /// up to this moment is sealed first, so that the bundle is complete.
    ///
    /// # Errors
    /// `NotFound` if the caller may not see the record.
    pub async fn export_evidence(
        &self,
        caller: &Caller,
        root: Id,
        file: File,
        with_content: bool,
    ) -> Result<File, Error> {
        let scope = caller.may(Action::ReadEvidence)?.clone();
        let root = self.owned_any(&scope, root).await?.meta().root;
        self.owned_any(&scope, root).await?;
        // The export itself comes behind the tip: a bundle that says "somebody is exporting me" could never be covered by
        // a time stamp.
        self.seal_now(&scope.tenant).await?;
        let tip = self.tip(&scope.tenant).await?;
        self.note_export(caller, root, with_content).await?;
        // Whoever may prove a tree may prove all of it: a bundle never leaves out what another unit did.
        let scope = Scope::tenant(&scope.tenant);
        let broker = self.clone();
        let (store, runtime) = (self.store().clone(), Handle::current());
        let export = Export { store, runtime, scope, root, tip };
        blocking(move || {
            let now = broker.now().micros();
            let writer = BundleWriter::new(file, &export.scope.tenant, root, now)?;
            export.run(writer, with_content)?.finish(&broker.parts.evidence_key).map_err(Error::from)
        })
        .await
    }

    async fn note_export(&self, caller: &Caller, root: Id, with_content: bool) -> Result<(), Error> {
        let kind = EventKind::EvidenceExported;
        let detail = serde_json::json!({ "withContent": with_content });
        let event = self.audit(&caller.scope.tenant, kind, &caller.actor, detail);
        let mut work = Work::new();
        work.insert_event(&Event { case_id: Some(root), ..event });
        Ok(self.store().commit(work).await?)
    }

    /// Returns once everything that has happened so far is sealed, by us or by whoever holds the lease.
    pub(crate) async fn seal_now(&self, tenant: &str) -> Result<(), Error> {
        for _ in 0..SEAL_ATTEMPTS {
            self.seal(tenant).await?;
            if !self.store().unsealed_tenants().await?.iter().any(|unsealed| unsealed == tenant) {
                break;
            }
            tokio::time::sleep(SEAL_PAUSE).await;
        }
        Ok(())
    }

    /// Seals what waits. If another key signed the end of the chain, that this one does so from now on is sealed with it.
    pub(crate) async fn seal(&self, tenant: &str) -> Result<(), Error> {
        let mut noted = self.key_noted.lock().await;
        if !noted.contains(tenant) {
            self.note_key(tenant).await?;
            noted.insert(tenant.to_owned());
        }
        drop(noted);
        self.store().seal(tenant, &self.parts.evidence_key).await?;
        Ok(())
    }

    async fn note_key(&self, tenant: &str) -> Result<(), Error> {
        let Some(last) = self.store().last_batch(tenant).await? else { return Ok(()) };
        let keys = self.evidence_keys()?;
        let before = keys.signer(&last.batch.head.0, &last.signature).map(EvidencePublicKey::fingerprint);
        let now = keys.current().fingerprint();
        if before == Some(now) {
            return Ok(());
        }
        let detail = serde_json::json!({ "from": before, "to": now });
        let mut work = Work::new();
        work.insert_event(&self.audit(tenant, EventKind::EvidenceKeyChanged, &Actor::gateway(), detail));
        Ok(self.store().commit(work).await?)
    }

    /// The last batch of the chain now, and the number of its last event: what comes later is not in
    /// the bundle.
    async fn tip(&self, tenant: &str) -> Result<Tip, Error> {
        let last = self.store().last_batch(tenant).await?;
        Ok(last.map_or(Tip { batch: 0, number: 0 }, |last| Tip {
            batch: last.batch.no,
            number: last.batch.last,
        }))
    }

    /// Checks everything that is kept of the tenant's chain, see [`ChainReport`](store::ChainReport).
    ///
    /// # Errors
    /// `Forbidden`, or if the store cannot be asked.
    pub async fn check_chain(
        &self,
        caller: &Caller,
        authorities: Option<&Authorities>,
    ) -> Result<store::ChainReport, Error> {
        let tenant = &caller.may(Action::ReadEvidence)?.tenant;
        let configured = self.parts.stamping.as_ref().map(|stamping| &stamping.authorities);
        let keys = self.evidence_keys()?;
        Ok(self.store().check_chain(tenant, &keys, authorities.or(configured)).await?)
    }

    /// The public keys that batches and bundles are signed with: the one that signs now, and those before it.
    ///
    /// # Errors
    /// If the key cannot be read.
    pub fn evidence_keys(&self) -> Result<EvidenceKeys, Error> {
        Ok(self.parts.evidence_key.keys()?)
    }
}

/// One export, on a blocking thread: events, proofs, batches, payloads, each streamed.
struct Export {
    store: Store,
    runtime: Handle,
    scope: Scope,
    root: Id,
    tip: Tip,
}

/// How far the chain reaches in a bundle.
#[derive(Clone, Copy)]
struct Tip {
    batch: u64,
    number: u64,
}

impl Export {
    fn run(&self, mut bundle: BundleWriter<File>, with_content: bool) -> Result<BundleWriter<File>, Error> {
        let mut payloads = BTreeMap::new();
        self.each_event(|event| {
            for payload in payloads_of(event) {
                payloads.insert(payload.id, payload);
            }
            Ok(bundle.event(event)?)
        })?;
        let batches = self.proofs(&mut bundle)?;
        self.each_batch(|batch| Ok(bundle.batch(batch)?))?;
        self.stamps(&mut bundle, &batches)?;
        for payload in payloads.values() {
            self.payload(&mut bundle, payload, with_content)?;
        }
        Ok(bundle)
    }

    fn each_event(&self, mut then: impl FnMut(&EventRecord) -> Result<(), Error>) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let events = self.store.case_events(&self.scope, self.root, after, PAGE);
            let events = self.runtime.block_on(events)?;
            let Some(last) = events.last() else { return Ok(()) };
            after = last.number;
            events.iter().filter(|event| event.number <= self.tip.number).try_for_each(&mut then)?;
        }
    }

    fn each_batch(&self, mut then: impl FnMut(&SignedBatch) -> Result<(), Error>) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let batches = self.runtime.block_on(self.store.batches(&self.scope.tenant, after, PAGE))?;
            let Some(last) = batches.last() else { return Ok(()) };
            after = last.batch.no;
            batches.iter().filter(|signed| signed.batch.no <= self.tip.batch).try_for_each(&mut then)?;
        }
    }

    /// Events and batches both ascend, so one walk over the batches meets every event. Returns the batches that hold one.
    fn proofs(&self, bundle: &mut BundleWriter<File>) -> Result<Vec<u64>, Error> {
        let (mut numbers, mut batches) = (vec![], vec![]);
        self.each_event(|event| {
            numbers.push(event.number);
            Ok(())
        })?;
        let mut numbers = numbers.into_iter().peekable();
        self.each_batch(|signed| {
            let batch = &signed.batch;
            if numbers.peek().is_none_or(|number| *number > batch.last) {
                return Ok(());
            }
            batches.push(batch.no);
            let entries = self.store.chain_entries(&self.scope.tenant, batch.first, batch.last);
            let tree = chain::tree(&self.runtime.block_on(entries)?);
            while let Some(number) = numbers.next_if(|number| *number <= batch.last) {
                let index = number - batch.first;
                let path = tree.proof(index).ok_or(Error::Internal)?;
                bundle.proof(&ProofRecord { number, batch: batch.no, index, path })?;
            }
            Ok(())
        })?;
        Ok(batches)
    }

    /// For each of these batches the first stamp that covers it.
    fn stamps(&self, bundle: &mut BundleWriter<File>, batches: &[u64]) -> Result<(), Error> {
        let tenant = &self.scope.tenant;
        let mut covered = 0;
        for no in batches {
            if *no <= covered {
                continue;
            }
            let stamps = self.runtime.block_on(self.store.stamps(tenant, *no, 1))?;
            let Some(stamp) = stamps.first().filter(|stamp| stamp.batch_no <= self.tip.batch) else { break };
            covered = stamp.batch_no;
            let batches = self.runtime.block_on(self.store.batches(tenant, covered - 1, 1))?;
            if let Some(signed) = batches.first().filter(|signed| signed.batch.no == covered) {
                bundle.stamp(covered, &signed.batch.head, &stamp.response)?;
            }
        }
        Ok(())
    }

    /// What cannot be read any more is said to be lost: evidence that says so is worth more than none.
    fn payload(
        &self,
        bundle: &mut BundleWriter<File>,
        payload: &PayloadInfo,
        with_content: bool,
    ) -> Result<(), Error> {
        let opened = match self.runtime.block_on(self.store.open_payload(&self.scope.tenant, payload.id)) {
            Ok(opened) => Some(opened),
            // Erased content is missing on purpose; its digests still prove what it was.
            Err(store::Error::Erased) => {
                bundle.absent(payload.id, Absence::Erased)?;
                None
            }
            Err(error) if is_loss(&error) => None,
            Err(error) => return Err(error.into()),
        };
        let Some(chunks) = self.chunks(payload, opened.as_ref())? else {
            tracing::error!(payload = %payload.id, "the digests of a payload are lost");
            return Ok(bundle.absent(payload.id, Absence::Lost)?);
        };
        bundle.payload(payload, chunks.into_iter().map(Digest))?;
        let Some(opened) = opened.filter(|_| with_content) else { return Ok(()) };
        let mut content = bundle.content(payload.id)?;
        let closed =
            if copy(&mut opened.blocking(), &mut content)? { content.close() } else { content.break_off() };
        match closed {
            // Bytes that can be read but are others than those that were taken in.
            Err(seal::Error::BundleContent(id)) => Ok(bundle.absent(id, Absence::Lost)?),
            closed => Ok(closed?),
        }
    }

    /// The digests of the payload's chunks as they were recorded; computed anew if the record is lost but the content is
    /// not. `None` if both are.
    fn chunks(
        &self,
        payload: &PayloadInfo,
        opened: Option<&Payload>,
    ) -> Result<Option<Vec<[u8; 32]>>, Error> {
        match self.runtime.block_on(self.store.chunk_digests(&self.scope.tenant, payload.id)) {
            Ok(chunks) => return Ok(Some(chunks)),
            Err(error) if is_loss(&error) => {}
            Err(error) => return Err(error.into()),
        }
        let Some(opened) = opened else { return Ok(None) };
        let mut digester = Digesting(Digester::new());
        if !copy(&mut opened.blocking(), &mut digester)? {
            return Ok(None);
        }
        let (digest, chunks) = digester.0.finish();
        let is_it = digest.chunk_root == payload.chunk_root;
        Ok(is_it.then(|| chunks.into_iter().map(|digest| digest.0).collect()))
    }
}

/// Takes bytes to be digested.
struct Digesting(Digester);

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the store says that something it should have is gone or damaged.
fn is_loss(error: &store::Error) -> bool {
    use store::Error;
    matches!(error, Error::Corrupt { .. } | Error::NotFound { .. } | Error::Seal(seal::Error::KeyWrap))
}

/// Copies all that can be read; `false` if that is not all.
fn copy(from: &mut impl Read, to: &mut impl Write) -> Result<bool, Error> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(read) => to.write_all(&buffer[..read]).map_err(|_| Error::Internal)?,
            Err(_) => return Ok(false),
        }
    }
}

pub(crate) fn payloads_of(event: &EventRecord) -> Vec<PayloadInfo> {
    let Content::Full { event, .. } = &event.content else { return vec![] };
    let named = event.get("payloads").cloned().unwrap_or_default();
    let named: Vec<PayloadRef> = serde_json::from_value(named).unwrap_or_default();
    named.iter().filter_map(info).collect()
}

fn info(payload: &PayloadRef) -> Option<PayloadInfo> {
    Some(PayloadInfo {
        id: payload.id,
        sha256: payload.sha256.parse().ok()?,
        size: payload.size,
        chunk_root: payload.chunk_root.parse().ok()?,
    })
}
