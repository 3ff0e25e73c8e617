//! FIT-Connect v2 (FITKO).
//!
//! | module | does |
//! |---|---|
//! | `client` | calls to the delivery service, and what it means that one fails |
//! | `oauth` | access tokens (RFC 6749 section 4.4) |
//! | `set` | Security Event Tokens (RFC 8417): the event log, verified and written |
//! | `keys` | whose key a SET must be signed with |
//! | `metadata` | the metadata of a submission, and what must hold of them |
//! | `problems` | why a submission is rejected, in the standard's words |
//! | `subscriber` | the adapter that fetches submissions |
//! | `fetch` | one submission: fetched, verified, decrypted |
//! | `application` | what it becomes: a letter that opens a case |
//! | `watch` | what could not be taken, and since when |
//! | `callback` | calls of the delivery service |

mod application;
mod callback;
mod client;
mod fetch;
mod keys;
mod metadata;
mod oauth;
mod plain;
mod problems;
mod set;
mod subscriber;
mod watch;

pub use client::{Access, Hosts};
pub use metadata::Metadata;
pub use problems::Names;
pub use subscriber::{Settings, Subscriber, adapter};
pub use watch::Desk;
