//! Three tenants with one authority each, and callers of every kind.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use broker::house::{
    AuthorityEntry, Escalation, House, KeyPair, OsciKeys, PartnerEntry, Route, ServiceEntry, Signature,
    Tenant, Unit, XtaKeys,
};
use broker::{Broker, Incoming, Limits, Parts, Stamping};
use bytes::Bytes;
use model::adapter::Adapter;
use model::case::{Case, Description, Priority, RecordStatus};
use model::command::{Change, Command, Rules};
use model::outbound::{ChosenBy, Outbound, Post, Reply};
use model::rights::Within;
use model::{
    Actor, Authority, Caller, Clock, Failure, Message, Record, RecordKind, Role, Scope, SystemClock,
    Timestamp,
};
use seal::evidence_key::EvidenceKey;
use seal::keys::{KeyRing, MasterKey};
use store::Store;
use tempfile::TempDir;

pub struct Gateway {
    pub broker: Broker,
    pub folder: TempDir,
}

/// A clock that tests set.
pub struct SetClock(AtomicI64);

impl SetClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_micros() as i64, Ordering::SeqCst);
    }
}

impl Default for SetClock {
    fn default() -> Self {
        SetClock(AtomicI64::new(SystemClock.now().micros()))
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// No network.
pub struct Nowhere;

#[async_trait]
impl Outbound for Nowhere {
    fn permits(&self, _: &str, _: ChosenBy) -> Result<(), Failure> {
        Ok(())
    }

    async fn post(&self, _: &Post) -> Result<Reply, Failure> {
        Err(Failure::transient("net.unreachable", "there is no network"))
    }
}

pub fn soest() -> Authority {
    "bab:05974000".parse().unwrap()
}

pub fn lippstadt() -> Authority {
    "bab:05974028".parse().unwrap()
}

pub fn unna() -> Authority {
    "bab:05978000".parse().unwrap()
}

fn tenant(id: &str, key: Authority) -> Tenant {
    let unit = |id: &str, escalation| Unit { id: id.into(), name: format!("Amt {id}"), escalation };
    let to_waste = Escalation { to: "70".into(), after_hours: 48 };
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
            xta_services: vec!["urn:c".to_owned()],
        }],
        units: vec![unit("63", Some(to_waste)), unit("70", None)],
        routes: vec![Route { service: Some("baugenehmigung".into()), ..Route::default() }],
        services: vec![ServiceEntry { id: "baugenehmigung".into(), message_type: None, ttl_hours: 10 }],
    }
}

fn tenants() -> Vec<Tenant> {
    vec![tenant("soest", soest()), tenant("lippstadt", lippstadt()), tenant("unna", unna())]
}

/// The same for all gateways, so that one can go on with what another has left.
static KEYS: OnceLock<Arc<KeyRing>> = OnceLock::new();

fn keys() -> Arc<KeyRing> {
    Arc::new(KeyRing::new(MasterKey::random().unwrap(), vec![]))
}

impl Gateway {
    pub async fn start() -> Self {
        Gateway::with(Arc::new(SystemClock), Arc::new(Nowhere), None).await
    }

    pub async fn with(
        clock: Arc<dyn Clock>,
        outbound: Arc<dyn Outbound>,
        stamping: Option<Stamping>,
    ) -> Self {
        Gateway::build(clock, outbound, stamping, vec![], None).await
    }

    /// A gateway with partners outside and the adapters that carry messages to them.
    pub async fn with_partners(
        clock: Arc<dyn Clock>,
        partners: Vec<PartnerEntry>,
        adapters: Vec<Arc<dyn Adapter>>,
    ) -> Self {
        Gateway::build(clock, Arc::new(Nowhere), None, partners, None).await.with_adapters(adapters)
    }

    /// A gateway with a message box for the authority of Soest, on a database as [`Gateway::on`] says.
    #[allow(dead_code, reason = "made for tests of what binds transports")]
    pub async fn with_box(
        database: Option<String>,
        clock: Arc<dyn Clock>,
        partners: Vec<PartnerEntry>,
        adapters: Vec<Arc<dyn Adapter>>,
    ) -> Self {
        let mut tenants = tenants();
        tenants[0].authorities[0].xta_box = true;
        let nowhere = Arc::new(Nowhere);
        Gateway::of(tenants, clock, nowhere, None, partners, database).await.with_adapters(adapters)
    }

    /// A gateway whose authority of Soest has keys for both transports; over what one before has left, if there was one.
    #[allow(dead_code, reason = "made for tests of deliveries")]
    pub async fn with_keys(
        before: Option<Gateway>,
        clock: Arc<dyn Clock>,
        partners: Vec<PartnerEntry>,
        adapters: Vec<Arc<dyn Adapter>>,
    ) -> Self {
        let pair = || KeyPair { key: "env:KEY".into(), password: None };
        let osci = OsciKeys { cipher: vec![pair()], signer: pair(), signature: Signature::default() };
        let mut tenants = tenants();
        let own = &mut tenants[0].authorities[0];
        own.osci = Some(osci);
        own.xta = Some(XtaKeys { identity: pair(), party: None, scheme: "xoev".into() });
        let folder = before.map_or_else(|| tempfile::tempdir().unwrap(), |before| before.folder);
        let gateway = Gateway::over(folder, tenants, clock, Arc::new(Nowhere), None, partners, None);
        gateway.await.with_adapters(adapters)
    }

    fn with_adapters(self, adapters: Vec<Arc<dyn Adapter>>) -> Self {
        Gateway { broker: self.broker.with_adapters(adapters), folder: self.folder }
    }

    /// A gateway with other rules, and a clock.
    pub async fn with_rules(rules: Rules, clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Gateway::ruled(folder, tenants(), clock, Arc::new(Nowhere), None, vec![], None, rules).await
    }

    /// A gateway with other rules, on a database as [`Gateway::on`] says, over the folder that one before has left.
    pub async fn reopened(
        folder: TempDir,
        rules: Rules,
        database: Option<String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Gateway::ruled(folder, tenants(), clock, Arc::new(Nowhere), None, vec![], database, rules).await
    }

    /// A gateway on the database of this URL; on one of its own if there is none.
    pub async fn on(database: Option<String>, clock: Arc<dyn Clock>) -> Self {
        Gateway::build(clock, Arc::new(Nowhere), None, vec![], database).await
    }

    /// The same with a network.
    #[allow(dead_code, reason = "made for tests of alerts")]
    pub async fn on_with(
        database: Option<String>,
        clock: Arc<dyn Clock>,
        outbound: Arc<dyn Outbound>,
    ) -> Self {
        Gateway::build(clock, outbound, None, vec![], database).await
    }

    async fn build(
        clock: Arc<dyn Clock>,
        outbound: Arc<dyn Outbound>,
        stamping: Option<Stamping>,
        partners: Vec<PartnerEntry>,
        database: Option<String>,
    ) -> Self {
        Gateway::of(tenants(), clock, outbound, stamping, partners, database).await
    }

    async fn of(
        tenants: Vec<Tenant>,
        clock: Arc<dyn Clock>,
        outbound: Arc<dyn Outbound>,
        stamping: Option<Stamping>,
        partners: Vec<PartnerEntry>,
        database: Option<String>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Gateway::over(folder, tenants, clock, outbound, stamping, partners, database).await
    }

    async fn over(
        folder: TempDir,
        tenants: Vec<Tenant>,
        clock: Arc<dyn Clock>,
        outbound: Arc<dyn Outbound>,
        stamping: Option<Stamping>,
        partners: Vec<PartnerEntry>,
        database: Option<String>,
    ) -> Self {
        let rules = Rules::default();
        Gateway::ruled(folder, tenants, clock, outbound, stamping, partners, database, rules).await
    }

    /// The gateway after it got another evidence key; on a database as [`Gateway::on`] says.
    pub async fn with_another_evidence_key(self, database: Option<String>) -> Self {
        let older = self.broker.evidence_keys().unwrap().current().clone();
        let key = EvidenceKey::random().unwrap().after(vec![older]);
        let (clock, nowhere, rules) = (Arc::new(SystemClock), Arc::new(Nowhere), Rules::default());
        Gateway::signing(self.folder, tenants(), clock, nowhere, None, vec![], database, rules, key).await
    }

    #[allow(clippy::too_many_arguments, reason = "all that tests choose")]
    async fn ruled(
        folder: TempDir,
        tenants: Vec<Tenant>,
        clock: Arc<dyn Clock>,
        outbound: Arc<dyn Outbound>,
        stamping: Option<Stamping>,
        partners: Vec<PartnerEntry>,
        database: Option<String>,
        rules: Rules,
    ) -> Self {
        let key = EvidenceKey::random().unwrap();
        Gateway::signing(folder, tenants, clock, outbound, stamping, partners, database, rules, key).await
    }

    #[allow(clippy::too_many_arguments, reason = "all that tests choose")]
    async fn signing(
        folder: TempDir,
        tenants: Vec<Tenant>,
        clock: Arc<dyn Clock>,
        outbound: Arc<dyn Outbound>,
        stamping: Option<Stamping>,
        partners: Vec<PartnerEntry>,
        database: Option<String>,
        rules: Rules,
        evidence_key: EvidenceKey,
    ) -> Self {
        let own = || format!("sqlite:{}", folder.path().join("db").display());
        let store = Store::open(store::Config {
            database: database.unwrap_or_else(own),
            payloads: folder.path().join("payloads"),
            keys: Arc::clone(KEYS.get_or_init(keys)),
            clock: clock.clone(),
        })
        .await
        .unwrap();
        let house = House::new(tenants, vec![("toy".into(), "1".into())], 1 << 20);
        let house = Arc::new(house.with_partners(partners));
        let broker = Broker::new(Parts {
            store,
            standards: crate::other::standards(),
            directory: house.clone(),
            house,
            clock,
            evidence_key: Arc::new(evidence_key),
            outbound,
            rules,
            limits: Limits { most_bytes: 1 << 20 },
            node: "test".into(),
            stamping,
        });
        Gateway { broker, folder }
    }

    pub async fn accept(&self, caller: &Caller, body: &serde_json::Value) -> Result<Message, broker::Error> {
        let bytes = Bytes::from(body.to_string());
        let stream = futures::stream::iter([Ok(bytes)]);
        self.broker.accept(caller, Incoming::default(), stream).await
    }

    pub async fn a_case(&self, caller: &Caller, title: &str) -> Case {
        let Record::Case(case) = new_case(caller, "63", title) else { unreachable!() };
        let record = self.broker.submit(caller, create(Record::Case(case)), None).await.unwrap();
        let Record::Case(case) = record else { unreachable!() };
        case
    }
}

/// A system with all roles in one unit.
pub fn caller(tenant: &str, unit: &str) -> Caller {
    Caller {
        actor: Actor { kind: "system".into(), id: format!("{tenant}-{unit}") },
        roles: vec![
            Role::System,
            Role::RecordKeeping,
            Role::RecordsManager,
            Role::Operator,
            Role::Auditor,
            Role::Admin,
        ],
        scope: Scope { tenant: tenant.into(), units: Within::one(unit), services: Within::All },
        authority: Some(match tenant {
            "soest" => soest(),
            "unna" => unna(),
            _ => lippstadt(),
        }),
    }
}

pub fn new_case(caller: &Caller, unit: &str, title: &str) -> Record {
    let id = model::ids::new_id();
    let meta = model::record::Meta {
        id,
        tenant: caller.scope.tenant.clone(),
        authority: caller.authority.clone().unwrap(),
        unit: unit.into(),
        public_service: Some("baugenehmigung".into()),
        root: id,
        version: 0,
        created_at: model::Timestamp::default(),
        updated_at: model::Timestamp::default(),
    };
    Record::Case(Case {
        meta,
        description: Description { title: title.into(), ..Description::default() },
        case_file: None,
        parent: None,
        status: RecordStatus::Open,
        priority: Priority::Normal,
        locations: vec![],
    })
}

pub fn create(record: Record) -> Command {
    Command {
        kind: record.kind(),
        id: record.meta().id,
        expected: None,
        change: Change::Create(Box::new(record)),
    }
}

pub fn change(kind: RecordKind, id: model::Id, change: Change) -> Command {
    Command { kind, id, expected: None, change }
}
