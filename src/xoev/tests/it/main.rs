//! Integration tests of the message standards, judged by independent tools where there are any.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // Helpers of tests are tests.

mod checks;
mod containers;
mod conversions;
mod court_facts;
mod family;
mod hostile;
mod many;
mod memory;
mod messages;
mod round_trip;
mod rules;
mod said;
mod submission;
mod tools;
mod trees;
mod versions;
mod xjustiz;
mod xrechnung;
mod zip;
