//! Figures are noted once by all nodes together; an alert is told once, again when it shall be, and when it is over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use broker::{
    AlertHook, AlertRule, AlertSeverity, Alerts, Broker, CertificateEnd, CertificateOf, Mailer, Quotas,
    WeakCertificate,
};
use model::outbound::{ChosenBy, Outbound, Post, Reply};
use model::{Clock, Failure, Role, Scope};
use seal::webhook::SharedSecret;
use serde_json::{Value, json};

use crate::engines::on_every_engine;
use crate::house::{Gateway, SetClock, caller};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const MINUTE: Duration = Duration::from_secs(61);

#[derive(Default)]
struct Told {
    mails: Mutex<Vec<(String, String, String)>>,
    posts: Mutex<Vec<Value>>,
    away: Mutex<bool>,
}

#[async_trait]
impl Mailer for Told {
    async fn mail(&self, to: &str, subject: &str, text: &str) -> Result<(), Failure> {
        if *self.away.lock().unwrap() {
            return Err(Failure::transient("post.smtp-unreachable", "away"));
        }
        self.mails.lock().unwrap().push((to.into(), subject.into(), text.into()));
        Ok(())
    }
}

struct Web(Arc<Told>);

#[async_trait]
impl Outbound for Web {
    fn permits(&self, _: &str, _: ChosenBy) -> Result<(), Failure> {
        Ok(())
    }

    async fn post(&self, post: &Post) -> Result<Reply, Failure> {
        let field = |name: &str| post.headers.iter().find(|it| it.0 == name).unwrap().1.clone();
        let secret = SharedSecret::parse(SECRET).unwrap();
        let (id, at) = (field("webhook-id"), field("webhook-timestamp"));
        assert!(secret.signed(&id, &at, &post.body, &field("webhook-signature")));
        self.0.posts.lock().unwrap().push(serde_json::from_slice(&post.body).unwrap());
        Ok(Reply { status: 204, content_type: None, retry_after: None, body: vec![] })
    }
}

fn rule() -> AlertRule {
    let hook =
        AlertHook { url: "https://pager.example/in".into(), secret: SharedSecret::parse(SECRET).unwrap() };
    AlertRule {
        id: "zertifikat".into(),
        series: "certificates.days".into(),
        label: None,
        above: None,
        below: Some(30.0),
        lasting: Duration::from_secs(60),
        severity: AlertSeverity::Warning,
        to: vec!["leitstelle@kreis.example".into()],
        hook: Some(Arc::new(hook)),
        repeat: Some(Duration::from_secs(3_600)),
    }
}

/// The end of a certificate of the whole house.
fn ends(name: &str, until: model::Timestamp) -> CertificateEnd {
    CertificateEnd { name: name.to_owned(), until, of: CertificateOf::KeyPair(None) }
}

fn with_days(broker: &Broker, clock: &SetClock, days: u64) -> Broker {
    let until = clock.now().plus(Duration::from_secs(days * 86_400));
    broker.clone().with_certificates(vec![ends("tls", until)])
}

#[tokio::test]
async fn an_alert_fires_once_on_two_nodes_repeats_and_resolves() {
    on_every_engine(|database| async move {
        let (clock, told) = (Arc::new(SetClock::default()), Arc::new(Told::default()));
        let gateway = Gateway::on_with(database, clock.clone(), Arc::new(Web(told.clone()))).await;
        let alerts = Alerts { rules: vec![rule()], mailer: Some(told.clone()) };
        let broker = gateway.broker.clone().with_alerts(alerts);
        let mut operator = caller("soest", "63");
        operator.scope = Scope::tenant("soest");
        let nodes = [with_days(&broker, &clock, 10), with_days(&broker, &clock, 10)];
        let mails = || told.mails.lock().unwrap().len();
        let look = async |nodes: &[Broker]| {
            let mut noted = 0;
            for node in nodes {
                noted += usize::from(node.figures_due().await.unwrap());
            }
            assert_eq!(noted, 1, "one node at a time");
            clock.advance(MINUTE);
        };

        look(&nodes).await;
        assert_eq!(mails(), 0, "not for long enough");
        *told.away.lock().unwrap() = true;
        look(&nodes).await;
        let now = nodes[0].alerts(&operator).await.unwrap();
        assert_eq!((now[0].firing, now[0].failed.as_deref()), (true, Some("post.smtp-unreachable")));
        *told.away.lock().unwrap() = false;
        look(&nodes).await;
        look(&nodes).await;
        assert_eq!(mails(), 1, "told once");
        assert_eq!(
            told.posts.lock().unwrap().len(),
            1,
            "who was told does not hear it again because another could not be"
        );
        let now = nodes[1].alerts(&operator).await.unwrap();
        assert_eq!(
            (now[0].label.as_str(), now[0].firing, now[0].value, &now[0].failed),
            ("tls", true, Some(9.0), &None)
        );
        clock.advance(Duration::from_secs(3_600));
        look(&nodes).await;
        assert_eq!(mails(), 2, "and told again");

        let renewed = [with_days(&broker, &clock, 300)];
        look(&renewed).await;
        assert_eq!(mails(), 3);
        let kinds: Vec<_> = told.posts.lock().unwrap().iter().map(|post| post["type"].clone()).collect();
        assert_eq!(kinds.last(), Some(&json!("alert.resolved")));
        look(&renewed).await;
        let now = renewed[0].alerts(&operator).await.unwrap();
        assert_eq!((mails(), now[0].firing, now[0].since), (3, false, None));

        let from = clock.now();
        let from = model::Timestamp::from_micros(from.micros() - 7_200_000_000);
        let figures = renewed[0].figures(&operator, "certificates.days", from, clock.now()).await.unwrap();
        let values: Vec<f64> = figures.iter().map(|figure| figure.value).collect();
        assert_eq!((figures.len(), values.first(), values.last()), (7, Some(&10.0), Some(&299.0)));
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_always_fails_keeps_nobody_from_hearing_of_something_new() {
    let (clock, told) = (Arc::new(SetClock::default()), Arc::new(Told::default()));
    *told.away.lock().unwrap() = true;
    let gateway = Gateway::on_with(None, clock.clone(), Arc::new(Web(told.clone()))).await;
    let alerts = Alerts { rules: vec![AlertRule { hook: None, ..rule() }], mailer: Some(told.clone()) };
    let until = clock.now().plus(Duration::from_secs(10 * 86_400));
    let all = (0..25).map(|at| ends(&format!("tls-{at}"), until)).collect();
    let broker = gateway.broker.clone().with_alerts(alerts).with_certificates(all);
    let mut operator = caller("soest", "63");
    operator.scope = Scope::tenant("soest");
    for heard in [0, 20, 25] {
        broker.figures_due().await.unwrap();
        let now = broker.alerts(&operator).await.unwrap();
        assert_eq!(now.iter().filter(|alert| alert.told_at.is_some()).count(), heard);
        clock.advance(MINUTE);
    }
}

#[tokio::test]
async fn an_alert_stays_as_it_is_while_its_figure_is_not_known() {
    let (clock, told) = (Arc::new(SetClock::default()), Arc::new(Told::default()));
    let gateway = Gateway::on(None, clock.clone()).await;
    let full =
        AlertRule { series: "disk.free".into(), below: Some(1e18), hook: None, repeat: None, ..rule() };
    let alerts = Alerts { rules: vec![full], mailer: Some(told.clone()) };
    let node = || gateway.broker.clone().with_alerts(alerts.clone()).with_quotas(Quotas::default());
    let (sees, sees_not) = (node(), node());
    sees.look_at_pressure().await;
    let mut operator = caller("soest", "63");
    operator.scope = Scope::tenant("soest");
    for (node, mails) in [(&sees, 0), (&sees, 1), (&sees_not, 1), (&sees_not, 1)] {
        assert!(node.figures_due().await.unwrap());
        assert_eq!(told.mails.lock().unwrap().len(), mails, "told once, and not that it is over");
        clock.advance(MINUTE);
    }
    let now = sees_not.alerts(&operator).await.unwrap();
    assert_eq!((now[0].firing, now[0].value.is_some()), (true, true));
}

#[tokio::test]
async fn a_partner_that_falls_silent_is_missed() {
    on_every_engine(|database| async move {
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::on(database, clock.clone()).await;
        let sender = caller("soest", "63");
        let mut operator = sender.clone();
        operator.scope = Scope::tenant("soest");
        let partner = gateway.accept(&sender, &json!({ "number": 1 })).await.unwrap().partner;
        let below = |id: &str, label: Option<&String>, limit: f64| AlertRule {
            id: id.into(),
            series: "messages.in".into(),
            label: label.cloned(),
            below: Some(limit),
            hook: None,
            ..rule()
        };
        let rules = vec![below("genannt", Some(&partner), 0.5), below("jeder", None, 1.0)];
        let broker = gateway.broker.clone().with_alerts(Alerts { rules, mailer: None });
        // Of four looks the second finds the message, and those after it nothing.
        for _ in 0..4 {
            assert!(broker.figures_due().await.unwrap());
            clock.advance(Duration::from_secs(70));
        }
        let now = broker.alerts(&operator).await.unwrap();
        let missed = now.iter().filter(|alert| alert.label == partner && alert.firing);
        let missed: Vec<_> = missed.map(|alert| (alert.id.as_str(), alert.value)).collect();
        assert_eq!(missed, [("genannt", Some(0.0)), ("jeder", Some(0.0))]);
    })
    .await;
}

#[tokio::test]
async fn weak_certificates_are_told_to_those_whom_they_concern_and_counted() {
    let gateway = Gateway::start().await;
    let weak = |tenant: Option<&str>, name: &str| WeakCertificate {
        tenant: tenant.map(str::to_owned),
        name: name.to_owned(),
        subject: "CN=x".into(),
        why: vec!["RSA 2048 bit".into()],
    };
    let all = vec![weak(None, "osci.trust"), weak(Some("soest"), "a"), weak(Some("unna"), "b")];
    let broker = gateway.broker.clone().with_weak_certificates(all);
    let mut operator = caller("soest", "63");
    operator.roles = vec![Role::Operator];
    assert!(broker.weak_certificates_of(&operator).await.unwrap().is_empty(), "of the whole tenant alone");
    operator.scope = Scope::tenant("soest");
    let told = broker.weak_certificates_of(&operator).await.unwrap();
    assert_eq!(told.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["osci.trust", "a"]);
    assert!(broker.figures_due().await.unwrap());
    let from = model::Timestamp::from_micros(0);
    let until = broker.now().plus(MINUTE);
    let figures = broker.figures(&operator, "certificates.weak", from, until).await.unwrap();
    assert_eq!(figures[0].value, 3.0);
}

#[tokio::test]
async fn key_pairs_are_told_to_those_whom_they_concern_and_ways_are_not_among_them() {
    let gateway = Gateway::start().await;
    let day = |days: u64| gateway.broker.now().plus(Duration::from_secs(days * 86_400));
    let of = |name: &str, until, of| CertificateEnd { name: name.to_owned(), until, of };
    let tenant = |tenant: &str| CertificateOf::KeyPair(Some(tenant.to_owned()));
    let all = vec![
        of("bab:05974000 osci", day(1), CertificateOf::Way),
        ends("tls", day(9)),
        of("payment_provider a", day(2), tenant("soest")),
        of("payment_provider b", day(3), tenant("unna")),
    ];
    let broker = gateway.broker.clone().with_certificates(all);
    let mut operator = caller("soest", "63");
    operator.roles = vec![Role::Operator];
    assert!(broker.key_pair_ends(&operator).unwrap().is_empty(), "of the whole tenant alone");
    operator.scope = Scope::tenant("soest");
    let told = broker.key_pair_ends(&operator).unwrap();
    assert_eq!(told.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["payment_provider a", "tls"]);
    operator.roles = vec![Role::Cashier];
    assert_eq!(broker.key_pair_ends(&operator).unwrap_err().code(), "model.forbidden");
}

#[tokio::test]
async fn a_rule_is_tried_out_by_those_who_operate_and_the_act_is_in_the_evidence() {
    let told = Arc::new(Told::default());
    let gateway = Gateway::start().await;
    let alerts = Alerts { rules: vec![rule()], mailer: Some(told.clone()) };
    let broker = gateway.broker.clone().with_alerts(alerts);
    let mut operator = caller("soest", "63");
    operator.scope = Scope::tenant("soest");
    let sent = broker.test_alert(&operator, "zertifikat").await.unwrap();
    let outcome: Vec<_> = sent.iter().map(|sent| (sent.to.as_str(), sent.code.as_deref())).collect();
    assert_eq!(
        outcome,
        [("leitstelle@kreis.example", None), ("https://pager.example", Some("net.unreachable"))]
    );
    assert!(told.mails.lock().unwrap()[0].1.contains("Probealarm"));
    broker.run_due_jobs().await.unwrap();
    let events = broker.events(&operator, 0, 100).await.unwrap();
    assert!(events.iter().any(|sealed| json!(sealed.event.kind) == "alert.tested"));

    assert_eq!(broker.test_alert(&operator, "nichts").await.unwrap_err().code(), "model.not-found");
    operator.roles = vec![Role::Clerk];
    assert_eq!(broker.test_alert(&operator, "zertifikat").await.unwrap_err().code(), "model.forbidden");
    assert_eq!(broker.alerts(&operator).await.unwrap_err().code(), "model.forbidden");
}

#[tokio::test]
async fn values_become_hourly_after_two_days_and_go_after_thirty() {
    on_every_engine(|database| async move {
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::on(database, clock.clone()).await;
        let mut operator = caller("soest", "63");
        operator.scope = Scope::tenant("soest");
        let begin = clock.now();
        for _ in 0..4 {
            gateway.broker.figures_due().await.unwrap();
            clock.advance(MINUTE);
        }
        let count = async || {
            let all = gateway.broker.figures(&operator, "messages.parked", begin, clock.now()).await.unwrap();
            all.len()
        };
        assert_eq!(count().await, 4);
        clock.advance(Duration::from_secs(2 * 86_400 + 3_600));
        gateway.broker.figures_due().await.unwrap();
        clock.advance(MINUTE);
        // Four minutes may lie in two hours.
        assert!((2..=3).contains(&count().await));
        clock.advance(Duration::from_secs(31 * 86_400));
        gateway.broker.figures_due().await.unwrap();
        clock.advance(MINUTE);
        assert_eq!(count().await, 1);
    })
    .await;
}

#[tokio::test]
async fn every_message_is_counted_once_however_long_nobody_counted() {
    on_every_engine(|database| async move {
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::on(database, clock.clone()).await;
        let sender = caller("soest", "63");
        let mut operator = sender.clone();
        operator.scope = Scope::tenant("soest");
        let begin = model::Timestamp::from_micros(clock.now().micros() - 600_000_000);
        gateway.accept(&sender, &json!({ "number": 1 })).await.unwrap();
        let counts = async || {
            let rows = gateway.broker.figures(&operator, "messages.in", begin, clock.now()).await.unwrap();
            let whole = rows.iter().filter(|row| row.label.is_empty());
            whole.map(|row| (row.at, row.span, row.value)).collect::<Vec<_>>()
        };
        // What may not be committed yet waits for the next count.
        assert!(gateway.broker.figures_due().await.unwrap());
        assert_eq!(counts().await.iter().map(|it| it.2).collect::<Vec<_>>(), [0.0]);
        gateway.accept(&sender, &json!({ "number": 2 })).await.unwrap();
        // Seventy seconds, and then three hours in which nobody counts.
        for pause in [70, 3 * 3_600] {
            clock.advance(Duration::from_secs(pause));
            assert!(gateway.broker.figures_due().await.unwrap());
        }
        let counts = counts().await;
        assert_eq!(counts.iter().map(|it| it.2).collect::<Vec<_>>(), [0.0, 2.0, 0.0]);
        let lengths = counts.iter().map(|it| it.1.as_secs()).collect::<Vec<_>>();
        assert_eq!(lengths, [60, 70, 3 * 3_600]);
        let follow = |it: &[(model::Timestamp, Duration, f64)]| it[0].0.plus(it[0].1) == it[1].0;
        assert!(counts.windows(2).all(follow), "each begins where the one before ends");
    })
    .await;
}
