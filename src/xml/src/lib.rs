//! XML 1.0 (5th edition) with namespaces, as a hostile network deserves it: a strict streaming
//! [`Reader`] with limits and without DTDs, a [`Writer`] that cannot write what the reader would
//! refuse, canonical forms, and the few `xs:*` value types that messages carry.
//!
//! Both are synchronous. The reader takes any [`std::io::BufRead`]; who reads from an asynchronous
//! source bridges it (for instance with `tokio_util::io::SyncIoBridge` on a blocking thread).
//! Memory is bounded by [`Limits`], whatever the size of the document.

mod canonical;
mod declaration;
mod error;
mod fragment;
mod names;
mod observer;
mod reader;
mod scope;
mod source;
mod state;
mod tag;
pub mod value;
mod writer;

pub use canonical::{Canonical, Form, canonical_document};
pub use error::Error;
pub use names::{Symbol, is_character};
pub use observer::{Observer, Place};
pub use reader::{Event, Fence, Limits, Node, Reader};
pub use source::Position;
pub use state::OpenElement;
pub use tag::{Attribute, Start};
pub use writer::{Writer, escape_attribute, escape_text};
