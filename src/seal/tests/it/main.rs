//! The crate from outside, judged by independent tools: the evidence bundle; keys, certificates and XML Encryption.

// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod authority;
mod cms;
mod encrypted_corpus;
mod encryption;
mod encryption_attacks;
mod encryption_judges;
mod fixture;
mod hostile;
mod identities;
mod jose;
mod judges;
mod key_change;
mod names;
mod osci;
mod records;
mod seeded;
mod stamped;
mod tampered;
mod timestamps;
mod trusted;
mod tsa;
mod whole;
