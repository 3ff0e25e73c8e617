//! Dispatches that are on their way are followed by the event logs of their submissions. What a signed event says becomes a step, and the
//! event itself a document of the case that proves the step: the delivery service removes its log one day.
//!
//! What fails of one submission keeps no other from being followed; only if several fail one after the other is the line at fault. A
//! session that does not come to the end goes on where it stopped.

use std::io::Cursor;

use model::activity::{Dispatch, DispatchStatus, DispatchStep, ProofKind, StepProof};
use model::adapter::{Host, Wanted};
use model::case::{Description, Document, DocumentDates, File, RecordStatus, Version};
use model::command::{Change, Command};
use model::record::Meta;
use model::{Failure, FailureKind, Id, PayloadRef, Record, RecordKind, Timestamp, ids};
use serde_json::{Value, json};

use super::fetch::SUBMITTED;
use super::order::{WAY, announced};
use super::outgoing::{self, Announced};
use super::sender::Sender;
use super::set::{Author, Set};

/// Dispatches that are looked at at once, and how many pages of them in one session.
const PAGE: u32 = 200;
const PAGES: usize = 25;
/// Submissions that fail one after the other until a session ends.
const IN_A_ROW: u32 = 3;
/// What wants to be followed: also what nobody knows the outcome of, and what somebody has given up and may have arrived after all.
const STATES: [DispatchStatus; 4] =
    [DispatchStatus::Open, DispatchStatus::Accepted, DispatchStatus::Provided, DispatchStatus::Failed];

/// How the delivery service answers in one session.
#[derive(Default)]
pub(super) struct Line {
    in_a_row: u32,
    works: bool,
    first: Option<Failure>,
}

impl Line {
    pub(super) fn works(&mut self) {
        (self.in_a_row, self.works) = (0, true);
    }

    /// It may be the line: so many in a row end the session.
    pub(super) fn fails(&mut self, failure: Failure) -> Result<(), Failure> {
        self.in_a_row += 1;
        if self.in_a_row == IN_A_ROW {
            return Err(failure);
        }
        self.first.get_or_insert(failure);
        Ok(())
    }

    /// A failure only if nothing got through.
    pub(super) fn outcome(self) -> Result<(), Failure> {
        self.first.filter(|_| !self.works).map_or(Ok(()), Err)
    }
}

/// Whether a failure says something of one submission alone.
pub(super) fn is_of_one(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Permanent | FailureKind::Rejected)
        || failure.code == "fit.not-understood"
}

/// The steps that an event log tells of, each with its event, in the order of the log; of a kind the first event counts. Whose clock dates an
/// event does not matter: each step is later than the one before it, and known ones stay what they are, so the same log always gives the
/// same steps, whoever reads it.
pub(super) fn steps<'a>(
    events: &'a [Set],
    at: &Announced,
    to_mailbox: bool,
    known: &[DispatchStep],
) -> Vec<(DispatchStep, &'a Set)> {
    let mut told: Vec<(DispatchStep, &Set)> = vec![];
    for set in events {
        let Some(kind) = meaning(set, at, to_mailbox) else { continue };
        if told.iter().any(|(step, _)| step.kind == kind) {
            continue;
        }
        let after = told.last().map_or(i64::MIN, |(step, _)| step.at.micros().saturating_add(1));
        let step = known.iter().find(|step| step.kind == kind).copied();
        let at = Timestamp::from_micros(set.at.micros().max(after));
        told.push((step.unwrap_or(DispatchStep { kind, at }), set));
    }
    told
}

fn meaning(set: &Set, at: &Announced, to_mailbox: bool) -> Option<DispatchStatus> {
    match set.event.as_str() {
        "reject-submission" => Some(DispatchStatus::Returned),
        SUBMITTED | ACCEPTED if !outgoing::is_of_ours(set, at) => None,
        SUBMITTED if to_mailbox => Some(DispatchStatus::Accepted),
        ACCEPTED if !to_mailbox => Some(DispatchStatus::Retrieved),
        SUBMITTED | ACCEPTED => Some(DispatchStatus::Provided),
        _ => None,
    }
}

/// The event by which a recipient takes a submission.
pub(super) const ACCEPTED: &str = "accept-submission";

impl Sender {
    /// Follows all dispatches of our way that came into being since then.
    pub(super) async fn follow(
        &self,
        host: &dyn Host,
        since: Timestamp,
        line: &mut Line,
    ) -> Result<(), Failure> {
        for status in STATES {
            let key = format!("followed:{}", status.name());
            let begun: Option<Id> =
                host.state(&key).await?.and_then(|stopped| serde_json::from_value(stopped).ok());
            let mut wanted = Wanted {
                status: Some(status.name().to_owned()),
                since: Some(since),
                after: begun,
                limit: PAGE,
                ..Wanted::of(RecordKind::Dispatch)
            };
            let outcome = self.follow_pages(host, &mut wanted, line).await;
            if wanted.after != begun {
                host.set_state(&key, json!(wanted.after)).await?;
            }
            outcome?;
        }
        Ok(())
    }

    /// Follows page after page; `wanted.after` is where it stopped, none at the end.
    async fn follow_pages(
        &self,
        host: &dyn Host,
        wanted: &mut Wanted,
        line: &mut Line,
    ) -> Result<(), Failure> {
        for _ in 0..PAGES {
            let page = host.records(wanted).await?;
            let is_last = page.len() < PAGE as usize;
            for record in page {
                let Record::Dispatch(dispatch) = record else { continue };
                wanted.after = Some(dispatch.meta.id);
                if dispatch.way.as_deref() != Some(WAY) {
                    continue;
                }
                match self.follow_up(host, &dispatch).await {
                    Ok(true) => line.works(),
                    Ok(false) => {}
                    Err(failure) if is_of_one(&failure) => unread(host, &dispatch, &failure).await?,
                    Err(failure) => line.fails(failure)?,
                }
            }
            if is_last {
                wanted.after = None;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Looks into the event log of a dispatch that may be on its way; gives whether the delivery service was asked.
    async fn follow_up(&self, host: &dyn Host, dispatch: &Dispatch) -> Result<bool, Failure> {
        let id = dispatch.meta.id;
        let Some(at) = announced(&host.links(id).await?, id)? else { return Ok(false) };
        let to_mailbox = self.is_bridge(&at);
        if at.tags.is_empty() || (to_mailbox && is_settled(dispatch)) {
            return Ok(false);
        }
        let Some(events) = outgoing::events(&self.access, &self.keys, &at).await? else { return Ok(true) };
        let events = events.sets;
        for set in &events {
            if [SUBMITTED, ACCEPTED].contains(&set.event.as_str()) && !outgoing::is_of_ours(set, &at) {
                note(host, (RecordKind::Dispatch, id), set, json!("wrong-tags")).await?;
            }
        }
        for (step, set) in steps(&events, &at, to_mailbox, &dispatch.steps) {
            note(host, (RecordKind::Dispatch, id), set, problems(&set.payload)).await?;
            self.prove(host, dispatch, (step, set), &at).await?;
        }
        Ok(true)
    }

    /// A step with the event that it follows from.
    async fn prove(
        &self,
        host: &dyn Host,
        dispatch: &Dispatch,
        (step, set): (DispatchStep, &Set),
        at: &Announced,
    ) -> Result<(), Failure> {
        let name = name(dispatch.meta.id, set);
        let document = ids::derived_id(dispatch.meta.id, &format!("set:{name}"));
        if dispatch.proofs.iter().any(|proof| proof.document == Some(document)) {
            return Ok(());
        }
        let submit = async |what: &str, kind, id, change| {
            let command = Command { kind, id, expected: None, change };
            host.submit(&format!("fit:{name}:{what}"), command).await
        };
        // Also of what was given up, which has a step and no reference.
        let is_first = dispatch.reference.is_none() && !dispatch.steps.contains(&step);
        if is_first && step.kind != DispatchStatus::Returned {
            let change = Change::DispatchStep(step, Some(at.submission.to_string()));
            submit("first", RecordKind::Dispatch, dispatch.meta.id, change).await?;
        }
        let content = host.keep(Box::new(Cursor::new(set.token.clone().into_bytes()))).await?;
        let record = Record::Document(proof(dispatch, document, step.kind, content));
        submit("set", RecordKind::Document, document, Change::Create(Box::new(record))).await?;
        let kind = match step.kind {
            DispatchStatus::Retrieved => ProofKind::RetrievalRecord,
            _ => ProofKind::SignedEvent,
        };
        let change = Change::ProvenStep(StepProof { step, kind, document: Some(document) });
        submit("step", RecordKind::Dispatch, dispatch.meta.id, change).await.map(drop)
    }
}

/// Of a message in a mailbox nothing more is told, once each step has its proof.
fn is_settled(dispatch: &Dispatch) -> bool {
    let is_proven = |step: &DispatchStep| dispatch.proofs.iter().any(|proof| proof.step == *step);
    dispatch.status == DispatchStatus::Provided && dispatch.steps.iter().all(is_proven)
}

/// The document that an event is kept as, beside what was sent.
fn proof(dispatch: &Dispatch, id: Id, kind: DispatchStatus, content: PayloadRef) -> Document {
    let (what, name) = match kind {
        DispatchStatus::Accepted => ("Einreichung", "einreichung.jwt"),
        DispatchStatus::Provided => ("Bereitstellung", "bereitstellung.jwt"),
        DispatchStatus::Retrieved => ("Abholung", "abholung.jwt"),
        _ => ("Zurückweisung", "zurueckweisung.jwt"),
    };
    let file = File {
        name: name.to_owned(),
        media_type: Some("application/secevent+jwt".to_owned()),
        content: Some(content),
        ..File::default()
    };
    Document {
        meta: Meta { id, version: 0, ..dispatch.meta.clone() },
        description: Description {
            title: format!("FIT-Connect: Nachweis der {what}"),
            ..Description::default()
        },
        parent: Some(dispatch.case_id),
        kind: Some("Nachweis".to_owned()),
        dates: DocumentDates::default(),
        versions: vec![Version { number: "1".to_owned(), files: vec![file] }],
        status: RecordStatus::Open,
    }
}

/// Which problems an event tells of: the last part of each type, and where; no text of the other side.
pub(super) fn problems(payload: &Value) -> Value {
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

/// What an event says is told on the time line, once.
pub(super) async fn note(
    host: &dyn Host,
    (kind, record): (RecordKind, Id),
    set: &Set,
    problems: Value,
) -> Result<(), Failure> {
    let by_service = matches!(set.author, Author::Service(_));
    let detail = json!({ "event": set.event, "set": set.id, "byService": by_service, "problems": problems });
    host.note(&format!("fit:{}", name(record, set)), kind, record, detail).await
}

/// What an event of a record is called here: its own id is chosen by whoever writes it, and may be that of another event.
fn name(record: Id, set: &Set) -> String {
    seal::sha256(&[record.as_bytes(), set.token.as_bytes()]).to_string()
}

/// That a dispatch cannot be followed is told on its time line, once for each reason.
async fn unread(host: &dyn Host, dispatch: &Dispatch, failure: &Failure) -> Result<(), Failure> {
    let id = dispatch.meta.id;
    let detail = json!({ "event": "unread", "code": failure.code });
    host.note(&format!("fit:unread:{id}:{}", failure.code), RecordKind::Dispatch, id, detail).await
}
