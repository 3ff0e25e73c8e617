//! Users of the house, their sessions, and failed attempts to sign in.

use std::collections::{BTreeMap, BTreeSet};

use model::rights::Within;
use model::{Authority, Id, Role, Timestamp};
use seal::door::DoorKey;
use serde::{Deserialize, Serialize};

use crate::sql::{Row, Select};
use crate::{Error, Page, Store};

/// Whether a user may sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserState {
    /// Yes.
    Active,
    /// Not until an administrator unlocks it.
    Locked,
    /// Has left.
    Disabled,
}

impl UserState {
    /// As it is kept and shown to programs.
    pub fn name(self) -> &'static str {
        match self {
            UserState::Active => "active",
            UserState::Locked => "locked",
            UserState::Disabled => "disabled",
        }
    }
}

/// A user as it is kept.
#[derive(Clone, PartialEq)]
pub struct Person {
    /// Identifier; the id of the actor `person` in events.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// Login name in lower case; one in the whole house.
    pub login: String,
    /// Counts the changes, from 1.
    pub version: u64,
    /// Whether the user may sign in.
    pub state: UserState,
    /// Issuer and subject by which a provider of identities knows the user.
    pub identity: Option<(String, String)>,
    /// argon2id in PHC format; `None`: none is set.
    pub password: Option<String>,
    /// What codes are made of, wrapped ([`Store::wrap_totp`]).
    pub totp: Option<Vec<u8>>,
    /// Step of the last code that was taken. Written by [`Work::take_totp_step`](crate::Work::take_totp_step) alone.
    pub totp_step: u64,
    /// SHA-256 of the recovery codes that are left, hex.
    pub recovery: Vec<String>,
    /// SHA-256 of the initial secret, hex, and until when it holds.
    pub invite: Option<(String, Timestamp)>,
    /// What administrators say.
    pub terms: PersonTerms,
}

/// Never a secret, nor a name.
impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Person({}, version {}, …)", self.id, self.version)
    }
}

/// What administrators say of a user, and when it was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonTerms {
    /// Name for people.
    pub name: String,
    /// Address of e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Roles.
    pub roles: Vec<Role>,
    /// Units that the user sees.
    pub units: Within,
    /// Public services that the user sees.
    pub services: Within,
    /// Authority that the user acts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// When the user was added.
    pub created_at: Timestamp,
    /// When something changed last.
    pub changed_at: Timestamp,
    /// When the password was set last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_changed_at: Option<Timestamp>,
}

/// How far somebody is in signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStage {
    /// Has signed in.
    Open,
    /// The password was right, a code is wanted.
    Code,
    /// Password, codes or both have to be set.
    SetUp,
}

impl SessionStage {
    pub(crate) fn name(self) -> &'static str {
        match self {
            SessionStage::Open => "open",
            SessionStage::Code => "code",
            SessionStage::SetUp => "set-up",
        }
    }
}

/// A session as it is kept.
#[derive(Clone, PartialEq)]
pub struct PersonSession {
    /// SHA-256 of what the browser has, hex.
    pub hash: String,
    /// Identifier for people.
    pub id: Id,
    /// Whose it is.
    pub person: Id,
    /// Tenant of the user.
    pub tenant: String,
    /// How far it is.
    pub stage: SessionStage,
    /// When it began.
    pub begun: Timestamp,
    /// When something was done last, to the minute.
    pub seen: Timestamp,
    /// When it ends whatever is done.
    pub ends: Timestamp,
    /// What codes will be made of once one was right, wrapped.
    pub draft: Option<Vec<u8>>,
}

/// Failed attempts at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignInTry {
    /// The place.
    pub place: u32,
    /// Failures that count.
    pub failures: u64,
    /// When the last one was.
    pub last_at: Timestamp,
    /// Nothing is tried before.
    pub until: Timestamp,
}

impl Store {
    /// A user by the login name in lower case.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn person_by_login(&self, login: &str) -> Result<Option<Person>, Error> {
        self.one_person(Select::new(PERSON).sql("login = ").bind(login)).await
    }

    /// A user of a tenant.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn person(&self, tenant: &str, id: Id) -> Result<Option<Person>, Error> {
        self.one_person(Select::new(PERSON).sql("tenant = ").bind(tenant).and("id =", id)).await
    }

    /// A user by the SHA-256 of the initial secret, hex.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn person_by_invite(&self, hash: &str) -> Result<Option<Person>, Error> {
        self.one_person(Select::new(PERSON).sql("invite = ").bind(hash)).await
    }

    /// A user by what a provider of identities calls it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn person_by_identity(&self, issuer: &str, subject: &str) -> Result<Option<Person>, Error> {
        self.one_person(Select::new(PERSON).sql("issuer = ").bind(issuer).and("subject =", subject)).await
    }

    /// What users of a tenant are called, by their ids: at most so many as a page has.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn names_of_persons(
        &self,
        tenant: &str,
        ids: &BTreeSet<Id>,
    ) -> Result<BTreeMap<Id, String>, Error> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut select =
            Select::new("SELECT id, body FROM person WHERE tenant = ").bind(tenant).sql(" AND id IN (");
        for (at, id) in ids.iter().take(Page::MOST as usize).enumerate() {
            select = select.sql(if at == 0 { "" } else { ", " }).bind(*id);
        }
        let rows = self.db().read(select.sql(")")).await?;
        rows.iter().map(|row| Ok((row.id(0)?, row.json::<PersonTerms>(1)?.name))).collect()
    }

    async fn one_person(&self, select: Select) -> Result<Option<Person>, Error> {
        self.db().read_one(select).await?.as_ref().map(|row| person(row, 0)).transpose()
    }

    /// Up to `limit` users of a tenant by login name, behind the login `after`; those whose login or name holds `search`, if it says
    /// something.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn persons(
        &self,
        tenant: &str,
        search: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Person>, Error> {
        let select =
            Select::new(PERSON).sql("tenant = ").bind(tenant).and_if("login >", after.map(str::to_owned));
        let select = if search.is_empty() {
            select
        } else {
            select.sql(" AND search LIKE ").bind(pattern(search)).sql(r" ESCAPE '\'")
        };
        let rows = self.db().read(select.sql(" ORDER BY login LIMIT ").bind(limit)).await?;
        rows.iter().map(|row| person(row, 0)).collect()
    }

    /// A session by the SHA-256 of what the browser has, hex, with its user.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn session(&self, hash: &str) -> Result<Option<(PersonSession, Person)>, Error> {
        let row = self.db().read_one(Select::new(SESSION_WITH_PERSON).bind(hash)).await?;
        row.as_ref().map(|row| Ok((session(row)?, person(row, SESSION_COLUMNS)?))).transpose()
    }

    /// Sessions of a user that have not ended whatever was done, oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn sessions_of(&self, person: Id, now: Timestamp) -> Result<Vec<PersonSession>, Error> {
        let select = Select::new(SESSION).bind(person).and("ends >", now);
        let rows = self.db().read(select.sql(" ORDER BY begun, id LIMIT 100")).await?;
        rows.iter().map(session).collect()
    }

    /// Failed attempts at two places.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn sign_in_tries(&self, one: u32, other: u32) -> Result<Vec<SignInTry>, Error> {
        let select = Select::new("SELECT place, failures, last_at, until FROM sign_in_try WHERE place IN (")
            .bind(one)
            .sql(", ")
            .bind(other)
            .sql(")");
        self.db().read(select).await?.iter().map(sign_in_try).collect()
    }

    /// Wraps what a user's codes are made of with the keys of the payloads.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn wrap_totp(&self, tenant: &str, person: Id, key: &DoorKey) -> Result<Vec<u8>, Error> {
        Ok(key.wrap(self.keys(), tenant, person)?)
    }
}

/// Text that holds `search`; what has a meaning in patterns has none.
fn pattern(search: &str) -> String {
    let mut pattern = "%".to_owned();
    for letter in search.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern + "%"
}

const PERSON: &str = "SELECT id, tenant, login, version, state, issuer, subject, password, totp, totp_step, recovery, invite, \
     invite_until, body FROM person WHERE ";

const SESSION: &str =
    "SELECT hash, id, person, tenant, stage, begun, seen, ends, draft FROM person_session WHERE person = ";

const SESSION_COLUMNS: usize = 9;

const SESSION_WITH_PERSON: &str = "SELECT s.hash, s.id, s.person, s.tenant, s.stage, s.begun, s.seen, s.ends, s.draft, p.id, \
     p.tenant, p.login, p.version, p.state, p.issuer, p.subject, p.password, p.totp, p.totp_step, p.recovery, p.invite, \
     p.invite_until, p.body FROM person_session s JOIN person p ON p.id = s.person WHERE s.hash = ";

/// A user whose columns begin at `at`.
fn person(row: &Row, at: usize) -> Result<Person, Error> {
    let state = match row.text(at + 4)?.as_str() {
        "active" => UserState::Active,
        "locked" => UserState::Locked,
        "disabled" => UserState::Disabled,
        _ => return Err(Error::Corrupt { what: "person" }),
    };
    Ok(Person {
        id: row.id(at)?,
        tenant: row.text(at + 1)?,
        login: row.text(at + 2)?,
        version: row.number(at + 3)?,
        state,
        identity: row.opt_text(at + 5)?.zip(row.opt_text(at + 6)?),
        password: row.opt_text(at + 7)?,
        totp: row.opt_bytes(at + 8)?,
        totp_step: row.number(at + 9)?,
        recovery: row.json(at + 10)?,
        invite: row.opt_text(at + 11)?.zip(row.opt_time(at + 12)?),
        terms: row.json(at + 13)?,
    })
}

fn session(row: &Row) -> Result<PersonSession, Error> {
    let stage = match row.text(4)?.as_str() {
        "open" => SessionStage::Open,
        "code" => SessionStage::Code,
        "set-up" => SessionStage::SetUp,
        _ => return Err(Error::Corrupt { what: "session" }),
    };
    Ok(PersonSession {
        hash: row.text(0)?,
        id: row.id(1)?,
        person: row.id(2)?,
        tenant: row.text(3)?,
        stage,
        begun: row.time(5)?,
        seen: row.time(6)?,
        ends: row.time(7)?,
        draft: row.opt_bytes(8)?,
    })
}

fn sign_in_try(row: &Row) -> Result<SignInTry, Error> {
    let place = u32::try_from(row.int(0)?).map_err(|_| Error::Corrupt { what: "row" })?;
    Ok(SignInTry { place, failures: row.number(1)?, last_at: row.time(2)?, until: row.time(3)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_no_pattern() {
        assert_eq!(pattern(r"a%_\"), r"%a\%\_\\%");
    }
}
