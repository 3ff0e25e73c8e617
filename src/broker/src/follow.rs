//! Following up: where the other side can say what became of a message that it has taken, it is asked again and again, until the
//! message has reached its recipient, has come to nothing, or its time is over. That alone changes the message; whoever waits for
//! an answer of the standard goes on waiting.
//!
//! Where what it says *is* that answer (an archive that writes no messages), its time is over only with the exchange: archives take weeks,
//! and what they say late counts as well.

use std::time::Duration;

use model::adapter::{Adapter, Capability, Followed, Receipt, Source};
use model::{Actor, EventKind, Failure, FailureKind, Message, MessageState, Scope, ids};
use serde_json::{Value, json};
use store::{Job, NewJob, Work};

use crate::channels::Kept;
use crate::exchange::Told;
use crate::process::with_finding;

use crate::{Broker, Error, notes};

/// Kind of the job.
pub(crate) const JOB: &str = "follow";
/// Pause before the first question; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(60);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(3_600);
/// As long as an exchange may last: a century.
const WHILE_IT_LASTS: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

impl Broker {
    /// The job that follows a message up which is delivered now, if its adapter can.
    pub(crate) fn enqueue_follow(
        &self,
        work: &mut Work,
        message: &Message,
        adapter: &dyn Adapter,
        receipt: &Receipt,
    ) {
        let descriptor = adapter.descriptor();
        let is_open = message.state == MessageState::Delivered;
        if !is_open || !descriptor.capabilities.contains(&Capability::Follow) {
            return;
        }
        let now = self.now();
        let job = NewJob {
            id: ids::new_id(),
            tenant: message.tenant.clone(),
            lane: format!("to:{}", message.partner),
            kind: JOB.to_owned(),
            subject: message.id,
            detail: json!({
                "adapter": descriptor.id,
                "receipt": { "reference": receipt.reference, "data": receipt.data },
            }),
            next_at: now.plus(FIRST),
            fifo_key: None,
        };
        let within = if descriptor.answers { WHILE_IT_LASTS } else { self.ttl(message) };
        work.enqueue_call(&job, Some(now.plus(within)));
    }

    /// Whether what a job asks for is an answer that nobody else gives, so that a human must know when it cannot be asked for any more.
    pub(crate) fn asks_for_answer(&self, job: &Job) -> bool {
        let adapter = job.detail["adapter"].as_str().and_then(|id| self.adapters.get(id));
        job.kind == JOB && adapter.is_some_and(|adapter| adapter.descriptor().answers)
    }

    /// Asks what became of a message.
    pub(crate) async fn follow(&self, job: &Job) -> Result<(), Error> {
        let message = self.store().message(&Scope::tenant(&job.tenant), job.subject).await?;
        let adapter = job.detail["adapter"].as_str().and_then(|id| self.adapters.get(id));
        let is_open = |message: &Message| message.state == MessageState::Delivered;
        let Some(message) = message.filter(is_open) else { return self.finish(job, Work::new()).await };
        // It may be configured again.
        let gone = || Failure::transient("broker.no-adapter", "the partner's adapter is not there");
        let adapter = adapter.ok_or_else(gone)?;
        // Somebody else may have answered meanwhile, or the exchange was ended.
        let answers = adapter.descriptor().answers && message.exchange.is_some();
        if answers && self.sending_exchange(&message).await?.is_none() {
            return self.finish(job, Work::new()).await;
        }
        let mut work = Work::new();
        match self.ask_way(job, &message, &**adapter).await? {
            Followed::Open => {
                work.retry_job(job.id, job.epoch, self.now().plus(pause(job.attempts)));
                return Ok(self.store().commit(work).await?);
            }
            Followed::Received => self.received(&mut work, message, Value::Null),
            Followed::Imported { results, proof } => {
                return self.told_of(job, message, Told::Imported(results), proof).await;
            }
            Followed::Appraised(all) => {
                return self.told_of(job, message, Told::Appraised(all), Value::Null).await;
            }
            Followed::CameToNothing(rule) => {
                let partner = partner(&message);
                let message = with_rule(message, rule);
                match self.is_told(&message).await? {
                    true => self.returned(&mut work, message, &partner, None).await?,
                    false => self.parked(&mut work, message, &partner, None)?,
                };
            }
            // It is there: going back, it would end for good what a human can still mend.
            Followed::Clarify(rule) => {
                let partner = partner(&message);
                self.parked(&mut work, with_rule(message, rule), &partner, None)?;
            }
        }
        self.finish(job, work).await
    }

    async fn ask_way(&self, job: &Job, message: &Message, adapter: &dyn Adapter) -> Result<Followed, Error> {
        let mut delivery = self.delivery_of(message).await?;
        delivery.detail["receipt"] = job.detail["receipt"].clone();
        let content = message.payload.clone();
        let kept =
            content.map(|content| Kept { broker: self.clone(), tenant: message.tenant.clone(), content });
        let sources: Vec<Box<dyn Source>> = kept.into_iter().map(|kept| Box::new(kept) as _).collect();
        let followed = self.bounded(adapter.follow(&delivery, &sources)).await;
        // Whatever is wrong now may be mended until the message's time is over.
        Ok(followed.map_err(|failure| Failure { kind: FailureKind::Transient, ..failure })?)
    }

    /// The recipient has the message and said of its objects what its own answer would. What contradicts what is known waits for a
    /// human.
    async fn told_of(&self, job: &Job, message: Message, told: Told, proof: Value) -> Result<(), Error> {
        let mut work = Work::new();
        match self.note_told(&mut work, &message, told).await? {
            Ok(()) => self.received(&mut work, message, proof),
            Err(rule) => {
                work = Work::new();
                let partner = partner(&message);
                self.parked(&mut work, with_rule(message, rule), &partner, None)?;
            }
        }
        self.finish(job, work).await
    }

    /// The recipient has the message. In an exchange, its own answer says more, and ends it.
    fn received(&self, work: &mut Work, mut message: Message, proof: Value) {
        let (now, partner) = (self.now(), partner(&message));
        let mut kind = EventKind::MessageReceived;
        if message.exchange.is_none() {
            kind = EventKind::MessageConfirmed;
            message.state = MessageState::Confirmed;
            message.updated_at = now;
            work.update_message(&message, MessageState::Delivered);
        }
        let mut event = notes::of_message(kind, &message, &partner, now);
        if let (Some(Value::Object(detail)), false) = (&mut event.detail, proof.is_null()) {
            detail.insert("proof".to_owned(), proof);
        }
        work.insert_event(&event);
    }
}

fn with_rule(message: Message, rule: &str) -> Message {
    Message { report: Some(with_finding(message.report.clone(), rule)), ..message }
}

fn partner(message: &Message) -> Actor {
    Actor { kind: "partner".to_owned(), id: message.partner.clone() }
}

/// Doubles from two minutes to an hour: one has passed before the first question.
fn pause(attempts: u32) -> Duration {
    FIRST.saturating_mul(2 << attempts.min(8)).min(LONGEST)
}
