//! FIT-Connect from outside: a delivery service on the loopback, and a gateway in small.

// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod author;
mod bed;
mod desk;
mod following;
mod mapping;
mod outbox;
mod rejected;
mod routing;
mod sending;
mod service;
mod subscriber;
mod trust;
mod waiting;
