//! Attacks on `POST /osci` of a whole gateway: what is wrong is told by the right status and code, nothing is stored, and the
//! gateway goes on as if nothing had been.

use std::io::{Cursor, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use conformance::gateway::{Engine, Rights};
use osci::Error;
use osci::client::{Answered, Client, Dialog, NewOrder};
use osci::content::write::{Maker, NewContainer, NewContent, NewPart};
use osci::message::{Body, Certificates, Named, SelectionRule};
use osci::transport::Limits;
use seal::algorithm::{DigestMethod, Policy, Scheme, SignatureMethod};
use seal::identity::Identity;
use seal::x509::Certificate;
use serde_json::{Value, json};
use transport::osci::inspect::inspect;

use super::{Bed, keys, secret};

const METHOD: SignatureMethod = SignatureMethod { scheme: Scheme::RsaPkcs1, digest: DigestMethod::Sha256 };
/// What a package may have in these tests, in bytes.
const PACKAGE: u64 = 1 << 20;
/// Memory that the gateway may hold more of after everything than before, in bytes.
const MORE_MEMORY: u64 = 48 << 20;

fn certificate(name: &str) -> Certificate {
    Certificate::from_der(&std::fs::read(keys().join(format!("{name}.cer"))).unwrap()).unwrap()
}

/// Somebody with keys of the samples.
struct Person {
    cipher: Identity,
    signer: Identity,
    intermediary: Certificate,
}

impl Person {
    fn of(bed: &Bed, name: &str) -> Self {
        let identity = |kind: &str| {
            let file = format!("{name}_{kind}.p12");
            secret(bed.gateway.folder(), &file, &std::fs::read(keys().join(&file)).unwrap());
            let reference = |file: &str| format!("file:{}", bed.gateway.folder().join(file).display());
            Identity::load(&reference(&file), Some(&reference("pin"))).unwrap()
        };
        let intermediary = certificate("intermed_cipher");
        Person { cipher: identity("cipher"), signer: identity("signature"), intermediary }
    }

    fn client(&self) -> Client<'_> {
        Client {
            cipher: &self.cipher,
            signer: Some((&self.signer, METHOD)),
            intermediary: Some(&self.intermediary),
            answers_by: None,
            policy: Policy::default(),
            limits: Limits::default(),
            random: &|| seal::random_bytes().unwrap(),
        }
    }
}

/// Posts a body. Gives status and answer.
async fn post(bed: &Bed, body: Vec<u8>, kind: &str) -> (u16, Vec<u8>) {
    let request = reqwest::Client::new().post(&bed.url).header("Content-Type", kind).body(body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
}

/// The code of a fault in the clear.
fn fault(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let code = text.split_once("</osci:Code>").and_then(|(before, _)| before.get(before.len() - 4..));
    code.unwrap_or_else(|| panic!("no fault: {text}")).to_owned()
}

/// An order as it goes over the line, and what is answered: codes, or that of a fault.
async fn order(
    bed: &Bed,
    client: &Client<'_>,
    dialog: Option<&Dialog>,
    order: &NewOrder,
    certificates: Certificates,
) -> (Vec<u8>, Vec<String>, Option<Dialog>) {
    let content = matches!(order, NewOrder::Store { .. }).then(content);
    let ordered = client.order(dialog, order, certificates, content.as_ref()).unwrap();
    let mut package = Vec::new();
    ordered.package.open().read_to_end(&mut package).unwrap();
    let (status, answer) = post(bed, package.clone(), "text/xml").await;
    assert_eq!(status, 200);
    match client.answer(&ordered, &answer[..]) {
        Ok(answered) => (package, codes(&answered), answered.dialog),
        Err(Error::Refused(code)) => (package, vec![code.to_string()], None),
        Err(error) => panic!("{error}"),
    }
}

fn codes(answered: &Answered) -> Vec<String> {
    let Body::Answer(answer) = &answered.message.body else { panic!("no answer") };
    answer.feedback.iter().map(|entry| entry.code.clone()).collect()
}

async fn open(bed: &Bed, client: &Client<'_>) -> Dialog {
    order(bed, client, None, &NewOrder::InitDialog, Certificates::default()).await.2.unwrap()
}

fn by_id(id: &str) -> Option<SelectionRule> {
    Some(SelectionRule::MessageIds(vec![id.to_owned()]))
}

fn store_for_bob(id: &str) -> (NewOrder, Certificates) {
    let named = Named { id: "addressee_cipher".to_owned(), certificate: certificate("bob_cipher") };
    let certificates = Certificates { cipher_addressee: Some(named), ..Certificates::default() };
    (NewOrder::Store { message_id: id.to_owned(), subject: None }, certificates)
}

fn content() -> NewContent {
    let (policy, limits) = (Policy::default(), Limits::default());
    let (mut maker, mut bytes) = (Maker::new(&policy, &limits), &b"a letter"[..]);
    let parts = vec![NewPart::Inline(&mut bytes)];
    maker.add(NewContainer { parts, authors: Vec::new(), readers: Vec::new() }).unwrap();
    maker.finish().unwrap()
}

/// A package with this XML, in the clear.
fn package(xml: &str) -> Vec<u8> {
    format!(
        "MIME-Version: 1.0\r\nContent-Type: Multipart/Related; boundary=b; type=text/xml\r\n\r\n--b\r\n\
         Content-Type: text/xml; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\nContent-ID: <osci@message>\r\n\r\n\
         {xml}\r\n--b--\r\n"
    )
    .into_bytes()
}

/// Bodies that are no message, whatever they claim to be.
fn no_messages() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let laughs = "<!DOCTYPE e [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]><e>&b;</e>";
    let outside = "<!DOCTYPE e [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><e>&a;</e>";
    let many = "--b\r\nContent-ID: <x>\r\n\r\n\r\n".repeat(30_000);
    let nested = "Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n".repeat(10_000);
    vec![
        ("nothing", Vec::new(), "text/xml"),
        ("JSON", b"{\"order\":\"StoreDelivery\"}".to_vec(), "application/json"),
        ("entities", package(laughs), "text/xml"),
        ("a file of ours", package(outside), "text/xml"),
        ("many parts", [&package("<e/>")[..], many.as_bytes()].concat(), "text/xml"),
        ("parts in parts", nested.into_bytes(), "multipart/related"),
        ("a long header", [b"Content-Type: ".to_vec(), vec![b'x'; 900_000]].concat(), "text/xml"),
        ("deep XML", package(&"<e>".repeat(200_000)), "text/xml"),
        (
            "a form",
            b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--".to_vec(),
            "multipart/form-data",
        ),
    ]
}

/// A body without an end, as large as one likes, sent until somebody has enough. Gives what is answered, if anything is.
fn endless(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!("POST /osci HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let start = package("");
    let piece =
        [format!("{:x}\r\n", start.len() - 11).as_bytes(), &start[..start.len() - 11], b"\r\n"].concat();
    let more = [b"10000\r\n".to_vec(), vec![b' '; 1 << 16], b"\r\n".to_vec()].concat();
    let mut sent = stream.write_all(&piece);
    for _ in 0..(16 * PACKAGE / (1 << 16)) {
        if sent.is_err() {
            break;
        }
        sent = stream.write_all(&more);
    }
    let mut answer = [0; 12];
    match stream.read_exact(&mut answer) {
        Ok(()) => String::from_utf8_lossy(&answer).into_owned(),
        Err(_) => String::new(),
    }
}

/// Bodies that come a byte at a time, for as long as this is kept.
struct Trickling(std::sync::Arc<std::sync::atomic::AtomicBool>, Vec<std::thread::JoinHandle<()>>);

impl Trickling {
    fn at(address: &str, lines: usize) -> Self {
        let goes_on = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        let trickle = |_| {
            let (goes_on, address) = (goes_on.clone(), address.to_owned());
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(&address).unwrap();
                let head =
                    format!("POST /osci HTTP/1.1\r\nHost: {address}\r\nContent-Length: 900000\r\n\r\n");
                stream.write_all(head.as_bytes()).unwrap();
                let body = package(&"<e>".repeat(100_000));
                for byte in body.chunks(1) {
                    if !goes_on.load(std::sync::atomic::Ordering::Relaxed) || stream.write_all(byte).is_err()
                    {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            })
        };
        let threads = (0..lines).map(trickle).collect();
        Trickling(goes_on, threads)
    }

    fn end(self) {
        self.0.store(false, std::sync::atomic::Ordering::Relaxed);
        self.1.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// What is no order, or not one that anybody signed.
async fn no_orders_are_refused(bed: &Bed, alice: &Person) {
    let mut otherwise = Vec::new();
    for (name, body, kind) in no_messages() {
        let (status, answer) = post(bed, body, kind).await;
        let told = (status, fault(&answer));
        if told != (200, "9100".to_owned()) {
            otherwise.push((name, told));
        }
    }
    assert_eq!(otherwise, []);
    let nothing = Certificates::default;
    let client = alice.client();
    let in_the_clear = Client { intermediary: None, ..alice.client() };
    let (clear, told, _) = order(bed, &in_the_clear, None, &NewOrder::GetMessageId, nothing()).await;
    assert_eq!(told, ["9300"], "in the clear");
    let bobs = certificate("bob_cipher");
    let for_bob = Client { intermediary: Some(&bobs), ..alice.client() };
    assert_eq!(order(bed, &for_bob, None, &NewOrder::GetMessageId, nothing()).await.1, ["9200"]);
    let unsigned = Client { signer: None, ..alice.client() };
    assert_eq!(order(bed, &unsigned, None, &NewOrder::GetMessageId, nothing()).await.1, ["9600"]);
    let (mut sealed, told, _) = order(bed, &client, None, &NewOrder::GetMessageId, nothing()).await;
    assert_eq!(told, ["0800"]);
    // What the request is called is of no interest, as the field has it.
    assert_eq!(post(bed, sealed.clone(), "application/json").await.0, 200);
    let middle = sealed.len() - 200;
    sealed[middle] ^= 1;
    assert_eq!(fault(&post(bed, sealed.clone(), "text/xml").await.1), "9202");
    for length in [0, 1, clear.len() / 2, clear.len() - 8] {
        assert_eq!(fault(&post(bed, clear[..length].to_vec(), "text/xml").await.1), "9100", "{length}");
    }
}

/// Dialogs and mailboxes of others.
async fn others_are_left_alone(bed: &Bed, id: &str) {
    let (bob, carol, mallory) =
        (Person::of(bed, "bob"), Person::of(bed, "carol"), Person::of(bed, "mallory"));
    let nothing = Certificates::default;
    let fetch = NewOrder::Fetch(by_id(id));
    let carols = open(bed, &carol.client()).await;
    let (_, told, carols) = order(bed, &carol.client(), Some(&carols), &fetch, nothing()).await;
    assert_eq!(told, ["9803"], "another's mailbox");
    let cards = NewOrder::Cards { rule: by_id(id), limit: None };
    let (_, told, _) = order(bed, &carol.client(), carols.as_ref(), &cards, nothing()).await;
    assert_eq!(told, ["9804"], "another's process cards");

    let bobs = open(bed, &bob.client()).await;
    let carols_key = Client { cipher: &bob.cipher, ..carol.client() };
    let mallorys_key = Client { cipher: &bob.cipher, ..mallory.client() };
    for (thief, who) in [(&carols_key, "carol"), (&mallorys_key, "mallory")] {
        let (_, told, _) = order(bed, thief, Some(&bobs), &fetch, nothing()).await;
        assert_eq!(told, ["9400"], "{who} knows the challenge, and signs for herself");
    }
    let (_, told, next) = order(bed, &bob.client(), Some(&bobs), &cards, nothing()).await;
    assert_eq!(told, ["0801"], "the dialog goes on for its owner");
    let next = next.unwrap();
    let stale = Dialog { challenge: bobs.challenge, ..next.clone() };
    let (_, told, _) = order(bed, &bob.client(), Some(&stale), &fetch, nothing()).await;
    assert_eq!(told, ["9400"], "a response that was given before");
    let (again, told, _) = order(bed, &bob.client(), Some(&next), &NewOrder::ExitDialog, nothing()).await;
    assert_eq!(told, ["0800"]);
    let (status, answer) = post(bed, again, "text/xml").await;
    assert_eq!((status, fault(&answer).as_str()), (200, "9400"), "an order that was given before");
}

async fn messages(bed: &Bed, secret: &str) -> Vec<Value> {
    bed.get(secret, "messages").await["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_are_answered_by_their_codes_store_nothing_and_cost_no_memory() {
    let bed = Bed::with(&Engine::Sqlite, "package_mb = 1\n").await;
    let rights = Rights {
        tenant: "kreis-soest",
        roles: &["system"],
        unit: "*",
        service: "*",
        authority: Some("bab:05974000"),
    };
    let secret = bed.gateway.token("Bauaufsicht", rights).await.unwrap();
    let alice = Person::of(&bed, "alice");
    let id = bed.issue("alice");
    let (store, certificates) = store_for_bob(&id);
    let (stored, told, _) = order(&bed, &alice.client(), None, &store, certificates).await;
    assert_eq!(told, ["0800"]);
    let before = messages(&bed, &secret).await;
    assert_eq!(before.len(), 1);
    let memory = bed.gateway.memory();

    let address = bed.url.trim_start_matches("http://").trim_end_matches("/osci").to_owned();
    let trickling = Trickling::at(&address, 16);
    assert_eq!(bed.announces(PACKAGE + 1), 413);
    let answer = endless(&address);
    assert!(["", "HTTP/1.1 200", "HTTP/1.1 413"].contains(&answer.as_str()), "{answer}");
    no_orders_are_refused(&bed, &alice).await;
    others_are_left_alone(&bed, &id).await;
    let (status, answer) = post(&bed, stored, "text/xml").await;
    let told = inspect(Cursor::new(answer), std::slice::from_ref(&alice.cipher)).unwrap();
    assert_eq!((status, &told["codes"]), (200, &json!(["9801"])), "an id is used once");
    trickling.end();

    assert_eq!(messages(&bed, &secret).await, before, "nothing was stored");
    let more = bed.gateway.memory().saturating_sub(memory);
    assert!(more < MORE_MEMORY, "{more} bytes more than before");
    bed.issue("alice");
    bed.gateway.remove().await.unwrap();
}
