//! Message standards of the XÖV family, foremost xdomea: identify, check, read, write.

pub mod container;
mod error;
mod head;
pub mod xdomea;

pub use error::Error;
