//! A gateway that takes payments, with providers behind it: an independent one in Python, and the simulator.

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use conformance::simulate::payment::Provider;
use reqwest::{Client, redirect};
use serde_json::{Value, json};

use super::contracts::{PUBLIC, SECRETS, configuration};
use crate::installation::{Installation, on_free_ports};

/// What every payment of these tests is about, in cents.
pub(super) const CENTS: i64 = 2_500;

/// The programs that play providers; `None`, and a word about it, where they are absent.
pub(super) fn senders() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/senders/payment");
    let there = folder.join("mock_provider.py").exists();
    if !there {
        eprintln!("SKIPPED: ../shared is absent; nobody plays the provider");
    }
    there.then_some(folder)
}

/// The independent provider, until it is dropped.
pub(super) struct Mock {
    process: Child,
    pub(super) url: String,
}

impl Mock {
    pub(super) async fn start(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut python = Command::new("python3");
        python.arg(folder.join("mock_provider.py")).arg(port.to_string());
        let process = python.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mock = Mock { process, url: format!("http://127.0.0.1:{port}") };
        while mock.ask("/_ctl/list").await.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        mock
    }

    /// What a call of its control gives; it may fail while it is at work.
    async fn ask(&self, path: &str) -> Option<Value> {
        let client = reqwest::Client::new();
        client.get(format!("{}{path}", self.url)).send().await.ok()?.json().await.ok()
    }

    pub(super) async fn told(&self, path: &str) -> Value {
        loop {
            match self.ask(path).await {
                Some(told) => return told,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // Already ended, if its test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A payment that a provider knows.
#[derive(Clone)]
pub(super) struct Begun {
    pub(super) id: String,
    pub(super) claim: String,
    pub(super) request_id: String,
    pub(super) reference: String,
    /// Where the payer pays.
    pub(super) page: String,
}

/// A gateway that takes payments.
pub(super) struct Till {
    pub(super) installation: Installation,
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    internal: String,
    pub(super) operations: String,
    pub(super) public: String,
    portal: String,
    /// Two of the cash office.
    cashiers: [String; 2],
    pub(super) case: String,
    client: Client,
}

impl Till {
    /// Starts one whose providers are at these addresses.
    pub(super) async fn open(mock: &str, simulator: &str) -> Self {
        Till::talking(mock, simulator, "info").await
    }

    /// The same, with a log of this level.
    pub(super) async fn talking(mock: &str, simulator: &str, level: &str) -> Self {
        let installation = Installation::new();
        for (name, secret) in SECRETS {
            let file = installation.folder().join(format!("{name}.secret"));
            std::fs::write(&file, secret).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        installation.configure(|example| {
            let example = on_free_ports(example)
                .replace("# public = \"127.0.0.1:8444\"", "public = \"127.0.0.1:0\"")
                .replace("level = \"info\"", &format!("level = \"{level}\""))
                .replace("allow = []", "allow = [\"127.0.0.1\"]");
            example + &configuration(mock, simulator)
        });
        let token = |name: &str, roles: &[&str]| {
            let mut arguments = vec!["token", "create", "--name", name, "--tenant", "musterkreis", "--json"];
            arguments.extend(["--unit", "*", "--service", "*", "--authority", "bab:00000001"]);
            arguments.extend(roles.iter().flat_map(|role| ["--role", role]));
            installation.json(&arguments)["secret"].as_str().unwrap().to_owned()
        };
        let portal = token("Portal", &["system", "auditor"]);
        let cashiers = ["Kasse", "Kassenleitung"].map(|name| token(name, &["cashier"]));
        let (mut child, line) = installation.spawn();
        let address = |name: &str| {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            format!("http://{}", found.unwrap_or_else(|| panic!("not ready: {line}")))
        };
        let log = Arc::new(Mutex::new(String::new()));
        let reader = Some(drain(&mut child, Arc::clone(&log)));
        let mut till = Till {
            child,
            log,
            reader,
            internal: address("internal="),
            operations: address("operations="),
            public: address("public="),
            portal,
            cashiers,
            case: String::new(),
            client: Client::builder().redirect(redirect::Policy::none()).build().unwrap(),
            installation,
        };
        let (status, case) = till.post("/cases", &json!({ "unit": "63", "title": "Bauantrag" })).await;
        assert_eq!(status, 201, "{case}");
        till.case = case["id"].as_str().unwrap().to_owned();
        till
    }

    /// What the portal asks for.
    pub(super) async fn get(&self, path: &str) -> Value {
        self.asked(&self.portal, path).await
    }

    /// What the cash office asks for.
    pub(super) async fn cashier_get(&self, path: &str) -> Value {
        self.asked(&self.cashiers[0], path).await
    }

    async fn asked(&self, token: &str, path: &str) -> Value {
        let url = format!("{}/api/v1{path}", self.internal);
        let answer = self.client.get(url).bearer_auth(token).send().await.unwrap();
        let status = answer.status();
        let body = answer.json().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// What the portal does: status and body of the answer.
    pub(super) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.posted(&self.portal, path, body).await
    }

    /// What one of the cash office does.
    pub(super) async fn cashier_post(&self, who: usize, path: &str, body: &Value) -> (u16, Value) {
        self.posted(&self.cashiers[who], path, body).await
    }

    async fn posted(&self, token: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/api/v1{path}", self.internal);
        let request = self.client.post(url).bearer_auth(token);
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// A call at a door, as anybody may make it.
    pub(super) async fn knock(
        &self,
        request: impl FnOnce(&Client) -> reqwest::RequestBuilder,
    ) -> reqwest::Response {
        request(&self.client).send().await.unwrap()
    }

    /// A claim by an account, and a payment towards it that its provider knows.
    pub(super) async fn begin(&self, account: &str, order: &Value) -> Begun {
        let claim = json!({ "account": account, "amountCents": CENTS, "purpose": "Gebuehr Bauantrag" });
        let (status, claim) = self.post(&format!("/cases/{}/claims", self.case), &claim).await;
        assert_eq!(status, 201, "{account}: {claim}");
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let claim = text(&claim, "id");
        let (status, mut payment) = self.post(&format!("/claims/{claim}/payments"), order).await;
        assert_eq!(status, 201, "{account}: {payment}");
        while payment["status"] == "created" {
            tokio::time::sleep(Duration::from_millis(100)).await;
            payment = self.get(&format!("/payments/{}", text(&payment, "id"))).await;
        }
        assert_eq!(payment["status"], "started", "{account}: {payment}");
        Begun {
            id: text(&payment, "id"),
            claim,
            request_id: text(&payment, "requestId"),
            reference: text(&payment, "reference"),
            page: text(&payment, "paymentUrl"),
        }
    }

    /// The address at which the gateway listens for what a provider was told.
    pub(super) fn here(&self, told: &str) -> String {
        assert!(told.starts_with(PUBLIC), "no address of ours: {told}");
        told.replacen(PUBLIC, &self.public, 1)
    }

    /// Status, reason of clearing, and number of receipts of a payment.
    pub(super) async fn stands(&self, payment: &Begun) -> (String, Option<String>, usize) {
        let seen = self.get(&format!("/payments/{}", payment.id)).await;
        let bookings = self.cashier_get(&format!("/bookings?kind=receipt&payment={}", payment.id)).await;
        let items = bookings["items"].as_array().unwrap();
        assert!(items.iter().all(|booking| booking["amountCents"] == CENTS), "{bookings}");
        let clearing = seen["clearing"]["reason"].as_str().map(str::to_owned);
        (seen["status"].as_str().unwrap().to_owned(), clearing, items.len())
    }

    /// Waits until a payment stands so; what it came to is the test's to judge.
    pub(super) async fn comes_to(&self, payment: &Begun, status: &str, clearing: Option<&str>) {
        for _ in 0..600 {
            let (now, reason, _) = self.stands(payment).await;
            if now == status && reason.as_deref() == clearing {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends the gateway in peace, and gives its log.
    pub(super) fn close(mut self) -> String {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        self.reader.take().unwrap().join().unwrap();
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Till {
    fn drop(&mut self) {
        // Already ended, if the test was kind to it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the log as it comes: nobody may wait for a pipe that is full.
fn drain(child: &mut Child, log: Arc<Mutex<String>>) -> JoinHandle<()> {
    let mut stream = child.stderr.take().unwrap();
    std::thread::spawn(move || {
        let mut piece = [0; 65_536];
        while let Ok(read @ 1..) = stream.read(&mut piece) {
            log.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..read]));
        }
    })
}

/// The notify and return address that a provider was told of a payment.
pub(super) async fn doors(mock: &Mock, payment: &Begun) -> Vec<String> {
    let id = &payment.request_id;
    let known = mock.told("/_ctl/list").await;
    let orders = known.as_array().unwrap().iter().map(|known| &known["req"]);
    let order = orders
        .into_iter()
        .find(|order| ["merchantTxId", "txid", "requestId"].iter().any(|name| order[name] == id.as_str()));
    if let Some(order) = order {
        let named = |name: &&str| order[name].as_str().map(str::to_owned);
        let names = [
            "urlNotify",
            "notifyUrl",
            "notifyURL",
            "urlRedirect",
            "successUrl",
            "redirectURL",
            "redirectUrl",
        ];
        return names.iter().filter_map(named).collect();
    }
    // ePayBL is told in the address of its page, epay21 in a call.
    let page = reqwest::Url::parse(&payment.page).unwrap();
    if let Some((_, back)) = page.query_pairs().find(|(name, _)| name == "backlinkSuccess") {
        return vec![back.into_owned()];
    }
    let log = mock.told("/_ctl/log").await;
    let bodies = log.as_array().unwrap().iter().filter_map(|call| call["body"].as_str());
    let back = |body: &str| Some(body.split_once("ReturnURL>")?.1.split_once('<')?.0.to_owned());
    bodies.filter(|body| body.contains(id.as_str())).find_map(back).into_iter().collect()
}

/// The simulator, whose notifications and calls have secrets of its own.
pub(super) async fn simulator() -> Provider {
    Provider::start().await.unwrap()
}
