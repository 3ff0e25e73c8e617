//! Attacks on whole messages: published ways to deceive readers of signed and encrypted XML, and what floods a reader.

mod content;
mod floods;
mod forge;
mod handing_on;
mod keys;
mod probing;
mod wrapping;
