//! FIT-Connect from gateway to gateway, by the simulated delivery service: large attachments over kills within the work, and what was spoiled
//! on its way.

use std::path::Path;
use std::time::Duration;

use conformance::client::{Client, items, text};
use conformance::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights};
use conformance::simulate::files::Content;
use conformance::simulate::fit_connect::jose::{Key, Use};
use conformance::simulate::fit_connect::office::{Application, Keys, apply};
use conformance::simulate::fit_connect::{Destination, Fault, SENDER, SUBSCRIBER, Service, State};
use conformance::simulate::portal::{Attachment, Portal};
use conformance::simulate::records::files_of;
use model::{Id, ids};
use serde_json::{Value, json};

const SERVICE: &str = "urn:de:fim:leika:leistung:99115005104000";
const SCHEMA: &str = "https://schema.fitko.de/fim/s00000096_1.0.schema.json";
/// Most memory above idle that either end may need, in MB.
const MOST_MB: f64 = 64.0;
const PATIENCE: usize = 2_400;

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_amtsbote"))
}

fn common(service: &Service, id: &str, kind: &str, (client, _): (&str, &str)) -> String {
    format!(
        "[egress]\nallow = [\"127.0.0.1\"]\n\n[[adapter]]\nid = \"{id}\"\ntenant = \"{COUNTY}\"\n\
         authority = \"{COUNTY_KEY}\"\nunit = \"63\"\nkind = \"{kind}\"\ntoken_url = \"{}\"\n\
         submission_url = \"{}\"\nclient_id = \"{client}\"\nclient_secret = \"file:fit.secret\"\npause_seconds = 5\n",
        service.token_url(),
        service.submission_url()
    )
}

/// A gateway that sends to `destination`.
async fn sending(service: &Service, destination: Id) -> Gateway {
    let gateway = Gateway::prepare(binary(), &Engine::Sqlite).await.unwrap();
    let target = format!(
        "\n[adapter.target]\ndestination = \"{destination}\"\nservice = \"{SERVICE}\"\n\
         service_name = \"Wohnsitz anmelden\"\nschema = \"{SCHEMA}\"\n"
    );
    gateway.write_secret("fit.secret", SENDER.1).unwrap();
    gateway.configure(&(common(service, "fit-out", "fit-connect-sender", SENDER) + &target)).unwrap();
    gateway
}

/// A gateway that fetches from `destination`.
async fn fetching(service: &Service, destination: Id, keys: &Keys) -> Gateway {
    let gateway = Gateway::prepare(binary(), &Engine::Sqlite).await.unwrap();
    let more = format!(
        "services = [\"wohnsitz\"]\ndestination = \"{destination}\"\nsigning_key = \"file:sign.jwk\"\n\
         decryption_keys = [\"file:open.jwk\"]\n\n[[adapter.mapping]]\nid = \"alle\"\ntitle = \"Antrag\"\npublic_service = \"wohnsitz\"\n"
    );
    gateway.write_secret("fit.secret", SUBSCRIBER.1).unwrap();
    gateway.write_secret("sign.jwk", &keys.signing.private_jwk().unwrap().to_string()).unwrap();
    gateway.write_secret("open.jwk", &keys.encryption.private_jwk().unwrap().to_string()).unwrap();
    gateway.configure(&(common(service, "fit", "fit-connect", SUBSCRIBER) + &more)).unwrap();
    gateway
}

async fn clerk(gateway: &Gateway) -> String {
    let rights = Rights {
        tenant: COUNTY,
        roles: &["clerk", "system"],
        unit: "*",
        service: "*",
        authority: Some(COUNTY_KEY),
    };
    gateway.token("Sachbearbeitung", rights).await.unwrap()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..PATIENCE {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("not in time: {what}");
}

fn count(service: &Service, method: &str, part: &str) -> usize {
    service.calls().iter().filter(|call| call.starts_with(method) && call.contains(part)).count()
}

/// What the gateway holds now counts as idle; the kernel forgets its peak.
fn forget_peak(gateway: &Gateway) -> u64 {
    std::fs::write(format!("/proc/{}/clear_refs", gateway.pid().unwrap()), "5").unwrap();
    gateway.memory()
}

fn above(gateway: &Gateway, idle: u64) -> f64 {
    gateway.peak_memory().saturating_sub(idle) as f64 / 1e6
}

async fn cases(client: &Client) -> Vec<Value> {
    let mut all = client.list("/cases").await.unwrap();
    all.retain(|case| text(case, "publicService") == "wohnsitz");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_megabytes_arrive_once_and_whole_though_both_ends_are_killed() {
    let (service, keys) = (Service::start().await.unwrap(), Keys::generate().unwrap());
    let destination = keys.destination(ids::new_id(), SERVICE, SCHEMA).unwrap();
    service.set_up(destination.clone());
    let mut sender = sending(&service, destination.id).await;
    let mut receiver = fetching(&service, destination.id, &keys).await;
    sender.start().await.unwrap();
    let token = clerk(&sender).await;
    let portal = Portal { client: sender.client(&token).unwrap() };
    let opened = portal.open("fit", "Anbau (erfunden)").await.unwrap();
    let mut documents = vec![];
    for number in 0..4 {
        let content = Content::large(&format!("plan-{number}.pdf"), 50 + number);
        let attachment = Attachment { title: "Plan", kind: "Plan", content };
        let document = portal.describe(&opened.case, &attachment).await.unwrap();
        portal.upload(&document, &attachment.content).await.unwrap();
        documents.push((document, attachment.content));
    }
    let ids: Vec<&str> = documents.iter().map(|(id, _)| id.as_str()).collect();
    let body = json!({ "case": opened.case, "kind": "disclosure", "documents": ids, "way": "fit-connect" });
    let dispatch = portal.client.post("/dispatches", "1", &body).await.unwrap();
    let dispatch = dispatch.expect("POST /dispatches", &[201]).unwrap();
    let path = format!("/dispatches/{}", text(&dispatch, "id"));

    until("the second attachment", || count(&service, "PUT", "/attachments/") >= 2).await;
    sender.kill().await.unwrap();
    sender.start().await.unwrap();
    let idle = forget_peak(&sender);
    let client = sender.client(&token).unwrap();
    client.wait_until(&path, |it| text(it, "status") == "provided").await.unwrap();
    assert!(above(&sender, idle) < MOST_MB, "sending took {} MB", above(&sender, idle));
    let submissions = service.submissions();
    assert_eq!(submissions.iter().filter(|it| it.state == State::Submitted).count(), 1);

    receiver.start().await.unwrap();
    let token = clerk(&receiver).await;
    until("the second attachment is fetched", || count(&service, "GET", "/attachments/") >= 2).await;
    receiver.kill().await.unwrap();
    receiver.start().await.unwrap();
    let idle = forget_peak(&receiver);
    let is_accepted = || service.submissions().iter().any(|it| it.state == State::Accepted);
    until("it is accepted", is_accepted).await;
    assert!(above(&receiver, idle) < MOST_MB, "fetching took {} MB", above(&receiver, idle));

    // What was accepted is there, whatever happens now; and it is there once, though it waits again.
    receiver.kill().await.unwrap();
    service.fault(Fault::Again);
    receiver.start().await.unwrap();
    let client = receiver.client(&token).unwrap();
    let looked = count(&service, "GET", "/v2/submissions");
    until("it is listed again", || count(&service, "GET", "/v2/submissions") > looked).await;
    let found = cases(&client).await;
    assert_eq!(found.len(), 1, "the case is there once");
    let kept = client.list(&format!("/cases/{}/documents", text(&found[0], "id"))).await.unwrap();
    for (_, content) in &documents {
        let files = kept.iter().flat_map(files_of);
        let same = files.filter(|(_, file)| text(&file["content"], "sha256") == content.sha256).count();
        assert_eq!(same, 1, "{} arrives byte by byte, once", content.name);
    }
    service.fault(Fault::None);
    let client = sender.client(&clerk(&sender).await).unwrap();
    let ended = client.wait_until(&path, |it| text(it, "status") == "retrieved").await.unwrap();
    assert_eq!((items(&ended, "steps").len(), items(&ended, "proofs").len()), (2, 2));
    sender.remove().await.unwrap();
    receiver.remove().await.unwrap();
}

fn application(number: usize) -> Application {
    Application {
        service: SERVICE.into(),
        schema: SCHEMA.into(),
        data: json!({ "nummer": number }),
        attachments: vec![("plan.pdf".into(), "application/pdf".into(), b"%PDF-1.7".to_vec())],
        more: json!({}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spoiled_is_rejected_in_the_standards_words_and_nothing_of_it_is_kept() {
    let (service, keys) = (Service::start().await.unwrap(), Keys::generate().unwrap());
    let destination = keys.destination(ids::new_id(), SERVICE, SCHEMA).unwrap();
    service.set_up(destination.clone());
    let mut receiver = fetching(&service, destination.id, &keys).await;
    // A key that the destination had once, and has no more.
    let old = Key::generate(&destination.encryption_kid, Use::Encryption).unwrap();
    let outdated = Destination { keys: vec![old.public_jwk().unwrap()], ..destination.clone() };
    let mut expected = vec![];
    for (number, (fault, problem)) in [
        (Fault::None, "encryption-issue"),
        (Fault::TamperedData, "encryption-issue"),
        (Fault::TamperedAttachment, "encryption-issue"),
        (Fault::WrongTag, "incorrect-authentication-tag"),
        (Fault::ForgedSet, "invalid-event-log"),
    ]
    .into_iter()
    .enumerate()
    {
        service.fault(fault);
        let key = if number == 0 { &outdated } else { &destination };
        let (submission, _) = apply(&service, key, &application(number)).await.unwrap();
        expected.push((submission, problem));
    }
    service.fault(Fault::None);
    let (good, _) = apply(&service, &destination, &application(99)).await.unwrap();
    receiver.start().await.unwrap();
    let last = |id: Id| service.events(id).pop();
    until("all are judged", || {
        let ended =
            |id| last(id).is_some_and(|(name, _)| name.starts_with("accept") || name.starts_with("reject"));
        expected.iter().map(|(id, _)| *id).chain([good]).all(ended)
    })
    .await;
    for (id, problem) in expected {
        let (name, payload) = last(id).unwrap();
        assert_eq!(name, "reject-submission", "{problem}");
        let told = payload["problems"][0]["type"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        assert_eq!(told, problem);
    }
    assert_eq!(last(good).unwrap().0, "accept-submission");
    let client = receiver.client(&clerk(&receiver).await).unwrap();
    assert_eq!(cases(&client).await.len(), 1, "nothing of the others is kept");
    receiver.remove().await.unwrap();
}
