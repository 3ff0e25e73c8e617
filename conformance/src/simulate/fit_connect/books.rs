//! What the simulated delivery service holds.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Fault;
use super::jose::Key;

/// A client of the API.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) secret: String,
    pub(super) may_send: bool,
}

/// A destination (Zustellpunkt).
#[derive(Debug, Clone)]
pub struct Destination {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// `created`, `active`, `inactive` or `decommissioned`.
    pub status: String,
    /// Id of the key that is encrypted for.
    pub encryption_kid: String,
    /// Its public keys (JWK).
    pub keys: Vec<Value>,
    /// Services: identifier, and the addresses of the schemas that it takes.
    pub services: Vec<(String, Vec<String>)>,
    /// Areas (ARS) that it is responsible for.
    pub areas: Vec<String>,
    /// Where it is called, and the secret.
    pub callback: Option<(String, String)>,
}

/// Where a submission stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It was announced.
    Incomplete,
    /// It waits.
    Submitted,
    /// It was accepted; its content is gone.
    Accepted,
    /// It was rejected; its content is gone.
    Rejected,
}

/// A submission.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Its id.
    pub id: Uuid,
    /// Its case.
    pub case: Uuid,
    /// Where it goes.
    pub destination: Uuid,
    /// The client that sends it.
    pub sender: String,
    /// Identifier and name of the service.
    pub service: Value,
    /// Attachments that were announced.
    pub announced: Vec<Uuid>,
    /// Where it stands.
    pub state: State,
    /// The metadata, encrypted.
    pub metadata: String,
    /// The data, encrypted.
    pub data: String,
    pub(super) attachments: BTreeMap<Uuid, Stored>,
    pub(super) callback: Option<(String, String)>,
}

/// An attachment, encrypted.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) file: Arc<File>,
    pub(super) bytes: u64,
    pub(super) tag: String,
}

/// An event.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) subject: String,
    pub(super) case: Uuid,
    pub(super) token: String,
}

/// A callback that is to be made.
pub(super) struct Callback {
    pub(super) url: String,
    pub(super) timestamp: String,
    pub(super) code: String,
    pub(super) body: String,
}

/// All it knows.
pub(super) struct Books {
    /// What it calls itself.
    pub(super) issuer: String,
    pub(super) service_key: Key,
    pub(super) portal_key: Key,
    pub(super) clients: BTreeMap<String, Client>,
    pub(super) tokens: BTreeMap<String, String>,
    pub(super) destinations: BTreeMap<Uuid, Destination>,
    pub(super) submissions: Vec<Submission>,
    pub(super) log: Vec<Entry>,
    pub(super) fault: Fault,
    pub(super) calls: Vec<String>,
    /// Part of method and path of calls that are answered with this status.
    pub(super) refused: Option<(String, u16)>,
    /// Event logs are shown as if nothing had happened since then.
    pub(super) lags: bool,
    /// Seconds that its clock is ahead.
    pub(super) ahead: i64,
    callbacks: Vec<(String, String, Value)>,
}

impl std::fmt::Debug for Books {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Books({} submissions)", self.submissions.len())
    }
}

impl Books {
    pub(super) fn new(url: &str, service_key: Key, portal_key: Key) -> Self {
        Books {
            issuer: format!("{url}/submission-api"),
            service_key,
            portal_key,
            clients: BTreeMap::new(),
            tokens: BTreeMap::new(),
            destinations: BTreeMap::new(),
            submissions: vec![],
            log: vec![],
            fault: Fault::None,
            calls: vec![],
            refused: None,
            lags: false,
            ahead: 0,
            callbacks: vec![],
        }
    }

    /// Whose token it is, and whether they send.
    pub(super) fn who(&self, token: &str) -> Option<(String, bool)> {
        let id = self.tokens.get(token)?;
        Some((id.clone(), self.clients.get(id)?.may_send))
    }

    pub(super) fn submission(&self, id: Uuid) -> Option<&Submission> {
        self.submissions.iter().find(|it| it.id == id)
    }

    pub(super) fn submission_mut(&mut self, id: Uuid) -> Option<&mut Submission> {
        self.submissions.iter_mut().find(|it| it.id == id)
    }

    /// Notes that somebody is to be called.
    pub(super) fn call(&mut self, callback: Option<(String, String)>, body: Value) {
        if let Some((url, secret)) = callback {
            self.callbacks.push((url, secret, body));
        }
    }

    /// The callbacks that are to be made now.
    pub(super) fn take_callbacks(&mut self) -> Vec<Callback> {
        let made = std::mem::take(&mut self.callbacks).into_iter().filter_map(|(url, secret, body)| {
            let (timestamp, code, body) = signed(&secret, &body)?;
            Some(Callback { url, timestamp, code, body })
        });
        made.collect()
    }
}

/// Time, code and body of a callback: HMAC-SHA-512 over `time.body`.
pub(super) fn signed(secret: &str, body: &Value) -> Option<(String, String, String)> {
    let (timestamp, body) = (OffsetDateTime::now_utc().unix_timestamp().to_string(), body.to_string());
    let key = PKey::hmac(secret.as_bytes()).ok()?;
    let mut signer = Signer::new(MessageDigest::sha512(), &key).ok()?;
    let code = signer.sign_oneshot_to_vec(format!("{timestamp}.{body}").as_bytes()).ok()?;
    Some((timestamp, hex::encode(code), body))
}

/// The body that tells of new submissions.
pub(super) fn new_submission(at: &Submission) -> Value {
    let told = json!({ "destinationId": at.destination, "submissionId": at.id, "caseId": at.case });
    json!({
        "type": "https://schema.fitko.de/fit-connect/submission-api/callbacks/new-submissions",
        "submissionIds": [at.id],
        "submissions": [told],
    })
}
