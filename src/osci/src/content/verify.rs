//! Author signatures: OSCI-Transport 1.2, section 4.1.3.3. Each signature of a container must be right and cover every
//! content, attachment, nested and encrypted container in it.

use std::collections::{BTreeMap, HashSet};

use seal::x509::Certificate;
use seal::xmldsig::{Content as Covering, Key, OutsideDigests, Signature, Survey, Verified, Verifier};
use seal::xmlenc::Plaintext;

use super::attachments::{self, Wanted};
use super::draft::{Draft, DraftPart};
use super::{Attached, Container, Part, Reader, root};
use crate::{Error, Result};

/// What is known of the attachments that signatures reference.
struct Outside {
    digests: OutsideDigests,
    /// Under which key each was digested, and by which methods.
    wanted: BTreeMap<String, Wanted>,
}

/// One XML with containers in it.
pub(super) struct Document<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) survey: &'a Survey,
    pub(super) xml: &'a Plaintext,
}

impl Document<'_> {
    /// Makes parts of drafts, if their signatures are right.
    pub(super) fn release(&self, drafts: Vec<Draft>, depth: usize) -> Result<Vec<Part>> {
        let mut wanted = BTreeMap::new();
        drafts.iter().for_each(|draft| self.want(draft, &mut wanted));
        let digests = match wanted.is_empty() {
            true => OutsideDigests::new(),
            false => attachments::digests(self.reader, &wanted)?,
        };
        let outside = Outside { digests, wanted };
        let mut parts = Vec::new();
        for draft in drafts {
            match draft.container {
                Some(_) => parts.push(Part::Container(self.container(draft, &outside, depth)?)),
                None => {
                    for part in draft.parts {
                        parts.push(self.part(part, None, &outside, depth)?);
                    }
                }
            }
        }
        Ok(parts)
    }

    fn signatures(&self, container: u64) -> impl Iterator<Item = &Signature> {
        self.survey.signatures().iter().filter(move |signature| signature.place.parent == Some(container))
    }

    /// Notes which digests of attachments the signatures of a container need.
    fn want(&self, draft: &Draft, wanted: &mut BTreeMap<String, Wanted>) {
        let Some((_, ordinal)) = draft.container else { return };
        for reference in self.signatures(ordinal).flat_map(|signature| &signature.references) {
            let content_id = reference.uri.as_deref().and_then(|uri| uri.strip_prefix("cid:"));
            let (Some(content_id), Some(method)) = (content_id, reference.digest_method) else { continue };
            let entry = wanted.entry(content_id.to_owned()).or_default();
            entry.key = entry.key.take().or_else(|| draft.key_of(content_id));
            if !entry.methods.contains(&method) {
                entry.methods.push(method);
            }
        }
        for part in &draft.parts {
            if let DraftPart::Container { draft, .. } = part {
                self.want(draft, wanted);
            }
        }
    }

    fn container(&self, draft: Draft, outside: &Outside, depth: usize) -> Result<Container> {
        let (id, ordinal) = draft.container.clone().ok_or(Error::Malformed("no container"))?;
        let mut authors = Vec::new();
        for signature in self.signatures(ordinal) {
            let author = self.author(signature)?;
            let verified = self.verified(signature, &author, outside)?;
            let covered = Coverage::of(&verified);
            if !draft.parts.iter().all(|part| covered.holds(part) && outside.holds(&draft, part)) {
                return Err(Error::Security(seal::Error::SignatureNotCovered));
            }
            authors.push(author);
        }
        let keys: BTreeMap<String, Attached> = attached(&draft);
        let mut parts = Vec::new();
        for part in draft.parts {
            if !part.is_attachment_key() {
                parts.push(self.part(part, Some(&keys), outside, depth)?);
            }
        }
        Ok(Container { id, authors, parts })
    }

    fn part(
        &self,
        part: DraftPart,
        attached: Option<&BTreeMap<String, Attached>>,
        outside: &Outside,
        depth: usize,
    ) -> Result<Part> {
        Ok(match part {
            DraftPart::Inline { id, bytes, .. } => Part::Inline { id, bytes },
            DraftPart::Container { draft, .. } => Part::Container(self.container(draft, outside, depth)?),
            DraftPart::Encrypted { opened: None, .. } => Part::Locked,
            DraftPart::Encrypted { opened: Some(xml), .. } => {
                Part::Opened(self.reader.document(&xml, root, depth + 1)?)
            }
            DraftPart::Attachment { content_id, .. } => {
                let found = attached.and_then(|all| all.get(&content_id)).cloned();
                Part::Attachment(found.ok_or(Error::Malformed("an attachment is missing"))?)
            }
            DraftPart::AttachmentKey { .. } => {
                return Err(Error::Malformed("the key of an attachment is out of place"));
            }
        })
    }

    /// The certificate that a signature names, out of the message's.
    fn author(&self, signature: &Signature) -> Result<Certificate> {
        let [retrieval] = signature.key_info.retrieval.as_slice() else {
            return Err(Error::Malformed("an author signature does not name its certificate"));
        };
        let id = retrieval.uri.strip_prefix('#').unwrap_or_default();
        let named = self.reader.message.certificates.by_id(id);
        let named = named.ok_or(Error::Malformed("the certificate of an author signature is missing"))?;
        // A key that decrypts what others send may have been made to sign by it.
        if !named.certificate.key_usage().may_sign() {
            return Err(Error::Malformed("the certificate of an author signature is not for signatures"));
        }
        Ok(named.certificate.clone())
    }

    fn verified(&self, signature: &Signature, author: &Certificate, outside: &Outside) -> Result<Verified> {
        let verifier = Verifier {
            survey: self.survey,
            key: &Key::Certificate(author.clone()),
            policy: *self.reader.policy,
            outside: &outside.digests,
            // So the field's library digests what is encrypted within a signed container.
            library_form: true,
        };
        Ok(verifier.verify(signature, self.xml.open())?)
    }
}

/// What a signature covers, for looking up.
struct Coverage<'a> {
    /// Elements of which at least everything that is in them is covered.
    ordinals: HashSet<u64>,
    /// Elements of which the decoded bytes of their text are covered, and no attribute.
    texts: HashSet<u64>,
    attachments: HashSet<&'a str>,
}

impl<'a> Coverage<'a> {
    fn of(verified: &'a Verified) -> Self {
        let of = |is_text: bool| {
            let covered = verified.covered().iter();
            let meant = covered.filter(move |it| (it.content == Covering::Base64Text) == is_text);
            meant.map(|covered| covered.place.ordinal).collect()
        };
        let attachments = verified.outside().iter().filter_map(|uri| uri.strip_prefix("cid:")).collect();
        Coverage { ordinals: of(false), texts: of(true), attachments }
    }

    /// Whether a part of the container is covered.
    fn holds(&self, part: &DraftPart) -> bool {
        match part {
            DraftPart::Inline { ordinal, .. } => {
                self.texts.contains(ordinal) || self.ordinals.contains(ordinal)
            }
            DraftPart::Container { ordinal, .. } | DraftPart::Encrypted { ordinal, .. } => {
                self.ordinals.contains(ordinal)
            }
            DraftPart::Attachment { ordinal, content_id, .. } => {
                self.ordinals.contains(ordinal) && self.attachments.contains(content_id.as_str())
            }
            // Another key gives another plaintext, which then has another digest: see `Outside::holds`.
            DraftPart::AttachmentKey { .. } => true,
        }
    }
}

impl Outside {
    /// Whether an attachment was digested under the key under which this container gives it out. Another container may
    /// name the same part of the package with another key.
    fn holds(&self, draft: &Draft, part: &DraftPart) -> bool {
        let DraftPart::Attachment { content_id, .. } = part else { return true };
        self.wanted.get(content_id).is_some_and(|wanted| wanted.key == draft.key_of(content_id))
    }
}

/// The attachments of a container with their keys.
fn attached(draft: &Draft) -> BTreeMap<String, Attached> {
    let attachment = |part: &DraftPart| match part {
        DraftPart::Attachment { id, content_id, .. } => {
            let key = draft.key_of(content_id);
            Some((content_id.clone(), Attached { id: id.clone(), content_id: content_id.clone(), key }))
        }
        _ => None,
    };
    draft.parts.iter().filter_map(attachment).collect()
}
