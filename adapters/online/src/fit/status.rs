//! The federal status monitor (Statusmonitor): each change of where a case stands for those whom it concerns becomes a submission to the
//! bridge, if the case is known there. What was told last is remembered with the case, so that nothing is told twice. What happens to one case
//! is told in order (`Descriptor::in_order`), each state as it is then.
//!
//! A state that was told is followed by the event log of its submission until the bridge has taken it: of one that was rejected a clerk is
//! told, and it does not count as told. Those that are followed have a link of their own, all under one of two names: a session
//! looks at all of one name, and what stays open goes to the other.

use model::activity::Task;
use model::adapter::{About, Host, Link, Receipt, Wanted};
use model::case::Case;
use model::command::{Change, Command};
use model::public_state::PublicState;
use model::record::Meta;
use model::{Failure, Record, RecordKind, Timestamp, ids};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::follow::{ACCEPTED, Line, is_of_one, note, problems};
use super::order::{application_of, case_of, reference};
use super::outgoing::{self, Announced, Data};
use super::sender::Sender;
use super::set::Set;
use super::zbp::{German, State, cut, moment};

/// Where the state that was told last is remembered.
const PART: &str = "status";
/// The names of links to states that are followed, and which of them is looked at next.
const FOLLOWED: [&str; 2] = ["followed-states", "followed-states-then"];
const TURN: &str = "states";
/// States that one session looks at.
const LOOKED_AT: usize = 1_000;
/// Kind of the task that a rejected state becomes.
const REJECTED: &str = "fit.state-rejected";
/// Tasks, and claims, of a case that are looked at.
const MOST: u32 = 1_000;

impl Sender {
    /// Tells where the case stands, if that is another state than the one that was told last.
    pub(super) async fn tell_state(&self, about: &About, host: &dyn Host) -> Result<Receipt, Failure> {
        let Some(bridge) = self.settings.bridge.as_ref().filter(|_| self.settings.tells_state) else {
            return Ok(Receipt::nothing());
        };
        let (Some(case), Some(application)) = (case_of(about), application_of(about)) else {
            return Ok(Receipt::nothing());
        };
        let status = standing(host, case).await?.name();
        let told = host.links(case.meta.id).await?.into_iter().find(|link| link.part == PART);
        if told.is_some_and(|link| link.state["status"] == status) {
            return Ok(Receipt::nothing());
        }
        let state = State {
            application_id: application,
            status,
            public_service_name: German { de: cut(&bridge.status.name, 100) },
            sender_name: cut(&bridge.sender, 100),
            created_date: moment(self.access.now()),
            reference: reference(about).map(|it| cut(it, 50)),
        };
        let bytes = bridge.envelope(&state, self.access.now())?;
        let data = Data { bytes, media_type: "application/json", schema: bridge.schema.clone() };
        let open = outgoing::open(&self.access, &self.keys, bridge.destination).await?;
        let mut at = outgoing::announce(&self.access, open.id, &bridge.status, &[], None).await?;
        let info = json!({ "idBundDeApplicationId": application });
        let more = Map::from_iter([("additionalReferenceInfo".to_owned(), info)]);
        let sealing = outgoing::seal_parts(&open.key, &data, &[], more)?;
        at.tags.push(outgoing::digest(&sealing.tags));
        outgoing::submit(&self.access, &at, sealing).await?;
        let link = |part: String, reference: String, state: Value| Link {
            kind: RecordKind::Case,
            record: case.meta.id,
            part,
            reference,
            state,
        };
        let name = format!("status:{}", at.submission);
        let state = json!({ "status": status, "submission": at.submission });
        let told = link(PART.to_owned(), name.clone(), state);
        let followed = Followed { at, status: status.to_owned(), since: host.now() };
        let followed = link(name, FOLLOWED[0].to_owned(), json!(followed));
        let data: Value = json!({ "status": status });
        Ok(Receipt {
            reference: Some(told.reference.clone()),
            data,
            links: vec![told, followed],
            ..Receipt::default()
        })
    }

    /// Looks what became of states that were told.
    pub(super) async fn follow_states(
        &self,
        host: &dyn Host,
        since: Timestamp,
        line: &mut Line,
    ) -> Result<(), Failure> {
        let is_second = host.state(TURN).await?.is_some();
        let [from, to] = if is_second { [FOLLOWED[1], FOLLOWED[0]] } else { FOLLOWED };
        for _ in 0..LOOKED_AT {
            let Some(link) = host.linked(from).await? else {
                // What came meanwhile has the first name; what stayed open has the other, also that of a session which broke off.
                return match is_second || host.linked(to).await?.is_some() {
                    true => host.set_state(TURN, if is_second { Value::Null } else { json!(true) }).await,
                    false => Ok(()),
                };
            };
            let outcome = self.follow_state(host, &link, since).await;
            let is_open = matches!(&outcome, Ok(false)) || outcome.as_ref().is_err_and(|it| !is_of_one(it));
            let reference = if is_open { to.to_owned() } else { link.part.clone() };
            host.link(Link { reference, ..link.clone() }).await?;
            match outcome {
                Ok(_) => line.works(),
                Err(failure) if is_of_one(&failure) => {
                    tracing::warn!(
                        adapter = self.settings.id,
                        link = link.part,
                        code = %failure.code,
                        "what became of a state that the status monitor was told cannot be read"
                    );
                }
                Err(failure) => line.fails(failure)?,
            }
        }
        Ok(())
    }

    /// Gives whether nothing more is to be heard of it.
    async fn follow_state(&self, host: &dyn Host, link: &Link, since: Timestamp) -> Result<bool, Failure> {
        let Ok(followed) = Followed::deserialize(&link.state) else { return Ok(true) };
        let Some(events) = outgoing::events(&self.access, &self.keys, &followed.at).await? else {
            return Ok(true);
        };
        if let Some(set) = events.sets.iter().find(|set| set.event == "reject-submission") {
            return rejected(host, link, (set, &followed)).await.map(|()| true);
        }
        let is_taken =
            events.sets.iter().any(|set| set.event == ACCEPTED && outgoing::is_of_ours(set, &followed.at));
        Ok(is_taken || followed.since < since)
    }
}

/// A state that was told and whose end is not known yet.
#[derive(Serialize, Deserialize)]
struct Followed {
    at: Announced,
    status: String,
    since: Timestamp,
}

/// The status monitor did not take a state: it does not count as told, and a clerk looks.
async fn rejected(host: &dyn Host, link: &Link, (set, it): (&Set, &Followed)) -> Result<(), Failure> {
    note(host, (RecordKind::Case, link.record), set, problems(&set.payload)).await?;
    let told = host.links(link.record).await?.into_iter().find(|link| link.part == PART);
    if let Some(told) = told.filter(|told| told.state["submission"] == json!(it.at.submission)) {
        host.link(Link { state: Value::Null, ..told }).await?;
    }
    let Some(Record::Case(case)) = host.record(RecordKind::Case, link.record).await? else { return Ok(()) };
    // Of each state of a case a clerk is told once.
    let key = format!("state:{}:{}", case.meta.id, it.status);
    let id = ids::derived_id(case.meta.id, &key);
    let meta = Meta { id, version: 0, ..case.meta.clone() };
    let title = "Der Statusmonitor des Bundes hat den Stand des Vorgangs nicht angenommen";
    let task = Task { case_id: Some(case.meta.id), ..Task::new(meta, REJECTED, title) };
    let change = Change::Create(Box::new(Record::Task(task)));
    let command = Command { kind: RecordKind::Task, id, expected: None, change };
    host.submit(&key, command).await.map(drop)
}

async fn standing(host: &dyn Host, case: &Case) -> Result<PublicState, Failure> {
    let wanted = |kind| Wanted { root: Some(case.meta.root), limit: MOST, ..Wanted::of(kind) };
    let (mut tasks, mut claims) = (vec![], vec![]);
    for record in host.records(&wanted(RecordKind::Task)).await? {
        if let Record::Task(task) = record
            && task.case_id == Some(case.meta.id)
        {
            tasks.push(task);
        }
    }
    for record in host.records(&wanted(RecordKind::Claim)).await? {
        if let Record::Claim(claim) = record
            && claim.case_id == case.meta.id
        {
            claims.push(claim);
        }
    }
    // What was told of a case that changes in between is told anew by the change itself.
    Ok(PublicState::of(case, &tasks, &claims))
}
