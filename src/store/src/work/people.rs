//! Users, their sessions, and failed attempts to sign in.

use model::{Id, Timestamp};

use super::Work;
use crate::{Person, PersonSession, SignInTry};

impl Work {
    /// Writes a user, but for the step of its last code. Precondition: version 1 must be new, and so must its login; version n must
    /// follow the stored version n - 1.
    pub fn put_person(&mut self, it: &Person) -> &mut Self {
        let (Some(body), Some(recovery)) = (self.json(&it.terms), self.json(&it.recovery)) else {
            return self;
        };
        let (issuer, subject) = it.identity.as_ref().map(|(a, b)| (a.as_str(), b.as_str())).unzip();
        let (invite, until) = it.invite.as_ref().map(|(hash, until)| (hash.as_str(), *until)).unzip();
        let args = vec![
            it.id.into(),
            it.tenant.as_str().into(),
            it.login.as_str().into(),
            it.version.into(),
            it.state.name().into(),
            issuer.into(),
            subject.into(),
            it.password.as_deref().into(),
            it.totp.as_deref().into(),
            recovery.into(),
            invite.into(),
            until.into(),
            format!("{} {}", it.login, it.terms.name.to_lowercase()).into(),
            body.into(),
        ];
        self.one(if it.version == 1 { INSERT } else { UPDATE }, args, "person")
    }

    /// Only a precondition: the user's version is still this one.
    pub fn require_person(&mut self, person: Id, version: u64) -> &mut Self {
        // Written, not only read: on PostgreSQL the row stays locked until the commit.
        self.one(
            "UPDATE person SET version = version WHERE id = $1 AND version = $2",
            vec![person.into(), version.into()],
            "person",
        )
    }

    /// Takes the code of a step. Precondition: none of this step or a later one was taken.
    pub fn take_totp_step(&mut self, person: Id, step: u64) -> &mut Self {
        self.one(
            "UPDATE person SET totp_step = $2 WHERE id = $1 AND totp_step < $2",
            vec![person.into(), step.into()],
            "totp",
        )
    }

    /// Adds a session, and removes those of anybody that have ended.
    pub fn add_session(&mut self, it: &PersonSession) -> &mut Self {
        self.any("DELETE FROM person_session WHERE ends <= $1", vec![it.begun.into()]).one(
            "INSERT INTO person_session (hash, id, person, tenant, stage, begun, seen, ends, draft) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            vec![
                it.hash.as_str().into(),
                it.id.into(),
                it.person.into(),
                it.tenant.as_str().into(),
                it.stage.name().into(),
                it.begun.into(),
                it.seen.into(),
                it.ends.into(),
                it.draft.as_deref().into(),
            ],
            "session",
        )
    }

    /// Something was done in a session. One that has ended stays so.
    pub fn session_seen(&mut self, hash: &str, at: Timestamp) -> &mut Self {
        self.any("UPDATE person_session SET seen = $2 WHERE hash = $1", vec![hash.into(), at.into()])
    }

    /// Keeps what codes will be made of, or nothing any more. Precondition: the session has not ended.
    pub fn session_draft(&mut self, hash: &str, draft: Option<&[u8]>) -> &mut Self {
        self.one(
            "UPDATE person_session SET draft = $2 WHERE hash = $1",
            vec![hash.into(), draft.into()],
            "session",
        )
    }

    /// Ends one session. Precondition: it has not ended.
    pub fn end_session(&mut self, hash: &str) -> &mut Self {
        self.one("DELETE FROM person_session WHERE hash = $1", vec![hash.into()], "session")
    }

    /// Ends all sessions of a user but the one with this hash.
    pub fn end_sessions(&mut self, person: Id, but: Option<&str>) -> &mut Self {
        self.any(
            "DELETE FROM person_session WHERE person = $1 AND hash <> $2",
            vec![person.into(), but.unwrap_or_default().into()],
        )
    }

    /// Counts a failed attempt at a place. Precondition: `before` is what is known of it.
    pub fn note_sign_in_try(&mut self, before: Option<&SignInTry>, now: &SignInTry) -> &mut Self {
        let mut args = vec![now.place.into(), now.failures.into(), now.last_at.into(), now.until.into()];
        let Some(before) = before else {
            let sql = "INSERT INTO sign_in_try (place, failures, last_at, until) VALUES ($1, $2, $3, $4)";
            return self.one(sql, args, "sign-in-try");
        };
        args.extend([before.failures.into(), before.last_at.into()]);
        self.one(
            "UPDATE sign_in_try SET failures = $2, last_at = $3, until = $4 \
             WHERE place = $1 AND failures = $5 AND last_at = $6",
            args,
            "sign-in-try",
        )
    }

    /// Forgets failed attempts at a place.
    pub fn forget_sign_in_try(&mut self, place: u32) -> &mut Self {
        self.any("DELETE FROM sign_in_try WHERE place = $1", vec![place.into()])
    }
}

const INSERT: &str = "INSERT INTO person (id, tenant, login, version, state, issuer, subject, password, totp, totp_step, recovery, \
     invite, invite_until, search, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12, $13, $14)";

const UPDATE: &str = "UPDATE person SET login = $3, version = $4, state = $5, issuer = $6, subject = $7, password = $8, totp = $9, \
     recovery = $10, invite = $11, invite_until = $12, search = $13, body = $14 \
     WHERE id = $1 AND tenant = $2 AND version = $4 - 1";
