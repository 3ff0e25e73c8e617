//! Message standards of the XÖV family: xdomea is identified, checked, read and written; of XJustiz is read what courts and
//! authorities say to each other about their messages; XRechnung becomes a case; others are recognised and carried on unchanged.

pub mod container;
mod din91379;
mod error;
pub mod family;
mod findings;
mod head;
pub mod xdomea;
pub mod xjustiz;
pub mod xrechnung;

use std::sync::Arc;

use model::standard::Standard;
use schemas::Schemas;

pub use error::Error;
pub use xdomea::Options;

/// Every message standard that is known. The first one whose `check` knows the bytes owns them; xdomea
/// comes first, and says what is wrong with a container that cannot be opened. The last one owns what only a header tells.
pub fn standards(schemas: Arc<Schemas>, options: Options) -> Vec<Box<dyn Standard>> {
    standards_with(schemas, options, None)
}

/// The same with whoever knows the rules of invoices.
pub fn standards_with(
    schemas: Arc<Schemas>,
    options: Options,
    rules: Option<xrechnung::Rules>,
) -> Vec<Box<dyn Standard>> {
    let limits = options.container;
    vec![
        Box::new(xdomea::Xdomea::new(Arc::clone(&schemas), options)),
        Box::new(xjustiz::XJustiz::new(&schemas, limits)),
        Box::new(xrechnung::XRechnung::new(&schemas, limits, rules)),
        Box::new(family::Family::new(&schemas, limits)),
    ]
}
