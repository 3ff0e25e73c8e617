//! Document management systems: what happens to case files, cases and documents is carried into the system that keeps the records, and what
//! happens there comes back.
//!
//! | module | holds |
//! |---|---|
//! | [`dms`] | the adapter, whatever the system is |
//! | [`mapping`] | records and their properties there |
//! | [`port`] | what a system has to offer |
//! | [`failure`] | what goes wrong |
//! | [`cmis`], [`webdav`], [`dvelop`], [`enaio`] | systems |
//! | `rest` | calls over HTTP, and what it means that one fails |
//! | [`hotfolder`] | folders of xdomea containers, for a system without an interface |

pub mod cmis;
pub mod dms;
pub mod dvelop;
pub mod enaio;
pub mod failure;
pub mod hotfolder;
pub mod mapping;
pub mod port;
mod rest;
pub mod webdav;

pub use rest::Login;
