//! Scanned letters out of a hot folder.
pub mod settings;
