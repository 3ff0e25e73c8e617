//! XML signatures from outside: recorded messages, independent tools, attacks.

// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod attacks;
mod authors;
mod corpus;
mod judges;
mod making;
mod speed;
mod tools;
