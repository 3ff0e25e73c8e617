//! A gateway that is a server of XTA 2, version 3, and clients of it that cost little themselves: certificates made at run
//! time, requests laid out as bytes, connections in mutual TLS that are kept open.

pub mod connection;
pub mod house;
pub mod pki;
pub mod request;

use crate::Error;

/// What should not have failed, as an error of a suite.
fn failed(error: impl std::fmt::Display) -> Error {
    Error::Unverified(error.to_string())
}
