//! Message standards of the XÖV family, foremost xdomea: identify, check, read, write.

pub mod container;
