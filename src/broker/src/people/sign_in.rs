//! Signing in: login and password, then a code.

use model::{Actor, Event, EventKind, Id};
use serde_json::{Value, json};
use store::{Person, SessionStage, SignInTry, Work};
use zeroize::Zeroizing;

use super::guard::{Places, Wait, must_wait};
use super::{actor, password, totp};
use crate::{Broker, Error, blocking};

/// How often a failure is counted anew because others failed at the same time.
const ATTEMPTS: usize = 5;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: somebody has signed in.
    Open,
    /// A code.
    Code,
    /// Setting up what is missing: a password, codes.
    SetUp,
}

impl Next {
    pub(super) fn stage(self) -> SessionStage {
        match self {
            Next::Open => SessionStage::Open,
            Next::Code => SessionStage::Code,
            Next::SetUp => SessionStage::SetUp,
        }
    }
}

/// How far somebody got.
#[derive(Clone)]
pub struct SignIn {
    /// For the cookie.
    pub token: String,
    /// What comes next.
    pub next: Next,
}

/// Never the token.
impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignIn({:?}, …)", self.next)
    }
}

impl Broker {
    /// Somebody says login and password. `origin` is the address that it comes from, if it is known.
    ///
    /// # Errors
    /// `SignInRefused` whatever is wrong, after the same work; `SignInLater` if too many sign in at once.
    pub async fn sign_in(&self, login: &str, password: &str, origin: Option<&str>) -> Result<SignIn, Error> {
        let login = super::change::folded(login);
        let places = Places::of(&login, origin);
        // Whoever has to wait makes no work for others.
        self.not_waiting(places).await?;
        let _turn = self.people.guard.turn().await.ok_or(Error::SignInLater)?;
        // Many at once gain nothing: what failed before this turn counts.
        let tries = self.not_waiting(places).await?;
        let person = self.store().person_by_login(&login).await?;
        let is_right = self.is_password(person.as_ref(), password).await?;
        let id = person.as_ref().map(|it| (it.tenant.clone(), it.id));
        if let Some(person) = person.filter(|it| is_right && self.may_sign_in(it)) {
            match self.password_was_right(&person, places).await {
                Err(error) if lost(&error) => {}
                outcome => return outcome,
            }
        }
        Err(self.sign_in_failed(places, tries, id).await?)
    }

    async fn password_was_right(&self, person: &Person, places: Places) -> Result<SignIn, Error> {
        let next = match person.totp {
            Some(_) => Next::Code,
            None => self.after_code(person),
        };
        let mut work = Work::new();
        if next != Next::Code {
            // What is still wanted is set up by whoever has the password.
            work.forget_sign_in_try(places.login);
        }
        self.admits(person, next, "password", work).await
    }

    /// What comes once password and code were right.
    pub(super) fn after_code(&self, person: &Person) -> Next {
        let (password, codes) = self.is_wanted(person);
        if password || codes { Next::SetUp } else { Next::Open }
    }

    /// Begins the session of what comes next, if the user is still as it was looked at (or as `work` writes it): a password that was
    /// changed while the one before was checked opens nothing any more. Otherwise the conflict names `person`.
    pub(super) async fn admits(
        &self,
        person: &Person,
        next: Next,
        by: &str,
        mut work: Work,
    ) -> Result<SignIn, Error> {
        work.require_person(person.id, person.version);
        let token = self.new_session(person, next.stage(), &mut work)?;
        if next == Next::Open {
            let detail = json!({ "user": person.id, "by": by });
            work.insert_event(&self.audit(
                &person.tenant,
                EventKind::UserSignedIn,
                &actor(person.id),
                detail,
            ));
        }
        self.store().commit(work).await?;
        Ok(SignIn { token, next })
    }

    /// Somebody whose password was right says a code, or a recovery code.
    ///
    /// # Errors
    /// `SignInRefused` whatever is wrong; `SignInLater` if too many sign in at once.
    pub async fn sign_in_code(&self, token: &str, code: &str, origin: Option<&str>) -> Result<SignIn, Error> {
        let _turn = self.people.guard.turn().await.ok_or(Error::SignInLater)?;
        let Some((session, mut person)) = self.session_at(token, SessionStage::Code).await? else {
            return Err(Error::SignInRefused);
        };
        let places = Places::of(&person.login, origin);
        let tries = self.not_waiting(places).await?;
        let mut work = Work::new();
        let taken = self.take_code(&mut person, code, &mut work)?;
        if let Some(by) = taken {
            work.end_session(&session.hash).forget_sign_in_try(places.login);
            match self.admits(&person, self.after_code(&person), by, work).await {
                Err(error) if lost(&error) => {}
                outcome => return outcome,
            }
        }
        Err(self.sign_in_failed(places, tries, Some((person.tenant, person.id))).await?)
    }

    /// Takes a code once, or a recovery code, which the user has no more from then on: how it was signed in then. `None` if it is neither.
    pub(super) fn take_code(
        &self,
        person: &mut Person,
        code: &str,
        work: &mut Work,
    ) -> Result<Option<&'static str>, Error> {
        let Some(wrapped) = &person.totp else { return Ok(None) };
        let secret = self.totp_secret(&person.tenant, person.id, wrapped)?;
        if let Some(step) = secret.step_of(code, self.now(), person.totp_step)? {
            work.take_totp_step(person.id, step);
            return Ok(Some("totp"));
        }
        let digest = totp::recovery_digest(code);
        if !person.recovery.contains(&digest) {
            return Ok(None);
        }
        person.version += 1;
        person.recovery.retain(|kept| *kept != digest);
        work.put_person(person);
        Ok(Some("recovery"))
    }

    /// Somebody whom a provider of identities knows; `None` if no user who may sign in has this identity. Codes are the provider's matter.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn sign_in_by_identity(&self, issuer: &str, subject: &str) -> Result<Option<SignIn>, Error> {
        match self.store().person_by_identity(issuer, subject).await? {
            Some(person) if self.may_sign_in(&person) => {
                match self.admits(&person, Next::Open, "identity", Work::new()).await {
                    Err(error) if lost(&error) => Ok(None),
                    outcome => outcome.map(Some),
                }
            }
            _ => Ok(None),
        }
    }

    /// What has failed at these places, if nobody has to wait there.
    pub(super) async fn not_waiting(&self, places: Places) -> Result<Vec<SignInTry>, Error> {
        let tries = self.store().sign_in_tries(places.login, places.second()).await?;
        if must_wait(&tries, self.now()) { Err(Error::SignInRefused) } else { Ok(tries) }
    }

    /// Whether it is the user's password. Takes as long for nobody's.
    pub(super) async fn is_password(&self, person: Option<&Person>, said: &str) -> Result<bool, Error> {
        self.people.guard.count_hash();
        let kept = person.and_then(|it| it.password.clone());
        let said = Zeroizing::new(said.to_owned());
        blocking(move || {
            let is_right = password::is_right(kept.as_deref().unwrap_or(password::NOBODY), &said);
            Ok(is_right && kept.is_some())
        })
        .await
    }

    /// What is kept of a new password. For whoever has a turn.
    pub(super) async fn hashed(&self, password: &str) -> Result<String, Error> {
        let password = Zeroizing::new(password.to_owned());
        blocking(move || password::hash(&password)).await
    }

    /// The refusal, after it was counted and audited: of whom, if there is such a user, and never what was tried. A wait that begins with it
    /// is told once, and what is tried while it lasts leaves nothing: whoever waits cannot fill the chain.
    pub(super) async fn sign_in_failed(
        &self,
        places: Places,
        mut tries: Vec<SignInTry>,
        who: Option<(String, Id)>,
    ) -> Result<Error, Error> {
        let first = self.house().tenants().next().map(|tenant| tenant.id.clone()).ok_or(Error::Internal)?;
        let user = who.as_ref().map(|(_, id)| *id);
        let tenant = who.as_ref().map_or(&first, |(tenant, _)| tenant);
        let detail = json!({ "code": "user.refused", "user": user });
        let event = self.audit(tenant, EventKind::UserRefused, &nobody(), detail);
        let is_told = self.people.guard.tells_refusal();
        for _ in 0..ATTEMPTS {
            let mut work = Work::new();
            let begun = places.note(&mut work, &tries, self.now());
            if is_told {
                work.insert_event(&event);
            }
            for wait in begun.into_iter().filter(|_| self.people.guard.tells_wait()) {
                // An address is nobody's, and stands in no event.
                let (tenant, user) = if wait.is_of_login { (tenant, user) } else { (&first, None) };
                work.insert_event(&self.locked_out(tenant, user, wait));
            }
            match self.store().commit(work).await.map_err(Error::from) {
                Err(error) if error.is_conflict("sign-in-try") => {
                    tries = self.store().sign_in_tries(places.login, places.second()).await?;
                }
                outcome => return outcome.map(|()| Error::SignInRefused),
            }
        }
        Ok(Error::SignInRefused)
    }

    fn locked_out(&self, tenant: &str, user: Option<Id>, wait: Wait) -> Event {
        let place = if wait.is_of_login { "login" } else { "origin" };
        let detail = json!({ "place": place, "user": user, "until": wait.until });
        self.audit(tenant, EventKind::UserLockedOut, &Actor::gateway(), detail)
    }

    /// A user has changed something of the own account, or somebody else has.
    pub(super) fn user_changed(&self, tenant: &str, user: Id, by: &Actor, mut detail: Value) -> Event {
        detail["user"] = json!(user);
        self.audit(tenant, EventKind::UserChanged, by, detail)
    }
}

/// Whoever it was, it is not known.
fn nobody() -> Actor {
    Actor { kind: "person".to_owned(), id: "unknown".to_owned() }
}

/// Whether somebody else was quicker: the code was taken, the session went on, the user was changed.
fn lost(error: &Error) -> bool {
    ["totp", "person", "session"].iter().any(|what| error.is_conflict(what))
}
