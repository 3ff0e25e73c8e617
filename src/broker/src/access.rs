//! Who is calling: scoped API tokens, kept as digests. And the partners that tokens and messages name.

use model::directory::{Asked, Way};
use model::rights::{Action, Within};
use model::{Actor, Authority, Caller, Event, EventKind, Id, Role, Scope, Timestamp, ids};
use serde_json::{Value, json};
use store::{Partner, TokenRow, Work};

use crate::{Broker, Error, Once};

/// A token that an administrator wants.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Name for people: the system, never a person.
    pub name: String,
    /// Roles.
    pub roles: Vec<Role>,
    /// Units.
    pub units: Within,
    /// Services.
    pub services: Within,
    /// Authority whose mailbox it may use.
    pub authority: Option<Authority>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// What shall be sent, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Authority of the house that sends.
    pub from: Option<&'a Authority>,
    /// Public service.
    pub service: Option<&'a str>,
    /// Size of the message.
    pub bytes: Option<u64>,
}

/// A token as it is shown once.
#[derive(Debug, Clone)]
pub struct TokenSecret {
    /// Its row, without the secret.
    pub row: TokenRow,
    /// `amt_` and 43 characters of base64url: 256 random bits.
    pub secret: String,
}

impl Broker {
    /// The caller that a token stands for; `None` if it is unknown, revoked or has ended.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn authenticate(&self, secret: &str) -> Result<Option<Caller>, Error> {
        if secret.len() != 47 || !secret.starts_with("amt_") {
            return Ok(None);
        }
        let hash = hash(secret);
        if let Some(caller) = self.known.caller(&hash, self.now()) {
            return Ok(Some(caller));
        }
        let Some(row) = self.store().token_by_hash(&hash).await? else { return Ok(None) };
        let ended = row.expires_at.is_some_and(|end| end <= self.now());
        if ended || row.revoked_at.is_some() {
            return Ok(None);
        }
        let caller = Caller {
            actor: Actor { kind: "system".to_owned(), id: row.id.to_string() },
            roles: row.roles,
            scope: Scope { tenant: row.tenant, units: row.units, services: row.services },
            authority: row.authority,
        };
        self.known.remember(hash, &caller, row.expires_at);
        Ok(Some(caller))
    }

    /// Creates a token for a tenant. The command line calls this without a caller: whoever reaches the
    /// store's keys may do everything.
    ///
    /// # Errors
    /// If the tenant, a unit or the authority is not of the house.
    pub async fn create_token(&self, tenant: &str, new: NewToken, by: &Actor) -> Result<TokenSecret, Error> {
        let (token, work) = self.new_token(tenant, new, by)?;
        self.store().commit(work).await?;
        Ok(token)
    }

    /// The same for a caller, once: a repetition makes no second token, and cannot be given the secret again.
    ///
    /// # Errors
    /// `AnswerNotKept` if the same request has made its token before; `Invalid` name or roles; `Forbidden` if the caller does not have such
    /// rights; `ApprovalNeeded` if the house wants four eyes.
    pub async fn create_token_once(
        &self,
        caller: &Caller,
        new: NewToken,
        once: Option<&Once>,
    ) -> Result<TokenSecret, Error> {
        let tenant = wanted_by(caller, &new)?;
        if self.four_eyes() {
            return Err(Error::ApprovalNeeded);
        }
        if let Some(first) = self.answered(caller, once).await? {
            return Err(not_kept(&first));
        }
        let (token, mut work) = self.new_token(tenant, new, &caller.actor)?;
        let id = token.row.id;
        if let Some(once) = once {
            // Who has the database must not have the token: only its id is kept.
            once.claim(&mut work, caller, id, &json!({ "token": id }));
        }
        match self.commit_once(caller, once, work).await? {
            None => Ok(token),
            Some(first) => Err(not_kept(&first)),
        }
    }

    fn new_token(&self, tenant: &str, new: NewToken, by: &Actor) -> Result<(TokenSecret, Work), Error> {
        let token = self.unsaved_token(tenant, new)?;
        let row = &token.row;
        let mut work = Work::new();
        work.put_token(row);
        work.insert_event(&self.audit(
            tenant,
            EventKind::TokenChanged,
            by,
            json!({ "token": row.id, "name": row.name }),
        ));
        Ok((token, work))
    }

    /// A token that is written nowhere yet.
    pub(crate) fn unsaved_token(&self, tenant: &str, new: NewToken) -> Result<TokenSecret, Error> {
        self.check_token(tenant, &new)?;
        let secret = new_secret()?;
        let row = TokenRow {
            id: ids::new_id(),
            tenant: tenant.to_owned(),
            name: new.name,
            hash: hash(&secret),
            roles: new.roles,
            units: new.units,
            services: new.services,
            authority: new.authority,
            created_at: self.now(),
            expires_at: new.expires_at,
            revoked_at: None,
        };
        Ok(TokenSecret { row, secret })
    }

    /// The tokens that a caller may see: those that the caller could have made.
    ///
    /// # Errors
    /// `Forbidden` if the caller may not manage tokens.
    pub async fn own_tokens(&self, caller: &Caller) -> Result<Vec<TokenRow>, Error> {
        let scope = caller.may(Action::ManageTokens)?;
        let rows = self.tokens(&scope.tenant).await?;
        let sees = |row: &TokenRow| has_rights(caller, &row.units, &row.services, row.authority.as_ref());
        Ok(rows.into_iter().filter(sees).collect())
    }

    /// Ends one of them.
    ///
    /// # Errors
    /// `NotFound` if the caller does not see it.
    pub async fn end_token(&self, caller: &Caller, id: Id) -> Result<(), Error> {
        if !self.own_tokens(caller).await?.iter().any(|row| row.id == id) {
            return Err(model::Error::NotFound { kind: "token" }.into());
        }
        self.revoke_token(&caller.scope.tenant, id, &caller.actor).await
    }

    /// Ends a token: on this node at once, on others within a second. For the command line.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn revoke_token(&self, tenant: &str, id: Id, by: &Actor) -> Result<(), Error> {
        let mut work = Work::new();
        work.revoke_token(tenant, id, self.now());
        work.insert_event(&self.audit(
            tenant,
            EventKind::TokenChanged,
            by,
            json!({ "token": id, "revoked": true }),
        ));
        self.store().commit(work).await?;
        self.known.forget();
        Ok(())
    }

    /// All tokens of a tenant, without their secrets.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn tokens(&self, tenant: &str) -> Result<Vec<TokenRow>, Error> {
        Ok(self.store().tokens(&Scope::tenant(tenant)).await?)
    }

    /// Partners: those configured in the store for the caller's tenant.
    ///
    /// # Errors
    /// If the caller may not read partners.
    pub async fn partners(&self, caller: &Caller) -> Result<Vec<Partner>, Error> {
        let scope = caller.may(Action::ReadPartners)?;
        Ok(self.store().partners(scope).await?)
    }

    /// Creates or changes a partner.
    ///
    /// # Errors
    /// If the caller may not, the id is no name, or the version is not the one seen; `ApprovalNeeded` if the house wants four eyes and how
    /// the partner is reached or known changes.
    pub async fn put_partner(&self, caller: &Caller, partner: Partner) -> Result<Partner, Error> {
        let partner = self.checked_partner(caller, partner)?;
        if self.changes_keys(caller, &partner).await? {
            return Err(Error::ApprovalNeeded);
        }
        let mut work = Work::new();
        self.add_partner(&mut work, &partner, &caller.actor);
        match self.store().commit(work).await.map_err(Error::from) {
            Err(error) if error.is_conflict("partner") => Err(model::Error::VersionConflict.into()),
            outcome => outcome.map(|()| partner),
        }
    }

    /// The partner as it shall stand, if it may.
    pub(crate) fn checked_partner(&self, caller: &Caller, partner: Partner) -> Result<Partner, Error> {
        let scope = caller.may(Action::ManagePartners)?;
        if !ids::is_name(&partner.id) {
            return Err(model::Error::Invalid { field: "id" }.into());
        }
        crate::reach::check_settings(&partner.settings)?;
        Ok(Partner { tenant: scope.tenant.clone(), updated_at: self.now(), ..partner })
    }

    /// All ways to an authority from the caller's tenant, the preferred one first; the first that has no obstacle would be used.
    ///
    /// # Errors
    /// `UnknownAuthority` if no directory knows it.
    pub async fn capabilities(
        &self,
        caller: &Caller,
        to: &Authority,
        wanted: Wanted<'_>,
    ) -> Result<Vec<Way>, Error> {
        let tenant = &caller.may(Action::ReadPartners)?.tenant;
        let Wanted { from, service, bytes } = wanted;
        let ways = self.own_ways(&Asked { tenant, to, from, service, bytes, now: self.now() }).await?;
        if ways.is_empty() { Err(Error::UnknownAuthority) } else { Ok(ways) }
    }

    /// Leaves an audit event of a refusal at a door: who, which rule, and what number the door's standard has for it, if any.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn note_refusal(&self, caller: &Caller, code: &str, number: Option<u16>) -> Result<(), Error> {
        let detail = json!({ "code": code, "number": number });
        let event = self.audit(&caller.scope.tenant, EventKind::MessageRefused, &caller.actor, detail);
        let mut work = Work::new();
        work.insert_event(&event);
        Ok(self.store().commit(work).await?)
    }

    fn check_token(&self, tenant: &str, new: &NewToken) -> Result<(), Error> {
        self.check_rights(tenant, &new.units, &new.services, new.authority.as_ref())
    }

    /// Whether rights are within what the house has.
    pub(crate) fn check_rights(
        &self,
        tenant: &str,
        units: &Within,
        services: &Within,
        authority: Option<&Authority>,
    ) -> Result<(), Error> {
        if !self.house().tenants().any(|known| known.id == tenant) {
            return Err(model::Error::NotFound { kind: "tenant" }.into());
        }
        if let Within::Only(units) = units
            && !units.iter().all(|unit| self.house().has_unit(tenant, unit))
        {
            return Err(Error::UnknownUnit);
        }
        if let Within::Only(services) = services
            && !services.iter().all(|service| ids::is_name(service))
        {
            return Err(model::Error::Invalid { field: "services" }.into());
        }
        match authority {
            Some(key) if self.house().authority(tenant, key).is_none() => Err(Error::UnknownAuthority),
            _ => Ok(()),
        }
    }

    pub(crate) fn audit(&self, tenant: &str, kind: EventKind, by: &Actor, detail: Value) -> Event {
        Event {
            id: ids::new_id(),
            tenant: tenant.to_owned(),
            unit: None,
            public_service: None,
            at: self.now(),
            kind,
            actor: by.clone(),
            subject: None,
            case_id: None,
            message_id: None,
            changes: None,
            payloads: vec![],
            detail: Some(detail),
        }
    }
}

pub(crate) fn not_kept(first: &Value) -> Error {
    let id = first["token"].as_str().and_then(|id| id.parse().ok());
    Error::AnswerNotKept { subject: id.unwrap_or_default() }
}

/// The tenant of a token that a caller wants and may give.
pub(crate) fn wanted_by<'a>(caller: &'a Caller, new: &NewToken) -> Result<&'a str, Error> {
    let scope = caller.may(Action::ManageTokens)?;
    if !(1..=200).contains(&new.name.chars().count()) || new.name.chars().any(char::is_control) {
        return Err(model::Error::Invalid { field: "name" }.into());
    }
    if new.roles.is_empty() {
        return Err(model::Error::Invalid { field: "roles" }.into());
    }
    if !has_rights(caller, &new.units, &new.services, new.authority.as_ref()) {
        return Err(model::Error::Forbidden.into());
    }
    Ok(&scope.tenant)
}

/// Whether a caller has such rights: nobody gives away, or sees with others, what he does not have himself. Whoever acts for no authority
/// may name any in a record: that is a right too. Whoever sees all units answers for the whole tenant, and so for each of its authorities.
pub(crate) fn has_rights(
    caller: &Caller,
    units: &Within,
    services: &Within,
    authority: Option<&Authority>,
) -> bool {
    let scope = &caller.scope;
    let acts = scope.units == Within::All || caller.authority.as_ref() == authority;
    acts && scope.units.includes(units) && scope.services.includes(services)
}

fn hash(secret: &str) -> String {
    seal::sha256(&[secret.as_bytes()]).to_string()
}

fn new_secret() -> Result<String, Error> {
    Ok(format!("amt_{}", seal::random_secret()?))
}
