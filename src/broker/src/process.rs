//! Steps 2 to 4 for what came in: check, translate, route; and the second transaction, which commits
//! state, events, mailbox and replies together.

use futures::future::BoxFuture;
use model::command::{Change, Command};
use model::exchange::{Exchange, ExchangeStatus, Side, process_name};
use model::message::{Direction, Door};
use model::standard::{Identity, Meaning};
use model::{
    Actor, Authority, Decided, EventKind, Finding, Id, Message, MessageState, Record, RecordKind, Report,
    Scope, decide,
};
use store::{Job, RecordFilter, Work};
use tokio::runtime::Handle;

use crate::exchange::{Came, Said, exchange};
use crate::rejection::is_rejection;
use crate::translate::Translator;
use crate::{Broker, Error, blocking, intake, notes};

/// Exchanges of one process that are looked at.
const MOST_OF_ONE_PROCESS: u32 = 200;

/// What needs much room, on the heap. It is made in here: whoever made it would have room for it in a frame of its own for as long as it
/// runs, and debug builds need one for each.
fn on_heap<'a, F>(make: impl FnOnce() -> F) -> BoxFuture<'a, Result<(), Error>>
where
    F: Future<Output = Result<(), Error>> + Send + 'a,
{
    Box::pin(make())
}

impl Broker {
    /// Processes an accepted message. Doing it again after an interruption changes nothing.
    pub(crate) async fn process(&self, job: &Job) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let Some(mut message) = self.store().message(&scope, job.subject).await? else {
            return self.finish(job, Work::new()).await;
        };
        if message.state != MessageState::Accepted {
            return self.finish(job, Work::new()).await;
        }
        let Some(payload) = message.payload.clone() else { return Err(Error::ContentUnavailable) };
        if self.is_boxed_container(&message).await? {
            return on_heap(|| self.put_into_box(job, message)).await;
        }
        let content = self.store().open_payload(&job.tenant, payload.id).await?;
        let checked = self.check_content(content, message.file_name.clone()).await?;
        message.identity = checked.identity;
        message.report = Some(checked.report);
        self.check_recipient(&mut message).await?;
        if self.goes_into_box(&message).await? {
            return on_heap(|| self.put_into_box(job, message)).await;
        }
        let acceptable = message.report.as_ref().is_some_and(Report::is_acceptable);
        let Some(identity) = message.identity.clone().filter(|_| acceptable) else {
            return on_heap(|| self.refuse_message(job, message)).await;
        };
        // The house may have another route now than when the message came.
        (message.unit, message.public_service) = self.unit_for(&message, &identity)?;
        // Whoever brought it may not know what it says of itself.
        if message.test || identity.test {
            return on_heap(|| self.carry_on(job, message)).await;
        }
        let (meaning, translator) = self.translate(job, &message, &identity).await?;
        let came = match meaning {
            Meaning::Records(kind) => Came::Records(kind),
            Meaning::Offer => Came::Offer,
            Meaning::Circulation(route) => Came::Along(route),
            Meaning::FilePlan(plan) => Came::Plan(plan),
            Meaning::FilePlanToAppraise(plan) => Came::PlanToAppraise(plan),
            Meaning::Facts => return on_heap(|| self.take_facts(job, message, translator)).await,
            other => return on_heap(|| self.hear(job, message, identity, other)).await,
        };
        on_heap(|| self.take(job, message, identity, came, translator)).await
    }

    /// What answers something, or leads to nothing here.
    async fn hear(
        &self,
        job: &Job,
        message: Message,
        identity: Identity,
        meaning: Meaning,
    ) -> Result<(), Error> {
        let said = match meaning {
            Meaning::Receipt => Said::Receipt,
            Meaning::ImportResults(results) => Said::Outcome(results),
            Meaning::Appraisals(all) => Said::Appraisals(all),
            _ => return on_heap(|| self.carry_on(job, message)).await,
        };
        on_heap(|| self.take_reply(job, message, identity, said)).await
    }

    async fn translate(
        &self,
        job: &Job,
        message: &Message,
        identity: &Identity,
    ) -> Result<(Meaning, Translator), Error> {
        let payload = message.payload.clone().ok_or(Error::ContentUnavailable)?;
        let content = self.store().open_payload(&message.tenant, payload.id).await?;
        let (broker, message, name) = (self.clone(), message.clone(), identity.standard.clone());
        let (runtime, job) = (Handle::current(), (job.id, job.epoch));
        blocking(move || {
            let standard = intake::standard(&broker.parts.standards, &name).ok_or(Error::Internal)?;
            let mut translator =
                Translator::begin(broker.store().clone(), runtime, &message, job, broker.now());
            let meaning = standard.read(&mut content.blocking(), &mut translator)?;
            Ok((meaning, translator))
        })
        .await
    }

    /// A message that names another authority which is reached elsewhere is not ours to take; one that
    /// names an unknown authority is taken with a warning, since senders' directories differ.
    async fn check_recipient(&self, message: &mut Message) -> Result<(), Error> {
        let recipient = message.identity.as_ref().and_then(|identity| identity.recipient.as_ref());
        let Some(named) = recipient.and_then(|recipient| recipient.authority.clone()) else { return Ok(()) };
        let was_there =
            message.forwarding.as_ref().is_some_and(|forwarding| forwarding.from.contains(&named));
        if named == message.authority || was_there {
            return Ok(());
        }
        // Only the configuration is asked: whoever writes a message must not have us ask others for what it names.
        let finding = match self.house().knows(&named) {
            true => Finding::error("message.wrong-recipient"),
            false => Finding::warning("message.unknown-recipient"),
        };
        message.report.get_or_insert_default().add(finding);
        Ok(())
    }

    /// Something that changes no case, or must not because it is a test: it waits in the mailbox as it is.
    async fn carry_on(&self, job: &Job, message: Message) -> Result<(), Error> {
        self.carried_on(job, message, Work::new()).await
    }

    /// The same, together with what it leads to elsewhere.
    pub(crate) async fn carried_on(
        &self,
        job: &Job,
        mut message: Message,
        mut work: Work,
    ) -> Result<(), Error> {
        let now = self.now();
        message.state = MessageState::Processed;
        message.updated_at = now;
        self.note_answer(&mut work, &mut message).await?;
        work.update_message(&message, MessageState::Accepted);
        work.discard_staged(&message.tenant, message.id);
        self.put_into_mailbox(&mut work, &message).await?;
        work.insert_event(&notes::of_message(EventKind::MessageProcessed, &message, &Actor::gateway(), now));
        self.finish(job, work).await
    }

    /// Sends the message back with its report. Its bytes stay, quarantined: nobody is handed them as
    /// content. A return is technical and is never itself returned.
    pub(crate) async fn return_message(&self, job: &Job, message: Message) -> Result<(), Error> {
        let mut work = Work::new();
        self.returned(&mut work, message, &Actor::gateway(), None).await?;
        self.finish(job, work).await
    }

    /// Waits for a human. The task appears on the desk of the message's unit.
    pub(crate) async fn park(&self, job: &Job, message: Message) -> Result<(), Error> {
        let mut work = Work::new();
        self.parked(&mut work, message, &Actor::gateway(), None)?;
        self.finish(job, work).await
    }

    /// Commits `work` together with the end of the job.
    pub(crate) async fn finish(&self, job: &Job, mut work: Work) -> Result<(), Error> {
        work.finish_job(job.id, job.epoch);
        Ok(self.store().commit(work).await?)
    }

    /// A record that comes into being by a message of ours.
    pub(crate) fn create(
        &self,
        work: &mut Work,
        record: Record,
        actor: &Actor,
        message: Id,
    ) -> Result<Decided, Error> {
        let command = Command {
            kind: record.kind(),
            id: record.meta().id,
            expected: None,
            change: Change::Create(Box::new(record)),
        };
        let now = self.now();
        let decided = decide(None, &command, self.parts.rules, now)?;
        work.put_record(&decided.record, None);
        match &decided.record {
            Record::Exchange(exchange) => {
                for event in notes::of_exchange(&decided, &command.change, actor, now, message) {
                    work.insert_event(&event);
                }
                self.keep_deadline(work, None, exchange);
            }
            _ => {
                work.insert_event(&notes::of_record(&decided, actor, now, Some(message)));
            }
        }
        Ok(decided)
    }

    /// The exchange of a process on one side, as the authority of `message` knows it: the one with the message that `message` says it
    /// answers, else one with the authority that it comes from, since anybody may write any process id. What came back for a technical
    /// reason may have been begun again: the newest that did not come back is meant, else the newest.
    pub(crate) async fn exchange_of(
        &self,
        message: &Message,
        process: Option<Id>,
        side: Side,
    ) -> Result<Option<Exchange>, Error> {
        let Some(process) = process else { return Ok(None) };
        let all = self.exchanges_of(message, process, side).await?;
        let from = message.identity.as_ref().map(|identity| partner(message, identity));
        let answers = message.identity.as_ref().and_then(|identity| identity.answers);
        let rank = |known: &Exchange| {
            let is_answered = answers.is_some_and(|answers| known.has_message(answers));
            let is_with = from.as_ref() == Some(&known.partner);
            (is_with && is_answered, is_with, known.status != ExchangeStatus::Returned, known.meta.created_at)
        };
        Ok(all.into_iter().max_by_key(rank))
    }

    /// All exchanges of a process on one side, as the authority of `message` knows them, in the order in which they began.
    pub(crate) async fn exchanges_of(
        &self,
        message: &Message,
        process: Id,
        side: Side,
    ) -> Result<Vec<Exchange>, Error> {
        let filter = RecordFilter {
            authority: Some(message.authority.clone()),
            reference: Some(process_name(process, side)),
            ..RecordFilter::of(RecordKind::Exchange)
        };
        let scope = Scope::tenant(&message.tenant);
        let page = store::Page { after: None, limit: MOST_OF_ONE_PROCESS };
        let found = self.store().records(&scope, &filter, &page).await?.items;
        found.into_iter().map(exchange).collect()
    }

    fn unit_for(&self, message: &Message, identity: &Identity) -> Result<(String, Option<String>), Error> {
        self.house()
            .route(
                &message.tenant,
                &message.authority,
                &identity.standard,
                &identity.message_type,
                &message.partner,
            )
            .ok_or(Error::UnknownAuthority)
    }

    /// A local sender's message is confirmed when its copy at the recipient is.
    pub(crate) async fn confirm_sender(&self, work: &mut Work, message: &Message) -> Result<(), Error> {
        let Some(mut sent) = self.sent_copy(message).await? else { return Ok(()) };
        if sent.state != MessageState::Delivered {
            return Ok(());
        }
        sent.state = MessageState::Confirmed;
        sent.updated_at = self.now();
        work.update_message(&sent, MessageState::Delivered);
        let actor = Actor { kind: "partner".to_owned(), id: sent.partner.clone() };
        work.insert_event(&notes::of_message(EventKind::MessageConfirmed, &sent, &actor, sent.updated_at));
        Ok(())
    }

    /// The sender's side of a message that came from another authority of this gateway.
    pub(crate) async fn sent_copy(&self, message: &Message) -> Result<Option<Message>, Error> {
        if message.direction != Direction::In {
            return Ok(None);
        }
        let Some((related, partner)) = message.related.zip(message.partner.parse::<Authority>().ok()) else {
            return Ok(None);
        };
        let Some(tenant) = self.house().tenant_of(&partner) else { return Ok(None) };
        Ok(self.store().message(&Scope::tenant(&tenant.id), related).await?)
    }
}

impl Broker {
    /// Whether the sender of a message learns that it was returned. A sender elsewhere does not: for OSCI-Transport, and for the server
    /// of XTA that it was fetched from, it has arrived, so a human has to decide. Who has sent it to us by XTA was promised that.
    pub(crate) async fn is_told(&self, message: &Message) -> Result<bool, Error> {
        match (message.direction, message.door) {
            (Direction::In, Door::Osci) => Ok(false),
            (Direction::In, Door::Xta) => self.was_promised(message).await,
            (Direction::In, _) => Ok(true),
            // Nobody in the house waits for what became of a rejection: a human has to see that its reader was not told.
            (Direction::Out, _) => Ok(!is_rejection(message)),
        }
    }
}

pub(crate) fn partner(message: &Message, identity: &Identity) -> Authority {
    let by_door = message.partner.parse().ok();
    let by_content = identity.sender.as_ref().and_then(|sender| sender.authority.clone());
    by_door.or(by_content).unwrap_or_else(Authority::nobody)
}

pub(crate) fn with_finding(report: Option<Report>, rule: &str) -> Report {
    let mut report = report.unwrap_or_default();
    report.add(Finding::error(rule));
    report
}
