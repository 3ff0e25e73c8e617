//! Tests against a real provider, and against tokens that somebody made up.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod attacks;
mod bed;
mod liar;
mod people;
mod systems;
