//! What happens in the engine gets onto the time lines of cases, where that is wanted: each step of a process that has ended, each incident.
//! A task whose step was cancelled in the engine is cancelled, too, wanted or not.
//!
//! The engine tells times of its own, and commits later than it tells; what belongs to a start whose outcome is asked for is known later
//! still. Each look therefore begins two minutes before the end of the last one, and remembers what it has told since then. Whatever
//! is told again all the same is told once: notes have keys.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::activity::TaskStatus;
use model::adapter::Host;
use model::command::{Change, Command};
use model::{Failure, FailureKind, Id, Record, RecordKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::camunda::{Activity, Incident, LONGEST_ID, LONGEST_NAME, PAGE};
use crate::engine::Workflow;
use crate::settings::{Kind, Topic};
use crate::values::{before, engine_time, read_time};

/// How far each look goes back.
const OVERLAP: Duration = Duration::from_secs(120);

/// How far the first look goes back.
const FIRST: Duration = Duration::from_secs(3_600);

/// Pages that one session reads of each history.
const PAGES: usize = 10;

/// Steps that were cancelled, where nothing is told on time lines.
const LEFT: &str = "cancelled";

/// What is remembered to be told, at most.
const REMEMBERED: usize = 500;

/// How far a history was read. Kept as the adapter's state.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Cursor {
    /// Time of the engine; nothing before it is looked at.
    since: Option<String>,
    /// What was told since then.
    told: BTreeSet<String>,
}

/// One entry of a history.
struct Entry {
    id: String,
    at: String,
    instance: String,
    /// What is told of it; nothing of what only leads from step to step.
    detail: Option<Value>,
    /// Whether it is a step that was cancelled.
    cancelled: bool,
}

/// The cases of instances, as far as they were asked for in this session.
type Cases = BTreeMap<String, Option<Id>>;

impl Workflow {
    /// Tells what is new in the histories, and takes from people what the process has left.
    pub(crate) async fn watch(&self, host: &dyn Host) -> Result<(), Failure> {
        let mut cases = Cases::new();
        for history in self.histories() {
            let kept = host.state(history).await?;
            let cursor: Cursor =
                kept.and_then(|kept| serde_json::from_value(kept).ok()).unwrap_or_else(|| Cursor {
                    since: Some(engine_time(before(host.now(), FIRST))),
                    ..Cursor::default()
                });
            let next = self.read(host, history, &cursor, &mut cases).await?;
            if next != cursor {
                host.set_state(history, json!(next)).await?;
            }
        }
        Ok(())
    }

    /// What has to be read. Each is remembered by its own name, so that none begins where another one is.
    fn histories(&self) -> &'static [&'static str] {
        let is_for_people = |topic: &Topic| matches!(topic.kind, Kind::Task { .. });
        match (self.settings.history, self.settings.topics.iter().any(is_for_people)) {
            (true, _) => &["activities", "incidents"],
            (false, true) => &[LEFT],
            (false, false) => &[],
        }
    }

    /// A page of a history, and whether it is the last one.
    async fn page(
        &self,
        history: &str,
        since: Option<&str>,
        from: usize,
    ) -> Result<(Vec<Entry>, bool), Failure> {
        Ok(match history {
            "activities" | LEFT => {
                let page = self.camunda.activities(since, from, history == LEFT).await?;
                let is_last = page.len() < PAGE;
                (page.into_iter().filter_map(step).collect(), is_last)
            }
            _ => {
                let page = self.camunda.incidents(since, from).await?;
                let is_last = page.len() < PAGE;
                (page.into_iter().filter_map(incident).collect(), is_last)
            }
        })
    }

    async fn read(
        &self,
        host: &dyn Host,
        history: &str,
        cursor: &Cursor,
        cases: &mut Cases,
    ) -> Result<Cursor, Failure> {
        let since = cursor.since.as_deref();
        let mut told: Vec<(String, String)> = vec![];
        let mut last: Option<String> = None;
        let mut is_whole = false;
        for page in 0..PAGES {
            let entries;
            (entries, is_whole) = self.page(history, since, page * PAGE).await?;
            for entry in entries {
                if cursor.told.contains(&entry.id) || tell(host, history, &entry, cases).await? {
                    told.push((entry.at.clone(), entry.id));
                }
                last = Some(entry.at);
            }
            if is_whole {
                break;
            }
        }
        let Some(last) = last.as_deref().and_then(read_time) else { return Ok(cursor.clone()) };
        // Where there is more, the next session goes on exactly here.
        let from = if is_whole { before(last, OVERLAP) } else { last };
        let from = since.and_then(read_time).map_or(from, |since| since.max(from));
        let recent = told.into_iter().rev().filter(|(at, _)| read_time(at).is_some_and(|at| at >= from));
        let told = recent.map(|(_, id)| id).take(REMEMBERED).collect();
        Ok(Cursor { since: Some(engine_time(from)), told })
    }
}

/// Tells an entry; false if nobody knows its instance yet.
async fn tell(host: &dyn Host, history: &str, entry: &Entry, cases: &mut Cases) -> Result<bool, Failure> {
    let case = match cases.get(&entry.instance) {
        Some(known) => *known,
        None => {
            let link = host.linked(&entry.instance).await?;
            let case = link.filter(|link| link.kind == RecordKind::Case).map(|link| link.record);
            cases.insert(entry.instance.clone(), case);
            case
        }
    };
    let Some(case) = case else { return Ok(false) };
    if entry.cancelled {
        cancel(host, &entry.id).await?;
    }
    if let Some(detail) = entry.detail.as_ref().filter(|_| history != LEFT) {
        let key = format!("{history}:{}:{}", entry.instance, entry.id);
        match host.note(&key, RecordKind::Case, case, detail.clone()).await {
            Err(failure) if failure.kind == FailureKind::Transient => return Err(failure),
            // The case is not there any more, or not the adapter's.
            Err(_) | Ok(()) => {}
        }
    }
    Ok(true)
}

/// Takes a task from people whose step the process has left.
async fn cancel(host: &dyn Host, step: &str) -> Result<(), Failure> {
    let Some(link) = host.linked(step).await?.filter(|link| link.kind == RecordKind::Task) else {
        return Ok(());
    };
    let Some(Record::Task(task)) = host.record(RecordKind::Task, link.record).await? else { return Ok(()) };
    if !matches!(task.status, TaskStatus::Open | TaskStatus::Assigned) {
        return Ok(());
    }
    let command =
        Command { kind: RecordKind::Task, id: link.record, expected: None, change: Change::CancelTask };
    match host.submit(&format!("left:{}", link.record), command).await {
        Err(failure) if failure.kind == FailureKind::Transient => Err(failure),
        // Somebody was quicker.
        Err(_) | Ok(_) => Ok(()),
    }
}

fn step(activity: Activity) -> Option<Entry> {
    let at = activity.end_time?;
    let is_sound =
        is_id(&activity.id) && is_name(&activity.activity_id) && is_id(&activity.process_instance_id);
    let is_way = activity.activity_type.ends_with("Gateway") || activity.activity_type == "multiInstanceBody";
    let detail = json!({
        "process": activity.process_definition_key.filter(|key| is_name(key)),
        "instance": activity.process_instance_id,
        "activity": activity.activity_id,
        "type": activity.activity_type.chars().take(60).collect::<String>(),
        "startedAt": activity.start_time.as_deref().and_then(read_time),
        "endedAt": read_time(&at),
        "cancelled": activity.canceled,
    });
    is_sound.then(|| Entry {
        id: activity.id,
        at,
        instance: activity.process_instance_id,
        detail: (!is_way).then_some(detail),
        cancelled: activity.canceled,
    })
}

fn incident(incident: Incident) -> Option<Entry> {
    let (at, instance) = (incident.create_time?, incident.process_instance_id?);
    let detail = json!({
        "process": incident.process_definition_key.filter(|key| is_name(key)),
        "instance": instance,
        "activity": incident.activity_id.filter(|id| is_name(id)),
        "incident": incident.incident_type.chars().take(60).collect::<String>(),
        "at": read_time(&at),
    });
    let is_sound = is_id(&incident.id) && is_id(&instance);
    is_sound.then_some(Entry { id: incident.id, at, instance, detail: Some(detail), cancelled: false })
}

fn is_id(text: &str) -> bool {
    text.len() <= LONGEST_ID && is_name(text)
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len()) && !text.chars().any(char::is_control)
}
