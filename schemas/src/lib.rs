//! Schemas and code lists: our own, as data, and official packs as an operator imports them; and
//! the validator. A message of any size is validated in constant memory while it is read: a
//! [`Validator`] observes an [`xml::Reader`], so that the caller reads the same pass.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let schemas = std::sync::Arc::new(schemas::Schemas::new());
//! let message = std::io::BufReader::new(std::fs::File::open("message.xml")?);
//! let report = schemas.check(message, xml::Limits::default());
//! assert!(report.is_valid());
//! # Ok(())
//! # }
//! ```
//!
//! The only crate that links libxml2, and the only one with `unsafe` (in `ffi`).

pub mod codelists;
mod error;
mod ffi;
mod finding;
mod index;
mod own;
mod pack;
mod registry;
mod rules;
mod set;
#[cfg(feature = "testdata")]
pub mod testdata;
mod validator;

pub use codelists::{CodeLists, Verdict};
pub use error::Error;
pub use ffi::Schema;
pub use finding::{Finding, Report, Severity};
pub use own::own_text;
pub use registry::{Origin, PackInfo, Schemas};
pub use validator::Validator;
