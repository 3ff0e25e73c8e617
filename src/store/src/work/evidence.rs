//! Payloads and events.

use std::sync::Arc;

use model::{Event, Id};
use seal::canonical;
use seal::chain::{Salt, event_digest_of_canonical};

use super::Work;
use crate::{Error, StoredPayload, acts};

impl Work {
    /// Adds the row that makes a written payload known. Its files are durable already.
    pub fn insert_payload(&mut self, tenant: &str, stored: &StoredPayload) -> &mut Self {
        self.payload_row(tenant, stored, None)
    }

    /// The same for a payload that belongs to what is staged for a message: it goes if that is never revealed.
    pub fn insert_staged_payload(&mut self, tenant: &str, stored: &StoredPayload, message: Id) -> &mut Self {
        self.touch_staging(tenant, message);
        self.payload_row(tenant, stored, Some(message))
    }

    fn payload_row(&mut self, tenant: &str, stored: &StoredPayload, staged_by: Option<Id>) -> &mut Self {
        let reference = &stored.reference;
        if let Some((upload, version)) = stored.upload {
            self.close_upload(upload, version);
        }
        let runs = (!stored.runs.is_empty()).then(|| format!("{:?}", stored.runs));
        let args = vec![
            reference.id.into(),
            tenant.into(),
            reference.size.into(),
            reference.sha256.as_str().into(),
            reference.chunk_root.as_str().into(),
            Some(stored.wrapped_key.as_slice()).into(),
            stored.inline.as_ref().map(|inline| Arc::clone(&inline.sealed)).into(),
            staged_by.into(),
            runs.as_deref().into(),
        ];
        self.one(
            "INSERT INTO payload (id, tenant, size, sha256, chunk_root, wrapped_key, sealed, staged_by, runs) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            args,
            "payload",
        )
    }

    /// Erases what an event says: its content and salt. Number and digest stay, so the chain still verifies, and without
    /// the salt the digest tells nothing. Erasing again is harmless. Precondition: there is such an event.
    pub fn erase_event(&mut self, tenant: &str, id: Id) -> &mut Self {
        self.one(
            "UPDATE event SET salt = NULL, body = NULL WHERE id = $1 AND tenant = $2",
            vec![id.into(), tenant.into()],
            "event",
        )
    }

    /// Destroys a payload's data key, which makes its bytes unreadable wherever copies of them lie; digests stay. Its
    /// files go with [`Store::remove_erased`](crate::Store::remove_erased) afterwards. Erasing again is harmless.
    /// Precondition: there is such a payload. On PostgreSQL the row's former version, with the wrapped key, lies in the
    /// table until it is vacuumed, and in its WAL archive as long as that is kept.
    pub fn erase_payload(&mut self, tenant: &str, id: Id) -> &mut Self {
        self.one(
            "UPDATE payload SET wrapped_key = NULL, sealed = NULL WHERE id = $1 AND tenant = $2",
            vec![id.into(), tenant.into()],
            "payload",
        )
    }

    /// The upload that a payload comes from becomes complete with it. Precondition: its row is as it was then.
    fn close_upload(&mut self, upload: Id, version: u64) -> &mut Self {
        self.one(
            "UPDATE upload SET wrapped_key = NULL, tail = NULL, tail_key = NULL, version = version + 1 \
             WHERE id = $1 AND version = $2 AND wrapped_key IS NOT NULL",
            vec![upload.into(), version.into()],
            "upload",
        )
    }

    /// Adds an event; its salt is drawn and its digest computed here. Precondition: its id is new.
    pub fn insert_event(&mut self, event: &Event) -> &mut Self {
        match salted(event) {
            Ok((salt, digest, body)) => {
                let args = vec![
                    event.id.into(),
                    event.tenant.as_str().into(),
                    event.unit.as_deref().into(),
                    event.public_service.as_deref().into(),
                    event.case_id.into(),
                    event.message_id.into(),
                    event.subject.map(|subject| subject.id).into(),
                    digest.as_str().into(),
                    salt.into(),
                    body.into(),
                    acts::act(event).as_deref().into(),
                ];
                self.one(
                    "INSERT INTO event (id, tenant, unit, public_service, case_id, message_id, subject_id, digest, \
                     salt, body, act) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                    args,
                    "event",
                );
                self.one(
                    "INSERT INTO unsealed (tenant, event_id, digest) VALUES ($1, $2, $3)",
                    vec![event.tenant.as_str().into(), event.id.into(), digest.into()],
                    "event",
                )
            }
            Err(error) => self.fail(error),
        }
    }
}

/// Salt, digest and canonical JSON of an event.
fn salted(event: &Event) -> Result<(String, String, String), Error> {
    let body = canonical::serialize(event)?;
    let salt = Salt::random()?;
    let digest = event_digest_of_canonical(&salt, &body);
    let body = String::from_utf8(body).map_err(|_| Error::Json)?;
    Ok((salt.to_string(), digest.to_string(), body))
}
