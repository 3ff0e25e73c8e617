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
//! | `answer` | accepted or rejected: filed, then sent |
//! | `application` | what it becomes: a letter that opens a case |
//! | `sender` | the adapter that sends dispatches, and follows them by the event log |
//! | `follow` | dispatches on their way: steps, each with the event that proves it |
//! | `order` | what is to be sent of a dispatch |
//! | `outgoing` | one submission that is sent |
//! | `routing` | where applications for a service in an area go |
//! | `zbp` | messages and states for the federal mailbox |
//! | `status` | the federal status monitor is told where cases stand |
//! | `watch` | what could not be taken, and since when |
//! | `callback` | calls of the delivery service |

mod answer;
mod application;
mod callback;
mod client;
mod fetch;
mod follow;
mod keys;
mod metadata;
mod oauth;
mod order;
mod outgoing;
mod plain;
mod problems;
mod routing;
mod sender;
mod set;
mod status;
mod subscriber;
mod watch;
mod zbp;

pub use client::{Access, Hosts};
pub use metadata::Metadata;
pub use outgoing::{Calls, Service};
pub use problems::Names;
pub use routing::Route;
pub use sender::{Place, Sending, Target, sender};
pub use subscriber::{Settings, Subscriber, adapter};
pub use watch::Desk;
pub use zbp::Bridge;
