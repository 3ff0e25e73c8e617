//! Binds the transport standards to the broker: who calls, whose mailbox is meant, what becomes of a message. The standards
//! themselves stand in crates of their own and know nothing of the broker.
//!
//! | module | binds |
//! |---|---|
//! | [`osci`] | OSCI-Transport 1.2: the intermediary, and the gateway as sender and recipient |
//! | [`xta`] | XTA: message boxes of the house, and what its accounts send |

pub mod osci;
pub mod xta;
