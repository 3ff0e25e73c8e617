//! Writing `xenc:EncryptedData` (XML Encryption 1.1 sections 3.1 to 3.6) in the form of OSCI-Transport 1.2: element
//! order, prefixes, `IvLength`, explicit parameters of OAEP, base64 in lines of 76 characters.

use std::io::{self, Write};

use super::{
    DS, GCM_OLD_IV_BYTES, OSCI128, XENC, XENC11, base64,
    read::{EncryptedKey, Receiver, mask_uri},
    transport::ContentKey,
};
use crate::{
    Error, Result,
    algorithm::{BlockCipher, KeyTransport},
};

/// The transform that OSCI partners write into every CipherReference, whatever the part's encoding.
pub(super) const BASE64_TRANSFORM: &str = "http://www.w3.org/2000/09/xmldsig#base64";
const X509_DATA: &str = "http://www.w3.org/2000/09/xmldsig#X509Data";

/// Everything of an EncryptedData but the ciphertext.
#[derive(Debug)]
pub struct DataWriter<'a> {
    /// Attribute `Id`.
    pub id: Option<&'a str>,
    /// Attribute `MimeType`.
    pub mime_type: Option<&'a str>,
    /// The cipher of the content.
    pub cipher: BlockCipher,
    /// Length of the IV in bytes; 16 is not written, since partners that use it do not know the parameter.
    pub iv_bytes: usize,
    /// The content key, wrapped for each receiver.
    pub keys: &'a [EncryptedKey],
    /// The content key in the clear, inside of something encrypted.
    pub raw_key: Option<&'a ContentKey>,
    /// Whether `xenc` and `ds` are declared here; otherwise they are declared above, as in OSCI's envelopes.
    pub declares: bool,
}

impl DataWriter<'_> {
    /// The whole element, with the ciphertext elsewhere, such as at `cid:osci_enc`.
    ///
    /// # Errors
    /// [`Error::Xml`] if an attribute holds what XML does not allow, [`Error::AlgorithmUnknown`] for a key that has no
    /// form in XML.
    pub fn with_reference(&self, uri: &str) -> Result<String> {
        let mut out = self.head()?;
        out.push_str("<xenc:CipherReference");
        push_attribute(&mut out, "URI", uri)?;
        out.push_str("><xenc:Transforms><ds:Transform");
        push_attribute(&mut out, "Algorithm", BASE64_TRANSFORM)?;
        out.push_str("></ds:Transform></xenc:Transforms></xenc:CipherReference></xenc:CipherData></xenc:EncryptedData>");
        Ok(out)
    }

    /// Writes the element up to its ciphertext, which goes into what is returned.
    ///
    /// # Errors
    /// As [`DataWriter::with_reference`], and [`Error::EncryptionStaging`] if the sink fails.
    pub fn with_value<W: Write>(&self, mut sink: W) -> Result<ValueWriter<W>> {
        let mut head = self.head()?;
        head.push_str("<xenc:CipherValue>");
        sink.write_all(head.as_bytes()).map_err(Error::EncryptionStaging)?;
        Ok(ValueWriter(base64::Encoder::new(sink)))
    }

    /// Up to and with the start of CipherData.
    fn head(&self) -> Result<String> {
        let mut out = String::from("<xenc:EncryptedData");
        if self.declares {
            push_attribute(&mut out, "xmlns:ds", DS)?;
            push_attribute(&mut out, "xmlns:xenc", XENC)?;
        }
        for (name, value) in [("Id", self.id), ("MimeType", self.mime_type)] {
            if let Some(value) = value {
                push_attribute(&mut out, name, value)?;
            }
        }
        out.push_str("><xenc:EncryptionMethod");
        push_attribute(&mut out, "Algorithm", self.cipher.uri())?;
        out.push('>');
        if self.iv_bytes != GCM_OLD_IV_BYTES {
            out.push_str("<osci128:IvLength");
            push_attribute(&mut out, "xmlns:osci128", OSCI128)?;
            push_attribute(&mut out, "Value", &self.iv_bytes.to_string())?;
            out.push_str("></osci128:IvLength>");
        }
        out.push_str("</xenc:EncryptionMethod><ds:KeyInfo>");
        for key in self.keys {
            push_key(&mut out, key)?;
        }
        if let Some(key) = self.raw_key {
            out.push_str(&format!("<ds:MgmtData>{}</ds:MgmtData>", *key.to_base64()));
        }
        out.push_str("</ds:KeyInfo><xenc:CipherData>");
        Ok(out)
    }
}

/// Takes ciphertext and writes it as base64.
pub struct ValueWriter<W: Write>(base64::Encoder<W>);

impl<W: Write> ValueWriter<W> {
    /// Ends the EncryptedData and gives the sink back.
    pub fn finish(self) -> io::Result<W> {
        let mut sink = self.0.finish()?;
        sink.write_all(b"</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>")?;
        Ok(sink)
    }
}

impl<W: Write> Write for ValueWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn push_key(out: &mut String, key: &EncryptedKey) -> Result<()> {
    out.push_str("<xenc:EncryptedKey><xenc:EncryptionMethod");
    push_attribute(out, "Algorithm", key.transport.uri())?;
    out.push('>');
    if !key.label.is_empty() {
        out.push_str(&format!("<xenc:OAEPparams>{}</xenc:OAEPparams>", base64::encode_lines(&key.label)));
    }
    if key.transport == KeyTransport::RsaOaep {
        out.push_str("<xenc11:MGF");
        push_attribute(out, "xmlns:xenc11", XENC11)?;
        push_attribute(out, "Algorithm", mask_uri(key.mask).ok_or(Error::AlgorithmUnknown)?)?;
        out.push_str("></xenc11:MGF>");
    }
    if key.transport != KeyTransport::Rsa15 {
        out.push_str("<ds:DigestMethod");
        push_attribute(out, "Algorithm", key.digest.uri())?;
        out.push_str("></ds:DigestMethod>");
    }
    out.push_str("</xenc:EncryptionMethod>");
    push_receiver(out, &key.receiver)?;
    out.push_str("<xenc:CipherData><xenc:CipherValue>");
    out.push_str(&base64::encode_lines(&key.wrapped));
    out.push_str("</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>");
    Ok(())
}

fn push_receiver(out: &mut String, receiver: &Receiver) -> Result<()> {
    match receiver {
        Receiver::Certificate(der) => {
            out.push_str("<ds:KeyInfo><ds:X509Data><ds:X509Certificate>");
            out.push_str(&base64::encode_lines(der));
            out.push_str("</ds:X509Certificate></ds:X509Data></ds:KeyInfo>");
        }
        Receiver::Retrieval(uri) => {
            out.push_str("<ds:KeyInfo><ds:RetrievalMethod");
            push_attribute(out, "Type", X509_DATA)?;
            push_attribute(out, "URI", uri)?;
            out.push_str("></ds:RetrievalMethod></ds:KeyInfo>");
        }
        Receiver::Unnamed => {}
    }
    Ok(())
}

fn push_attribute(out: &mut String, name: &str, value: &str) -> Result<()> {
    if value.chars().any(|character| character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}')) {
        return Err(Error::EncryptionMalformed("an attribute"));
    }
    let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    out.push_str(&format!(" {name}=\"{value}\""));
    Ok(())
}
