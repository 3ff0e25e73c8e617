//! Sessions of citizens: a signed token that any node can read. Each look at the case renews it, for a working day at the most; revoking
//! access ends it at once, signing out only has the browser forget it.

use std::time::Duration;

use model::case::Case;
use model::{Id, Record, RecordKind, Scope, Timestamp};

use super::access::is_there;
use super::keys::{self, SessionFacts};
use crate::{Broker, Error};

/// How long a session lasts that nothing is done in, and how long one lasts at the most.
const SESSION: Duration = Duration::from_secs(30 * 60);
const LONGEST: Duration = Duration::from_secs(8 * 60 * 60);

/// A citizen who has entered.
#[derive(Debug, Clone)]
pub struct CitizenSession {
    /// The case, as it was when it was looked at.
    pub(super) case: Case,
    pub(super) generation: u64,
    pub(super) begun: Timestamp,
    /// When it ends if nothing is done.
    pub ends: Timestamp,
    /// When it ends whatever is done.
    pub latest: Timestamp,
    /// What proves it, for a cookie.
    pub token: String,
    /// What forms carry; the same as long as it is renewed.
    pub form: String,
    /// Seconds that it lasts.
    pub seconds: u64,
}

impl Broker {
    /// A session that begins now.
    pub(super) async fn begin_session(&self, case: Case, generation: u64) -> Result<CitizenSession, Error> {
        let begun = self.now();
        self.session_of(case, generation, begun).await
    }

    /// The same session, from now on as long as a new one, but not beyond its longest time.
    ///
    /// # Errors
    /// If the key of the tenant cannot be read.
    pub async fn citizen_goes_on(&self, session: CitizenSession) -> Result<CitizenSession, Error> {
        self.session_of(session.case, session.generation, session.begun).await
    }

    async fn session_of(
        &self,
        case: Case,
        generation: u64,
        begun: Timestamp,
    ) -> Result<CitizenSession, Error> {
        let tenant = case.meta.tenant.clone();
        let ends = self.now().plus(SESSION).min(begun.plus(LONGEST));
        let facts = SessionFacts { case: case.meta.id, generation, begun, ends, tenant };
        let token = self.citizen_key(&facts.tenant).await?.session(&facts)?;
        self.as_session(case, facts, token).await
    }

    async fn as_session(
        &self,
        case: Case,
        facts: SessionFacts,
        token: String,
    ) -> Result<CitizenSession, Error> {
        let form = self.citizen_key(&facts.tenant).await?.form_token(&facts)?;
        let SessionFacts { generation, begun, ends, .. } = facts;
        let left = (ends.micros() - self.now().micros()) / 1_000_000;
        let seconds = u64::try_from(left).unwrap_or_default();
        Ok(CitizenSession {
            case,
            generation,
            begun,
            ends,
            latest: begun.plus(LONGEST),
            token,
            form,
            seconds,
        })
    }

    /// The session of a token, as long as it lasts and its secret is not revoked.
    ///
    /// # Errors
    /// `CitizenRefused` whatever is wrong.
    pub async fn citizen_session(&self, token: &str) -> Result<CitizenSession, Error> {
        self.citizens()?;
        self.try_session(token).await?.ok_or(Error::CitizenRefused)
    }

    async fn try_session(&self, token: &str) -> Result<Option<CitizenSession>, Error> {
        let Some((signed, mac)) = keys::session_parts(token) else { return Ok(None) };
        let Some(facts) = SessionFacts::read(&signed) else { return Ok(None) };
        if !self.house().tenants().any(|known| known.id == facts.tenant) {
            return Ok(None);
        }
        let is_ours = self.citizen_key(&facts.tenant).await?.is_session(&signed, &mac)?;
        if !is_ours || facts.ends <= self.now() {
            return Ok(None);
        }
        if self.generation(&facts.tenant, facts.case).await?.number != facts.generation {
            return Ok(None);
        }
        match self.case_there(&facts.tenant, facts.case).await? {
            Some(case) => Ok(Some(self.as_session(case, facts, token.to_owned()).await?)),
            None => Ok(None),
        }
    }

    /// A case that is not destroyed.
    pub(super) async fn case_there(&self, tenant: &str, case: Id) -> Result<Option<Case>, Error> {
        let found = self.store().record(&Scope::tenant(tenant), RecordKind::Case, case).await?;
        Ok(match found.filter(is_there) {
            Some(Record::Case(case)) => Some(case),
            _ => None,
        })
    }
}
