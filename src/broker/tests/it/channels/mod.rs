//! Channels: adapters are told what happens to records, bring in what happens elsewhere, and nothing of it is lost or doubled.

mod bed;
mod below;
mod calls;
mod dispatches;
mod doors;
mod imports;
mod letters;
mod notices;
mod opened;
mod overdue;
mod sessions;
mod telling;
