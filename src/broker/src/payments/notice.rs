//! What comes in at the public door: notifications of providers, and payers who come back.
//!
//! A call is a hint and nothing else: it is kept, as it came, and has the provider asked, in one transaction. What is acknowledged is
//! therefore never lost, and what is lost is repeated by the provider. A call that its provider's interface shows to be false leads to
//! nothing and is kept as evidence, so many of each payment; what is authentic but cannot be is told to a human. Of what a payer's browser
//! brings back nothing is believed.

use std::time::Duration;

use model::command::PaymentChange;
use model::event::Subject;
use model::payment::provider::{Notice, Refusal, Verdict};
use model::payment::{ClearingReason, Payment, PaymentStatus};
use model::{Actor, Event, EventKind, Id, PayloadRef, RecordKind, Timestamp, ids};
use seal::door::token_digest;
use serde_json::json;
use store::{PaymentDoor, PaymentNotice, StoredPayload, Work};

use super::books::{Books, is_decided_anew};
use super::orders::Ordered;
use crate::{Broker, Error};

/// Calls of a payment that lead to nothing and are kept; further ones are only counted.
const MOST_REFUSED: u64 = 100;

/// Calls of a payment that have the provider asked and are kept.
const MOST_HINTS: u64 = 1_000;

/// Characters of a token.
const TOKEN: usize = 22;

/// When to come again if the start is not answered yet, and if the gateway cannot take anything.
const SOON: Duration = Duration::from_secs(5);
const LATER: Duration = Duration::from_secs(30);

/// Pause before the provider is asked because of a call that came before: whoever repeats one does not have it asked often.
const REPEATED: Duration = Duration::from_secs(10);

/// Which of a payment's two doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeDoor {
    /// The provider calls.
    Notify,
    /// The payer's browser comes back.
    Return,
}

impl NoticeDoor {
    /// Name in the address and in the store.
    pub fn name(self) -> &'static str {
        match self {
            NoticeDoor::Notify => "notify",
            NoticeDoor::Return => "return",
        }
    }
}

/// How a call at a door is answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoticeAnswer {
    /// HTTP status.
    pub status: u16,
    /// When to come again, with 503.
    pub retry_after: Option<Duration>,
    /// Tenant and payment that the door is of; absent: nobody's.
    pub payment: Option<(String, Id)>,
    /// Where the payer's browser goes on to; of the return door alone.
    pub return_to: Option<String>,
}

/// What a call leads to.
struct Judged {
    word: &'static str,
    status: u16,
    /// The provider is asked.
    hints: bool,
    /// What a human has to be told.
    contradicts: Option<(ClearingReason, Option<i64>)>,
    /// The same for the same call.
    key: String,
    /// The provider's own name for the call says that it is the same, and not only its bytes.
    named: bool,
}

impl Broker {
    /// Takes a call at a payment's door. What is acknowledged is durable, and has the provider asked.
    ///
    /// # Errors
    /// If the store fails: to be answered with 503, so that the call comes again.
    pub async fn notice(
        &self,
        provider: &str,
        token: &str,
        door: NoticeDoor,
        notice: Notice,
    ) -> Result<NoticeAnswer, Error> {
        let nobody = NoticeAnswer { status: unknown(door), ..NoticeAnswer::default() };
        let Some(ordered) = self.behind(provider, token, door).await? else { return Ok(nobody) };
        let payment = &ordered.payment;
        let answer = NoticeAnswer {
            status: 200,
            retry_after: None,
            payment: Some((payment.meta.tenant.clone(), payment.meta.id)),
            return_to: payment.return_to.clone().filter(|_| door == NoticeDoor::Return),
        };
        let terms = ordered.provider.terms();
        let methods = if door == NoticeDoor::Notify { terms.notifies_by } else { &["GET", "POST"] };
        if !methods.contains(&notice.method.as_str()) {
            return Ok(NoticeAnswer { status: 405, ..answer });
        }
        if notice.query.len() + notice.body.len() > terms.most_notice_bytes {
            return Ok(NoticeAnswer { status: 413, ..answer });
        }
        let judged = judge(&ordered, door, &notice, self.now());
        let status = self.take_call(&ordered, door, &notice, &judged).await?;
        let retry_after = (status == 503).then_some(if judged.status == 503 { SOON } else { LATER });
        Ok(NoticeAnswer { status, retry_after, ..answer })
    }

    /// The most bytes of query and body together that the provider's door takes; `None` if there is no such provider.
    pub fn most_notice_bytes(&self, provider: &str) -> Option<usize> {
        let provider = self.payments.as_ref()?.providers.get(provider)?;
        Some(provider.terms().most_notice_bytes)
    }

    /// The payment whose door opens to this token.
    async fn behind(&self, provider: &str, token: &str, door: NoticeDoor) -> Result<Option<Ordered>, Error> {
        let Some(known) = self.payments()?.providers.get(provider) else { return Ok(None) };
        let closed = door == NoticeDoor::Notify && known.terms().notifies_by.is_empty();
        if closed || token.len() != TOKEN {
            return Ok(None);
        }
        let hash = token_digest(token);
        let found = self.store().door_by_hash(provider, &hash, door == NoticeDoor::Return).await?;
        let Some(PaymentDoor { tenant, payment, .. }) = found else { return Ok(None) };
        self.ordered(self.payment_of(&tenant, payment).await?).await
    }

    /// Writes what a call leads to; gives the status of its answer.
    async fn take_call(
        &self,
        ordered: &Ordered,
        door: NoticeDoor,
        notice: &Notice,
        judged: &Judged,
    ) -> Result<u16, Error> {
        let payment = &ordered.payment;
        let (tenant, id) = (&payment.meta.tenant, payment.meta.id);
        // It comes again by itself; but that somebody knows of a payment that was never known to have started is worth a question.
        if judged.status == 503 {
            if payment.status != PaymentStatus::Created {
                self.hint(payment, self.now().plus(REPEATED)).await?;
            }
            return Ok(503);
        }
        for _ in 0..8 {
            if let Some(known) = self.store().known_notice(tenant, &payment.provider, &judged.key).await? {
                // The same bytes need not be the same call: the state may be another one by now.
                if judged.hints && !judged.named {
                    self.hint(payment, self.now().plus(REPEATED)).await?;
                }
                return Ok(known.status);
            }
            let Some(now) = self.store().payment_door(tenant, id).await? else { return Ok(unknown(door)) };
            let full = if judged.hints { now.hints >= MOST_HINTS } else { now.refused >= MOST_REFUSED };
            if !full && self.pressure().disk_full {
                return Ok(503);
            }
            let taken = match full {
                true => self.only_count(payment, judged).await,
                false => self.keep_call(ordered, door, notice, judged).await,
            };
            match taken {
                Err(error) if error.is_conflict("notice") || is_decided_anew(&error) => {}
                outcome => return outcome.map(|()| judged.status),
            }
        }
        Ok(503)
    }

    /// Bytes, event, and what follows, in one transaction.
    async fn keep_call(
        &self,
        ordered: &Ordered,
        door: NoticeDoor,
        notice: &Notice,
        judged: &Judged,
    ) -> Result<(), Error> {
        let payment = &ordered.payment;
        let (tenant, id) = (&payment.meta.tenant, payment.meta.id);
        let actor = provider_of(payment);
        let stored = self.kept_bytes(tenant, notice).await?;
        let mut books = Books::open(self, tenant, &actor);
        match judged.hints {
            // Before the job: then a pull that ends at this moment does not end.
            true => books.work.count_hint(id),
            false => books.work.count_refused(id),
        };
        books.work.insert_notice(&PaymentNotice {
            id: ids::new_id(),
            tenant: tenant.clone(),
            payment: id,
            provider: payment.provider.clone(),
            door: door.name().to_owned(),
            dedup_key: judged.key.clone(),
            verdict: judged.word.to_owned(),
            status: judged.status,
            payload: stored.reference().id,
            received_at: books.now(),
        });
        books.work.insert_payload(tenant, &stored);
        let now = books.now();
        books.work.insert_event(&notified(payment, &actor, door, judged, stored.reference(), now));
        if let Some((reason, cents)) = judged.contradicts {
            books.change(id, PaymentChange::Contradicts(reason, cents)).await?;
        }
        if judged.hints {
            self.ask_at(&mut books.work, payment, now);
        }
        let outcome = self.store().commit(books.work).await.map_err(Error::from);
        if outcome.as_ref().is_err_and(|error| error.is_conflict("notice") || is_decided_anew(error)) {
            self.store().discard(stored).await;
        }
        outcome
    }

    async fn kept_bytes(&self, tenant: &str, notice: &Notice) -> Result<StoredPayload, Error> {
        let mut writer = self.store().payload_writer(tenant);
        writer.write(&written(notice)).await?;
        Ok(writer.finish().await?)
    }

    /// Has the provider asked, and keeps nothing.
    pub(super) async fn hint(&self, payment: &Payment, at: Timestamp) -> Result<(), Error> {
        let mut work = Work::new();
        work.count_hint(payment.meta.id);
        self.ask_at(&mut work, payment, at);
        Ok(self.store().commit(work).await?)
    }

    /// Nothing is kept any more; but what a human has to be told is told.
    async fn only_count(&self, payment: &Payment, judged: &Judged) -> Result<(), Error> {
        let (id, actor) = (payment.meta.id, provider_of(payment));
        let mut books = Books::open(self, &payment.meta.tenant, &actor);
        match judged.hints {
            true => books.work.count_hint(id),
            false => books.work.count_refused(id),
        };
        if let Some((reason, cents)) = judged.contradicts {
            books.change(id, PaymentChange::Contradicts(reason, cents)).await?;
        }
        if judged.hints {
            let at = books.now().plus(REPEATED);
            self.ask_at(&mut books.work, payment, at);
        }
        Ok(self.store().commit(books.work).await?)
    }
}

fn provider_of(payment: &Payment) -> Actor {
    Actor { kind: "partner".to_owned(), id: payment.provider.clone() }
}

/// An unknown token reveals nothing: whatever else is wrong, the answer is the same.
fn unknown(door: NoticeDoor) -> u16 {
    match door {
        NoticeDoor::Notify => 400,
        NoticeDoor::Return => 404,
    }
}

fn judge(ordered: &Ordered, door: NoticeDoor, notice: &Notice, now: Timestamp) -> Judged {
    let Ordered { payment, provider, order, .. } = ordered;
    let id = payment.meta.id;
    let digest = seal::sha256(&[&written(notice)]);
    let bytes =
        seal::sha256(&[notice.method.as_bytes(), b"\n", notice.query.as_bytes(), b"\n", &notice.body]);
    let hint = |key| Judged { word: "hint", status: 200, hints: true, contradicts: None, key, named: false };
    if door == NoticeDoor::Return {
        return hint(format!("{id}:return:{bytes}"));
    }
    let judged = provider.notified(order, payment.reference.as_deref(), notice, now);
    let named = judged.id.is_some();
    // A false call must not take the name of a true one, so it is known by all of its bytes.
    let key = match judged.id {
        Some(name) => format!("{id}:notify:id:{}", seal::sha256(&[name.as_bytes()])),
        None => format!("{id}:notify:{bytes}"),
    };
    match judged.verdict {
        Verdict::Hint => Judged { named, ..hint(key) },
        Verdict::Differs(reason, cents, status) => {
            Judged { word: "differs", status, contradicts: Some((reason, cents)), named, ..hint(key) }
        }
        Verdict::Refused(refusal) => Judged {
            word: refusal.name(),
            status: if refusal == Refusal::TooEarly { 503 } else { 400 },
            hints: false,
            contradicts: None,
            key: format!("{id}:refused:{digest}"),
            named: true,
        },
    }
}

/// A call as it is kept: request line without its token, header fields, body.
fn written(notice: &Notice) -> Vec<u8> {
    let mut text = format!("{} ?{}\r\n", notice.method, notice.query);
    for (name, value) in &notice.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(&notice.body);
    bytes
}

fn notified(
    payment: &Payment,
    actor: &Actor,
    door: NoticeDoor,
    judged: &Judged,
    payload: &PayloadRef,
    now: Timestamp,
) -> Event {
    let meta = &payment.meta;
    Event {
        id: ids::new_id(),
        tenant: meta.tenant.clone(),
        unit: Some(meta.unit.clone()),
        public_service: meta.public_service.clone(),
        at: now,
        kind: EventKind::PaymentNotified,
        actor: actor.clone(),
        subject: Some(Subject { kind: RecordKind::Payment, id: meta.id }),
        case_id: Some(meta.root),
        message_id: None,
        changes: None,
        payloads: vec![payload.clone()],
        detail: Some(json!({ "door": door.name(), "verdict": judged.word, "status": judged.status })),
    }
}
