//! Tests against a real provider, and against tokens that somebody made up.

mod attacks;
mod bed;
mod people;
mod systems;
