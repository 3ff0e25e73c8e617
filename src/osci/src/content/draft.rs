//! Containers as they are read, before anything of them is believed.

use std::io::{self, BufRead, Write};

use seal::algorithm::BlockCipher;
use seal::identity::Identity;
use seal::xmlenc::{
    CipherSource, ContentKey, Decryptor, EncryptedData, EncryptedKey, GCM_OLD_IV_BYTES, Plaintext, Receiver,
    copy_value,
};

use super::{NESTING, Reader};
use crate::element::{Element, child, end};
use crate::names::{DS, OSCI, XENC};
use crate::{Error, Result};

/// Most parts of one container.
const PARTS: usize = 12_000;

/// A container, or something encrypted beside containers.
pub(super) struct Draft {
    /// `None`: an encrypted container that stands in the package itself.
    pub(super) container: Option<(String, u64)>,
    pub(super) parts: Vec<DraftPart>,
}

/// Something in a container. `ordinal` is the number of the start tag that a signature must cover.
pub(super) enum DraftPart {
    Inline { id: String, ordinal: u64, bytes: Plaintext },
    Attachment { id: String, ordinal: u64, content_id: String },
    AttachmentKey { content_id: String, cipher: BlockCipher, iv_bytes: usize, key: ContentKey },
    Container { ordinal: u64, draft: Draft },
    Encrypted { ordinal: u64, opened: Option<Plaintext> },
}

impl Reader<'_> {
    /// Reads the container, or the encrypted one, whose start was read last.
    pub(super) fn draft<R: BufRead>(&self, reader: &mut xml::Reader<R>) -> Result<Draft> {
        let element = Element::current(reader)?;
        if element.is(XENC, "EncryptedData") {
            return Ok(Draft { container: None, parts: vec![self.encrypted(reader)?] });
        }
        self.container(reader, &element, 0)
    }

    fn container<R: BufRead>(
        &self,
        reader: &mut xml::Reader<R>,
        element: &Element,
        depth: usize,
    ) -> Result<Draft> {
        if depth == NESTING {
            return Err(Error::Malformed("containers lie too deep in each other"));
        }
        let container = Some((element.required("Id")?.to_owned(), reader.current().ordinal()));
        let mut parts = Vec::new();
        while let Some(element) = child(reader)? {
            match (element.namespace.as_str(), element.local.as_str()) {
                (DS, "Signature") => reader.skip()?,
                (OSCI, "Content") => parts.push(self.content(reader, &element, depth)?),
                (XENC, "EncryptedData") => parts.push(self.encrypted(reader)?),
                _ => return Err(Error::Malformed("a ContentContainer holds something unknown")),
            }
            if parts.len() > PARTS {
                return Err(Error::Malformed("a ContentContainer holds too much"));
            }
        }
        Ok(Draft { container, parts })
    }

    /// `osci:Content`: a reference to an attachment, or exactly one element.
    fn content<R: BufRead>(
        &self,
        reader: &mut xml::Reader<R>,
        element: &Element,
        depth: usize,
    ) -> Result<DraftPart> {
        let ordinal = reader.current().ordinal();
        if let Some(address) = element.attribute("href") {
            let content_id =
                address.strip_prefix("cid:").ok_or(Error::Malformed("a Content lies elsewhere"))?;
            let (id, content_id) = (element.required("Id")?.to_owned(), content_id.to_owned());
            end(reader)?;
            return Ok(DraftPart::Attachment { id, ordinal, content_id });
        }
        let inner = child(reader)?.ok_or(Error::Malformed("a Content is empty"))?;
        let part = match (inner.namespace.as_str(), inner.local.as_str()) {
            (OSCI, "Base64Content") => {
                let (id, ordinal) = (inner.required("Id")?.to_owned(), reader.current().ordinal());
                DraftPart::Inline { id, ordinal, bytes: self.decoded(reader)? }
            }
            (OSCI, "ContentContainer") => {
                DraftPart::Container { ordinal, draft: self.container(reader, &inner, depth + 1)? }
            }
            _ => return Err(Error::Malformed("a Content holds something unknown")),
        };
        end(reader)?;
        Ok(part)
    }

    /// The base64 text of the innermost element, decoded, up to and with its end.
    fn decoded<R: BufRead>(&self, reader: &mut xml::Reader<R>) -> Result<Plaintext> {
        let mut writer = seal::xmldsig::Base64Writer::new(self.limits.staging());
        loop {
            match reader.next()? {
                xml::Event::Text(text) => writer.push(text)?,
                xml::Event::Start(_) => return Err(Error::Malformed("a Base64Content holds an element")),
                xml::Event::End | xml::Event::Eof => return Ok(writer.finish()?.finish()),
            }
        }
    }

    fn encrypted<R: BufRead>(&self, reader: &mut xml::Reader<R>) -> Result<DraftPart> {
        let ordinal = reader.current().ordinal();
        let data = EncryptedData::read(reader)?;
        let iv_bytes = data.iv_bytes.unwrap_or(GCM_OLD_IV_BYTES);
        if let CipherSource::Reference(address) = &data.source {
            let content_id =
                address.strip_prefix("cid:").ok_or(Error::Malformed("ciphertext lies elsewhere"))?;
            let key = data.raw_key.ok_or(Error::Malformed("an encrypted attachment has no key"))?;
            let content_id = content_id.to_owned();
            return Ok(DraftPart::AttachmentKey { content_id, cipher: data.cipher, iv_bytes, key });
        }
        let Some((own, wrapped)) = data.keys.iter().find_map(|wrapped| Some((self.own(wrapped)?, wrapped)))
        else {
            copy_value(reader, &mut io::sink())?;
            return Ok(DraftPart::Encrypted { ordinal, opened: None });
        };
        let key = wrapped.open(self.policy, own, data.cipher)?;
        let staging = self.limits.staging();
        let mut sink = Sink(Decryptor::new(self.policy, data.cipher, iv_bytes, key, staging)?);
        copy_value(reader, &mut sink)?;
        Ok(DraftPart::Encrypted { ordinal, opened: Some(sink.0.finish()?) })
    }

    /// The key pair of ours that a content key is wrapped for.
    fn own(&self, wrapped: &EncryptedKey) -> Option<&Identity> {
        let der = match &wrapped.receiver {
            Receiver::Certificate(der) => der.as_slice(),
            Receiver::Retrieval(address) => {
                let named = self.message.certificates.by_id(address.strip_prefix('#')?)?;
                named.certificate.der()
            }
            Receiver::Unnamed => return None,
        };
        self.keys.iter().find(|own| own.certificate().der() == der)
    }
}

/// Writes into a decryptor.
pub(super) struct Sink(pub(super) Decryptor);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
