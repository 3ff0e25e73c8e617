//! Multipart/related (RFC 2387 over RFC 2045 and 2046) as OSCI-Transport 1.2 and SOAP with
//! Attachments or MTOM use it: a streaming [`Multipart`] reader and a streaming [`Writer`].
//!
//! The reader is as tolerant as the field needs (illegal characters in an unquoted boundary, wrong
//! lengths, spellings of transfer encodings, missing line end behind the closing boundary) and
//! strict where two readers could see different messages: line ends must be alike, nothing may
//! stand twice, and what is cut off is never taken for whole.

mod base64;
mod delimiter;
mod header;
mod media_type;
mod part;
mod reader;
mod source;
mod writer;

pub use base64::{Base64Decoder, Decoded, encode as encode_base64};
pub use header::Headers;
pub use media_type::MediaType;
pub use part::{Part, TransferEncoding};
pub use reader::{Limits, Multipart};
pub use writer::{Boundary, NewPart, Related, Writer};

/// Content-ID of the XML part of an OSCI message (without the angle brackets).
pub const OSCI_MESSAGE: &str = "osci@message";

/// Longest Content-ID, in bytes.
const CONTENT_ID_BYTES: usize = 1_000;

/// Whether this may be a Content-ID (without the angle brackets). Looser than RFC 2045, since senders
/// use file names; strict enough to be written into a header as it is.
pub(crate) fn is_content_id(id: &str) -> bool {
    let is_plain = |c: char| !c.is_control() && c != '<' && c != '>';
    !id.is_empty() && id.len() <= CONTENT_ID_BYTES && id.trim() == id && id.chars().all(is_plain)
}
