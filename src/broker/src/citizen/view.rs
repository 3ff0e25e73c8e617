//! What a citizen sees of a case: the public state, dates, the name of the service, documents that were provided, what is owed and
//! what is missing. Whatever is not listed here is not shown: no title, no parties, no notes, no other documents.

use std::collections::BTreeSet;

use model::activity::{Dispatch, DispatchStatus, Interaction, Task};
use model::case::{Case, File};
use model::payment::Claim;
use model::public_state::{PublicState, is_owed, waits_for_citizen};
use model::{Id, Record, RecordKind, Scope, Timestamp};
use serde::Serialize;
use store::RecordFilter;

use super::access::CitizenSession;
use super::keys::Use;
use super::{NUMBER, PublicService};
use crate::{Broker, Error};

/// The way of dispatches that lie on the citizens' pages.
pub(super) const PORTAL: &str = "portal";

/// Records of one kind of a case that are looked at.
const MOST: u32 = 200;

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
    /// Documents that were provided, newest first.
    pub documents: Vec<ProvidedDocument>,
    /// What is owed.
    pub claims: Vec<OwedClaim>,
    /// Documents that are missing.
    pub missing: Vec<MissingDocument>,
    /// The way by which the citizen wants to hear of the case.
    pub prefers: Option<String>,
    /// The ways that may be chosen.
    pub ways: Vec<String>,
}

/// A document that was provided.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvidedDocument {
    /// The dispatch by which it was.
    pub dispatch: Id,
    /// The document.
    pub document: Id,
    /// Its title.
    pub title: String,
    /// Name of its file.
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
            let link = format!("/citizen/documents/{}", key.link(Use::Documents, task.meta.id)?);
            missing.push(MissingDocument { what: task.title.clone(), due: task.due, link });
        }
        let service = self.service_of(case.meta.public_service.as_deref());
        let first = contacts.iter().map(|contact| contact.at).min();
        let authority = self.house().authority(&case.meta.tenant, &case.meta.authority);
        let citizen = case.description.parties.first();
        Ok(CitizenView {
            number: case.description.reference(NUMBER).unwrap_or_default().to_owned(),
            state: PublicState::of(case, &tasks, &claims),
            service: service.as_ref().map(|service| service.name.clone()),
            service_en: service.and_then(|service| service.name_en),
            office: authority.map(|authority| authority.name.clone()),
            received_at: first.map_or(case.meta.created_at, |first| first.min(case.meta.created_at)),
            changed_at: case.meta.updated_at,
            documents: self.provided(case).await?,
            claims: claims.iter().filter(|claim| is_owed(claim)).map(OwedClaim::of).collect(),
            missing,
            prefers: citizen.and_then(|party| party.prefers.clone()),
            ways: self.ways_for(case)?,
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
        let scope = Scope::tenant(&case.meta.tenant);
        let mut found = self.store().newest(&scope, &filter, None, MOST).await?;
        found.reverse();
        Ok(found.into_iter().filter_map(take).collect())
    }

    /// Documents that were provided, newest first.
    async fn provided(&self, case: &Case) -> Result<Vec<ProvidedDocument>, Error> {
        let dispatches: Vec<Dispatch> = self.of_case(case, RecordKind::Dispatch, dispatch_of).await?;
        let mut provided = vec![];
        for dispatch in dispatches.iter().rev() {
            let Some(provided_at) = provided_at(dispatch) else { continue };
            let mut seen = BTreeSet::new();
            for id in dispatch.documents.iter().filter(|id| seen.insert(**id)) {
                let Some((title, file)) = self.document_of(case, *id).await? else { continue };
                let Some(content) = &file.content else { continue };
                provided.push(ProvidedDocument {
                    dispatch: dispatch.meta.id,
                    document: *id,
                    title,
                    size: content.size,
                    file_name: file.name,
                    media_type: file.media_type,
                    provided_at,
                    retrieved_at: step(dispatch, DispatchStatus::Retrieved),
                });
            }
        }
        Ok(provided)
    }

    /// Title and file of a document of the case as dispatches carry it: the first file of its newest version.
    pub(super) async fn document_of(&self, case: &Case, id: Id) -> Result<Option<(String, File)>, Error> {
        let scope = Scope::tenant(&case.meta.tenant);
        let found = self.store().record(&scope, RecordKind::Document, id).await?;
        let Some(Record::Document(document)) = found else { return Ok(None) };
        if document.meta.root != case.meta.root {
            return Ok(None);
        }
        let file = document.versions.last().and_then(|version| version.files.first()).cloned();
        Ok(file.map(|file| (document.description.title, file)))
    }
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
