//! What contradicts is decided by a human: two of them, where the house wants that.

use model::command::PaymentChange;
use model::payment::Payment;
use model::payment::record::{Clearing, Decided, Decision};
use model::rights::Action;
use model::{Caller, Id, RecordKind, Scope};

use super::books::Books;
use crate::{Broker, Error, Once};

impl Broker {
    /// Decides about what contradicts. The first call asks, that of another token carries out; where one is enough, the first one does.
    /// Another decision than the one asked for is asked for anew. A decision is about the contradiction that stood there when it came: what
    /// waits behind it is never decided by it.
    ///
    /// # Errors
    /// `NotFound` if nothing contradicts; `SecondPerson` if the one who asked agrees; `WrongState` if there is nothing to accept, or if
    /// somebody else has decided meanwhile.
    pub async fn decide_clearing(
        &self,
        caller: &Caller,
        payment: Id,
        decision: Decision,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        self.payments()?;
        let scope = caller.may(Action::DecideMoney)?;
        let told = self.payment_of(&scope.tenant, payment).await?.clearing;
        self.anew(caller, once, move || self.try_clear(caller, scope, (payment, told), decision, once)).await
    }

    /// The same from a page: a decision about the contradiction that the page showed, known by its [`sign`](Clearing::sign).
    ///
    /// # Errors
    /// As [`decide_clearing`](Broker::decide_clearing); `WrongState` if another one stands there, or none any more.
    pub async fn decide_shown(
        &self,
        caller: &Caller,
        payment: Id,
        shown: &str,
        decision: Decision,
    ) -> Result<Payment, Error> {
        self.payments()?;
        let scope = caller.may(Action::DecideMoney)?;
        self.keeper_of(scope, RecordKind::Payment, payment).await?;
        let before = self.payment_of(&scope.tenant, payment).await?;
        let told = before.clearing.filter(|clearing| clearing.sign() == shown);
        let Some(told) = told else {
            return Err(model::Error::WrongState { state: before.status.name() }.into());
        };
        self.anew(caller, None, move || self.try_clear(caller, scope, (payment, Some(told)), decision, None))
            .await
    }

    async fn try_clear(
        &self,
        caller: &Caller,
        scope: &Scope,
        (id, told): (Id, Option<Clearing>),
        decision: Decision,
        once: Option<&Once>,
    ) -> Result<Payment, Error> {
        let by = token_of(caller)?;
        self.keeper_of(scope, RecordKind::Payment, id).await?;
        let mut books = Books::open(self, &scope.tenant, &caller.actor);
        let before = books.payment(id).await?;
        let clearing = before.clearing.ok_or(model::Error::NotFound { kind: "clearing" })?;
        if told.is_some_and(|told| told.key() != clearing.key()) {
            return Err(model::Error::WrongState { state: before.status.name() }.into());
        }
        let decided = Decided { decision, by };
        let change = match clearing.asked.filter(|asked| asked.decision == decision) {
            _ if !self.parts.rules.four_eyes => PaymentChange::Clear(decided),
            Some(asked) if asked.by == by => return Err(model::Error::SecondPerson.into()),
            Some(_) => PaymentChange::Clear(decided),
            None => PaymentChange::AskClearing(decided),
        };
        let payment = books.change(id, change).await?;
        self.commit_answer(caller, once, books.work, id, payment).await
    }
}

/// The token or the user that a caller is: what two have to decide is decided by two of them.
pub(super) fn token_of(caller: &Caller) -> Result<Id, Error> {
    let known = matches!(caller.actor.kind.as_str(), "system" | "person");
    let token = caller.actor.id.parse().ok().filter(|_| known);
    token.ok_or_else(|| model::Error::Forbidden.into())
}
