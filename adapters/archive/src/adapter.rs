//! The adapter: an archive as the partner of dispositions (xdomea 05xx). What it answers counts as the messages would that such an archive
//! cannot write: an appraisal for an offer (0501), an outcome for a transfer (0503).
//!
//! A delivery's package is called after the delivery, so the same delivery is the same package, and [`reconcile`](Adapter::reconcile) asks for
//! it by that name. What the archive has confirmed is told by [`follow`](Adapter::follow), and by nothing before.

mod follow;
mod offer;
mod transfer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use model::adapter::{Adapter, Capability, Delivery, Descriptor, Followed, Health, Receipt, Sources};
use model::{Clock, Failure, FailureKind};
use net::Client;
use schemas::Schemas;
use serde_json::json;

use crate::codes::{io_failed, not_for_archives, not_understood};
use crate::package::Package;
use crate::submit::http::Http;
use crate::submit::tresor::S4;
use crate::submit::{danrw, folder};
use crate::{Settings, Target, package};

/// An archive as an adapter. `client` may show a certificate.
pub fn archive(
    id: &str,
    settings: Settings,
    client: Client,
    schemas: Arc<Schemas>,
    clock: Arc<dyn Clock>,
) -> Arc<dyn Adapter> {
    let capabilities = vec![Capability::Deliver, Capability::Reconcile, Capability::Follow];
    let descriptor = Descriptor { answers: true, ..Descriptor::new(id, "archive", capabilities) };
    Arc::new(Archive { descriptor, settings, client, schemas, clock })
}

struct Archive {
    descriptor: Descriptor,
    settings: Settings,
    client: Client,
    schemas: Arc<Schemas>,
    clock: Arc<dyn Clock>,
}

/// What a message is to an archive.
enum Matter {
    Offer,
    Transfer,
    /// A receipt of ours for what an archive has answered: it is read by nobody.
    Receipt,
}

fn matter(delivery: &Delivery) -> Result<Matter, Failure> {
    if delivery.kind != "message" || delivery.detail["standard"] != "xdomea" {
        return Err(not_for_archives("only messages of xdomea are"));
    }
    match delivery.detail["type"].as_str() {
        Some("0501") => Ok(Matter::Offer),
        Some("0503") => Ok(Matter::Transfer),
        Some("0505") => Ok(Matter::Receipt),
        _ => Err(not_for_archives("only offers and transfers of dispositions are")),
    }
}

#[async_trait]
impl Adapter for Archive {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Receipt, Failure> {
        let matter = matter(delivery)?;
        let source = sources.first().ok_or_else(|| not_understood("it has no content"))?;
        match matter {
            Matter::Receipt => Ok(Receipt { confirmed: true, ..Receipt::default() }),
            Matter::Offer => self.offer(delivery, &**source).await,
            Matter::Transfer => self.transfer(delivery, &**source).await,
        }
    }

    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        match matter(delivery)? {
            // Nothing has left the house: it is done again.
            Matter::Offer | Matter::Receipt => return Ok(None),
            Matter::Transfer => {}
        }
        let name = Package::name_of(delivery.id);
        let is_there = match &self.settings.target {
            Target::TrEsor(archive) => self.s4(archive).evidence(&name).await?.is_some(),
            Target::DaNrw(archive) => {
                let file = package::sip::file_name(&name, archive.container);
                appeared(&archive.folder, file).await?
                    || danrw::status(&self.http(archive.login.clone(), archive.within), &archive.url, &name)
                        .await?
                        != danrw::Status::Unknown
            }
            Target::Folder(archive) => appeared(&archive.folder, name.clone()).await?,
        };
        Ok(is_there.then(|| receipt(name)))
    }

    async fn follow(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Followed, Failure> {
        match matter(delivery)? {
            Matter::Receipt => Ok(Followed::Received),
            Matter::Offer => offer::appraised(delivery),
            Matter::Transfer => {
                let source = sources.first().ok_or_else(|| not_understood("it has no content"))?;
                self.followed(delivery, &**source).await
            }
        }
    }

    async fn check(&self) -> Health {
        let checked = match &self.settings.target {
            Target::TrEsor(archive) => self.s4(archive).info().await.map(|()| "S.4 answers".to_owned()),
            Target::DaNrw(archive) => match writable(&archive.folder).await {
                Ok(()) => {
                    let http = self.http(archive.login.clone(), archive.within);
                    danrw::status(&http, &archive.url, "amtsbote-check")
                        .await
                        .map(|_| "folder and status answer".to_owned())
                }
                Err(failure) => Err(failure),
            },
            Target::Folder(archive) => {
                writable(&archive.folder).await.map(|()| "the folder can be written".to_owned())
            }
        };
        match checked {
            Ok(detail) => {
                Health { ok: true, detail: format!("{detail}; {}", self.settings.tools.described()) }
            }
            Err(failure) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
        }
    }
}

impl Archive {
    fn http(&self, login: Option<crate::Login>, within: std::time::Duration) -> Http {
        Http { client: self.client.clone(), clock: Arc::clone(&self.clock), login, within }
    }

    fn s4(&self, archive: &crate::TrEsor) -> S4 {
        S4::new(archive, self.settings.work.clone(), self.client.clone(), Arc::clone(&self.clock))
    }
}

/// A package is with the archive, which has confirmed nothing yet.
fn receipt(name: String) -> Receipt {
    Receipt { data: json!({ "package": name }), reference: Some(name), ..Receipt::default() }
}

async fn appeared(folder: &Path, file: String) -> Result<bool, Failure> {
    let folder = folder.to_owned();
    blocking(move || folder::has_appeared(&folder, &file).map_err(io_failed)).await
}

/// A file without a name, for work on a package; in the system's own folder if none is named.
pub(crate) fn nameless(work: Option<&Path>) -> Result<std::fs::File, Failure> {
    let made = match work {
        Some(folder) => tempfile::tempfile_in(folder),
        None => tempfile::tempfile(),
    };
    made.map_err(io_failed)
}

async fn writable(folder: &Path) -> Result<(), Failure> {
    let folder: PathBuf = folder.to_owned();
    blocking(move || tempfile::tempfile_in(folder).map(|_| ()).map_err(io_failed)).await
}

/// Work that may block, on a thread kept for that. It goes on to its end, also when nobody waits for it any more.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let stopped =
        |_| Failure::new(FailureKind::Transient, "archive.disk", "the work on a package was interrupted");
    tokio::task::spawn_blocking(work).await.map_err(stopped)?
}
