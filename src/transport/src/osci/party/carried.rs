//! What XTA and OSCI-Transport carry for each other: metadata of a message as a header block (`MessageMetaData`, as libraries
//! of the field write it), and the contents of its container as attachments, each under its own name. Bytes of contents are
//! never changed: a container that its author has encrypted travels as the document that it is.

use std::collections::HashSet;
use std::io::{self, Write};

use ::osci::content::write::{Author, Maker, NewContainer, NewContent, NewPart};
use ::osci::message::{Message as Said, Named};
use ::osci::names::ENVELOPE;
use ::osci::package::Package;
use ::xta::container::is_encrypted_document;
use ::xta::model::{Content, ContentRole, MetaData};
use ::xta::v3::header;
use broker::{PayloadWriterBlocking, StoredPayload};
use seal::xmlenc::Plaintext;
use serde_json::Value;

use super::line::Lines;
use super::unpack::Leaf;
use crate::xta::along;
use crate::xta::kept::{KeptContent, KeptMeta};
use crate::xta::package::{Packer, contents, media_type};

/// Most bytes of metadata.
const MOST_META: u64 = along::MOST_META as u64;
/// What a container is called that its author has encrypted.
const ENCRYPTED: &str = "EncryptedData.xml";

/// The metadata of a message as the broker tells them to a courier, as a header block; `None` if it has none.
///
/// # Errors
/// If they cannot be written.
pub(super) fn header_of(detail: &Value) -> ::xta::Result<Option<String>> {
    let Some(kept) = detail.get("xta") else { return Ok(None) };
    let kept = serde_json::from_value::<KeptMeta>(kept.clone());
    let meta =
        MetaData::from(kept.map_err(|_| ::xta::Error::Malformed("metadata that were kept otherwise"))?);
    header::write(&meta, &ENVELOPE).map(Some)
}

/// Content of one container with everything that is in a container of XTA, signed by its sender and encrypted for its reader.
///
/// # Errors
/// If the container cannot be read, or signing or encrypting fails.
pub(super) fn pack_all(
    lines: &Lines,
    author: Author<'_>,
    recipient: &Named,
    container: &Plaintext,
) -> ::osci::Result<NewContent> {
    let placed = contents(container.open()).map_err(io::Error::from)?;
    let mut names = HashSet::new();
    let mut sources = Vec::new();
    for (content, start) in &placed {
        let mut name = super::courier::attachment_name(wanted_name(content));
        if !names.insert(name.to_lowercase()) {
            name = format!("{}-{name}", content.index);
            names.insert(name.to_lowercase());
        }
        sources.push((name, container.open_range(*start..start.saturating_add(content.length))));
    }
    let mut parts = Vec::new();
    for (name, source) in &mut sources {
        parts.push(NewPart::Attachment(name, source));
    }
    let mut maker = Maker::new(&lines.policy, &lines.limits);
    maker.add(NewContainer { parts, authors: vec![author], readers: vec![recipient] })?;
    maker.finish()
}

fn wanted_name(content: &KeptContent) -> &str {
    match (content.content().role, &content.file_name) {
        (ContentRole::Encrypted, _) => ENCRYPTED,
        (_, Some(name)) => name,
        (_, None) => "content",
    }
}

/// The metadata that a delivery brings; `None` if there are none, or none that can be used.
pub(super) fn metadata(package: &Package, message: &Said) -> Option<MetaData> {
    let name = (header::NAMESPACE, header::LOCAL);
    let block = package.header(message, name, MOST_META).ok().flatten()?;
    match header::read(block.as_bytes()) {
        Ok(meta) if along::is_usable(&meta) => Some(meta),
        _ => {
            tracing::warn!("metadata of XTA in a delivery of OSCI cannot be used");
            None
        }
    }
}

/// Whether contents have to be kept as a container: there are several, or their author has encrypted them.
///
/// # Errors
/// If our own disk fails.
pub(super) fn is_container(leaves: &[Leaf]) -> ::xta::Result<bool> {
    match leaves {
        [only] if only.name.as_deref() == Some(ENCRYPTED) => is_encrypted_document(only.bytes.open()),
        [_] => Ok(false),
        _ => Ok(true),
    }
}

/// Writes contents as a container of XTA, the first as the message.
///
/// # Errors
/// If they are larger than `most` together, or cannot be kept.
pub(super) fn pack(
    writer: PayloadWriterBlocking,
    leaves: &[Leaf],
    most: u64,
) -> ::xta::Result<StoredPayload> {
    let is_sealed = leaves.len() == 1;
    let mut packer = Packer::new(writer, most);
    for (index, leaf) in leaves.iter().enumerate() {
        let role = match index {
            0 if is_sealed => ContentRole::Encrypted,
            0 => ContentRole::Message,
            _ => ContentRole::Attachment,
        };
        let name = leaf.name.as_deref().filter(|_| !is_sealed);
        let content = Content {
            role,
            media_type: media_type(leaf.name.as_deref()).to_owned(),
            file_name: name.map(str::to_owned),
            size: Some(leaf.bytes.length()).filter(|&size| size > 0),
            ..Content::default()
        };
        packer.begin(index, &content)?;
        io::copy(&mut leaf.bytes.open(), &mut packer)?;
    }
    packer.flush()?;
    Ok(packer.finish()?.0)
}
