//! Behaviours of the broker, with the real store and a standard small enough to read at a glance.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod content;
mod delivery;
mod exchange;
mod hooks;
mod house;
mod intake;
mod toy;
mod units;
