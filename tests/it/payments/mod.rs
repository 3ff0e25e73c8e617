//! Payments through the whole gateway: programs that are not ours play providers, payers and forgers, and the cash office's books say what
//! came of it. All of it needs the programs of `../shared/senders/payment`, and says so where they are absent.

mod contracts;
mod judges;
mod planted;
mod senders;
mod simulated;
mod storm;
mod tables;
mod till;
