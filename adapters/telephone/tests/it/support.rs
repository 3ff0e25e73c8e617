//! Settings, and a telephone system with a gateway in small.

use std::sync::Arc;
use std::time::Duration;

use adapter_telephone::{Asterisk, Login, Settings};
use conformance::simulate::ari::{PASSWORD, Recorded, Simulator, USER, renamed};
use model::SystemClock;
use model::adapter::Adapter;
use model::hours::Hours;
use net::{Client, Egress};
use serde_json::Value;

use crate::desk::Desk;

/// Open always: the recordings are of a Monday before dawn.
pub(crate) const ALWAYS: &str = "mo-su 00:00-24:00";

pub(crate) fn settings(url: &str, hours: &str) -> Settings {
    let none: [&str; 0] = [];
    Settings {
        id: "pbx".into(),
        url: url.into(),
        login: Login { user: USER.into(), password: PASSWORD.to_owned().into() },
        application: "gateway".into(),
        contexts: vec!["inbound".into()],
        agents: "PJSIP/{}".into(),
        outside: "PJSIP/{}@trunk".into(),
        caller_id: "\"Landkreis\" <+493815550>".into(),
        may_call: vec!["+49".into()],
        may_not_call: vec!["+4932".into()],
        country: "49".into(),
        area: Some("381".into()),
        hours: Hours::read(&[hours], Some(&none)).unwrap(),
        call_back_within: Duration::from_secs(4 * 3_600),
        missed_calls_back: true,
        rings: Duration::from_secs(30),
        within: Duration::from_secs(5),
        listens: Duration::from_millis(150),
        calls_a_minute: 600,
        most_events: 10_000,
    }
}

/// Hours of which none are now, nor when the recordings were made.
pub(crate) fn closed() -> Hours {
    let today = time::OffsetDateTime::now_utc().date();
    let mut days: Vec<String> = (-1..=1).map(|day| (today + time::Duration::days(day)).to_string()).collect();
    days.push("2026-11-23".to_owned());
    Hours::read(&[ALWAYS.to_owned()], Some(&days)).unwrap()
}

pub(crate) struct Bench {
    pub(crate) system: Simulator,
    pub(crate) asterisk: Asterisk,
    pub(crate) desk: Arc<Desk>,
}

pub(crate) async fn bench() -> Bench {
    bench_of(|_| {}).await
}

pub(crate) async fn bench_of(change: impl FnOnce(&mut Settings)) -> Bench {
    let system = Simulator::start().await.unwrap();
    let mut settings = settings(&system.url, ALWAYS);
    change(&mut settings);
    let bench = Bench { asterisk: made(settings), desk: Arc::default(), system };
    bench.session().await.unwrap();
    bench
}

pub(crate) fn made(settings: Settings) -> Asterisk {
    let client =
        Client::new(Egress::new(&["127.0.0.1"]).unwrap(), net::Settings::default(), Arc::new(SystemClock));
    Asterisk::new(settings, client, Arc::new(SystemClock))
}

impl Bench {
    pub(crate) async fn session(&self) -> Result<Duration, model::Failure> {
        self.asterisk.run(self.desk.clone()).await
    }

    /// The gateway dies and comes back: nothing in memory is left.
    pub(crate) fn restarted(self) -> Bench {
        let asterisk = self.another();
        Bench { asterisk, ..self }
    }

    /// The same adapter on another node.
    pub(crate) fn another(&self) -> Asterisk {
        made(settings(&self.system.url, ALWAYS))
    }

    /// The words that the dialplan was told.
    pub(crate) fn answers(&self) -> Vec<String> {
        let told = self.system.calls().into_iter();
        told.filter_map(|call| Some(call.split_once("value=")?.1.split(' ').next()?.to_owned())).collect()
    }

    /// How often a caller was let go on in the dialplan.
    pub(crate) fn went_on(&self) -> usize {
        self.system.calls().iter().filter(|call| call.contains("/continue")).count()
    }

    /// The call that was recorded comes in, all of it.
    pub(crate) fn called(&self) {
        inbound().iter().for_each(|event| self.system.tell(event));
    }
}

pub(crate) fn inbound() -> Vec<Value> {
    Recorded::Inbound.events()
}

/// The recorded call on another channel, with another number.
pub(crate) fn call(channel: &str, number: &str) -> Vec<Value> {
    let other = |event: &Value| {
        let text = renamed(event, "1795401955.1", channel).to_string().replace("+4938155512345", number);
        serde_json::from_str(&text).unwrap()
    };
    inbound().iter().map(other).collect()
}
