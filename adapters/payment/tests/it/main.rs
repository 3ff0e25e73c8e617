//! Providers against programs that play them: small ones of ours that do what no real one should, and an independent one in Python.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod epay21;
mod epaybl;
mod girocheckout;
mod mock;
mod pmpayment;
mod senders;
mod support;
mod webhook;
mod xbezahldienste;
