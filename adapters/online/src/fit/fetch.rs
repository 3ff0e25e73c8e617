//! One submission: fetched, verified, decrypted. In the order of FIT-Connect: the event of its submission, the tags of what was
//! downloaded, metadata, attachments announced, service, schema, data, and each attachment, streamed. What does not pass is rejected by
//! the first problem that was found.

use std::borrow::Cow;
use std::collections::BTreeSet;

use model::adapter::Host;
use model::{Failure, PayloadRef};
use seal::jose::{Decryptor, Opened, decrypt};
use seal::xmlenc::Staging;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use uuid::Uuid;

use super::client::{Call, broken, not_understood, too_large};
use super::metadata::{Attachment, Metadata, is_service};
use super::plain::{self, Stream};
use super::problems::{Kind, Part, Problem};
use super::set::{Author, Set, Subject, Tags, Unverified};
use super::subscriber::Subscriber;
use crate::mapping::Data;

/// Most bytes of decrypted metadata.
const METADATA: usize = 1 << 20;
/// Bytes of an attachment that are read at a time.
const PIECE: usize = 64 * 1024;
/// Decrypted bytes of an attachment that stay in memory.
const MEMORY: usize = 64 * 1024;
/// The event by which the delivery service says that a submission is whole.
pub(crate) const SUBMITTED: &str = "submit-submission";
/// Events that are asked for at once, and pages of them.
const EVENTS: usize = 500;
const PAGES: usize = 4;

/// Why a submission was not taken.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It does not pass.
    Rejected(Problem),
    /// Nobody knows yet.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failed(failure)
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Stop::Rejected(problem)
    }
}

/// A submission that waits, as the delivery service lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Waiting {
    pub(crate) destination_id: Uuid,
    pub(crate) submission_id: Uuid,
    pub(crate) case_id: Uuid,
}

/// A public service.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Service {
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) identifier: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    case_id: Uuid,
    #[serde(default)]
    attachments: Vec<Uuid>,
    #[serde(alias = "serviceType")]
    public_service: Service,
    #[serde(borrow)]
    encrypted_metadata: Cow<'a, str>,
    #[serde(borrow)]
    encrypted_data: Option<Cow<'a, str>>,
}

/// What the destination takes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Destination {
    #[serde(default)]
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) encryption_kid: String,
    #[serde(default, alias = "services")]
    public_services: Option<Vec<Offered>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Offered {
    identifier: String,
    #[serde(default)]
    submission_schemas: Vec<OfferedSchema>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfferedSchema {
    schema_uri: String,
    mime_type: String,
}

/// A submission that passed.
pub(crate) struct Fetched {
    pub(crate) at: Waiting,
    pub(crate) service: Service,
    /// The event of its submission.
    pub(crate) set: Set,
    pub(crate) tags: Tags,
    pub(crate) metadata: Metadata,
    /// The data as a tree, and as kept.
    pub(crate) tree: Data,
    pub(crate) data: PayloadRef,
    pub(crate) attachments: Vec<(Attachment, PayloadRef)>,
}

/// What a page of an event log holds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    total_count: usize,
    event_log: Vec<String>,
}

/// What an event log says of a submission.
#[derive(Default)]
pub(crate) struct Log {
    /// Verified events, in their order; whatever else stands there says nothing.
    pub(crate) sets: Vec<Set>,
    /// Something calls itself the event of its submission and is none: a key that we know proves it.
    is_wrong: bool,
    /// Something may be the event of its submission, and nobody knows yet.
    is_unclear: bool,
}

impl Destination {
    fn takes(&self, service: &str, metadata: &Metadata) -> Result<(), Problem> {
        let Some(all) = &self.public_services else { return Ok(()) };
        let mut own = all.iter().filter(|offered| offered.identifier == service).peekable();
        if own.peek().is_none() {
            return Err(Problem { kind: Kind::UnsupportedService, part: Part::Submission });
        }
        let data = &metadata.data;
        let is_it = |it: &OfferedSchema| it.schema_uri == data.schema && it.mime_type == data.media_type;
        let takes = own.any(|it| it.submission_schemas.is_empty() || it.submission_schemas.iter().any(is_it));
        if takes { Ok(()) } else { Err(Problem { kind: Kind::UnsupportedSchema, part: Part::Data }) }
    }
}

impl Subscriber {
    /// Fetches a submission and keeps what is in it.
    pub(crate) async fn fetch(
        &self,
        host: &dyn Host,
        at: Waiting,
        destination: &Destination,
    ) -> Result<Fetched, Stop> {
        let path = format!("/v2/submissions/{}", at.submission_id);
        let most_answer = self.settings.most_data.saturating_mul(3) / 2 + 2 * METADATA;
        let answer = self.access.send(Call { most_answer, ..Call::get(&path) }.transfer()).await?;
        let body: Body<'_> = serde_json::from_slice(&answer.body).map_err(|_| not_understood())?;
        if body.case_id != at.case_id {
            return Err(not_understood().into());
        }
        let (set, tags) = self.submitted(at).await?;
        compare(&body, &tags)?;
        let (opened, bytes) = self.decrypted(&body.encrypted_metadata, METADATA, Part::Metadata)?;
        drop(opened);
        let metadata = Metadata::read(&bytes)?;
        check(&body, &metadata)?;
        destination.takes(&body.public_service.identifier, &metadata)?;
        let sealed = body.encrypted_data.as_deref().unwrap_or_default();
        let (opened, bytes) = self.decrypted(sealed, self.settings.most_data, Part::Data)?;
        let service = body.public_service;
        if opened.sha512 != metadata.data.sha512 {
            return Err(Problem { kind: Kind::Hash, part: Part::Data }.into());
        }
        drop(answer);
        let tree = Data::read(&bytes, &metadata.data.media_type)
            .map_err(|_| Problem { kind: Kind::Syntax, part: Part::Data })?;
        let data = host.keep(Box::new(std::io::Cursor::new(bytes))).await?;
        let mut attachments = vec![];
        let mut left = self.settings.most_submission.saturating_sub(data.size);
        for attachment in &metadata.attachments {
            let most = left.min(self.settings.most_attachment);
            let kept = self.attachment(host, at, attachment, &tags, most).await?;
            left = left.saturating_sub(kept.size);
            attachments.push((attachment.clone(), kept));
        }
        Ok(Fetched { at, service, set, tags, metadata, tree, data, attachments })
    }

    /// The event that says that it was submitted, and the tags that it names. What is not there may still come, and what is not understood
    /// may be understood later: it waits, and only what a key that we know proves wrong is rejected.
    async fn submitted(&self, at: Waiting) -> Result<(Set, Tags), Stop> {
        let invalid = Problem { kind: Kind::EventLog, part: Part::Submission };
        let mut log = self.events(at).await?.unwrap_or_default();
        log.sets.retain(|set| set.event == SUBMITTED);
        let Some(set) = log.sets.pop() else {
            return match log.is_wrong && !log.is_unclear {
                true => Err(invalid.into()),
                false => Err(no_event().into()),
            };
        };
        if !log.sets.is_empty() {
            return Err(invalid.into());
        }
        let tags = set.tags().ok_or(invalid)?;
        Ok((set, tags))
    }

    /// The event log of a submission, if the delivery service knows it (any more).
    pub(crate) async fn events(&self, at: Waiting) -> Result<Option<Log>, Failure> {
        let mut found = Log::default();
        for page in 0..PAGES {
            let offset = page * EVENTS;
            let path = format!("/v2/submissions/{}/events?offset={offset}&limit={EVENTS}", at.submission_id);
            let call = Call { most_answer: 16 << 20, ..Call::get(&path) };
            let Some(log) = self.access.found::<Page>(call).await? else { return Ok(None) };
            for token in &log.event_log {
                self.read(token, at, &mut found).await?;
            }
            if log.event_log.len() < EVENTS || offset + EVENTS >= log.total_count {
                break;
            }
        }
        Ok(Some(found))
    }

    /// One entry of an event log.
    async fn read(&self, token: &str, at: Waiting, log: &mut Log) -> Result<(), Failure> {
        let Ok(read) = Unverified::read(token, self.access.now()) else {
            log.is_unclear = true;
            return Ok(());
        };
        let is_submitted = read.says(SUBMITTED);
        match self.keys.judge(read).await? {
            Ok(set) => log.sets.extend(Some(set).filter(|set| is_about(set, at))),
            Err(invalid) if is_submitted && invalid.is_proved() => log.is_wrong = true,
            Err(_) if is_submitted => log.is_unclear = true,
            Err(_) => {}
        }
        Ok(())
    }

    /// Short content, decrypted.
    fn decrypted(&self, compact: &str, most: usize, part: Part) -> Result<(Opened, Vec<u8>), Stop> {
        decrypt(&self.settings.decryption, compact.as_bytes(), most).map_err(|error| stop(&error, part))
    }

    /// An attachment, decrypted on its way into the store: it can be read there only after all its tags were right. One that was sent in
    /// fragments is these one behind the other, which its hash proves.
    async fn attachment(
        &self,
        host: &dyn Host,
        at: Waiting,
        attachment: &Attachment,
        tags: &Tags,
        most: u64,
    ) -> Result<PayloadRef, Stop> {
        let part = Part::Attachment(attachment.id);
        let (mut plain, mut left, mut sha512) = (vec![], most, None);
        for id in &attachment.parts {
            let opened = self.download(at, *id, left, part).await?;
            if tags.attachments.get(id) != Some(&opened.tag) {
                return Err(Problem { kind: Kind::Tag, part }.into());
            }
            left = left.saturating_sub(opened.plain.length());
            sha512 = Some(opened.sha512);
            plain.push(opened.plain);
        }
        if plain.len() > 1 {
            sha512 = Some(plain::sha512(&plain).await?);
        }
        if sha512.as_ref() != Some(&attachment.sha512) {
            return Err(Problem { kind: Kind::Hash, part }.into());
        }
        Ok(host.keep(Box::new(Stream::new(plain))).await?)
    }

    /// What was uploaded under this id, decrypted piece by piece.
    async fn download(&self, at: Waiting, id: Uuid, most: u64, part: Part) -> Result<Opened, Stop> {
        let path = format!("/v2/submissions/{}/attachments/{id}", at.submission_id);
        let mut content = self.access.open(&path).await?.body;
        let wrong = |error: seal::Error| stop(&error, part);
        let keys = std::sync::Arc::clone(&self.settings.decryption);
        let mut decryptor = Decryptor::new(keys, Staging::new(MEMORY, most)).map_err(wrong)?;
        let mut piece = vec![0; PIECE];
        loop {
            let count = content.read(&mut piece).await.map_err(|_| broken())?;
            match piece.get(..count) {
                Some([]) | None => return decryptor.finish().map_err(wrong),
                Some(bytes) => decryptor.update(bytes).map_err(wrong)?,
            }
        }
    }
}

/// Whether an event is about this submission, by somebody who has to do with it.
fn is_about(set: &Set, at: Waiting) -> bool {
    let has_to_do = match &set.author {
        Author::Destination(id) => *id == at.destination_id,
        Author::Service(_) => true,
    };
    set.subject == Subject::Submission(at.submission_id) && set.case == at.case_id && has_to_do
}

/// Whether the tags of what came are those of the event.
fn compare(body: &Body<'_>, tags: &Tags) -> Result<(), Problem> {
    let wrong = |part| Problem { kind: Kind::Tag, part };
    if tag(&body.encrypted_metadata) != tags.metadata {
        return Err(wrong(Part::Metadata));
    }
    let data = body.encrypted_data.as_deref().filter(|data| !data.is_empty());
    let data = data.ok_or(Problem { kind: Kind::MissingData, part: Part::Data })?;
    if tag(data) != tags.data {
        return Err(wrong(Part::Data));
    }
    let announced: BTreeSet<&Uuid> = body.attachments.iter().collect();
    match announced == tags.attachments.keys().collect() {
        true => Ok(()),
        false => Err(Problem { kind: Kind::Attachments, part: Part::Submission }),
    }
}

/// Whether the metadata are those of this submission.
fn check(body: &Body<'_>, metadata: &Metadata) -> Result<(), Problem> {
    let announced: BTreeSet<Uuid> = body.attachments.iter().copied().collect();
    if announced != metadata.attachments.iter().flat_map(|it| it.parts.iter().copied()).collect() {
        return Err(Problem { kind: Kind::Attachments, part: Part::Submission });
    }
    let service = &body.public_service.identifier;
    if !is_service(service) {
        return Err(Problem { kind: Kind::UnsupportedService, part: Part::Submission });
    }
    match &metadata.service {
        Some(other) if other != service => Err(Problem { kind: Kind::ServiceMismatch, part: Part::Metadata }),
        _ => Ok(()),
    }
}

/// The last segment.
fn tag(compact: &str) -> &str {
    compact.rsplit('.').next().unwrap_or_default()
}

fn no_event() -> Failure {
    Failure::transient("fit.no-event", "the event log does not say (yet) that it was submitted")
}

/// What it means that a part cannot be decrypted.
fn stop(error: &seal::Error, part: Part) -> Stop {
    match error {
        seal::Error::Decrypt | seal::Error::JoseMalformed(_) | seal::Error::AlgorithmForbidden => {
            Problem { kind: Kind::Encryption, part }.into()
        }
        seal::Error::EncryptionTooLarge => too_large().into(),
        other => Failure::transient(other.code(), "the content cannot be decrypted at the moment").into(),
    }
}

/// Reads what a destination takes.
pub(crate) fn destination(json: Value) -> Result<Destination, Failure> {
    Destination::deserialize(json).map_err(|_| not_understood())
}
