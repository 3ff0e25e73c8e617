//! Sessions: 256 random bits in a cookie, of which the store keeps the digest. Rights are those of the user at each request; what was
//! looked up a moment ago is taken for a second. They are of the store, so any node knows them and a restart ends none.

use std::collections::HashMap;
use std::sync::RwLock;
use std::time::{Duration, Instant};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use model::{Caller, EventKind, Id, Timestamp, ids};
use seal::mac::{MacDigest, hmac};
use serde_json::json;
use store::{Person, PersonSession, SessionStage, UserState, Work};

use super::{User, actor, caller};
use crate::{Broker, Error};

/// How long a session is taken for what it was; one that another node or the command line ends lives so much longer here.
const FOR: Duration = Duration::from_secs(1);

/// Sessions remembered at once; an attacker's guesses are not among them.
const MOST: usize = 4_096;

/// When somebody was seen last is written once in so long.
const NOTED: Duration = Duration::from_secs(60);

/// Characters of a token.
const TOKEN: usize = 43;

/// Somebody who has signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who it is.
    pub user: User,
    /// Which of the user's sessions it is.
    pub session: Id,
    /// With which rights.
    pub caller: Caller,
    /// What every form of this session carries, and no other site knows.
    pub form: String,
    /// Digest of the token.
    pub(super) hash: String,
}

/// Sessions that were looked up a moment ago, by the digest of their token.
#[derive(Default)]
pub(super) struct Seen(RwLock<HashMap<String, Known>>);

struct Known {
    at: Instant,
    ends: Timestamp,
    signed_in: SignedIn,
}

impl Seen {
    fn get(&self, hash: &str, now: Timestamp) -> Option<SignedIn> {
        let all = self.0.read().ok()?;
        let known = all.get(hash)?;
        (known.at.elapsed() < FOR && known.ends > now).then(|| known.signed_in.clone())
    }

    fn remember(&self, signed_in: &SignedIn, ends: Timestamp) {
        let Ok(mut all) = self.0.write() else { return };
        if all.len() >= MOST {
            all.clear();
        }
        let known = Known { at: Instant::now(), ends, signed_in: signed_in.clone() };
        all.insert(signed_in.hash.clone(), known);
    }

    /// Forgets everybody, because a session ended or rights changed.
    pub(super) fn forget(&self) {
        if let Ok(mut all) = self.0.write() {
            all.clear();
        }
    }
}

/// What a token is known by; `None` if it cannot be one.
fn digest_of(token: &str) -> Option<String> {
    (token.len() == TOKEN).then(|| seal::sha256(&[token.as_bytes()]).to_string())
}

/// What forms of a session carry.
fn form_of(token: &str) -> Result<String, Error> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(hmac(MacDigest::Sha256, token.as_bytes(), b"form")?))
}

impl Broker {
    /// Whom a session stands for, with the rights of now; `None` if it is none, or has ended. Counts as something that was done in it.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn visit(&self, token: &str) -> Result<Option<SignedIn>, Error> {
        self.visited(token, true).await
    }

    /// The same without counting: a page that renews itself does not keep anybody signed in.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn glance(&self, token: &str) -> Result<Option<SignedIn>, Error> {
        self.visited(token, false).await
    }

    async fn visited(&self, token: &str, counts: bool) -> Result<Option<SignedIn>, Error> {
        let Some(hash) = digest_of(token) else { return Ok(None) };
        if let Some(signed_in) = self.people.seen.get(&hash, self.now()) {
            return Ok(Some(signed_in));
        }
        let Some((session, person)) = self.session_at(token, SessionStage::Open).await? else {
            return Ok(None);
        };
        let mut seen = session.seen;
        if counts && seen.plus(NOTED) <= self.now() {
            seen = self.now();
            let mut work = Work::new();
            work.session_seen(&hash, seen);
            self.store().commit(work).await?;
        }
        let ends = seen.plus(self.people_settings.idle).min(session.ends);
        let signed_in = SignedIn {
            user: User::of(&person),
            session: session.id,
            caller: caller(&person),
            form: form_of(token)?,
            hash,
        };
        self.people.seen.remember(&signed_in, ends);
        Ok(Some(signed_in))
    }

    /// A session that has not ended, of a user who may sign in, at a stage.
    pub(super) async fn session_at(
        &self,
        token: &str,
        stage: SessionStage,
    ) -> Result<Option<(PersonSession, Person)>, Error> {
        let Some(hash) = digest_of(token) else { return Ok(None) };
        let found = self.store().session(&hash).await?;
        let now = self.now();
        let lasts = |it: &PersonSession| it.ends > now && it.seen.plus(self.people_settings.idle) > now;
        Ok(found
            .filter(|(session, person)| session.stage == stage && lasts(session) && self.may_sign_in(person)))
    }

    /// Whether somebody may be signed in at all.
    pub(super) fn may_sign_in(&self, person: &Person) -> bool {
        person.state == UserState::Active && self.house().tenants().any(|known| known.id == person.tenant)
    }

    /// A new session, whatever the browser had before: its token.
    pub(super) fn new_session(
        &self,
        person: &Person,
        stage: SessionStage,
        work: &mut Work,
    ) -> Result<String, Error> {
        let token = seal::random_secret()?;
        let lasts = match stage {
            SessionStage::Open => self.people_settings.longest,
            SessionStage::Code => Duration::from_secs(5 * 60),
            SessionStage::SetUp => Duration::from_secs(30 * 60),
        };
        let now = self.now();
        work.add_session(&PersonSession {
            hash: digest_of(&token).ok_or(Error::Internal)?,
            id: ids::new_id(),
            person: person.id,
            tenant: person.tenant.clone(),
            stage,
            begun: now,
            seen: now,
            ends: now.plus(lasts),
            draft: None,
        });
        Ok(token)
    }

    /// Ends a session. One that has ended stays so.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn sign_out(&self, token: &str) -> Result<(), Error> {
        let Some(hash) = digest_of(token) else { return Ok(()) };
        let Some((session, _)) = self.store().session(&hash).await? else { return Ok(()) };
        let mut work = Work::new();
        work.end_session(&hash);
        if session.stage == SessionStage::Open {
            let detail = json!({ "user": session.person, "session": session.id });
            let kind = EventKind::UserSignedOut;
            work.insert_event(&self.audit(&session.tenant, kind, &actor(session.person), detail));
        }
        let outcome = self.store().commit(work).await.map_err(Error::from);
        self.people.seen.forget();
        match outcome {
            Err(error) if error.is_conflict("session") => Ok(()),
            outcome => outcome,
        }
    }
}
