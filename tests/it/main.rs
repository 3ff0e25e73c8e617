//! Whole-gateway tests through HTTP.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests.

mod backoffice;
mod citizens;
mod cli;
mod convert;
mod crash;
mod demo;
mod documents;
mod edges;
mod fairness;
mod forms;
mod identities;
mod installation;
mod keeping;
mod large;
mod mobile;
mod operating;
mod osci;
mod payment_setup;
mod payments;
mod serving;
mod stamping;
mod sync;
mod verdicts;
mod webhooks;
mod xta;
