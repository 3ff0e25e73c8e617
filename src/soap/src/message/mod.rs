//! SOAP 1.2 messages over HTTP (Part 1 section 5, Part 2 section 7), bare or as a package of MTOM (section 3 and XOP
//! section 4): [`open`] reads one, [`Outgoing`] and [`Package`] write one.
//!
//! The header is held in memory, the body streams. In a package the root part is held, too, since whoever
//! optimises leaves little in it; the other parts stream.

mod header;
mod incoming;
mod outgoing;

pub use header::{Block, Header};
pub use incoming::{Incoming, Input, Limits, open};
pub(crate) use outgoing::begin_envelope;
pub use outgoing::{NewBlock, Outgoing, Package, content_type};

/// Media type of a SOAP 1.2 envelope.
const SOAP_XML: &str = "application/soap+xml";
/// Media type of the root part of a package.
const XOP_XML: &str = "application/xop+xml";
/// Media type of SOAP 1.1, which is not spoken here.
const SOAP_11_XML: &str = "text/xml";
