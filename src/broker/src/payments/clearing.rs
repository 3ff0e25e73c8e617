//! What contradicts is decided by a human: two of them, where the house wants that.

use model::command::PaymentChange;
use model::payment::Payment;
use model::payment::record::{Clearing, Decided, Decision};
use model::rights::Action;
use model::{Actor, Caller, Id, RecordKind, Scope, ids};

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
    let Actor { kind, id } = &caller.actor;
    match (kind.as_str(), id.parse()) {
        ("system" | "person", Ok(id)) => Ok(id),
        // A client of an authorisation server has a name instead.
        ("system", Err(_)) => Ok(ids::derived_id(Id::nil(), id)),
        _ => Err(model::Error::Forbidden.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clients_of_an_authorisation_server_are_two_and_what_is_no_system_is_none() {
        let of = |kind: &str, id: &str| {
            let actor = Actor { kind: kind.into(), id: id.into() };
            token_of(&Caller { actor, roles: vec![], scope: Scope::tenant("soest"), authority: None })
        };
        let [one, other] = ["iam:kasse-1", "iam:kasse-2"].map(|client| of("system", client).unwrap());
        assert_ne!(one, other);
        assert_eq!(one, of("system", "iam:kasse-1").unwrap());
        let user = Id::from_u128(7);
        assert_eq!(of("person", &user.to_string()).unwrap(), user);
        assert!(of("person", "cli").is_err() && of("gateway", "iam:kasse-1").is_err());
    }
}
