//! Behaviours of claims and payments, with a provider that does what its script says, on both engines.

mod books;
mod claims;
mod decisions;
mod lines;
mod notices;
mod pulls;
mod refunds;
mod sheets;
mod starts;
mod statements;
pub mod till;
