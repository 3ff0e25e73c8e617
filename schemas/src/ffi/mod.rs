//! The thin layer over libxml2's schema validator (Debian's 2.9.14), and all `unsafe` of the
//! project. libxml2's own parser sees schema files only, never a message: messages are parsed by
//! [`xml::Reader`] and fed to the validator event by event (`xmlSchemaSAXPlug`).
//!
//! `sys` declares, `compile` makes a [`Schema`], `feed` validates with it.
#![allow(unsafe_code)]

mod compile;
mod feed;
mod sys;

pub use compile::Schema;
pub(crate) use compile::{Compilation, Resolver};
pub(crate) use feed::{Feed, Violation};
