//! Two gateways hand a case file over by XTA, as clients of a third one that has their message boxes: author and reader on both
//! sides, over mutual TLS, each in either version. Receipt and import result come back the same way.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use conformance::client::Client;
use conformance::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights, TOWN, TOWN_KEY};
use conformance::simulate::records::RecordKeeping;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{make_keys, port};

/// What an authority of another gateway is called in a configuration: nothing that anybody uses.
const ABSENT: &str = "bab:09999901";
/// The key pairs of the pki: the county shows the client's, the town the server's.
const KEYS: [(&str, &str); 2] = [(COUNTY_KEY, "client"), (TOWN_KEY, "server")];
/// More bytes than a handshake has, and fewer than a message.
const WITHIN_MESSAGE: usize = 6_000;

/// The three gateways.
struct Houses {
    server: Gateway,
    county: Gateway,
    town: Gateway,
    /// Whether an answer was lost.
    broke: Arc<AtomicBool>,
}

async fn prepare(engine: &Engine, pki: Option<&Path>, edits: &[(&str, &str)], more: &str) -> Gateway {
    let gateway = Gateway::prepare(Path::new(env!("CARGO_BIN_EXE_amtsbote")), engine).await.unwrap();
    match pki {
        None => make_keys(gateway.folder()),
        Some(pki) => {
            std::fs::create_dir(gateway.folder().join("pki")).unwrap();
            for file in ["ca.pem", "client.p12", "server.p12", "pin"] {
                std::fs::copy(pki.join(file), gateway.folder().join("pki").join(file)).unwrap();
            }
        }
    }
    private(&gateway.folder().join("pki/client.p12"));
    let file = gateway.folder().join("amtsbote.toml");
    let mut config = std::fs::read_to_string(&file).unwrap();
    for (from, to) in edits {
        assert!(config.contains(from), "{from}");
        config = config.replacen(from, to, 1);
    }
    std::fs::write(&file, config).unwrap();
    gateway.configure(more).unwrap();
    gateway
}

pub(super) fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A house whose two authorities both fetch by XTA; each has an account.
async fn server(engine: &Engine, port: u16) -> Gateway {
    let account = |(key, name): (&str, &str)| {
        format!(
            "[[xta.account]]\nid = \"{name}\"\ntenant = \"{COUNTY}\"\n\
             certificates = [\"file:pki/{name}.pem\"]\nparties = [\"{key}\"]\n"
        )
    };
    let more = format!(
        "[tls]\nidentity = {{ key = \"file:pki/server.p12\", password = \"file:pki/pin\" }}\n\
         [xta]\nserver = \"drehscheibe\"\ntrust = [\"file:pki/ca.pem\"]\n{}",
        KEYS.map(account).concat()
    );
    let both = format!(
        "key = \"{COUNTY_KEY}\"\n  xta_box = true\n  name = \"Kreis\"\n  unit = \"63\"\n  \
         [[tenant.authority]]\n  key = \"{TOWN_KEY}\"\n  xta_box = true"
    );
    let edits = [
        ("[listen]", &*format!("[listen]\nmachines = \"127.0.0.1:{port}\"")),
        (&*format!("key = \"{TOWN_KEY}\""), &*format!("key = \"{ABSENT}\"")),
        (&*format!("key = \"{COUNTY_KEY}\""), &*both),
    ];
    prepare(engine, None, &edits, &more).await
}

/// How a version names its ports, in a configuration and in paths.
type Version = (&'static str, [(&'static str, &'static str); 3]);

const V3: Version =
    ("3", [("management", "v3/management"), ("send", "v3/send"), ("message_box", "v3/msgbox")]);
const V5: Version = ("5", [("base", "v5/base"), ("sender", "v5/sender"), ("recipient", "v5/recipient")]);

/// The gateway of one of the two, which reaches the other by the server at `port`, and its port for messages at `send`.
async fn house(
    engine: &Engine,
    pki: &Path,
    (own, (version, [base, sender, recipient])): (usize, Version),
    (port, send): (u16, u16),
) -> Gateway {
    let (key, identity) = KEYS[own];
    let (other, _) = KEYS[1 - own];
    let at =
        |(name, path): (&str, &str), port: u16| format!("{name} = \"https://127.0.0.1:{port}/xta/{path}\"");
    let addresses = [at(base, port), at(sender, send), at(recipient, port)].join(", ");
    let server = format!("version = \"{version}\", {addresses}, trust = \"file:pki/ca.pem\"");
    let authority = format!(
        "key = \"{key}\"\n  xta = {{ identity = {{ key = \"file:pki/{identity}.p12\", \
         password = \"file:pki/pin\" }} }}\n  xta_mailbox = [{{ every_seconds = 1, server = {{ {server} }} }}]"
    );
    let more = format!(
        "[[partner]]\nauthority = \"{other}\"\nname = \"Bauaufsicht\"\nreads = [[\"xdomea\", \"3.1.0\"]]\n\
         most_bytes = 100_000_000\nxta = {{ server = {{ {server} }} }}\n"
    );
    let edits = [
        (&*format!("key = \"{other}\""), &*format!("key = \"{ABSENT}\"")),
        (&*format!("key = \"{key}\""), &*authority),
    ];
    prepare(engine, Some(pki), &edits, &more).await
}

impl Houses {
    /// The county and the town speak these versions. With `breaks`, the county's first answer to a message is lost.
    async fn open(engine: &Engine, versions: [Version; 2], breaks: bool) -> Self {
        let port = port();
        let mut server = server(engine, port).await;
        server.start().await.unwrap();
        let pki = server.folder().join("pki");
        let broke = Arc::new(AtomicBool::new(false));
        let send = if breaks { breaking(port, Arc::clone(&broke)).await } else { port };
        let mut county = house(engine, &pki, (0, versions[0]), (port, send)).await;
        let mut town = house(engine, &pki, (1, versions[1]), (port, port)).await;
        county.start().await.unwrap();
        town.start().await.unwrap();
        Houses { server, county, town, broke }
    }

    async fn close(self) {
        for gateway in [self.county, self.town, self.server] {
            gateway.remove().await.unwrap();
        }
    }

    async fn client(gateway: &Gateway, tenant: &str, authority: &str) -> Client {
        let roles = ["system", "record-keeping", "operator"];
        let rights = Rights { tenant, roles: &roles, unit: "*", service: "*", authority: Some(authority) };
        gateway.client(&gateway.token("test", rights).await.unwrap()).unwrap()
    }
}

/// A line to a port of the loopback whose first answer to something as large as a message is lost; returns its own port.
async fn breaking(to: u16, broke: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            if carry(client, server, !broke.load(Ordering::Relaxed)).await {
                broke.store(true, Ordering::Relaxed);
            }
        }
    });
    own
}

/// Carries bytes both ways until one side ends, or the line breaks: then true.
async fn carry(mut client: TcpStream, mut server: TcpStream, breaks: bool) -> bool {
    let (mut up, mut down, mut sent) = (vec![0; 1 << 16], vec![0; 1 << 16], 0);
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(count) if count > 0 => {
                    sent += count;
                    server.write_all(&up[..count]).await.unwrap();
                }
                _ => return false,
            },
            read = server.read(&mut down) => match read {
                Ok(count) if count > 0 && breaks && sent > WITHIN_MESSAGE => return true,
                Ok(count) if count > 0 => client.write_all(&down[..count]).await.unwrap(),
                _ => return false,
            },
        }
    }
}

/// Opens a case file and hands it over; returns the id of the exchange. Another `key` is another file.
pub(super) async fn hand_over(county: &Client, to: &str, key: &str) -> String {
    let file = json!({ "unit": "63", "publicService": "baugenehmigung", "title": "Anbau (erfunden)" });
    let file = county
        .post("/case-files", &format!("file-{key}"), &file)
        .await
        .unwrap()
        .expect("file", &[201])
        .unwrap();
    let wanted = json!({ "kind": "handover", "to": to, "objects": [file["id"]], "wantsReceipt": true });
    let exchange = county.post("/exchanges", &format!("exchange-{key}"), &wanted).await.unwrap();
    exchange.expect("exchange", &[202]).unwrap()["id"].as_str().unwrap().to_owned()
}

pub(super) async fn status(client: &Client, exchange: &str, wanted: &str) -> Value {
    client.wait_until(&format!("/exchanges/{exchange}"), |it| it["status"] == wanted).await.unwrap()
}

/// The messages of a client as type, direction, door and partner.
async fn messages(client: &Client) -> Vec<String> {
    let all = client.list("/messages").await.unwrap();
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |it: &Value| {
        let words = ["direction", "door", "partner"].map(|name| word(&it[name]));
        format!("{} {}", word(&it["identity"]["type"]), words.join(" "))
    };
    let mut lines: Vec<String> = all.iter().map(line).collect();
    lines.sort();
    lines
}

async fn a_case_file_is_handed_over(engine: &Engine, versions: [Version; 2], breaks: bool) {
    let houses = Houses::open(engine, versions, breaks).await;
    let county = Houses::client(&houses.county, COUNTY, COUNTY_KEY).await;
    let town = Houses::client(&houses.town, TOWN, TOWN_KEY).await;
    let checked = ["partner", "check", TOWN_KEY, "--tenant", COUNTY, "--json"];
    let checked = houses.county.run(&checked).await.unwrap();
    assert_eq!(checked["xta"]["account"]["ok"], true, "{checked}");
    assert_eq!(checked["xta"]["version"], versions[0].0, "{checked}");
    let exchange = hand_over(&county, TOWN_KEY, "1").await;
    status(&county, &exchange, "received").await;
    assert_eq!(houses.broke.load(Ordering::Relaxed), breaks);

    let records = RecordKeeping::new(&town, "4-63");
    let leased = records.lease().await.unwrap();
    assert_eq!(leased.len(), 1);
    assert_eq!(records.import(&leased[0]).await.unwrap().objects[0].title, "Anbau (erfunden)");
    records.confirm(&leased[0]).await.unwrap();
    status(&county, &exchange, "confirmed").await;

    let there = |kind: &str, direction: &str, other: &str| format!("{kind} {direction} xta {other}");
    let of_county = [("0401", "out"), ("0402", "in"), ("0403", "in")];
    let of_town = [("0401", "in"), ("0402", "out"), ("0403", "out")];
    let expected = |all: [(&str, &str); 3], other: &str| all.map(|(kind, way)| there(kind, way, other));
    assert_eq!(messages(&county).await, expected(of_county, TOWN_KEY));
    assert_eq!(messages(&town).await, expected(of_town, COUNTY_KEY));
    for (gateway, tenant) in [(&houses.county, COUNTY), (&houses.town, TOWN), (&houses.server, COUNTY)] {
        let report = gateway.run(&["evidence", "check", "--tenant", tenant, "--json"]).await.unwrap();
        assert_eq!(report["ok"], true, "{report}");
    }
    houses.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_file_is_handed_over_by_xta_on_sqlite() {
    a_case_file_is_handed_over(&Engine::Sqlite, [V3, V5], false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_file_is_handed_over_by_xta_on_postgres() {
    match Engine::named("postgres") {
        Ok(engine) => a_case_file_is_handed_over(&engine, [V5, V3], false).await,
        Err(_) => eprintln!("SKIPPED: AMTSBOTE_TEST_POSTGRES names no PostgreSQL server"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_is_lost_is_asked_about_and_arrives_once() {
    a_case_file_is_handed_over(&Engine::Sqlite, [V5, V5], true).await;
}
