//! Comes with its first content.
