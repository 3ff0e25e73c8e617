//! Behaviours of what binds transports to the broker, with the real broker and store, on both engines.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod dvdv;
#[path = "../../../broker/tests/it/engines.rs"]
mod engines;
#[path = "../../../broker/tests/it/house.rs"]
#[allow(dead_code, reason = "made for other tests")]
mod house;
#[path = "../../../broker/tests/it/other.rs"]
mod other;
#[path = "../../../broker/tests/it/toy.rs"]
mod toy;
mod xta;
