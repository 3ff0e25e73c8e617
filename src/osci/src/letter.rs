//! Writing a message as a package: header blocks, signature, body, attachments (OSCI-Transport 1.2, section 4.1).
//! What is handed on for others keeps its bytes: their author signatures are inclusive, so even the namespaces around
//! their content stay as they were.

use std::io::{self, BufRead, Cursor, Read, Write};
use std::ops::Range;
use std::rc::Rc;

use seal::algorithm::{Policy, SignatureMethod};
use seal::identity::Identity;
use seal::xmldsig::{Hasher, NewReference, Signing, Survey, Target, Transform};
use seal::xmlenc::Plaintext;
use soap::mime::{self, Boundary, NewPart};
use xml::Form;

use crate::content::write::NewContent;
use crate::message::Message;
use crate::names::{ACTOR_NEXT, ENVELOPE, Kind};
use crate::package::{Attachment, OWN_DIGEST, Package};
use crate::transport::{Limits, Sealing, seal_written};
use crate::write::{Block, Envelope, Foreign, Xml, envelope};
use crate::{Error, Result};

/// A message to be written.
pub(crate) struct Letter<'a> {
    /// What it says.
    pub(crate) message: &'a Message,
    /// What it carries.
    pub(crate) carried: Carried<'a>,
    /// Who signs it, how, and the `Id` of the certificate among the message's.
    pub(crate) signer: Option<(&'a Identity, SignatureMethod, &'a str)>,
    /// Bounds for what is kept in memory.
    pub(crate) limits: &'a Limits,
}

/// What a message carries.
#[derive(Clone, Copy)]
pub(crate) enum Carried<'a> {
    Nothing,
    /// A delivery of somebody else, as it came.
    Handed(&'a Handed),
    /// Content of our own.
    Own(&'a NewContent),
}

/// A delivery as it was taken in.
pub(crate) struct Handed {
    pub(crate) package: Rc<Package>,
    pub(crate) message: Message,
}

impl Handed {
    /// Reads again what was verified when it was taken in.
    pub(crate) fn open(package: Plaintext, limits: &Limits) -> Result<Self> {
        let mut package = Package::open(package, limits)?;
        let message = package.read()?.unbelieved().clone();
        Ok(Handed { package: Rc::new(package), message })
    }

    /// Certificates and foreign header blocks, as they came.
    fn blocks(&self) -> Result<Foreign> {
        let block = |placed: &crate::message::Placed| {
            Ok::<_, Error>(Block { id: placed.id.clone(), xml: self.text(placed.place.clone())? })
        };
        let certificates = self.message.certificates.block.as_ref().map(block).transpose()?;
        let custom = self.message.custom.iter().map(|custom| block(&custom.block)).collect::<Result<_>>()?;
        Ok(Foreign { certificates, custom })
    }

    fn text(&self, place: Range<u64>) -> Result<String> {
        let mut text = String::new();
        self.package.xml.open_range(place).read_to_string(&mut text)?;
        Ok(text)
    }
}

impl Letter<'_> {
    /// Writes the package.
    ///
    /// # Errors
    /// What signing and writing say; [`Error::Malformed`] if what is handed on cannot be.
    pub(crate) fn write(&self, boundary: Boundary) -> Result<Plaintext> {
        let mut staging = self.limits.staging();
        self.write_to(boundary, &mut staging)?;
        Ok(staging.finish())
    }

    /// Writes the package in an envelope of encryption with a boundary of its own.
    ///
    /// # Errors
    /// Likewise, and what encrypting says.
    pub(crate) fn write_sealed(
        &self,
        boundary: Boundary,
        sealing: &Sealing<'_>,
        policy: &Policy,
        outer: Boundary,
    ) -> Result<Plaintext> {
        let write = |sink: &mut dyn Write| self.write_to(boundary, sink);
        Ok(seal_written(write, sealing, policy, outer, self.limits.staging())?.finish())
    }

    fn write_to(&self, boundary: Boundary, sink: &mut dyn Write) -> Result<()> {
        let (envelope, signature) = self.prepare()?;
        let mut writer = mime::Writer::osci(sink, boundary)?;
        writer.begin(&NewPart::osci_message())?;
        pour(&mut self.xml(&envelope, &signature), &mut writer)?;
        match self.carried {
            Carried::Nothing => {}
            Carried::Handed(handed) => handed.package.copy_attachments(&mut writer)?,
            Carried::Own(content) => {
                for (attachment, bytes) in &content.attachments {
                    writer.begin(&NewPart::attachment(&attachment.id).with_length(attachment.length))?;
                    io::copy(&mut bytes.open(), &mut writer)?;
                }
            }
        }
        writer.finish()?;
        Ok(())
    }

    /// The envelope and its signature block.
    fn prepare(&self) -> Result<(Envelope, String)> {
        match (self.prepare_marked(""), self.carried) {
            // Whoever sent the delivery chose its ids, and must not keep it from its recipient by choosing ours.
            (Err(Error::Security(seal::Error::SignatureDuplicateId)), Carried::Handed(handed)) => {
                self.prepare_marked(&self.free_mark(&handed.package))
            }
            (done, _) => done,
        }
    }

    /// What makes our ids unlike all that stand in a package.
    fn free_mark(&self, package: &Package) -> String {
        let envelope = envelope(self.message, Foreign::default(), "");
        let certificates = [&self.message.intermediary.cipher, &self.message.intermediary.signature];
        let ids: Vec<&str> = envelope
            .blocks
            .iter()
            .map(|block| block.id.as_str())
            .chain(certificates.into_iter().flatten().map(|named| named.id.as_str()))
            .chain([envelope.body_id.as_str(), self.signature_block().1])
            .collect();
        let is_free = |mark: &String| !ids.iter().any(|id| package.holds_id(&format!("{id}{mark}")));
        (1_u64..).map(|number| format!("_{number}")).find(is_free).unwrap_or_default()
    }

    /// The same with `mark` behind each `Id` of ours.
    fn prepare_marked(&self, mark: &str) -> Result<(Envelope, String)> {
        let mut message = self.message.clone();
        let certificates = [&mut message.intermediary.cipher, &mut message.intermediary.signature];
        certificates.into_iter().flatten().for_each(|named| named.id.push_str(mark));
        let foreign = match self.carried {
            Carried::Handed(handed) => {
                message.namespaces.clone_from(&handed.message.namespaces);
                handed.blocks()?
            }
            Carried::Own(content) => Foreign { custom: content.headers.clone(), ..Foreign::default() },
            Carried::Nothing => Foreign::default(),
        };
        let envelope = envelope(&message, foreign, mark);
        let signature = match self.signer {
            Some((identity, method, id)) => {
                self.sign(&envelope, identity, method, &format!("{id}{mark}"), mark)?
            }
            None => String::new(),
        };
        Ok((envelope, signature))
    }

    /// The XML, with the signature block behind the first header block.
    fn xml<'b>(&'b self, envelope: &'b Envelope, signature: &str) -> impl BufRead + 'b {
        let mut before = envelope.head.clone();
        for (index, block) in envelope.blocks.iter().enumerate() {
            before.push_str(&block.xml);
            if index == 0 {
                before.push_str(signature);
            }
        }
        before.push_str(&envelope.middle);
        before.push_str(&envelope.body_start);
        let body: Box<dyn BufRead + 'b> = match self.carried {
            Carried::Nothing => Box::new(envelope.body.as_bytes()),
            Carried::Own(content) => Box::new(content.xml()),
            Carried::Handed(handed) => {
                let place = handed.message.content.as_ref().map_or(0..0, |content| content.place.clone());
                Box::new(handed.package.xml.open_range(place))
            }
        };
        let after = [&envelope.body_end, &envelope.tail].map(|text| text.as_bytes());
        Cursor::new(before).chain(body).chain(after[0]).chain(after[1])
    }

    /// The signature block.
    fn sign(
        &self,
        envelope: &Envelope,
        identity: &Identity,
        method: SignatureMethod,
        certificate: &str,
        mark: &str,
    ) -> Result<String> {
        let (name, id) = self.signature_block();
        let id = format!("{id}{mark}");
        let references = self.references(envelope);
        let key_info = format!("<ds:RetrievalMethod URI=\"#{certificate}\"></ds:RetrievalMethod>");
        let scope = scope(envelope);
        let scope: Vec<(&str, &str)> =
            scope.iter().map(|(name, uri)| (name.as_str(), uri.as_str())).collect();
        let signing = Signing {
            key: identity.key(),
            method,
            canonicalization: Form::default(),
            references: &references,
            key_info: &key_info,
            scope: &scope,
            id: None,
        };
        let signature = match self.is_all_ours() {
            true => signing.sign_digests(&own_digests(envelope)?)?,
            false => signing.sign(&self.survey(envelope, &id)?, self.xml(envelope, ""))?,
        };
        let mut block = Xml::default();
        block.block(name, &id, ACTOR_NEXT, &[]);
        block.text.push_str(&signature);
        block.close(name);
        Ok(block.text)
    }

    /// Whether every `Id` and every byte is ours, as in most answers: see [`own_digests`].
    fn is_all_ours(&self) -> bool {
        let is_answer = matches!(self.message.kind, Kind::Answer(_));
        is_answer && matches!(self.carried, Carried::Nothing) && self.message.namespaces.is_empty()
    }

    /// Looks through what others had a part in; `id` must still be free there.
    fn survey(&self, envelope: &Envelope, id: &str) -> Result<Survey> {
        let limits = xml::Limits { total_bytes: self.limits.xml, ..xml::Limits::default() };
        let survey = Survey::read(self.xml(envelope, ""), limits)?;
        match survey.place(id) {
            Some(_) => Err(Error::Security(seal::Error::SignatureDuplicateId)),
            None => Ok(survey),
        }
    }

    /// Name and `Id` of the signature block.
    fn signature_block(&self) -> (&'static str, &'static str) {
        match self.message.kind {
            Kind::Answer(_) => ("osci:SupplierSignature", "suppliersignature"),
            _ => ("osci:ClientSignature", "clientsignature"),
        }
    }

    /// Every header block, the body and every attachment.
    fn references(&self, envelope: &Envelope) -> Vec<NewReference> {
        let ids = envelope.blocks.iter().map(|block| block.id.as_str()).chain([envelope.body_id.as_str()]);
        let inside =
            ids.map(|id| (Target::Element(id.to_owned()), vec![Transform::Canonical(Form::default())]));
        let attachments: Vec<&Attachment> = match self.carried {
            Carried::Nothing => Vec::new(),
            Carried::Handed(handed) => handed.package.attachments.iter().collect(),
            Carried::Own(content) => content.attachments.iter().map(|(attachment, _)| attachment).collect(),
        };
        let outside = attachments
            .into_iter()
            .map(|it| (Target::Outside(format!("cid:{}", it.id), it.digest.clone()), Vec::new()));
        inside
            .chain(outside)
            .map(|(target, transforms)| NewReference {
                target,
                transforms,
                digest: OWN_DIGEST,
                library_form: false,
            })
            .collect()
    }
}

/// Digests of header blocks and body that are ours alone: they are written in their canonical form (see [`crate::write`]),
/// so nobody has to read them again to know it.
fn own_digests(envelope: &Envelope) -> Result<Vec<Vec<u8>>> {
    let blocks = envelope.blocks.iter().map(|block| vec![&block.xml]);
    let body = vec![&envelope.body_start, &envelope.body, &envelope.body_end];
    let digest = |texts: Vec<&String>| {
        let mut hasher = Hasher::new(OWN_DIGEST)?;
        texts.into_iter().try_for_each(|text| hasher.write_all(text.as_bytes()))?;
        Ok(hasher.finish()?)
    };
    blocks.chain([body]).map(digest).collect()
}

/// Copies everything in pieces as large as they come.
pub(crate) fn pour(from: &mut impl BufRead, to: &mut impl Write) -> io::Result<()> {
    loop {
        let piece = from.fill_buf()?;
        if piece.is_empty() {
            return Ok(());
        }
        to.write_all(piece)?;
        let length = piece.len();
        from.consume(length);
    }
}

/// Namespace declarations in scope within the signature block.
fn scope(envelope: &Envelope) -> Vec<(String, String)> {
    let name = |prefix: Option<&str>| prefix.map_or("xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
    let mut scope: Vec<(String, String)> =
        ENVELOPE.iter().map(|(prefix, uri)| (name(Some(prefix)), (*uri).to_owned())).collect();
    for (prefix, uri) in &envelope.namespaces {
        let name = name(prefix.as_deref());
        let is_own = name == "xmlns:xml" || scope.iter().any(|(known, _)| *known == name);
        if !is_own {
            scope.push((name, uri.clone()));
        }
    }
    scope
}
