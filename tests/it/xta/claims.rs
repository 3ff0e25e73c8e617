//! What docs/xta.md says of the bridge, in whole gateways: what a system fetches by REST is reported to its author, an answer names
//! what it answers, a container that its author encrypted stays one, and metadata count only for whoever signed them.

use std::time::Duration;

use conformance::gateway::{COUNTY, COUNTY_KEY, TOWN, TOWN_KEY};
use conformance::simulate::containers;
use conformance::simulate::records::RecordKeeping;

use super::bridge::{Bridge, serve, zeep};
use super::*;
use crate::osci::party::{Houses, parked};

const NAMESPACES: &str = "xmlns:S=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:a=\"http://www.w3.org/2005/08/addressing\" \
     xmlns:m=\"http://www.osci.eu/ws/2014/10/transport\" xmlns:o=\"http://www.osci.eu/ws/2008/05/transport\" \
     xmlns:x=\"http://xoev.de/transport/xta/211\"";
const FETCH: &str = "http://www.osci.eu/ws/2008/05/transport/urn/messageTypes/MsgBoxFetchRequest";

/// The author of the county or the reader of the town, writing envelopes by hand.
struct Hand<'a> {
    client: Client,
    base: &'a str,
    party: &'a str,
}

impl<'a> Hand<'a> {
    fn of(gateway: &Gateway, base: &'a str, party: &'a str) -> Self {
        let read = |file: &str| std::fs::read(gateway.folder().join("pki").join(file)).unwrap();
        let client = Client::builder()
            .tls_certs_only([Certificate::from_pem(&read("ca.pem")).unwrap()])
            .identity(Identity::from_pkcs8_pem(&read("client.pem"), &read("client.key")).unwrap())
            .build()
            .unwrap();
        Hand { client, base, party }
    }

    async fn ask(&self, port: &str, action: &str, blocks: &str, body: &str) -> String {
        let id = format!("urn:uuid:{}", model::ids::new_id());
        let envelope = format!(
            "<S:Envelope {NAMESPACES}><S:Header>{blocks}<a:Action>{action}</a:Action><a:MessageID>{id}</a:MessageID>\
             <a:To>https://127.0.0.1/xta</a:To></S:Header><S:Body>{body}</S:Body></S:Envelope>"
        );
        let asked = self.client.post(format!("{}/{port}", self.base));
        let asked = asked.header("Content-Type", "application/soap+xml; charset=utf-8").body(envelope);
        asked.send().await.unwrap().text().await.unwrap()
    }

    fn author(&self) -> String {
        format!("<m:Author>{}</m:Author>", identifier(self.party))
    }

    async fn new_id(&self) -> String {
        let answer =
            self.ask("management", "http://www.xta.de/XTA/CreateMessageID", &self.author(), "").await;
        let (_, rest) = answer.split_once(">urn:de:xta:messageid:").expect("a message id");
        format!("urn:de:xta:messageid:{}", rest.split('<').next().unwrap())
    }

    /// Sends what stands in a container; returns its message id.
    async fn send(&self, reader: &str, container: &str) -> String {
        let id = self.new_id().await;
        let meta = format!(
            "<m:MessageMetaData><m:DeliveryAttributes><m:Origin>2026-11-29T07:00:00Z</m:Origin></m:DeliveryAttributes>\
             <m:Originators>{}</m:Originators><m:Destinations><m:Reader>{}</m:Reader></m:Destinations>\
             <m:MsgIdentification><a:MessageID>{id}</a:MessageID></m:MsgIdentification>\
             <m:Qualifier><m:Subject>Antrag</m:Subject><m:Service>urn:dienst</m:Service>\
             <m:BusinessScenario><m:Defined listURI=\"urn:l\" listVersionID=\"1\"><code>X</code></m:Defined></m:BusinessScenario>\
             <m:MessageType payloadSchema=\"urn:p\" listURI=\"urn:l\" listVersionID=\"1\"><code>t</code></m:MessageType>\
             </m:Qualifier></m:MessageMetaData>",
            self.author(),
            identifier(reader)
        );
        let body = format!("<x:GenericContentContainer>{container}</x:GenericContentContainer>");
        let answer = self.ask("send", "http://www.xta.de/XTA/SendMessage", &meta, &body).await;
        assert!(!answer.contains("Fault"), "{answer}");
        id
    }

    /// What `getMessage` answers, once it has the message; nothing if it has it never.
    async fn fetched(&self, id: &str, patience: Duration) -> Option<String> {
        let body = format!(
            "<o:MsgBoxFetchRequest MsgPart=\"Envelope\"><o:MsgSelector><a:MessageID>{id}</a:MessageID></o:MsgSelector>\
             </o:MsgBoxFetchRequest>"
        );
        let end = std::time::Instant::now() + patience;
        loop {
            let answer = self.ask("msgbox", FETCH, &self.author(), &body).await;
            match answer.contains("GenericContentContainer") {
                true => return Some(answer),
                false if std::time::Instant::now() > end => return None,
                false => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

fn identifier(party: &str) -> String {
    format!("<m:Identifier type=\"xoev\" name=\"Test\" category=\"dbs:testumgebung\">{party}</m:Identifier>")
}

/// An encrypted container in exclusive canonical form and without an empty element, so that there is one way to write it.
fn encrypted() -> String {
    let cipher = "QW10c2JvdGU=".repeat(5_000);
    format!(
        "<e:EncryptedData xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\">\
         <e:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"><e:KeySize>256</e:KeySize>\
         </e:EncryptionMethod>\
         <d:KeyInfo xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\"><e:EncryptedKey><e:CipherData>\
         <e:CipherValue>S0VZ</e:CipherValue></e:CipherData></e:EncryptedKey></d:KeyInfo>\
         <e:CipherData><e:CipherValue>{cipher}</e:CipherValue></e:CipherData></e:EncryptedData>"
    )
}

fn status(report: &Value) -> String {
    report["status"].to_string().trim_matches('"').to_owned()
}

/// A hand-over as a file of the gateway's folder.
fn handover(gateway: &Gateway, seed: u64) -> String {
    let container = containers::handover(containers::seeded_id(seed, 0), seed, 5_000).content;
    let file = gateway.folder().join(&container.name);
    std::fs::write(&file, container.bytes().unwrap()).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_system_fetches_by_rest_is_reported_to_its_author_and_an_answer_names_the_message() {
    // The county has no message box: its system knows REST alone. The town speaks XTA at the same gateway, the author at none of ours.
    let mut gateway =
        Gateway::prepare(Path::new(env!("CARGO_BIN_EXE_amtsbote")), &Engine::Sqlite).await.unwrap();
    let base = serve(&gateway, TOWN, TOWN_KEY);
    let account =
        format!("tenant = \"{COUNTY}\"\ncertificates = [\"file:pki/client.pem\"]\nparties = [\"{AUTHOR}\"]");
    gateway.configure(&format!("[[xta.account]]\nid = \"fremd\"\n{account}\n")).unwrap();
    gateway.start().await.unwrap();
    let county = RecordKeeping::new(&Houses::client(&gateway, COUNTY, COUNTY_KEY).await, "63.1");
    for (seed, author, door) in [(9, AUTHOR, "xta"), (10, TOWN_KEY, "local")] {
        let file = handover(&gateway, seed);
        let sent = zeep(&gateway, &base, "send", &[author, COUNTY_KEY, &file]).await;
        let id = sent["id"].as_str().unwrap();
        let waits = |inbox: &Value| {
            inbox["items"].as_array().is_some_and(|all| all.iter().any(|it| it["state"] == "available"))
        };
        county.client.wait_until("/inbox", waits).await.unwrap();
        let open = zeep(&gateway, &base, "report", &[author, id]).await;
        assert_eq!(status(&open), "0", "{open}");
        assert!(!open["reasons"].to_string().contains("received by its reader"), "{open}");

        let leased = county.lease().await.unwrap();
        let message = &leased[0]["message"];
        assert_eq!((&message["door"], &message["partner"]), (&json!(door), &json!(author)));
        if author == TOWN_KEY {
            county.import(&leased[0]).await.unwrap();
        }
        county.confirm(&leased[0]).await.unwrap();
        let told = zeep(&gateway, &base, "report", &[author, id]).await;
        assert_eq!(status(&told), "1", "{told}");
        assert!(told["reasons"].to_string().contains("received by its reader"), "{told}");
        if author == TOWN_KEY {
            // The result of the import lies in its message box.
            let answer = zeep(&gateway, &base, "read", &[TOWN_KEY]).await;
            let meta = answer["meta"].as_array().unwrap();
            assert!(meta.contains(&json!(["In-Reply-To", id])), "{meta:?}");
            assert!(meta.contains(&json!(["code", "0402"])), "{meta:?}");
        }
    }
    gateway.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_its_author_encrypted_stays_one_and_metadata_count_for_their_signer_alone() {
    let mut bridge = Bridge::on(&Engine::Sqlite).await;
    let author = Hand::of(&bridge.houses.county, &bridge.author, COUNTY_KEY);
    let reader = Hand::of(&bridge.houses.town, &bridge.reader, TOWN_KEY);
    let document = encrypted();
    let id = author.send(TOWN_KEY, &document).await;
    let answer = reader.fetched(&id, Duration::from_secs(30)).await.expect("the message in the box");
    let (_, found) = answer.split_once("GenericContentContainer").unwrap();
    assert!(found.contains(&document), "{}", &found[..2_000]);

    // From now on the county's signature is somebody else's, so it is not the author that its metadata name.
    let town = &mut bridge.houses.town;
    town.kill().await.unwrap();
    let partner = |key: &str| format!("[[partner]]\nauthority = \"{key}\"");
    town.reconfigure(&[(&partner(COUNTY_KEY), &partner("bab:05999999"))]).unwrap();
    town.start().await.unwrap();
    let id = author.send(TOWN_KEY, &document).await;
    let client = Houses::client(town, TOWN, TOWN_KEY).await;
    let (waiting, rule) = parked(&client).await;
    assert_eq!(rule, "osci-party.metadata", "{waiting}");
    assert_eq!(reader.fetched(&id, Duration::ZERO).await, None);
    bridge.houses.close().await;
}
