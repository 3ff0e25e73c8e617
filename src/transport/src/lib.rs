//! Binds the transport standards to the broker: who calls, whose mailbox is meant, what becomes of a message. The standards
//! themselves stand in crates of their own and know nothing of the broker.
//!
//! | module | binds |
//! |---|---|
//! | [`osci`] | OSCI-Transport 1.2: the intermediary, and the gateway as sender and recipient |
//! | [`xta`] | XTA 2, versions 3 and 5.1.1: accounts of those who call, and their message boxes |
//! | [`dvdv`] | the German directory of public offices |
//! | `door` | what both need of HTTP: bodies in, answers out, both as streams |
//! | `feed` | the body of a request of ours, as a stream |
//! | `fetching` | looking into mailboxes elsewhere, again and again |
//! | `remembered` | what couriers remember of a message |
//! | `revocation` | whether certificates are revoked, by lists and by a responder |

mod door;
pub mod dvdv;
mod feed;
mod fetching;
pub mod osci;
#[cfg(test)]
#[path = "../../broker/tests/it/other.rs"]
#[allow(clippy::unwrap_used, unreachable_pub, dead_code, reason = "made for other tests")]
mod other;
mod remembered;
mod revocation;
#[cfg(test)]
mod test_ca;
#[cfg(test)]
#[path = "../../broker/tests/it/house.rs"]
#[allow(clippy::unwrap_used, unreachable_pub, dead_code, reason = "made for other tests")]
mod test_house;
#[cfg(test)]
#[path = "../../broker/tests/it/toy.rs"]
#[allow(clippy::unwrap_used, unreachable_pub, dead_code, reason = "made for other tests")]
mod toy;
pub mod xta;

pub use door::THREADS;
pub use fetching::{Fetch, Fetched, Fetchers};
pub use revocation::{Judging, Reread};

/// The host of an address, with its port.
fn host(address: &str) -> &str {
    let rest = address.split_once("://").unwrap_or_default().1;
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}
