//! What the adapters of this crate do, against independent counterparts.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod cmis;
mod given;
mod host;
mod hostile;
mod hotfolder;
mod rest_systems;
mod support;
mod webdav;
