//! The first pass over a document: ids, and what its signatures say (XML Signature 1.1 section 4).
//!
//! Nothing is judged here but what concerns the whole document: ids that are not unique, and limits. A
//! signature that is malformed or uses what we do not support is only refused when it is to be verified:
//! content may hold foreign signatures that nobody asks about.

use super::DS;
use super::base64_text;
use super::signature::{KeyInfo, Place, Reference, RetrievalMethod, Signature, Transform};
use crate::algorithm::{DigestMethod, SignatureMethod};
use crate::{Error, Result};
use std::collections::HashMap;
use std::io::BufRead;
use xml::{Attribute, Event, Form, Limits, Observer, Reader, Start};

const SIGNATURES: usize = 64;
const REFERENCES: usize = 12_000;
const TRANSFORMS: usize = 8;
const CERTIFICATES: usize = 16;
/// Prefixes of an `InclusiveNamespaces`: each declaration is compared with each of them.
const PREFIXES: usize = 64;
/// One text or attribute of a signature that is kept, in bytes.
const TEXT_BYTES: usize = 64 * 1024;
/// All that is kept of a document together, in bytes.
const KEPT_BYTES: usize = 16 << 20;
/// What keeping one thing costs beside its text, in bytes.
const OVERHEAD: usize = 128;

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Where the elements with ids and the signatures of a document are.
#[derive(Debug)]
pub struct Survey {
    ids: HashMap<String, Place>,
    signatures: Vec<Signature>,
    limits: Limits,
}

impl Survey {
    /// Reads a document to its end. Refuses what the reader refuses, ids that are not unique, and more
    /// than is reasonable of anything.
    pub fn read(input: impl BufRead, limits: Limits) -> Result<Survey> {
        let mut reader = Reader::new(input, limits);
        let mut pass = Pass::new(limits);
        loop {
            match reader.next()? {
                Event::Start(start) => pass.start(&start)?,
                Event::Text(text) => pass.text(text),
                Event::End => pass.end()?,
                Event::Eof => return pass.finish(),
            }
        }
    }

    /// The element with this id.
    pub fn place(&self, id: &str) -> Option<Place> {
        self.ids.get(id).copied()
    }

    /// The signatures in document order.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }
}

/// What an open element is to its signature.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Nothing: outside of a signature, or where anything may stand.
    Any,
    Signature,
    SignedInfo,
    CanonicalizationMethod,
    SignatureMethod,
    Reference,
    Transforms,
    Transform,
    PrefixList,
    DigestMethod,
    DigestValue,
    SignatureValue,
    KeyInfo,
    RetrievalMethod,
    X509Data,
    X509Certificate,
    TokenReference,
    TokenUri,
}

/// A survey in the making. As an observer it looks along with somebody else who reads.
pub(super) struct Pass {
    survey: Survey,
    /// Signatures that are open, one within the other.
    drafts: Vec<Signature>,
    open: Vec<(u64, Role)>,
    text: String,
    kept: usize,
    /// What was refused while somebody else read; from then on nothing is looked at.
    refused: Option<Error>,
}

impl Observer for Pass {
    fn start(&mut self, start: &Start<'_>, _: xml::Place<'_>) {
        if self.refused.is_none() {
            self.refused = Pass::start(self, start).err();
        }
    }

    fn text(&mut self, text: &str, _: xml::Place<'_>) {
        if self.refused.is_none() {
            Pass::text(self, text);
        }
    }

    fn end(&mut self, _: xml::Place<'_>) {
        if self.refused.is_none() {
            self.refused = Pass::end(self).err();
        }
    }
}

impl Pass {
    pub(super) fn new(limits: Limits) -> Self {
        let survey = Survey { ids: HashMap::new(), signatures: Vec::new(), limits };
        Pass { survey, drafts: Vec::new(), open: Vec::new(), text: String::new(), kept: 0, refused: None }
    }

    /// The survey, once the document has ended.
    pub(super) fn finish(mut self) -> Result<Survey> {
        self.survey.signatures.sort_unstable_by_key(|signature| signature.place.ordinal);
        self.refused.map_or(Ok(self.survey), Err)
    }

    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        let parent = self.open.last().copied();
        let depth = self.open.len() + 1;
        let place = Place { ordinal: start.ordinal(), parent: parent.map(|(ordinal, _)| ordinal), depth };
        for id in start.attributes().filter(is_id) {
            self.keep(id.value.len())?;
            if self.survey.ids.insert(id.value.to_owned(), place).is_some() {
                return Err(Error::SignatureDuplicateId);
            }
        }
        let role = role_of(parent.map_or(Role::Any, |(_, role)| role), start);
        self.open.push((place.ordinal, role.unwrap_or(Role::Any)));
        match role {
            Some(Role::Any) => Ok(()),
            Some(Role::Signature) => self.begin(place),
            Some(role) => self.learn(role, start),
            None => {
                self.blame("an element where the standard has none");
                Ok(())
            }
        }
    }

    /// Text counts where a value is expected; what is too long is cut and does not decode.
    fn text(&mut self, text: &str) {
        if let Some((_, Role::DigestValue | Role::SignatureValue | Role::X509Certificate)) = self.open.last()
        {
            if self.text.len() + text.len() <= TEXT_BYTES {
                self.text.push_str(text);
            } else {
                self.blame("a value that is too long");
            }
        }
    }

    fn end(&mut self) -> Result<()> {
        let Some((_, role)) = self.open.pop() else { return Ok(()) };
        match role {
            Role::Signature => {
                self.survey.signatures.extend(self.drafts.pop());
                Ok(())
            }
            Role::DigestValue | Role::SignatureValue | Role::X509Certificate => self.learn_value(role),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, place: Place) -> Result<()> {
        if self.survey.signatures.len() + self.drafts.len() >= SIGNATURES {
            return Err(Error::SignatureLimit("signatures of the document"));
        }
        self.drafts.push(Signature {
            place,
            canonicalization: None,
            method: None,
            references: Vec::new(),
            key_info: KeyInfo::default(),
            signed_info: None,
            value: None,
            fault: None,
        });
        Ok(())
    }

    /// Learns from the start tag of a part of a signature.
    fn learn(&mut self, role: Role, start: &Start<'_>) -> Result<()> {
        self.text.clear();
        self.keep_attributes(start)?;
        let Some(draft) = self.drafts.last_mut() else { return Ok(()) };
        let algorithm = start.attribute("Algorithm").unwrap_or_default();
        let attribute = |name| start.attribute(name).map(str::to_owned);
        match role {
            Role::SignedInfo if draft.signed_info.is_some() => draft.fault = Some("a second SignedInfo"),
            Role::SignedInfo => draft.signed_info = Some(start.ordinal()),
            Role::CanonicalizationMethod if draft.canonicalization.is_none() => {
                draft.canonicalization = Form::from_uri(algorithm);
            }
            Role::SignatureMethod if draft.method.is_none() => {
                draft.method = SignatureMethod::from_uri(algorithm).ok();
            }
            Role::CanonicalizationMethod | Role::SignatureMethod => draft.fault = Some("a second method"),
            Role::Reference => {
                if draft.references.len() >= REFERENCES {
                    return Err(Error::SignatureLimit("references of a signature"));
                }
                let (uri, reference_type) = (attribute("URI"), attribute("Type"));
                draft.references.push(Reference { uri, reference_type, ..Reference::default() });
            }
            Role::RetrievalMethod => {
                let (uri, key_type) = (attribute("URI").unwrap_or_default(), attribute("Type"));
                draft.key_info.retrieval.push(RetrievalMethod { uri, key_type });
            }
            Role::TokenUri => draft.key_info.tokens.extend(attribute("URI")),
            Role::PrefixList => draft.take_prefixes(start),
            Role::Transform | Role::DigestMethod => draft.learn_of_reference(role, algorithm)?,
            _ => {}
        }
        Ok(())
    }

    /// Learns from the text of a part of a signature.
    fn learn_value(&mut self, role: Role) -> Result<()> {
        self.keep(self.text.len())?;
        let Some(draft) = self.drafts.last_mut() else { return Ok(()) };
        let Some(value) = base64_text::decode(&self.text) else {
            draft.fault = Some("a value that is no base64");
            return Ok(());
        };
        if role == Role::X509Certificate {
            if draft.key_info.certificates.len() >= CERTIFICATES {
                return Err(Error::SignatureLimit("certificates of a signature"));
            }
            draft.key_info.certificates.push(value);
            return Ok(());
        }
        let place = match role {
            Role::SignatureValue => Some(&mut draft.value),
            _ => draft.references.last_mut().map(|reference| &mut reference.digest),
        };
        if place.is_some_and(|place| place.replace(value).is_some()) {
            draft.fault = Some("a second value");
        }
        Ok(())
    }

    fn blame(&mut self, fault: &'static str) {
        self.drafts.last_mut().into_iter().for_each(|draft| draft.fault = Some(fault));
    }

    fn keep_attributes(&mut self, start: &Start<'_>) -> Result<()> {
        start.attributes().try_for_each(|attribute| self.keep(attribute.value.len()))
    }

    fn keep(&mut self, bytes: usize) -> Result<()> {
        self.kept += bytes + OVERHEAD;
        match self.kept > KEPT_BYTES {
            true => Err(Error::SignatureLimit("ids and signatures of the document together")),
            false => Ok(()),
        }
    }
}

impl Signature {
    fn learn_of_reference(&mut self, role: Role, algorithm: &str) -> Result<()> {
        let Some(reference) = self.references.last_mut() else { return Ok(()) };
        if role == Role::Transform {
            if reference.transforms.len() >= TRANSFORMS {
                return Err(Error::SignatureLimit("transforms of a reference"));
            }
            reference.transforms.push(Transform::from_uri(algorithm));
        } else if reference.digest_method.is_some() || reference.digest.is_some() {
            self.fault = Some("a second digest");
        } else {
            reference.digest_method = DigestMethod::from_uri(algorithm).ok();
        }
        Ok(())
    }

    /// The `InclusiveNamespaces` of an exclusive canonical form, in a transform or for `SignedInfo`.
    fn take_prefixes(&mut self, start: &Start<'_>) {
        let list = start.attribute("PrefixList").unwrap_or_default();
        let of_reference = self.references.last_mut().map(|reference| reference.transforms.last_mut());
        let form = match of_reference {
            None => self.canonicalization.as_mut(),
            Some(Some(Transform::Canonical(form))) => Some(form),
            Some(_) => None,
        };
        match form {
            Some(form) if form.exclusive && form.prefixes.is_empty() => {
                *form = std::mem::take(form).with_prefix_list(list);
                if form.prefixes.len() > PREFIXES {
                    self.fault = Some("a list of too many prefixes");
                }
            }
            _ => self.fault = Some("a list of prefixes where the standard has none"),
        }
    }
}

/// What an element is within its parent; `None` if the standard does not allow it there.
fn role_of(parent: Role, start: &Start<'_>) -> Option<Role> {
    if start.namespace() != Some(DS) {
        return match (parent, start.local()) {
            (Role::Any | Role::X509Data, _) => Some(Role::Any),
            (Role::CanonicalizationMethod | Role::Transform, "InclusiveNamespaces") => {
                (start.namespace() == Some(EXCLUSIVE)).then_some(Role::PrefixList)
            }
            (Role::KeyInfo, "SecurityTokenReference") if start.namespace() == Some(WSSE) => {
                Some(Role::TokenReference)
            }
            (Role::TokenReference, "Reference") if start.namespace() == Some(WSSE) => Some(Role::TokenUri),
            (Role::KeyInfo | Role::TokenReference, _) => Some(Role::Any),
            _ => None,
        };
    }
    match (parent, start.local()) {
        (Role::Any, "Signature") => Some(Role::Signature),
        (Role::Signature, "SignedInfo") => Some(Role::SignedInfo),
        (Role::Signature, "SignatureValue") => Some(Role::SignatureValue),
        (Role::Signature, "KeyInfo") => Some(Role::KeyInfo),
        (Role::Signature, "Object") => Some(Role::Any),
        (Role::SignedInfo, "CanonicalizationMethod") => Some(Role::CanonicalizationMethod),
        (Role::SignedInfo, "SignatureMethod") => Some(Role::SignatureMethod),
        (Role::SignedInfo, "Reference") => Some(Role::Reference),
        (Role::Reference, "Transforms") => Some(Role::Transforms),
        (Role::Reference, "DigestMethod") => Some(Role::DigestMethod),
        (Role::Reference, "DigestValue") => Some(Role::DigestValue),
        (Role::Transforms, "Transform") => Some(Role::Transform),
        (Role::KeyInfo, "RetrievalMethod") => Some(Role::RetrievalMethod),
        (Role::KeyInfo, "X509Data") => Some(Role::X509Data),
        (Role::TokenReference, "X509Data") => Some(Role::X509Data),
        (Role::X509Data, "X509Certificate") => Some(Role::X509Certificate),
        (Role::Any | Role::KeyInfo | Role::X509Data | Role::TokenReference, _) => Some(Role::Any),
        _ => None,
    }
}

/// The attributes that are ids in the standards at hand; no schema is asked. Empty ones name nothing.
fn is_id(attribute: &Attribute<'_>) -> bool {
    match attribute.namespace {
        _ if attribute.value.is_empty() => false,
        None => matches!(attribute.local, "Id" | "ID" | "id"),
        Some(WSU) => attribute.local == "Id",
        Some(XML) => attribute.local == "id",
        Some(_) => false,
    }
}
