//! The corpus of OSCI messages: a small MIME cutter, the test keys, and the way through an encrypted message.

use std::{
    collections::HashMap,
    io::Read,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use seal::{
    Error, Result,
    algorithm::Policy,
    identity::Identity,
    x509::Certificate,
    xmlenc::{
        CipherSource, ContentKey, Decryptor, EncryptedData, EncryptedKey, GCM_OLD_IV_BYTES, Plaintext,
        Receiver, Staging, copy_value,
    },
};
use xml::{Event, Limits, Reader};

pub(crate) const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";

/// A path in `../shared/samples/osci`, which must be there.
pub(crate) fn corpus(path: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/osci");
    assert!(folder.is_dir(), "../shared/samples/osci is missing: the OSCI corpus judges this test");
    folder.join(path)
}

/// All messages of the corpus with this extension, in order.
pub(crate) fn messages(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in corpus("messages").read_dir().unwrap() {
        let files = folder.unwrap().path().read_dir().unwrap().map(|file| file.unwrap().path());
        found.extend(files.filter(|file| file.to_string_lossy().ends_with(extension)));
    }
    found.sort();
    assert!(found.len() > 10, "{} messages", found.len());
    found
}

pub(crate) fn certificate(name: &str) -> Certificate {
    let der = std::fs::read(corpus("TEST-ONLY").join(format!("{name}.cer"))).unwrap();
    Certificate::from_der(&der).unwrap()
}

pub(crate) fn identity(name: &str) -> Identity {
    let p12 = std::fs::read(corpus("TEST-ONLY").join(format!("{name}.p12"))).unwrap();
    Identity::from_pkcs12(&p12, "123456").unwrap()
}

/// The keys of everybody who decrypts.
pub(crate) fn identities() -> Vec<Identity> {
    let names = ["intermed", "alice", "bob", "carol", "dave", "expired", "revoked", "mallory"];
    names.iter().map(|name| identity(&format!("{name}_cipher"))).collect()
}

/// A MIME package: the XML, and the other parts by Content-ID.
pub(crate) struct Package {
    pub(crate) xml: Vec<u8>,
    pub(crate) parts: HashMap<String, Vec<u8>>,
}

impl Package {
    pub(crate) fn cut(bytes: &[u8]) -> Self {
        let head = find(bytes, b"\r\n\r\n").unwrap();
        let text = std::str::from_utf8(&bytes[..head]).unwrap();
        let boundary = text.split_once("boundary=").unwrap().1.split([';', '\r']).next().unwrap();
        let delimiter = format!("\r\n--{}", boundary.trim_matches('"'));
        let mut rest = &bytes[head + 2..];
        let mut package = Package { xml: Vec::new(), parts: HashMap::new() };
        let mut is_first = true;
        while let Some(from) = find(rest, delimiter.as_bytes()) {
            rest = &rest[from + delimiter.len()..];
            if rest.starts_with(b"--") {
                break;
            }
            let part = &rest[..find(rest, delimiter.as_bytes()).unwrap()];
            let (id, body) = read_part(part);
            if std::mem::take(&mut is_first) {
                package.xml = body.trim_ascii_start().to_vec();
            } else {
                package.parts.insert(id, body);
            }
        }
        package
    }
}

fn read_part(part: &[u8]) -> (String, Vec<u8>) {
    let head = find(part, b"\r\n\r\n").unwrap();
    let headers = std::str::from_utf8(&part[..head]).unwrap().to_ascii_lowercase();
    let id = std::str::from_utf8(&part[..head])
        .unwrap()
        .lines()
        .find_map(|line| line.strip_prefix("Content-ID: "));
    let id = id.unwrap_or_default().trim_matches(['<', '>']).to_owned();
    let body = &part[head + 4..];
    let is_base64 = headers.contains("transfer-encoding: base64") || headers.contains("text/base64");
    (id, if is_base64 { decode(body) } else { body.to_vec() })
}

pub(crate) fn decode(text: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(text).unwrap()
}

pub(crate) fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A reader at the first EncryptedData of a document.
pub(crate) fn at_encrypted_data(xml: &[u8]) -> Option<Reader<&[u8]>> {
    let mut reader = Reader::new(xml, Limits::default());
    loop {
        match reader.next().ok()? {
            Event::Start(start) if start.is(XENC, "EncryptedData") => return Some(reader),
            Event::Eof => return None,
            _ => {}
        }
    }
}

pub(crate) fn staging() -> Staging {
    Staging::new(1 << 20, 1 << 30)
}

pub(crate) fn bytes_of(plaintext: &Plaintext) -> Vec<u8> {
    let mut bytes = Vec::new();
    plaintext.open().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, plaintext.length());
    bytes
}

/// Whose key it is: by certificate, or by the digest of it in the library's ids.
pub(crate) fn receiver<'a>(key: &EncryptedKey, identities: &'a [Identity]) -> Option<&'a Identity> {
    identities.iter().find(|identity| match &key.receiver {
        Receiver::Certificate(der) => identity.certificate().der() == der,
        Receiver::Retrieval(uri) => uri.ends_with(identity.certificate().fingerprint()),
        Receiver::Unnamed => false,
    })
}

/// Decrypts bytes that stand outside of the XML.
pub(crate) fn decrypt_part(
    policy: &Policy,
    data: &EncryptedData,
    key: ContentKey,
    part: &[u8],
) -> Result<Plaintext> {
    let iv_bytes = data.iv_bytes.unwrap_or(GCM_OLD_IV_BYTES);
    let mut decryptor = Decryptor::new(policy, data.cipher, iv_bytes, key, staging())?;
    decryptor.update(part)?;
    decryptor.finish()
}

/// What an encrypted message holds for these identities.
pub(crate) fn open(policy: &Policy, package: &Package, identities: &[Identity]) -> Result<Vec<u8>> {
    let mut reader = at_encrypted_data(&package.xml).unwrap();
    let data = EncryptedData::read(&mut reader)?;
    let CipherSource::Reference(uri) = &data.source else { return Err(Error::EncryptionMalformed("test")) };
    let [key] = &data.keys[..] else { return Err(Error::EncryptionMalformed("test")) };
    let identity = receiver(key, identities).unwrap();
    let content_key = key.open(policy, identity, data.cipher)?;
    let part = &package.parts[uri.strip_prefix("cid:").unwrap()];
    Ok(bytes_of(&decrypt_part(policy, &data, content_key, part)?))
}

/// Decrypts a CipherValue; `reader` stands in it.
pub(crate) fn open_value(
    policy: &Policy,
    reader: &mut Reader<&[u8]>,
    data: &EncryptedData,
    key: ContentKey,
) -> Result<Vec<u8>> {
    let iv_bytes = data.iv_bytes.unwrap_or(GCM_OLD_IV_BYTES);
    let mut decryptor = Decryptor::new(policy, data.cipher, iv_bytes, key, staging())?;
    copy_value(reader, &mut decryptor)?;
    Ok(bytes_of(&decryptor.finish()?))
}
