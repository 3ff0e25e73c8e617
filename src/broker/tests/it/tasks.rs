//! Tasks that have to be done by a time, and tasks that are passed on, on both engines. What is due lies in the past, since engines have
//! clocks of their own.

use std::time::Duration;

use model::activity::{Task, TaskStatus};
use model::command::Change;
use model::{Caller, Event, EventKind, Id, Record, RecordKind, SystemClock, Timestamp};
use serde_json::json;
use store::{Page, RecordFilter};

use crate::engines::on_every_engine;
use crate::house::{Gateway, caller, change, create};

const HOUR: Duration = Duration::from_secs(3_600);

fn ago(time: Duration) -> Timestamp {
    let now = model::Clock::now(&SystemClock);
    Timestamp::from_micros(now.micros() - i64::try_from(time.as_micros()).unwrap())
}

struct Desk {
    gateway: Gateway,
    building: Caller,
    waste: Caller,
    case: Id,
}

impl Desk {
    async fn start(database: Option<String>) -> Desk {
        let gateway = Gateway::on(database, std::sync::Arc::new(SystemClock)).await;
        let (building, waste) = (caller("soest", "63"), caller("soest", "70"));
        let case = gateway.a_case(&building, "Neubau").await.meta.id;
        Desk { gateway, building, waste, case }
    }

    /// A task of the unit 63, whose house rule asks 70 after two days.
    async fn task(&self, due: Option<Timestamp>) -> Id {
        let mut meta = self
            .gateway
            .broker
            .record(&self.building, RecordKind::Case, self.case)
            .await
            .unwrap()
            .meta()
            .clone();
        meta.id = model::ids::new_id();
        let task =
            Record::Task(Task { case_id: Some(self.case), due, ..Task::new(meta, "check", "Prüfen") });
        self.gateway.broker.submit(&self.building, create(task), None).await.unwrap().meta().id
    }

    async fn submit(&self, caller: &Caller, task: Id, wanted: Change) -> Result<Record, broker::Error> {
        self.gateway.broker.submit(caller, change(RecordKind::Task, task, wanted), None).await
    }

    async fn run(&self) {
        self.gateway.broker.run_due_jobs().await.unwrap();
    }

    async fn read(&self, caller: &Caller, task: Id) -> Option<Task> {
        match self.gateway.broker.record(caller, RecordKind::Task, task).await {
            Ok(Record::Task(task)) => Some(task),
            _ => None,
        }
    }

    /// Tasks on the desk of the unit 70.
    async fn asked(&self) -> Vec<Task> {
        let page = Page { after: None, limit: 50 };
        let tasks = self
            .gateway
            .broker
            .records(&self.waste, &RecordFilter::of(RecordKind::Task), &page)
            .await
            .unwrap();
        let task = |record| match record {
            Record::Task(task) => task,
            _ => panic!("a task"),
        };
        tasks.items.into_iter().map(task).collect()
    }

    async fn events(&self, kind: EventKind) -> Vec<Event> {
        self.events_before(&self.building, kind).await
    }

    /// What one of them hears of.
    async fn events_before(&self, caller: &Caller, kind: EventKind) -> Vec<Event> {
        let all = self.gateway.broker.events(caller, 0, 100).await.unwrap();
        all.into_iter().map(|sealed| sealed.event).filter(|event| event.kind == kind).collect()
    }
}

#[tokio::test]
async fn what_is_not_done_in_time_is_told_and_then_another_unit_is_asked() {
    on_every_engine(|database| async move {
        let desk = Desk::start(database).await;
        let task = desk.task(Some(ago(HOUR))).await;
        desk.run().await;
        let told = desk.read(&desk.building, task).await.unwrap().overdue.unwrap();
        assert_eq!(told.escalated_to, None, "two days have not passed");
        assert_eq!(desk.events(EventKind::TaskOverdue).await.len(), 1);
        assert!(desk.asked().await.is_empty() && desk.read(&desk.waste, task).await.is_none());

        // The clerk sets another time, which is over for long.
        let due = json!({ "due": ago(49 * HOUR) });
        desk.submit(&desk.building, task, Change::Amend(due)).await.unwrap();
        desk.run().await;
        let asked = desk.asked().await;
        assert_eq!((asked.len(), asked[0].task_id, asked[0].kind.as_str()), (1, Some(task), "task-overdue"));
        let told = desk.read(&desk.waste, task).await.unwrap().overdue.unwrap();
        assert_eq!((told.escalated_to.as_deref(), told.asked), (Some("70"), Some(asked[0].meta.id)));
        let broker = &desk.gateway.broker;
        assert!(broker.record(&desk.waste, RecordKind::Case, desk.case).await.is_ok(), "it may see the case");
        assert_eq!(desk.events(EventKind::TaskEscalated).await.len(), 1);

        desk.submit(&desk.building, task, Change::CompleteTask(None)).await.unwrap();
        assert_eq!(desk.asked().await[0].status, TaskStatus::Done);
        assert!(broker.record(&desk.waste, RecordKind::Case, desk.case).await.is_err());
        assert!(desk.read(&desk.waste, task).await.is_none(), "it has nothing to do with the task any more");
        desk.run().await;
        assert_eq!(desk.events(EventKind::TaskOverdue).await.len(), 2, "once for each time");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_told_of_what_is_done_or_has_another_time() {
    on_every_engine(|database| async move {
        let desk = Desk::start(database).await;
        let done = desk.task(Some(ago(49 * HOUR))).await;
        desk.submit(&desk.building, done, Change::CompleteTask(None)).await.unwrap();
        let later = desk.task(Some(ago(49 * HOUR))).await;
        let due = json!({ "due": model::Clock::now(&SystemClock).plus(HOUR) });
        desk.submit(&desk.building, later, Change::Amend(due)).await.unwrap();
        let _whenever = desk.task(None).await;
        desk.run().await;
        assert!(desk.events(EventKind::TaskOverdue).await.is_empty());
        assert!(desk.asked().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_task_that_is_passed_on_is_the_other_unit_s_and_its_own_rule_holds() {
    on_every_engine(|database| async move {
        let desk = Desk::start(database).await;
        let task = desk.task(Some(ago(49 * HOUR))).await;
        let nowhere = desk.submit(&desk.building, task, Change::HandOn("99".into())).await.unwrap_err();
        assert_eq!(nowhere.code(), "broker.unknown-unit");
        desk.submit(&desk.building, task, Change::HandOn("70".into())).await.unwrap();
        assert_eq!(desk.asked().await.len(), 1);
        let seen = desk.read(&desk.building, task).await.unwrap();
        assert_eq!((seen.meta.unit.as_str(), seen.requested_by.as_deref()), ("70", Some("63")));
        let taken = desk.submit(&desk.building, task, Change::AssignTask("sb1".into())).await.unwrap_err();
        assert_eq!(taken.code(), "model.not-found", "only the unit that has it works on it");
        desk.run().await;
        let overdue = desk.read(&desk.waste, task).await.unwrap().overdue.unwrap();
        assert_eq!(overdue.escalated_to, None, "70 has no rule");
        desk.submit(&desk.waste, task, Change::CompleteTask(Some("erledigt".into()))).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn whoever_was_asked_sees_the_task_while_its_own_is_open() {
    let desk = Desk::start(None).await;
    let task = desk.task(Some(ago(49 * HOUR))).await;
    desk.run().await;
    assert!(desk.read(&desk.waste, task).await.is_some());
    let asked = desk.asked().await[0].meta.id;
    desk.submit(&desk.waste, asked, Change::CompleteTask(None)).await.unwrap();
    assert!(desk.read(&desk.waste, task).await.is_none());
}

#[tokio::test]
async fn whoever_was_asked_often_before_sees_what_the_open_task_is_about() {
    on_every_engine(|database| async move {
        let desk = Desk::start(database).await;
        let case = async || desk.gateway.broker.record(&desk.waste, RecordKind::Case, desk.case).await;
        let hand_on = || Change::HandOn("70".into());
        for _ in 0..51 {
            let task = desk.task(None).await;
            desk.submit(&desk.building, task, hand_on()).await.unwrap();
            desk.submit(&desk.waste, task, Change::CancelTask).await.unwrap();
        }
        assert!(case().await.is_err(), "what was asked for is over");
        let task = desk.task(None).await;
        desk.submit(&desk.building, task, hand_on()).await.unwrap();
        assert_eq!(case().await.unwrap().meta().id, desk.case);
    })
    .await;
}

#[tokio::test]
async fn a_time_that_was_told_of_may_be_set_again() {
    on_every_engine(|database| async move {
        let desk = Desk::start(database).await;
        let over = ago(49 * HOUR);
        let task = desk.task(Some(over)).await;
        desk.run().await;
        for due in [ago(50 * HOUR), over] {
            desk.submit(&desk.building, task, Change::Amend(json!({ "due": due }))).await.unwrap();
            assert!(desk.asked().await.iter().all(|asked| !asked.status.is_open()), "it has another time");
            desk.run().await;
            let open: Vec<_> = desk.asked().await.into_iter().filter(|it| it.status.is_open()).collect();
            let told = desk.read(&desk.building, task).await.unwrap().overdue.unwrap();
            assert_eq!((open.len(), told.asked), (1, open.first().map(|it| it.meta.id)));
        }
        assert_eq!(desk.asked().await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_late_task_that_is_passed_on_is_looked_at_by_the_rule_of_whoever_has_it_now() {
    on_every_engine(|database| async move {
        let desk = Desk::start(database).await;
        let task = desk.task(Some(ago(49 * HOUR))).await;
        desk.submit(&desk.building, task, Change::HandOn("70".into())).await.unwrap();
        desk.run().await;
        let told = desk.read(&desk.waste, task).await.unwrap().overdue.unwrap();
        assert_eq!(told.escalated_to, None, "70 has no rule");
        desk.submit(&desk.waste, task, Change::HandOn("63".into())).await.unwrap();
        desk.run().await;
        let told = desk.read(&desk.building, task).await.unwrap().overdue.unwrap();
        assert_eq!(told.escalated_to.as_deref(), Some("70"));
        let told = desk.events_before(&desk.waste, EventKind::TaskOverdue).await;
        assert_eq!((desk.asked().await.len(), told.len()), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_message_that_leaves_the_desk_takes_the_question_with_it() {
    on_every_engine(|database| async move {
        let desk = Desk::start(database).await;
        let reply = json!({ "toy": "0403", "process": model::ids::new_id() });
        let message = desk.gateway.accept(&desk.building, &reply).await.unwrap();
        desk.run().await;
        let filter = RecordFilter::of(RecordKind::Task);
        let tasks = desk.gateway.broker.records(&desk.building, &filter, &Page::first(5)).await.unwrap();
        let is_its_own =
            |record: &&Record| matches!(record, Record::Task(task) if task.message_id == Some(message.id));
        let task = tasks.items.iter().find(is_its_own).unwrap().meta().id;
        let due = Change::Amend(json!({ "due": ago(49 * HOUR) }));
        desk.submit(&desk.building, task, due).await.unwrap();
        desk.run().await;
        assert!(desk.asked().await[0].status.is_open());
        desk.gateway.broker.return_by_hand(&desk.building, message.id, None, None, None).await.unwrap();
        assert_eq!(desk.asked().await[0].status, TaskStatus::Done);
    })
    .await;
}
