//! Making signatures (XML Signature 1.1 section 3.1).

use super::DS;
use super::digests::{self, Job};
use super::signature::{Recipe, Transform};
use super::survey::Survey;
use crate::algorithm::{DigestMethod, Policy, SignatureMethod};
use crate::{Error, Result, raw_signature};
use base64::{Engine, engine::general_purpose::STANDARD};
use openssl::pkey::{PKeyRef, Private};
use std::io::BufRead;
use xml::{Form, Limits, Writer};

/// What a new reference covers.
#[derive(Debug, Clone)]
pub enum Target {
    /// The element with this id.
    Element(String),
    /// The whole document; the transforms must begin with [`Transform::Enveloped`].
    Document,
    /// Something outside, by its URI and its digest. It has no transforms.
    Outside(String, Vec<u8>),
}

/// A reference of a signature to be made.
#[derive(Debug, Clone)]
pub struct NewReference {
    /// What it covers.
    pub target: Target,
    /// How that becomes bytes.
    pub transforms: Vec<Transform>,
    /// The digest method.
    pub digest: DigestMethod,
    /// Computes the digest as if the element inherited no namespaces; see
    /// [`super::Verifier::library_form`]. Only for readers that demand it.
    pub library_form: bool,
}

/// A signature to be made.
pub struct Signing<'a> {
    /// The key.
    pub key: &'a PKeyRef<Private>,
    /// The signature method.
    pub method: SignatureMethod,
    /// How `SignedInfo` is canonicalised.
    pub canonicalization: Form,
    /// What is covered; at least one.
    pub references: &'a [NewReference],
    /// Content of `ds:KeyInfo`, as XML in which the prefix `ds` is known; empty: no `ds:KeyInfo`.
    pub key_info: &'a str,
    /// What is in scope where the signature will stand: all namespace declarations (`xmlns`, `xmlns:soap`)
    /// and `xml:` attributes of the elements around that place, the inner ones if there are several.
    pub scope: &'a [(&'a str, &'a str)],
    /// The attribute `Id`.
    pub id: Option<&'a str>,
}

impl Signing<'_> {
    /// Makes the `ds:Signature` for a document in which it does not stand yet: the document's survey, and the
    /// document from its beginning. Verifies once it is inserted where `scope` says, provided that it does not
    /// come to stand within something covered, except where the signature is enveloped.
    pub fn sign(&self, survey: &Survey, input: impl BufRead) -> Result<String> {
        let digests = self.digests(survey, input)?;
        self.sign_digests(&digests)
    }

    /// The same for a document whose writer knows the digest of what each reference covers, as its transforms make it: the
    /// digests in the order of the references.
    pub fn sign_digests(&self, digests: &[Vec<u8>]) -> Result<String> {
        let bits = raw_signature::key_bits(self.key, self.method.scheme)?;
        Policy::default().make_signature(self.method, bits)?;
        if digests.len() != self.references.len() {
            return Err(Error::SignatureReference { index: digests.len() });
        }
        let signed_info = self.signed_info(digests)?;
        let digest = self.digest_of(&signed_info)?;
        let value = STANDARD.encode(raw_signature::sign(self.key, self.method, &digest)?);
        let mut signature = self.start_tag();
        signature.push_str(&signed_info);
        signature.push_str(&format!("<ds:SignatureValue>{value}</ds:SignatureValue>"));
        if !self.key_info.is_empty() {
            signature.push_str(&format!("<ds:KeyInfo>{}</ds:KeyInfo>", self.key_info));
        }
        signature.push_str("</ds:Signature>");
        Ok(signature)
    }

    /// The digests of all references, in one pass.
    fn digests(&self, survey: &Survey, input: impl BufRead) -> Result<Vec<Vec<u8>>> {
        let mut digests = vec![Vec::new(); self.references.len()];
        let mut jobs = Vec::new();
        for ((index, reference), known) in self.references.iter().enumerate().zip(&mut digests) {
            Policy::default().take_digest(reference.digest)?;
            let target = match &reference.target {
                Target::Outside(_, _) if !reference.transforms.is_empty() => {
                    return Err(Error::SignatureTransform);
                }
                Target::Outside(_, digest) => {
                    known.clone_from(digest);
                    continue;
                }
                Target::Document if reference.transforms.first() != Some(&Transform::Enveloped) => {
                    return Err(Error::SignatureTransform);
                }
                Target::Document => None,
                Target::Element(id) => {
                    Some(survey.place(id).ok_or(Error::SignatureReference { index })?.ordinal)
                }
            };
            let recipe = Recipe::of(&reference.transforms)?;
            let job = Job::new(index, target, recipe.form, reference.digest);
            jobs.push(Job { alone: reference.library_form, ..job });
        }
        digests::compute(input, survey.limits(), &mut jobs)?;
        for job in jobs {
            let digest = job.digest.ok_or(Error::SignatureReference { index: job.reference })?;
            digests.get_mut(job.reference).into_iter().for_each(|known| known.clone_from(&digest));
        }
        Ok(digests)
    }

    fn signed_info(&self, digests: &[Vec<u8>]) -> Result<String> {
        let method = self.method.uri().ok_or(Error::AlgorithmUnknown)?;
        let mut text = String::from("<ds:SignedInfo>");
        let canonicalization = Transform::Canonical(self.canonicalization.clone());
        push_algorithm(&mut text, "CanonicalizationMethod", &canonicalization)?;
        text.push_str(&format!("<ds:SignatureMethod Algorithm=\"{method}\"></ds:SignatureMethod>"));
        for (reference, digest) in self.references.iter().zip(digests) {
            push_reference(&mut text, reference, digest)?;
        }
        text.push_str("</ds:SignedInfo>");
        Ok(text)
    }

    /// The digest of `SignedInfo` in the place where it will stand.
    fn digest_of(&self, signed_info: &str) -> Result<Vec<u8>> {
        let mut writer = Writer::new(Vec::new())?;
        writer.start("scope", self.scope)?;
        writer.fragment(&format!("{}{signed_info}</ds:Signature>", self.start_tag()))?;
        writer.end()?;
        let place = writer.finish()?;
        // scope, ds:Signature, ds:SignedInfo
        let form = Some(self.canonicalization.clone());
        let mut jobs = [Job::new(0, Some(2), form, self.method.digest)];
        digests::compute(place.as_slice(), Limits::default(), &mut jobs)?;
        let [job] = jobs;
        job.digest.ok_or(Error::SignatureReference { index: 0 })
    }

    fn start_tag(&self) -> String {
        let declaration = match self.scope.contains(&("xmlns:ds", DS)) {
            true => String::new(),
            false => format!(" xmlns:ds=\"{DS}\""),
        };
        let id = self.id.map(|id| format!(" Id=\"{}\"", escape(id))).unwrap_or_default();
        format!("<ds:Signature{declaration}{id}>")
    }
}

fn push_reference(text: &mut String, reference: &NewReference, digest: &[u8]) -> Result<()> {
    let uri = match &reference.target {
        Target::Element(id) => format!("#{id}"),
        Target::Document => String::new(),
        Target::Outside(uri, _) => uri.clone(),
    };
    text.push_str(&format!("<ds:Reference URI=\"{}\">", escape(&uri)));
    if !reference.transforms.is_empty() {
        text.push_str("<ds:Transforms>");
        for transform in &reference.transforms {
            push_algorithm(text, "Transform", transform)?;
        }
        text.push_str("</ds:Transforms>");
    }
    let (method, digest) = (reference.digest.uri(), STANDARD.encode(digest));
    text.push_str(&format!("<ds:DigestMethod Algorithm=\"{method}\"></ds:DigestMethod>"));
    text.push_str(&format!("<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"));
    Ok(())
}

fn push_algorithm(text: &mut String, element: &str, transform: &Transform) -> Result<()> {
    let uri = transform.uri().ok_or(Error::SignatureTransform)?;
    text.push_str(&format!("<ds:{element} Algorithm=\"{uri}\">"));
    if let Transform::Canonical(form) = transform
        && !form.prefixes.is_empty()
    {
        let name = |prefix: &String| if prefix.is_empty() { "#default".to_owned() } else { prefix.clone() };
        let list = form.prefixes.iter().map(name).collect::<Vec<_>>().join(" ");
        let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
        let list = escape(&list);
        text.push_str(&format!("<ec:InclusiveNamespaces xmlns:ec=\"{exclusive}\" PrefixList=\"{list}\">"));
        text.push_str("</ec:InclusiveNamespaces>");
    }
    text.push_str(&format!("</ds:{element}>"));
    Ok(())
}

/// An attribute value; what XML does not allow at all is refused when the place is read.
fn escape(value: &str) -> String {
    value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
