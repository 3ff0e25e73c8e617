//! FIT-Connect from outside: a delivery service on the loopback, and a gateway in small.

// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod bed;
mod desk;
mod mapping;
mod rejected;
mod service;
mod subscriber;
