//! What a citizen sees of a case: the public state, dates, the name of the service, documents that were provided, what is owed and
//! what is missing. Whatever is not listed here is not shown: no title, no parties, no notes, no other documents.

use model::activity::{Dispatch, DispatchStatus, Interaction, Provided, Task};
use model::case::{Case, File};
use model::citizen::NUMBER;
use model::payment::Claim;
use model::public_state::{PublicState, is_owed, waits_for_citizen};
use model::{Id, Record, RecordKind, Scope, Timestamp};
use serde::Serialize;
use store::RecordFilter;

use super::PublicService;
use super::keys::Use;
use super::session::CitizenSession;
use crate::{Broker, Error};

/// The way of dispatches that lie on the citizens' pages.
pub(super) const PORTAL: &str = "portal";

/// Records of one kind of a case that are looked at, the newest first, and how many of them at once.
const MOST: usize = 5_000;
const TOGETHER: u32 = 200;

/// A case as its citizen sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CitizenView {
    /// Its number.
    pub number: String,
    /// Where it stands.
    pub state: PublicState,
    /// Name of the public service in German.
    pub service: Option<String>,
    /// The same in English.
    pub service_en: Option<String>,
    /// The authority.
    pub office: Option<String>,
    /// When the authority had it.
    pub received_at: Timestamp,
    /// When it changed last.
    pub changed_at: Timestamp,
    /// Notices that lie here, newest first.
    pub notices: Vec<ProvidedNotice>,
    /// Files of documents that were provided, newest first.
    pub documents: Vec<ProvidedDocument>,
    /// What is owed.
    pub claims: Vec<OwedClaim>,
    /// Documents that are missing.
    pub missing: Vec<MissingDocument>,
    /// The way by which the citizen wants to hear of the case.
    pub prefers: Option<String>,
    /// The ways that may be chosen.
    pub ways: Vec<String>,
    /// Apps that are pushed to.
    pub apps: usize,
}

/// A notice that lies on the pages. It is no decision, and nothing depends on when it is read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvidedNotice {
    /// What it is about, on one line.
    pub subject: String,
    /// What it says, as plain text.
    pub text: String,
    /// When it was provided.
    pub provided_at: Timestamp,
}

/// A file of a document that was provided, as it was then.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvidedDocument {
    /// The dispatch by which it was.
    pub dispatch: Id,
    /// The document.
    pub document: Id,
    /// Its title.
    pub title: String,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Name of the file.
    pub file_name: String,
    /// Bytes.
    pub size: u64,
    /// Media type.
    pub media_type: Option<String>,
    /// When it was provided.
    pub provided_at: Timestamp,
    /// When a document of this dispatch was fetched first.
    pub retrieved_at: Option<Timestamp>,
}

/// Money that is owed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwedClaim {
    /// The claim.
    pub claim: Id,
    /// What for.
    pub purpose: String,
    /// What is left to pay, in euro cents.
    pub left_cents: i64,
    /// Day it is due, `YYYY-MM-DD`.
    pub due: Option<String>,
    /// Kassenzeichen, for transfers.
    pub cash_reference: Option<String>,
}

impl OwedClaim {
    pub(super) fn of(claim: &Claim) -> Self {
        OwedClaim {
            claim: claim.meta.id,
            purpose: claim.purpose.clone(),
            left_cents: claim.amount_cents - claim.paid_cents,
            due: claim.due.clone(),
            cash_reference: claim.cash_reference.clone(),
        }
    }
}

/// A document that is missing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingDocument {
    /// What is asked for.
    pub what: String,
    /// Until when.
    pub due: Option<Timestamp>,
    /// Where it is brought.
    pub link: String,
}

impl Broker {
    /// What the citizen of a session sees.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn citizen_view(&self, session: &CitizenSession) -> Result<CitizenView, Error> {
        let case = &session.case;
        let tasks: Vec<Task> = self.of_case(case, RecordKind::Task, task_of).await?;
        let claims: Vec<Claim> = self.of_case(case, RecordKind::Claim, claim_of).await?;
        let contacts: Vec<Interaction> = self.of_case(case, RecordKind::Interaction, contact_of).await?;
        let key = self.citizen_key(&case.meta.tenant).await?;
        let mut missing = vec![];
        for task in tasks.iter().filter(|task| waits_for_citizen(task)) {
            let token = key.link(Use::Documents, task.meta.id, session.generation)?;
            let link = format!("/citizen/documents/{token}");
            missing.push(MissingDocument { what: task.title.clone(), due: task.due, link });
        }
        let service = self.service_of(case.meta.public_service.as_deref());
        let first = contacts.iter().map(|contact| contact.at).min();
        let authority = self.house().authority(&case.meta.tenant, &case.meta.authority);
        let citizen = case.description.citizen();
        let dispatches = self.lying_there(case).await?;
        Ok(CitizenView {
            number: case.description.reference(NUMBER).unwrap_or_default().to_owned(),
            state: PublicState::of(case, &tasks, &claims),
            service: service.as_ref().map(|service| service.name.clone()),
            service_en: service.and_then(|service| service.name_en),
            office: authority.map(|authority| authority.name.clone()),
            received_at: first.map_or(case.meta.created_at, |first| first.min(case.meta.created_at)),
            changed_at: case.meta.updated_at,
            notices: dispatches.iter().filter_map(notice_of).collect(),
            documents: self.provided(case, &dispatches).await?,
            claims: claims.iter().filter(|claim| is_owed(claim)).map(OwedClaim::of).collect(),
            missing,
            prefers: citizen.and_then(|party| party.prefers.clone()),
            ways: self.ways_for(case)?,
            apps: self.apps_of(&case.meta.tenant, case.meta.id).await?.len(),
        })
    }

    /// A public service by its id.
    pub(super) fn service_of(&self, id: Option<&str>) -> Option<PublicService> {
        self.citizens().ok()?.services.get(id?).cloned()
    }

    async fn of_case<T>(
        &self,
        case: &Case,
        kind: RecordKind,
        take: impl Fn(Record) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let filter = RecordFilter { parent: Some(case.meta.id), ..RecordFilter::of(kind) };
        let mut found = self.all_of(case, &filter).await?;
        found.reverse();
        Ok(found.into_iter().filter_map(take).collect())
    }

    /// Records of a case, the newest first: however many there are, none is overlooked that a case in real life has.
    async fn all_of(&self, case: &Case, filter: &RecordFilter) -> Result<Vec<Record>, Error> {
        let scope = Scope::tenant(&case.meta.tenant);
        let mut all: Vec<Record> = vec![];
        while all.len() < MOST {
            let after = all.last().map(|last| last.meta().id);
            let some = self.store().newest(&scope, filter, after, TOGETHER).await?;
            let is_last = some.len() < TOGETHER as usize;
            all.extend(some);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// Dispatches that lie on the pages, by when they were provided, the latest first.
    async fn lying_there(&self, case: &Case) -> Result<Vec<Dispatch>, Error> {
        let mut all = vec![];
        for status in [DispatchStatus::Provided, DispatchStatus::Retrieved] {
            let filter = RecordFilter {
                parent: Some(case.meta.id),
                status: Some(status.name().to_owned()),
                ..RecordFilter::of(RecordKind::Dispatch)
            };
            let found = self.all_of(case, &filter).await?.into_iter().filter_map(dispatch_of);
            all.extend(found.filter(|it| provided_at(it).is_some()));
        }
        all.sort_by_key(|it| std::cmp::Reverse((provided_at(it), it.meta.id)));
        Ok(all)
    }

    /// Files that were provided by these dispatches.
    async fn provided(&self, case: &Case, dispatches: &[Dispatch]) -> Result<Vec<ProvidedDocument>, Error> {
        let mut all = vec![];
        for dispatch in dispatches {
            let Some(provided_at) = provided_at(dispatch) else { continue };
            for provided in &dispatch.provided {
                let Some((title, files)) = self.files_of(case, provided).await? else { continue };
                for file in files {
                    let Some(content) = file.content else { continue };
                    all.push(ProvidedDocument {
                        dispatch: dispatch.meta.id,
                        document: provided.document,
                        title: title.clone(),
                        sha256: content.sha256,
                        size: content.size,
                        file_name: file.name,
                        media_type: file.media_type,
                        provided_at,
                        retrieved_at: step(dispatch, DispatchStatus::Retrieved),
                    });
                }
            }
        }
        Ok(all)
    }

    /// Title and files of a document of the case, as it was provided.
    pub(super) async fn files_of(
        &self,
        case: &Case,
        provided: &Provided,
    ) -> Result<Option<(String, Vec<File>)>, Error> {
        let scope = Scope::tenant(&case.meta.tenant);
        let found = self.store().record(&scope, RecordKind::Document, provided.document).await?;
        let Some(Record::Document(document)) = found else { return Ok(None) };
        if document.meta.root != case.meta.root {
            return Ok(None);
        }
        let files = document.provided_files(provided).into_iter().cloned().collect();
        Ok(Some((document.description.title, files)))
    }
}

fn notice_of(dispatch: &Dispatch) -> Option<ProvidedNotice> {
    let (notice, provided_at) = dispatch.notice.as_ref().zip(provided_at(dispatch))?;
    Some(ProvidedNotice { subject: notice.subject.clone(), text: notice.text.clone(), provided_at })
}

/// When a dispatch was laid onto the citizens' pages; `None` if it does not lie there.
pub(super) fn provided_at(dispatch: &Dispatch) -> Option<Timestamp> {
    let lies_there = matches!(dispatch.status, DispatchStatus::Provided | DispatchStatus::Retrieved);
    let is_ours = dispatch.way.as_deref() == Some(PORTAL) && lies_there;
    step(dispatch, DispatchStatus::Provided).filter(|_| is_ours)
}

/// When a dispatch had this step first.
fn step(dispatch: &Dispatch, kind: DispatchStatus) -> Option<Timestamp> {
    dispatch.steps.iter().filter(|step| step.kind == kind).map(|step| step.at).min()
}

fn task_of(record: Record) -> Option<Task> {
    if let Record::Task(it) = record { Some(it) } else { None }
}

fn claim_of(record: Record) -> Option<Claim> {
    if let Record::Claim(it) = record { Some(it) } else { None }
}

fn contact_of(record: Record) -> Option<Interaction> {
    if let Record::Interaction(it) = record { Some(it) } else { None }
}

pub(super) fn dispatch_of(record: Record) -> Option<Dispatch> {
    if let Record::Dispatch(it) = record { Some(it) } else { None }
}
