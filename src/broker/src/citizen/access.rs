//! Access of a citizen to one case: a clerk gives it, and takes it back; the citizen enters with number and secret.
//!
//! The number is a reference of the case, so it is found by the index of references. The generation stands beside the case, and is 1
//! as long as nobody has revoked anything. A number that is not known costs the same steps as one that is.

use std::time::Instant;

use model::case::{Case, RecordStatus};
use model::command::{Change, Command};
use model::rights::Action;
use model::{Caller, Event, EventKind, Id, Record, RecordKind, Scope};
use serde_json::json;
use store::{Page, RecordFilter, Work};

use super::keys::{self, read_number};
use super::reach::end_apps;
use super::session::CitizenSession;
use super::{Citizens, NUMBER, PLACE, citizen, somebody};
use crate::{Broker, Error, Once};

/// Cases of one number that are looked at. There are no two, unless somebody gave them the same by hand.
const CASES: u32 = 3;

/// How often a new number is drawn.
const DRAWS: usize = 10;

/// Characters of what was written as a number that are looked at.
const WRITTEN: usize = 64;

/// How often it is decided anew because the case changed in between.
const ATTEMPTS: usize = 5;

/// A day, in microseconds.
const DAY: i64 = 24 * 3_600 * 1_000_000;

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

impl Citizens {
    /// Where number and secret are asked for.
    pub fn status_url(&self) -> String {
        format!("{}/citizen/", self.url)
    }
}

impl Broker {
    /// Gives the citizen of a case access to it; the same again as long as it is not revoked. Each time leaves an event of who had it.
    ///
    /// # Errors
    /// `NotFound` if the case is outside of the caller's scope; what keeps a case from being changed.
    pub async fn give_access(&self, caller: &Caller, case: Id) -> Result<Access, Error> {
        self.citizens()?;
        let scope = caller.may(Action::WriteCases)?;
        for _ in 0..ATTEMPTS {
            let case = case_of(self.owned(scope, RecordKind::Case, case).await?)?;
            if case.description.reference(NUMBER).is_some() {
                let generation = self.generation(&scope.tenant, case.meta.id).await?;
                return self.access_to(&case, generation.number, &caller.actor).await;
            }
            let command = Command {
                kind: RecordKind::Case,
                id: case.meta.id,
                expected: Some(case.meta.version),
                change: Change::CitizenNumber(self.new_number(&scope.tenant).await?),
            };
            match self.submit(caller, command, None).await {
                Ok(_) | Err(Error::Model(model::Error::VersionConflict | model::Error::Exists)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(model::Error::VersionConflict.into())
    }

    /// Ends whatever was given: secret, sessions, links and the subscriptions of apps. The number stays.
    ///
    /// # Errors
    /// `NotFound` if the case is outside of the caller's scope.
    pub async fn revoke_access(&self, caller: &Caller, case: Id) -> Result<(), Error> {
        self.citizens()?;
        let scope = caller.may(Action::WriteCases)?;
        let case = case_of(self.owned(scope, RecordKind::Case, case).await?)?;
        let meta = &case.meta;
        let next = self.generation(&meta.tenant, meta.id).await?.next(self.now());
        let apps = self.apps_of(&meta.tenant, meta.id).await?.len();
        let mut work = Work::new();
        // Who subscribes at the same time is either seen here, or sees the new generation.
        work.hold_record(&meta.tenant, meta.id);
        next.keep(&mut work, &meta.tenant, meta.id);
        end_apps(&mut work, &meta.tenant, meta.id);
        let detail = json!({ "citizenAccess": "revoked", "generation": next.number, "apps": apps });
        work.insert_event(&self.about_case(&case, &caller.actor, detail));
        Ok(self.store().commit(work).await?)
    }

    /// What opens a case that has a number, by the secret of this generation. That somebody was given it is on the time line of the case
    /// before it is.
    pub(super) async fn access_to(
        &self,
        case: &Case,
        generation: u64,
        to: &model::Actor,
    ) -> Result<Access, Error> {
        let (tenant, id) = (&case.meta.tenant, case.meta.id);
        let number = case.description.reference(NUMBER).ok_or(Error::Internal)?.to_owned();
        let secret = self.citizen_key(tenant).await?.secret(id, generation)?;
        let mut work = Work::new();
        let detail = json!({ "citizenAccess": "given", "generation": generation });
        work.insert_event(&self.about_case(case, to, detail));
        self.store().commit(work).await?;
        Ok(Access { case: id, number, secret, status_url: self.citizens()?.status_url() })
    }

    /// A number that no case of the tenant has.
    pub(super) async fn new_number(&self, tenant: &str) -> Result<String, Error> {
        for _ in 0..DRAWS {
            let number = keys::new_number()?;
            if self.numbered(tenant, &number).await?.is_empty() {
                return Ok(number);
            }
        }
        Err(Error::Internal)
    }

    /// Somebody enters with number and secret, which is told on the time line of the case.
    ///
    /// # Errors
    /// `CitizenRefused` whatever is wrong; `CitizenLater` if it was tried too often, or the same was right too often.
    pub async fn citizen_enters(&self, number: &str, secret: &str) -> Result<CitizenSession, Error> {
        let (case, generation) = self.let_in(number, secret).await?;
        let mut work = Work::new();
        let detail = json!({ "citizenAccess": "entered", "generation": generation });
        work.insert_event(&self.about_case(&case, &somebody(), detail));
        self.store().commit(work).await?;
        self.begin_session(case, generation).await
    }

    /// The same for an app, which has no session and enters with each request: told once a day.
    ///
    /// # Errors
    /// As [`Broker::citizen_enters`].
    pub async fn citizen_app_enters(&self, number: &str, secret: &str) -> Result<CitizenSession, Error> {
        let (case, generation) = self.let_in(number, secret).await?;
        let (tenant, key) = (&case.meta.tenant, format!("app:{}", case.meta.id));
        let told = json!({ "generation": generation, "day": self.now().micros().div_euclid(DAY) });
        if self.store().adapter_state(tenant, PLACE, &key).await?.as_ref() != Some(&told) {
            let mut work = Work::new();
            work.set_adapter_state(tenant, PLACE, &key, &told);
            let detail = json!({ "citizenAccess": "entered", "generation": generation, "by": "app" });
            work.insert_event(&self.about_case(&case, &somebody(), detail));
            self.store().commit(work).await?;
        }
        self.begin_session(case, generation).await
    }

    /// The case that number and secret open, and its generation.
    async fn let_in(&self, number: &str, secret: &str) -> Result<(Case, u64), Error> {
        self.citizens()?;
        // Counted as it is written: whoever mistypes is not in the way of others who do.
        let written = number.get(..WRITTEN).unwrap_or(number);
        let read = read_number(number);
        if !self.citizen_doors.guard.lets_in(read.as_deref().unwrap_or(written), Instant::now()) {
            return Err(Error::CitizenLater);
        }
        let _turn = self.citizen_doors.guard.turn().await;
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
            Some(entered) => {
                self.citizen_doors.guard.was_right(&number);
                Ok(entered)
            }
            None => Err(self.refused(refused_at).await?),
        }
    }

    /// The case that the secret opens, and its generation.
    async fn opened_by(
        &self,
        tenant: &str,
        cases: Vec<Case>,
        secret: &str,
    ) -> Result<Option<(Case, u64)>, Error> {
        let key = self.citizen_key(tenant).await?;
        let mut opened = None;
        for (id, case) in as_cases(cases) {
            let generation = self.generation(tenant, id).await?.number;
            let is_open = key.is_secret(id, generation, secret)?;
            opened = case.filter(|_| is_open).map(|case| (case, generation)).or(opened);
        }
        Ok(opened)
    }

    /// The refusal, after it was audited: that somebody tried, not what. Of very many only the number is.
    async fn refused(&self, tenant: Option<String>) -> Result<Error, Error> {
        let Some(others) = self.citizen_doors.guard.was_refused(Instant::now()) else {
            return Ok(Error::CitizenRefused);
        };
        let first = || self.house().tenants().next().map(|tenant| tenant.id.clone());
        let tenant = tenant.or_else(first).ok_or(Error::Internal)?;
        let mut detail = json!({ "code": REFUSED, "number": 403 });
        if others > 0 {
            detail["others"] = others.into();
        }
        let event = self.audit(&tenant, EventKind::MessageRefused, &somebody(), detail);
        let mut work = Work::new();
        work.insert_event(&event);
        self.store().commit(work).await?;
        Ok(Error::CitizenRefused)
    }

    /// Cases of a tenant that have this number.
    async fn numbered(&self, tenant: &str, number: &str) -> Result<Vec<Case>, Error> {
        let reference = Some((NUMBER.to_owned(), number.to_owned()));
        let filter = RecordFilter { reference, ..RecordFilter::of(RecordKind::Case) };
        let found = self.store().records(&Scope::tenant(tenant), &filter, &Page::first(CASES)).await?.items;
        let cases = found.into_iter().filter(is_there).map(case_of);
        cases.collect()
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

/// What is looked at: of no case the same is asked as of one.
fn as_cases(cases: Vec<Case>) -> Vec<(Id, Option<Case>)> {
    match cases.is_empty() {
        true => vec![(Id::nil(), None)],
        false => cases.into_iter().map(|case| (case.meta.id, Some(case))).collect(),
    }
}

pub(super) fn case_of(record: Record) -> Result<Case, Error> {
    match record {
        Record::Case(case) => Ok(case),
        _ => Err(model::Error::NotFound { kind: "case" }.into()),
    }
}

pub(super) fn is_there(record: &Record) -> bool {
    record.status() != RecordStatus::Destroyed.name()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_no_case_as_much_is_asked_as_of_one() {
        let Record::Case(case) = model::testkit::a_case("Carport") else { panic!() };
        assert_eq!(as_cases(vec![]), [(Id::nil(), None)]);
        assert_eq!(as_cases(vec![case.clone()]), [(case.meta.id, Some(case))]);
    }
}
