//! TLS for those who call us, and the one outbound HTTP client. Whatever the gateway calls outside is called through it, so
//! that no call can hang for ever, fill the memory, be led elsewhere by a redirect, or reach a network that whoever chose
//! the address must not reach.
//!
//! | module | holds |
//! |---|---|
//! | [`egress`] | which hosts and addresses may be reached, by who chose them; rules are data |
//! | `resolver` | names: only addresses that may be reached are ever connected to |
//! | [`client`] | requests with a streamed body, a limited answer, and a time-out over all of it |
//! | `body` | the body of a request; knows whether a byte of it may have left |
//! | [`clamd`] | the virus check by ClamAV's daemon |
//! | [`tls`] | TLS of the listeners, with the certificates of those who call |
//! | [`line`] | lines to servers of other protocols: TLS, and a limit on what comes |
//! | [`pace`] | how slow the other end may be, in what it sends and in what it takes |
//! | [`shares`] | places of which nobody takes all |
//!
//! HTTP/1.1 (RFC 9112) over TCP or TLS. No redirects, no proxies, no cookies, no compression, no repetition: what to do
//! about a failure is decided by its kind, see [`model::FailureKind`].

mod body;
pub mod clamd;
pub mod client;
pub mod egress;
mod error;
pub mod line;
mod opened;
pub mod pace;
mod resolver;
pub mod shares;
pub mod tls;

pub use client::{Answer, Client, Request, Settings, Upload};
pub use egress::Egress;
pub use error::Error;
pub use opened::Opened;
pub use reqwest::Method;
