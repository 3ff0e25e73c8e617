//! The sender: dispatches of the way `fit-connect` become submissions. To a citizen's mailbox by the bridge, else to the destination
//! that is configured or that the routing service names.
//!
//! The id of a submission is given out by the delivery service, so it is remembered with the dispatch as soon as it is announced, and
//! with it the digest of all authentication tags before the last word is said. Whoever tries again asks the event log of that
//! submission first, and goes on with it: a dispatch is submitted once, however often something breaks off.
//!
//! | the event log says | step |
//! |---|---|
//! | `submit-submission` with our tags, to a destination | `provided`: it waits there for its recipient |
//! | `accept-submission` with our tags, by that destination | `retrieved` |
//! | `submit-submission` with our tags, to the bridge | `accepted`: the delivery service has it |
//! | `accept-submission` with our tags, by the bridge | `provided`: it is in the mailbox; who has read it is not told |
//! | `reject-submission` | `returned`; the types of problems stand on the time line |

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::activity::{Dispatch, DispatchStatus, DispatchStep};
use model::adapter::{
    About, Adapter, CallbackRequest, Capability, Delivery, Descriptor, Health, Host, Interest, Receipt,
    Reply, Sources, Wanted,
};
use model::command::{Change, Command};
use model::{EventKind, Failure, FailureKind, Id, Record, RecordKind, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::callback;
use super::client::Access;
use super::keys::Keys;
use super::order::{
    Order, WAY, announced, application_of, link, mailbox, order, own_data, pieces, reference, rejected,
    service_name, take_data,
};
use super::outgoing::{self, Announced, Calls, Data, Piece, Service};
use super::routing::{self, Route};
use super::set::{Author, Set};
use super::zbp::{Attached, Bridge, Message, cut};

/// Dispatches that are followed at once, and how many pages of them.
const PAGE: u32 = 200;
const PAGES: usize = 25;

/// Where dispatches go that are for no mailbox.
pub struct Target {
    /// The destination.
    pub place: Place,
    /// The service that they are submitted as.
    pub service: Service,
    /// Schema of the data that the gateway writes.
    pub schema: String,
}

/// A destination.
pub enum Place {
    /// This one.
    Destination(Uuid),
    /// The one that is responsible.
    Routed(Route),
}

/// How it is set up.
pub struct Sending {
    /// Id of the adapter.
    pub id: String,
    /// Where dispatches go that are for no mailbox; absent: they are refused.
    pub target: Option<Target>,
    /// The way to the federal mailboxes; absent: dispatches for them are refused.
    pub bridge: Option<Bridge>,
    /// What the delivery service calls itself in its events; absent: anything at its own host.
    pub issuer: Option<String>,
    /// Whether the status monitor is told where cases stand.
    pub tells_state: bool,
    /// Subject and text of what has none of its own.
    pub subject: String,
    /// Text of what has none of its own.
    pub text: String,
    /// Most bytes of all documents of a dispatch.
    pub most_bytes: u64,
    /// How the delivery service calls us; absent: it does not.
    pub calls: Option<Calls>,
    /// Pause between two looks at event logs.
    pub pause: Duration,
    /// How long a submission is followed.
    pub followed: Duration,
}

pub(super) struct Sender {
    descriptor: Descriptor,
    pub(super) settings: Sending,
    pub(super) access: Arc<Access>,
    pub(super) keys: Keys,
}

/// The sender as an adapter.
pub fn sender(settings: Sending, access: Access) -> Arc<dyn Adapter> {
    let mut capabilities = vec![Capability::Deliver, Capability::Reconcile, Capability::Run];
    if settings.calls.is_some() {
        capabilities.push(Capability::Callback);
    }
    let mut descriptor = Descriptor::new(settings.id.clone(), "online", capabilities);
    let interest = |event, record| Interest { event, record };
    descriptor.follows = vec![interest(EventKind::RecordCreated, RecordKind::Dispatch)];
    if settings.tells_state {
        for record in [RecordKind::Case, RecordKind::Task, RecordKind::Claim] {
            for event in [EventKind::RecordCreated, EventKind::RecordChanged] {
                descriptor.follows.push(interest(event, record));
            }
        }
        for event in [EventKind::ReferenceAssigned, EventKind::RecordLocked, EventKind::RecordReleased] {
            descriptor.follows.push(interest(event, RecordKind::Case));
        }
    }
    descriptor.way = Some(WAY.to_owned());
    descriptor.in_order = false;
    let access = Arc::new(access);
    let keys = Keys::new(Arc::clone(&access), settings.issuer.clone(), vec![]);
    Arc::new(Sender { descriptor, settings, access, keys })
}

#[async_trait]
impl Adapter for Sender {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver_noting(
        &self,
        delivery: &Delivery,
        sources: Sources<'_>,
        host: Arc<dyn Host>,
    ) -> Result<Receipt, Failure> {
        let Some(about) = delivery.about.as_deref() else { return Ok(Receipt::nothing()) };
        if about.record.kind() != RecordKind::Dispatch {
            return self.tell_state(about, &*host).await;
        }
        match order(delivery)? {
            Some(order) => self.send(&order, sources, &*host).await,
            None => Ok(Receipt::nothing()),
        }
    }

    /// The event log of the submission that was announced, if any was.
    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        let is_dispatch = |about: &About| about.record.kind() == RecordKind::Dispatch;
        if !delivery.about.as_deref().is_some_and(is_dispatch) {
            // The status monitor is told anew: the same state twice is one.
            return Ok(None);
        }
        let Some(order) = order(delivery)? else { return Ok(Some(Receipt::nothing())) };
        let Some(known) = &order.known else { return Ok(None) };
        match self.submitted(known).await? {
            Stand::Submitted(at) => Ok(Some(self.receipt(&order, known, at))),
            Stand::Unknown if !known.tags.is_empty() => {
                Err(unclear("the delivery service does not know the submission any more"))
            }
            Stand::Announced | Stand::Unknown => Ok(None),
        }
    }

    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        let since = Timestamp::from_micros(
            host.now()
                .micros()
                .saturating_sub(i64::try_from(self.settings.followed.as_micros()).unwrap_or(i64::MAX)),
        );
        let mut first_failure = None;
        for status in [DispatchStatus::Accepted, DispatchStatus::Provided] {
            if let Err(failure) = self.follow_all(&*host, status, since).await {
                first_failure.get_or_insert(failure);
            }
        }
        first_failure.map_or(Ok(self.settings.pause), Err)
    }

    async fn callback(&self, request: CallbackRequest, host: Arc<dyn Host>) -> Result<Reply, Failure> {
        match &self.settings.calls {
            Some(calls) => Ok(callback::answer(request, &calls.secret, host.now()).await),
            None => Ok(Reply::text(404, "not found")),
        }
    }

    async fn check(&self) -> Health {
        match self.looked_at().await {
            Ok(()) => Health { ok: true, detail: "the destinations are active and have keys".into() },
            Err(failure) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
        }
    }
}

/// Tries of one submission whose tags are remembered.
const TRIES: usize = 50;

/// What became of a submission that was announced.
enum Stand {
    /// It was submitted then, with our tags.
    Submitted(Timestamp),
    /// It was not submitted.
    Announced,
    /// The delivery service does not know it (any more).
    Unknown,
}

impl Sender {
    /// Whether the destinations can be sent to.
    async fn looked_at(&self) -> Result<(), Failure> {
        if let Some(target) = &self.settings.target {
            let id = self.place(&target.place).await?;
            outgoing::open(&self.access, id).await?;
        }
        if let Some(bridge) = &self.settings.bridge {
            outgoing::open(&self.access, bridge.destination).await?;
        }
        Ok(())
    }

    async fn send(
        &self,
        order: &Order<'_>,
        sources: Sources<'_>,
        host: &dyn Host,
    ) -> Result<Receipt, Failure> {
        let mut known = order.known.clone();
        if let Some(at) = &known {
            match self.submitted(at).await? {
                Stand::Submitted(when) => return Ok(self.receipt(order, at, when)),
                Stand::Announced => {}
                // It may have been submitted, read and removed since: once more would be twice.
                Stand::Unknown if !at.tags.is_empty() => {
                    return Err(unclear("the delivery service does not know the submission any more"));
                }
                Stand::Unknown => known = None,
            }
        }
        let mailbox = mailbox(order)?;
        let bridge = match mailbox {
            Some(_) => Some(self.settings.bridge.as_ref().ok_or_else(no_bridge)?),
            None => None,
        };
        let (destination, service) = match bridge {
            Some(bridge) => (bridge.destination, &bridge.message),
            None => {
                let target = self.settings.target.as_ref().ok_or_else(no_target)?;
                (self.place(&target.place).await?, &target.service)
            }
        };
        let mut pieces = pieces(order, sources, self.settings.most_bytes)?;
        let data_piece = if bridge.is_none() { take_data(&mut pieces) } else { None };
        let open = outgoing::open(&self.access, destination).await?;
        let mut at = match known.filter(|at| at.destination == destination) {
            Some(at) => at,
            None => {
                let calls = self.settings.calls.as_ref();
                let at = outgoing::announce(&self.access, open.id, service, &pieces, calls).await?;
                host.link(link(order.dispatch.meta.id, &at)).await?;
                at
            }
        };
        let mut attachments = vec![];
        for piece in pieces {
            let sealed = outgoing::upload(&self.access, &at, &open.key, &piece).await?;
            attachments.push((piece, sealed));
        }
        let data = match (mailbox, bridge) {
            (Some(mailbox), Some(bridge)) => {
                let attached = attachments.iter().map(|(piece, sealed)| Attached {
                    filename: piece.name.clone(),
                    sha512sum: sealed.sha512.clone(),
                    content_length: sealed.plain_bytes,
                });
                self.message(order, bridge, mailbox, attached.collect())?
            }
            _ => self.data(order, data_piece).await?,
        };
        let sealing = outgoing::seal_parts(&open.key, &data, &attachments, self.references(order))?;
        if at.tags.len() == TRIES {
            return Err(unclear("it was tried too often, and nobody knows which try counts"));
        }
        at.tags.push(outgoing::digest(&sealing.tags));
        host.link(link(order.dispatch.meta.id, &at)).await?;
        outgoing::submit(&self.access, &at, sealing).await?;
        Ok(self.receipt(order, &at, self.access.now()))
    }

    pub(super) async fn place(&self, place: &Place) -> Result<Uuid, Failure> {
        match place {
            Place::Destination(id) => Ok(*id),
            Place::Routed(route) => routing::destination(&self.access, route).await,
        }
    }

    /// Whether it was submitted. Another event of submission than ours cannot be believed: a human is asked.
    async fn submitted(&self, at: &Announced) -> Result<Stand, Failure> {
        let Some(events) = outgoing::events(&self.access, &self.keys, at).await? else {
            return Ok(Stand::Unknown);
        };
        let Some(set) = events.iter().find(|set| set.event == super::fetch::SUBMITTED) else {
            return Ok(Stand::Announced);
        };
        match outgoing::is_of_ours(set, at)? {
            true => Ok(Stand::Submitted(set.at)),
            false => Err(wrong_tags()),
        }
    }

    /// Follows the dispatches of our way that stand there.
    async fn follow_all(
        &self,
        host: &dyn Host,
        status: DispatchStatus,
        since: Timestamp,
    ) -> Result<(), Failure> {
        let mut wanted = Wanted {
            status: Some(status.name().to_owned()),
            since: Some(since),
            limit: PAGE,
            ..Wanted::of(RecordKind::Dispatch)
        };
        let mut first_failure = None;
        for _ in 0..PAGES {
            let page = host.records(&wanted).await?;
            let is_last = page.len() < PAGE as usize;
            wanted.after = page.last().map(|record| record.meta().id);
            for record in page {
                if let Record::Dispatch(dispatch) = record
                    && dispatch.way.as_deref() == Some(WAY)
                    && let Err(failure) = self.follow_up(host, &dispatch).await
                {
                    if failure.kind == FailureKind::Unauthorised {
                        return Err(failure);
                    }
                    // What cannot be read of one keeps no other from being followed.
                    first_failure.get_or_insert(failure);
                }
            }
            if is_last {
                break;
            }
        }
        first_failure.map_or(Ok(()), Err)
    }

    /// Looks into the event log of a dispatch that is on its way.
    async fn follow_up(&self, host: &dyn Host, dispatch: &Dispatch) -> Result<(), Failure> {
        let id = dispatch.meta.id;
        let Some(at) = announced(&host.links(id).await?, id) else { return Ok(()) };
        if dispatch.status == DispatchStatus::Provided && self.is_bridge(&at) {
            return Ok(());
        }
        let Some(events) = outgoing::events(&self.access, &self.keys, &at).await? else { return Ok(()) };
        let mut latest = dispatch.steps.iter().map(|step| step.at).max();
        for set in &events {
            let kind = match set.event.as_str() {
                "accept-submission" if !outgoing::is_of_ours(set, &at)? => {
                    note(host, id, set, json!("wrong-tags")).await?;
                    continue;
                }
                "accept-submission" if self.is_bridge(&at) => DispatchStatus::Provided,
                "accept-submission" => DispatchStatus::Retrieved,
                "reject-submission" => DispatchStatus::Returned,
                _ => continue,
            };
            note(host, id, set, problems(&set.payload)).await?;
            // What the other side says of a submission came after whatever we noted of it, however its clock goes: the last step says where
            // a dispatch stands.
            let at_least = latest.unwrap_or(set.at);
            let step = DispatchStep { kind, at: set.at.min(host.now()).max(at_least) };
            latest = Some(step.at);
            let change = Change::DispatchStep(step, Some(at.submission.to_string()));
            let command = Command { kind: RecordKind::Dispatch, id, expected: None, change };
            host.submit(&format!("fit:{}:{}", at.submission, kind.name()), command).await?;
        }
        Ok(())
    }

    fn is_bridge(&self, at: &Announced) -> bool {
        self.settings.bridge.as_ref().is_some_and(|bridge| bridge.destination == at.destination)
    }

    fn receipt(&self, order: &Order<'_>, at: &Announced, when: Timestamp) -> Receipt {
        let reference = at.submission.to_string();
        let kind = if self.is_bridge(at) { DispatchStatus::Accepted } else { DispatchStatus::Provided };
        let change = Change::DispatchStep(DispatchStep { kind, at: when }, Some(reference.clone()));
        let id = order.dispatch.meta.id;
        let command = Command { kind: RecordKind::Dispatch, id, expected: None, change };
        let data = json!({ "destination": at.destination, "case": at.case });
        Receipt { reference: Some(reference), data, commands: vec![command], ..Receipt::default() }
    }

    fn message(
        &self,
        order: &Order<'_>,
        bridge: &Bridge,
        mailbox: Uuid,
        attachments: Vec<Attached>,
    ) -> Result<Data, Failure> {
        let (title, content) = self.words(order);
        let message = Message {
            stork_qaa_level: bridge.level,
            mailbox,
            sender: cut(&bridge.sender, 255),
            title: cut(&title, 1_024),
            content: &content,
            service: cut(service_name(order.about).unwrap_or(&bridge.sender), 255),
            application: application_of(order.about),
            reference: reference(order.about).map(|it| cut(it, 255)),
            attachments,
        };
        let bytes = bridge.envelope(&message, self.access.now())?;
        Ok(Data { bytes, media_type: "application/json", schema: bridge.schema.clone() })
    }

    /// The dispatch's own data, or what the gateway says itself.
    async fn data(&self, order: &Order<'_>, piece: Option<Piece<'_>>) -> Result<Data, Failure> {
        let schema = self.settings.target.as_ref().map(|it| it.schema.clone()).unwrap_or_default();
        if let Some(piece) = piece {
            return own_data(&piece, schema).await;
        }
        let (subject, text) = self.words(order);
        let mut told = json!({ "betreff": subject, "text": text });
        if let Some(reference) = reference(order.about) {
            told["aktenzeichen"] = Value::from(reference);
        }
        Ok(Data { bytes: told.to_string().into_bytes(), media_type: "application/json", schema })
    }

    /// Subject and text.
    fn words(&self, order: &Order<'_>) -> (String, String) {
        match &order.dispatch.notice {
            Some(notice) => {
                let link = notice.link.as_deref().map(|link| format!("\n\n{link}")).unwrap_or_default();
                (notice.subject.clone(), format!("{}{link}", notice.text))
            }
            None => (self.settings.subject.clone(), self.settings.text.clone()),
        }
    }

    fn references(&self, order: &Order<'_>) -> Map<String, Value> {
        let mut told = Map::new();
        // The same whenever it is sent again, and nothing of the case.
        told.insert("senderReference".to_owned(), Value::from(order.delivery.to_string()));
        if let Some(application) = application_of(order.about) {
            told.insert("idBundDeApplicationId".to_owned(), Value::from(application.to_string()));
        }
        Map::from_iter([("additionalReferenceInfo".to_owned(), Value::Object(told))])
    }
}

/// Which problems an event tells of: the last part of each type, and where; no text of the other side.
fn problems(payload: &Value) -> Value {
    let is_name = |text: &str| {
        text.len() <= 80 && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-:".contains(&it))
    };
    let told = payload["problems"].as_array().into_iter().flatten().take(20).map(|problem| {
        let word =
            |name: &str| problem[name].as_str().and_then(|it| it.rsplit('/').next()).filter(|it| is_name(it));
        json!({ "type": word("type"), "instance": word("instance") })
    });
    Value::from(told.collect::<Vec<_>>())
}

async fn note(host: &dyn Host, dispatch: Id, set: &Set, problems: Value) -> Result<(), Failure> {
    let by_service = matches!(set.author, Author::Service(_));
    let detail = json!({ "event": set.event, "set": set.id, "byService": by_service, "problems": problems });
    host.note(&format!("fit:{}", set.id), RecordKind::Dispatch, dispatch, detail).await
}

fn unclear(detail: &str) -> Failure {
    Failure::permanent("fit.unclear", detail)
}

fn no_bridge() -> Failure {
    rejected("fit.no-mailbox", "no way to the federal mailboxes is configured")
}

fn no_target() -> Failure {
    rejected("fit.no-destination", "no destination is configured for dispatches without a mailbox")
}

fn wrong_tags() -> Failure {
    Failure::permanent(
        "fit.wrong-tags",
        "the delivery service says that something else was submitted than was sent",
    )
}
