//! Making the content of a delivery: OSCI-Transport 1.2, section 4.1.3. Containers are signed by their authors and, for
//! readers, encrypted; attachments of an encrypted container are encrypted, too, each under a key of its own.

use std::io::{self, BufRead, Cursor, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use seal::algorithm::{BlockCipher, Policy, SignatureMethod};
use seal::identity::Identity;
use seal::xmldsig::{Hasher, NewReference, Signing, Survey, Target, Transform};
use seal::xmlenc::{
    ContentKey, DataWriter, EncryptedKey, Encryptor, GCM_IV_BYTES, OaepHash, Plaintext, Receiver, Staging,
};
use xml::Form;

use crate::letter::pour;
use crate::message::Named;
use crate::names::ENVELOPE;
use crate::package::{Attachment, OWN_DIGEST};
use crate::transport::Limits;
use crate::write::{Block, Xml};
use crate::{Error, Result};

/// Bytes that are encoded at a time; each piece but the last must end without padding.
const PIECE: usize = 48 * 1024;
/// The cipher of our content.
const CIPHER: BlockCipher = BlockCipher::Aes256Gcm;

/// A container to be made.
pub struct NewContainer<'a> {
    /// What is in it.
    pub parts: Vec<NewPart<'a>>,
    /// Who signs it.
    pub authors: Vec<Author<'a>>,
    /// For whom it is encrypted, by their certificates in the message; nobody: it stays in the clear.
    pub readers: Vec<&'a Named>,
}

/// Something to be put into a container.
pub enum NewPart<'a> {
    /// Bytes within the XML.
    Inline(&'a mut dyn Read),
    /// Bytes in a part of the MIME package with this Content-ID.
    Attachment(&'a str, &'a mut dyn Read),
}

/// Who signs a container, how, and the `Id` of the certificate in the message.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// The key pair.
    pub signer: &'a Identity,
    /// How it signs.
    pub method: SignatureMethod,
    /// `Id` of its certificate.
    pub certificate: &'a str,
}

/// Content that was made: what is in the ContentPackage, and attachments.
#[derive(Debug)]
pub struct NewContent {
    /// Encrypted containers, and those in the clear.
    containers: [Plaintext; 2],
    pub(crate) attachments: Vec<(Attachment, Plaintext)>,
    /// Header blocks in foreign namespaces that go with it.
    pub(crate) headers: Vec<Block>,
}

/// Keeps the bytes of an attachment.
pub(crate) fn attachment(
    content_id: &str,
    bytes: &mut dyn Read,
    limits: &Limits,
) -> Result<(Attachment, Plaintext)> {
    let mut kept = Counting::new(limits)?;
    io::copy(bytes, &mut kept)?;
    kept.finish(content_id)
}

/// Makes the content of one delivery.
pub struct Maker<'a> {
    policy: &'a Policy,
    limits: &'a Limits,
    /// Numbers for ids.
    next: u32,
    clear: Staging,
    sealed: Staging,
    attachments: Vec<(Attachment, Plaintext)>,
}

/// An attachment while its container is made.
struct Pending {
    content_id: String,
    content: String,
    /// SHA-256 of the bytes as the author sees them.
    digest: Vec<u8>,
    key: Option<ContentKey>,
}

impl NewContent {
    /// Content of these containers, given as XML.
    pub(crate) fn of(
        containers: &str,
        attachments: Vec<(Attachment, Plaintext)>,
        limits: &Limits,
    ) -> Result<Self> {
        let mut clear = limits.staging();
        clear.write_all(containers.as_bytes())?;
        Ok(NewContent {
            containers: [limits.staging().finish(), clear.finish()],
            attachments,
            headers: vec![],
        })
    }

    /// The same with a header block in a foreign namespace, given as XML that needs no namespace from outside and has this `Id`.
    /// It is signed with the order.
    pub fn with_header(mut self, id: &str, xml: String) -> Self {
        self.headers.push(Block { id: id.to_owned(), xml });
        self
    }

    /// The XML of the ContentPackage.
    pub(crate) fn xml(&self) -> impl BufRead {
        let [sealed, clear] = &self.containers;
        let start = &b"<osci:ContentPackage>"[..];
        start.chain(sealed.open()).chain(clear.open()).chain(&b"</osci:ContentPackage>"[..])
    }
}

impl<'a> Maker<'a> {
    /// Nothing yet.
    pub fn new(policy: &'a Policy, limits: &'a Limits) -> Self {
        let (clear, sealed) = (limits.staging(), limits.staging());
        Maker { policy, limits, next: 0, clear, sealed, attachments: Vec::new() }
    }

    /// Adds a container. After an error the content cannot be finished well.
    ///
    /// # Errors
    /// If reading, signing or encrypting fails.
    pub fn add(&mut self, container: NewContainer<'_>) -> Result<()> {
        let is_sealed = !container.readers.is_empty();
        let id = self.id("contentcontainer");
        let mut body = self.limits.staging();
        let (mut pending, mut inline) = (Vec::new(), Vec::new());
        for part in container.parts {
            match part {
                NewPart::Inline(bytes) => inline.push(self.inline(bytes, &mut body)?),
                NewPart::Attachment(content_id, bytes) => {
                    pending.push(self.attachment(content_id, bytes, is_sealed, &mut body)?);
                }
            }
        }
        for attachment in &pending {
            body.write_all(attachment_key(attachment)?.as_bytes())?;
        }
        let body = body.finish();
        let mut signatures = String::new();
        for author in &container.authors {
            signatures.push_str(&self.sign(author, || whole(&id, "", &body), &inline, &pending)?);
        }
        let mut signed = whole(&id, &signatures, &body);
        match is_sealed {
            true => self.encrypt(&mut signed, &container.readers),
            false => Ok(pour(&mut signed, &mut self.clear)?),
        }
    }

    /// The content, finished.
    ///
    /// # Errors
    /// If the place where it is kept fails.
    pub fn finish(self) -> Result<NewContent> {
        let containers = [self.sealed.finish(), self.clear.finish()];
        Ok(NewContent { containers, attachments: self.attachments, headers: vec![] })
    }

    fn id(&mut self, word: &str) -> String {
        self.next += 1;
        format!("{word}{}", self.next)
    }

    /// Writes bytes as base64. Returns the `Id`.
    fn inline(&mut self, bytes: &mut dyn Read, body: &mut impl Write) -> Result<String> {
        let id = self.id("content");
        write!(body, "<osci:Content><osci:Base64Content Id=\"{id}\">")?;
        let (mut piece, mut text) = (Vec::new(), vec![0; PIECE / 3 * 4]);
        while bytes.take(PIECE as u64).read_to_end(&mut piece)? > 0 {
            // There is room for every piece.
            let length = STANDARD.encode_slice(&piece, &mut text).unwrap_or_default();
            body.write_all(&text[..length])?;
            piece.clear();
        }
        body.write_all(b"</osci:Base64Content></osci:Content>")?;
        Ok(id)
    }

    /// Keeps an attachment, encrypted if its container will be.
    fn attachment(
        &mut self,
        content_id: &str,
        bytes: &mut dyn Read,
        is_sealed: bool,
        body: &mut impl Write,
    ) -> Result<Pending> {
        let content = self.id("content");
        let mut xml = Xml::default();
        xml.empty("osci:Content", &[("Id", &content), ("href", &format!("cid:{content_id}"))]);
        body.write_all(xml.text.as_bytes())?;
        let mut seen = Digesting { hasher: Hasher::new(OWN_DIGEST)?, input: bytes };
        let mut kept = Counting::new(self.limits)?;
        let key = if is_sealed { Some(ContentKey::random(CIPHER)?) } else { None };
        match &key {
            Some(key) => {
                let mut encryptor = Encryptor::new(self.policy, CIPHER, GCM_IV_BYTES, key, &mut kept)?;
                io::copy(&mut seen, &mut encryptor)?;
                encryptor.finish()?;
            }
            None => drop(io::copy(&mut seen, &mut kept)?),
        }
        let digest = seen.hasher.finish()?;
        self.attachments.push(kept.finish(content_id)?);
        Ok(Pending { content_id: content_id.to_owned(), content, digest, key })
    }

    /// An author's signature of the container that `unsigned` opens.
    fn sign<R: BufRead>(
        &self,
        author: &Author<'_>,
        unsigned: impl Fn() -> R,
        inline: &[String],
        attachments: &[Pending],
    ) -> Result<String> {
        let reference =
            |target, transforms| NewReference { target, transforms, digest: OWN_DIGEST, library_form: false };
        let mut references: Vec<NewReference> =
            inline.iter().map(|id| reference(Target::Element(id.clone()), vec![Transform::Base64])).collect();
        for it in attachments {
            let canonical = vec![Transform::Canonical(Form::default())];
            references.push(reference(Target::Element(it.content.clone()), canonical));
            let outside = Target::Outside(format!("cid:{}", it.content_id), it.digest.clone());
            references.push(reference(outside, Vec::new()));
        }
        let limits = xml::Limits { total_bytes: self.limits.package, ..xml::Limits::default() };
        let survey = Survey::read(unsigned(), limits)?;
        let scope = ENVELOPE.map(|(prefix, uri)| (format!("xmlns:{prefix}"), uri));
        let scope: Vec<(&str, &str)> = scope.iter().map(|(name, uri)| (name.as_str(), *uri)).collect();
        let key_info = format!("<ds:RetrievalMethod URI=\"#{}\"></ds:RetrievalMethod>", author.certificate);
        let signing = Signing {
            key: author.signer.key(),
            method: author.method,
            canonicalization: Form::default(),
            references: &references,
            key_info: &key_info,
            scope: &scope,
            id: None,
        };
        Ok(signing.sign(&survey, unsigned())?)
    }

    fn encrypt(&mut self, container: &mut impl BufRead, readers: &[&Named]) -> Result<()> {
        let id = self.id("encdata_");
        let key = ContentKey::random(CIPHER)?;
        let wrap = |reader: &&Named| {
            let receiver = Receiver::Retrieval(format!("#{}", reader.id));
            key.wrap(self.policy, &reader.certificate, OaepHash::Sha256, receiver)
        };
        let keys: Vec<EncryptedKey> = readers.iter().map(wrap).collect::<Result<_, _>>()?;
        let data = DataWriter {
            id: Some(&id),
            mime_type: Some("text/xml"),
            cipher: CIPHER,
            iv_bytes: GCM_IV_BYTES,
            keys: &keys,
            raw_key: None,
            declares: false,
        };
        let value = data.with_value(&mut self.sealed)?;
        let mut encryptor = Encryptor::new(self.policy, CIPHER, GCM_IV_BYTES, &key, value)?;
        pour(container, &mut encryptor)?;
        encryptor.finish()?.finish()?;
        Ok(())
    }
}

/// The whole container. It declares all that is in scope in an envelope, so that its canonical form is the same there
/// and by itself.
fn whole<'a>(id: &str, signatures: &str, body: &'a Plaintext) -> impl BufRead + use<'a> {
    let mut start = Xml::default();
    start.block("osci:ContentContainer", id, "", &[]);
    start.text.push_str(signatures);
    Cursor::new(start.text).chain(body.open()).chain(&b"</osci:ContentContainer>"[..])
}

/// The key of an encrypted attachment, for those who can read the container.
fn attachment_key(attachment: &Pending) -> Result<String> {
    let Some(key) = &attachment.key else { return Ok(String::new()) };
    let id = format!("Attachment{}", attachment.content_id);
    let data = DataWriter {
        id: Some(&id),
        mime_type: None,
        cipher: CIPHER,
        iv_bytes: GCM_IV_BYTES,
        keys: &[],
        raw_key: Some(key),
        declares: false,
    };
    data.with_reference(&format!("cid:{}", attachment.content_id)).map_err(Error::from)
}

/// Digests what is read.
struct Digesting<'a> {
    hasher: Hasher,
    input: &'a mut dyn Read,
}

impl Read for Digesting<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(target)?;
        self.hasher.write_all(&target[..count])?;
        Ok(count)
    }
}

/// Counts, digests and keeps what is written.
struct Counting {
    hasher: Hasher,
    length: u64,
    sink: Staging,
}

impl Counting {
    fn new(limits: &Limits) -> Result<Self> {
        Ok(Counting { hasher: Hasher::new(OWN_DIGEST)?, length: 0, sink: limits.staging() })
    }

    fn finish(self, content_id: &str) -> Result<(Attachment, Plaintext)> {
        let (length, digest) = (self.length, self.hasher.finish()?);
        Ok((Attachment { id: content_id.to_owned(), length, digest }, self.sink.finish()))
    }
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.sink.write(bytes)?;
        self.hasher.write_all(&bytes[..count])?;
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
