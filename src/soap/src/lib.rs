//! What OSCI-Transport and XTA have in common below their own rules: the streaming MIME package
//! (multipart/related, RFC 2045, 2046 and 2387) and the parts of SOAP 1.1 and 1.2 that both speak.
//!
//! | module | holds |
//! |---|---|
//! | [`mime`] | reader and writer of multipart/related |
//! | [`envelope`] | namespaces and versions of SOAP |
//! | [`fault`] | SOAP faults, read and written |
//! | [`message`] | SOAP 1.2 messages over HTTP, bare or as a package (MTOM) |
//! | [`addressing`] | headers of WS-Addressing |
//! | [`xop`] | elements that stand for a part |
//!
//! Everything is synchronous and streams: memory does not grow with the message. Protocol code runs
//! it on blocking threads.

pub mod addressing;
pub mod envelope;
mod error;
pub mod fault;
pub mod message;
pub mod mime;
pub mod xop;

pub use error::{Error, Result};
