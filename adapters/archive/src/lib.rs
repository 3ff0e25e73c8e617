//! Long-term archives: what is disposed of is packed, submitted and proved.
//!
//! | module | holds |
//! |---|---|
//! | [`Settings`] | what the administrator says |
//! | `message` | the transfer message (0503), spooled and taken apart |
//! | `formats` | what programs outside say of the files |
//! | `package` | bags (RFC 8493) and packages for DA NRW, PREMIS |
//! | [`xaip`] | packages of TR-ESOR (BSI TR-03125): written, read, judged with their evidence records |
//! | `submit` | the ways: S.4 of TR-ESOR, DA NRW's folder and its status, a plain folder |
//! | `adapter` | the adapter over them |
//!
//! Nothing of a package stands in memory, whatever its size. See docs/archive.md.

mod adapter;
mod codes;
mod formats;
mod message;
mod package;
mod settings;
mod submit;
pub mod xaip;

pub use adapter::archive;
pub use settings::{
    AppraisalBy, Container, DaNrw, Folder, Login, Migration, Rights, Settings, Stamps, Target, Tools, TrEsor,
};
pub use submit::tresor::S4;
