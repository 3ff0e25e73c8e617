//! Telephone: Asterisk by its REST interface (ARI), as Asterisk 22 speaks it.
//!
//! The telephone system carries the calls and decides where they ring; the gateway keeps what is known of them. A call that comes in
//! becomes a contact, with how long it rang and was spoken; out of hours, or where the caller asks for it, it becomes a task of calling back.
//! A call that a clerk wants is made: first the clerk's telephone rings, then the citizen's. No sound ever comes into the gateway: nothing is
//! recorded, and what others recorded is not fetched (§ 201 StGB).
//!
//! * `settings`: what is configured;
//! * `ari`: calls of the interface, and what it means that one fails;
//! * `socket`: the line that events come by;
//! * `events`: what they say;
//! * `live`: calls that are on, and what an event makes of one;
//! * `flood`: calls that are more than people make;
//! * `dial`: which numbers may be called;
//! * `adapter`, `session`, `incoming`, `outgoing`: what is done.

mod adapter;
mod ari;
mod dial;
mod events;
mod flood;
mod incoming;
mod live;
mod outgoing;
mod session;
mod settings;
mod socket;

pub use adapter::Asterisk;
pub use settings::{Login, Settings};

/// Kinds of tasks: of calling back, and of looking what became of a call whose end nobody saw.
pub use live::{CALL_BACK, UNSEEN};
