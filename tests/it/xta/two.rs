//! Two whole gateways with authorities, certification authorities and certificates of their own reach each other by XTA 2 version 3, by
//! version 5.1.1 and by OSCI-Transport, as entries of the directory say: the first way that can be used is taken, and another one once
//! that changes. Lines between the two tell what went by which way. And the one is the server of a reader of the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use conformance::client::Client;
use conformance::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, TOWN, TOWN_KEY};
use conformance::simulate::records::RecordKeeping;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::party::{hand_over, private, status};
use super::{AUTHOR, make_keys, port, said};
use crate::osci::keys;
use crate::osci::party::{authority, prepare};

/// What an authority of the one gateway is called in the other's configuration: nothing that anybody uses.
const ABSENT: &str = "bab:09999901";
/// The ways, by the names that they have here.
const WAYS: [&str; 3] = ["v3", "v5", "osci"];
/// The key pair that a house shows.
const IDENTITY: &str = "{ key = \"file:pki/client.p12\", password = \"file:pki/pin\" }";
/// More than any message has here, in bytes.
const ENOUGH: u64 = 100_000_000;

/// A line to a port of the loopback, which counts the bytes that go up.
struct Line {
    port: u16,
    sent: Arc<AtomicU64>,
}

/// A gateway, its authority there, and the lines on which the other one comes to it, one for each way.
struct House {
    gateway: Gateway,
    tenant: &'static str,
    key: &'static str,
    /// Whose keys are its in OSCI-Transport.
    who: &'static str,
    lines: Vec<Line>,
}

impl Line {
    async fn to(port: u16) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Line { port: listener.local_addr().unwrap().port(), sent: Arc::default() };
        let sent = Arc::clone(&line.sent);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&sent)));
            }
        });
        line
    }
}

/// Carries bytes both ways until one side ends.
async fn carry(mut client: TcpStream, mut server: TcpStream, sent: Arc<AtomicU64>) {
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let done = tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(count) if count > 0 => {
                    sent.fetch_add(count as u64, Ordering::Relaxed);
                    server.write_all(&up[..count]).await
                }
                _ => return,
            },
            read = server.read(&mut down) => match read {
                Ok(count) if count > 0 => client.write_all(&down[..count]).await,
                _ => return,
            },
        };
        if done.is_err() {
            return;
        }
    }
}

/// A certificate of the keys of OSCI-Transport as PEM.
fn pem(name: &str) -> String {
    let file = keys().join(format!("{name}.cer"));
    said(std::process::Command::new("openssl").args(["x509", "-inform", "DER", "-in"]).arg(file))
}

impl House {
    /// Prepares a gateway, which is told apart from the other one by its keys; `intermediary` is the port of the only one. `more` is
    /// what its other authority has.
    async fn prepare(who: &'static str, intermediary: u16, more: &str) -> House {
        let (tenant, key, other, all) = match who {
            "alice" => (COUNTY, COUNTY_KEY, TOWN_KEY, &["alice"][..]),
            _ => (TOWN, TOWN_KEY, COUNTY_KEY, &["bob", "intermed"][..]),
        };
        let machines = port();
        let own = authority(key, who, &format!("http://127.0.0.1:{intermediary}/osci"));
        let plain = match who {
            "alice" => String::new(),
            _ => format!("\nosci_plain = \"127.0.0.1:{intermediary}\""),
        };
        let edits = [
            ("[listen]", &*format!("[listen]\nmachines = \"127.0.0.1:{machines}\"{plain}")),
            (&*format!("key = \"{other}\""), &*format!("key = \"{ABSENT}\"{more}")),
            (&*format!("key = \"{key}\""), &*format!("{own}\n  xta = {{ identity = {IDENTITY} }}")),
        ];
        let gateway = prepare(&Engine::Sqlite, all, &edits, &osci(who)).await;
        make_keys(gateway.folder());
        private(&gateway.folder().join("pki/client.p12"));
        let lines = vec![Line::to(machines).await, Line::to(machines).await, Line::to(intermediary).await];
        House { gateway, tenant, key, who, lines }
    }

    /// Gives it a server of XTA with an account for the other one, and another account of it that deals with the other authority.
    fn serve(&self, other: &House) {
        let theirs = other.gateway.folder().join("pki").display().to_string();
        let more = format!(
            "[egress]\nallow = [\"127.0.0.1\"]\n[tls]\nidentity = {{ key = \"file:pki/server.p12\", password = \"file:pki/pin\" }}\n\
             [xta]\nserver = \"{}\"\ntrust = [\"file:{theirs}/ca.pem\"]\n[[xta.account]]\nid = \"nachbar\"\n\
             tenant = \"{}\"\ncertificates = [\"file:{theirs}/client.pem\"]\nparties = [\"{}\"]\n\
             [[xta.account]]\nid = \"fremd\"\ntenant = \"{}\"\ncertificates = [\"file:{theirs}/client.pem\"]\n\
             parties = [\"{AUTHOR}\", \"{ABSENT}\"]\ndelivers = true\n",
            self.who, self.tenant, other.key, other.tenant
        );
        self.gateway.configure(&more).unwrap();
    }

    /// Its entry in the directory of the other one: these ways, each with the largest message that it takes.
    fn entry(&self, order: &[(&str, u64)]) -> Value {
        let trust = std::fs::read_to_string(self.gateway.folder().join("pki/ca.pem")).unwrap();
        let at = |way: &str| self.lines[WAYS.iter().position(|it| *it == way).unwrap()].port;
        let reach = |way: &str| {
            let port = at(way);
            let of = |path: &str| format!("https://127.0.0.1:{port}/xta/{path}");
            match way {
                "v3" => json!({ "management": of("v3/management"), "send": of("v3/send"), "trust": [trust] }),
                "v5" => {
                    json!({ "version": "5", "base": of("v5/base"), "sender": of("v5/sender"), "trust": [trust] })
                }
                _ => json!({
                    "intermediary": format!("http://127.0.0.1:{port}/osci"),
                    "intermediaryCertificate": pem("intermed_cipher"),
                    "answersBy": pem("intermed_signature"),
                    "recipientCertificate": pem(&format!("{}_cipher", self.who)),
                    "signedBy": [pem(&format!("{}_signature", self.who))],
                }),
            }
        };
        let way = |(name, most): &(&str, u64)| {
            let transport = if *name == "osci" { "osci" } else { "xta" };
            json!({ "reads": [["xdomea", "3.1.0"]], "mostBytes": most, transport: reach(name) })
        };
        let ways: Vec<Value> = order.iter().map(way).collect();
        json!({ "authority": self.key, "name": "Nachbarhaus", "ways": ways })
    }

    /// Imports the entry of the other one.
    async fn learn(&self, entry: Value) {
        let file = self.gateway.folder().join("directory.json");
        let document = json!({ "format": "amtsbote-directory", "version": 1, "entries": [entry] });
        std::fs::write(&file, document.to_string()).unwrap();
        let file = file.display().to_string();
        let import = ["directory", "import", &*file, "--replace", "--tenant", self.tenant, "--json"];
        self.gateway.run(&import).await.unwrap();
    }

    /// Bytes that came on each line.
    fn came(&self) -> Vec<u64> {
        self.lines.iter().map(|line| line.sent.load(Ordering::Relaxed)).collect()
    }

    /// The way on which most has come since.
    fn busiest(&self, since: &[u64]) -> &'static str {
        let grown = self.came().into_iter().zip(since).map(|(now, then)| now - then);
        let (at, bytes) = grown.enumerate().max_by_key(|(_, bytes)| *bytes).unwrap();
        assert!(bytes > 0, "nothing came");
        WAYS[at]
    }

    async fn client(&self) -> Client {
        let roles = ["system", "record-keeping", "operator"];
        let rights =
            Rights { tenant: self.tenant, roles: &roles, unit: "*", service: "*", authority: Some(self.key) };
        self.gateway.client(&self.gateway.token("test", rights).await.unwrap()).unwrap()
    }
}

/// What a gateway says of OSCI-Transport: Bob's has the intermediary.
fn osci(who: &str) -> String {
    let folder = keys().display().to_string();
    let trust = format!("trust = [\"file:{folder}/ca.cer\"]\ncrl = [\"file:{folder}/ca.crl\"]\n");
    match who {
        "alice" => format!("[osci_trust]\n{trust}"),
        _ => format!(
            "[osci]\nauthority = \"{TOWN_KEY}\"\nopen_mailboxes = true\n\
             cipher = [{{ key = \"file:intermed_cipher.p12\", password = \"file:pin\" }}]\n\
             signer = {{ key = \"file:intermed_signature.p12\", password = \"file:pin\" }}\n{trust}"
        ),
    }
}

/// The two gateways: Alice's keys are the county's, Bob's the town's.
struct Houses {
    county: House,
    town: House,
}

impl Houses {
    async fn open() -> Houses {
        let intermediary = port();
        let mut town = House::prepare("bob", intermediary, "").await;
        let reader = format!(
            "\n  xta_box = true\n  xta = {{ identity = {IDENTITY} }}\n  xta_reader = {{ within_seconds = 2, server = \
             {{ version = \"5\", address = \"https://127.0.0.1:{}/xta/v5/reader\", trust = \"file:{}/pki/ca.pem\" }} }}",
            town.lines[1].port,
            town.gateway.folder().display()
        );
        let mut county = House::prepare("alice", intermediary, &reader).await;
        county.serve(&town);
        town.serve(&county);
        for house in [&mut county, &mut town] {
            house.gateway.start().await.unwrap();
        }
        Houses { county, town }
    }

    /// Both get an entry of the other with these ways.
    async fn direct(&self, order: &[(&str, u64)]) {
        self.county.learn(self.town.entry(order)).await;
        self.town.learn(self.county.entry(order)).await;
    }

    /// What the county is told of its ways to the town for a message of this size.
    async fn told(&self, bytes: u64) -> Value {
        let bytes = bytes.to_string();
        let check = ["partner", "check", TOWN_KEY, "--tenant", COUNTY, "--bytes", &*bytes, "--json"];
        self.county.gateway.run(&check).await.unwrap()
    }

    async fn close(self) {
        for House { gateway, tenant, .. } in [self.county, self.town] {
            let report = gateway.run(&["evidence", "check", "--tenant", tenant, "--json"]).await.unwrap();
            assert_eq!(report["ok"], true, "{report}");
            gateway.remove().await.unwrap();
        }
    }
}

/// The ways as they are told: transport, what keeps it from being used, and whether it is the one.
fn ways(told: &Value) -> Vec<(&str, &str, bool)> {
    let all = told["ways"].as_array().unwrap().iter();
    all.map(|way| {
        (way["transport"].as_str().unwrap(), way["obstacle"].as_str().unwrap_or("-"), way["used"] == true)
    })
    .collect()
}

/// How many messages of a kind went each way, by XTA and by OSCI-Transport.
async fn counted(client: &Client, kind: &str, direction: &str) -> [usize; 2] {
    let all = client.list("/messages").await.unwrap();
    let is_it = |it: &&Value| it["identity"]["type"] == kind && it["direction"] == direction;
    let of = |door: &str| all.iter().filter(is_it).filter(|it| it["door"] == door).count();
    [of("xta"), of("osci")]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_says_by_which_of_three_ways_two_gateways_exchange_a_case_file() {
    let houses = Houses::open().await;
    let (county, town) = (houses.county.client().await, houses.town.client().await);
    for (order, transport, version) in [
        (["v3", "v5", "osci"], "xta", "3"),
        (["v5", "osci", "v3"], "xta", "5"),
        (["osci", "v5", "v3"], "osci", "5"),
    ] {
        houses.direct(&order.map(|way| (way, ENOUGH))).await;
        let told = houses.told(10_000).await;
        assert_eq!(
            (&told["transport"], &told["xta"]["version"]),
            (&json!(transport), &json!(version)),
            "{told}"
        );
        let (to_town, to_county) = (houses.town.came(), houses.county.came());
        let exchange = hand_over(&county, TOWN_KEY, order[0]).await;
        status(&county, &exchange, "received").await;
        let records = RecordKeeping::new(&town, "4-63");
        let leased = records.lease().await.unwrap();
        assert_eq!(leased.len(), 1);
        assert_eq!(records.import(&leased[0]).await.unwrap().objects[0].title, "Anbau (erfunden)");
        records.confirm(&leased[0]).await.unwrap();
        status(&county, &exchange, "confirmed").await;
        assert_eq!((houses.town.busiest(&to_town), houses.county.busiest(&to_county)), (order[0], order[0]));
    }
    for (kind, direction) in [("0401", "out"), ("0402", "in"), ("0403", "in")] {
        assert_eq!(counted(&county, kind, direction).await, [2, 1], "{kind}");
    }

    // The first is too small for a file: the next one takes it, whichever transport that is.
    const LARGE: &str = "message.too-large-for-recipient";
    for (order, version, expected, way) in [
        (
            [("v5", 1), ("v3", ENOUGH), ("osci", ENOUGH)],
            "3",
            [("xta", "-", true), ("osci", "-", false)],
            "v3",
        ),
        ([("v5", 1), ("v3", 1), ("osci", ENOUGH)], "5", [("xta", LARGE, false), ("osci", "-", true)], "osci"),
    ] {
        houses.direct(&order).await;
        let told = houses.told(2).await;
        assert_eq!((ways(&told), &told["xta"]["version"]), (expected.to_vec(), &json!(version)), "{told}");
        let path = format!("/capabilities/{TOWN_KEY}?from={COUNTY_KEY}&bytes=2");
        let shown = county.read(&path).await.unwrap();
        assert_eq!(shown["ways"][0]["obstacle"].as_str().unwrap_or("-"), expected[0].1, "{shown}");
        let to_town = houses.town.came();
        let exchange = hand_over(&county, TOWN_KEY, &format!("small-{way}")).await;
        status(&county, &exchange, "received").await;
        assert_eq!(houses.town.busiest(&to_town), way);
    }
    a_synchronous_message_is_put_to_the_server_of_its_reader(&houses).await;
    houses.close().await;
}

/// The county's other authority has readers whose server is the town's gateway: it answers with nothing, and nobody answers later.
async fn a_synchronous_message_is_put_to_the_server_of_its_reader(houses: &Houses) {
    let (url, pki) = (houses.county.lines[1].port, houses.town.gateway.folder().join("pki"));
    let url = format!("https://127.0.0.1:{url}/xta/v5/sender");
    let read = |file: &str| std::fs::read(pki.join(file)).unwrap();
    let trust = std::fs::read(houses.county.gateway.folder().join("pki/ca.pem")).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&trust).unwrap()])
        .identity(reqwest::Identity::from_pkcs8_pem(&read("client.pem"), &read("client.key")).unwrap())
        .build()
        .unwrap();
    let ask = async |operation: &str, blocks: &str, body: &str| {
        let (content_type, envelope) = core_request(operation, blocks, body);
        let answer =
            client.post(&url).header("Content-Type", content_type).body(envelope).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, issued) = ask("createMessageID", "", "").await;
    assert_eq!(status, 200, "{issued}");
    let id = issued.split("urn:de:xta:messageid:").nth(1).unwrap().split('<').next().unwrap();
    let meta = core_meta(&format!("urn:de:xta:messageid:{id}"));
    let content = "<c:ContentContainer><c:Message id=\"c\" contentType=\"text/plain\">RnJhZ2U=</c:Message></c:ContentContainer>";
    for code in [">9032<", ">9024<"] {
        let (status, answer) = ask("sendMessageSync", &meta, content).await;
        assert!(status == 500 && answer.contains(code), "{code}: {answer}");
    }
    let rights =
        Rights { tenant: COUNTY, roles: &["system"], unit: "*", service: "*", authority: Some(ABSENT) };
    let reader = houses.town.gateway.token("reader", rights).await.unwrap();
    let came = houses.town.gateway.client(&reader).unwrap().list("/messages").await.unwrap();
    assert_eq!(came.len(), 1, "{came:?}");
    assert_eq!((&came[0]["door"], &came[0]["partner"]), (&json!("xta"), &json!(AUTHOR)));
}

/// A request of version 5 of the author at its sender: its media type, and its body.
fn core_request(operation: &str, blocks: &str, body: &str) -> (String, String) {
    let action = format!("https://xoev.de/transport/xta/core/core.sender/{operation}");
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:a=\"http://www.w3.org/2005/08/addressing\" xmlns:c=\"https://xoev.de/transport/xta/core/3.1.1\">\
         <s:Header><a:Action>{action}</a:Action><a:MessageID>urn:uuid:1</a:MessageID><a:To>https://xta.test/</a:To>\
         {blocks}<c:Party><c:Identifier>{AUTHOR}</c:Identifier></c:Party></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    );
    (format!("application/soap+xml; charset=utf-8; action=\"{action}\""), envelope)
}

/// Metadata of a question of the author for the readers.
fn core_meta(id: &str) -> String {
    format!(
        "<c:MessageMetaData><c:XTAMessageID id=\"m\">{id}</c:XTAMessageID><c:Reader id=\"r\"><c:Identifier>{ABSENT}\
         </c:Identifier></c:Reader><c:Originators><c:Author id=\"a\"><c:Identifier>{AUTHOR}</c:Identifier></c:Author>\
         </c:Originators><c:Qualifier id=\"q\"><c:BusinessScenario><c:Undefined>x</c:Undefined></c:BusinessScenario>\
         <c:MessageType messageSchema=\"urn:s\">frage</c:MessageType></c:Qualifier><c:MessageSize>5</c:MessageSize>\
         <c:DeliveryAttributes/><c:ServiceQuality id=\"s\"><c:Undefined>keins</c:Undefined></c:ServiceQuality>\
         </c:MessageMetaData>"
    )
}
