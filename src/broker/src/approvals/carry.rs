//! What is written when somebody agrees: the decision and the act itself, in one transaction.

use model::approval::ApprovalState;
use model::{Caller, EventKind, Id, Scope};
use serde_json::json;
use store::{Approval, Work};

use super::{Act, Place};
use crate::erasure::{Erasure, held};
use crate::forward::Wish;
use crate::{Broker, Error};

/// A decision that is written together with what follows from it.
#[derive(Clone, Copy)]
pub(crate) struct Agreed<'a> {
    approval: &'a Approval,
    by: &'a Caller,
}

impl Agreed<'_> {
    /// Rows of the decision.
    pub(crate) fn add(&self, broker: &Broker, work: &mut Work) {
        broker.add_decision(work, self.approval, self.by);
    }
}

impl Broker {
    /// Carries out what was asked for, together with the decision.
    pub(super) async fn carry_out_act(
        &self,
        caller: &Caller,
        scope: &Scope,
        agreed: &Approval,
    ) -> Result<(), Error> {
        debug_assert_eq!(agreed.state, ApprovalState::Agreed);
        let act: Act = serde_json::from_value(agreed.detail.clone()).map_err(|_| Error::Internal)?;
        let mut work = Work::new();
        self.add_decision(&mut work, agreed, caller);
        match act {
            Act::Forward { message, to, seen } => {
                return self.forward_agreed(caller, agreed, message, (&to, seen.as_deref())).await;
            }
            Act::EraseEvent { .. } | Act::ErasePayload { .. } => {
                return self.erase_agreed(caller, scope, work, &act).await;
            }
            Act::ReleaseMessage { .. } | Act::ReleaseDocument { .. } => {}
            Act::AddToken { token } => {
                let detail = json!({ "token": token.id, "name": token.name, "approval": agreed.id });
                work.put_token(&token);
                work.insert_event(&self.audit(&token.tenant, EventKind::TokenChanged, &caller.actor, detail));
            }
            Act::PutPartner { partner, .. } => {
                let partner =
                    store::Partner { tenant: agreed.tenant.clone(), updated_at: self.now(), ..*partner };
                self.add_partner(&mut work, &partner, &caller.actor);
            }
            Act::User { user, change, before } => {
                let judged = (&*change, before.as_deref());
                self.carry_out_user(&mut work, &agreed.tenant, user, judged, &caller.actor).await?;
            }
        }
        match self.commit_decision(work).await {
            Err(error) if ["partner", "person"].iter().any(|what| error.is_conflict(what)) => {
                return Err(model::Error::VersionConflict.into());
            }
            outcome => outcome?,
        }
        self.known.forget();
        self.people.forget();
        Ok(())
    }

    /// The message goes on with why it was asked for as its note.
    async fn forward_agreed(
        &self,
        caller: &Caller,
        agreed: &Approval,
        message: Id,
        (to, seen): (&model::Authority, Option<&str>),
    ) -> Result<(), Error> {
        let (_, reason) = self.approval(caller, agreed.id).await?;
        let decision = Agreed { approval: agreed, by: caller };
        let wish = Wish { to, note: reason.as_deref(), seen, once: None, agreed: Some(decision) };
        match self.try_forward(caller, message, wish).await {
            Err(error) if error.is_conflict("approval") => Err(Error::ApprovalOver),
            Err(error) if error.is_conflict("record") => Err(model::Error::VersionConflict.into()),
            outcome => outcome.map(|_| ()),
        }
    }

    async fn erase_agreed(
        &self,
        caller: &Caller,
        scope: &Scope,
        mut work: Work,
        act: &Act,
    ) -> Result<(), Error> {
        let (_, what) = erasure(act).ok_or(Error::Internal)?;
        let place = self.erasable(scope, act).await?;
        self.add_erasure(&mut work, &scope.tenant, &place, what, &caller.actor);
        self.commit_decision(work).await.map_err(held)?;
        self.after_erasure(what).await
    }

    /// Where what shall be erased belongs, if it is there.
    pub(super) async fn erasable(&self, scope: &Scope, act: &Act) -> Result<Place, Error> {
        let (root, what) = erasure(act).ok_or(Error::Internal)?;
        self.to_erase(scope, root, what).await
    }
}

fn erasure(act: &Act) -> Option<(Id, Erasure)> {
    match act {
        Act::EraseEvent { root, event } => Some((*root, Erasure::Event(*event))),
        Act::ErasePayload { root, payload } => Some((*root, Erasure::Payload(*payload))),
        _ => None,
    }
}
