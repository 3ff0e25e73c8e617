//! XML Signature 1.1 (W3C, 11 April 2013), as far as messages of authorities use it: signatures over
//! elements by their id, over the whole document, and over things outside whose digests the caller knows.
//!
//! A document is read up to three times from its beginning, never held; it must not change meanwhile:
//!
//! 1. [`Survey::read`] checks that ids are unique and learns where elements and signatures are, or
//!    [`Elements::surveyed`] does while somebody reads;
//! 2. [`Verifier::verify`] computes all digests of one signature in one pass and checks its value;
//! 3. [`Verified::elements`] hands out the elements that were covered, and nothing else.
//!
//! Deliberately absent: XPath, XSLT, XPointer, HMAC, manifests, the dereferencing of anything. Comments
//! are never covered (section 4.4.3.3), and the reader does not show them.

mod base64_text;
mod digests;
mod elements;
mod hasher;
mod outside;
mod sign;
mod signature;
mod survey;
mod verify;

pub use base64_text::Base64Writer;
pub use elements::{Ancestor, Element, Elements, certificate_at};
pub use hasher::Hasher;
pub use outside::OutsideDigests;
pub use sign::{NewReference, Signing, Target};
pub use signature::{KeyInfo, Place, Reference, RetrievalMethod, Signature, Transform};
pub use survey::Survey;
pub use verify::{Content, Covered, Key, Verified, Verifier};

/// Namespace of XML Signature.
pub const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
