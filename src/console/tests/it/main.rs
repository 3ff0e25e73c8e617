//! The console over a real broker and store, in process; its jobs in a real browser.

#![allow(clippy::unwrap_used, reason = "test helpers outside of test functions")]

mod bed;
mod browser;
mod deciding;
mod desk;
#[allow(dead_code, reason = "made for the tests of REST")]
#[path = "../../../api/tests/it/gateway.rs"]
mod gateway;
mod help;
#[allow(dead_code, reason = "made for the tests of REST")]
#[path = "../../../api/tests/it/inputs.rs"]
mod inputs;
mod keeping;
#[allow(dead_code, reason = "made for the tests of REST")]
#[path = "../../../api/tests/it/outside.rs"]
mod outside;
#[allow(dead_code, reason = "made for the tests of REST")]
#[path = "../../../api/tests/it/till.rs"]
mod till;

mod operate;
mod people;
mod statement_lines;
