//! What all pages for people have in common, those of citizens and those of the house: two languages, how days and amounts read in them,
//! what a browser says of where a form comes from, and what may stand in a text.

mod language;
mod origin;
mod pieces;
mod plain;
mod words;

pub use language::Language;
pub use origin::{cookie, is_from_here, style_source};
pub use pieces::bounded;
pub use plain::is_plain;
pub use words::Words;
