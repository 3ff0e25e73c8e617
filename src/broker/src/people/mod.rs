//! People: users of the house, how they sign in, their sessions, and who changes them.
//!
//! | module | holds |
//! |---|---|
//! | `password` | argon2id (RFC 9106) with the parameters that OWASP recommends, and what makes a good password |
//! | `totp` | one-time codes (RFC 6238), and recovery codes |
//! | `guard` | how often it may be tried, and how many passwords are checked at once |
//! | `sign_in`, `set_up` | password, then code; and how a new user gets both |
//! | `by_identity` | people whom a provider of identities knows |
//! | `session` | who visits: a session's user with the rights of now |
//! | `account` | what users change of their own |
//! | `change`, `manage` | what administrators change |
//!
//! Whatever is wrong with a sign-in, the answer is the same, and so is the work: one look at the failures, one at the user, one run of
//! argon2, one commit.

mod account;
mod by_identity;
mod change;
mod guard;
mod manage;
mod password;
mod session;
mod set_up;
mod sign_in;
mod totp;

use std::sync::Arc;
use std::time::Duration;

use model::rights::Within;
use model::{Actor, Authority, Caller, Id, Role, Scope, Timestamp};
use seal::door::DoorKey;
use serde::Serialize;
use store::{Person, UserState};

pub use account::OwnSession;
pub use by_identity::{GivenRights, LinkBy, Stranger};
pub use change::{NewUser, UserChange};
pub use manage::{Invited, UserFilter, UserList};
pub use session::SignedIn;
pub use set_up::{SetUp, TotpOffer};
pub use sign_in::{Next, SignIn};

use crate::{Broker, Error};

/// Whose sign-in needs codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TotpPolicy {
    /// Those who run, audit or administer the gateway.
    #[default]
    Privileged,
    /// Everybody.
    All,
    /// Nobody has to; everybody may.
    Optional,
}

/// What may be set for people.
#[derive(Debug, Clone, Copy)]
pub struct PeopleSettings {
    /// A session in which nothing is done ends after this.
    pub idle: Duration,
    /// Any session ends after this.
    pub longest: Duration,
    /// How long an initial secret holds.
    pub invite: Duration,
    /// Whose sign-in needs codes.
    pub totp: TotpPolicy,
    /// Whether a second person has to agree to what raises rights.
    pub four_eyes: bool,
}

impl Default for PeopleSettings {
    fn default() -> Self {
        let hours = |count: u64| Duration::from_secs(count * 3_600);
        PeopleSettings {
            idle: Duration::from_secs(30 * 60),
            longest: hours(10),
            invite: hours(72),
            totp: TotpPolicy::default(),
            four_eyes: false,
        }
    }
}

/// What is remembered between calls about people.
#[derive(Default)]
pub(crate) struct Desk {
    guard: guard::Guard,
    seen: session::Seen,
}

impl Desk {
    /// Rights of users have changed: whoever visits is looked up anew.
    pub(crate) fn forget(&self) {
        self.seen.forget();
    }
}

/// A user as administrators and the user see it: without secrets.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Identifier; the id of the actor `person` in events.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// Login name.
    pub login: String,
    /// Name for people.
    pub name: String,
    /// Address of e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Roles.
    pub roles: Vec<Role>,
    /// Units that the user sees.
    pub units: Within,
    /// Public services that the user sees.
    pub services: Within,
    /// Authority that the user acts for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// Whether the user may sign in.
    pub state: UserState,
    /// Whether a password is set.
    pub has_password: bool,
    /// Whether codes are set up.
    pub has_totp: bool,
    /// Recovery codes that are left.
    pub recovery_left: usize,
    /// Issuer and subject at a provider of identities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<(String, String)>,
    /// Until when the initial secret holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_until: Option<Timestamp>,
    /// Counts the changes, from 1.
    pub version: u64,
    /// When the user was added.
    pub created_at: Timestamp,
    /// When something changed last.
    pub changed_at: Timestamp,
    /// When the password was set last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_changed_at: Option<Timestamp>,
}

impl User {
    pub(crate) fn of(person: &Person) -> User {
        let Person { id, tenant, login, version, state, identity, recovery, invite, terms, .. } =
            person.clone();
        User {
            id,
            tenant,
            login,
            name: terms.name,
            email: terms.email,
            roles: terms.roles,
            units: terms.units,
            services: terms.services,
            authority: terms.authority,
            state,
            has_password: person.password.is_some(),
            has_totp: person.totp.is_some(),
            recovery_left: recovery.len(),
            identity,
            invited_until: invite.map(|(_, until)| until),
            version,
            created_at: terms.created_at,
            changed_at: terms.changed_at,
            password_changed_at: terms.password_changed_at,
        }
    }
}

/// A person as the actor of events: the id, never the name.
fn actor(id: Id) -> Actor {
    Actor { kind: "person".to_owned(), id: id.to_string() }
}

/// With which rights somebody calls.
fn caller(person: &Person) -> Caller {
    let terms = &person.terms;
    Caller {
        actor: actor(person.id),
        roles: terms.roles.clone(),
        scope: Scope {
            tenant: person.tenant.clone(),
            units: terms.units.clone(),
            services: terms.services.clone(),
        },
        authority: terms.authority.clone(),
    }
}

impl Broker {
    /// The same with other settings for people. Before it is cloned.
    pub fn with_people(self, people_settings: PeopleSettings) -> Self {
        Broker { people_settings, people: Arc::default(), ..self }
    }

    /// Whether somebody with these roles needs codes to sign in.
    pub fn needs_totp(&self, roles: &[Role]) -> bool {
        let is_privileged = |role: &Role| matches!(role, Role::Operator | Role::Auditor | Role::Admin);
        match self.people_settings.totp {
            TotpPolicy::All => true,
            TotpPolicy::Optional => false,
            TotpPolicy::Privileged => roles.iter().any(is_privileged),
        }
    }

    /// How often a password was checked so far: who is refused must not learn why by how long it took.
    pub fn times_hashed(&self) -> u64 {
        self.people.guard.times_hashed()
    }

    /// What has to be set up before the user may do anything else: a password, codes.
    fn is_wanted(&self, person: &Person) -> (bool, bool) {
        (person.password.is_none(), person.totp.is_none() && self.needs_totp(&person.terms.roles))
    }

    /// What a user's codes are made of.
    fn totp_secret(&self, tenant: &str, person: Id, wrapped: &[u8]) -> Result<totp::Secret, Error> {
        totp::Secret::of(&self.store().open_wrapped(tenant, person, wrapped)?)
    }

    /// Something new that codes can be made of, wrapped.
    fn new_totp(&self, tenant: &str, person: Id) -> Result<Vec<u8>, Error> {
        Ok(self.store().wrap_totp(tenant, person, &DoorKey::random()?)?)
    }
}
