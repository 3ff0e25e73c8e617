//! A gateway for tests: two tenants, their tokens, and requests to the router without a network.

use std::sync::Arc;

use api::{Api, Settings};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use broker::house::{AuthorityEntry, House, Route, Tenant, Unit};
use broker::{Broker, Channel, Citizens, Limits, NewToken, Parts, PublicService, Quotas, Workers};
use futures::StreamExt;
use model::command::Rules;
use model::outbound::{ChosenBy, Outbound, Post, Reply};
use model::party::TrustLevel;
use model::rights::Within;
use model::standard::Standard;
use model::{Actor, Authority, Failure, Role, Scope, SystemClock};
use schemas::Schemas;
use seal::evidence_key::EvidenceKey;
use seal::keys::{KeyRing, MasterKey};
use serde_json::{Value, json};
use store::Store;
use tempfile::TempDir;
use tower::ServiceExt;
use xoev::xdomea::{Options, Xdomea};

use crate::outside::{OUTSIDE, Outside};
use crate::till::{self, Till};

/// Largest message of these tests, in bytes.
pub(crate) const MOST_BYTES: u64 = 8 << 20;

/// Every role at once: what such a token cannot do, scope alone forbids.
pub(crate) const ALL_ROLES: &[Role] = &Role::ALL;

pub(crate) struct Gateway {
    pub(crate) router: Router,
    pub(crate) broker: Broker,
    /// The doors that stand on the internet.
    pub(crate) doors: Router,
    /// The provider of all payments.
    pub(crate) till: Arc<Till>,
    /// The adapter that is told of contacts, and that may be called.
    pub(crate) outside: Arc<Outside>,
    _folder: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of a problem, after its shape was looked at.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        for member in ["type", "title", "detail", "detailDe"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {problem}");
        }
        let code = problem["code"].as_str().unwrap().to_owned();
        let sentence = model::catalog::sentence(&code).unwrap_or_else(|| panic!("{code} has no page"));
        assert_eq!(problem["detail"], sentence.en);
        code
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

/// No network; any address but those of this machine would be fine.
struct Nowhere;

#[async_trait]
impl Outbound for Nowhere {
    fn permits(&self, url: &str, _: ChosenBy) -> Result<(), Failure> {
        if url.contains("127.0.0.1") {
            return Err(Failure::permanent("net.forbidden", "loopback"));
        }
        Ok(())
    }

    async fn post(&self, _: &Post) -> Result<Reply, Failure> {
        Err(Failure::transient("net.unreachable", "there is no network"))
    }
}

/// A request that is put together.
pub(crate) struct Call {
    method: Method,
    uri: String,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

impl Call {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let uri = format!("{}{path}", api::BASE);
        Call { method: method.parse().unwrap(), uri, headers: vec![], body: Body::empty() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Call::new("GET", path)
    }

    pub(crate) fn post(path: &str) -> Self {
        Call::new("POST", path)
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn json(self, body: Value) -> Self {
        self.with("content-type", "application/json").bytes(body.to_string())
    }

    pub(crate) fn bytes(self, body: impl Into<Body>) -> Self {
        Call { body: body.into(), ..self }
    }

    pub(crate) fn request(self, token: &str) -> Request<Body> {
        let mut request = Request::builder().method(self.method).uri(self.uri);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(self.body).unwrap()
    }
}

/// Tenants and the key of the one authority that each has.
const TENANTS: &[(&str, &str)] =
    &[("soest", "bab:05974000"), ("lippstadt", "bab:05974028"), ("unna", "bab:05978000")];

pub(crate) fn authority(tenant: &str) -> Authority {
    TENANTS.iter().find(|(id, _)| *id == tenant).unwrap().1.parse().unwrap()
}

fn tenant(id: &str) -> Tenant {
    let key = authority(id);
    let unit = |id: &str| Unit { id: id.into(), name: format!("Amt {id}"), escalation: None };
    Tenant {
        id: id.into(),
        name: id.into(),
        authorities: vec![AuthorityEntry {
            key,
            name: format!("Bauaufsicht {id}"),
            unit: "63".into(),
            osci_certificates: vec![],
            osci: None,
            osci_mailboxes: vec![],
            xta: None,
            xta_mailboxes: vec![],
            xta_box: false,
            xta_reader: None,
            xta_services: vec![],
        }],
        units: vec![unit("63"), unit("70")],
        routes: vec![Route { service: Some("baugenehmigung".into()), ..Route::default() }],
        services: vec![],
    }
}

/// The citizens' pages of these tests.
fn citizens() -> Citizens {
    let service = PublicService {
        name: "Baugenehmigung".into(),
        name_en: Some("Building permit".into()),
        minimum_level: Some(TrustLevel::Substantial),
    };
    Citizens {
        url: "https://buerger.example".into(),
        office: "Kreis Musterkreis".into(),
        imprint: "https://www.kreis.example/impressum".into(),
        privacy: "https://www.kreis.example/datenschutz".into(),
        feedback_email: "barrierefrei@kreis.example".into(),
        feedback_phone: Some("+49 2921 300".into()),
        arbitration: (
            "Ombudsstelle für barrierefreie Technik".into(),
            "https://ombudsstelle.example/".into(),
        ),
        statement_made: "2026-11-30".into(),
        barriers: vec![],
        services: [("baugenehmigung".to_owned(), service)].into(),
        ways: ["mail", "portal"].map(str::to_owned).to_vec(),
        most_bytes: 1 << 20,
    }
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Gateway::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Gateway::limited(settings, Quotas::default()).await
    }

    pub(crate) async fn limited(settings: Settings, quotas: Quotas) -> Self {
        Gateway::ruled(settings, quotas, Rules::default()).await
    }

    pub(crate) async fn ruled(settings: Settings, quotas: Quotas, rules: Rules) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(store::Config {
            database: format!("sqlite:{}", folder.path().join("db").display()),
            payloads: folder.path().join("payloads"),
            keys: Arc::new(KeyRing::new(MasterKey::random().unwrap(), vec![])),
            clock: Arc::new(SystemClock),
        })
        .await
        .unwrap();
        let xdomea: Arc<dyn Standard> = Arc::new(Xdomea::new(Arc::new(Schemas::new()), Options::default()));
        let reads =
            xdomea.writes().iter().map(|version| ("xdomea".to_owned(), (*version).to_owned())).collect();
        let tenants = TENANTS.iter().map(|(id, _)| tenant(id)).collect();
        let house = Arc::new(House::new(tenants, reads, MOST_BYTES));
        let broker = Broker::new(Parts {
            store,
            standards: vec![xdomea],
            directory: house.clone(),
            house,
            clock: Arc::new(SystemClock),
            evidence_key: Arc::new(EvidenceKey::random().unwrap()),
            outbound: Arc::new(Nowhere),
            rules,
            limits: Limits { most_bytes: MOST_BYTES },
            node: "test".into(),
            stamping: None,
        })
        .with_quotas(quotas);
        let till = Arc::new(Till::new());
        let tenants: Vec<&str> = TENANTS.iter().map(|(id, _)| *id).collect();
        let broker = broker.with_payments(till::payments(&till, &tenants));
        let outside = Arc::new(Outside::new());
        let portal = adapter_portal::adapter("portal", Arc::new(SystemClock));
        let everything = Channel { scope: Scope::tenant("soest"), ..Outside::channel() };
        let broker = broker
            .with_citizens(citizens())
            .with_adapters(vec![outside.clone(), portal])
            .with_channels([(OUTSIDE.to_owned(), Outside::channel()), ("portal".to_owned(), everything)])
            .with_sending(sending());
        let router = api::router(Api::new(broker.clone(), settings));
        let doors = api::public_router(broker.clone());
        Gateway { router, broker, doors, till, outside, _folder: folder }
    }

    pub(crate) async fn work(&self) -> Workers {
        Workers::start(self.broker.clone()).await.unwrap()
    }

    pub(crate) async fn token(&self, tenant: &str, unit: &str, service: &str, roles: &[Role]) -> String {
        let within = |name: &str| if name == "*" { Within::All } else { Within::one(name) };
        let new = NewToken {
            name: format!("{tenant} {unit} {service}"),
            roles: roles.to_vec(),
            units: within(unit),
            services: within(service),
            authority: Some(authority(tenant)),
            expires_at: None,
        };
        self.broker.create_token(tenant, new, &Actor::gateway()).await.unwrap().secret
    }

    /// Sends a request and reads the answer to its end.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        Gateway::ask(&self.router, request).await
    }

    /// Knocks at one of the doors that stand on the internet; `url` may be whole.
    pub(crate) async fn knock(&self, request: Request<Body>) -> Answer {
        Gateway::ask(&self.doors, request).await
    }

    pub(crate) async fn ask(router: &Router, request: Request<Body>) -> Answer {
        let response = router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let mut stream = body.into_data_stream();
        let mut body = vec![];
        while let Some(piece) = stream.next().await {
            body.extend_from_slice(&piece.unwrap());
        }
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn call(&self, token: &str, call: Call) -> Answer {
        self.send(call.request(token)).await
    }

    /// Repeats a GET until its answer satisfies `done`; workers run in the background.
    pub(crate) async fn until(&self, token: &str, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            let json = self.call(token, Call::get(path)).await.is(200).json();
            if done(&json) {
                return json;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{path} never came to what was waited for");
    }
}

/// The digest of bytes as `Repr-Digest` has it.
pub(crate) fn repr_digest(bytes: &[u8]) -> String {
    use base64::Engine;
    let sha256 = hex::decode(seal::sha256(&[bytes]).to_string()).unwrap();
    format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(sha256))
}

/// Resident memory of this process without mapped files, in MiB.
pub(crate) fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1_024
}

/// What the house has decided about dispatches: since when a letter is deemed to be there on the fourth day.
fn sending() -> model::sending::Sending {
    let rule = json!({ "law": "§ 41 Abs. 2 VwVfG", "kind": "disclosure", "step": "posted", "days": 4,
        "valid_from": "2025-01-01" });
    serde_json::from_value(json!({ "deemed": [rule] })).unwrap()
}
