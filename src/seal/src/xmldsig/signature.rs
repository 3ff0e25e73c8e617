//! What a `ds:Signature` says (XML Signature 1.1 section 4), before anything of it is believed.

use crate::algorithm::{DigestMethod, SignatureMethod};
use crate::{Error, Result};
use xml::Form;

/// Where an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its start tag is the n-th of the document, from 0.
    pub ordinal: u64,
    /// The same of its parent; the root has none.
    pub parent: Option<u64>,
    /// Number of open elements with it: 1 for the root.
    pub depth: usize,
}

/// A signature as it stands in the document.
#[derive(Debug)]
pub struct Signature {
    /// Where it stands: the caller must check that this is where its standard wants it.
    pub place: Place,
    /// How `SignedInfo` is canonicalised; `None` if by a way that is not supported.
    pub canonicalization: Option<Form>,
    /// `None` if not supported.
    pub method: Option<SignatureMethod>,
    /// In document order.
    pub references: Vec<Reference>,
    /// What it says about the key.
    pub key_info: KeyInfo,
    pub(crate) signed_info: Option<u64>,
    pub(crate) value: Option<Vec<u8>>,
    /// Why it cannot be used.
    pub(crate) fault: Option<&'static str>,
}

/// A `ds:Reference`.
#[derive(Debug, Default)]
pub struct Reference {
    /// `#id`, empty for the whole document, or something outside.
    pub uri: Option<String>,
    /// The attribute `Type`.
    pub reference_type: Option<String>,
    /// In order.
    pub transforms: Vec<Transform>,
    /// `None` if not supported.
    pub digest_method: Option<DigestMethod>,
    /// The digest that it claims.
    pub digest: Option<Vec<u8>>,
}

/// A transform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transform {
    /// Canonical XML, either way.
    Canonical(Form),
    /// The signature is left out of the element around it.
    Enveloped,
    /// The text of the element is base64; what counts is the decoded bytes.
    Base64,
    /// Something else: refused.
    Unsupported,
}

/// A `ds:KeyInfo`.
#[derive(Debug, Default)]
pub struct KeyInfo {
    /// Where the key can be found.
    pub retrieval: Vec<RetrievalMethod>,
    /// Certificates in DER, in document order.
    pub certificates: Vec<Vec<u8>>,
    /// URIs of references in `wsse:SecurityTokenReference` (WS-Security 1.1 section 7.2).
    pub tokens: Vec<String>,
}

/// A `ds:RetrievalMethod`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrievalMethod {
    /// Such as `#id`.
    pub uri: String,
    /// The attribute `Type`.
    pub key_type: Option<String>,
}

const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const BASE64: &str = "http://www.w3.org/2000/09/xmldsig#base64";

impl Transform {
    /// The transform with this identifier.
    pub fn from_uri(uri: &str) -> Transform {
        match uri {
            ENVELOPED => Transform::Enveloped,
            BASE64 => Transform::Base64,
            _ => Form::from_uri(uri).map_or(Transform::Unsupported, Transform::Canonical),
        }
    }

    /// The identifier; none of an unsupported one.
    pub(crate) fn uri(&self) -> Option<&'static str> {
        match self {
            Transform::Canonical(form) => Some(form.uri()),
            Transform::Enveloped => Some(ENVELOPED),
            Transform::Base64 => Some(BASE64),
            Transform::Unsupported => None,
        }
    }
}

/// What the transforms of a reference to something in the document amount to.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) enveloped: bool,
    /// `None`: the base64 text of the element, decoded.
    pub(crate) form: Option<Form>,
}

impl Recipe {
    /// `[enveloped] [canonical]`, or `base64` alone. Without a canonical form it is the inclusive one
    /// (section 4.4.3.2), and whatever the form, a reference by id has no comments (4.4.3.3).
    pub(crate) fn of(transforms: &[Transform]) -> Result<Recipe> {
        let (enveloped, rest) = match transforms {
            [Transform::Enveloped, rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let form = match rest {
            [] => Some(Form::default()),
            [Transform::Canonical(form)] => Some(Form { comments: false, ..form.clone() }),
            [Transform::Base64] if !enveloped => None,
            _ => return Err(Error::SignatureTransform),
        };
        Ok(Recipe { enveloped, form })
    }
}
