//! What the adapters of this crate do, against independent counterparts.

mod given;
mod hostile;
mod hotfolder;
mod rest_systems;
mod webdav;
