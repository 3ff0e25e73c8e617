//! Tasks (Aufgaben): how units of one authority work together without paper.

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use model::activity::{Task, TaskStatus};
use model::command::Change;
use model::rights::Within;
use model::{Caller, Id, Record, RecordKind, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Api;
use crate::answer::Answer;
use crate::body::{Patch, Plain, Posted, members_of};
use crate::params::{IfMatch, MustMatch, Params, PathId};
use crate::records::{self, ListQuery};

/// Longest name of whoever works on a task, in characters.
const ASSIGNEE: usize = 200;

/// Longest result, in characters.
const RESULT: usize = 10_000;

/// A task that shall come into being.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewTask {
    /// Unit that has to act.
    unit: String,
    /// What has to be done, without personal data.
    title: String,
    /// Why it exists: a code of the county's own.
    kind: String,
    /// Case, case file or document that it is about: the unit may read it while the task is open.
    #[serde(default)]
    case: Option<Id>,
    /// When it has to be done.
    #[serde(default)]
    due: Option<Timestamp>,
}

/// Who takes a task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Assignment {
    /// The person, as the county's systems call them; 1 to 200 characters.
    assignee: String,
}

/// Who shall do a task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Unit {
    /// The unit that has to act from now on.
    unit: String,
}

/// How a task was done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Completion {
    /// The answer to whoever asked, at most 10,000 characters.
    #[serde(default)]
    result: Option<String>,
}

/// Which tasks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TaskQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Id>,
    /// State.
    status: Option<TaskStatus>,
    /// Unit that has to act.
    unit: Option<String>,
}

/// `POST /tasks`.
pub(crate) async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<NewTask>,
) -> Answer {
    caller.may(model::Action::WorkTasks)?;
    let new = posted.body;
    let about = match new.case {
        Some(id) => Some(api.broker.require_visible(&caller, id).await?),
        None => None,
    };
    let record = Record::Task(Task {
        case_id: new.case,
        requested_by: asking_unit(&caller, about.as_ref()),
        due: new.due,
        ..Task::new(
            records::new_meta(&caller, None, Some(new.unit), None, about.as_ref())?,
            new.kind,
            new.title,
        )
    });
    records::create(&api, &caller, record, posted.once).await
}

/// The unit that asks: the caller's only one, else the one that owns what the task is about.
fn asking_unit(caller: &Caller, about: Option<&Record>) -> Option<String> {
    let only = match &caller.scope.units {
        Within::Only(units) if units.len() == 1 => units.first().cloned(),
        _ => None,
    };
    only.or_else(|| about.map(|record| record.meta().unit.clone()))
}

/// `GET /tasks`.
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<TaskQuery>,
) -> Answer {
    let query = ListQuery {
        limit: query.limit,
        after: query.after,
        status: query.status.map(|status| status.name().to_owned()),
        unit: query.unit,
        record_reference: None,
        parent: None,
        case_file: None,
        service: None,
    };
    records::list(&api, &caller, &uri, RecordKind::Task, query).await
}

/// `GET /tasks/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    records::read(&api, &caller, RecordKind::Task, id).await
}

/// `PATCH /tasks/{id}`.
pub(crate) async fn amend(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    MustMatch(expected): MustMatch,
    Patch(patch): Patch,
) -> Answer {
    records::amend(&api, &caller, (RecordKind::Task, id), expected, &members_of::<Task>(), patch).await
}

/// `POST /tasks/{id}/assign`.
pub(crate) async fn assign(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    posted: Posted<Assignment>,
) -> Answer {
    let assignee = posted.body.assignee;
    if !(1..=ASSIGNEE).contains(&assignee.chars().count()) {
        return Err(model::Error::Invalid { field: "assignee" }.into());
    }
    let change = Change::AssignTask(assignee);
    records::change(&api, &caller, (RecordKind::Task, id), expected, posted.once, change).await
}

/// `POST /tasks/{id}/hand-on`.
pub(crate) async fn hand_on(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    posted: Posted<Unit>,
) -> Answer {
    let change = Change::HandOn(posted.body.unit);
    records::change(&api, &caller, (RecordKind::Task, id), expected, posted.once, change).await
}

/// `POST /tasks/{id}/complete`.
pub(crate) async fn complete(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    posted: Posted<Completion>,
) -> Answer {
    let result = posted.body.result;
    if result.as_ref().is_some_and(|result| result.chars().count() > RESULT) {
        return Err(model::Error::Invalid { field: "result" }.into());
    }
    let change = Change::CompleteTask(result);
    records::change(&api, &caller, (RecordKind::Task, id), expected, posted.once, change).await
}

/// `POST /tasks/{id}/cancel`.
pub(crate) async fn cancel(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    IfMatch(expected): IfMatch,
    Plain(once): Plain,
) -> Answer {
    records::change(&api, &caller, (RecordKind::Task, id), expected, once, Change::CancelTask).await
}
