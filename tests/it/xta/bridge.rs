//! From XTA to OSCI-Transport and back into a message box, between two gateways: the county's authority writes by XTA, its gateway sends
//! on to the intermediary in the town's gateway, which fetches from there, and the town's reader fetches by XTA.

use conformance::gateway::{COUNTY, COUNTY_KEY, TOWN, TOWN_KEY};

use super::*;
use crate::osci::party::{Houses, STORE};

/// The two gateways with the addresses of their servers.
pub(super) struct Bridge {
    pub(super) houses: Houses,
    pub(super) author: String,
    pub(super) reader: String,
}

/// Gives a gateway a server of XTA with an account for one of its authorities, which gets a message box; returns where its ports are.
pub(super) fn serve(gateway: &Gateway, tenant: &str, party: &str) -> String {
    let (folder, port) = (gateway.folder().to_owned(), port());
    make_keys(&folder);
    let file = folder.join("amtsbote.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let key = format!("key = \"{party}\"");
    assert!(config.contains(&key), "{config}");
    let config = config
        .replacen("[listen]", &format!("[listen]\nmachines = \"127.0.0.1:{port}\""), 1)
        .replacen(&key, &format!("{key}\n  xta_box = true"), 1);
    std::fs::write(&file, config).unwrap();
    let more = format!(
        "[tls]\nidentity = {{ key = \"file:pki/server.p12\", password = \"file:pki/pin\" }}\n\
         [xta]\nserver = \"{SERVER}-{tenant}\"\ntrust = [\"file:pki/ca.pem\"]\n\
         [[xta.account]]\nid = \"fachverfahren\"\ntenant = \"{tenant}\"\n\
         certificates = [\"file:pki/client.pem\"]\nparties = [\"{party}\"]\n"
    );
    gateway.configure(&more).unwrap();
    format!("https://127.0.0.1:{port}/xta/v3")
}

/// What zeep finds, at the server of a gateway.
pub(super) async fn zeep(gateway: &Gateway, base: &str, command: &str, rest: &[&str]) -> Value {
    let script = root().join("tests/it/xta/bridge.py");
    let mut python = Command::new(python());
    python.arg("-B").arg(script).arg(shared("senders/xta")).args([command, base]).args(rest);
    python.env("XTA_PKI", gateway.folder().join("pki"));
    let told = spawn_blocking(move || said(&mut python)).await.unwrap();
    serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}"))
}

impl Bridge {
    pub(super) async fn on(engine: &Engine) -> Bridge {
        let mut houses = Houses::prepare(engine, STORE).await;
        let author = serve(&houses.county, COUNTY, COUNTY_KEY);
        let reader = serve(&houses.town, TOWN, TOWN_KEY);
        houses.start().await;
        Bridge { houses, author, reader }
    }

    /// What the author is told until it is what is waited for.
    async fn report(&self, id: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..100 {
            let told = zeep(&self.houses.county, &self.author, "report", &[COUNTY_KEY, id]).await;
            if is_it(&told) {
                return told;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        panic!("the report of {id} stayed as it was");
    }
}

/// What metadata say beside the moments of their way.
fn said_of(meta: &Value) -> Vec<&Value> {
    let moments = ["InitialSend", "Delivery", "InitialFetch", "Reception"];
    let all = meta.as_array().unwrap().iter();
    all.filter(|it| !moments.contains(&it[0].as_str().unwrap())).collect()
}

async fn a_message_goes_from_xta_by_osci_to_xta(engine: &Engine) {
    let bridge = Bridge::on(engine).await;
    let folder = bridge.houses.county.folder().to_owned();
    let files = [("nachricht.xml", b"<n xmlns=\"urn:test\"/>".to_vec()), ("anlage.bin", vec![7; 200_000])];
    let paths: Vec<String> = files.iter().map(|(name, _)| folder.join(name).display().to_string()).collect();
    for ((_, bytes), path) in files.iter().zip(&paths) {
        std::fs::write(path, bytes).unwrap();
    }
    let arguments = [COUNTY_KEY, TOWN_KEY, &*paths[0], &*paths[1]];
    let sent = zeep(&bridge.houses.county, &bridge.author, "send", &arguments).await;
    let id = sent["id"].as_str().unwrap().to_owned();
    let read = zeep(&bridge.houses.town, &bridge.reader, "read", &[TOWN_KEY]).await;
    assert_eq!(read["id"], sent["id"]);
    for seen in ["listed", "meta"] {
        assert_eq!(said_of(&read[seen]), said_of(&sent["meta"]), "{seen}");
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let whole = |(name, bytes): &(&str, Vec<u8>)| json!([name, hex(bytes)]);
    assert_eq!(read["contents"], json!(files.iter().map(whole).collect::<Vec<_>>()));

    let is_sent_on = |told: &Value| told["reasons"].to_string().contains("sent on by osci, there ");
    let told = bridge.report(&id, is_sent_on).await;
    assert_eq!(told["reasons"][0], "taken in", "{told}");
    let town = Houses::client(&bridge.houses.town, TOWN, TOWN_KEY).await;
    let closed = town.list("/messages").await.unwrap();
    let is_ours = |it: &&Value| it["door"] == "osci" && it["partner"] == COUNTY_KEY;
    let ours: Vec<&Value> = closed.iter().filter(is_ours).collect();
    assert!(ours.iter().any(|it| it["state"] == "confirmed"), "{closed:?}");
    for (gateway, tenant) in [(&bridge.houses.county, COUNTY), (&bridge.houses.town, TOWN)] {
        let report = gateway.run(&["evidence", "check", "--tenant", tenant, "--json"]).await.unwrap();
        assert_eq!(report["ok"], true, "{report}");
    }
    bridge.houses.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_from_xta_by_osci_into_a_message_box_on_sqlite() {
    a_message_goes_from_xta_by_osci_to_xta(&Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_from_xta_by_osci_into_a_message_box_on_postgres() {
    match Engine::named("postgres") {
        Ok(engine) => a_message_goes_from_xta_by_osci_to_xta(&engine).await,
        Err(_) => eprintln!("SKIPPED: AMTSBOTE_TEST_POSTGRES names no PostgreSQL server"),
    }
}
