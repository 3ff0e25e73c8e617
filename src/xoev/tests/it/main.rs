//! Integration tests of the message standards, judged by independent tools where there are any.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // Helpers of tests are tests.

mod checks;
mod containers;
mod memory;
mod messages;
mod round_trip;
mod said;
mod tools;
mod trees;
mod versions;
mod xjustiz;
mod zip;
