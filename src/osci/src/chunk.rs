//! Chunks of a message: supplement of 2017 ("Effiziente Übertragung großer Datenmengen"). The whole is the package of a
//! message, unsigned and unencrypted; a chunk is an attachment of a message that is signed and encrypted as usual.

use std::io::Read;

use seal::xmlenc::Plaintext;

use crate::Result;
use crate::content::write::{NewContent, attachment};
use crate::package::{Attachment, Package};
use crate::transport::Limits;
use crate::write::Xml;

/// What a message id ends with that names the chunks of a message, and not the message itself.
pub(crate) const SUFFIX: &str = "_Partial";
/// Bytes in the unit of all sizes.
pub(crate) const UNIT: u64 = 1024;
/// Content-ID of a chunk, whichever way it goes.
const BLOB: &str = "ChunkBlobStoreDelivery";

/// How many chunks of this size, in units, make up so many bytes.
pub(crate) fn count(length: u64, size: u64) -> u64 {
    length.div_ceil(size.saturating_mul(UNIT).max(1)).max(1)
}

/// The bytes of a chunk, counted from 1.
pub(crate) fn cut(whole: &Plaintext, number: u32, size: u64) -> impl Read {
    let bytes = size.saturating_mul(UNIT);
    let start = u64::from(number.saturating_sub(1)).saturating_mul(bytes);
    whole.open_range(start..start.saturating_add(bytes))
}

/// Content that is a chunk.
pub(crate) fn content(mut bytes: impl Read, limits: &Limits) -> Result<NewContent> {
    let mut xml = Xml::default();
    xml.block("osci:ContentContainer", "ChunkContentContainer", "", &[]);
    xml.empty("osci:Content", &[("Id", "ChunkContent"), ("href", &format!("cid:{BLOB}"))]);
    xml.close("osci:ContentContainer");
    NewContent::of(&xml.text, vec![attachment(BLOB, &mut bytes, limits)?], limits)
}

/// The chunk that a message carries; none unless it carries exactly one attachment.
pub(crate) fn of(package: &Package) -> Option<&Attachment> {
    match package.attachments.as_slice() {
        [chunk] => Some(chunk),
        _ => None,
    }
}
