//! Integration tests of the message standards, judged by independent tools where there are any.

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod checks;
mod containers;
mod everything;
mod memory;
mod round_trip;
mod tools;
mod trees;
mod zip;
