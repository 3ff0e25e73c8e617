//! What the adapters of this crate do, against independent counterparts.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod cmis;
mod host;
mod support;
