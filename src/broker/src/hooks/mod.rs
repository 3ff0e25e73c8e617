//! Subscriptions: a county system has the event feed sent to it (Standard Webhooks 1.0.0) instead of asking for it.
//!
//! A subscription belongs to the token that made it and never sees more than this token: what it gets is what
//! `events?after=` gives to it, in the same order. When the token ends, the subscription is disabled. See `deliver` for how
//! events get there.

mod deliver;
mod message;

use std::time::Duration;

use model::outbound::ChosenBy;
use model::rights::{Action, Within};
use model::{Caller, EventKind, Id, ids};
use seal::webhook::Secret;
use serde_json::{Value, json};
use store::{Delivery, NewJob, Subscription, Terms, TokenRow, Work};

use crate::{Broker, Error, Once};

/// Most subscriptions of a token.
const MOST: usize = 20;

/// Longest address, in bytes.
const LONGEST_URL: usize = 2_000;

/// Longest time that an old secret goes on signing: a week.
pub const LONGEST_OVERLAP: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A subscription that somebody wants.
#[derive(Debug, Clone)]
pub struct NewSubscription {
    /// Where to, and which kinds of events.
    pub terms: Terms,
    /// Begin behind this number; absent: with what is sealed from now on.
    pub after: Option<u64>,
}

/// What shall be changed of a subscription.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionChange {
    /// Where to.
    pub url: Option<String>,
    /// Kinds of events; all if empty.
    pub types: Option<Vec<EventKind>>,
    /// Whether events are sent.
    pub enabled: Option<bool>,
    /// Go on behind this number: backwards to have events sent again, forwards to leave some out.
    pub after: Option<u64>,
}

/// A subscription with its secret, as it is shown once.
#[derive(Debug, Clone)]
pub struct SubscriptionSecret {
    /// The subscription.
    pub subscription: Subscription,
    /// `whsec_` and base64.
    pub secret: String,
}

impl Broker {
    /// Makes a subscription for the caller's token, once: a repetition cannot be given the secret again.
    ///
    /// # Errors
    /// `AnswerNotKept` if the same request has made its subscription before, `Forbidden` if the caller is no token or may not read events; a failure `net.…` if the address may not be called.
    pub async fn subscribe(
        &self,
        caller: &Caller,
        new: NewSubscription,
        once: Option<&Once>,
    ) -> Result<SubscriptionSecret, Error> {
        let scope = caller.may(Action::Subscribe)?;
        caller.may(Action::ReadEvents)?;
        let token = owner(caller).ok_or(model::Error::Forbidden)?;
        self.refuse_repetition(caller, once).await?;
        self.check_terms(&new.terms)?;
        let all = self.store().subscriptions(&scope.tenant).await?;
        if all.iter().filter(|(known, _)| known.token == token).count() >= MOST {
            return Err(Error::TooManySubscriptions);
        }
        let last = self.store().last_number(&scope.tenant).await?;
        let (id, secret, now) = (ids::new_id(), Secret::random()?, self.now());
        let subscription = Subscription {
            id,
            tenant: scope.tenant.clone(),
            token,
            version: 1,
            enabled: true,
            stopped: None,
            reached: position(new.after, last)?.unwrap_or(last),
            failures: 0,
            next_at: now,
            secret: self.store().wrap_secret(&scope.tenant, id, &secret)?,
            old_secret: None,
            terms: new.terms,
            created_at: now,
        };
        self.put(caller, &subscription, "created", keyed(caller, once, id)).await?;
        Ok(SubscriptionSecret { subscription, secret: secret.text() })
    }

    /// The caller's subscriptions. Whoever manages tokens also sees those of every token that he could have made.
    ///
    /// # Errors
    /// If the caller may not.
    pub async fn subscriptions(&self, caller: &Caller) -> Result<Vec<Subscription>, Error> {
        let scope = caller.may(Action::Subscribe)?;
        let all = self.store().subscriptions(&scope.tenant).await?;
        let visible = all.into_iter().filter(|(it, token)| is_own(caller, it) || oversees(caller, token));
        Ok(visible.map(|(subscription, _)| subscription).collect())
    }

    /// One subscription.
    ///
    /// # Errors
    /// `NotFound` also if the caller may not see it.
    pub async fn subscription(&self, caller: &Caller, id: Id) -> Result<Subscription, Error> {
        let scope = caller.may(Action::Subscribe)?;
        let found = self.store().subscription(&scope.tenant, id).await?;
        let visible = found.filter(|(it, token)| is_own(caller, it) || oversees(caller, token));
        let (subscription, _) = visible.ok_or(model::Error::NotFound { kind: "subscription" })?;
        Ok(subscription)
    }

    /// Changes a subscription. What waits for another attempt is tried at once.
    ///
    /// # Errors
    /// `Forbidden` if it is another token's; `VersionConflict` if it is not in the version `expected`.
    pub async fn change_subscription(
        &self,
        caller: &Caller,
        id: Id,
        expected: Option<u64>,
        change: SubscriptionChange,
    ) -> Result<Subscription, Error> {
        let mut it = self.own_subscription(caller, id, expected).await?;
        it.terms.url = change.url.unwrap_or(it.terms.url);
        it.terms.types = change.types.unwrap_or(it.terms.types);
        self.check_terms(&it.terms)?;
        it.enabled = change.enabled.unwrap_or(it.enabled);
        it.stopped = it.stopped.filter(|_| !it.enabled);
        it.failures = 0;
        it.next_at = self.now();
        let mut work = Work::new();
        // Whoever is sending now can note nothing any more, so the position stays as it is set here.
        work.cancel_jobs(&it.tenant, id);
        if let Some(after) = position(change.after, self.store().last_number(&it.tenant).await?)? {
            work.move_subscription(&it.tenant, id, after);
            it.reached = after;
        }
        it.version += 1;
        self.put(caller, &it, "changed", work).await?;
        Ok(it)
    }

    /// Gives a subscription a new secret, once. The old one goes on signing beside it for `overlap`.
    ///
    /// # Errors
    /// `AnswerNotKept` if the same request has done so before; as [`change_subscription`](Broker::change_subscription).
    pub async fn rotate_secret(
        &self,
        caller: &Caller,
        id: Id,
        overlap: Duration,
        once: Option<&Once>,
    ) -> Result<SubscriptionSecret, Error> {
        if overlap > LONGEST_OVERLAP {
            return Err(model::Error::Invalid { field: "overlapSeconds" }.into());
        }
        let mut it = self.own_subscription(caller, id, None).await?;
        self.refuse_repetition(caller, once).await?;
        let secret = Secret::random()?;
        let wrapped = self.store().wrap_secret(&it.tenant, id, &secret)?;
        it.old_secret = Some((std::mem::replace(&mut it.secret, wrapped), self.now().plus(overlap)));
        it.version += 1;
        self.put(caller, &it, "secret-rotated", keyed(caller, once, id)).await?;
        Ok(SubscriptionSecret { subscription: it, secret: secret.text() })
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// `NotFound` if it is not visible.
    pub async fn unsubscribe(&self, caller: &Caller, id: Id) -> Result<(), Error> {
        let it = self.subscription(caller, id).await?;
        let mut work = Work::new();
        work.delete_subscription(&it.tenant, id);
        work.insert_event(&self.subscription_event(caller, &it, "deleted"));
        Ok(self.store().commit(work).await?)
    }

    /// Has a test sent, once; how it went is found among the deliveries.
    ///
    /// # Errors
    /// `Forbidden` if it is another token's.
    pub async fn test_subscription(&self, caller: &Caller, id: Id) -> Result<Subscription, Error> {
        let it = self.own_subscription(caller, id, None).await?;
        let mut work = Work::new();
        // The same id as long as one waits: asking often does not have it sent often.
        let job = NewJob { id: ids::derived_id(id, "test"), ..self.hook_job(&it.tenant, id, "hook-test") };
        work.enqueue_call(&job, None);
        self.store().commit(work).await?;
        Ok(it)
    }

    /// How the latest events were delivered, newest first.
    ///
    /// # Errors
    /// `NotFound` if the subscription is not visible.
    pub async fn deliveries(&self, caller: &Caller, id: Id) -> Result<Vec<Delivery>, Error> {
        let it = self.subscription(caller, id).await?;
        Ok(self.store().deliveries(it.id).await?)
    }

    async fn own_subscription(
        &self,
        caller: &Caller,
        id: Id,
        expected: Option<u64>,
    ) -> Result<Subscription, Error> {
        let it = self.subscription(caller, id).await?;
        if !is_own(caller, &it) {
            return Err(model::Error::Forbidden.into());
        }
        if expected.is_some_and(|expected| expected != it.version) {
            return Err(model::Error::VersionConflict.into());
        }
        Ok(it)
    }

    fn check_terms(&self, terms: &Terms) -> Result<(), Error> {
        if terms.url.len() > LONGEST_URL {
            return Err(model::Error::Invalid { field: "url" }.into());
        }
        Ok(self.parts.outbound.permits(&terms.url, ChosenBy::System)?)
    }

    async fn put(&self, caller: &Caller, it: &Subscription, what: &str, mut work: Work) -> Result<(), Error> {
        work.put_subscription(it);
        work.insert_event(&self.subscription_event(caller, it, what));
        match self.store().commit(work).await.map_err(Error::from) {
            Err(error) if error.is_conflict("subscription") => Err(model::Error::VersionConflict.into()),
            Err(error) if error.is_conflict("dedup") => Err(Error::AnswerNotKept { subject: it.id }),
            outcome => outcome,
        }
    }

    async fn refuse_repetition(&self, caller: &Caller, once: Option<&Once>) -> Result<(), Error> {
        let Some(first) = self.answered(caller, once).await? else { return Ok(()) };
        let subject = first.as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
        Err(Error::AnswerNotKept { subject })
    }

    fn subscription_event(&self, caller: &Caller, it: &Subscription, what: &str) -> model::Event {
        let detail: Value = json!({ "subscription": it.id, "change": what });
        self.audit(&it.tenant, EventKind::SubscriptionChanged, &caller.actor, detail)
    }

    fn hook_job(&self, tenant: &str, subscription: Id, kind: &str) -> NewJob {
        NewJob {
            id: ids::new_id(),
            tenant: tenant.to_owned(),
            lane: format!("hook:{subscription}"),
            kind: kind.to_owned(),
            subject: subscription,
            detail: Value::Null,
            next_at: self.now(),
            fifo_key: None,
        }
    }
}

/// The token that a caller is.
fn owner(caller: &Caller) -> Option<Id> {
    caller.actor.id.parse().ok().filter(|_| caller.actor.kind == "system")
}

fn is_own(caller: &Caller, it: &Subscription) -> bool {
    owner(caller) == Some(it.token)
}

/// Whether the caller manages tokens and could have made this one.
fn oversees(caller: &Caller, token: &TokenRow) -> bool {
    let Ok(scope) = caller.may(Action::ManageTokens) else { return false };
    let acts = scope.units == Within::All || caller.authority == token.authority;
    acts && scope.units.includes(&token.units) && scope.services.includes(&token.services)
}

/// A position in the feed: not behind its end.
fn position(after: Option<u64>, last: u64) -> Result<Option<u64>, Error> {
    match after {
        Some(after) if after > last => Err(model::Error::Invalid { field: "after" }.into()),
        after => Ok(after),
    }
}

/// Work that claims the key of a request, if it has one. The secret is shown once: what is kept names the subscription.
fn keyed(caller: &Caller, once: Option<&Once>, id: Id) -> Work {
    let mut work = Work::new();
    if let Some(once) = once {
        once.claim(&mut work, caller, id, &json!(id));
    }
    work
}
