//! The server seen from outside: over a backend in memory, judged by others.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests.

mod bad;
mod bed;
mod client;
mod codes;
mod memory;
mod operations;
mod recordings;
