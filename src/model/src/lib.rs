//! The common case model: what every channel and every standard is translated into and out of.
//!
//! Nothing here does I/O. The crate holds
//! * [`case`], [`file_plan`], [`party`], [`activity`], [`payment`], [`exchange`], [`circulation`]: the records a county works with;
//! * [`command`]: how records change. A command is decided against the current record and yields the
//!   new record and an [`Event`] whose `changes` are exactly the difference;
//! * [`message`]: the envelope of whatever comes in or goes out, its states and its findings;
//! * [`citizen`]: who the citizen of a case is, and what of it was provided;
//! * [`letter`]: a piece of post as it comes in; [`sending`], [`deemed`]: what a house has decided about what it sends;
//! * [`clarification`]: what is told of a message that waits for a human;
//! * [`rights`]: who may do what, and the [`Scope`] every query is confined to;
//! * [`standard`], [`adapter`], [`directory`]: the traits that message standards, channels and
//!   directories implement;
//! * [`testkit`]: one behaviour suite per trait.
//!
//! English is spoken here; each type's doc comment gives the German term once.

pub mod activity;
pub mod adapter;
mod addressee;
pub mod approval;
mod begin;
pub mod case;
pub mod catalog;
pub mod circulation;
pub mod citizen;
pub mod clarification;
pub mod command;
pub mod deemed;
pub mod directory;
mod error;
pub mod event;
pub mod exchange;
pub mod file_plan;
pub mod holidays;
pub mod hours;
pub mod ids;
mod json_text;
pub mod letter;
pub mod message;
pub mod outbound;
pub mod party;
pub mod patch;
pub mod payment;
pub mod phone;
pub mod process;
pub mod public_state;
pub mod record;
pub mod rights;
pub mod scan;
pub mod schema;
pub mod sending;
pub mod standard;
pub mod testkit;
pub mod time;

pub use command::{Command, Decided, decide};
pub use error::{Error, Failure, FailureKind};
pub use event::{Actor, Event, EventKind, PayloadRef};
pub use ids::{Authority, Id};
pub use json_text::JsonText;
pub use message::{Finding, Message, MessageState, Report, Severity};
pub use record::{Record, RecordKind};
pub use rights::{Action, Caller, Role, Scope};
pub use time::{Clock, SystemClock, Timestamp};
