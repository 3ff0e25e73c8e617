//! Access of a citizen to one case: a clerk gives it, and takes it back; the citizen enters with number and secret.
//!
//! The number is a reference of the case, so it is found by the index of references. The generation stands beside the case, and is 1
//! as long as nobody has revoked anything. A number that is not known costs the same steps as one that is.

use std::time::{Duration, Instant};

use model::case::{Case, RecordStatus, Reference};
use model::command::{Change, Command};
use model::rights::Action;
use model::{Caller, Event, EventKind, Id, Record, RecordKind, Scope, Timestamp};
use serde_json::json;
use store::{Page, RecordFilter, Work};

use super::keys::{self, read_number};
use super::{Citizens, NUMBER, PLACE, citizen, somebody};
use crate::{Broker, Error, Once};

/// How long a session lasts.
const SESSION: Duration = Duration::from_secs(30 * 60);

/// Cases of one number that are looked at. There are no two, unless somebody gave them the same by hand.
const CASES: u32 = 3;

/// How often a new number is drawn.
const DRAWS: usize = 10;

/// Characters of what was written as a number that are looked at.
const WRITTEN: usize = 64;

/// How often it is decided anew because the case changed in between.
const ATTEMPTS: usize = 5;

/// Rule by which an attempt is refused, as it stands in the audit event.
const REFUSED: &str = "citizen.refused";

/// What opens a case for its citizen.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    /// The case.
    pub case: Id,
    /// Its number, eleven digits.
    pub number: String,
    /// Its secret, four groups of five characters.
    pub secret: String,
    /// Where both are asked for.
    pub status_url: String,
}

/// Never the secret.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Access({}, …)", self.case)
    }
}

/// A citizen who has entered.
#[derive(Debug, Clone)]
pub struct CitizenSession {
    /// The case, as it was when it was looked at.
    pub(super) case: Case,
    /// What proves it, for a cookie.
    pub token: String,
    /// What forms carry.
    pub form: String,
    /// Seconds that it lasts.
    pub seconds: u64,
}

impl Citizens {
    /// Where number and secret are asked for.
    pub fn status_url(&self) -> String {
        format!("{}/citizen/", self.url)
    }
}

impl Broker {
    /// Gives the citizen of a case access to it; the same again as long as it is not revoked.
    ///
    /// # Errors
    /// `NotFound` if the case is outside of the caller's scope; what keeps a case from being changed.
    pub async fn give_access(&self, caller: &Caller, case: Id) -> Result<Access, Error> {
        self.citizens()?;
        let scope = caller.may(Action::WriteCases)?;
        for _ in 0..ATTEMPTS {
            let case = case_of(self.owned(scope, RecordKind::Case, case).await?)?;
            if case.description.reference(NUMBER).is_some() {
                return self.access_to(&case).await;
            }
            let mut references = case.description.references.clone();
            references.push(self.new_reference(&scope.tenant).await?);
            let command = Command {
                kind: RecordKind::Case,
                id: case.meta.id,
                expected: Some(case.meta.version),
                change: Change::Amend(json!({ "references": references })),
            };
            match self.submit(caller, command, None).await {
                Ok(record) => return self.access_to(&case_of(record)?).await,
                Err(Error::Model(model::Error::VersionConflict)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(model::Error::VersionConflict.into())
    }

    /// Ends whatever was given: secret and sessions. The number stays.
    ///
    /// # Errors
    /// `NotFound` if the case is outside of the caller's scope.
    pub async fn revoke_access(&self, caller: &Caller, case: Id) -> Result<(), Error> {
        self.citizens()?;
        let scope = caller.may(Action::WriteCases)?;
        let case = case_of(self.owned(scope, RecordKind::Case, case).await?)?;
        let meta = &case.meta;
        let next = self.generation(&meta.tenant, meta.id).await? + 1;
        let detail = json!({ "citizenAccess": "revoked", "generation": next });
        let event = self.about_case(&case, &caller.actor, detail);
        let mut work = Work::new();
        work.set_adapter_state(&meta.tenant, PLACE, &generation_key(meta.id), &json!(next));
        work.insert_event(&event);
        Ok(self.store().commit(work).await?)
    }

    /// What opens a case that has a number.
    pub(super) async fn access_to(&self, case: &Case) -> Result<Access, Error> {
        let (tenant, id) = (&case.meta.tenant, case.meta.id);
        let number = case.description.reference(NUMBER).ok_or(Error::Internal)?.to_owned();
        let generation = self.generation(tenant, id).await?;
        let secret = self.citizen_key(tenant).await?.secret(id, generation)?;
        Ok(Access { case: id, number, secret, status_url: self.citizens()?.status_url() })
    }

    /// A number that no case of the tenant has.
    pub(super) async fn new_reference(&self, tenant: &str) -> Result<Reference, Error> {
        for _ in 0..DRAWS {
            let value = keys::new_number()?;
            if self.numbered(tenant, &value).await?.is_empty() {
                return Ok(Reference { kind: NUMBER.to_owned(), value });
            }
        }
        Err(Error::Internal)
    }

    /// Somebody enters with number and secret.
    ///
    /// # Errors
    /// `CitizenRefused` whatever is wrong; `CitizenLater` if it was tried too often.
    pub async fn citizen_enters(&self, number: &str, secret: &str) -> Result<CitizenSession, Error> {
        self.citizens()?;
        // Counted as it is written: whoever mistypes is not in the way of others who do.
        let written = number.get(..WRITTEN).unwrap_or(number);
        let read = read_number(number);
        if !self.citizen_doors.guard.lets_in(read.as_deref().unwrap_or(written), Instant::now()) {
            return Err(Error::CitizenLater);
        }
        // What cannot be a number is looked up like one, and found by nobody.
        let number = read.unwrap_or_else(|| "0".repeat(11));
        let mut entered = None;
        let mut refused_at = None;
        for tenant in self.house().tenants().map(|tenant| tenant.id.clone()) {
            let cases = self.numbered(&tenant, &number).await?;
            if !cases.is_empty() {
                refused_at = Some(tenant.clone());
            }
            let case = self.opened_by(&tenant, cases, secret).await?;
            entered = entered.or(case);
        }
        match entered {
            Some((case, generation)) => {
                self.citizen_doors.guard.was_right(&number);
                self.begin_session(case, generation).await
            }
            None => Err(self.refused(refused_at).await?),
        }
    }

    /// The case that the secret opens, and its generation. Of no case the same is asked as of one.
    async fn opened_by(
        &self,
        tenant: &str,
        cases: Vec<Case>,
        secret: &str,
    ) -> Result<Option<(Case, u64)>, Error> {
        let key = self.citizen_key(tenant).await?;
        if cases.is_empty() {
            let generation = self.generation(tenant, Id::nil()).await?;
            let _ = key.is_secret(Id::nil(), generation, secret)?;
        }
        let mut opened = None;
        for case in cases {
            let generation = self.generation(tenant, case.meta.id).await?;
            if key.is_secret(case.meta.id, generation, secret)? {
                opened = Some((case, generation));
            }
        }
        Ok(opened)
    }

    /// The refusal, after it was audited: that somebody tried, not what.
    async fn refused(&self, tenant: Option<String>) -> Result<Error, Error> {
        let first = || self.house().tenants().next().map(|tenant| tenant.id.clone());
        let tenant = tenant.or_else(first).ok_or(Error::Internal)?;
        let detail = json!({ "code": REFUSED, "number": 403 });
        let event = self.audit(&tenant, EventKind::MessageRefused, &somebody(), detail);
        let mut work = Work::new();
        work.insert_event(&event);
        self.store().commit(work).await?;
        Ok(Error::CitizenRefused)
    }

    async fn begin_session(&self, case: Case, generation: u64) -> Result<CitizenSession, Error> {
        let key = self.citizen_key(&case.meta.tenant).await?;
        let ends = self.now().plus(SESSION);
        let token = key.session(&case.meta.tenant, case.meta.id, generation, ends)?;
        let form = key.form_token(&token)?;
        Ok(CitizenSession { case, token, form, seconds: SESSION.as_secs() })
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
        let Some((facts, mac)) = keys::session_parts(token) else { return Ok(None) };
        let mut parts = facts.splitn(4, '.');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (case, generation, ends, tenant) = (next(), next(), next(), next());
        if !self.house().tenants().any(|known| known.id == tenant) {
            return Ok(None);
        }
        let key = self.citizen_key(&tenant).await?;
        if !key.is_session(&facts, &mac)? {
            return Ok(None);
        }
        let (Ok(case), Ok(generation), Ok(ends)) =
            (case.parse::<Id>(), generation.parse::<u64>(), ends.parse::<i64>())
        else {
            return Ok(None);
        };
        let left = Timestamp::from_micros(ends.saturating_mul(1_000_000)).micros() - self.now().micros();
        let seconds = u64::try_from(left / 1_000_000).unwrap_or_default();
        if seconds == 0 || self.generation(&tenant, case).await? != generation {
            return Ok(None);
        }
        let found = self.store().record(&Scope::tenant(&tenant), RecordKind::Case, case).await?;
        let Some(Record::Case(case)) = found.filter(is_there) else { return Ok(None) };
        Ok(Some(CitizenSession { case, form: key.form_token(token)?, token: token.to_owned(), seconds }))
    }

    /// Cases of a tenant that have this number.
    async fn numbered(&self, tenant: &str, number: &str) -> Result<Vec<Case>, Error> {
        let reference = Some((NUMBER.to_owned(), number.to_owned()));
        let filter = RecordFilter { reference, ..RecordFilter::of(RecordKind::Case) };
        let found = self.store().records(&Scope::tenant(tenant), &filter, &Page::first(CASES)).await?.items;
        let cases = found.into_iter().filter(is_there).map(case_of);
        cases.collect()
    }

    async fn generation(&self, tenant: &str, case: Id) -> Result<u64, Error> {
        let kept = self.store().adapter_state(tenant, PLACE, &generation_key(case)).await?;
        Ok(kept.and_then(|kept| kept.as_u64()).unwrap_or(1))
    }

    /// An event on the time line of a case: identifiers and states, no content.
    pub(super) fn about_case(&self, case: &Case, actor: &model::Actor, detail: serde_json::Value) -> Event {
        let meta = &case.meta;
        let subject = model::event::Subject { kind: RecordKind::Case, id: meta.id };
        Event {
            unit: Some(meta.unit.clone()),
            public_service: meta.public_service.clone(),
            subject: Some(subject),
            case_id: Some(meta.root),
            ..self.audit(&meta.tenant, EventKind::ChannelNoted, actor, detail)
        }
    }

    /// Changes the case in the name of its citizen.
    pub(super) async fn amend_as_citizen(
        &self,
        case: &Case,
        change: serde_json::Value,
        once: Option<&Once>,
    ) -> Result<(), Error> {
        let command = Command {
            kind: RecordKind::Case,
            id: case.meta.id,
            expected: Some(case.meta.version),
            change: Change::Amend(change),
        };
        self.submit(&citizen(case), command, once).await.map(drop)
    }
}

fn generation_key(case: Id) -> String {
    format!("generation:{case}")
}

pub(super) fn case_of(record: Record) -> Result<Case, Error> {
    match record {
        Record::Case(case) => Ok(case),
        _ => Err(model::Error::NotFound { kind: "case" }.into()),
    }
}

fn is_there(record: &Record) -> bool {
    record.status() != RecordStatus::Destroyed.name()
}
