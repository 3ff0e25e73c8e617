//! The adapter against the simulated engine, and the simulated engine against what was recorded of a real one.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod alone;
mod desk;
mod hostile;
mod replay;
mod support;
mod tell;
mod work;
