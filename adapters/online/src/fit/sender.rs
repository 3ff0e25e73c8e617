//! The sender: dispatches of the way `fit-connect` become submissions. To a citizen's mailbox by the bridge, else to the destination
//! that is configured or that the routing service names.
//!
//! The id of a submission is given out by the delivery service, so it is remembered with the dispatch as soon as it is announced, and
//! with it the digest of all authentication tags before the last word is said. Whoever tries again asks the event log of that
//! submission first, and goes on with it: a dispatch is submitted once, however often something breaks off.
//!
//! What the delivery service answers is no step: steps follow from signed events alone. Once the last word was said, nothing that fails
//! says that it did not arrive: every failure is an uncertain one until the event log answers, or a human decides.
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
use model::adapter::{
    About, Adapter, CallbackRequest, Capability, Delivery, Descriptor, Health, Host, Interest, Receipt,
    Reply, Sources,
};
use model::command::{Change, Command};
use model::{EventKind, Failure, FailureKind, RecordKind, Timestamp};
use seal::x509::Trust;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::callback;
use super::client::Access;
use super::fetch::SUBMITTED;
use super::follow::{Line, steps};
use super::keys::Keys;
use super::order::{
    Order, WAY, announced, application_of, link, mailbox, order, own_data, pieces, reference, rejected,
    service_name, take_data, unclear,
};
use super::outgoing::{self, Announced, Calls, Data, Events, Piece, Service};
use super::routing::{self, Route};
use super::set::Set;
use super::zbp::{Attached, Bridge, Message, cut};

/// After what time an event log is looked into again that does not have the event of a submission yet.
const UNCONFIRMED: Duration = Duration::from_secs(10);

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
    /// Whom keys of destinations must go back to; absent: nobody is asked who issued them.
    pub trust: Option<Trust>,
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
pub fn sender(mut settings: Sending, access: Access) -> Arc<dyn Adapter> {
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
    // A submission is known by the id that the delivery service gave it.
    descriptor.asks_by_notes = true;
    let access = Arc::new(access);
    let keys = Keys::new(Arc::clone(&access), settings.issuer.clone(), vec![]);
    let keys = keys.with_trust(settings.trust.take().map(Arc::new));
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
        let sent = match order(delivery) {
            Ok(Some(order)) => self.send(&order, sources, &*host).await,
            Ok(None) => Ok(Receipt::nothing()),
            Err(failure) => Err(failure),
        };
        match sent {
            Err(failure) if may_be_there(about, &*host).await => Err(in_doubt(failure)),
            sent => sent,
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
        match self.stand(known).await? {
            Stand::Submitted(events) => Ok(Some(self.receipt(&order, known, &events))),
            Stand::Announced if known.is_done() => Err(unconfirmed()),
            Stand::Announced | Stand::Unknown => Ok(None),
        }
    }

    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        let followed = i64::try_from(self.settings.followed.as_micros()).unwrap_or(i64::MAX);
        let since = Timestamp::from_micros(host.now().micros().saturating_sub(followed));
        let mut line = Line::default();
        self.follow(&*host, since, &mut line).await?;
        self.follow_states(&*host, since, &mut line).await?;
        line.outcome().map(|()| self.settings.pause)
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
    /// It was submitted then, with our tags: the events of its log.
    Submitted(Vec<Set>),
    /// It was not submitted, or the event of that is not in the log yet.
    Announced,
    /// The delivery service does not know it (any more), and nothing was submitted.
    Unknown,
}

/// Where a dispatch goes.
struct Way<'a> {
    destination: Uuid,
    service: &'a Service,
    mailbox: Option<(Uuid, &'a Bridge)>,
}

impl Sender {
    /// Whether the destinations can be sent to.
    async fn looked_at(&self) -> Result<(), Failure> {
        if let Some(target) = &self.settings.target {
            let id = self.place(&target.place).await?;
            outgoing::open(&self.access, &self.keys, id).await?;
        }
        if let Some(bridge) = &self.settings.bridge {
            outgoing::open(&self.access, &self.keys, bridge.destination).await?;
        }
        Ok(())
    }

    async fn send(
        &self,
        order: &Order<'_>,
        sources: Sources<'_>,
        host: &dyn Host,
    ) -> Result<Receipt, Failure> {
        let known = match &order.known {
            Some(at) => match self.stand(at).await? {
                Stand::Submitted(events) => return Ok(self.receipt(order, at, &events)),
                Stand::Announced if at.is_done() => return Err(unconfirmed()),
                Stand::Announced => Some(at.clone()),
                Stand::Unknown => None,
            },
            None => None,
        };
        let way = self.way(order).await?;
        let mut pieces = pieces(order, sources, self.settings.most_bytes)?;
        let own = if way.mailbox.is_none() { take_data(&mut pieces) } else { None };
        let open = outgoing::open(&self.access, &self.keys, way.destination).await?;
        let mut at = match known {
            Some(at) if at.destination == way.destination => at,
            Some(at) if !at.tags.is_empty() => {
                return Err(unclear("it may have been submitted to another destination before"));
            }
            _ => {
                let calls = self.settings.calls.as_ref();
                let at = outgoing::announce(&self.access, open.id, way.service, &pieces, calls).await?;
                host.link(link(order.dispatch.meta.id, &at)).await?;
                at
            }
        };
        let tried = at.tags.len();
        if let Err(failure) = self.hand_over(order, (&way, &open), (pieces, own), &mut at, host).await {
            if !["fit.refused", "fit.unauthorised"].contains(&&*failure.code) {
                return Err(failure);
            }
            // This try does not count. One before it may, whose answer was lost: then no other is taken, and none is made.
            at.tags.truncate(tried);
            at.refused = tried > 0 && failure.code == "fit.refused";
            host.link(link(order.dispatch.meta.id, &at)).await?;
            if !at.refused {
                return Err(failure);
            }
        }
        match self.stand(&at).await? {
            Stand::Submitted(events) => Ok(self.receipt(order, &at, &events)),
            Stand::Announced | Stand::Unknown => Err(unconfirmed()),
        }
    }

    async fn way(&self, order: &Order<'_>) -> Result<Way<'_>, Failure> {
        if let Some(mailbox) = mailbox(order)? {
            let bridge = self.settings.bridge.as_ref().ok_or_else(no_bridge)?;
            let (destination, service) = (bridge.destination, &bridge.message);
            return Ok(Way { destination, service, mailbox: Some((mailbox, bridge)) });
        }
        let target = self.settings.target.as_ref().ok_or_else(no_target)?;
        let destination = self.place(&target.place).await?;
        Ok(Way { destination, service: &target.service, mailbox: None })
    }

    /// Uploads, and says the last word; what is remembered of it says so.
    async fn hand_over(
        &self,
        order: &Order<'_>,
        (way, open): (&Way<'_>, &outgoing::Open),
        (pieces, own): (Vec<Piece<'_>>, Option<Piece<'_>>),
        at: &mut Announced,
        host: &dyn Host,
    ) -> Result<(), Failure> {
        let mut attachments = vec![];
        for piece in pieces {
            let sealed = outgoing::upload(&self.access, at, &open.key, &piece).await?;
            attachments.push((piece, sealed));
        }
        let data = match way.mailbox {
            Some((mailbox, bridge)) => {
                let attached = attachments.iter().map(|(piece, sealed)| Attached {
                    filename: piece.name.clone(),
                    sha512sum: sealed.sha512.clone(),
                    content_length: sealed.plain_bytes,
                });
                self.message(order, bridge, mailbox, attached.collect())?
            }
            None => self.data(order, own).await?,
        };
        let sealing = outgoing::seal_parts(&open.key, &data, &attachments, self.references(order))?;
        if at.tags.len() == TRIES {
            return Err(unclear("it was tried too often, and nobody knows which try counts"));
        }
        at.tags.push(outgoing::digest(&sealing.tags));
        host.link(link(order.dispatch.meta.id, at)).await?;
        outgoing::submit(&self.access, at, sealing).await?;
        at.submitted = true;
        host.link(link(order.dispatch.meta.id, at)).await
    }

    pub(super) async fn place(&self, place: &Place) -> Result<Uuid, Failure> {
        match place {
            Place::Destination(id) => Ok(*id),
            Place::Routed(route) => routing::destination(&self.access, route).await,
        }
    }

    /// Whether it was submitted. Another event of submission than ours cannot be believed, and of one that the delivery service does not know
    /// (any more) nobody knows whether it was read before: a human is asked.
    async fn stand(&self, at: &Announced) -> Result<Stand, Failure> {
        let Some(events) = outgoing::events(&self.access, &self.keys, at).await? else {
            return match at.tags.is_empty() {
                true => Ok(Stand::Unknown),
                false => Err(unclear("the delivery service does not know the submission any more")),
            };
        };
        let Events { sets: events, unclear: is_unclear } = events;
        let submitted = || events.iter().filter(|set| set.event == SUBMITTED);
        if submitted().any(|set| outgoing::is_of_ours(set, at)) {
            return Ok(Stand::Submitted(events));
        }
        match submitted().next() {
            Some(_) => Err(wrong_tags()),
            None if is_unclear && !at.tags.is_empty() => Err(unconfirmed()),
            None => Ok(Stand::Announced),
        }
    }

    pub(super) fn is_bridge(&self, at: &Announced) -> bool {
        self.settings.bridge.as_ref().is_some_and(|bridge| bridge.destination == at.destination)
    }

    /// What the events of its log say.
    fn receipt(&self, order: &Order<'_>, at: &Announced, events: &[Set]) -> Receipt {
        let (id, reference) = (order.dispatch.meta.id, at.submission.to_string());
        let told = steps(events, at, self.is_bridge(at), &order.dispatch.steps);
        let command = |step| {
            let change = Change::DispatchStep(step, Some(reference.clone()));
            Command { kind: RecordKind::Dispatch, id, expected: None, change }
        };
        let commands = told.into_iter().map(|(step, _)| command(step)).collect();
        let data = json!({ "destination": at.destination, "case": at.case });
        Receipt { reference: Some(reference), data, commands, ..Receipt::default() }
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

/// Whether the last word of a dispatch was said, by what is remembered for good: whoever cannot read that does not say that it was not.
async fn may_be_there(about: &About, host: &dyn Host) -> bool {
    let id = about.record.meta().id;
    let known = host.links(id).await.and_then(|links| announced(&links, id));
    known.map_or(true, |at| at.is_some_and(|at| !at.tags.is_empty()))
}

/// Whatever is in the way: the other side may have the dispatch, so that it is asked, and nothing goes by another way in the meantime.
fn in_doubt(failure: Failure) -> Failure {
    let says_of_line = matches!(failure.kind, FailureKind::Transient | FailureKind::Unauthorised);
    let alone = failure.alone || !says_of_line;
    Failure { kind: FailureKind::Uncertain, alone, ..failure }
}

/// The delivery service has taken it and has not written the event of that yet: a matter of moments, and of this submission alone.
fn unconfirmed() -> Failure {
    let told = "the event of submission is not in the event log yet";
    Failure::transient("fit.unconfirmed", told).after(Some(UNCONFIRMED)).alone()
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
