//! Core validation (XML Signature 1.1 section 3.2), and what it says about the document.

use super::digests::{self, Job};
use super::elements::Elements;
use super::outside::OutsideDigests;
use super::signature::{Place, Recipe, Reference, Signature};
use super::survey::Survey;
use crate::algorithm::{DigestMethod, Policy, SignatureMethod};
use crate::x509::Certificate;
use crate::{Error, Result, raw_signature};
use openssl::pkey::{PKey, PKeyRef, Public};
use std::io::BufRead;
use xml::Limits;

/// The key that a signature is verified with. Whether it is to be trusted is the caller's question.
#[derive(Debug, Clone)]
pub enum Key {
    /// The key of a certificate.
    Certificate(Certificate),
    /// A key without a certificate.
    Public(PKey<Public>),
}

/// Verifies signatures of one document.
pub struct Verifier<'a> {
    /// The document's survey.
    pub survey: &'a Survey,
    /// The key.
    pub key: &'a Key,
    /// Which algorithms and lengths of keys are taken.
    pub policy: Policy,
    /// Digests of what may be referenced outside of the document.
    pub outside: &'a OutsideDigests,
    /// Takes also the digest of an element by id that some signers compute as if the element inherited no
    /// namespaces. Then the namespaces around that element are not covered.
    pub library_form: bool,
}

/// A signature that was verified: what it covers, and nothing else of the document may be believed.
#[derive(Debug)]
pub struct Verified {
    key: Key,
    method: SignatureMethod,
    digest_methods: Vec<DigestMethod>,
    /// Sorted by place.
    covered: Vec<Covered>,
    outside: Vec<String>,
    /// Ordinal of the signature itself, if it was left out of what it covers.
    left_out: Option<u64>,
    limits: Limits,
}

/// An element that is covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered {
    /// Where it stands. That it stands where it should is not covered.
    pub place: Place,
    /// By which id; `None`: as the root of the whole document.
    pub id: Option<String>,
    /// Index of the reference.
    pub reference: usize,
    /// How much of it.
    pub content: Content,
}

/// How much of an element is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// Everything from start tag to end tag but comments, and but the signature itself if enveloped.
    Whole,
    /// The same but the namespaces that it inherits.
    WithoutInheritedNamespaces,
    /// The decoded bytes of its text only.
    Base64Text,
}

impl Key {
    pub(crate) fn public(&self) -> &PKeyRef<Public> {
        match self {
            Key::Certificate(certificate) => certificate.public_key(),
            Key::Public(key) => key,
        }
    }
}

/// Where a reference leads.
pub(crate) enum Aim<'a> {
    Document,
    Element(&'a str, Place),
    Outside(&'a str),
}

impl<'a> Aim<'a> {
    /// Of a URI; `None` if it leads to nothing in this document. Of XPointers there is only `#id`.
    pub(crate) fn of(uri: &'a str, survey: &Survey) -> Option<Aim<'a>> {
        match uri.strip_prefix('#') {
            None if uri.is_empty() => Some(Aim::Document),
            None => Some(Aim::Outside(uri)),
            Some(id) if id.contains('(') => None,
            Some(id) => survey.place(id).map(|place| Aim::Element(id, place)),
        }
    }
}

impl Verifier<'_> {
    /// Verifies one of the survey's signatures. `input` is the document again, from its beginning.
    pub fn verify(&self, signature: &Signature, input: impl BufRead) -> Result<Verified> {
        if let Some(fault) = signature.fault {
            return Err(Error::SignatureMalformed(fault));
        }
        let method = signature.method.ok_or(Error::AlgorithmUnknown)?;
        let value = signature.value.as_deref().ok_or(Error::SignatureMalformed("no SignatureValue"))?;
        let form = signature.canonicalization.clone().ok_or(Error::AlgorithmUnknown)?;
        if signature.signed_info.is_none() || signature.references.is_empty() {
            return Err(Error::SignatureMalformed("nothing that is signed"));
        }
        let key = self.key.public();
        self.policy.take_signature(method, raw_signature::key_bits(key, method.scheme)?)?;
        let mut jobs = vec![Job::new(usize::MAX, signature.signed_info, Some(form), method.digest)];
        let mut verified = self.plan(signature, method, &mut jobs)?;
        digests::compute(input, self.survey.limits(), &mut jobs)?;
        let digest = jobs.first().and_then(|job| job.digest.as_deref()).unwrap_or_default();
        if !raw_signature::verify(key, method, digest, value)? {
            return Err(Error::SignatureValue);
        }
        compare(signature, &jobs, &mut verified)?;
        verified.covered.sort_by_key(|covered| (covered.place.ordinal, covered.content));
        Ok(verified)
    }

    /// Decides for each reference what it covers, and compares the digests of what is outside.
    fn plan(&self, signature: &Signature, method: SignatureMethod, jobs: &mut Vec<Job>) -> Result<Verified> {
        let mut verified = Verified {
            key: self.key.clone(),
            method,
            digest_methods: Vec::new(),
            covered: Vec::new(),
            outside: Vec::new(),
            left_out: None,
            limits: self.survey.limits(),
        };
        for (index, reference) in signature.references.iter().enumerate() {
            let digest_method = reference.digest_method.ok_or(Error::AlgorithmUnknown)?;
            self.policy.take_digest(digest_method)?;
            if !verified.digest_methods.contains(&digest_method) {
                verified.digest_methods.push(digest_method);
            }
            let uri = reference.uri.as_deref().ok_or(Error::SignatureMalformed("a reference without URI"))?;
            match Aim::of(uri, self.survey).ok_or(Error::SignatureReference { index })? {
                Aim::Outside(uri) => {
                    self.compare_outside(index, uri, digest_method, reference)?;
                    verified.outside.push(uri.to_owned());
                }
                Aim::Document => {
                    let root = Place { ordinal: 0, parent: None, depth: 1 };
                    verified.cover(Covered::new(index, root, None), signature, jobs)?;
                }
                Aim::Element(id, place) => {
                    let covered = Covered::new(index, place, Some(id.to_owned()));
                    verified.cover(covered, signature, jobs)?;
                    self.add_library_form(jobs);
                }
            }
        }
        Ok(verified)
    }

    /// Another digest for the last job: that of the library's form.
    fn add_library_form(&self, jobs: &mut Vec<Job>) {
        let Some(job) = jobs.last().filter(|_| self.library_form) else { return };
        if let Some(form) = job.form.clone().filter(|form| !form.exclusive) {
            let left_out = job.left_out;
            let other = Job::new(job.reference, job.target, Some(form), job.method);
            jobs.push(Job { left_out, alone: true, ..other });
        }
    }

    fn compare_outside(
        &self,
        index: usize,
        uri: &str,
        method: DigestMethod,
        reference: &Reference,
    ) -> Result<()> {
        if !reference.transforms.is_empty() {
            return Err(Error::SignatureTransform);
        }
        let digest = self.outside.get(uri, method).ok_or(Error::SignatureReference { index })?;
        match reference.digest.as_deref() == Some(digest) {
            true => Ok(()),
            false => Err(Error::SignatureDigest { index }),
        }
    }
}

impl Verified {
    /// Notes that a reference covers something in the document, if its digest is right.
    fn cover(&mut self, mut covered: Covered, signature: &Signature, jobs: &mut Vec<Job>) -> Result<()> {
        let index = covered.reference;
        let reference = signature.references.get(index).ok_or(Error::SignatureReference { index })?;
        let method = reference.digest_method.ok_or(Error::AlgorithmUnknown)?;
        let recipe = Recipe::of(&reference.transforms)?;
        if recipe.form.is_none() {
            covered.content = Content::Base64Text;
        }
        let left_out = recipe.enveloped.then_some(signature.place.ordinal);
        // Of a signature that leaves itself out nothing would be left.
        if covered.id.is_some() && left_out == Some(covered.place.ordinal) {
            return Err(Error::SignatureTransform);
        }
        self.left_out = self.left_out.or(left_out);
        let target = covered.id.is_some().then_some(covered.place.ordinal);
        jobs.push(Job { left_out, ..Job::new(index, target, recipe.form, method) });
        self.covered.push(covered);
        Ok(())
    }

    /// The key that the signature was verified with.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The signature method.
    pub fn method(&self) -> SignatureMethod {
        self.method
    }

    /// The digest methods of the references, each once.
    pub fn digest_methods(&self) -> &[DigestMethod] {
        &self.digest_methods
    }

    /// The covered elements in document order; they may lie within each other.
    pub fn covered(&self) -> &[Covered] {
        &self.covered
    }

    /// The URIs of what is covered outside of the document.
    pub fn outside(&self) -> &[String] {
        &self.outside
    }

    /// Fails with [`Error::SignatureNotCovered`] unless the element with this ordinal is covered as a whole
    /// by a reference of its own.
    pub fn require(&self, ordinal: u64) -> Result<()> {
        let is_whole = |it: &Covered| it.place.ordinal == ordinal && it.content == Content::Whole;
        if self.covered.iter().any(is_whole) { Ok(()) } else { Err(Error::SignatureNotCovered) }
    }

    /// Walks through the covered elements. `input` is the document again, from its beginning.
    pub fn elements<R: BufRead>(&self, input: R) -> Elements<R> {
        Elements::covered(input, self.limits, self.covered.clone(), self.left_out)
    }
}

impl Covered {
    fn new(reference: usize, place: Place, id: Option<String>) -> Covered {
        Covered { place, id, reference, content: Content::Whole }
    }
}

/// Compares the digests of what is inside, and notes which elements only agree in the library's form.
fn compare(signature: &Signature, jobs: &[Job], verified: &mut Verified) -> Result<()> {
    // The first job is that of SignedInfo; the others are in the order of the references.
    let mut jobs = jobs.iter().skip(1).peekable();
    for covered in &mut verified.covered {
        let index = covered.reference;
        let claimed = signature.references.get(index).and_then(|reference| reference.digest.as_deref());
        let mut agreeing = None;
        while let Some(job) = jobs.next_if(|job| job.reference == index) {
            let agrees = claimed.is_some() && job.digest.as_deref() == claimed;
            agreeing = agreeing.or(agrees.then_some(job));
        }
        if agreeing.ok_or(Error::SignatureDigest { index })?.alone {
            covered.content = Content::WithoutInheritedNamespaces;
        }
    }
    Ok(())
}
