//! One submission that we send: announced, its attachments encrypted as they are read, its metadata (2.1.0) and data, and what the event
//! log says of it. What was encrypted is known by its authentication tags: whatever an event says of other tags says nothing of ours.

use bytes::Bytes;
use futures::stream;
use model::adapter::{Content, Source};
use model::{Failure, Id};
use net::{Method, Upload};
use seal::jose::{Algorithm, Encryptor, PublicKey, Sealed, compact_bytes, encrypt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::client::{Access, Call};
use super::keys::{Keys, destination_key};
use super::set::{Author, Invalid, Set, Subject, Tags};

/// Version of the metadata that we write.
const METADATA: &str = "https://schema.fitko.de/fit-connect/metadata/2.1.0/metadata.schema.json";
/// Bytes that are encrypted at a time, and pieces that wait to be sent.
const PIECE: usize = 48 * 1024;
const AHEAD: usize = 2;
/// Events that are asked for at once.
const EVENTS: usize = 500;

/// A service as a submission names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Identifier, such as `urn:de:fim:leika:leistung:99…`.
    pub identifier: String,
    /// Name.
    pub name: String,
}

/// How the delivery service calls us when an event log has grown.
pub struct Calls {
    /// Address of the adapter's door, with `/callback`.
    pub url: String,
    /// Secret of the calls.
    pub secret: Zeroizing<String>,
}

/// A submission that was announced; remembered with the dispatch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announced {
    pub(crate) submission: Uuid,
    pub(crate) case: Uuid,
    pub(crate) destination: Uuid,
    /// SHA-256 of the tags that we sent, of each try, once that is about to happen: of a try whose answer was lost nobody knows for a while
    /// whether it counts, and whatever is encrypted anew has other tags.
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    /// The delivery service has said that it was submitted: nothing is sent any more, and its event is waited for.
    #[serde(default)]
    pub(crate) submitted: bool,
    /// A try was refused after one whose answer was lost: nothing is sent any more, and what the log says of that one is waited for.
    #[serde(default)]
    pub(crate) refused: bool,
}

impl Announced {
    /// Whether nothing more is sent of it: only the event log knows what became of it.
    pub(crate) fn is_done(&self) -> bool {
        self.submitted || self.refused
    }
}

/// An attachment.
pub(crate) struct Piece<'a> {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) description: Option<String>,
    pub(crate) bytes: u64,
    pub(crate) source: &'a dyn Source,
}

/// The data of a submission.
pub(crate) struct Data {
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: &'static str,
    pub(crate) schema: String,
}

/// A destination that can be sent to.
pub(crate) struct Open {
    pub(crate) id: Uuid,
    pub(crate) key: PublicKey,
}

/// The id of the n-th attachment of a delivery: always the same, with the marks of a random UUID.
pub(crate) fn attachment_id(delivery: Id, number: usize) -> Uuid {
    let digest =
        seal::sha256(&[b"fit-connect attachment", delivery.as_bytes(), &number.to_be_bytes()]).to_string();
    let bytes = hex::decode(digest).unwrap_or_default();
    let mut id = [0; 16];
    id.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    uuid::Builder::from_random_bytes(id).into_uuid()
}

/// A digest of tags, short enough to be remembered however many attachments there are.
pub(crate) fn digest(tags: &Tags) -> String {
    seal::sha256(&[json!(tags).to_string().as_bytes()]).to_string()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    status: String,
    encryption_kid: String,
}

/// Reads a destination: it must be active, and its key must keep the rules of JWKs and be trusted.
pub(crate) async fn open(access: &Access, keys: &Keys, id: Uuid) -> Result<Open, Failure> {
    let view: View = access.json(Call::get(&format!("/v2/destinations/{id}"))).await?;
    if view.status != "active" {
        // It may be again tomorrow: the patience of the adapter says how long that is waited for.
        return Err(Failure::transient("fit.destination", "the destination that is sent to is not active"));
    }
    let key = destination_key(access, id, &view.encryption_kid).await?;
    let unusable = |why| Failure::transient("fit.destination-key", why);
    let key = key.filter(|key| key.algorithm() == Algorithm::RsaOaep256);
    let key = key.ok_or_else(|| unusable("the destination has no usable key to encrypt for"))?;
    match keys.is_good(&key) {
        true => Ok(Open { id, key }),
        false => Err(unusable("the certificates of the destination's key have run out, or are not trusted")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    submission_id: Uuid,
    case_id: Uuid,
}

/// Announces a submission; one that is announced and never submitted is removed by the delivery service.
pub(crate) async fn announce(
    access: &Access,
    destination: Uuid,
    service: &Service,
    attachments: &[Piece<'_>],
    callback: Option<&Calls>,
) -> Result<Announced, Failure> {
    let mut body = json!({
        "destinationId": destination,
        "announcedAttachments": attachments.iter().map(|it| it.id).collect::<Vec<_>>(),
        "publicService": { "name": service.name, "identifier": service.identifier },
    });
    if let Some(calls) = callback {
        body["callback"] = json!({ "url": calls.url, "secret": calls.secret.as_str() });
    }
    let call = Call::with(Method::POST, "/v2/submissions", "application/json", body.to_string().into_bytes());
    let created: Created = access.json(call).await?;
    let (submission, case) = (created.submission_id, created.case_id);
    Ok(Announced { submission, case, destination, tags: vec![], submitted: false, refused: false })
}

/// Encrypts and uploads an attachment as it is read.
pub(crate) async fn upload(
    access: &Access,
    at: &Announced,
    key: &PublicKey,
    piece: &Piece<'_>,
) -> Result<Sealed, Failure> {
    let content = piece.source.open().await?;
    let (sender, mut receiver) = mpsc::channel(AHEAD);
    let sealing = tokio::spawn(seal_pieces(content, key.clone(), piece.media_type.clone(), sender));
    let pieces = stream::poll_fn(move |context| receiver.poll_recv(context));
    let length = compact_bytes(key, &piece.media_type, piece.bytes);
    let path = format!("/v2/submissions/{}/attachments/{}", at.submission, piece.id);
    let body = Upload::new(pieces, Some(length));
    let call = Call::with(Method::PUT, &path, "application/jose", body).transfer();
    access.send(call).await?;
    // It was sent, so it ends.
    match sealing.await {
        Ok(Ok(sealed)) if sealed.plain_bytes == piece.bytes => Ok(sealed),
        Ok(Err(failure)) => Err(failure),
        _ => Err(unread()),
    }
}

fn unread() -> Failure {
    Failure::transient("fit.content", "the content of a document could not be read as a whole")
}

async fn seal_pieces(
    mut content: Content,
    key: PublicKey,
    media_type: String,
    sender: mpsc::Sender<std::io::Result<Bytes>>,
) -> Result<Sealed, Failure> {
    let wrong = |error: seal::Error| Failure::transient(error.code(), "a document could not be encrypted");
    let mut encryptor = Encryptor::new(&key, &media_type, Vec::new()).map_err(wrong)?;
    let mut piece = vec![0; PIECE];
    loop {
        let count = match content.read(&mut piece).await {
            Ok(count) => count,
            Err(error) => {
                // The other side must not take half of it for the whole.
                _ = sender.send(Err(error)).await;
                return Err(unread());
            }
        };
        let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        encryptor.update(bytes).map_err(wrong)?;
        let sealed = Bytes::from(std::mem::take(encryptor.sink_mut()));
        if !sealed.is_empty() && sender.send(Ok(sealed)).await.is_err() {
            return Err(unread());
        }
    }
    let (rest, sealed) = encryptor.finish().map_err(wrong)?;
    match sender.send(Ok(Bytes::from(rest))).await {
        Ok(()) => Ok(sealed),
        Err(_) => Err(unread()),
    }
}

/// What is submitted at the end: both parts encrypted, and the tags of all.
pub(crate) struct Sealing {
    body: Value,
    pub(crate) tags: Tags,
}

/// Encrypts metadata and data. `more` are members of the metadata besides.
pub(crate) fn seal_parts(
    key: &PublicKey,
    data: &Data,
    attachments: &[(Piece<'_>, Sealed)],
    more: Map<String, Value>,
) -> Result<Sealing, Failure> {
    let wrong = |error: seal::Error| Failure::transient(error.code(), "the data could not be encrypted");
    let (encrypted_data, sealed) = encrypt(key, data.media_type, &data.bytes).map_err(wrong)?;
    let hash = |sha512: &str| json!({ "type": "sha512", "content": sha512 });
    let told = attachments.iter().map(|(piece, sealed)| {
        let mut told = json!({
            "attachmentId": piece.id,
            "purpose": "attachment",
            "mimeType": piece.media_type,
            "filename": piece.name,
            "hash": hash(&sealed.sha512),
        });
        if let Some(description) = &piece.description {
            told["description"] = Value::from(description.as_str());
        }
        told
    });
    let schema = json!({ "schemaUri": data.schema, "mimeType": data.media_type });
    let mut metadata = json!({
        "$schema": METADATA,
        "contentStructure": {
            "data": { "hash": hash(&sealed.sha512), "submissionSchema": schema },
            "attachments": told.collect::<Vec<_>>(),
        },
    });
    for (name, value) in more {
        metadata[name] = value;
    }
    let json = "application/json";
    let (encrypted, metadata) = encrypt(key, json, metadata.to_string().as_bytes()).map_err(wrong)?;
    let body = json!({ "encryptedMetadata": encrypted, "encryptedData": encrypted_data });
    let attachments = attachments.iter().map(|(piece, sealed)| (piece.id, sealed.tag.clone())).collect();
    Ok(Sealing { body, tags: Tags { metadata: metadata.tag, data: sealed.tag, attachments } })
}

/// Submits what was announced.
pub(crate) async fn submit(access: &Access, at: &Announced, sealing: Sealing) -> Result<(), Failure> {
    let path = format!("/v2/submissions/{}", at.submission);
    let body = sealing.body.to_string().into_bytes();
    access.send(Call::with(Method::PUT, &path, "application/json", body).transfer()).await.map(drop)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    event_log: Vec<String>,
}

/// What stands in the event log of a submission of ours.
#[derive(Default)]
pub(crate) struct Events {
    /// Verified ones, in the order of the log.
    pub(crate) sets: Vec<Set>,
    /// Whether there are some that cannot be judged yet, such as under a key that is not known here.
    pub(crate) unclear: bool,
}

/// What the event log of a submission of ours says; whatever is no event about it says nothing. `None` if the delivery service does not
/// know it (any more).
pub(crate) async fn events(access: &Access, keys: &Keys, at: &Announced) -> Result<Option<Events>, Failure> {
    let path = format!("/v2/submissions/{}/events?offset=0&limit={EVENTS}", at.submission);
    let found = access.found::<Log>(Call { most_answer: 16 << 20, ..Call::get(&path) }).await?;
    let Some(log) = found else { return Ok(None) };
    let mut found = Events::default();
    for token in &log.event_log {
        let set = match keys.verify(token).await? {
            Ok(set) => set,
            Err(invalid) => {
                found.unclear |= invalid == Invalid::Unclear;
                continue;
            }
        };
        let is_ours = set.subject == Subject::Submission(at.submission) && set.case == at.case;
        let may_write = match &set.author {
            Author::Destination(id) => *id == at.destination,
            Author::Service(_) => true,
        };
        if is_ours && may_write {
            found.sets.push(set);
        }
    }
    Ok(Some(found))
}

/// Whether an event names exactly the tags that we sent in one of our tries.
pub(crate) fn is_of_ours(set: &Set, at: &Announced) -> bool {
    set.tags().is_some_and(|tags| at.tags.contains(&digest(&tags)))
}
