//! The evidence bundle from outside: written, verified, tampered with, and judged by independent tools.

// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod fixture;
mod hostile;
mod judges;
mod seeded;
mod stamped;
mod tampered;
mod timestamps;
mod tsa;
mod whole;
