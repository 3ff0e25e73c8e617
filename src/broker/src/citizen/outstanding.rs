//! Attachments that an application announces and that never come: a day after it a job looks, and if something is missing a clerk is told.
//! The job is enqueued with the application itself, so that no crash of a portal can make it forgotten.

use std::time::Duration;

use model::activity::{Interaction, Task};
use model::case::{Case, Document, RecordStatus};
use model::record::Meta;
use model::{Id, Record, RecordKind, Scope, Timestamp, ids};
use serde_json::json;
use store::{Job, NewJob, Work};

use crate::{Broker, Error};

/// Kind of the job.
pub(crate) const OUTSTANDING: &str = "attachments-due";

/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);

/// Kind and title of the task of whoever sees to it.
const KIND: &str = "citizen.attachments-outstanding";
const TITLE: &str = "Angekündigte Anlagen fehlen: bei der antragstellenden Person nachfragen";

impl Broker {
    /// Has somebody look later whether everything came that an application announces.
    pub(crate) fn await_attachments(&self, work: &mut Work, tenant: &str, interaction: Id) {
        let at = self.now().plus(PATIENCE);
        work.enqueue(&NewJob {
            // Its age counts from when it is due: until then nobody is late with it.
            id: ids::id_at(at),
            tenant: tenant.to_owned(),
            lane: OUTSTANDING.to_owned(),
            kind: OUTSTANDING.to_owned(),
            subject: interaction,
            detail: json!({}),
            next_at: at,
            fifo_key: None,
        });
    }

    /// Everything that an application announced should be there.
    pub(crate) async fn attachments_due(&self, job: &Job) -> Result<(), Error> {
        let scope = Scope::tenant(&job.tenant);
        let mut work = Work::new();
        let contact = self.store().record(&scope, RecordKind::Interaction, job.subject).await?;
        if let Some(Record::Interaction(contact)) = contact
            && self.is_something_missing(&scope, &contact).await?
            && let Some(case) = self.open_case(&scope, contact.case_id).await?
        {
            self.bring(&mut work, Record::Task(task(&contact, &case, self.now())))?;
        }
        self.finish(job, work).await
    }

    async fn is_something_missing(&self, scope: &Scope, contact: &Interaction) -> Result<bool, Error> {
        for id in &contact.documents {
            let found = self.store().record(scope, RecordKind::Document, *id).await?;
            if matches!(found, Some(Record::Document(document)) if is_awaited(&document)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The case, as long as something can be brought into it.
    async fn open_case(&self, scope: &Scope, case: Option<Id>) -> Result<Option<Case>, Error> {
        let Some(case) = case else { return Ok(None) };
        Ok(match self.store().record(scope, RecordKind::Case, case).await? {
            Some(Record::Case(case)) => Some(case).filter(|case| case.status == RecordStatus::Open),
            _ => None,
        })
    }
}

fn is_awaited(document: &Document) -> bool {
    let files = document.versions.iter().flat_map(|version| &version.files);
    document.status == RecordStatus::Open && files.filter(|file| file.content.is_some()).count() == 0
}

fn task(contact: &Interaction, case: &Case, now: Timestamp) -> Task {
    let id = ids::derived_id(contact.meta.id, KIND);
    let meta = Meta { id, version: 0, created_at: now, updated_at: now, ..case.meta.clone() };
    Task { case_id: Some(case.meta.id), ..Task::new(meta, KIND, TITLE) }
}
