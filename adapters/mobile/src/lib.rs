//! Mobile services: reports of citizens by Open311 GeoReport v2, and what goes back to their phones.
//!
//! | module | holds |
//! |---|---|
//! | [`settings`] | what the operator says of all three |
//! | [`open311`] | `kind = "open311"`: the server, for apps and portals of reports |
//! | [`photo`] | photographs: judged before they are decoded, written anew before they are published |
//! | [`client`] | `kind = "open311-client"`: cases go to the Open311 server of somebody else, and its word comes back |
//! | [`push`] | `kind = "web-push"`: notices of a case to the browsers that asked for them |
//!
//! Open311 GeoReport v2 as its specification has it, with what FixMyStreet (`servicerequestupdates`), Klarschiff and Mark-a-Spot add or spell
//! otherwise as far as `docs/mobile.md` says. Web Push: RFC 8030, RFC 8291, RFC 8292.

pub mod client;
mod geo;
pub mod open311;
pub mod photo;
pub mod push;
pub mod settings;

pub use client::OpenClient;
pub use open311::Open311;
pub use push::WebPush;
