//! Simulated partners, shipped with the product and called simulators wherever they speak: a portal
//! that hands in building applications, a record-keeping system, a sender of raw containers. All
//! they say is made up; they speak with the gateway as any partner does, over HTTP alone.

pub mod ari;
pub mod auditor;
pub mod camunda;
pub mod cmis;
pub mod containers;
pub mod danrw;
pub mod dms;
pub mod epost;
pub mod files;
pub mod fit_connect;
pub mod osci;
pub mod partner;
pub mod payment;
pub mod portal;
pub mod records;
pub mod samples;
pub mod sender;
pub mod story;
pub mod tamper;
pub mod tresor;
pub mod xta;

pub use crate::{Error, client, gateway};
