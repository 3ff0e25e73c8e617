//! Citizens, on both engines: applications come in once, secrets and sessions end, a link is used once though several use it at the
//! same time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use broker::{Application, Asked, Broker, Channel, Citizens, Error, Once};
use bytes::Bytes;
use model::activity::{Dispatch, DispatchKind, DispatchStatus, DispatchStep};
use model::adapter::{
    Adapter, CallbackRequest, Capability, Delivery, Descriptor, Health, Host, Interest, Link, Receipt, Reply,
    Sources,
};
use model::case::Description;
use model::command::Change;
use model::party::Party;
use model::public_state::PublicState;
use model::record::Meta;
use model::testkit::a_dispatch;
use model::{Caller, Clock, EventKind, Failure, Id, Record, RecordKind, Scope, ids};
use serde_json::Value;

use crate::engines::on_every_engine;
use crate::house::{Gateway, SetClock, caller, change};

pub(crate) const PDF: &[u8] = b"%PDF-1.7\n%%EOF\n";

/// A gateway with citizens' pages, and adapters of the ways `portal` and `push` that do nothing by themselves.
pub(crate) struct Bed {
    pub(crate) broker: Broker,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) ours: Caller,
    pub(crate) gateway: Gateway,
}

impl Bed {
    pub(crate) async fn new(database: Option<String>) -> Self {
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::on(database, clock.clone()).await;
        let citizens = Citizens {
            url: "https://buerger.example".into(),
            most_bytes: 1 << 18,
            ways: ["mail", "push", "portal"].map(str::to_owned).to_vec(),
            ..Citizens::default()
        };
        let ways = ["mail", "push", "portal"];
        let ours = caller("soest", "63");
        let broker = gateway.broker.clone().with_citizens(citizens);
        let broker = broker.with_adapters(ways.map(Idle::of_way).to_vec());
        let broker = broker.with_channels(ways.map(|way| (way.to_owned(), channel(&ours))));
        Bed { broker, clock, ours, gateway }
    }

    pub(crate) async fn apply(&self, key: &str) -> broker::Applied {
        self.applies(key, application()).await.unwrap()
    }

    pub(crate) async fn applies(
        &self,
        key: &str,
        application: Application,
    ) -> Result<broker::Applied, Error> {
        let once = Once::new(key.into(), "d".into());
        self.broker.take_application(&self.ours, application, &once).await
    }

    pub(crate) async fn enters(&self, number: &str, secret: &str) -> Result<broker::CitizenSession, Error> {
        self.broker.citizen_enters(number, secret).await
    }
}

/// An adapter of a way that nothing follows from. Called from outside it reads links of a record, or keeps those that it has read.
struct Idle(Descriptor, Mutex<Vec<Link>>);

impl Idle {
    fn of_way(way: &str) -> Arc<dyn Adapter> {
        let capabilities = vec![Capability::Deliver, Capability::Reconcile, Capability::Callback];
        let mut descriptor = Descriptor::new(way, "idle", capabilities);
        descriptor.follows = vec![Interest { event: EventKind::RecordCreated, record: RecordKind::Dispatch }];
        descriptor.way = Some(way.to_owned());
        Arc::new(Idle(descriptor, Mutex::default()))
    }
}

#[async_trait]
impl Adapter for Idle {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    async fn deliver(&self, _: &Delivery, _: Sources<'_>) -> Result<Receipt, Failure> {
        Ok(Receipt::nothing())
    }

    async fn reconcile(&self, _: &Delivery) -> Result<Option<Receipt>, Failure> {
        Ok(None)
    }

    async fn callback(&self, request: CallbackRequest, host: Arc<dyn Host>) -> Result<Reply, Failure> {
        let (what, record) = request.path.split_once('/').unwrap();
        if what == "read" {
            let read = host.links(record.parse().unwrap()).await?;
            *self.1.lock().unwrap() = read;
        } else {
            let read = self.1.lock().unwrap().clone();
            for mut link in read {
                link.state["told"] = "now".into();
                host.link(link).await?;
            }
        }
        Ok(Reply::text(200, ""))
    }

    async fn check(&self) -> Health {
        Health { ok: true, detail: String::new() }
    }
}

fn channel(caller: &Caller) -> Channel {
    Channel {
        scope: Scope::tenant("soest"),
        authority: caller.authority.clone().unwrap(),
        unit: "63".into(),
        from_beginning: false,
        patience: Duration::from_secs(3_600),
    }
}

pub(crate) fn application() -> Application {
    let parties = vec![Party { role: Some("applicant".into()), ..Party::default() }];
    Application {
        service: Some("baugenehmigung".into()),
        description: Description { title: "Carport".into(), parties, ..Description::default() },
        form: Some(("application/json".into(), b"{}".to_vec())),
        ..Application::default()
    }
}

pub(crate) fn is_refused<T>(outcome: &Result<T, Error>) -> bool {
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
async fn a_session_ends_by_itself_unless_somebody_looks_and_then_too() {
    let bed = Bed::new(None).await;
    let access = bed.apply("k").await.access;
    let first = bed.enters(&access.number, &access.secret).await.unwrap();
    bed.clock.advance(Duration::from_secs(29 * 60));
    let mut session = bed.broker.citizen_session(&first.token).await.unwrap();
    for _ in 0..17 {
        session = bed.broker.citizen_goes_on(session).await.unwrap();
        assert_eq!((&session.form, session.ends <= session.latest), (&first.form, true));
        bed.clock.advance(Duration::from_secs(28 * 60));
        if bed.clock.now() < session.ends {
            session = bed.broker.citizen_session(&session.token).await.unwrap();
        }
    }
    // The first one is over, though the session went on; after eight hours all of them are.
    assert!(is_refused(&bed.broker.citizen_session(&first.token).await));
    assert_eq!(session.ends, session.latest);
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

impl Bed {
    pub(crate) async fn brings(&self, token: &str, bytes: &'static [u8]) -> Result<(), Error> {
        let page = self.broker.upload_page(token).await?;
        let body = futures::stream::iter([Ok(Bytes::from_static(bytes))]);
        let file = self.broker.stage_upload(&page, (1, "plan.pdf"), body).await?;
        self.broker.take_upload(&page, vec![file]).await
    }

    /// A dispatch of the case by this way.
    pub(crate) async fn dispatch(&self, case: Id, way: Option<&str>, documents: &[Id]) -> Id {
        let case = self.broker.record(&self.ours, RecordKind::Case, case).await.unwrap();
        let dispatch = Dispatch {
            meta: Meta { id: ids::new_id(), version: 0, ..case.meta().clone() },
            case_id: case.meta().id,
            way: way.map(str::to_owned),
            documents: documents.to_vec(),
            ..a_dispatch(DispatchKind::Disclosure)
        };
        let create = crate::house::create(Record::Dispatch(dispatch));
        self.broker.submit(&self.ours, create, None).await.unwrap().meta().id
    }

    /// It lies there from now on.
    pub(crate) async fn provide(&self, dispatch: Id) -> Dispatch {
        let step = DispatchStep { kind: DispatchStatus::Provided, at: self.clock.now() };
        let step = change(RecordKind::Dispatch, dispatch, Change::DispatchStep(step, None));
        match self.broker.submit(&self.ours, step, None).await.unwrap() {
            Record::Dispatch(it) => it,
            other => panic!("{other:?}"),
        }
    }

    /// What events of a record say beside its changes, the oldest first.
    pub(crate) async fn told_of(&self, record: Id) -> Vec<Value> {
        let page = broker::Page::first(200);
        let line = self.broker.record_timeline(&self.ours, record, &page).await.unwrap();
        line.into_iter().filter_map(|(_, event)| event.detail).collect()
    }
}
