//! One change, carried out by the host: records are found, bytes fetched and compared with what was announced, then commands submitted.

use model::adapter::{Content, Handed, Host, Link};
use model::case::{Description, Document, DocumentDates, File, RecordStatus};
use model::command::{Change, Command};
use model::letter::{Enclosure, Letter};
use model::record::Meta;
use model::{Failure, FailureKind, Id, Record, RecordKind, ids};
use net::Method;
use serde_json::Value;

use crate::Remote;
use crate::act::{Act, Fetched, Paper, Post, change};
use crate::answer::refusal_of;

/// Number of the version that files of a new document are of.
const VERSION: &str = "1";

/// Most files of a document, and documents of a letter.
const MOST_FILES: usize = 100;

/// Most bytes of what a note tells.
const NOTE_BYTES: usize = 16 * 1024;

/// A change about to be carried out.
pub(crate) struct Carrier<'a> {
    pub(crate) remote: &'a Remote,
    pub(crate) host: &'a dyn Host,
    pub(crate) key: &'a str,
    /// The record that it is about.
    pub(crate) record: Option<(RecordKind, Id)>,
}

impl Carrier<'_> {
    /// Carries it out; gives the record that it made or changed.
    pub(crate) async fn carry(&self, act: &Act) -> Result<Option<(RecordKind, Id)>, Failure> {
        if let Some((_, change)) = change(act) {
            let (kind, id) = self.record()?;
            let command = Command { kind, id, expected: None, change };
            self.host.submit(self.key, command).await?;
            return Ok(Some((kind, id)));
        }
        match act {
            Act::CreateDocument { document, references, reference, .. } => {
                let description = Description {
                    title: document.title.clone(),
                    references: references.clone(),
                    ..Description::default()
                };
                let id = self.document(document, description).await?;
                if let Some(reference) = reference {
                    let (kind, part, state) = (RecordKind::Document, String::new(), Value::Null);
                    self.host
                        .link(Link { kind, record: id, part, reference: reference.clone(), state })
                        .await?;
                }
                Ok(Some((RecordKind::Document, id)))
            }
            Act::Link { part, reference, state, .. } => {
                let (kind, record) = self.record()?;
                let (part, reference, state) = (part.clone(), reference.clone(), state.clone());
                self.host.link(Link { kind, record, part, reference, state }).await?;
                Ok(Some((kind, record)))
            }
            Act::Note { detail, .. } => {
                if !detail.is_object() || detail.to_string().len() > NOTE_BYTES {
                    return Err(bad_change());
                }
                let (kind, id) = self.record()?;
                self.host.note(self.key, kind, id, detail.clone()).await?;
                Ok(Some((kind, id)))
            }
            Act::Letter(post) => self.letter(post).await,
            Act::Message { from, to, file } => {
                let (from, to) = (from.clone(), to.clone());
                let kept = self.fetch(file).await?;
                let content = kept.content.ok_or_else(bad_change)?;
                let handed = Handed { from, to, file_name: Some(kept.name), content };
                self.host.message(self.key, handed).await?;
                Ok(None)
            }
            Act::AssignReference { .. } | Act::CompleteTask { .. } => Ok(None),
        }
    }

    fn record(&self) -> Result<(RecordKind, Id), Failure> {
        let why = "there is no such record, or more than one";
        self.record.ok_or_else(|| Failure::permanent("adapter.no-record", why))
    }

    /// A document in the record. Its id follows from the key, so that after an interruption only what is missing is fetched.
    async fn document(&self, paper: &Paper, description: Description) -> Result<Id, Failure> {
        if paper.files.len() > MOST_FILES {
            return Err(bad_change());
        }
        let (kind, parent) = self.record()?;
        if !matches!(kind, RecordKind::CaseFile | RecordKind::Case | RecordKind::Document) {
            return Err(bad_change());
        }
        let above = self.host.record(kind, parent).await?.ok_or_else(bad_change)?;
        let id = ids::derived_id(parent, &format!("{}:{}", self.remote.settings.id, self.key));
        let known = match self.host.record(RecordKind::Document, id).await? {
            Some(Record::Document(document)) => Some(document),
            _ => None,
        };
        let has = |name: &str| {
            let versions = known.iter().flat_map(|document| &document.versions);
            versions.flat_map(|version| &version.files).any(|file| file.name == name)
        };
        // All bytes are here before anything is made of them.
        let mut files = vec![];
        for (at, fetched) in paper.files.iter().enumerate().filter(|(_, file)| !has(&file.name)) {
            files.push((at, self.fetch(fetched).await?));
        }
        if known.is_none() {
            let record = Record::Document(Document {
                meta: Meta { id, version: 0, ..above.meta().clone() },
                description,
                parent: Some(parent),
                kind: paper.kind.clone(),
                dates: DocumentDates::default(),
                versions: vec![],
                status: RecordStatus::Open,
            });
            self.submit(self.key, id, Change::Create(Box::new(record))).await?;
        }
        for (at, file) in files {
            let change = Change::AddContent { version: VERSION.to_owned(), file: Box::new(file) };
            self.submit(&format!("{}:file:{at}", self.key), id, change).await?;
        }
        Ok(id)
    }

    async fn submit(&self, key: &str, id: Id, change: Change) -> Result<(), Failure> {
        let command = Command { kind: RecordKind::Document, id, expected: None, change };
        self.host.submit(key, command).await.map(drop)
    }

    async fn letter(&self, post: &Post) -> Result<Option<(RecordKind, Id)>, Failure> {
        let files: usize = post.documents.iter().map(|paper| paper.files.len()).sum();
        if post.documents.len() > MOST_FILES || files > MOST_FILES {
            return Err(bad_change());
        }
        let mut documents = vec![];
        for paper in &post.documents {
            let mut files = vec![];
            for fetched in &paper.files {
                files.push(self.fetch(fetched).await?);
            }
            documents.push(Enclosure { title: paper.title.clone(), kind: paper.kind.clone(), files });
        }
        let letter = Letter {
            key: self.key.to_owned(),
            way: post.way.clone(),
            received_at: post.received_at,
            subject: post.subject.clone(),
            from: post.from.clone(),
            documents,
            hints: post.hints.clone(),
            proof: post.proof.clone(),
            ..Letter::default()
        };
        let taken = self.host.take_in(letter).await?;
        Ok(Some((RecordKind::Interaction, taken.interaction)))
    }

    /// A file whose bytes are kept, and are what was announced.
    async fn fetch(&self, fetched: &Fetched) -> Result<File, Failure> {
        let kept = self.host.keep(self.remote.content(fetched).await?).await?;
        if kept.size != fetched.size || kept.sha256 != fetched.sha256 {
            return Err(other_content());
        }
        Ok(File {
            name: fetched.name.clone(),
            media_type: fetched.media_type.clone(),
            content: Some(kept),
            ..File::default()
        })
    }
}

impl Remote {
    /// The bytes of a file, as they come.
    async fn content(&self, fetched: &Fetched) -> Result<Content, Failure> {
        let name = &fetched.content;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !(1..=120).contains(&name.len()) || !name.bytes().all(is_plain) {
            return Err(bad_change());
        }
        let mut request = self.request(Method::GET, &format!("/contents/{name}"), name, b"")?;
        request.within = self.settings.within;
        // The host has its own limit.
        request.most_answer = usize::MAX;
        let opened = self.client.open(request).await?;
        if opened.status != 200 {
            return Err(refusal_of(opened.status));
        }
        let length = opened.headers.get("content-length").and_then(|length| length.to_str().ok());
        match length.is_some_and(|length| length != fetched.size.to_string()) {
            true => Err(other_content()),
            false => Ok(opened.body),
        }
    }
}

fn bad_change() -> Failure {
    Failure::new(FailureKind::Permanent, "adapter.bad-change", "the change is not what was agreed")
}

fn other_content() -> Failure {
    let why = "the bytes are not those that were announced";
    Failure::new(FailureKind::Permanent, "adapter.other-content", why)
}
