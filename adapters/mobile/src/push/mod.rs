//! Web Push: a notice of a case to every browser that asked for it (RFC 8030). A subscription is a link of the case: its reference is the endpoint,
//! its state has `p256dh` and `auth`. What is sent names the case and where it stands, nothing else, and only that browser can read it (RFC 8291).
//!
//! | answer of the push service | what follows |
//! |---|---|
//! | 201, 200, 202 | the browser will have it |
//! | 404, 410 | the subscription has ended, and so has its link |
//! | 429, 5xx, none | tried again, after `Retry-After` if that is said; for a quarter of an hour once another browser has it |
//! | anything else, a redirect, an address that must not be called | not sent |
//!
//! If no browser is left, the dispatch has failed, and goes by its next way. A notice that is sent twice is one: the second has the same `Topic`. What is
//! learnt of a subscription stands in its link at once, unless the browser has renewed it meanwhile; one that has ended is not brought back by it.
//!
//! `GET /adapters/{id}/key` gives the public key that browsers subscribe with.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures::future::join_all;
use model::activity::{Dispatch, DispatchStatus, DispatchStep};
use model::adapter::{
    Adapter, CallbackRequest, Capability, Delivery, Descriptor, Health, Host, Interest, Link, Receipt, Reply,
    Sources,
};
use model::command::{Change, Command};
use model::outbound::ChosenBy;
use model::{Clock, EventKind, Failure, FailureKind, Id, Record, RecordKind, Timestamp};
use net::{Client, Method, Request};
use seal::sha256;
use seal::web_push::{Sender, Subscriber};
use serde_json::json;

use crate::settings::PushSettings;

/// The way of such dispatches.
const WAY: &str = "push";

/// Browsers of one case that are told.
const MOST: usize = 50;

/// Most bytes of an answer that are read.
const MOST_ANSWER: usize = 64 * 1024;

/// How long after a notice may leave those browsers are tried that could not be reached, once one has it, in microseconds. Less than the least patience
/// of a channel, so that what has arrived never goes by another way as well.
const TRIED: i64 = 15 * 60 * 1_000_000;

/// Notices of which a link says that its browser has them, the newest ones: those of a case that are under way at the same time.
const TOLD: usize = 16;

/// How long a proof of who sends holds, in seconds; a day is the most.
const PROOF: i64 = 12 * 3_600;

/// What became of one notice.
enum Outcome {
    Taken,
    /// The subscription has ended.
    Gone,
    /// Later.
    Wait(Option<Duration>),
    Refused,
}

/// Web Push.
pub struct WebPush {
    settings: PushSettings,
    descriptor: Descriptor,
    sender: Sender,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl WebPush {
    /// With the key pair of the settings.
    ///
    /// # Errors
    /// `web-push.key` if that is no key of P-256.
    pub fn new(settings: PushSettings, client: Client, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        let wrong = |_| Failure::permanent("web-push.key", "the key is no private key of P-256 as PEM");
        let sender = Sender::new(settings.key.as_bytes(), &settings.contact).map_err(wrong)?;
        let capabilities = vec![Capability::Deliver, Capability::Reconcile, Capability::Callback];
        let mut descriptor = Descriptor::new(settings.id.clone(), "mobile", capabilities);
        descriptor.follows = vec![Interest { event: EventKind::RecordCreated, record: RecordKind::Dispatch }];
        descriptor.in_order = false;
        descriptor.takes_bytes = false;
        descriptor.way = Some(WAY.to_owned());
        Ok(WebPush { settings, descriptor, sender, client, clock })
    }

    async fn push(&self, link: &Link, message: &[u8], topic: &str) -> Outcome {
        let state = |name: &str| link.state[name].as_str().unwrap_or_default();
        let Ok(subscriber) = Subscriber::parse(state("p256dh"), state("auth")) else { return Outcome::Gone };
        let Some(origin) = origin(&link.reference) else { return Outcome::Gone };
        let until = self.clock.now().micros().div_euclid(1_000_000).saturating_add(PROOF);
        let sealed = subscriber
            .encrypt(message)
            .and_then(|body| Ok((body, self.sender.authorization(&origin, until)?)));
        let Ok((body, authorization)) = sealed else { return Outcome::Refused };
        let header = |name: &str, value: String| (name.to_owned(), value);
        let request = Request {
            method: Method::POST,
            url: link.reference.clone(),
            // Whoever subscribes chooses the address: only what is public, or what the operator lists, is called.
            chosen_by: ChosenBy::System,
            headers: vec![
                header("authorization", authorization),
                header("content-encoding", "aes128gcm".to_owned()),
                header("content-type", "application/octet-stream".to_owned()),
                header("ttl", self.settings.keeps.as_secs().to_string()),
                header("urgency", "normal".to_owned()),
                header("topic", topic.to_owned()),
            ],
            body: Some(body.into()),
            within: self.settings.within,
            most_answer: MOST_ANSWER,
        };
        match self.client.send(request).await {
            Ok(answer) => match answer.status {
                200..=202 => Outcome::Taken,
                404 | 410 => Outcome::Gone,
                429 | 500.. => Outcome::Wait(answer.retry_after(self.clock.now())),
                _ => Outcome::Refused,
            },
            Err(error) => match Failure::from(error).kind {
                FailureKind::Transient | FailureKind::Uncertain => Outcome::Wait(None),
                _ => Outcome::Refused,
            },
        }
    }

    /// Sends a notice to all browsers that have not got it yet, and keeps what is learnt of them.
    async fn push_all(
        &self,
        (delivery, dispatch): (&Delivery, &Dispatch),
        host: &dyn Host,
    ) -> Result<Sent, Failure> {
        let (case, message) = (dispatch.case_id, message(delivery, dispatch.case_id));
        let digest = sha256(&[delivery.id.as_bytes()]);
        let topic = BASE64_URL_SAFE_NO_PAD.encode(digest.0.get(..24).unwrap_or_default());
        let (has_it, links): (Vec<&Link>, Vec<&Link>) =
            subscriptions(delivery, case).partition(|link| told(link).contains(&delivery.id));
        let (now, mut sent) = (self.clock.now(), Sent { taken: !has_it.is_empty(), wait: None });
        let outcomes = join_all(links.iter().map(|link| self.push(link, &message, &topic))).await;
        let mut learnt = vec![];
        for (link, outcome) in links.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Taken => {
                    sent.taken = true;
                    learnt.push((link, Learnt::Told));
                }
                Outcome::Gone => learnt.push((link, Learnt::Ended(now))),
                Outcome::Wait(pause) => sent.wait = Some(sent.wait.flatten().max(pause)),
                Outcome::Refused => {}
            }
        }
        keep(learnt, delivery, host).await?;
        Ok(sent)
    }

    fn receipt(&self, dispatch: Id, step: DispatchStatus, delivery: &Delivery) -> Receipt {
        let step = DispatchStep { kind: step, at: self.clock.now() };
        let change = Change::DispatchStep(step, None);
        Receipt {
            reference: Some(delivery.id.to_string()),
            commands: vec![Command { kind: RecordKind::Dispatch, id: dispatch, expected: None, change }],
            ..Receipt::default()
        }
    }
}

/// How far a notice came.
struct Sent {
    /// A browser has it.
    taken: bool,
    /// Some could not be reached, and the longest pause that was asked for.
    wait: Option<Option<Duration>>,
}

impl Sent {
    /// After which pause it is tried again; `None`: no more.
    fn again(&self, dispatch: &Dispatch, now: Timestamp) -> Option<Option<Duration>> {
        let pause = self.wait?;
        let left = dispatch.meta.created_at.max(dispatch.not_before.unwrap_or_default());
        let is_late = now.plus(pause.unwrap_or_default()).micros() >= left.micros() + TRIED;
        (!self.taken || !is_late).then_some(pause)
    }
}

/// What is learnt of a subscription.
enum Learnt {
    /// Its browser has the notice.
    Told,
    Ended(Timestamp),
}

/// The notices that a browser has.
fn told(link: &Link) -> Vec<Id> {
    let told = link.state["told"].as_array().map(Vec::as_slice).unwrap_or_default();
    told.iter().filter_map(|id| id.as_str()?.parse().ok()).collect()
}

/// Keeps what was learnt of subscriptions that are still what was looked at: a browser may have renewed its keys meanwhile. It is added to what
/// the link says now: another notice of the case may have been told meanwhile.
async fn keep(learnt: Vec<(&Link, Learnt)>, delivery: &Delivery, host: &dyn Host) -> Result<(), Failure> {
    let Some(case) = learnt.first().map(|(link, _)| link.record) else { return Ok(()) };
    let keys =
        |link: &Link| (link.reference.clone(), link.state["p256dh"].clone(), link.state["auth"].clone());
    let known = host.links(case).await?;
    for (then, learnt) in learnt {
        let is_it = |link: &&Link| link.part == then.part && keys(link) == keys(then);
        let Some(now) = known.iter().find(is_it) else { continue };
        let state = match learnt {
            Learnt::Told => {
                let mut told = told(now);
                told.push(delivery.id);
                told.drain(..told.len().saturating_sub(TOLD));
                let mut state = now.state.clone();
                state["told"] = json!(told);
                state
            }
            Learnt::Ended(at) => json!({ "ended": at }),
        };
        host.link(Link { state, ..now.clone() }).await?;
    }
    Ok(())
}

/// Scheme, host and port of an endpoint: the audience of the proof (RFC 8292, section 2).
fn origin(endpoint: &str) -> Option<String> {
    let (scheme, rest) = endpoint.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty())?;
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    let default = if scheme == "https" { ":443" } else { ":80" };
    Some(format!("{scheme}://{}", host.strip_suffix(default).unwrap_or(&host)))
}

/// The dispatch, if it is to be pushed.
fn dispatch_of(delivery: &Delivery) -> Option<&Dispatch> {
    match &delivery.about.as_deref()?.record {
        Record::Dispatch(dispatch) if dispatch.way.as_deref() == Some(WAY) => Some(dispatch),
        _ => None,
    }
}

/// Subscriptions of a case that have not ended.
fn subscriptions(delivery: &Delivery, case: Id) -> impl Iterator<Item = &Link> {
    let links = delivery.about.as_deref().map(|about| about.links.as_slice()).unwrap_or_default();
    let lives = move |link: &&Link| link.record == case && link.state.get("ended").is_none();
    links.iter().filter(lives).take(MOST)
}

/// What the browser is told: which case, and where it stands.
fn message(delivery: &Delivery, case: Id) -> Vec<u8> {
    let above = delivery.about.as_deref().map(|about| about.above.as_slice()).unwrap_or_default();
    let status = above.iter().find(|record| record.meta().id == case).map(Record::status);
    json!({ "case": case, "status": status }).to_string().into_bytes()
}

#[async_trait]
impl Adapter for WebPush {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver_noting(
        &self,
        delivery: &Delivery,
        _: Sources<'_>,
        host: Arc<dyn Host>,
    ) -> Result<Receipt, Failure> {
        let open = |dispatch: &&Dispatch| dispatch.status == DispatchStatus::Open;
        let Some(dispatch) = dispatch_of(delivery).filter(open) else { return Ok(Receipt::nothing()) };
        if !dispatch.documents.is_empty() {
            let detail = "a notice to a browser carries no documents";
            return Err(Failure::permanent("web-push.documents", detail).alone());
        }
        let sent = self.push_all((delivery, dispatch), &*host).await?;
        if let Some(pause) = sent.again(dispatch, self.clock.now()) {
            let waits = Failure::transient("web-push.waits", "a push service does not take the notice now");
            return Err(waits.after(pause).alone());
        }
        let step = if sent.taken { DispatchStatus::Posted } else { DispatchStatus::Failed };
        Ok(self.receipt(dispatch.meta.id, step, delivery))
    }

    /// Sending a notice again does no harm, so nobody has to be asked.
    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        match dispatch_of(delivery) {
            Some(dispatch) if dispatch.status == DispatchStatus::Open => Ok(None),
            _ => Ok(Some(Receipt::nothing())),
        }
    }

    async fn callback(&self, request: CallbackRequest, _: Arc<dyn Host>) -> Result<Reply, Failure> {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "key") => Ok(Reply::text(200, self.sender.public_key())),
            _ => Ok(Reply::text(404, "")),
        }
    }

    async fn check(&self) -> Health {
        Health { ok: true, detail: "push services are those of the browsers".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audience_is_the_origin_of_the_endpoint() {
        for (endpoint, wanted) in [
            ("https://Push.example/a/b?c", "https://push.example"),
            ("https://push.example:443/a", "https://push.example"),
            ("https://push.example:8443", "https://push.example:8443"),
        ] {
            assert_eq!(origin(endpoint).as_deref(), Some(wanted));
        }
        assert_eq!(origin("push"), None);
    }
}
