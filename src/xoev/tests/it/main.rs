//! Integration tests of the message standards, judged by independent tools where there are any.

mod checks;
mod containers;
mod everything;
mod memory;
mod round_trip;
mod tools;
mod zip;
