//! The client against machines that behave badly, on the loopback.

#![allow(clippy::unwrap_used)]

mod calls;
mod clamd;
mod hostile;
mod listener;
mod server;
mod tls;
