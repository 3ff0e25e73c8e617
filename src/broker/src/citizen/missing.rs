//! Missing documents: a clerk asks for one, which is a task and a link. Whoever has the link brings files; they come into the case as
//! a letter, in the transaction that ends the task. With the task the link ends, so it is good for one use.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use model::activity::Task;
use model::case::{Case, File};
use model::command::{Change, Command};
use model::letter::{Enclosure, Letter};
use model::public_state::{MISSING_DOCUMENT, waits_for_citizen};
use model::record::Meta;
use model::rights::Action;
use model::{Caller, Id, Record, RecordKind, Scope, Timestamp, ids};
use serde_json::json;
use store::{StoredPayload, Work};

use super::access::case_of;
use super::citizen;
use super::keys::{Use, id_in_link};
use crate::channels::Brought;
use crate::{Broker, Error, Once};

/// Longest description of what is missing, in characters.
const WHAT_CHARS: usize = 200;
/// Longest time that may be given, in days.
const MOST_DAYS: u32 = 366;
/// Longest name of a file that is kept, in characters.
const NAME_CHARS: usize = 120;
/// Why a clerk looks at what was brought.
const BROUGHT: &str = "citizen.documents-brought";

/// What a clerk asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What is missing, in words for the citizen and without personal data: 1 to 200 characters.
    pub what: String,
    /// Days that the citizen has.
    pub due_days: u32,
}

/// A request for documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanting {
    /// The task that waits for them.
    pub task: Task,
    /// The link, for the citizen alone.
    pub link: String,
}

/// What whoever has a link for documents is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct UploadPage {
    /// What is asked for.
    pub what: String,
    /// Until when.
    pub due: Option<Timestamp>,
    /// The authority that asks.
    pub office: Option<String>,
    pub(super) request: Request,
    pub(super) case: Box<Case>,
}

/// What a link was made for: an open task, as long as access is of the same generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    task: Id,
    case: Id,
    generation: u64,
}

/// A file that was brought and staged.
pub struct Uploaded {
    stored: StoredPayload,
    file: File,
}

impl Broker {
    /// Asks the citizen of a case for a document.
    ///
    /// # Errors
    /// `Invalid`; `NotFound` if the case is outside of the caller's scope.
    pub async fn ask_for_document(
        &self,
        caller: &Caller,
        case: Id,
        asked: Asked,
        once: Option<&Once>,
    ) -> Result<Wanting, Error> {
        self.citizens()?;
        let what = asked.what.trim().to_owned();
        if !(1..=WHAT_CHARS).contains(&what.chars().count()) || what.chars().any(char::is_control) {
            return Err(model::Error::Invalid { field: "what" }.into());
        }
        if !(1..=MOST_DAYS).contains(&asked.due_days) {
            return Err(model::Error::Invalid { field: "dueDays" }.into());
        }
        let scope = caller.may(Action::WriteCases)?;
        let case = case_of(self.owned(scope, RecordKind::Case, case).await?)?;
        let days = Duration::from_secs(u64::from(asked.due_days) * 24 * 3_600);
        let meta = Meta { id: ids::new_id(), version: 0, ..case.meta.clone() };
        let due = Some(self.now().plus(days));
        let task = Task { case_id: Some(case.meta.id), due, ..Task::new(meta, MISSING_DOCUMENT, what) };
        let (kind, id) = (RecordKind::Task, task.meta.id);
        let change = Change::Create(Box::new(Record::Task(task)));
        let made = self.submit(caller, Command { kind, id, expected: None, change }, once).await?;
        let Record::Task(task) = made else { return Err(Error::Internal) };
        // Whoever repeats the request after access was revoked has the link that the first answer had, which is over.
        let generation = self.generation(&task.meta.tenant, case.meta.id).await?.at(task.meta.created_at);
        let key = self.citizen_key(&task.meta.tenant).await?;
        let token = key.link(Use::Documents, task.meta.id, generation)?;
        let link = format!("{}/citizen/documents/{token}", self.citizens()?.url);
        Ok(Wanting { task, link })
    }

    /// What whoever has a link for documents is shown.
    ///
    /// # Errors
    /// `LinkOver` if there is no such link, or not any more: the two are not told apart.
    pub async fn upload_page(&self, token: &str) -> Result<UploadPage, Error> {
        let (Record::Task(task), generation) = self.linked_by(Use::Documents, token).await? else {
            return Err(Error::LinkOver);
        };
        let (tenant, id) = (task.meta.tenant.clone(), task.meta.id);
        let scope = Scope::tenant(&tenant);
        let case = task.case_id.filter(|_| waits_for_citizen(&task)).ok_or(Error::LinkOver)?;
        let found = self.store().record(&scope, RecordKind::Case, case).await?;
        let Some(Record::Case(case)) = found else { return Err(Error::LinkOver) };
        let authority = self.house().authority(&tenant, &case.meta.authority);
        Ok(UploadPage {
            what: task.title,
            due: task.due,
            office: authority.map(|authority| authority.name.clone()),
            request: Request { task: id, case: case.meta.id, generation },
            case: Box::new(case),
        })
    }

    /// Stages a file that somebody brings: `number` counts those of one form. Its type is what its first bytes say.
    ///
    /// # Errors
    /// `FileType`, `TooLarge`, `Harmful`, `Interrupted`.
    pub async fn stage_upload(
        &self,
        page: &UploadPage,
        (number, name): (usize, &str),
        body: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + Unpin,
    ) -> Result<Uploaded, Error> {
        let limit = self.citizens()?.most_bytes;
        let mut body = body;
        let mut head = vec![];
        while head.len() < HEAD_BYTES {
            let Some(piece) = body.next().await else { break };
            head.extend_from_slice(&piece.map_err(|_| Error::Interrupted)?);
        }
        let (media_type, ending) = type_of(&head).ok_or(Error::FileType)?;
        let mut size = 0_u64;
        let mut too_large = false;
        let whole = futures::stream::iter([Ok(Bytes::from(head))]).chain(body).map(|piece| {
            let piece = piece?;
            size += piece.len() as u64;
            too_large |= size > limit;
            if too_large { Err(std::io::Error::from(std::io::ErrorKind::FileTooLarge)) } else { Ok(piece) }
        });
        let staged = self.stage(&citizen(&page.case), Box::pin(whole)).await;
        if too_large {
            return Err(Error::TooLarge { limit });
        }
        let stored = staged?;
        let file = File {
            name: format!("nachweis-{number}.{ending}"),
            original_name: plain_name(name),
            media_type: Some(media_type.to_owned()),
            content: Some(stored.reference().clone()),
            ..File::default()
        };
        Ok(Uploaded { stored, file })
    }

    /// Takes in what was brought. With the answer the link is over.
    ///
    /// # Errors
    /// `LinkOver` if somebody was quicker, the task is not open any more, or access was revoked meanwhile.
    pub async fn take_upload(&self, page: &UploadPage, files: Vec<Uploaded>) -> Result<(), Error> {
        if files.is_empty() {
            return Err(Error::FileType);
        }
        let digests: Vec<String> = files
            .iter()
            .filter_map(|it| it.file.content.as_ref())
            .map(|content| content.sha256.clone())
            .collect();
        let enclosure = |uploaded: &Uploaded| Enclosure {
            title: page.what.clone(),
            kind: None,
            files: vec![uploaded.file.clone()],
        };
        let letter = Letter {
            key: format!("request:{}", page.request.task),
            way: "upload".to_owned(),
            received_at: self.now(),
            subject: Some(page.what.clone()),
            documents: files.iter().map(enclosure).collect(),
            proof: json!({ "request": page.request.task, "sha256": digests }),
            concerns: vec![BROUGHT],
            ..Letter::default()
        };
        let once = Once::new(format!("letter:{}", letter.key), digests.join(","));
        let stored = files.into_iter().map(|it| it.stored).collect();
        let brought =
            Brought { case: Some(page.request.case), request: Some(page.request), announced: false };
        let taken = self.citizen_host(&page.case).bring_letter(&letter, &once, stored, brought).await;
        match taken {
            // Somebody has brought something else by the same link.
            Err(Error::KeyReused) => Err(Error::LinkOver),
            taken => taken.map(drop),
        }
    }

    /// The task that waits for what is brought ends with it, and with it alone. An upload may take long: what the link was good for when
    /// it began is looked at again.
    pub(crate) async fn end_request(
        &self,
        work: &mut Work,
        caller: &Caller,
        request: Request,
    ) -> Result<(), Error> {
        let scope = &caller.scope;
        if self.generation(&scope.tenant, request.case).await?.number != request.generation {
            return Err(Error::LinkOver);
        }
        let found = self.store().record(scope, RecordKind::Task, request.task).await?;
        let open = |it: &Record| matches!(it, Record::Task(task) if task.status.is_open());
        let task = found.filter(open).ok_or(Error::LinkOver)?;
        self.end_task(work, &task, Change::CompleteTask(None), &caller.actor, None).await
    }

    /// Removes what was staged and is not taken in.
    pub async fn drop_uploads(&self, files: Vec<Uploaded>) {
        for file in files {
            self.store().discard(file.stored).await;
        }
    }

    /// What a link was made for, and the generation that it is of. Each tenant is asked, and of what is not there the same as of what is, so that it takes as long for any
    /// token of the right form.
    pub(super) async fn linked_by(&self, of: Use, token: &str) -> Result<(Record, u64), Error> {
        self.citizens()?;
        let id = id_in_link(token).ok_or(Error::LinkOver)?;
        let mut linked = None;
        for tenant in self.house().tenants() {
            let found = self.store().record(&Scope::tenant(&tenant.id), of.kind(), id).await?;
            let case = match &found {
                Some(Record::Task(task)) => task.case_id,
                Some(Record::Claim(claim)) => Some(claim.case_id),
                _ => None,
            };
            let generation = self.generation(&tenant.id, case.unwrap_or_default()).await?.number;
            if self.citizen_key(&tenant.id).await?.is_link(of, id, generation, token)? {
                linked = found.map(|found| (found, generation));
            }
        }
        linked.ok_or(Error::LinkOver)
    }
}

/// Bytes that say the type of a file.
const HEAD_BYTES: usize = 12;

/// Media type and ending of a file by its first bytes: what offices can read and browsers never run.
fn type_of(head: &[u8]) -> Option<(&'static str, &'static str)> {
    match head {
        [b'%', b'P', b'D', b'F', b'-', ..] => Some(("application/pdf", "pdf")),
        [0xff, 0xd8, 0xff, ..] => Some(("image/jpeg", "jpg")),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(("image/png", "png")),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(("image/tiff", "tif")),
        _ => None,
    }
}

/// The last step of a name as a browser tells it, without what does not belong into one.
fn plain_name(name: &str) -> Option<String> {
    let last = Path::new(name).file_name()?.to_str()?.rsplit('\\').next()?;
    let plain: String = last.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect();
    (!plain.trim().is_empty()).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        for (head, ending) in [
            (&b"%PDF-1.7\n"[..], Some("pdf")),
            (b"\xff\xd8\xff\xe0", Some("jpg")),
            (b"\x89PNG\r\n\x1a\nIHDR", Some("png")),
            (b"II*\0", Some("tif")),
            (b"<svg xmlns", None),
            (b"<!DOCTYPE html>", None),
            (b"MZ\x90\0", None),
            (b"PK\x03\x04", None),
            (b"GIF89a", None),
            (b"", None),
        ] {
            assert_eq!(type_of(head).map(|(_, ending)| ending), ending);
        }
    }

    #[test]
    fn of_a_name_only_the_last_step_is_kept() {
        for (name, kept) in [
            ("Lageplan.pdf", Some("Lageplan.pdf")),
            ("C:\\Users\\x\\plan.pdf", Some("plan.pdf")),
            ("../../etc/passwd", Some("passwd")),
            ("a\r\nb.pdf", Some("ab.pdf")),
            ("", None),
            ("..", None),
        ] {
            assert_eq!(plain_name(name).as_deref(), kept, "{name}");
        }
    }
}
