//! The bytes of documents and messages.

use bytes::Bytes;
use futures::Stream;
use model::case::File;
use model::command::{Change, Command};
use model::rights::Action;
use model::{Caller, Id, MessageState, PayloadRef, Record, RecordKind, Scope};
use serde::{Deserialize, Serialize};
use store::{Payload, StoredPayload};

use crate::screen::is_harmful;
use crate::{Broker, Error, Once};

/// What is known of a file before its bytes are read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Upload {
    /// Name of the file; unique within its version.
    pub file_name: String,
    /// Version of the document it belongs to.
    pub version: String,
    /// Media type.
    pub media_type: Option<String>,
    /// SHA-256 that the sender announces, hex.
    pub digest: Option<String>,
    /// Version of the record the caller has seen.
    pub expected: Option<u64>,
    /// Key that makes the request idempotent.
    pub key: Option<String>,
}

impl Broker {
    /// Adds a file to a document. Returns once it is durable. The same file again changes nothing.
    ///
    /// # Errors
    /// `Exists` if other bytes stand under that name and version: a changed file is a new version.
    pub async fn add_content(
        &self,
        caller: &Caller,
        document: Id,
        upload: Upload,
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin,
    ) -> Result<Record, Error> {
        let scope = caller.may(Action::WriteCases)?;
        self.owned(scope, RecordKind::Document, document).await?;
        let stored = self.stage(caller, body).await?;
        self.add_stored(caller, document, upload, stored).await
    }

    /// The same for bytes that are stored already.
    pub(crate) async fn add_stored(
        &self,
        caller: &Caller,
        document: Id,
        upload: Upload,
        stored: StoredPayload,
    ) -> Result<Record, Error> {
        let scope = caller.may(Action::WriteCases)?;
        let before = self.owned(scope, RecordKind::Document, document).await?;
        let payload = stored.reference().clone();
        if upload.digest.as_ref().is_some_and(|announced| !announced.eq_ignore_ascii_case(&payload.sha256)) {
            self.store().discard(stored).await;
            return Err(Error::DigestMismatch);
        }
        if let Some(known) = file_of(&before, &upload.version, &upload.file_name) {
            let same = known.content.as_ref().is_some_and(|content| content.sha256 == payload.sha256);
            self.store().discard(stored).await;
            return if same { Ok(before) } else { Err(model::Error::Exists.into()) };
        }
        let once = upload.key.clone().map(|key| Once::new(key, payload.sha256.clone()));
        let file = File {
            name: upload.file_name.clone(),
            media_type: upload.media_type,
            content: Some(payload.clone()),
            ..File::default()
        };
        let change = Change::AddContent { version: upload.version.clone(), file: Box::new(file) };
        let command = Command { kind: RecordKind::Document, id: document, expected: upload.expected, change };
        let place = (upload.version, upload.file_name);
        match self.submit_with(caller, command, once.as_ref(), std::slice::from_ref(&stored)).await {
            Ok(record) if names(&record, payload.id) => Ok(record),
            Ok(first_answer) => {
                self.store().discard(stored).await;
                Ok(first_answer)
            }
            Err(Error::Model(error)) => {
                self.store().discard(stored).await;
                self.added_meanwhile(scope, document, &place, &payload).await?.ok_or(error.into())
            }
            // Nobody may know whether it was committed: what is not is swept.
            Err(error) => Err(error),
        }
    }

    /// The document, if somebody else has added the same bytes under the same name just now.
    async fn added_meanwhile(
        &self,
        scope: &Scope,
        document: Id,
        (version, name): &(String, String),
        payload: &PayloadRef,
    ) -> Result<Option<Record>, Error> {
        let now = self.owned(scope, RecordKind::Document, document).await?;
        let same = file_of(&now, version, name)
            .and_then(|file| file.content.as_ref())
            .is_some_and(|content| content.sha256 == payload.sha256);
        Ok(same.then_some(now))
    }

    /// The bytes of a document's newest file, or of the one named.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub async fn content(
        &self,
        caller: &Caller,
        document: Id,
        version: Option<&str>,
        name: Option<&str>,
    ) -> Result<(File, Payload), Error> {
        caller.may(Action::ReadContent)?;
        let record = self.record(caller, RecordKind::Document, document).await?;
        let file = newest_file(&record, version, name).ok_or(model::Error::NotFound { kind: "content" })?;
        let content = file.content.clone().ok_or(model::Error::NotFound { kind: "content" })?;
        let payload = self.store().open_payload(&caller.scope.tenant, content.id).await?;
        Ok((file, payload))
    }

    /// The bytes of a message. Those of a returned or harmful message are quarantined.
    ///
    /// # Errors
    /// `ContentUnavailable` if they are quarantined, erased or not built yet.
    pub async fn message_content(
        &self,
        caller: &Caller,
        id: Id,
    ) -> Result<(model::Message, PayloadRef, Payload), Error> {
        let scope = caller.may(Action::ReadContent)?;
        let message = self.store().message(scope, id).await?;
        let message = message.ok_or(model::Error::NotFound { kind: "message" })?;
        if message.state == MessageState::Returned || is_harmful(message.report.as_ref()) {
            return Err(Error::ContentUnavailable);
        }
        let reference = message.payload.clone().ok_or(Error::ContentUnavailable)?;
        let payload = self.store().open_payload(&scope.tenant, reference.id).await?;
        Ok((message, reference, payload))
    }
}

fn file_of<'a>(record: &'a Record, version: &str, name: &str) -> Option<&'a File> {
    let Record::Document(document) = record else { return None };
    let version = document.versions.iter().find(|known| known.number == version)?;
    version.files.iter().find(|file| file.name == name)
}

pub(crate) fn newest_file(record: &Record, version: Option<&str>, name: Option<&str>) -> Option<File> {
    let Record::Document(document) = record else { return None };
    let version = match version {
        Some(number) => document.versions.iter().find(|known| known.number == number)?,
        None => document.versions.last()?,
    };
    match name {
        Some(name) => version.files.iter().find(|file| file.name == name).cloned(),
        None => version.files.last().cloned(),
    }
}

fn names(record: &Record, payload: Id) -> bool {
    let Record::Document(document) = record else { return false };
    let files = document.versions.iter().flat_map(|version| &version.files);
    files.filter_map(|file| file.content.as_ref()).any(|content| content.id == payload)
}
