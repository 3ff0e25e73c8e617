//! Transfers (0503): spooled, packed, handed over.

use std::fs::File;
use std::io::BufWriter;
use std::sync::Arc;

use model::adapter::{Delivery, Receipt, Source};
use model::{Failure, Id};
use seal::hash::Algorithm;

use super::offer::read_objects;
use super::{Archive, blocking, nameless, receipt};
use crate::codes::{io_failed, not_understood};
use crate::message::{Message, spool};
use crate::package::{Package, bag, premis, sip};
use crate::submit::folder::Attempt;
use crate::submit::stamps;
use crate::xaip::digests::digests;
use crate::xaip::outline::outline;
use crate::xaip::write::{Terms, write};
use crate::{AppraisalBy, DaNrw, Folder, Target, TrEsor, formats};

/// A message, taken apart.
pub(super) struct Opened {
    pub(super) message: Message,
    /// What it transfers: its root objects.
    pub(super) objects: Vec<Id>,
}

impl Archive {
    pub(super) async fn opened(&self, source: &dyn Source) -> Result<Opened, Failure> {
        let spooled = spool(source, self.settings.work.as_deref()).await?;
        let schemas = Arc::clone(&self.schemas);
        blocking(move || {
            let mut message = Message::open(spooled)?;
            let objects = read_objects(&mut message, schemas, AppraisalBy::Everything)?;
            Ok(Opened { message, objects: objects.into_iter().map(|(id, _)| id).collect() })
        })
        .await
    }

    pub(super) async fn transfer(
        &self,
        delivery: &Delivery,
        source: &dyn Source,
    ) -> Result<Receipt, Failure> {
        let name = Package::name_of(delivery.id);
        // What has appeared in a folder is there, and must not come again.
        let file = match &self.settings.target {
            Target::DaNrw(archive) => {
                Some((archive.folder.clone(), sip::file_name(&name, archive.container)))
            }
            Target::Folder(archive) => Some((archive.folder.clone(), name.clone())),
            Target::TrEsor(_) => None,
        };
        if let Some((folder, file)) = file
            && super::appeared(&folder, file).await?
        {
            return Ok(receipt(name));
        }
        let Opened { mut message, objects } = self.opened(source).await?;
        let own_name = own_name(delivery);
        let (message, parts) = blocking(move || {
            let parts = message.parts(&own_name)?;
            Ok((message, parts))
        })
        .await?;
        let work = self.settings.work.clone();
        let (message, parts) = formats::examine(&self.settings.tools, work, message, parts).await?;
        let text = |name: &str| delivery.detail[name].as_str().unwrap_or_default().to_owned();
        let package = Package {
            name: name.clone(),
            delivery: delivery.id,
            process: Some(text("processId")).filter(|process| !process.is_empty()),
            standard: format!("{} {} {}", text("standard"), text("version"), text("type")),
            objects,
            message_sha256: text("sha256"),
            organisation: self.settings.source_organisation.clone(),
            made: self.clock.now(),
            parts,
            examined: self.settings.tools.described(),
        };
        match &self.settings.target {
            Target::TrEsor(archive) => return self.submit(archive, package, message).await.map(receipt),
            Target::DaNrw(archive) => self.drop_sip(archive.clone(), package, message).await?,
            Target::Folder(archive) => self.drop_bag(archive.clone(), package, message).await?,
        }
        Ok(receipt(name))
    }

    async fn submit(&self, archive: &TrEsor, package: Package, message: Message) -> Result<String, Failure> {
        let terms = Terms {
            client: archive.client_id.clone(),
            retention: retention(&package, archive.retention_years),
        };
        let work = self.settings.work.clone();
        let wants_digests = archive.stamps.is_some();
        let name = package.name.clone();
        let packing = (package, message, terms);
        let (file, packing, protected) = blocking(move || {
            let (package, mut message, terms) = packing;
            let mut file = write(temporary(work.as_deref())?, &package, &mut message, &terms, None)?;
            let protected = if wants_digests { protected(&mut file)? } else { Vec::new() };
            Ok((file, (package, message, terms), protected))
        })
        .await?;
        let Some(stamps) = &archive.stamps else { return self.s4(archive).submit(file, &name).await };
        let evidence = stamps::evidence_record(stamps, &self.client, &self.clock, protected).await?;
        let work = self.settings.work.clone();
        let file = blocking(move || {
            let (package, mut message, terms) = packing;
            write(temporary(work.as_deref())?, &package, &mut message, &terms, Some(&evidence))
        });
        self.s4(archive).submit(file.await?, &name).await
    }

    async fn drop_sip(&self, archive: DaNrw, package: Package, mut message: Message) -> Result<(), Failure> {
        blocking(move || {
            sip::write(&archive.folder, &package, &mut message, archive.container, &archive.rights)
        })
        .await
    }

    async fn drop_bag(&self, archive: Folder, package: Package, mut message: Message) -> Result<(), Failure> {
        blocking(move || {
            let premis = bag::premis(|writer| premis::write_v3(writer, &package))?;
            // Another attempt may have been quicker.
            let Some(attempt) = Attempt::begin(&archive.folder, &package.name)? else { return Ok(()) };
            let mut sink = bag::Folder::begin(&attempt).map_err(io_failed)?;
            bag::write(
                &mut sink,
                &package,
                &mut message,
                bag::PLAIN,
                &[],
                &[("metadata/premis.xml", premis)],
            )?;
            sink.finish().and_then(|()| attempt.finish()).map_err(io_failed)
        })
        .await
    }
}

/// What the message is called in a package if it comes without a container.
fn own_name(delivery: &Delivery) -> String {
    let said = delivery.detail["fileName"].as_str().unwrap_or_default();
    let is_usable = xoev::container::is_harmless(said) && said.to_ascii_lowercase().ends_with(".xml");
    if is_usable { said.to_owned() } else { "message.xml".to_owned() }
}

fn temporary(folder: Option<&std::path::Path>) -> Result<BufWriter<File>, Failure> {
    Ok(BufWriter::with_capacity(64 * 1024, nameless(folder)?))
}

/// The last day of keeping: the same day so many years later, or the last of February.
fn retention(package: &Package, years: u16) -> String {
    let day = package.day();
    let (year, rest) = day.split_at(4);
    let year = year.parse::<u32>().unwrap_or(2000) + u32::from(years);
    let rest = if rest == "-02-29" { "-02-28" } else { rest };
    format!("{year:04}{rest}")
}

/// The digests of what the package's evidence covers, as whoever judges it later finds them.
fn protected(file: &mut File) -> Result<Vec<Vec<u8>>, Failure> {
    use std::io::{BufReader, Seek, SeekFrom};
    let unreadable = |_| not_understood("its package cannot be read");
    file.seek(SeekFrom::Start(0)).map_err(io_failed)?;
    let outline = outline(BufReader::new(&mut *file)).map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(io_failed)?;
    let algorithms = [Algorithm::Sha256].into();
    let objects =
        digests(BufReader::with_capacity(64 * 1024, file), &outline.form, &algorithms, &|_| Ok(None));
    let objects = objects.map_err(unreadable)?;
    let version = outline.versions.first().map(|version| &version.protected[..]).unwrap_or_default();
    let digest = |id: &String| objects.get(id)?.digests.get(&Algorithm::Sha256).cloned();
    version
        .iter()
        .map(digest)
        .collect::<Option<_>>()
        .ok_or_else(|| not_understood("its package cannot be read"))
}
