//! What OSCI-Transport and XTA have in common below their own rules: the streaming MIME package
//! (multipart/related, RFC 2045, 2046 and 2387) and the parts of SOAP 1.1 and 1.2 that both speak.
//!
//! | module | holds |
//! |---|---|
//! | [`mime`] | reader and writer of multipart/related |
//! | [`envelope`] | namespaces and versions of SOAP |
//! | [`fault`] | SOAP faults, read and written |
//!
//! Everything is synchronous and streams: memory does not grow with the message. Protocol code runs
//! it on blocking threads.

pub mod envelope;
mod error;
pub mod fault;
pub mod mime;

pub use error::{Error, Result};
