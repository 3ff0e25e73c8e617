//! What the adapters of this crate do, against independent counterparts.

// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod bed;
mod danrw;
mod large;
mod s4;
mod support;
#[path = "../../../../src/seal/tests/it/tsa.rs"]
#[allow(dead_code)]
mod tsa;
