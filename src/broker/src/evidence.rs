//! The evidence of a case as a bundle that an auditor verifies without the gateway.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use model::rights::Action;
use model::{Caller, Event, EventKind, Id, PayloadRef, Scope};
use seal::Digest;
use seal::bundle::{BundleWriter, Content, EventRecord, PayloadInfo, ProofRecord};
use seal::chain::{self, SignedBatch};
use store::{Store, Work};
use tokio::runtime::Handle;

use crate::{Broker, Error, blocking};

/// Rows fetched at once.
const PAGE: u32 = 200;

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
        self.note_export(caller, root, with_content).await?;
        self.seal_now(&scope.tenant).await?;
        // Whoever may prove a tree may prove all of it: a bundle never leaves out what another unit did.
        let scope = Scope::tenant(&scope.tenant);
        let broker = self.clone();
        let (store, runtime) = (self.store().clone(), Handle::current());
        let export = Export { store, runtime, scope, root, tip: self.tip(&caller.scope.tenant).await? };
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
    async fn seal_now(&self, tenant: &str) -> Result<(), Error> {
        for _ in 0..SEAL_ATTEMPTS {
            self.store().seal(tenant, &self.parts.evidence_key).await?;
            if !self.store().unsealed_tenants().await?.iter().any(|unsealed| unsealed == tenant) {
                break;
            }
            tokio::time::sleep(SEAL_PAUSE).await;
        }
        Ok(())
    }

    /// The last batch of the chain now, and the number of its last event: what comes later is not in
    /// the bundle.
    async fn tip(&self, tenant: &str) -> Result<Tip, Error> {
        let mut tip = Tip { batch: 0, number: 0 };
        loop {
            let batches = self.store().batches(tenant, tip.batch, PAGE).await?;
            let Some(last) = batches.last() else { return Ok(tip) };
            tip = Tip { batch: last.batch.no, number: last.batch.last };
        }
    }

    /// The public key that batches and bundles are signed with, as PEM.
    ///
    /// # Errors
    /// If the key cannot be read.
    pub fn evidence_public_key(&self) -> Result<String, Error> {
        Ok(self.parts.evidence_key.public()?.to_pem()?)
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
        self.proofs(&mut bundle)?;
        self.each_batch(|batch| Ok(bundle.batch(batch)?))?;
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

    /// Events and batches both ascend, so one walk over the batches meets every event.
    fn proofs(&self, bundle: &mut BundleWriter<File>) -> Result<(), Error> {
        let mut numbers = vec![];
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
            let entries = self.store.chain_entries(&self.scope.tenant, batch.first, batch.last);
            let tree = chain::tree(&self.runtime.block_on(entries)?);
            while let Some(number) = numbers.next_if(|number| *number <= batch.last) {
                let index = number - batch.first;
                let path = tree.proof(index).ok_or(Error::Internal)?;
                bundle.proof(&ProofRecord { number, batch: batch.no, index, path })?;
            }
            Ok(())
        })
    }

    fn payload(
        &self,
        bundle: &mut BundleWriter<File>,
        payload: &PayloadInfo,
        with_content: bool,
    ) -> Result<(), Error> {
        let tenant = &self.scope.tenant;
        let chunks = self.runtime.block_on(self.store.chunk_digests(tenant, payload.id))?;
        bundle.payload(payload, chunks.into_iter().map(Digest))?;
        if !with_content {
            return Ok(());
        }
        let opened = match self.runtime.block_on(self.store.open_payload(tenant, payload.id)) {
            // Erased content is missing on purpose; its digests still prove what it was.
            Err(store::Error::Erased) => return Ok(()),
            opened => opened?,
        };
        let mut content = bundle.content(payload.id)?;
        copy(&mut opened.blocking(), &mut content)?;
        Ok(content.close()?)
    }
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> Result<(), Error> {
    std::io::copy(from, to).map(|_| ()).map_err(|_| Error::Internal)
}

fn payloads_of(event: &EventRecord) -> Vec<PayloadInfo> {
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
