//! People whom a provider of identities knows: which user they are, what they may do, and their first sign-in.
//!
//! A user is known by issuer and subject (OpenID Connect Core 1.0, section 5.7), which never change. Other claims link a person to a user
//! once, at the first sign-in, and only to one who has no identity yet.

use model::rights::Within;
use model::{Actor, EventKind, Role};
use serde_json::json;
use store::{Person, Work};

use super::change::folded;
use super::{NewUser, SignIn, User, UserChange};
use crate::{Broker, Error};

/// Users that are looked at together.
const PAGE: u32 = 200;

/// By what a person who comes first is taken for a user who is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkBy {
    /// By nothing.
    #[default]
    Nothing,
    /// By the e-mail address that the provider has verified.
    Email,
    /// By the login name at the provider.
    Login,
}

/// What the groups of a person give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenRights {
    /// Roles; none: the person is not let in.
    pub roles: Vec<Role>,
    /// Units.
    pub units: Within,
    /// Public services.
    pub services: Within,
}

/// Somebody whom a provider knows.
#[derive(Debug, Clone)]
pub struct Stranger {
    /// The provider.
    pub issuer: String,
    /// Its name for the person.
    pub subject: String,
    /// E-mail address that it has verified.
    pub email: Option<String>,
    /// Login name there.
    pub login: Option<String>,
    /// Name for people.
    pub name: Option<String>,
    /// What the groups give; absent if groups say nothing here, and rights stand with the user alone.
    pub rights: Option<GivenRights>,
}

impl Broker {
    /// Signs somebody in whom a provider knows, as the user who has this identity. Without one, it is linked or made as far as the house
    /// wants that. Where groups say what people may do, the user's rights become those.
    ///
    /// # Errors
    /// `SignInRefused` if nobody is let in so.
    pub async fn sign_in_stranger(
        &self,
        tenant: &str,
        who: &Stranger,
        link: LinkBy,
    ) -> Result<SignIn, Error> {
        let refused = who.rights.as_ref().is_some_and(|rights| rights.roles.is_empty());
        let person = if refused { None } else { self.person_of(tenant, who, link).await? };
        let Some(person) = person.filter(|it| it.tenant == tenant) else {
            return Err(self.unknown_identity(tenant).await?);
        };
        if let Some(rights) = &who.rights {
            self.take_rights(&person, rights).await?;
        }
        match self.sign_in_by_identity(&who.issuer, &who.subject).await? {
            Some(sign_in) => Ok(sign_in),
            None => Err(self.unknown_identity(tenant).await?),
        }
    }

    async fn person_of(&self, tenant: &str, who: &Stranger, link: LinkBy) -> Result<Option<Person>, Error> {
        if let Some(person) = self.store().person_by_identity(&who.issuer, &who.subject).await? {
            return Ok(Some(person));
        }
        let identity = Some((who.issuer.clone(), who.subject.clone()));
        if let Some(person) = self.linked(tenant, who, link).await? {
            let change = UserChange { identity: Some(identity), ..UserChange::default() };
            self.change_user_of(tenant, person.id, &change, &Actor::gateway()).await?;
            return Ok(self.store().person(tenant, person.id).await?);
        }
        let Some(rights) = &who.rights else { return Ok(None) };
        let login = who.login.clone().or_else(|| who.email.clone()).unwrap_or_else(|| who.made_up());
        let new = NewUser {
            login,
            name: who.name.clone().unwrap_or_else(|| who.subject.clone()),
            email: who.email.clone(),
            roles: rights.roles.clone(),
            units: rights.units.clone(),
            services: rights.services.clone(),
            authority: None,
        };
        let made = self.add_person(tenant, new, identity, &Actor::gateway()).await;
        match made {
            Ok(made) => Ok(self.store().person(tenant, made.user.id).await?),
            // A login that somebody else has is nobody's to take over.
            Err(Error::LoginTaken | Error::Model(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The one user who has no identity yet and is called so.
    async fn linked(&self, tenant: &str, who: &Stranger, link: LinkBy) -> Result<Option<Person>, Error> {
        let found = match (link, &who.email, &who.login) {
            (LinkBy::Email, Some(email), _) => self.person_by_email(tenant, email).await?,
            (LinkBy::Login, _, Some(login)) => self.store().person_by_login(&folded(login)).await?,
            _ => None,
        };
        Ok(found.filter(|person| person.tenant == tenant && person.identity.is_none()))
    }

    /// The only user with this address.
    async fn person_by_email(&self, tenant: &str, email: &str) -> Result<Option<Person>, Error> {
        let (mut after, mut found) = (None::<String>, None);
        loop {
            let page = self.store().persons(tenant, "", after.as_deref(), PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            after = page.last().map(|person| person.login.clone());
            let has =
                |it: &Person| it.terms.email.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(email));
            for person in page.into_iter().filter(has) {
                if found.replace(person).is_some() {
                    return Ok(None);
                }
            }
            if is_last {
                return Ok(found);
            }
        }
    }

    /// The user's rights become those that the groups give.
    async fn take_rights(&self, person: &Person, rights: &GivenRights) -> Result<(), Error> {
        let user = User::of(person);
        let same_roles =
            rights.roles.len() == user.roles.len() && rights.roles.iter().all(|it| user.roles.contains(it));
        if same_roles && user.units == rights.units && user.services == rights.services {
            return Ok(());
        }
        let GivenRights { roles, units, services } = rights.clone();
        let (roles, units, services) = (Some(roles), Some(units), Some(services));
        let change = UserChange { roles, units, services, ..UserChange::default() };
        self.change_user_of(&person.tenant, person.id, &change, &Actor::gateway()).await.map(drop)
    }

    /// The refusal, on record: of nobody, since no user is known.
    async fn unknown_identity(&self, tenant: &str) -> Result<Error, Error> {
        let detail = json!({ "code": "user.refused", "user": null, "by": "identity" });
        let event = self.audit(tenant, EventKind::UserRefused, &Actor::gateway(), detail);
        let mut work = Work::new();
        work.insert_event(&event);
        self.store().commit(work).await?;
        Ok(Error::SignInRefused)
    }
}

impl Stranger {
    /// A login for whom the provider tells no name of.
    fn made_up(&self) -> String {
        let digest = seal::sha256(&[self.issuer.as_bytes(), b"\n", self.subject.as_bytes()]).to_string();
        format!("id-{}", digest.get(..16).unwrap_or_default())
    }
}
