//! Citizens, on both engines: applications come in once, secrets and sessions end, a link is used once though several use it at the
//! same time.

use std::sync::Arc;
use std::time::Duration;

use broker::{Application, Asked, Broker, Citizens, Error, Once};
use bytes::Bytes;
use model::activity::{Dispatch, DispatchKind, DispatchOptions, DispatchStatus, DispatchStep};
use model::case::Description;
use model::command::Change;
use model::party::Party;
use model::public_state::PublicState;
use model::{Caller, Clock, Id, Record, RecordKind};

use crate::engines::on_every_engine;
use crate::house::{Gateway, SetClock, caller, change};

const PDF: &[u8] = b"%PDF-1.7\n%%EOF\n";

struct Bed {
    broker: Broker,
    clock: Arc<SetClock>,
    ours: Caller,
    _gateway: Gateway,
}

impl Bed {
    async fn new(database: Option<String>) -> Self {
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::on(database, clock.clone()).await;
        let citizens =
            Citizens { url: "https://buerger.example".into(), most_bytes: 1 << 16, ..Citizens::default() };
        let broker = gateway.broker.clone().with_citizens(citizens);
        Bed { broker, clock, ours: caller("soest", "63"), _gateway: gateway }
    }

    async fn apply(&self, key: &str) -> broker::Applied {
        let parties = vec![Party { role: Some("applicant".into()), ..Party::default() }];
        let application = Application {
            service: Some("baugenehmigung".into()),
            description: Description { title: "Carport".into(), parties, ..Description::default() },
            form: Some(("application/json".into(), b"{}".to_vec())),
            ..Application::default()
        };
        let once = Once { key: key.into(), digest: "d".into() };
        self.broker.take_application(&self.ours, application, &once).await.unwrap()
    }

    async fn enters(&self, number: &str, secret: &str) -> Result<broker::CitizenSession, Error> {
        self.broker.citizen_enters(number, secret).await
    }
}

fn is_refused<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::CitizenRefused))
}

#[tokio::test]
async fn an_application_comes_in_once_and_its_secret_opens_it_until_it_is_revoked() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let (first, again) = (bed.apply("k").await, bed.apply("k").await);
        assert_eq!((first.access.clone(), first.interaction), (again.access, again.interaction));
        assert_eq!((first.again, again.again), (false, true));
        let (number, secret) = (&first.access.number, &first.access.secret);
        let session = bed.enters(number, secret).await.unwrap();
        let view = bed.broker.citizen_view(&session).await.unwrap();
        assert_eq!((view.state, view.number.as_str()), (PublicState::Received, number.as_str()));
        let other = bed.apply("l").await.access;
        assert!(is_refused(&bed.enters(number, &other.secret).await));
        // Who belongs to another tenant cannot give or take anything.
        let foreign = caller("unna", "63");
        assert!(bed.broker.give_access(&foreign, first.access.case).await.is_err());
        bed.broker.revoke_access(&bed.ours, first.access.case).await.unwrap();
        assert!(is_refused(&bed.broker.citizen_session(&session.token).await));
        assert!(is_refused(&bed.enters(number, secret).await));
        let next = bed.broker.give_access(&bed.ours, first.access.case).await.unwrap();
        assert_eq!(&next.number, number);
        bed.enters(number, &next.secret).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let bed = Bed::new(None).await;
    let access = bed.apply("k").await.access;
    let session = bed.enters(&access.number, &access.secret).await.unwrap();
    bed.clock.advance(Duration::from_secs(29 * 60));
    bed.broker.citizen_session(&session.token).await.unwrap();
    bed.clock.advance(Duration::from_secs(2 * 60));
    assert!(is_refused(&bed.broker.citizen_session(&session.token).await));
}

#[tokio::test]
async fn a_link_is_used_once_though_several_use_it_at_the_same_time() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let case = bed.apply("k").await.access.case;
        let asked = Asked { what: "Lageplan".into(), due_days: 14 };
        let wanting = bed.broker.ask_for_document(&bed.ours, case, asked, None).await.unwrap();
        let token = wanting.link.rsplit('/').next().unwrap();
        let outcomes = tokio::join!(
            bed.brings(token, PDF),
            bed.brings(token, b"%PDF-2.0\n"),
            bed.brings(token, b"%PDF-1.4\n")
        );
        let outcomes = [outcomes.0, outcomes.1, outcomes.2];
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert!(matches!(bed.brings(token, PDF).await, Err(Error::LinkOver)));
        let task = bed.broker.record(&bed.ours, RecordKind::Task, wanting.task.meta.id).await.unwrap();
        assert_eq!(task.status(), "done");
    })
    .await;
}

#[tokio::test]
async fn what_was_not_provided_is_not_fetched() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database).await;
        let access = bed.apply("k").await.access;
        let session = bed.enters(&access.number, &access.secret).await.unwrap();
        let form = bed.documents(access.case).await[0];
        let dispatch = bed.dispatch(access.case, form).await;
        let not_found = |outcome: Result<_, Error>| {
            matches!(outcome.map(drop), Err(Error::Model(model::Error::NotFound { .. })))
        };
        assert!(not_found(bed.broker.citizen_fetches(&session, dispatch, form).await));
        let step = DispatchStep { kind: DispatchStatus::Provided, at: bed.clock.now() };
        let step = Change::DispatchStep(step, None);
        bed.broker.submit(&bed.ours, change(RecordKind::Dispatch, dispatch, step), None).await.unwrap();
        // It goes by another way.
        assert!(not_found(bed.broker.citizen_fetches(&session, dispatch, form).await));
    })
    .await;
}

impl Bed {
    async fn brings(&self, token: &str, bytes: &'static [u8]) -> Result<(), Error> {
        let page = self.broker.upload_page(token).await?;
        let body = futures::stream::iter([Ok(Bytes::from_static(bytes))]);
        let file = self.broker.stage_upload(&page, (1, "plan.pdf"), body).await?;
        self.broker.take_upload(&page, vec![file]).await
    }

    async fn documents(&self, case: Id) -> Vec<Id> {
        let filter =
            broker::RecordFilter { parent: Some(case), ..broker::RecordFilter::of(RecordKind::Document) };
        let found = self.broker.records(&self.ours, &filter, &broker::Page::first(10)).await.unwrap();
        found.items.iter().map(|record| record.meta().id).collect()
    }

    /// A dispatch that the gateway does not carry.
    async fn dispatch(&self, case: Id, document: Id) -> Id {
        let case = self.broker.record(&self.ours, RecordKind::Case, case).await.unwrap();
        let meta = model::record::Meta { id: model::ids::new_id(), version: 0, ..case.meta().clone() };
        let mut json = serde_json::json!({
            "caseId": case.meta().id, "kind": DispatchKind::Disclosure, "documents": [document],
            "options": DispatchOptions::default(),
        });
        for (name, value) in serde_json::to_value(&meta).unwrap().as_object().unwrap() {
            json[name] = value.clone();
        }
        let dispatch: Dispatch = serde_json::from_value(json).unwrap();
        let create = crate::house::create(Record::Dispatch(dispatch));
        self.broker.submit(&self.ours, create, None).await.unwrap().meta().id
    }
}
