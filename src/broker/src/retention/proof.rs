//! The proof of a run of deletion: its list, the event in the sealed chain that names the list's Merkle root, that event's place in its
//! batch, and the gateway's signature. Whoever has the public key verifies it without the gateway.

use model::{Caller, Id};
use seal::bundle::{Content, EventRecord, ProofRecord};
use seal::canonical;
use seal::chain::{self, SignedBatch};
use seal::evidence_key::{EvidenceKeys, EvidencePublicKey, Signature};
use seal::merkle::{self, RootBuilder, leaf_hash};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Page;

use super::keeper;
use crate::{Broker, Error};

/// Name and version of the format.
const FORMAT: &str = "amtsbote-deletion-proof-1";

/// The proof of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeletionProof {
    /// Name and version of the format.
    pub format: String,
    /// Tenant.
    pub tenant: String,
    /// The run.
    pub run: Id,
    /// Merkle root over the lines, hex.
    pub root: String,
    /// What was deleted: number, kind, subject, since when it had ended, and digests of its bytes. Of a record with `asked`, that its
    /// destruction was asked for: its own events tell its end.
    pub items: Vec<Value>,
    /// The event that says so, with its salt and its number in the chain.
    pub event: EventRecord,
    /// Where it stands in its batch.
    pub proof: ProofRecord,
    /// The batch, with its signed head.
    pub batch: SignedBatch,
    /// PEMs of the gateway's keys before the one that signs the proof: one of them may have signed the batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub older_keys: Vec<String>,
    /// Over the canonical JSON (RFC 8785) of all of this without itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

impl DeletionProof {
    /// As a file.
    ///
    /// # Errors
    /// None that is known of.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec_pretty(self).map_err(|_| Error::Internal)
    }
}

impl Broker {
    /// The proof of a run that has ended.
    ///
    /// # Errors
    /// `NotFound` if there is no such run, or it is under way; `Forbidden` unless the caller may erase, or bar from destruction, in the
    /// whole tenant: its lines are of all units.
    pub async fn retention_proof(&self, caller: &Caller, run: Id) -> Result<DeletionProof, Error> {
        let scope = keeper(caller)?;
        if !scope.is_whole() {
            return Err(model::Error::Forbidden.into());
        }
        let tenant = &scope.tenant;
        let missing = || Error::from(model::Error::NotFound { kind: "run" });
        let run = self.store().retention_run(tenant, run).await?.ok_or_else(missing)?;
        let (Some(root), Some(event)) = (run.root.clone(), run.event) else { return Err(missing()) };
        self.seal_now(tenant).await?;
        let event = self.store().sealed_event(tenant, event).await?.ok_or_else(missing)?;
        let batch = self.store().batch_of(tenant, event.number).await?.ok_or(Error::Internal)?;
        let (first, last) = (batch.batch.first, batch.batch.last);
        let entries = self.store().chain_entries(tenant, first, last).await?;
        let index = event.number.checked_sub(first).ok_or(Error::Internal)?;
        let path = chain::tree(&entries).proof(index).ok_or(Error::Internal)?;
        let proof = ProofRecord { number: event.number, batch: batch.batch.no, index, path };
        let mut items = vec![];
        let mut after = 0;
        loop {
            let some = self.store().retention_items(run.id, after, Page::MOST).await?;
            let Some((number, _)) = some.last() else { break };
            after = *number;
            for (_, line) in &some {
                items.push(serde_json::from_str(line).map_err(|_| Error::Internal)?);
            }
        }
        self.sign_deletion(DeletionProof {
            format: FORMAT.to_owned(),
            tenant: tenant.clone(),
            run: run.id,
            root,
            items,
            event,
            proof,
            batch,
            older_keys: self.evidence_keys()?.older_pems()?,
            signature: None,
        })
    }

    /// The same, signed anew.
    ///
    /// # Errors
    /// If the key cannot sign.
    pub fn sign_deletion(&self, proof: DeletionProof) -> Result<DeletionProof, Error> {
        let unsigned = DeletionProof { signature: None, ..proof };
        let signature = self.parts.evidence_key.sign(&canonical::serialize(&unsigned)?)?;
        Ok(DeletionProof { signature: Some(signature), ..unsigned })
    }
}

/// Verifies a proof by the public key that the gateway is known by. Its batch may be signed with a key before that, which the proof names.
///
/// # Errors
/// The code of what is wrong, as under `docs/errors`.
pub fn verify_deletion(proof: &DeletionProof, key: &EvidencePublicKey) -> Result<(), &'static str> {
    let unsigned = DeletionProof { signature: None, ..proof.clone() };
    let bytes = canonical::serialize(&unsigned).map_err(|_| "evidence.line-invalid")?;
    let is_signed = proof.signature.as_ref().is_some_and(|signature| key.verifies(&bytes, signature));
    if proof.format != FORMAT || !is_signed {
        return Err("evidence.manifest-signature");
    }
    let mut root = RootBuilder::new();
    for item in &proof.items {
        root.push(leaf_hash(&canonical::to_vec(item).map_err(|_| "evidence.line-invalid")?));
    }
    if root.root().to_string() != proof.root {
        return Err("evidence.file-changed");
    }
    let Content::Full { event, .. } = &proof.event.content else { return Err("evidence.event-missing") };
    let said = &event["detail"];
    let is_it = said["run"] == json!(proof.run)
        && said["root"] == json!(proof.root)
        && said["deleted"] == json!(proof.items.len())
        && event["kind"] == json!(model::EventKind::RetentionEnded)
        && event["tenant"] == json!(proof.tenant)
        && event["id"] == json!(proof.event.event_id);
    if !is_it {
        return Err("evidence.event-changed");
    }
    let batch = &proof.batch.batch;
    let older = proof.older_keys.iter().map(|pem| EvidencePublicKey::from_pem(pem));
    let keys = older.collect::<Result<_, _>>().and_then(|older| EvidenceKeys::new(key.clone(), older));
    let keys = keys.map_err(|_| "evidence.manifest-invalid")?;
    if batch.tenant != proof.tenant || !proof.batch.is_signed_by(&keys) {
        return Err("evidence.batch-signature");
    }
    let leaf = proof.event.entry().map_err(|_| "evidence.event-changed")?.leaf();
    let place = &proof.proof;
    let stands = place.number == proof.event.number
        && place.batch == batch.no
        && batch.first.checked_add(place.index) == Some(place.number)
        && merkle::proves(&leaf, place.index, batch.size(), &place.path, &batch.root);
    if stands { Ok(()) } else { Err("evidence.proof-wrong") }
}
