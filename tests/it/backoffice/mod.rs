//! The back office through the whole gateway: programs that are not ours stand at its other end.

mod hostile;
mod house;
mod line;
mod mailbox;
mod remote;
mod story;
mod telephone;
