//! Whole-gateway tests through HTTP.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests.

mod cli;
mod crash;
mod demo;
mod documents;
mod edges;
mod fairness;
mod installation;
mod operating;
mod serving;
mod sync;
mod webhooks;
