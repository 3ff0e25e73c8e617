//! Behaviours of the broker, with the real store and a standard small enough to read at a glance.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod answered;
mod answers;
mod approvals;
mod archives;
mod arrival;
mod belongings;
mod channels;
mod circulation;
mod citizens;
mod citizens_end;
mod citizens_hold;
mod clarify;
mod content;
mod delivery;
mod desk;
mod destruction;
mod directory;
mod disposition;
mod engines;
mod erasure;
mod evidence;
mod exchange;
mod figures;
mod followed;
mod hooks;
mod house;
mod intake;
mod once;
mod other;
mod payments;
mod payments_model;
mod people;
mod persons;
mod rejection;
mod relay;
mod replies;
mod retention;
mod screen;
mod strangers;
mod tasks;
mod toy;
#[path = "../../../seal/tests/it/tsa.rs"]
#[allow(dead_code, reason = "made for other tests")]
mod tsa;
mod units;
mod works_with;
