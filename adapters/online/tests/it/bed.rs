//! A subscriber at the delivery service of the tests, and submissions for it: that of the vectors, which `jwcrypto` made, and others that
//! are made here.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use adapter_online::fit::{Access, Desk as Whose, Hosts, Names, Settings, adapter};
use adapter_online::mapping::{Mapping, Raw};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use model::adapter::Adapter;
use model::{Clock, Failure, Record, Timestamp};
use net::{Client, Egress};
use seal::hash;
use seal::jose::{Algorithm, Jws, PrivateKey, Protected, PublicKey, encrypt, sign};
use seal::x509::{Certificate, Trust, WithoutRevocation};
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::service::{Service, Waits};

pub(crate) const DESTINATION: &str = "879ee109-a690-4db8-ab32-424284184d7d";
pub(crate) const SUBMISSION: &str = "ce75a6b8-d72f-4b94-b09e-af6be35bc2ae";
pub(crate) const CASE: &str = "e89e107e-ed79-40e6-ad34-4e770f9df263";
pub(crate) const ATTACHMENT: &str = "2046f9f1-dc89-4440-9c24-c76a8f40d668";
pub(crate) const SERVICE: &str = "urn:de:fim:leika:leistung:99115005104000";
const SCHEMA: &str = "https://schema.fitko.de/fim/s00000096_1.0.schema.json";
const EVENTS: &str = "https://schema.fitko.de/fit-connect/events/";

pub(crate) fn vector(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/fit-connect");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

static KEYS: LazyLock<Value> = LazyLock::new(|| vector("keys.TEST-ONLY.json"));

pub(crate) fn private(name: &str) -> PrivateKey {
    PrivateKey::from_json(KEYS[name].to_string().as_bytes()).unwrap()
}

pub(crate) fn public(name: &str) -> PublicKey {
    PublicKey::from_value(&KEYS[name]).unwrap()
}

/// A clock that tests set.
#[derive(Clone)]
pub(crate) struct Time(Arc<Mutex<Timestamp>>);

impl Clock for Time {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A subscriber, its service and its gateway.
pub(crate) struct Bed {
    pub(crate) service: Service,
    pub(crate) desk: Arc<Desk>,
    pub(crate) subscriber: Arc<dyn Adapter>,
    time: Time,
}

impl Bed {
    /// At a time shortly after the vectors were made.
    pub(crate) async fn new() -> Self {
        let destination = json!({
            "destinationId": DESTINATION,
            "status": "active",
            "encryptionKid": private("destination_encryption_private").kid(),
            "publicServices": [{
                "identifier": SERVICE,
                "submissionSchemas": [{ "schemaUri": SCHEMA, "mimeType": "application/json" }],
            }],
        });
        let service = Service::start(KEYS["delivery_service_jwks"].clone(), destination).await;
        let time = Time(Arc::new(Mutex::new(Timestamp::parse("2026-03-01T12:00:00Z").unwrap())));
        let desk = Arc::new(Desk::default());
        let subscriber = subscriber(&service, &time, None);
        let bed = Bed { service, desk, subscriber, time };
        bed.later(Duration::ZERO);
        bed
    }

    /// So much later.
    pub(crate) fn later(&self, by: Duration) {
        let now = self.time.now().plus(by);
        *self.time.0.lock().unwrap() = now;
        self.desk.held.lock().unwrap().now = now;
    }

    /// From now on certificates of keys must go back to these.
    pub(crate) fn trust(&mut self, anchors: &[Certificate]) {
        let trust = Trust::new(anchors).unwrap().without_revocation(WithoutRevocation::Accept);
        self.subscriber = subscriber(&self.service, &self.time, Some(trust));
    }

    /// Sessions until that of so many days later.
    pub(crate) async fn run_for_days(&self, days: u32) {
        for _ in 0..=days {
            self.run().await.unwrap_err();
            self.later(Duration::from_secs(86_400));
        }
    }

    /// The titles of all tasks.
    pub(crate) fn tasks(&self) -> Vec<String> {
        let held = self.desk.held.lock().unwrap();
        let title = |record: &Record| match record {
            Record::Task(task) => format!("{}: {}", task.kind, task.title),
            _ => panic!("no task"),
        };
        held.tasks.iter().map(title).collect()
    }

    pub(crate) async fn run(&self) -> Result<Duration, Failure> {
        self.subscriber.run(self.desk.clone()).await
    }

    pub(crate) fn put(&self, waits: Waits) {
        let id = waits.body["submissionId"].as_str().unwrap().to_owned();
        self.service.known().submissions.insert(id, waits);
    }

    /// The events that came: name, and what they say.
    pub(crate) fn told(&self) -> Vec<(String, Value)> {
        self.service.known().events.iter().map(|token| read(token)).collect()
    }
}

/// What an event claims, whoever may have signed it.
pub(crate) fn claims(token: &str) -> Value {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// An event of ours, verified.
fn read(token: &str) -> (String, Value) {
    let jws = Jws::read(token, Algorithm::Ps512, "secevent+jwt").unwrap();
    let claims = jws.verify(&public("destination_signature_public")).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["iss"], &claims["txn"]), (&json!(DESTINATION), &json!(format!("case:{CASE}"))));
    assert_eq!(claims["sub"], format!("submission:{SUBMISSION}"));
    let events = claims["events"].as_object().unwrap();
    assert_eq!(events.len(), 1);
    let (name, payload) = events.iter().next().unwrap();
    (name.strip_prefix(EVENTS).unwrap().to_owned(), payload.clone())
}

fn party(family_name: &str) -> BTreeMap<String, String> {
    [("family_name".to_owned(), family_name.to_owned())].into()
}

fn subscriber(service: &Service, time: &Time, trust: Option<Trust>) -> Arc<dyn Adapter> {
    let raw = Raw {
        id: "wohnsitz".into(),
        service: Some(SERVICE.into()),
        title: "Wohnsitz anmelden: {/G1/F1|/F60000238}".into(),
        public_service: Some("wohnsitz".into()),
        parties: vec![party("{/antragsteller}"), party("{/vertreter}")],
        ..Raw::default()
    };
    let settings = Settings {
        id: "fit".into(),
        destination: DESTINATION.parse().unwrap(),
        signing: private("destination_signature_private"),
        decryption: Arc::from([private("destination_encryption_private")]),
        issuer: Some("https://submission-api-testing.fit-connect.fitko.dev".into()),
        trust,
        set_schema: None,
        names: Names::default(),
        mappings: vec![Mapping::new(raw).unwrap()],
        desk: Whose {
            tenant: "soest".into(),
            authority: "bab:05974000".parse().unwrap(),
            unit: "33".into(),
            service: Some("wohnsitz".into()),
        },
        pause: Duration::from_secs(60),
        callback_secret: Some(zeroize::Zeroizing::new("geheim".into())),
        most_data: 1 << 20,
        most_attachment: 1 << 20,
        most_submission: 1 << 20,
        told_after: Duration::from_secs(3 * 86_400),
        deadline: Duration::from_secs(14 * 86_400),
    };
    let clock: Arc<dyn Clock> = Arc::new(time.clone());
    let client =
        Client::new(Egress::new(&["127.0.0.1"]).unwrap(), net::Settings::default(), Arc::clone(&clock));
    let hosts = Hosts { token: format!("{}/token", service.url), submission: service.url.clone() };
    let credentials = ("cid".to_owned(), zeroize::Zeroizing::new("geheim&".to_owned()));
    let times = (Duration::from_secs(10), Duration::from_secs(10));
    adapter(settings, Access::new(client, clock, hosts, credentials, times)).unwrap()
}

/// The submission of the vectors: before it was accepted.
pub(crate) fn of_vectors() -> Waits {
    let vector = vector("submission-json.json");
    let attachments = vector["encryptedAttachments"].as_object().unwrap();
    let log = vector["eventLog"].as_array().unwrap();
    Waits {
        body: vector["submission"].clone(),
        attachments: attachments
            .iter()
            .map(|(id, jwe)| (id.clone(), jwe.as_str().unwrap().to_owned()))
            .collect(),
        log: log.iter().take(3).map(|token| token.as_str().unwrap().to_owned()).collect(),
    }
}

/// A submission about to be made, which a test may spoil in any way.
pub(crate) struct Draft {
    pub(crate) id: String,
    pub(crate) data: Vec<u8>,
    pub(crate) attachment: Vec<u8>,
    pub(crate) metadata: Value,
    /// Written instead of the metadata.
    pub(crate) raw_metadata: Option<Vec<u8>>,
    pub(crate) service: String,
    pub(crate) announced: Vec<String>,
    pub(crate) key: PublicKey,
    /// What the delivery service says in its event.
    pub(crate) spoil_claims: fn(&mut Value),
    pub(crate) signer: PrivateKey,
    pub(crate) typ: &'static str,
    /// What becomes of the parts after the event was written.
    pub(crate) tamper: fn(&mut Waits),
}

pub(crate) fn sha512(bytes: &[u8]) -> String {
    hex::encode(hash::digest(hash::Algorithm::Sha512, &[bytes]).unwrap())
}

impl Draft {
    pub(crate) fn new() -> Self {
        let (data, attachment) = (br#"{"G1":{"F1":"Max"}}"#.to_vec(), b"%PDF-1.7".to_vec());
        let hash = |bytes: &[u8]| json!({ "type": "sha512", "content": sha512(bytes) });
        let metadata = json!({
            "$schema": "https://schema.fitko.de/fit-connect/metadata/2.1.0/metadata.schema.json",
            "contentStructure": {
                "data": {
                    "hash": hash(&data),
                    "submissionSchema": { "schemaUri": SCHEMA, "mimeType": "application/json" },
                },
                "attachments": [{
                    "attachmentId": ATTACHMENT,
                    "purpose": "attachment",
                    "mimeType": "application/pdf",
                    "filename": "../lage/plan?.pdf",
                    "hash": hash(&attachment),
                }],
            },
        });
        Draft {
            id: SUBMISSION.to_owned(),
            data,
            attachment,
            metadata,
            raw_metadata: None,
            service: SERVICE.to_owned(),
            announced: vec![ATTACHMENT.to_owned()],
            key: public("destination_encryption_public"),
            spoil_claims: |_| {},
            signer: private("delivery_service_private"),
            typ: "secevent+jwt",
            tamper: |_| {},
        }
    }

    pub(crate) fn made(self) -> Waits {
        let metadata = self.raw_metadata.unwrap_or_else(|| self.metadata.to_string().into_bytes());
        let seal = |media_type: &str, bytes: &[u8]| encrypt(&self.key, media_type, bytes).unwrap();
        let (metadata, of_metadata) = seal("application/json", &metadata);
        let (data, of_data) = seal("application/json", &self.data);
        let (attachment, of_attachment) = seal("application/pdf", &self.attachment);
        let mut claims = json!({
            "$schema": "https://schema.fitko.de/fit-connect/set-payload/1.2.2/set-payload.schema.json",
            "jti": "e12a18b1-a905-4fdd-8f78-74178a51a35d",
            "iss": "https://submission-api-testing.fit-connect.fitko.dev",
            "iat": 1_772_355_605,
            "sub": format!("submission:{}", self.id),
            "txn": format!("case:{CASE}"),
            "events": { format!("{EVENTS}submit-submission"): { "authenticationTags": {
                "metadata": of_metadata.tag, "data": of_data.tag,
                "attachments": { ATTACHMENT: of_attachment.tag },
            } } },
        });
        (self.spoil_claims)(&mut claims);
        let protected = Protected { typ: Some(self.typ), kid: Some(self.signer.kid()) };
        let set = sign(&self.signer, protected, claims.to_string().as_bytes()).unwrap();
        let mut waits = Waits {
            body: json!({
                "destinationId": DESTINATION, "submissionId": self.id, "caseId": CASE,
                "attachments": self.announced,
                "publicService": { "name": "Wohnsitz anmelden", "identifier": self.service },
                "encryptedMetadata": metadata, "encryptedData": data,
            }),
            attachments: [(ATTACHMENT.to_owned(), attachment)].into(),
            log: vec![set],
        };
        (self.tamper)(&mut waits);
        waits
    }
}

/// Changes one bit of the ciphertext, and nothing of the tag.
pub(crate) fn flip(compact: &str) -> String {
    let mut segments: Vec<Vec<u8>> =
        compact.split('.').map(|it| BASE64_URL_SAFE_NO_PAD.decode(it).unwrap()).collect();
    segments[3][0] ^= 1;
    segments.iter().map(|it| BASE64_URL_SAFE_NO_PAD.encode(it)).collect::<Vec<_>>().join(".")
}
