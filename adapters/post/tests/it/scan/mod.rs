//! The intake of scans with the real tools.

mod hostile;
mod kills;
mod note;
mod others;
mod sessions;
mod stacks;
mod support;
