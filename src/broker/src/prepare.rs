//! Building an outgoing message: written by its standard into the payload store, then checked like
//! anyone's before it may leave.

use std::collections::BTreeSet;
use std::io::Read;

use model::case::Disposition;
use model::exchange::{Appraisal, AppraisedObject, Exchange, ExchangeKind, ImportResult, ImportResults};
use model::message::Door;
use model::process::{self, Part};
use model::standard::{Outgoing, OutgoingContent, Records, Written};
use model::{
    Actor, EventKind, Failure, Finding, Id, Message, MessageState, PayloadRef, Record, RecordKind, Scope,
    Timestamp,
};
use serde_json::json;
use store::{Job, NewJob, Store, StoredPayload, Work};
use tokio::runtime::Handle;

use crate::exchange::exchange;
use crate::{Broker, Error, blocking, intake, notes, reach};

impl Broker {
    /// Builds a message. Doing it again after an interruption builds it anew; the row changes once.
    pub(crate) async fn prepare(&self, job: &Job) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let message = self.store().message(&scope, job.subject).await?;
        let Some(mut message) = message.filter(|message| message.state == MessageState::Preparing) else {
            return self.finish(job, Work::new()).await;
        };
        if message.exchange.is_none() && message.payload.is_some() {
            return self.prepare_handed_in(job, message).await;
        }
        let exchange_id = message.exchange.ok_or(Error::Internal)?;
        let exchange = exchange(self.owned(&scope, RecordKind::Exchange, exchange_id).await?)?;
        let (stored, written) = self.write(&message, &exchange).await?;
        let content = self.store().open_stored(&job.tenant, &stored)?;
        let mut report = self.check_content(content, Some(written.file_name.clone())).await?.report;
        // What the version has no place for is told beside what the check found.
        written.report.findings.into_iter().for_each(|finding| report.add(finding));
        report.more += written.report.more;
        let now = self.now();
        message.updated_at = now;
        message.payload = Some(stored.reference().clone());
        message.file_name = Some(written.file_name);
        message.identity = Some(written.identity);
        let way = reach::best(self.ways_of(&message, &exchange.partner).await?);
        // Built all the same: a clerk can fetch it and see it on its way by hand.
        match &way {
            None => report.add(Finding::error("broker.unknown-authority")),
            Some(way) => {
                message.door = way.reach.transport.door();
                way.obstacle.into_iter().for_each(|rule| report.add(Finding::error(rule)));
            }
        }
        let is_ready = report.is_acceptable();
        message.report = (!report.findings.is_empty()).then_some(report);

        let mut work = Work::new();
        work.insert_payload(&job.tenant, &stored);
        self.prepared(job, work, message, is_ready).await
    }

    /// Ends the preparation of a message: it is to be delivered, or waits for a human.
    pub(crate) async fn prepared(
        &self,
        job: &Job,
        mut work: Work,
        mut message: Message,
        is_ready: bool,
    ) -> Result<(), Error> {
        if !is_ready {
            self.parked(&mut work, message, &Actor::gateway(), None)?;
            return self.finish(job, work).await;
        }
        message.state = MessageState::Ready;
        work.update_message(&message, MessageState::Preparing);
        let now = message.updated_at;
        work.insert_event(&notes::of_message(EventKind::MessagePrepared, &message, &Actor::gateway(), now));
        self.enqueue_delivery(&mut work, &message);
        if job.calling && goes_outside(&message) {
            // It may have gone before the store was restored.
            work.doubt_calls(&message.tenant, message.id);
        }
        self.finish(job, work).await
    }

    /// The job that delivers a message which is ready. What goes outside must be there within the time that its service
    /// allows.
    pub(crate) fn enqueue_delivery(&self, work: &mut Work, message: &Message) {
        self.enqueue_delivery_between(work, message, self.now(), None);
    }

    /// The same for one that is not to leave before `starts`, and is of no use after `ends`.
    pub(crate) fn enqueue_delivery_between(
        &self,
        work: &mut Work,
        message: &Message,
        starts: Timestamp,
        ends: Option<Timestamp>,
    ) {
        let goes_outside = goes_outside(message);
        let lane = if goes_outside { "to" } else { "local" };
        let job = NewJob {
            id: model::ids::new_id(),
            tenant: message.tenant.clone(),
            lane: format!("{lane}:{}", message.partner),
            kind: "deliver".to_owned(),
            subject: message.id,
            detail: json!(null),
            next_at: starts,
            // The receipt must not overtake the import result, nor anything its own process.
            fifo_key: message.exchange.map(|exchange| format!("exchange:{exchange}")),
        };
        if goes_outside {
            let in_time = starts.plus(self.ttl(message));
            work.enqueue_call(&job, Some(ends.map_or(in_time, |end| end.min(in_time))));
        } else if ends.is_some() {
            work.enqueue_call(&job, ends);
        } else {
            work.enqueue(&job);
        }
    }

    async fn write(&self, message: &Message, exchange: &Exchange) -> Result<(StoredPayload, Written), Error> {
        let identity = message.identity.clone().ok_or(Error::Internal)?;
        let part = process::meaning_of(&identity.message_type).map(|(_, part, _)| part);
        let content = content_of(exchange, part)?;
        let answered = part.and_then(|part| process::answered(exchange.kind, part));
        let answers = answered.map(|answered| {
            let usual = process::message_type(exchange.kind, answered).unwrap_or_default();
            let first = exchange.messages.first().filter(|_| answered == Part::Opening);
            first.map_or_else(|| usual.to_owned(), |first| first.message_type.clone())
        });
        let before = match message.related.filter(|_| answered.is_some()) {
            Some(id) => self.store().message(&Scope::tenant(&message.tenant), id).await?,
            None => None,
        };
        let before = before.and_then(|before| before.identity);
        let mut recipient = identity.recipient.unwrap_or_default();
        if let Some(way) = reach::best(self.ways_of(message, &exchange.partner).await?) {
            recipient.name = Some(way.reach.name);
        }
        let outgoing = Outgoing {
            content,
            version: exchange.standard_version.clone(),
            process_id: exchange.process_id,
            sender: identity.sender.unwrap_or_default(),
            recipient,
            created_at: message.received_at,
            message_id: message.id,
            // A reply has the number of what it answers.
            sequence: before.as_ref().and_then(|before| before.sequence).unwrap_or_default(),
            wants_receipt: identity.wants_receipt,
            wants_archive_references: identity.wants_archive_references,
            answers,
            answers_id: before.and_then(|before| before.message_id),
        };
        let standard =
            intake::standard(&self.parts.standards, &exchange.standard).ok_or(Error::NoCommonStandard)?;
        let standard = standard.clone();
        let mut records = Tree {
            store: self.store().clone(),
            runtime: Handle::current(),
            scope: Scope::tenant(&message.tenant),
            roots: roots(exchange, part),
            withheld: withheld(exchange, part),
        };
        blocking(move || {
            let mut writer = records.store.payload_writer_blocking(&records.scope.tenant);
            let written = standard.write(&outgoing, &mut records, &mut writer)?;
            Ok((writer.finish()?, written))
        })
        .await
    }
}

/// The records of an exchange, fetched from the store one at a time.
struct Tree {
    store: Store,
    runtime: Handle,
    scope: Scope,
    roots: Vec<Id>,
    /// What lies below, and was not appraised for the archive.
    withheld: BTreeSet<Id>,
}

/// What the message of a part says.
fn content_of(exchange: &Exchange, part: Option<Part>) -> Result<OutgoingContent, Error> {
    let plan = || exchange.file_plan.clone().ok_or(Error::Internal);
    Ok(match (part, exchange.kind) {
        (Some(Part::Outcome), _) => OutgoingContent::ImportResults(ImportResults {
            whole: exchange
                .objects
                .is_empty()
                .then(|| ImportResult { successful: true, ..ImportResult::default() }),
            objects: outcomes(exchange),
        }),
        (Some(Part::OpeningReceipt | Part::AppraisalReceipt | Part::TransferReceipt), _) => {
            OutgoingContent::Receipt
        }
        (Some(Part::Appraisal), _) => OutgoingContent::Appraisals(appraisals(exchange)),
        (Some(Part::Opening), ExchangeKind::Disposition) => OutgoingContent::Offer,
        (Some(Part::Opening), ExchangeKind::Circulation) => {
            OutgoingContent::Circulation(exchange.route.clone().ok_or(Error::Internal)?)
        }
        (Some(Part::Opening), ExchangeKind::FilePlan) => OutgoingContent::FilePlan(plan()?),
        (Some(Part::Opening), ExchangeKind::Catalogue) => OutgoingContent::FilePlanToAppraise(plan()?),
        _ => OutgoingContent::Records(exchange.kind),
    })
}

fn outcomes(exchange: &Exchange) -> Vec<(Id, ImportResult)> {
    if let Some(plan) = &exchange.file_plan {
        let ok = ImportResult { successful: true, ..ImportResult::default() };
        return plan.appraised().into_iter().map(|(id, _)| (id, ok.clone())).collect();
    }
    exchange.objects.iter().filter_map(|o| Some((o.object_id, o.result.clone()?))).collect()
}

fn appraisals(exchange: &Exchange) -> Vec<(Id, Appraisal)> {
    if let Some(plan) = &exchange.file_plan {
        return plan.appraised();
    }
    let roots = exchange.objects.iter().filter_map(|o| Some((o.object_id, o.appraisal.clone()?)));
    roots.chain(exchange.exceptions.iter().map(|o| (o.object_id, o.appraisal.clone()))).collect()
}

fn roots(exchange: &Exchange, part: Option<Part>) -> Vec<Id> {
    match part {
        Some(Part::Transfer) => exchange.sent_objects().map(|object| object.id).collect(),
        _ => exchange.objects.iter().map(|object| object.id).collect(),
    }
}

fn withheld(exchange: &Exchange, part: Option<Part>) -> BTreeSet<Id> {
    if part != Some(Part::Transfer) {
        return BTreeSet::new();
    }
    let stays = |it: &&AppraisedObject| it.appraisal.disposition != Some(Disposition::Archive);
    let below = exchange.exceptions.iter().filter(stays).map(|it| it.id);
    let objects = exchange.objects.iter().filter(|object| !object.is_appraised(Disposition::Archive));
    below.chain(objects.map(|object| object.id)).collect()
}

impl Records for Tree {
    fn roots(&mut self) -> Vec<Id> {
        self.roots.clone()
    }

    fn record(&mut self, id: Id) -> Result<Record, Failure> {
        let found = self.runtime.block_on(self.store.record_any(&self.scope, id)).map_err(failure)?;
        found.ok_or_else(|| Failure::permanent("model.not-found", "a record of the exchange is gone"))
    }

    fn children(&mut self, id: Id) -> Result<Vec<(RecordKind, Id)>, Failure> {
        let mut children = self.runtime.block_on(self.store.children(&self.scope, id)).map_err(failure)?;
        children.retain(|(_, id)| !self.withheld.contains(id));
        Ok(children)
    }

    fn open(&mut self, payload: &PayloadRef) -> Result<Box<dyn Read + '_>, Failure> {
        let opened = self.store.open_payload(&self.scope.tenant, payload.id);
        Ok(Box::new(self.runtime.block_on(opened).map_err(failure)?.blocking()))
    }
}

fn failure(error: store::Error) -> Failure {
    Error::from(error).into_failure()
}

/// Whether the message leaves this gateway.
fn goes_outside(message: &Message) -> bool {
    matches!(message.door, Door::Adapter | Door::Osci | Door::Xta)
}
