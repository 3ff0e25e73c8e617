//! What administrators do with users. Nobody gives rights that he does not have himself: a user sees no more units and services than who
//! adds or changes it and acts for the same authority, and only such users are seen. Whoever sees all units answers for the whole tenant.

use model::rights::Action;
use model::{Actor, Caller, EventKind, Id, ids};
use serde_json::json;
use store::{Person, PersonTerms, UserState, Work};

use super::change::{check_names, folded};
use super::guard::Places;
use super::set_up::invite_digest;
use super::{NewUser, User, UserChange};
use crate::access::has_rights;
use crate::{Broker, Error};

/// Users on a page.
const PAGE: u32 = 50;

/// Which users are listed.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// What login or name hold; all if empty.
    pub search: String,
    /// Behind this login.
    pub after: Option<String>,
}

/// A page of users by login.
#[derive(Debug, Clone)]
pub struct UserList {
    /// The users.
    pub items: Vec<User>,
    /// Behind which login the next page begins; `None` if this is the last.
    pub next: Option<String>,
}

/// A user with the initial secret, as it is shown once.
#[derive(Clone)]
pub struct Invited {
    /// The user.
    pub user: User,
    /// `ami_` and 43 characters of base64url: 256 random bits.
    pub secret: String,
}

/// Never the secret.
impl std::fmt::Debug for Invited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Invited({}, …)", self.user.id)
    }
}

impl Broker {
    /// Users whom the caller may see.
    ///
    /// # Errors
    /// `Forbidden` if the caller may not manage users.
    pub async fn users(&self, caller: &Caller, filter: &UserFilter) -> Result<UserList, Error> {
        let scope = caller.may(Action::ManageUsers)?;
        let search = filter.search.trim().to_lowercase();
        let (mut items, mut after) = (Vec::<User>::new(), filter.after.clone());
        // Read on until the page is full: where it ends is said by users who are seen, never by others.
        loop {
            let rows = self.store().persons(&scope.tenant, &search, after.as_deref(), PAGE + 1).await?;
            let is_last = rows.len() <= PAGE as usize;
            after = rows.last().map(|it| it.login.clone());
            items.extend(rows.iter().map(User::of).filter(|it| sees(caller, it)));
            if is_last || items.len() > PAGE as usize {
                break;
            }
        }
        let is_more = items.len() > PAGE as usize;
        items.truncate(PAGE as usize);
        let next = items.last().filter(|_| is_more).map(|it| it.login.clone());
        Ok(UserList { items, next })
    }

    /// Whether a second person has to agree to what raises rights.
    fn wants_second(&self) -> bool {
        self.people_settings.four_eyes || self.four_eyes()
    }

    /// One of them.
    ///
    /// # Errors
    /// `NotFound` if the caller does not see it.
    pub async fn user(&self, caller: &Caller, id: Id) -> Result<User, Error> {
        Ok(User::of(&self.managed(caller, id).await?))
    }

    async fn managed(&self, caller: &Caller, id: Id) -> Result<Person, Error> {
        let scope = caller.may(Action::ManageUsers)?;
        let found = self.store().person(&scope.tenant, id).await?;
        found.filter(|it| sees(caller, &User::of(it))).ok_or(NOT_FOUND.into())
    }

    /// Adds a user.
    ///
    /// # Errors
    /// `LoginTaken`; `Forbidden` if the caller does not have such rights; `UserNeedsApproval` if there are roles, with four eyes: add the
    /// user without them and ask for them.
    pub async fn create_user(&self, caller: &Caller, new: NewUser) -> Result<Invited, Error> {
        let tenant = &caller.may(Action::ManageUsers)?.tenant;
        if !has_rights(caller, &new.units, &new.services, new.authority.as_ref()) {
            return Err(model::Error::Forbidden.into());
        }
        if self.wants_second() && !new.roles.is_empty() {
            return Err(Error::UserNeedsApproval);
        }
        self.add_user(tenant, new, &caller.actor).await
    }

    /// The same without a caller, for the command line: whoever reaches the store's keys may do everything.
    ///
    /// # Errors
    /// `LoginTaken`; if a name, the tenant, a unit or the authority is none.
    pub async fn add_user(&self, tenant: &str, new: NewUser, by: &Actor) -> Result<Invited, Error> {
        self.add_person(tenant, new, None, by).await
    }

    /// The same for whom a provider of identities knows, by issuer and subject; without an initial secret then.
    pub(super) async fn add_person(
        &self,
        tenant: &str,
        new: NewUser,
        identity: Option<(String, String)>,
        by: &Actor,
    ) -> Result<Invited, Error> {
        let NewUser { login, name, email, roles, units, services, authority } = new;
        let (login, name) = (folded(&login), name.trim().to_owned());
        check_names(&login, &name, email.as_deref())?;
        self.check_rights(tenant, &units, &services, authority.as_ref())?;
        let now = self.now();
        let terms = PersonTerms {
            name,
            email,
            roles: vec![],
            units,
            services,
            authority,
            created_at: now,
            changed_at: now,
            password_changed_at: None,
        };
        let mut person = Person {
            id: ids::new_id(),
            tenant: tenant.to_owned(),
            login,
            version: 1,
            state: UserState::Active,
            identity,
            password: None,
            totp: None,
            totp_step: 0,
            recovery: vec![],
            invite: None,
            terms,
        };
        let change = UserChange { roles: Some(roles), ..UserChange::default() };
        change.apply(&mut person);
        // Whoever is known by a provider signs in there: a secret that holds would be for somebody else.
        let secret = match person.identity {
            None => self.invite(&mut person)?,
            Some(_) => String::new(),
        };
        let mut detail = change.named();
        detail["added"] = true.into();
        let mut work = Work::new();
        work.put_person(&person);
        work.insert_event(&self.user_changed(tenant, person.id, by, detail));
        match self.store().commit(work).await.map_err(Error::from) {
            Err(error) if error.is_conflict("person") => Err(Error::LoginTaken),
            outcome => outcome.map(|()| Invited { user: User::of(&person), secret }),
        }
    }

    fn invite(&self, person: &mut Person) -> Result<String, Error> {
        let secret = format!("ami_{}", seal::random_secret()?);
        person.invite = Some((invite_digest(&secret), self.now().plus(self.people_settings.invite)));
        Ok(secret)
    }

    /// Changes a user that was seen in `version`. If it is of rights, the user's sessions end.
    ///
    /// # Errors
    /// `VersionConflict`; `Forbidden` if the caller does not have such rights; `OwnRights`; `UserNeedsApproval` if it raises rights, with
    /// four eyes.
    pub async fn change_user(
        &self,
        caller: &Caller,
        id: Id,
        version: u64,
        change: &UserChange,
    ) -> Result<User, Error> {
        let person = self.may_change(caller, id, version, change).await?;
        if self.wants_second() && change.raises(&User::of(&person)) {
            return Err(Error::UserNeedsApproval);
        }
        self.write_change(person, change, &caller.actor).await
    }

    /// Whether the caller may ask for a change of a user that was seen in `version`, though a second person has to agree.
    ///
    /// # Errors
    /// As [`Broker::change_user`], but for `UserNeedsApproval`.
    pub async fn check_user_change(
        &self,
        caller: &Caller,
        id: Id,
        version: u64,
        change: &UserChange,
    ) -> Result<User, Error> {
        Ok(User::of(&self.may_change(caller, id, version, change).await?))
    }

    /// The user as it is now, if the caller may ask for a change of it.
    pub(crate) async fn may_ask_for_change(
        &self,
        caller: &Caller,
        id: Id,
        change: &UserChange,
    ) -> Result<User, Error> {
        let version = self.managed(caller, id).await?.version;
        self.check_user_change(caller, id, version, change).await
    }

    async fn may_change(
        &self,
        caller: &Caller,
        id: Id,
        version: u64,
        change: &UserChange,
    ) -> Result<Person, Error> {
        let person = self.managed(caller, id).await?;
        if person.version != version {
            return Err(model::Error::VersionConflict.into());
        }
        if change.is_of_rights() && caller.actor == super::actor(id) {
            return Err(Error::OwnRights);
        }
        let mut next = person.clone();
        change.apply(&mut next);
        if !sees(caller, &User::of(&next)) {
            return Err(model::Error::Forbidden.into());
        }
        self.check_person(&next)?;
        Ok(person)
    }

    /// Changes a user without a caller, for the command line.
    ///
    /// # Errors
    /// `NotFound`; if a name, a unit or the authority is none.
    pub async fn change_user_of(
        &self,
        tenant: &str,
        id: Id,
        change: &UserChange,
        by: &Actor,
    ) -> Result<User, Error> {
        let person = self.store().person(tenant, id).await?.ok_or(NOT_FOUND)?;
        self.write_change(person, change, by).await
    }

    async fn write_change(&self, person: Person, change: &UserChange, by: &Actor) -> Result<User, Error> {
        let mut work = Work::new();
        let next = self.changed(&mut work, person, change, by)?;
        self.commit_person(work).await?;
        Ok(User::of(&next))
    }

    async fn commit_person(&self, work: Work) -> Result<(), Error> {
        let outcome = self.store().commit(work).await.map_err(Error::from);
        self.people.seen.forget();
        match outcome {
            Err(error) if error.is_conflict("person") => Err(model::Error::VersionConflict.into()),
            outcome => outcome,
        }
    }

    /// Adds to `work` what a change of a user writes that a second person has agreed to, having been shown what the user was `before`, if
    /// that was kept.
    ///
    /// # Errors
    /// `NotFound` if there is no such user any more, `VersionConflict` if the user is not what was shown any more, `Invalid` if it would
    /// not be sound any more.
    pub async fn carry_out_user(
        &self,
        work: &mut Work,
        tenant: &str,
        id: Id,
        (change, before): (&UserChange, Option<&UserChange>),
        by: &Actor,
    ) -> Result<(), Error> {
        let person = self.store().person(tenant, id).await?.ok_or(NOT_FOUND)?;
        // What was lowered since does not come back by what was agreed to.
        if before.is_some_and(|before| *before != change.instead_of(&User::of(&person))) {
            return Err(model::Error::VersionConflict.into());
        }
        self.changed(work, person, change, by).map(drop)
    }

    fn changed(
        &self,
        work: &mut Work,
        person: Person,
        change: &UserChange,
        by: &Actor,
    ) -> Result<Person, Error> {
        let mut next = Person { version: person.version + 1, ..person };
        change.apply(&mut next);
        if change.reset && next.identity.is_some() {
            // That somebody has agreed to a new initial secret is seen by one that nobody knows.
            self.invite(&mut next)?;
        }
        next.terms.changed_at = self.now();
        self.check_person(&next)?;
        work.put_person(&next);
        if change.is_of_rights() {
            work.end_sessions(next.id, None);
        }
        if change.state == Some(UserState::Active) {
            work.forget_sign_in_try(Places::of(&next.login, None).login);
        }
        work.insert_event(&self.user_changed(&next.tenant, next.id, by, change.named()));
        Ok(next)
    }

    fn check_person(&self, person: &Person) -> Result<(), Error> {
        let terms = &person.terms;
        check_names(&person.login, &terms.name, terms.email.as_deref())?;
        self.check_rights(&person.tenant, &terms.units, &terms.services, terms.authority.as_ref())
    }

    /// A new initial secret. Password and codes are taken away, if there are any; the user's sessions end.
    ///
    /// # Errors
    /// `OwnRights`; with four eyes `UserNeedsApproval` if the user has another way to sign in, which whoever gets the secret would have
    /// beside or instead of the user: ask for a change with `reset`.
    pub async fn reset_user(&self, caller: &Caller, id: Id) -> Result<Invited, Error> {
        let person = self.managed(caller, id).await?;
        if caller.actor == super::actor(id) {
            return Err(Error::OwnRights);
        }
        let is_invited = person.invite.as_ref().is_some_and(|(_, until)| *until > self.now());
        let signs_in = person.password.is_some() || person.identity.is_some() && !is_invited;
        if self.wants_second() && signs_in {
            return Err(Error::UserNeedsApproval);
        }
        self.invite_anew(person, &caller.actor).await
    }

    /// The same without a caller, for the command line.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn reset_user_of(&self, tenant: &str, id: Id, by: &Actor) -> Result<Invited, Error> {
        let person = self.store().person(tenant, id).await?.ok_or(NOT_FOUND)?;
        self.invite_anew(person, by).await
    }

    async fn invite_anew(&self, person: Person, by: &Actor) -> Result<Invited, Error> {
        let change = UserChange { reset: true, ..UserChange::default() };
        let mut next = Person { version: person.version + 1, ..person };
        change.apply(&mut next);
        next.terms.changed_at = self.now();
        let secret = self.invite(&mut next)?;
        let mut work = Work::new();
        work.put_person(&next).end_sessions(next.id, None);
        work.insert_event(&self.user_changed(&next.tenant, next.id, by, change.named()));
        self.commit_person(work).await?;
        Ok(Invited { user: User::of(&next), secret })
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn end_user_sessions(&self, caller: &Caller, id: Id) -> Result<(), Error> {
        let person = self.managed(caller, id).await?;
        let detail = json!({ "user": id, "sessions": "all" });
        let mut work = Work::new();
        work.end_sessions(id, None);
        work.insert_event(&self.audit(&person.tenant, EventKind::UserSignedOut, &caller.actor, detail));
        self.store().commit(work).await?;
        self.people.seen.forget();
        Ok(())
    }

    /// Has a user try again who would have to wait after failures.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn lift_waiting(&self, caller: &Caller, id: Id) -> Result<(), Error> {
        let person = self.managed(caller, id).await?;
        let mut work = Work::new();
        work.forget_sign_in_try(Places::of(&person.login, None).login);
        let detail = json!({ "waiting": "lifted" });
        work.insert_event(&self.user_changed(&person.tenant, id, &caller.actor, detail));
        Ok(self.store().commit(work).await?)
    }

    /// Until when a user has to wait after failures.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn user_waits(&self, caller: &Caller, id: Id) -> Result<Option<model::Timestamp>, Error> {
        let place = Places::of(&self.managed(caller, id).await?.login, None).login;
        let tries = self.store().sign_in_tries(place, place).await?;
        Ok(tries.first().map(|it| it.until).filter(|until| *until > self.now()))
    }

    /// A user of a tenant by login, for the command line.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn user_by_login(&self, tenant: &str, login: &str) -> Result<User, Error> {
        let found = self.store().person_by_login(&folded(login)).await?;
        Ok(User::of(&found.filter(|it| it.tenant == tenant).ok_or(NOT_FOUND)?))
    }
}

const NOT_FOUND: model::Error = model::Error::NotFound { kind: "user" };

/// Whether a user has no rights that the caller does not have.
fn sees(caller: &Caller, user: &User) -> bool {
    has_rights(caller, &user.units, &user.services, user.authority.as_ref())
}
