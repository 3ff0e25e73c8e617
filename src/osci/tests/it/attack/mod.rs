//! Attacks on whole messages: published ways to deceive readers of signed and encrypted XML, and what floods a reader.

mod content;
mod dialogs;
mod floods;
mod forge;
mod handing_on;
mod keys;
mod large;
mod probing;
mod signed_otherwise;
mod swapped_ids;
mod wrapping;
