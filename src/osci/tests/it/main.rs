//! The intermediary and the wire against messages that another implementation has made.

#![allow(clippy::unwrap_used)] // These are tests.

mod attack;
mod bed;
mod broken;
mod chunks;
mod chunks_fetched;
mod content;
mod corpus;
mod lifecycle;
mod memory;
mod pass_on;
mod people;
mod replay;
