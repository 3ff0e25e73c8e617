//! Integration tests of the message standards, judged by independent tools where there are any.

mod containers;
mod zip;
