//! SOAP 1.1 (W3C Note, section 4) and SOAP 1.2 Part 1 (section 5): what tells one from the other.

use xml::{Event, Limits, Reader};

use crate::Result;

/// Namespace of SOAP 1.1; OSCI-Transport 1.2 uses it.
pub const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// Namespace of SOAP 1.2; XTA 2 uses it.
pub const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";

/// A version of SOAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// SOAP 1.1.
    Soap11,
    /// SOAP 1.2.
    Soap12,
}

impl Version {
    /// The version that an element of this namespace belongs to.
    pub fn of_namespace(namespace: &str) -> Option<Self> {
        match namespace {
            SOAP_11 => Some(Version::Soap11),
            SOAP_12 => Some(Version::Soap12),
            _ => None,
        }
    }

    /// The namespace of envelope, header, body and fault.
    pub fn namespace(self) -> &'static str {
        match self {
            Version::Soap11 => SOAP_11,
            Version::Soap12 => SOAP_12,
        }
    }
}

/// Elements that are written as they are must not be able to break out of the element around them.
pub(crate) fn check_fragment(fragment: &str) -> Result<()> {
    let document = format!("<around>{fragment}</around>");
    let mut reader = Reader::new(document.as_bytes(), Limits::default());
    // A second root element, which `</around><around>` would make, is refused like anything else.
    while !matches!(reader.next()?, Event::Eof) {}
    Ok(())
}
