//! Records, staged or not.

use model::{Id, Record};

use super::Work;
use crate::sql::Value;

impl Work {
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
        args.extend(place_on_desk(record));
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

    /// Whatever else holds or changes the record waits until the commit, or this waits for that. Precondition: it is there.
    pub fn hold_record(&mut self, tenant: &str, record: Id) -> &mut Self {
        // Written, not only read, as above.
        self.one(
            "UPDATE record SET version = version WHERE id = $1 AND tenant = $2",
            vec![record.into(), tenant.into()],
            "record",
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
    pub(super) fn touch_staging(&mut self, tenant: &str, message: Id) {
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

    /// Removes what was staged for a message, revealed or not. Precondition: nothing of it is barred from destruction; otherwise the
    /// conflict names `held`.
    pub fn take_back_staged(&mut self, tenant: &str, message: Id) -> &mut Self {
        let args = || vec![message.into(), tenant.into()];
        self.any("UPDATE staging SET revealed = 0 WHERE message = $1 AND tenant = $2", args());
        // Only what is not barred goes, and then nothing may be left: who bars a record meanwhile either finds it gone or keeps it.
        self.any(TAKE_BACK_RECORDS, args());
        self.none("UPDATE record SET version = version WHERE staged_by = $1 AND tenant = $2", args(), "held");
        self.discard_staged(tenant, message)
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
}

/// Urgency, pile and assignee of an open task; nothing of anything else.
fn place_on_desk(record: &Record) -> [Value; 3] {
    match record {
        Record::Task(task) if task.status.is_open() => {
            [task.urgency().into(), task.pile().name().into(), task.assignee.as_deref().into()]
        }
        _ => [const { Value::Text(None) }; 3],
    }
}

/// A bar is a member `hold` of the record. Within a text quotation marks would be escaped; another member of this name only keeps more.
const TAKE_BACK_RECORDS: &str =
    r#"DELETE FROM record WHERE staged_by = $1 AND tenant = $2 AND body NOT LIKE '%"hold":{%'"#;

const INSERT_RECORD: &str = "INSERT INTO record (id, tenant, kind, authority, unit, public_service, root, parent, place, \
     status, record_reference, version, body, urgency, pile, assignee) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";

const UPDATE_RECORD: &str = "UPDATE record SET authority = $4, unit = $5, public_service = $6, root = $7, parent = $8, \
     place = $9, status = $10, record_reference = $11, version = $12, body = $13, urgency = $14, pile = $15, assignee = $16 \
     WHERE id = $1 AND tenant = $2 AND kind = $3 AND version = $12 - 1";

const STAGE_RECORD: &str = "INSERT INTO record (id, tenant, kind, authority, unit, public_service, root, parent, place, \
     status, record_reference, version, body, urgency, pile, assignee, staged_by) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
     ON CONFLICT (id) DO UPDATE SET authority = excluded.authority, unit = excluded.unit, \
     public_service = excluded.public_service, root = excluded.root, parent = excluded.parent, \
     place = excluded.place, status = excluded.status, record_reference = excluded.record_reference, \
     version = excluded.version, body = excluded.body, \
     urgency = excluded.urgency, pile = excluded.pile, assignee = excluded.assignee \
     WHERE record.tenant = excluded.tenant AND record.kind = excluded.kind AND record.staged_by = excluded.staged_by";
