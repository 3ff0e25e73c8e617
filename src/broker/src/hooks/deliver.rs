//! How events get to a subscription: one after the other, in the order of the feed, each until it is taken.
//!
//! The subscription's row holds how far it has got, how often the next event failed and when it is due again, so that a
//! dead receiver costs one row, however much happens meanwhile. A job of the lane `hook:<subscription>` sends for a few
//! seconds at most, then others have their turn. What was sent and not noted (a crash) is sent again under the same id.

use std::collections::VecDeque;
use std::time::Duration;

use model::outbound::{ChosenBy, Post, Reply};
use model::rights::Action;
use model::{Actor, EventKind, Id, Scope};
use serde_json::json;
use store::{Delivery, Job, NewJob, Subscription, TokenRow, Work};
use tokio::time::Instant;

use super::message::Message;
use crate::{Broker, Error};

/// Longest time for a call (Standard Webhooks: between 15 and 30 seconds).
const WITHIN: Duration = Duration::from_secs(20);

/// Most bytes of an answer. Nothing of it is looked at.
const MOST_ANSWER: usize = 1 << 20;

/// How long a job goes on before others have their turn.
const SLICE: Duration = Duration::from_secs(5);

/// Events fetched at once.
const PAGE: u32 = 50;

/// Longest pause that a receiver can ask for by `Retry-After`.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3_600);

/// Pauses after the first, second, … failure, in seconds: the schedule that the specification gives. One more failure
/// disables the subscription, three days after the first.
const PAUSES: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// Pause after a failure of our own.
const OWN_PAUSE: Duration = Duration::from_secs(60);

/// How a call went.
struct Attempt {
    delivered: bool,
    status: Option<u16>,
    code: Option<String>,
    retry_after: Option<Duration>,
}

/// What comes next for a subscription.
enum Next {
    Message(Message),
    /// Nothing up to this number.
    Nothing(u64),
}

/// Messages that were fetched, and how far was looked.
struct Ahead {
    messages: VecDeque<Message>,
    looked: u64,
}

impl Broker {
    /// Enqueues a job for every subscription that has events before it; returns how many.
    pub(crate) async fn feed_hooks(&self) -> Result<usize, Error> {
        let due = self.store().due_subscriptions(self.now()).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let mut work = Work::new();
        for (tenant, id) in &due {
            let lane = format!("hook:{id}");
            let job = NewJob { fifo_key: Some(lane), ..self.hook_job(tenant, *id, "hook") };
            work.enqueue_call(&job, None);
        }
        self.store().commit(work).await?;
        Ok(due.len())
    }

    /// Sends what a subscription does not have yet. What fails on our side fails only this subscription, and not over and
    /// over again.
    pub(crate) async fn hook(&self, job: &Job) -> Result<(), Error> {
        let Err(error) = self.send_events(job).await else { return Ok(()) };
        if error.is_conflict("job") {
            return Err(error);
        }
        tracing::error!(subscription = %job.subject, code = error.code(), "events could not be sent");
        let mut work = held(job);
        work.subscription_failed(&job.tenant, job.subject, self.now().plus(OWN_PAUSE));
        self.finish(job, work).await
    }

    async fn send_events(&self, job: &Job) -> Result<(), Error> {
        let until = Instant::now() + SLICE;
        let mut ahead = Ahead { messages: VecDeque::new(), looked: 0 };
        loop {
            // Asked before every call, so that a token that was revoked gets nothing more.
            let Some((it, token)) = self.store().subscription(&job.tenant, job.subject).await? else {
                return self.finish(job, Work::new()).await;
            };
            if !it.enabled || it.next_at > self.now() || Instant::now() > until {
                return self.finish(job, Work::new()).await;
            }
            let Some(scope) = self.scope_of(&token) else {
                return self.stop(job, &it, "webhook.token-ended", held(job)).await;
            };
            match self.next(&it, &scope, &mut ahead).await? {
                Next::Nothing(number) => {
                    let mut work = held(job);
                    work.subscription_reached(&it.tenant, it.id, number, it.next_at);
                    return self.finish(job, work).await;
                }
                Next::Message(message) => {
                    let attempt = self.call(&it, &message).await;
                    if !attempt.delivered {
                        return self.failed(job, &it, &message, attempt).await;
                    }
                    let number = message.number.unwrap_or(it.reached);
                    let mut work = held(job);
                    work.subscription_reached(&it.tenant, it.id, number, self.now());
                    self.store().commit(self.noted(work, it.id, &message, &attempt, None)).await?;
                }
            }
        }
    }

    /// Sends a test, once, even to a subscription that is disabled.
    pub(crate) async fn hook_test(&self, job: &Job) -> Result<(), Error> {
        let Some((it, token)) = self.store().subscription(&job.tenant, job.subject).await? else {
            return self.finish(job, Work::new()).await;
        };
        if self.scope_of(&token).is_none() {
            return self.finish(job, Work::new()).await;
        }
        let message = Message::test(it.id, self.now());
        let attempt = self.call(&it, &message).await;
        self.finish(job, self.noted(held(job), it.id, &message, &attempt, None)).await
    }

    /// What the token of a subscription may see; nothing once it has ended.
    fn scope_of(&self, token: &TokenRow) -> Option<Scope> {
        let reads = token.roles.iter().any(|role| role.actions().contains(&Action::ReadEvents));
        let scope = || Scope {
            tenant: token.tenant.clone(),
            units: token.units.clone(),
            services: token.services.clone(),
        };
        (reads && self.store().is_valid(token)).then(scope)
    }

    async fn next(&self, it: &Subscription, scope: &Scope, ahead: &mut Ahead) -> Result<Next, Error> {
        ahead.looked = ahead.looked.max(it.reached);
        loop {
            if let Some(message) = ahead.messages.pop_front() {
                return Ok(Next::Message(message));
            }
            // Asked first: up to this number everything is there to be seen.
            let last = self.store().last_number(&it.tenant).await?;
            let events = self.store().events(scope, ahead.looked, PAGE).await?;
            let is_all = events.len() < PAGE as usize;
            let seen = events.last().map_or(0, |sealed| sealed.number);
            ahead.looked = ahead.looked.max(seen).max(if is_all { last } else { 0 });
            let types = &it.terms.types;
            for sealed in events {
                if types.is_empty() || types.contains(&sealed.event.kind) {
                    ahead.messages.push_back(Message::of_event(sealed, it.id)?);
                }
            }
            if is_all && ahead.messages.is_empty() {
                return Ok(Next::Nothing(ahead.looked));
            }
        }
    }

    async fn call(&self, it: &Subscription, message: &Message) -> Attempt {
        let headers = match self.signed_headers(it, message) {
            Ok(headers) => headers,
            Err(error) => return Attempt::failed(error.code()),
        };
        let post = Post {
            url: it.terms.url.clone(),
            chosen_by: ChosenBy::System,
            headers,
            body: message.body.clone(),
            within: WITHIN,
            most_answer: MOST_ANSWER,
        };
        match self.parts.outbound.post(&post).await {
            Ok(reply) => Attempt::answered(&reply),
            // Whatever kind it is: a receiver tells by the id that it has the event already.
            Err(failure) => Attempt::failed(&failure.code),
        }
    }

    fn signed_headers(&self, it: &Subscription, message: &Message) -> Result<Vec<(String, String)>, Error> {
        let now = self.now();
        let open = |wrapped: &[u8]| self.store().open_secret(&it.tenant, it.id, wrapped);
        let mut secrets = vec![open(&it.secret)?];
        if let Some((old, _)) = it.old_secret.as_ref().filter(|(_, until)| *until > now) {
            secrets.push(open(old)?);
        }
        message.headers(now, &secrets)
    }

    /// A failed attempt: tried again later, or the end.
    async fn failed(
        &self,
        job: &Job,
        it: &Subscription,
        message: &Message,
        attempt: Attempt,
    ) -> Result<(), Error> {
        let code = match (attempt.status, pause(it.failures, it.id)) {
            (Some(410), _) => "webhook.gone",
            (_, None) => "webhook.given-up",
            (_, Some(pause)) => {
                let asked = attempt.retry_after.unwrap_or_default().min(LONGEST_PAUSE);
                let next_at = self.now().plus(pause.max(asked));
                let mut work = self.noted(held(job), it.id, message, &attempt, Some(next_at));
                work.subscription_failed(&it.tenant, it.id, next_at);
                return self.finish(job, work).await;
            }
        };
        self.stop(job, it, code, self.noted(held(job), it.id, message, &attempt, None)).await
    }

    /// Disables a subscription, for everybody to see.
    async fn stop(&self, job: &Job, it: &Subscription, code: &str, mut work: Work) -> Result<(), Error> {
        tracing::warn!(subscription = %it.id, code, "a subscription was disabled");
        let detail = json!({ "subscription": it.id, "change": "stopped", "code": code });
        work.stop_subscription(&it.tenant, it.id, code);
        work.insert_event(&self.audit(&it.tenant, EventKind::SubscriptionChanged, &Actor::gateway(), detail));
        self.finish(job, work).await
    }

    fn noted(
        &self,
        mut work: Work,
        subscription: Id,
        message: &Message,
        attempt: &Attempt,
        next_at: Option<model::Timestamp>,
    ) -> Work {
        let delivery = Delivery {
            id: message.id,
            number: message.number,
            kind: message.kind.clone(),
            attempts: 1,
            delivered: attempt.delivered,
            status: attempt.status,
            code: attempt.code.clone(),
            at: self.now(),
            next_at,
        };
        work.note_delivery(subscription, &delivery);
        work
    }
}

impl Attempt {
    fn answered(reply: &Reply) -> Self {
        let delivered = (200..300).contains(&reply.status);
        Attempt {
            delivered,
            status: Some(reply.status),
            code: (!delivered).then(|| "webhook.refused".to_owned()),
            retry_after: reply.retry_after,
        }
    }

    fn failed(code: &str) -> Self {
        Attempt { delivered: false, status: None, code: Some(code.to_owned()), retry_after: None }
    }
}

/// Begins with the precondition that the job is still ours.
fn held(job: &Job) -> Work {
    let mut work = Work::new();
    work.hold_job(job.id, job.epoch);
    work
}

/// The pause after another failure, with up to a quarter of jitter that differs between subscriptions. `None`: enough.
fn pause(failures_before: u32, subscription: Id) -> Option<Duration> {
    let seconds = *PAUSES.get(failures_before as usize)?;
    let jitter = u64::from(subscription.as_bytes()[15]) * seconds * 1_000 / 4 / 255;
    Some(Duration::from_millis(seconds * 1_000 + jitter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attempts_at_an_event_take_about_three_days() {
        let pauses: Vec<Duration> = (0..).map_while(|failures| pause(failures, Id::nil())).collect();
        let total: Duration = pauses.iter().sum();
        assert_eq!((pauses.len(), total.as_secs() / 3_600), (9, 75));
        assert!(pauses.is_sorted());
    }
}
