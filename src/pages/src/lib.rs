//! What all pages for people have in common, those of citizens and those of the house: two languages, how days and amounts read in them,
//! and what a browser says of where a form comes from.

mod language;
mod origin;
mod pieces;
mod words;

pub use language::Language;
pub use origin::{cookie, is_from_here, style_source};
pub use pieces::bounded;
pub use words::Words;
