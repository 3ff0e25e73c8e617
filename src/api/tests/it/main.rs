//! The REST interface over a real broker and store, in process.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod approvals;
mod archive;
mod back_office;
mod bad_messages;
mod bad_requests;
mod cells;
mod cells_console;
mod citizen_bed;
mod citizen_pages;
mod citizens;
mod citizens_hold;
mod clarifications;
mod codes;
mod content;
mod described;
mod dispatches;
mod documented;
mod doors;
mod gateway;
mod inputs;
mod isolation;
mod life;
mod money;
mod outside;
mod pressure;
mod repeated;
mod rights;
mod subscriptions;
mod telephony;
mod till;
mod uploads;
mod wire;
