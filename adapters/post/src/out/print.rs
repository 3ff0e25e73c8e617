//! A print spool: a folder that a print centre takes letters from. For each letter its PDFs (`ID-1.pdf`, `ID-2.pdf`, …) and then, last, its
//! job ticket as XML and JSON (`ID.xml`, `ID.json`): whoever sees the JSON finds all the rest. Each file appears whole, by a rename.
//!
//! The print centre takes the files away, so the folder does not say what was handed over: `.amtsbote` does. `ID.begun` is there from just
//! before the ticket appears, `ID.done` from just after. If a crash falls in between and the ticket is not there, nobody knows whether it
//! was taken: then a human decides, since a letter must not go out twice.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use model::activity::DispatchStatus;
use model::adapter::{Adapter, Capability, Delivery, Descriptor, Health, Receipt, Sources};
use model::{Clock, Failure, FailureKind, Id, Timestamp};
use serde_json::{Value, json};
use tokio::fs;
use tokio::io::AsyncWriteExt;
use xml::Writer;

use super::pdf::{Staged, StagedFile, stage};
use super::settings;
use super::{Order, descriptor, dispatch_of, order, receipt, uncertain, undecided};

/// Folder of what was handed over.
const JOURNAL: &str = ".amtsbote";
/// Namespace of the ticket.
const NAMESPACE: &str = "urn:amtsbote:print:1";

pub(super) struct Print {
    descriptor: Descriptor,
    settings: settings::Print,
    clock: Arc<dyn Clock>,
}

/// What is known of a letter.
enum Known {
    Nothing,
    /// It was about to be handed over.
    Begun(Timestamp),
    Done(Timestamp),
}

impl Print {
    pub(super) fn new(settings: settings::Print, clock: Arc<dyn Clock>) -> Self {
        let descriptor = descriptor(&settings.id, "print", vec![Capability::Deliver, Capability::Reconcile]);
        Print { descriptor, settings, clock }
    }

    fn file(&self, id: Id, ending: &str) -> PathBuf {
        self.settings.folder.join(format!("{id}{ending}"))
    }

    fn noted(&self, id: Id, ending: &str) -> PathBuf {
        self.settings.folder.join(JOURNAL).join(format!("{id}.{ending}"))
    }

    async fn known(&self, id: Id) -> Result<Known, Failure> {
        if let Some(at) = moment(&self.noted(id, "done")).await? {
            return Ok(Known::Done(at));
        }
        Ok(moment(&self.noted(id, "begun")).await?.map_or(Known::Nothing, Known::Begun))
    }

    /// What became of a letter that was begun: `None` if it was not handed over.
    async fn settle(&self, id: Id, known: Known) -> Result<Option<Timestamp>, Failure> {
        match known {
            Known::Nothing => Ok(None),
            Known::Done(at) => Ok(Some(at)),
            Known::Begun(at) if fs::try_exists(self.file(id, ".json")).await.map_err(failed)? => {
                self.end(id).await?;
                Ok(Some(at))
            }
            Known::Begun(_) => Err(uncertain("post.print-unclear", "the ticket was begun, and is not there")),
        }
    }

    /// The folder of the notes, made if it is not there. The spool itself is not made: where it is missing, such as a share that is not
    /// mounted, nobody takes letters from what would be there instead.
    async fn journal(&self) -> Result<PathBuf, Failure> {
        let journal = self.settings.folder.join(JOURNAL);
        match fs::create_dir(&journal).await {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(error)),
            _ => Ok(journal),
        }
    }

    async fn end(&self, id: Id) -> Result<(), Failure> {
        fs::rename(self.noted(id, "begun"), self.noted(id, "done")).await.map_err(failed)?;
        synced(&self.settings.folder.join(JOURNAL)).await
    }

    async fn hand_over(&self, order: &Order<'_>, staged: &Staged) -> Result<Timestamp, Failure> {
        let (id, at) = (order.delivery, self.clock.now());
        let journal = self.settings.folder.join(JOURNAL);
        for (number, file) in (1..).zip(&staged.files) {
            fs::rename(&file.path, self.file(id, &format!("-{number}.pdf"))).await.map_err(failed)?;
        }
        let ticket = ticket(order, &staged.files, at);
        let xml =
            in_xml(&ticket).map_err(|_| Failure::permanent("post.folder", "the ticket cannot be written"))?;
        whole(&journal, &format!("{id}.xml"), &xml, &self.file(id, ".xml")).await?;
        synced(&self.settings.folder).await?;
        whole(&journal, &format!("{id}.at"), at.to_string().as_bytes(), &self.noted(id, "begun")).await?;
        synced(&journal).await?;
        let json = serde_json::to_vec_pretty(&ticket).unwrap_or_default();
        whole(&journal, &format!("{id}.json"), &json, &self.file(id, ".json")).await?;
        synced(&self.settings.folder).await?;
        self.end(id).await?;
        Ok(at)
    }
}

#[async_trait]
impl Adapter for Print {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Receipt, Failure> {
        let Some(order) = order(delivery, "print")? else { return Ok(Receipt::nothing()) };
        let journal = self.journal().await?;
        let known = self.known(order.delivery).await?;
        let at = match self.settle(order.delivery, known).await? {
            Some(at) => at,
            None => {
                let staged = stage(&self.settings.pdf, sources, Some(&journal)).await?;
                self.hand_over(&order, &staged).await?
            }
        };
        Ok(receipt(order.dispatch.meta.id, order.delivery.to_string(), DispatchStatus::Accepted, at))
    }

    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        let Some(dispatch) = dispatch_of(delivery, "print") else { return Ok(Some(Receipt::nothing())) };
        let known = self.known(delivery.id).await?;
        let at = self.settle(delivery.id, known).await.map_err(|failure| match failure.kind {
            FailureKind::Uncertain => undecided("post.print-unclear", failure.detail),
            _ => failure,
        })?;
        Ok(at.map(|at| receipt(dispatch.meta.id, delivery.id.to_string(), DispatchStatus::Accepted, at)))
    }

    async fn check(&self) -> Health {
        let tried = async {
            let journal = self.journal().await?;
            whole(&journal, "check.new", b"", &journal.join("check")).await
        };
        match tried.await {
            Ok(()) => Health { ok: true, detail: "the folder can be written".into() },
            Err(failure) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
        }
    }
}

/// The ticket: everything that a print centre has to know.
fn ticket(order: &Order<'_>, files: &[StagedFile], at: Timestamp) -> Value {
    let files: Vec<Value> = (1..)
        .zip(files)
        .map(|(number, file)| {
            json!({
                "name": format!("{}-{number}.pdf", order.delivery),
                "bytes": file.bytes,
                "sha256": file.sha256.to_string(),
                "pages": file.pages,
            })
        })
        .collect();
    let options = &order.dispatch.options;
    json!({
        "version": 1,
        "id": order.delivery,
        "dispatch": order.dispatch.meta.id,
        "tenant": order.tenant,
        "unit": order.dispatch.meta.unit,
        "reference": order.reference,
        "kind": order.dispatch.kind,
        "at": at,
        "to": {
            "lines": order.to.lines,
            "zip": order.to.zip,
            "city": order.to.city,
            "country": order.to.country.as_deref().unwrap_or("DE"),
        },
        "options": {
            "registered": options.registered,
            "colour": options.colour,
            "duplex": options.duplex,
            "coverPage": options.cover_page,
        },
        "files": files,
    })
}

/// The same as XML: each field an element of its name, of a list one element for each; what is absent is left out.
fn in_xml(ticket: &Value) -> Result<Vec<u8>, xml::Error> {
    let mut writer = Writer::indented(Vec::new())?;
    writer.start("ticket", &[("xmlns", NAMESPACE)])?;
    fields(&mut writer, ticket)?;
    writer.end()?;
    writer.finish()
}

fn fields(writer: &mut Writer<Vec<u8>>, value: &Value) -> Result<(), xml::Error> {
    for (name, value) in value.as_object().into_iter().flatten() {
        let items = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        let name = match (name.as_str(), value) {
            ("lines", _) => "line",
            ("files", _) => "file",
            (name, _) => name,
        };
        for item in items {
            match item {
                Value::Null => {}
                Value::String(text) => writer.element(name, text)?,
                Value::Object(_) => {
                    writer.start(name, &[])?;
                    fields(writer, item)?;
                    writer.end()?;
                }
                other => writer.element(name, &other.to_string())?,
            }
        }
    }
    Ok(())
}

/// A file that appears whole: written and synced aside, then renamed.
async fn whole(aside: &Path, name: &str, bytes: &[u8], path: &Path) -> Result<(), Failure> {
    let aside = aside.join(name);
    let mut file = fs::File::create(&aside).await.map_err(failed)?;
    file.write_all(bytes).await.map_err(failed)?;
    file.sync_all().await.map_err(failed)?;
    fs::rename(&aside, path).await.map_err(failed)
}

async fn synced(folder: &Path) -> Result<(), Failure> {
    fs::File::open(folder).await.map_err(failed)?.sync_all().await.map_err(failed)
}

/// The time that a note of the journal holds; `None` if it is not there.
async fn moment(path: &Path) -> Result<Option<Timestamp>, Failure> {
    match fs::read_to_string(path).await {
        Ok(text) => Ok(Some(Timestamp::parse(text.trim()).unwrap_or_default())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn failed(_: std::io::Error) -> Failure {
    Failure::transient("post.folder", "the folder of the print spool cannot be read or written")
}
