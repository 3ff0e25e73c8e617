//! A unit of work: rows and preconditions as data, built without touching the database.

use model::{Event, Id, Message, MessageState, Record, Timestamp};
use seal::canonical;
use seal::chain::{Salt, event_digest_of_canonical};
use serde_json::Value as Json;

use crate::messages::direction;
use crate::sql::{Expect, Select, Step};
use crate::{Error, InboxEntry, InboxState, NewJob, Partner, StoredPayload, TokenRow};

/// Rows to be written together, and what must hold for it. See [`Store::commit`](crate::Store::commit).
///
/// Calls that find their input unusable (an event that canonical JSON refuses) are answered by the commit.
#[derive(Debug, Default)]
pub struct Work {
    steps: Vec<Step>,
    failed: Option<Error>,
    wakes: Wakes,
    /// The message whose staged rows this work adds to.
    slice_of: Option<Id>,
}

/// Whose workers should look for jobs after the commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wakes {
    #[default]
    Nobody,
    ThisNode,
    AllNodes,
}

impl Work {
    /// Nothing yet.
    pub fn new() -> Work {
        Work::default()
    }

    /// Whether nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.failed.is_none()
    }

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
        let args = vec![
            reference.id.into(),
            tenant.into(),
            reference.size.into(),
            reference.sha256.as_str().into(),
            reference.chunk_root.as_str().into(),
            Some(stored.wrapped_key.as_slice()).into(),
            stored.sealed.as_deref().into(),
            staged_by.into(),
        ];
        self.one(
            "INSERT INTO payload (id, tenant, size, sha256, chunk_root, wrapped_key, sealed, staged_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            args,
            "payload",
        )
    }

    /// Adds a message. Precondition: its id is new.
    pub fn insert_message(&mut self, message: &Message) -> &mut Self {
        let Some(body) = self.json(message) else { return self };
        let identity = message.identity.as_ref();
        let args = vec![
            message.id.into(),
            message.tenant.as_str().into(),
            message.authority.as_str().into(),
            message.unit.as_str().into(),
            message.public_service.as_deref().into(),
            direction(message.direction).into(),
            message.partner.as_str().into(),
            identity.map(|identity| identity.message_type.as_str()).into(),
            identity.and_then(|identity| identity.process_id).into(),
            message.exchange.into(),
            message.state.name().into(),
            message.received_at.into(),
            body.into(),
        ];
        self.one(
            "INSERT INTO message (id, tenant, authority, unit, public_service, direction, partner, message_type, \
             process_id, exchange, state, received_at, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            args,
            "message",
        )
    }

    /// Writes what is known of a message now. Precondition: its state is still `from`. `received_at` stays as it was.
    pub fn update_message(&mut self, message: &Message, from: MessageState) -> &mut Self {
        let Some(body) = self.json(message) else { return self };
        let identity = message.identity.as_ref();
        let args = vec![
            message.id.into(),
            message.tenant.as_str().into(),
            from.name().into(),
            message.authority.as_str().into(),
            message.unit.as_str().into(),
            message.public_service.as_deref().into(),
            message.partner.as_str().into(),
            identity.map(|identity| identity.message_type.as_str()).into(),
            identity.and_then(|identity| identity.process_id).into(),
            message.exchange.into(),
            message.state.name().into(),
            body.into(),
        ];
        self.one(
            "UPDATE message SET authority = $4, unit = $5, public_service = $6, partner = $7, message_type = $8, \
             process_id = $9, exchange = $10, state = $11, body = $12 WHERE id = $1 AND tenant = $2 AND state = $3",
            args,
            "message",
        )
    }

    /// Writes a record. Precondition: version 1 must be new; version n must follow the stored version n - 1.
    ///
    /// With `staged` the record is invisible until that message is revealed. Precondition: staging was begun and is not
    /// revealed. A row that the same message staged before is written again whole, whatever its version: nobody has
    /// seen it.
    pub fn put_record(&mut self, record: &Record, staged: Option<Id>) -> &mut Self {
        let Some(body) = self.json(&record.to_json()) else { return self };
        let meta = record.meta();
        let description = record.description();
        let mut args = vec![
            meta.id.into(),
            meta.tenant.as_str().into(),
            record.kind().name().into(),
            meta.authority.as_str().into(),
            meta.unit.as_str().into(),
            meta.public_service.as_deref().into(),
            meta.root.into(),
            record.parent().into(),
            description.and_then(|description| description.position).into(),
            record.status().into(),
            description.and_then(|description| description.record_reference.as_deref()).into(),
            meta.version.into(),
            body.into(),
        ];
        match staged {
            Some(message) => {
                self.touch_staging(&meta.tenant, message);
                args.push(message.into());
                self.one(STAGE_RECORD, args, "record");
            }
            None if meta.version == 1 => {
                self.one(INSERT_RECORD, args, "record");
            }
            None => {
                self.one(UPDATE_RECORD, args, "record");
            }
        }
        self.put_aliases(record, staged.is_none() && meta.version == 1)
    }

    /// Only a precondition: the record's version is still this one, otherwise the conflict names `root`.
    pub fn require_version(&mut self, tenant: &str, record: Id, version: u64) -> &mut Self {
        // Written, not only read: on PostgreSQL the row stays locked until the commit.
        self.one(
            "UPDATE record SET version = version WHERE id = $1 AND tenant = $2 AND version = $3",
            vec![record.into(), tenant.into(), version.into()],
            "root",
        )
    }

    fn put_aliases(&mut self, record: &Record, new: bool) -> &mut Self {
        let meta = record.meta();
        if !new {
            self.any("DELETE FROM record_alias WHERE record = $1", vec![meta.id.into()]);
        }
        for (kind, value) in record.names() {
            let args = vec![
                meta.tenant.as_str().into(),
                kind.as_str().into(),
                value.as_str().into(),
                meta.id.into(),
            ];
            self.any(
                "INSERT INTO record_alias (tenant, kind, value, record) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT DO NOTHING",
                args,
            );
        }
        self
    }

    /// Begins to stage records for a message anew: what an interrupted run left is removed first. Harmless if the message
    /// was revealed before.
    pub fn begin_staging(&mut self, tenant: &str, message: Id) -> &mut Self {
        self.discard_staged(tenant, message).any(
            "INSERT INTO staging (message, tenant, revealed, slices) VALUES ($1, $2, 0, 0) ON CONFLICT DO NOTHING",
            vec![message.into(), tenant.into()],
        )
    }

    /// Once per work: also makes it wait for, or fail on, a reveal that runs at the same time.
    fn touch_staging(&mut self, tenant: &str, message: Id) {
        if self.slice_of.replace(message) == Some(message) {
            return;
        }
        self.one(
            "UPDATE staging SET slices = slices + 1 WHERE message = $1 AND tenant = $2 AND revealed = 0",
            vec![message.into(), tenant.into()],
            "staging",
        );
    }

    /// Makes everything visible that was staged for a message, by the change of one row. Precondition: staging was begun
    /// and is not revealed.
    pub fn reveal(&mut self, tenant: &str, message: Id) -> &mut Self {
        self.one(
            "UPDATE staging SET revealed = 1 WHERE message = $1 AND tenant = $2 AND revealed = 0",
            vec![message.into(), tenant.into()],
            "staging",
        )
    }

    /// Removes what was staged for a message and never revealed. The files of its payloads are swept.
    pub fn discard_staged(&mut self, tenant: &str, message: Id) -> &mut Self {
        let args = || vec![message.into(), tenant.into()];
        self.any(
            "DELETE FROM payload WHERE staged_by = $1 AND tenant = $2 AND EXISTS \
             (SELECT 1 FROM staging WHERE staging.message = $1 AND staging.revealed = 0)",
            args(),
        )
        .any(
            "DELETE FROM record WHERE staged_by = $1 AND tenant = $2 AND EXISTS \
             (SELECT 1 FROM staging WHERE staging.message = $1 AND staging.revealed = 0)",
            args(),
        )
        .any("DELETE FROM staging WHERE message = $1 AND tenant = $2 AND revealed = 0", args())
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
                ];
                self.one(
                    "INSERT INTO event (id, tenant, unit, public_service, case_id, message_id, subject_id, digest, \
                     salt, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
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

    /// Takes a key. Precondition: it is free; otherwise the conflict names `dedup`.
    pub fn claim_dedup(
        &mut self,
        tenant: &str,
        space: &str,
        key: &str,
        subject: Id,
        digest: &str,
        answer: Option<&Json>,
    ) -> &mut Self {
        let args = vec![
            tenant.into(),
            space.into(),
            key.into(),
            subject.into(),
            digest.into(),
            answer.map(Json::to_string).as_deref().into(),
        ];
        self.one(
            "INSERT INTO dedup (tenant, space, name, subject, digest, answer) VALUES ($1, $2, $3, $4, $5, $6)",
            args,
            "dedup",
        )
    }

    /// Records under a taken key what came of it. Precondition: the key is taken.
    pub fn update_dedup(
        &mut self,
        tenant: &str,
        space: &str,
        key: &str,
        subject: Id,
        answer: Option<&Json>,
    ) -> &mut Self {
        let args = vec![
            tenant.into(),
            space.into(),
            key.into(),
            subject.into(),
            answer.map(Json::to_string).as_deref().into(),
        ];
        self.one(
            "UPDATE dedup SET subject = $4, answer = $5 WHERE tenant = $1 AND space = $2 AND name = $3",
            args,
            "dedup",
        )
    }

    /// Hands a taken key to another subject, because the first came to nothing. Precondition: the first still has it.
    #[expect(clippy::too_many_arguments, reason = "each is a column of the row")]
    pub fn replace_dedup(
        &mut self,
        tenant: &str,
        space: &str,
        key: &str,
        from: Id,
        to: Id,
        digest: &str,
        answer: Option<&Json>,
    ) -> &mut Self {
        let args = vec![
            tenant.into(),
            space.into(),
            key.into(),
            from.into(),
            to.into(),
            digest.into(),
            answer.map(Json::to_string).as_deref().into(),
        ];
        self.one(
            "UPDATE dedup SET subject = $5, digest = $6, answer = $7 \
             WHERE tenant = $1 AND space = $2 AND name = $3 AND subject = $4",
            args,
            "dedup",
        )
    }

    /// Enqueues a job. A job of the same id that is not finished yet stays as it is.
    pub fn enqueue(&mut self, job: &NewJob) -> &mut Self {
        self.wakes = Wakes::AllNodes;
        let lane = || vec![job.tenant.as_str().into(), job.lane.as_str().into()];
        self.any("INSERT INTO lane (tenant, lane) VALUES ($1, $2) ON CONFLICT DO NOTHING", lane());
        let mut args = vec![job.id.into()];
        args.extend(lane());
        args.extend([
            job.kind.as_str().into(),
            job.subject.into(),
            job.detail.to_string().into(),
            job.fifo_key.as_deref().into(),
            job.next_at.into(),
            created(job.id).into(),
        ]);
        self.any(
            "INSERT INTO job (id, tenant, lane, kind, subject, detail, fifo_key, attempts, epoch, due_at, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, $9) ON CONFLICT DO NOTHING",
            args,
        )
    }

    /// Only a precondition: the job is still leased with this epoch. Belongs into every unit of work that is written in
    /// the course of a job, so that a worker whose lease has run out does not write between its successor's rows.
    pub fn hold_job(&mut self, id: Id, epoch: i64) -> &mut Self {
        // Written, not only read: on PostgreSQL the row stays locked until the commit.
        self.one(
            "UPDATE job SET epoch = epoch WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL",
            vec![id.into(), epoch.into()],
            "job",
        )
    }

    /// Finishes a job. Precondition: it is still leased with this epoch.
    pub fn finish_job(&mut self, id: Id, epoch: i64) -> &mut Self {
        // Others of the same lane or FIFO key may have become due by this.
        self.wakes = self.wakes.max(Wakes::ThisNode);
        self.one(
            "DELETE FROM job WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL",
            vec![id.into(), epoch.into()],
            "job",
        )
    }

    /// Puts a job back to be tried again, not before `next_at`. Precondition: it is still leased with this epoch.
    pub fn retry_job(&mut self, id: Id, epoch: i64, next_at: Timestamp) -> &mut Self {
        self.one(
            "UPDATE job SET attempts = attempts + 1, holder = NULL, due_at = $3 \
             WHERE id = $1 AND epoch = $2 AND holder IS NOT NULL",
            vec![id.into(), epoch.into(), next_at.into()],
            "job",
        )
    }

    /// Puts a message into a mailbox. Precondition: the entry's id is new.
    pub fn insert_inbox(&mut self, entry: &InboxEntry) -> &mut Self {
        let args = vec![
            entry.id.into(),
            entry.tenant.as_str().into(),
            entry.authority.as_str().into(),
            entry.unit.as_str().into(),
            entry.public_service.as_deref().into(),
            entry.message_id.into(),
            entry.state.name().into(),
            entry.lease_until.into(),
            entry.holder.as_deref().into(),
            entry.created_at.into(),
        ];
        self.one(
            "INSERT INTO inbox (id, tenant, authority, unit, public_service, message_id, state, lease_until, holder, \
             created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            args,
            "inbox entry",
        )
    }

    /// Moves an entry of a mailbox on. Precondition: it is in one of the states `from`, and held by `holder` if one is
    /// given. Its lease ends; an entry that becomes available again has no holder.
    pub fn set_inbox(
        &mut self,
        tenant: &str,
        id: Id,
        from: &[InboxState],
        to: InboxState,
        holder: Option<&str>,
    ) -> &mut Self {
        let mut update = Select::new("UPDATE inbox SET lease_until = NULL, state = ").bind(to.name());
        if to == InboxState::Available {
            update = update.sql(", holder = NULL");
        }
        update = update
            .sql(" WHERE tenant = ")
            .bind(tenant)
            .and("id =", id)
            .and_if("holder =", holder)
            .sql(" AND state IN (NULL");
        for state in from {
            update = update.sql(", ").bind(state.name());
        }
        self.steps.push(update.sql(")").step("inbox entry", Expect::Rows(1)));
        self
    }

    /// Writes a partner. Precondition: version 1 must be new; version n must follow the stored version n - 1.
    pub fn put_partner(&mut self, partner: &Partner) -> &mut Self {
        let Some(body) = self.json(partner) else { return self };
        let args = vec![
            partner.tenant.as_str().into(),
            partner.id.as_str().into(),
            partner.version.into(),
            body.into(),
        ];
        let sql = if partner.version == 1 {
            "INSERT INTO partner (tenant, id, version, body) VALUES ($1, $2, $3, $4)"
        } else {
            "UPDATE partner SET version = $3, body = $4 WHERE tenant = $1 AND id = $2 AND version = $3 - 1"
        };
        self.one(sql, args, "partner")
    }

    /// Adds a token. Precondition: its id and hash are new.
    pub fn put_token(&mut self, token: &TokenRow) -> &mut Self {
        let Some(body) = self.json(token) else { return self };
        let args = vec![
            token.id.into(),
            token.tenant.as_str().into(),
            token.hash.as_str().into(),
            token.expires_at.into(),
            token.revoked_at.into(),
            body.into(),
        ];
        self.one(
            "INSERT INTO token (id, tenant, hash, expires_at, revoked_at, body) VALUES ($1, $2, $3, $4, $5, $6)",
            args,
            "token",
        )
    }

    /// Revokes a token. Precondition: it is there and not revoked yet.
    pub fn revoke_token(&mut self, tenant: &str, id: Id, at: Timestamp) -> &mut Self {
        self.one(
            "UPDATE token SET revoked_at = $3 WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL",
            vec![tenant.into(), id.into(), at.into()],
            "token",
        )
    }

    /// Has an adapter remember `value` under a key.
    pub fn set_adapter_state(&mut self, tenant: &str, adapter: &str, key: &str, value: &Json) -> &mut Self {
        self.any(
            "INSERT INTO adapter_state (tenant, adapter, name, value) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (tenant, adapter, name) DO UPDATE SET value = excluded.value",
            vec![tenant.into(), adapter.into(), key.into(), value.to_string().into()],
        )
    }

    pub(crate) fn wakes(&self) -> Wakes {
        self.wakes
    }

    pub(crate) fn into_steps(self) -> Result<Vec<Step>, Error> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.steps),
        }
    }

    fn one(&mut self, sql: &'static str, args: Vec<crate::sql::Value>, what: &'static str) -> &mut Self {
        self.steps.push(Step::new(sql, args, what, Expect::Rows(1)));
        self
    }

    fn any(&mut self, sql: &'static str, args: Vec<crate::sql::Value>) -> &mut Self {
        self.steps.push(Step::new(sql, args, "row", Expect::Any));
        self
    }

    fn fail(&mut self, error: Error) -> &mut Self {
        self.failed.get_or_insert(error);
        self
    }

    fn json(&mut self, value: &impl serde::Serialize) -> Option<String> {
        match serde_json::to_string(value) {
            Ok(text) => Some(text),
            Err(error) => {
                self.fail(error.into());
                None
            }
        }
    }
}

const INSERT_RECORD: &str = "INSERT INTO record (id, tenant, kind, authority, unit, public_service, root, parent, place, \
     status, record_reference, version, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

const UPDATE_RECORD: &str = "UPDATE record SET authority = $4, unit = $5, public_service = $6, root = $7, parent = $8, \
     place = $9, status = $10, record_reference = $11, version = $12, body = $13 \
     WHERE id = $1 AND tenant = $2 AND kind = $3 AND version = $12 - 1";

const STAGE_RECORD: &str = "INSERT INTO record (id, tenant, kind, authority, unit, public_service, root, parent, place, \
     status, record_reference, version, body, staged_by) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
     ON CONFLICT (id) DO UPDATE SET authority = excluded.authority, unit = excluded.unit, \
     public_service = excluded.public_service, root = excluded.root, parent = excluded.parent, \
     place = excluded.place, status = excluded.status, record_reference = excluded.record_reference, \
     version = excluded.version, body = excluded.body \
     WHERE record.tenant = excluded.tenant AND record.kind = excluded.kind AND record.staged_by = excluded.staged_by";

/// Salt, digest and canonical JSON of an event.
fn salted(event: &Event) -> Result<(String, String, String), Error> {
    let body = canonical::serialize(event)?;
    let salt = Salt::random()?;
    let digest = event_digest_of_canonical(&salt, &body);
    let body = String::from_utf8(body).map_err(|_| Error::Json)?;
    Ok((salt.to_string(), digest.to_string(), body))
}

/// The time in a UUIDv7, to the millisecond; 1970 for any other id.
fn created(id: Id) -> Timestamp {
    let (seconds, nanos) = id.get_timestamp().map_or((0, 0), |time| time.to_unix());
    Timestamp::from_micros(i64::try_from(seconds).unwrap_or(0) * 1_000_000 + i64::from(nanos / 1_000))
}
