//! Scanned letters out of a hot folder.
