//! OSCI-Transport 1.2 (with its corrigenda up to 10 and the supplement of 2017 on large messages): the wire, the
//! intermediary, and those who speak with one.
//!
//! | module | holds |
//! |---|---|
//! | [`names`] | namespaces, actors, orders |
//! | [`code`] | feedback codes with their texts |
//! | [`transport`], [`package`], [`content`] | envelopes of encryption, signed packages, containers |
//! | [`client`], [`intermediary`], [`recipient`] | who orders, who carries out, who is called |
//! | [`message`], [`card`] | what a message says |
//! | [`read`], [`write`] | its XML |
//! | [`rules`] | what each kind must and must not bring |
//!
//! Everything is synchronous and reads and writes streams; who lives in an asynchronous world calls it on a blocking
//! thread. Memory does not grow with content or attachments.

pub mod card;
mod chunk;
pub mod client;
pub mod code;
pub mod content;
mod element;
mod error;
pub mod intermediary;
mod letter;
pub mod message;
mod moment;
pub mod names;
pub mod package;
pub mod read;
pub mod recipient;
pub mod rules;
pub mod transport;
pub mod write;

pub use error::{Error, Result};
