//! Mobile services against their standards, against independent programs, and against those who mean harm.

// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod additions;
mod attacks;
mod client;
mod counterparts;
mod photos;
mod push;
mod server;
mod support;
