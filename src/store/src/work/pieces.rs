//! Deliveries that come in pieces.

use model::Timestamp;

use super::Work;
use crate::StoredPayload;
use crate::pieces::{RelayWhole, WholeKey, WholeQuota};
use crate::sql::Value;

impl Work {
    /// Begins a delivery that comes in pieces; its ticket stays good as long as the pieces do. Preconditions: the ticket
    /// was issued to `owner`, not used yet, and its time is not over, otherwise the conflict names `ticket`; nothing is
    /// kept of this delivery, and the quota has room for it, otherwise the conflict names `relay whole`.
    pub fn begin_whole(&mut self, whole: &RelayWhole, owner: &str, quota: WholeQuota) -> &mut Self {
        let key = &whole.key;
        self.one(
            "UPDATE relay_ticket SET expires_at = CASE WHEN expires_at < $5 THEN $5 ELSE expires_at END \
             WHERE tenant = $1 AND id = $2 AND owner = $3 AND expires_at > $4",
            vec![
                key.tenant.as_str().into(),
                key.ticket.as_str().into(),
                owner.into(),
                whole.created_at.into(),
                whole.expires_at.into(),
            ],
            "ticket",
        );
        let mut args = args(key);
        args.extend([
            whole.pieces.into(),
            whole.bytes.into(),
            whole.created_at.into(),
            whole.expires_at.into(),
            quota.per_sender.into(),
            quota.sender_bytes.into(),
            quota.tenant_bytes.into(),
        ]);
        self.one(
            "INSERT INTO relay_whole (tenant, sender, ticket, pieces, bytes, kept, taken, created_at, modified_at, \
             expires_at) SELECT $1, $2, $3, $4, $5, 0, 0, $6, $6, $7 \
             WHERE (SELECT COUNT(*) FROM relay_whole WHERE tenant = $1 AND sender = $2 AND taken = 0) < $8 \
             AND (SELECT COALESCE(SUM(bytes), 0) FROM relay_whole WHERE tenant = $1 AND sender = $2 AND taken = 0) \
             + $5 <= $9 \
             AND (SELECT COALESCE(SUM(bytes), 0) FROM relay_whole WHERE tenant = $1 AND taken = 0) + $5 <= $10",
            args,
            "relay whole",
        )
    }

    /// Adds a piece with its payload. Preconditions: the delivery is not complete and has room for its bytes, otherwise
    /// the conflict names `relay whole`; none of its pieces has this number, otherwise it names `relay piece`.
    pub fn insert_piece(
        &mut self,
        key: &WholeKey,
        number: u32,
        stored: &StoredPayload,
        now: Timestamp,
    ) -> &mut Self {
        let reference = stored.reference();
        let mut guard = args(key);
        guard.extend([reference.size.into(), now.into()]);
        self.one(
            "UPDATE relay_whole SET kept = kept + $4, modified_at = $5 \
             WHERE tenant = $1 AND sender = $2 AND ticket = $3 AND taken = 0 AND kept + $4 <= bytes",
            guard,
            "relay whole",
        );
        let mut piece = args(key);
        piece.extend([
            number.into(),
            reference.size.into(),
            reference.sha256.as_str().into(),
            reference.id.into(),
        ]);
        self.one(
            "INSERT INTO relay_piece (tenant, sender, ticket, number, size, sha256, payload) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            piece,
            "relay piece",
        );
        self.insert_payload(&key.tenant, stored)
    }

    /// The pieces have become a delivery: their bytes go (the files follow: at once by whoever knows them, or else by the
    /// sweep), what is known of them stays. Precondition: they had not yet;
    /// otherwise the conflict names `relay whole`.
    pub fn finish_whole(&mut self, key: &WholeKey) -> &mut Self {
        self.one(
            "UPDATE relay_whole SET taken = 1 WHERE tenant = $1 AND sender = $2 AND ticket = $3 AND taken = 0",
            args(key),
            "relay whole",
        );
        self.any(
            "DELETE FROM payload WHERE tenant = $1 AND id IN \
             (SELECT payload FROM relay_piece WHERE tenant = $1 AND sender = $2 AND ticket = $3 AND payload IS NOT NULL)",
            args(key),
        );
        self.any(
            "UPDATE relay_piece SET payload = NULL WHERE tenant = $1 AND sender = $2 AND ticket = $3",
            args(key),
        )
    }

    /// Forgets a delivery that comes in pieces, with all that is here of it, if its time is over at `before`. Whether it is
    /// over is decided here: it may have begun anew since it was looked at.
    pub fn forget_whole(&mut self, key: &WholeKey, before: Timestamp) -> &mut Self {
        let expired = || {
            let mut args = args(key);
            args.push(before.into());
            args
        };
        self.any(
            "DELETE FROM payload WHERE tenant = $1 AND id IN \
             (SELECT payload FROM relay_piece WHERE tenant = $1 AND sender = $2 AND ticket = $3 AND payload IS NOT NULL) \
             AND EXISTS (SELECT 1 FROM relay_whole \
             WHERE tenant = $1 AND sender = $2 AND ticket = $3 AND expires_at <= $4)",
            expired(),
        );
        self.any(
            "DELETE FROM relay_piece WHERE tenant = $1 AND sender = $2 AND ticket = $3 \
             AND EXISTS (SELECT 1 FROM relay_whole \
             WHERE tenant = $1 AND sender = $2 AND ticket = $3 AND expires_at <= $4)",
            expired(),
        );
        self.any(
            "DELETE FROM relay_whole WHERE tenant = $1 AND sender = $2 AND ticket = $3 AND expires_at <= $4",
            expired(),
        )
    }
}

fn args(key: &WholeKey) -> Vec<Value> {
    vec![key.tenant.as_str().into(), key.sender.as_str().into(), key.ticket.as_str().into()]
}
