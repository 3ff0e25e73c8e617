//! The ways to archives.

pub(crate) mod danrw;
pub(crate) mod folder;
pub(crate) mod http;
pub(crate) mod stamps;
pub(crate) mod tresor;
