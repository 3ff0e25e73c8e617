//! The adapter against the simulated telephone system, which tells what a real one told.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod desk;
mod hostile;
mod incoming;
mod outgoing;
mod support;
