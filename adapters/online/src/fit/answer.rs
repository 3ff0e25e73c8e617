//! What a submission is answered: it is accepted once it was taken in, or rejected. Each answer is an event (SET, RFC 8417) that is filed
//! before it is sent, and the one that is sent is the one that was filed: of an acceptance as a file of the first document, of a rejection
//! in a contact of its own. While nobody knows whether an answer has arrived, its submission stands in the adapter's state, and the event
//! log is asked before it is sent again.

use model::activity::{Interaction, InteractionStatus};
use model::adapter::{Host, Link};
use model::command::{Change, Command};
use model::{Failure, FailureKind, Id, Record, RecordKind, Timestamp};
use net::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use uuid::Uuid;

use super::application::{ACCEPTANCE, WAY};
use super::client::{Call, not_understood};
use super::fetch::{Log, SUBMITTED, Waiting};
use super::problems::Problem;
use super::set::{Draft, Set, Subject, Tags, uuid, write};
use super::subscriber::{Failures, Subscriber};
use super::watch::{Watch, about, task};

/// Events of ours.
const ACCEPT: &str = "accept-submission";
const REJECT: &str = "reject-submission";
/// Where those stand whose answer nobody knows of yet.
const ANSWERING: &str = "answering";
/// The schema of events where that of the delivery service's own is not known.
const SCHEMA: &str = "https://schema.fitko.de/fit-connect/set-payload/1.2.2/set-payload.schema.json";
/// Longest event that is read back, and longest event of the service that is told on a time line, in bytes.
const LONGEST: u64 = 512 * 1024;
const TOLD: usize = 8 * 1024;
/// Kind of the task that tells a clerk that the other side has ended what was taken in.
const NOT_ACCEPTED: &str = "fit.not-accepted";

/// An event of ours.
pub(super) struct Own {
    id: Uuid,
    pub(super) token: String,
}

/// Submissions whose answer nobody knows of yet.
pub(super) struct Pending(Vec<Uuid>);

impl Pending {
    pub(super) async fn load(host: &dyn Host) -> Result<Self, Failure> {
        let state = host.state(ANSWERING).await?.unwrap_or_default();
        Ok(Pending(Vec::deserialize(state).unwrap_or_default()))
    }

    pub(super) fn has(&self, id: Uuid) -> bool {
        self.0.contains(&id)
    }

    async fn begin(&mut self, host: &dyn Host, id: Uuid) -> Result<(), Failure> {
        if self.has(id) {
            return Ok(());
        }
        self.0.push(id);
        host.set_state(ANSWERING, json!(self.0)).await
    }

    async fn done(&mut self, host: &dyn Host, id: Uuid) -> Result<(), Failure> {
        self.0.retain(|known| *known != id);
        let state = if self.0.is_empty() { Value::Null } else { json!(self.0) };
        host.set_state(ANSWERING, state).await
    }
}

impl Subscriber {
    /// Finds out what became of answers of which nobody knows.
    pub(super) async fn settle(
        &self,
        host: &dyn Host,
        watch: &mut Watch,
        pending: &mut Pending,
        failures: &mut Failures,
    ) -> Result<(), Failure> {
        let mut all = pending.0.clone();
        all.sort_by_key(|id| watch.tried(&id.to_string()));
        for id in all {
            let name = id.to_string();
            if failures.are_of_the_line() || watch.rests(&name, host.now()) {
                continue;
            }
            let settled = match host.linked(&name).await? {
                Some(link) => self.answer_again(host, id, &link, pending).await,
                None => pending.done(host, id).await,
            };
            match settled {
                Ok(()) => watch.forget(&name),
                Err(ref failure) => watch.failed(&name, failure, host.now()),
            }
            failures.note(settled);
        }
        Ok(())
    }

    /// Accepts what was taken in as this contact.
    pub(super) async fn accept(
        &self,
        host: &dyn Host,
        at: Waiting,
        (contact, is_new): (Id, bool),
        own: Own,
        pending: &mut Pending,
    ) -> Result<(), Failure> {
        let link = link(at, contact, ACCEPT);
        host.link(link.clone()).await?;
        pending.begin(host, at.submission_id).await?;
        if !is_new {
            // Another event was filed with it then: that one is sent.
            return self.answer_again(host, at.submission_id, &link, pending).await;
        }
        self.send(at.case_id, own.token).await?;
        self.answered(host, &link, own.id, pending).await
    }

    /// Rejects a submission: what is kept of it is the event that says so.
    pub(super) async fn reject(
        &self,
        host: &dyn Host,
        at: Waiting,
        problem: Problem,
        pending: &mut Pending,
    ) -> Result<(), Failure> {
        let told = self.settings.names.told(problem);
        let own = self.event(at, REJECT, json!({ "problems": [told] }), None, host.now())?;
        tracing::warn!(
            adapter = self.settings.id,
            submission = %at.submission_id,
            event = %own.id,
            problem = problem.kind.name(),
            "a submission is rejected"
        );
        let filed = self.rejection(at, problem, &own, host.now());
        let filed = host.submit(&format!("rejected:{}", at.submission_id), filed).await?;
        let link = link(at, filed.meta().id, REJECT);
        host.link(link.clone()).await?;
        self.answer_again(host, at.submission_id, &link, pending).await
    }

    /// Sends the answer that was filed, unless it has arrived already.
    pub(super) async fn answer_again(
        &self,
        host: &dyn Host,
        id: Uuid,
        link: &Link,
        pending: &mut Pending,
    ) -> Result<(), Failure> {
        let case = link.state["case"].as_str().and_then(uuid).ok_or_else(not_understood)?;
        let at = Waiting { destination_id: self.settings.destination, submission_id: id, case_id: case };
        pending.begin(host, id).await?;
        // If the service knows nothing of it any more, nobody can find out.
        let Some(log) = self.events(at).await? else { return self.ended(host, link, pending, None).await };
        let (own, tags) = self.own(host, at, link, &log).await?;
        let event = event_of(link);
        let is_ours = |set: &&Set| set.event == event && (event == REJECT || set.tags() == tags);
        if let Some(set) = log.sets.iter().find(is_ours) {
            return self.answered(host, link, set.id, pending).await;
        }
        let is_end = |set: &&Set| [REJECT, "delete-submission"].contains(&set.event.as_str());
        if let Some(end) = log.sets.iter().find(is_end) {
            return self.ended(host, link, pending, Some(end)).await;
        }
        self.send(case, own.token).await?;
        self.answered(host, link, own.id, pending).await
    }

    /// The event by which we answer, as it was filed, with its tags. An acceptance that cannot be read any more is written anew.
    async fn own(
        &self,
        host: &dyn Host,
        at: Waiting,
        link: &Link,
        log: &Log,
    ) -> Result<(Own, Option<Tags>), Failure> {
        if let Some(token) = filed(host, link).await?
            && let Ok(own) = self.keys.verify(&token).await?
            && (&*own.event, own.subject) == (event_of(link), Subject::Submission(at.submission_id))
        {
            let tags = own.tags();
            return Ok((Own { id: own.id, token }, tags));
        }
        let submitted = log.sets.iter().find(|set| set.event == SUBMITTED && event_of(link) == ACCEPT);
        let submitted = submitted.ok_or_else(not_understood)?;
        let tags = submitted.tags().ok_or_else(not_understood)?;
        let own = self.acceptance(at, &tags, submitted.schema.as_deref(), host.now())?;
        Ok((own, Some(tags)))
    }

    /// It waits no more, and nobody has taken our answer: told on the time line of what it became, and to a clerk if it became a case.
    async fn ended(
        &self,
        host: &dyn Host,
        link: &Link,
        pending: &mut Pending,
        end: Option<&Set>,
    ) -> Result<(), Failure> {
        let key = format!("ended:{}", link.reference);
        let detail = json!({
            "submission": link.reference,
            "event": end.map(|set| &set.event),
            "set": end.map(|set| set.id),
            "token": end.map(|set| &set.token).filter(|token| token.len() <= TOLD),
        });
        host.note(&key, link.kind, link.record, detail).await?;
        if event_of(link) == ACCEPT {
            let (meta, subject) = match host.record(link.kind, link.record).await? {
                Some(Record::Interaction(it)) => (it.meta.clone(), Some(it.case_id.unwrap_or(it.meta.id))),
                _ => (about(&self.settings.desk), None),
            };
            let title = "FIT-Connect: Die Einreichung gilt beim Zustelldienst als nicht angenommen";
            host.submit(&key, task(meta, subject, title.to_owned(), NOT_ACCEPTED, None)).await?;
        }
        self.done(host, link, pending).await
    }

    /// It is answered: told on the time line of what it became.
    async fn answered(
        &self,
        host: &dyn Host,
        link: &Link,
        set: Uuid,
        pending: &mut Pending,
    ) -> Result<(), Failure> {
        let event = event_of(link);
        let word = if event == ACCEPT { "accepted" } else { "rejected" };
        let detail = json!({ "submission": link.reference, "event": event, "set": set });
        host.note(&format!("{word}:{}", link.reference), link.kind, link.record, detail).await?;
        self.done(host, link, pending).await
    }

    async fn done(&self, host: &dyn Host, link: &Link, pending: &mut Pending) -> Result<(), Failure> {
        match uuid(&link.reference) {
            Some(id) => pending.done(host, id).await,
            None => Ok(()),
        }
    }

    pub(super) fn acceptance(
        &self,
        at: Waiting,
        tags: &Tags,
        schema: Option<&str>,
        now: Timestamp,
    ) -> Result<Own, Failure> {
        self.event(at, ACCEPT, json!({ "authenticationTags": tags }), schema, now)
    }

    fn event(
        &self,
        at: Waiting,
        event: &str,
        payload: Value,
        schema: Option<&str>,
        now: Timestamp,
    ) -> Result<Own, Failure> {
        let draft = Draft {
            destination: self.settings.destination,
            subject: Subject::Submission(at.submission_id),
            case: at.case_id,
            event,
            payload,
            schema: self.settings.set_schema.as_deref().or(schema).unwrap_or(SCHEMA),
            at: now,
        };
        let (id, token) = write(&draft, &self.settings.signing)
            .map_err(|error| Failure::permanent(error.code(), "the event cannot be signed"))?;
        Ok(Own { id, token })
    }

    async fn send(&self, case: Uuid, token: String) -> Result<(), Failure> {
        let path = format!("/v2/cases/{case}/events");
        let call = Call::with(Method::POST, &path, "application/jose", token.into_bytes());
        self.access.send(call).await.map(drop)
    }

    /// The contact that keeps the event of a rejection. It needs no case: nothing else of the submission is kept.
    fn rejection(&self, at: Waiting, problem: Problem, own: &Own, now: Timestamp) -> Command {
        let meta = about(&self.settings.desk);
        let id = meta.id;
        let instance = problem.part.instance();
        let contact = Interaction {
            meta,
            case_id: None,
            kind: WAY.to_owned(),
            at: now,
            subject: Some(format!("Einreichung abgelehnt: {} ({instance})", problem.kind.name())),
            from: None,
            documents: vec![],
            hints: vec![],
            proposals: vec![],
            concerns: vec![],
            call: None,
            proof: json!({
                "destination": at.destination_id,
                "submission": at.submission_id,
                "case": at.case_id,
                "event": REJECT,
                "problem": problem.kind.name(),
                "instance": instance,
                "set": own.id,
                "token": own.token,
            }),
            status: InteractionStatus::Dismissed,
        };
        let change = Change::Create(Box::new(Record::Interaction(contact)));
        Command { kind: RecordKind::Interaction, id, expected: None, change }
    }
}

/// What is remembered of a submission that is answered.
fn link(at: Waiting, contact: Id, event: &str) -> Link {
    Link {
        kind: RecordKind::Interaction,
        record: contact,
        part: at.submission_id.to_string(),
        reference: at.submission_id.to_string(),
        state: json!({ "case": at.case_id, "event": event }),
    }
}

/// By which event it is answered.
fn event_of(link: &Link) -> &'static str {
    if link.state["event"] == REJECT { REJECT } else { ACCEPT }
}

/// The event as it was filed, if it can still be read.
async fn filed(host: &dyn Host, link: &Link) -> Result<Option<String>, Failure> {
    let Some(Record::Interaction(contact)) = host.record(link.kind, link.record).await? else {
        return Ok(None);
    };
    if let Some(token) = contact.proof["token"].as_str() {
        return Ok(Some(token.to_owned()));
    }
    let Some(first) = contact.documents.first() else { return Ok(None) };
    let Some(Record::Document(document)) = host.record(RecordKind::Document, *first).await? else {
        return Ok(None);
    };
    let mut files = document.versions.iter().flat_map(|version| &version.files);
    let Some(content) = files.find(|file| file.name == ACCEPTANCE).and_then(|file| file.content.as_ref())
    else {
        return Ok(None);
    };
    let opened = match host.open(content).await {
        Err(failure) if failure.kind != FailureKind::Transient => return Ok(None),
        opened => opened?,
    };
    let mut token = String::new();
    match opened.take(LONGEST).read_to_string(&mut token).await {
        Ok(_) => Ok(Some(token)),
        Err(_) => Err(Failure::transient("fit.content", "an event that was filed cannot be read")),
    }
}
