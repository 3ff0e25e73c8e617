//! Channels: adapters are told what happens to records, bring in what happens elsewhere, and nothing of it is lost or doubled.

mod bed;
mod below;
mod dispatches;
mod doors;
mod imports;
mod letters;
mod notices;
mod overdue;
mod sessions;
mod telling;
