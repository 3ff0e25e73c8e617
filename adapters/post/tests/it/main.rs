//! What the adapters of this crate do, against independent counterparts.

// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod desk;
mod dovecot;
mod hybrid;
mod inbox;
mod keys;
mod parcel;
mod scan;
mod scripted;
mod smtp;
mod spool;
