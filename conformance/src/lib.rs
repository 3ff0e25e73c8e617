//! Black-box suites that judge a gateway from outside, over its interfaces alone, and simulated
//! partners that speak with it. Nothing here uses the gateway's own model, store, broker or API
//! crates: what they get wrong must show here.

mod bed;
pub mod bench;
pub mod client;
pub mod crash;
pub mod error;
pub mod fairness;
pub mod gateway;
mod keys;
mod shared;
pub mod simulate;
pub mod sync;
pub mod xta;

pub use error::Error;
pub use shared::shared;
