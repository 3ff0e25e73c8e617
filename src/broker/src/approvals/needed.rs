//! Acts that a house with four eyes asks for, and that are done at once elsewhere.

use model::{Authority, Caller, EventKind, Id, Message};
use serde_json::json;
use store::{Approval, Partner, Work};

use super::{Act, NewApproval};
use crate::once::as_seen;
use crate::{Broker, Error, NewToken, Once, TokenSecret};

/// What became of an act.
#[derive(Debug, Clone)]
pub enum DoneOrAsked<T> {
    /// It was done.
    Done(T),
    /// A second person has to agree.
    Asked(Box<Approval>),
}

impl Broker {
    /// Hands a message to another authority, or asks for it; the note says why then.
    ///
    /// # Errors
    /// As [`Broker::forward`] and [`Broker::ask_for`].
    pub async fn forward_or_ask(
        &self,
        caller: &Caller,
        id: Id,
        to: &Authority,
        note: Option<&str>,
        once: Option<&Once>,
    ) -> Result<DoneOrAsked<Message>, Error> {
        if !self.four_eyes() {
            return Ok(DoneOrAsked::Done(self.forward(caller, id, to, note, once).await?));
        }
        if self.house().tenant_of(to).is_none() {
            return Err(Error::UnknownAuthority);
        }
        let reason = note.ok_or(model::Error::Invalid { field: "note" })?.to_owned();
        if self.answered(caller, once).await?.is_none() {
            as_seen(once, &self.to_repair(caller, id).await?)?;
        }
        let act = Act::Forward { message: id, to: to.clone(), seen: None };
        Ok(DoneOrAsked::Asked(Box::new(self.ask_for(caller, NewApproval { act, reason }, once).await?)))
    }

    /// Creates or changes a partner; where the house wants four eyes, asks for it, unless how it is reached and known stays as it is.
    ///
    /// # Errors
    /// As [`Broker::put_partner`] and [`Broker::ask_for`].
    pub async fn put_partner_or_ask(
        &self,
        caller: &Caller,
        partner: Partner,
        reason: Option<&str>,
    ) -> Result<DoneOrAsked<Partner>, Error> {
        if !self.changes_keys(caller, &partner).await? {
            return Ok(DoneOrAsked::Done(self.put_partner(caller, partner).await?));
        }
        let partner = self.checked_partner(caller, partner)?;
        let reason = reason.ok_or(model::Error::Invalid { field: "reason" })?.to_owned();
        let act = Act::PutPartner { partner: Box::new(partner), before: None };
        Ok(DoneOrAsked::Asked(Box::new(self.ask_for(caller, NewApproval { act, reason }, None).await?)))
    }

    /// Whether a second person has to agree to this state of a partner.
    pub(crate) async fn changes_keys(&self, caller: &Caller, partner: &Partner) -> Result<bool, Error> {
        if !self.four_eyes() {
            return Ok(false);
        }
        let before = self.store().partner(&caller.scope, &partner.id).await?;
        let is_same =
            |before: Partner| before.settings == partner.settings && before.authority == partner.authority;
        Ok(!before.is_some_and(is_same))
    }

    /// A token whose secret is shown now and that is valid once somebody else has agreed.
    ///
    /// # Errors
    /// As [`Broker::create_token_once`] and [`Broker::ask_for`].
    pub async fn ask_for_token(
        &self,
        caller: &Caller,
        new: NewToken,
        reason: &str,
        once: Option<&Once>,
    ) -> Result<(TokenSecret, Approval), Error> {
        if let Some(first) = self.answered(caller, once).await? {
            return Err(crate::access::not_kept(&first));
        }
        let tenant = crate::access::wanted_by(caller, &new)?;
        let token = self.unsaved_token(tenant, new)?;
        let act = Act::AddToken { token: Box::new(token.row.clone()) };
        let asked = NewApproval { act, reason: reason.to_owned() };
        let (approval, mut work) = self.asking(caller, asked).await?;
        if let Some(once) = once {
            once.claim(&mut work, caller, token.row.id, &json!({ "token": token.row.id }));
        }
        match self.commit_once(caller, once, work).await? {
            None => Ok((token, approval)),
            Some(first) => Err(crate::access::not_kept(&first)),
        }
    }

    /// Rows of a partner's change.
    pub(crate) fn add_partner(&self, work: &mut Work, partner: &Partner, by: &model::Actor) {
        work.put_partner(partner);
        let detail = json!({ "partner": partner.id, "version": partner.version });
        work.insert_event(&self.audit(&partner.tenant, EventKind::PartnerChanged, by, detail));
    }
}
