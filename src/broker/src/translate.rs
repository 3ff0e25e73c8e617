//! Step 3, translating: what a standard reads becomes records of ours, written in slices that stay invisible until one
//! transaction, which writes the last slice, reveals them. A message of usual size has no other slice.

use std::io::{ErrorKind, Read};

use model::case::{RecordStatus, Reference};
use model::exchange::ExchangeObject;
use model::record::Meta;
use model::standard::{Intake, Object};
use model::{
    Decided, EventKind, Failure, FailureKind, Id, Message, PayloadRef, Record, RecordKind, Timestamp, ids,
    patch,
};
use store::{Store, Work};
use tokio::runtime::Handle;

use crate::Error;

/// Records at the top of one message: each has events of its own and a place in the exchange.
const MOST_ROOTS: usize = 5_000;

/// Rows of one slice.
const SLICE: usize = 500;

/// Puts the objects of one message into the store. Lives on a blocking thread.
pub(crate) struct Translator {
    store: Store,
    runtime: Handle,
    message: Message,
    /// Id and epoch: a worker that has lost the job cannot write between its successor's slices.
    job: (Id, i64),
    now: Timestamp,
    slice: Work,
    rows: usize,
    /// Root objects met so far.
    pub(crate) roots: Vec<ExchangeObject>,
    /// What the transaction that reveals the roots has to record of them.
    pub(crate) decided: Vec<Decided>,
    /// What the message says beside its objects.
    pub(crate) beside: Option<serde_json::Value>,
}

impl Translator {
    /// Begins anew: the first slice removes what an interrupted run left.
    pub(crate) fn begin(
        store: Store,
        runtime: Handle,
        message: &Message,
        job: (Id, i64),
        now: Timestamp,
    ) -> Self {
        let mut slice = Work::new();
        slice.begin_staging(&message.tenant, message.id);
        Translator {
            store,
            runtime,
            message: message.clone(),
            job,
            now,
            slice,
            rows: 0,
            roots: vec![],
            decided: vec![],
            beside: None,
        }
    }

    /// What is not written yet: it belongs into the transaction that reveals all.
    pub(crate) fn take_rest(&mut self) -> Work {
        std::mem::take(&mut self.slice)
    }

    fn write_slice(&mut self) -> Result<(), Failure> {
        self.rows = 0;
        let mut slice = self.take_rest();
        slice.hold_job(self.job.0, self.job.1);
        self.runtime.block_on(self.store.commit(slice)).map_err(failure)
    }

    fn wrote_row(&mut self) -> Result<(), Failure> {
        self.rows += 1;
        if self.rows < SLICE { Ok(()) } else { self.write_slice() }
    }

    /// The record's id here: the same whenever the same message names the same object.
    fn id_of(&self, kind: RecordKind, object_id: Id) -> Id {
        ids::derived_id(self.message.id, &format!("{}:{object_id}", kind.name()))
    }

    fn meta(&self, id: Id, root: Id) -> Meta {
        Meta {
            id,
            tenant: self.message.tenant.clone(),
            authority: self.message.authority.clone(),
            unit: self.message.unit.clone(),
            public_service: self.message.public_service.clone(),
            root,
            version: 1,
            created_at: self.now,
            updated_at: self.now,
        }
    }
}

impl Intake for Translator {
    fn file(&mut self, _: &str, content: &mut dyn Read) -> Result<PayloadRef, Failure> {
        let mut writer = self.store.payload_writer_blocking(&self.message.tenant);
        std::io::copy(content, &mut writer).map_err(not_copied)?;
        let stored = writer.finish().map_err(failure)?;
        let reference = stored.reference().clone();
        self.slice.insert_staged_payload(&self.message.tenant, &stored, self.message.id);
        self.wrote_row()?;
        Ok(reference)
    }

    fn message(&mut self, extension: serde_json::Value) -> Result<(), Failure> {
        self.beside = Some(extension);
        Ok(())
    }

    fn object(&mut self, object: Object) -> Result<(), Failure> {
        let kind = object.record.kind();
        let id = self.id_of(kind, object.object_id);
        let outermost = object.ancestors.first();
        let root = outermost.map_or(id, |(kind, object_id)| self.id_of(*kind, *object_id));
        let parent = object.ancestors.last().map(|(kind, object_id)| (*kind, self.id_of(*kind, *object_id)));

        let mut record = object.record;
        *record.meta_mut() = self.meta(id, root);
        place(&mut record, parent, &object.object_id.to_string());
        if object.ancestors.is_empty() {
            if self.roots.len() >= MOST_ROOTS {
                let why = "more records at the top than one exchange may have";
                return Err(Failure::new(FailureKind::Rejected, "exchange.too-many-objects", why));
            }
            self.roots.push(ExchangeObject::new(kind, id, root, object.object_id));
            let changes = patch::diff(&serde_json::json!({}), &record.to_json());
            self.decided.push(Decided { record: record.clone(), event: EventKind::RecordCreated, changes });
        }
        self.slice.put_record(&record, Some(self.message.id));
        self.wrote_row()
    }
}

/// Sets what only the broker knows: the parent, the UUID in the messages, and that the
/// record-keeping system has not confirmed a root yet.
fn place(record: &mut Record, parent: Option<(RecordKind, Id)>, object_id: &str) {
    let status = if parent.is_none() { RecordStatus::Received } else { RecordStatus::Open };
    let references = match record {
        Record::CaseFile(file) => {
            file.parent = parent.map(|(_, id)| id);
            file.status = status;
            &mut file.description.references
        }
        Record::Case(case) => {
            case.status = status;
            match parent {
                Some((RecordKind::CaseFile, id)) => case.case_file = Some(id),
                Some((_, id)) => case.parent = Some(id),
                None => {}
            }
            &mut case.description.references
        }
        Record::Document(document) => {
            document.parent = parent.map(|(_, id)| id);
            document.status = status;
            &mut document.description.references
        }
        _ => return,
    };
    if !references.iter().any(|reference| reference.kind == "xdomea") {
        references.push(Reference { kind: "xdomea".to_owned(), value: object_id.to_owned() });
    }
}

/// Bytes that are damaged stay so; that they cannot be stored may pass. What is stored is never read here.
fn not_copied(error: std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::InvalidData => {
            Failure::permanent("container.checksum", "a file of the message is damaged")
        }
        _ => Failure::transient("broker.storage", "a file of the container could not be stored"),
    }
}

fn failure(error: store::Error) -> Failure {
    Error::from(error).into_failure()
}
