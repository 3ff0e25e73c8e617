//! Requests (MediateDelivery) between whole gateways, and to a recipient that is none of ours: the answer comes back with the
//! request's own, is never lost in silence, and no request is sent twice.

use std::sync::Arc;

use conformance::client::Client;
use conformance::gateway::{COUNTY, COUNTY_KEY, Engine, TOWN, TOWN_KEY};
use osci::code::Code;
use osci::content::write::{Author, Maker, NewContainer, NewContent, NewPart};
use osci::message::{Certificates, Named};
use osci::recipient::{Called, Recipient, Reply, SIGNER_ID};
use osci::transport::Limits;
use seal::algorithm::{DigestMethod, Policy, Scheme, SignatureMethod};
use seal::identity::Identity;
use seal::x509::Certificate;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::breaking::{Break, body_of_request, write_answer};
use super::party::{Houses, STORE, Way, hand_over, messages, parked, status};
use super::{keys, secret};

const MEDIATE: Way = Way { mode: "mediate", ..STORE };

/// The county's 0401 once it is delivered, and what the receipt of its delivery says.
async fn delivered(county: &Client) -> (Value, Value) {
    let is_it = |it: &&Value| it["identity"]["type"] == "0401" && it["direction"] == "out";
    let there = |list: &Value| {
        let found = list["items"].as_array().and_then(|items| items.iter().find(is_it));
        found.is_some_and(|it| ["delivered", "confirmed"].contains(&it["state"].as_str().unwrap()))
    };
    let list = county.wait_until("/messages", there).await.unwrap();
    let message = list["items"].as_array().unwrap().iter().find(is_it).unwrap().clone();
    let path = format!("/messages/{}/timeline", message["id"].as_str().unwrap());
    let timeline = county.read(&path).await.unwrap();
    let mut events = timeline["items"].as_array().unwrap().iter().map(|item| &item["event"]);
    let event = events.find(|event| event["kind"] == "message.delivered").unwrap();
    (message, event["detail"]["receipt"]["data"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_a_gateway_of_ours_is_acknowledged_by_the_id_that_it_has_there() {
    let houses = Houses::open(&Engine::Sqlite, MEDIATE).await;
    let county = Houses::client(&houses.county, COUNTY, COUNTY_KEY).await;
    let town = Houses::client(&houses.town, TOWN, TOWN_KEY).await;
    hand_over(&county, TOWN_KEY).await;
    let (_, receipt) = delivered(&county).await;
    let taken = town.list("/messages").await.unwrap();
    let taken = taken.iter().find(|it| it["identity"]["type"] == "0401").unwrap();
    assert_eq!(receipt["acknowledgement"]["message"], taken["id"], "{receipt}");
    assert_eq!(receipt["acknowledgement"]["receivedAt"], taken["receivedAt"], "{receipt}");
    assert_eq!(receipt["reply"], false, "no message of its own");
    houses.close().await;
}

/// Bob's program, which is none of ours but speaks the standard.
struct Program {
    keys: TempDir,
    reply: Option<&'static str>,
}

impl Program {
    fn new(reply: Option<&'static str>) -> Self {
        let keys = tempfile::tempdir().unwrap();
        for name in ["bob_cipher.p12", "bob_signature.p12"] {
            secret(keys.path(), name, &std::fs::read(super::keys().join(name)).unwrap());
        }
        secret(keys.path(), "pin", b"123456");
        Program { keys, reply }
    }

    fn identity(&self, name: &str) -> Identity {
        let reference = |name: &str| format!("file:{}", self.keys.path().join(name).display());
        Identity::load(&reference(name), Some(&reference("pin"))).unwrap()
    }

    fn answer(&self, call: &[u8]) -> Vec<u8> {
        let (cipher, signer) = ([self.identity("bob_cipher.p12")], self.identity("bob_signature.p12"));
        let caller = std::fs::read(keys().join("intermed_signature.cer")).unwrap();
        let recipient = Recipient {
            cipher: &cipher,
            signer: &signer,
            method: METHOD,
            intermediaries: &[Certificate::from_der(&caller).unwrap()],
            policy: Policy::default(),
            limits: Limits::default(),
            random: &|| seal::random_bytes().unwrap(),
        };
        let called = recipient.take(call).unwrap();
        let said = self.reply.map(|text| content(text, &called, &signer));
        let reply = said.as_ref().map(|(content, certificates)| Reply {
            content,
            subject: Some("Antwort".to_owned()),
            certificates: certificates.clone(),
        });
        let answer = recipient.answer(&called, Code::DIALOG_CLOSED, reply).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut answer.open(), &mut bytes).unwrap();
        bytes
    }

    /// Listens; returns its address.
    async fn listen(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/osci", listener.local_addr().unwrap());
        let program = Arc::new(self);
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let Some(call) = body_of_request(&mut socket).await else { continue };
                write_answer(&mut socket, &program.answer(&call)).await;
            }
        });
        url
    }
}

const METHOD: SignatureMethod = SignatureMethod { scheme: Scheme::RsaPkcs1, digest: DigestMethod::Sha256 };

/// A file for whoever asked, signed by the recipient.
fn content(text: &str, called: &Called, signer: &Identity) -> (NewContent, Certificates) {
    let asked = called.message.certificates.cipher_originator.as_ref().unwrap();
    let reader = Named { id: "addressee_cipher".to_owned(), certificate: asked.certificate.clone() };
    let (policy, limits) = (Policy::default(), Limits::default());
    let mut bytes = text.as_bytes();
    let mut maker = Maker::new(&policy, &limits);
    maker
        .add(NewContainer {
            parts: vec![NewPart::Attachment("antwort.txt", &mut bytes)],
            authors: vec![Author { signer, method: METHOD, certificate: SIGNER_ID }],
            readers: vec![&reader],
        })
        .unwrap();
    let content = maker.finish().unwrap();
    (content, Certificates { cipher_addressee: Some(reader), ..Certificates::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_is_answered_becomes_a_message_that_names_the_request() {
    let receiver = Program::new(Some("die Antwort")).listen().await;
    let houses = Houses::open(&Engine::Sqlite, Way { receiver: Some(receiver), ..MEDIATE }).await;
    let county = Houses::client(&houses.county, COUNTY, COUNTY_KEY).await;
    hand_over(&county, TOWN_KEY).await;
    let (request, receipt) = delivered(&county).await;
    let path = format!("/messages/{}", receipt["reply"].as_str().unwrap_or_else(|| panic!("{receipt}")));
    // No standard knows it, so it waits for somebody to read it.
    let reply = county.wait_until(&path, |it| it["state"] == "parked").await.unwrap();
    assert_eq!((&reply["direction"], &reply["door"]), (&json!("in"), &json!("osci")), "{reply}");
    assert_eq!((&reply["partner"], &reply["fileName"]), (&json!(TOWN_KEY), &json!("antwort.txt")), "{reply}");
    assert_eq!(reply["related"], request["id"], "{reply}");
    let mut content = Vec::new();
    county.download(&format!("{path}/content"), &mut content).await.unwrap();
    assert_eq!(content, "die Antwort".as_bytes());
    houses.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_answered_without_content_has_arrived_all_the_same() {
    let receiver = Program::new(None).listen().await;
    let houses = Houses::open(&Engine::Sqlite, Way { receiver: Some(receiver), ..MEDIATE }).await;
    let county = Houses::client(&houses.county, COUNTY, COUNTY_KEY).await;
    hand_over(&county, TOWN_KEY).await;
    let (_, receipt) = delivered(&county).await;
    assert_eq!((&receipt["reply"], &receipt["acknowledgement"]), (&json!(false), &Value::Null));
    houses.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_answer_is_lost_waits_for_a_human_and_is_never_sent_twice() {
    let houses = Houses::open(&Engine::Sqlite, Way { breaks: Some(Break::Answer(3)), ..MEDIATE }).await;
    let county = Houses::client(&houses.county, COUNTY, COUNTY_KEY).await;
    let town = Houses::client(&houses.town, TOWN, TOWN_KEY).await;
    let exchange = hand_over(&county, TOWN_KEY).await;
    let (first, rule) = parked(&county).await;
    assert_eq!(rule, "osci-party.reply-lost", "{first}");
    // Its receipt comes as a message of its own, whatever became of the answer.
    status(&county, &exchange, "received").await;
    let id = first["message"]["id"].as_str().unwrap();
    let resent = houses.county.run(&["message", "resend", id, "--tenant", COUNTY, "--json"]).await.unwrap();
    assert_eq!(resent["id"], id, "{resent}");
    let (message, receipt) = delivered(&county).await;
    assert_eq!((&message["id"], &receipt["reply"]), (&json!(id), &json!(false)));
    let all = messages(&town).await;
    assert_eq!(all.iter().filter(|line| line.starts_with("0401 in")).count(), 1, "{all:?}");
    houses.close().await;
}
