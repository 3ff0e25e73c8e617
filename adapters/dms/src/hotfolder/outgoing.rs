//! Containers into the folder of the system. A slip for each delivery says under which name it goes; it is written before the container is
//! moved there, and the container leaves its place aside by that move alone. So after a crash the slip and the place aside tell whether
//! the system was given the container, even if it has taken it away since.

use std::path::Path;
use std::sync::Arc;

use model::adapter::{Content, Delivery, Receipt, Source, Sources};
use model::standard::Standard;
use model::{Failure, Id};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::folder::{self, is_name, unreadable, unwritable};
use super::letter::Letter;
use crate::failure;

/// What was delivered, or is about to be.
#[derive(Debug, Serialize, Deserialize)]
struct Slip {
    /// Name of the container.
    name: String,
    /// Type of the message, if it is one of ours.
    message: Option<String>,
}

/// The folder that the system takes containers from.
pub(super) struct Outbox<'a> {
    pub(super) folder: &'a Path,
}

impl Outbox<'_> {
    /// What was delivered under this id; nothing if it was not.
    pub(super) async fn sent(&self, id: Id) -> Result<Option<Receipt>, Failure> {
        let slip = folder::own(self.folder, "sent").await?.join(format!("{id}.json"));
        let bytes = match fs::read(&slip).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let slip: Slip = serde_json::from_slice(&bytes)
            .map_err(|_| folder::unusable("a slip of the gateway is damaged"))?;
        let aside = folder::own(self.folder, "staged").await?.join(id.to_string());
        if folder::is_same(&aside, &self.folder.join(&slip.name)).await {
            // Where a move is a link and a removal, the removal was still to be done.
            fs::remove_file(&aside).await.map_err(unwritable)?;
        }
        let is_aside = fs::try_exists(&aside).await.map_err(unreadable)?;
        Ok((!is_aside).then(|| receipt(slip)))
    }

    /// A message, as the broker or whoever handed it in has written it.
    pub(super) async fn message(
        &self,
        delivery: &Delivery,
        sources: Sources<'_>,
    ) -> Result<Receipt, Failure> {
        let source = sources.first().ok_or_else(|| failure::refused("the delivery has no content"))?;
        let given = delivery.detail["fileName"].as_str().filter(|name| is_name(name));
        let name = given.map_or_else(|| format!("{}.zip", delivery.id), str::to_owned);
        let aside = folder::own(self.folder, "staged").await?.join(delivery.id.to_string());
        let written = copy(source.open().await?, &aside).await?;
        if delivery.detail["size"].as_u64().is_some_and(|size| size != written) {
            return Err(folder::unusable("not all of the message was written"));
        }
        self.hand_over(delivery.id, &aside, Slip { name, message: None }).await
    }

    /// The message that tells of a document.
    pub(super) async fn letter(
        &self,
        letter: &Letter<'_>,
        source: &dyn Source,
        standard: &Arc<dyn Standard>,
    ) -> Result<Receipt, Failure> {
        let staged = folder::own(self.folder, "staged").await?;
        let content = staged.join(format!("{}.content", letter.id));
        copy(source.open().await?, &content).await?;
        let aside = staged.join(letter.id.to_string());
        clear(&aside).await?;
        let written = letter.write(standard, &content, &aside).await;
        _ = fs::remove_file(&content).await;
        let written = written?;
        let slip = Slip { name: written.file_name, message: Some(written.identity.message_type) };
        self.hand_over(letter.id, &aside, slip).await
    }

    async fn hand_over(&self, id: Id, aside: &Path, slip: Slip) -> Result<Receipt, Failure> {
        let target = self.folder.join(&slip.name);
        if fs::try_exists(&target).await.map_err(unreadable)? {
            return Err(failure::not_taken_yet());
        }
        let bytes = serde_json::to_vec(&slip).map_err(|_| folder::unusable("a slip cannot be written"))?;
        let path = folder::own(self.folder, "sent").await?.join(format!("{id}.json"));
        folder::write_small(&path, &bytes).await?;
        folder::place(aside, &target).await?;
        Ok(receipt(slip))
    }
}

/// The system has the container, not yet what is in it.
fn receipt(slip: Slip) -> Receipt {
    Receipt {
        data: json!({ "file": slip.name, "message": slip.message }),
        reference: Some(slip.name),
        ..Receipt::default()
    }
}

/// Makes room for a file. Nothing is ever written over an earlier one: somebody may be reading that under another name.
async fn clear(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unwritable(error)),
        _ => Ok(()),
    }
}

/// Writes content into a file of its own, durably; gives its size.
async fn copy(mut content: Content, path: &Path) -> Result<u64, Failure> {
    clear(path).await?;
    let mut file = File::create_new(path).await.map_err(unwritable)?;
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let read = content.read(&mut buffer).await.map_err(|_| failure::unavailable())?;
        if read == 0 {
            break;
        }
        file.write_all(&buffer[..read]).await.map_err(unwritable)?;
        size += read as u64;
    }
    file.sync_all().await.map_err(unwritable)?;
    Ok(size)
}
