//! XTA 2, the web service by which authorities hand messages to their sender and fetch them from their recipient:
//! version 3 (web service 2.1.1, namespace `http://xoev.de/transport/xta/211`) and version 5.1.1 (core 3.1.1).
//!
//! | module | holds |
//! |---|---|
//! | [`model`] | what both versions know: parties, metadata, reports, contents, codes |
//! | [`v3`], [`v5`] | a version on the wire: metadata, requests, answers, faults |
//! | [`container`] | the contents of a message, read and written as a stream |
//! | [`client`] | requests written and their answers read, for whoever calls a server elsewhere |
//! | [`server`] | answers a request over a small [`server::Backend`] |
//!
//! Everything is synchronous and streams: memory does not grow with a message. It knows no network and no store.

mod bridge;
pub mod client;
pub mod container;
mod deviations;
mod element;
mod error;
pub mod model;
#[cfg(test)]
mod samples;
pub mod server;
pub mod v3;
pub mod v5;

pub use deviations::Rules;
pub use error::{Error, Exception, Fault, Result};
