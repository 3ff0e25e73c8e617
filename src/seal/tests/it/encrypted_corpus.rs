//! Every encrypted message of the corpus, on both levels: the transport envelope, and the content for its readers.

use std::collections::{BTreeSet, HashSet};

use seal::{
    algorithm::Policy,
    identity::Identity,
    sha256,
    xmlenc::{CipherSource, EncryptedData},
};
use xml::{Event, Limits, Reader};

use crate::osci::{
    Package, XENC, at_encrypted_data, decode, decrypt_part, identities, messages, open, open_value, receiver,
};

const OSCI: &str = "http://www.osci.de/2002/04/osci";

fn legacy() -> Policy {
    Policy::default().with_legacy()
}

#[test]
fn every_transport_envelope_opens_to_exactly_the_inner_package() {
    let identities = identities();
    let mut refused = BTreeSet::new();
    let inner = messages(".inner");
    for path in &inner {
        let package = Package::cut(&std::fs::read(path.with_extension("osci")).unwrap());
        let expected = std::fs::read(path).unwrap();
        assert!(open(&legacy(), &package, &identities).unwrap() == expected, "{}", path.display());
        match open(&Policy::default(), &package, &identities) {
            Ok(opened) => assert!(opened == expected, "{}", path.display()),
            Err(error) => {
                assert_eq!(error.code(), "algorithm.forbidden", "{}", path.display());
                refused.insert(path.parent().unwrap().file_name().unwrap().to_owned());
            }
        }
    }
    assert!(inner.len() > 200, "{} messages", inner.len());
    let refused: Vec<_> = refused.iter().map(|name| name.to_str().unwrap()).collect();
    assert_eq!(refused, ["legacy-aes256-cbc-rsa15", "legacy-tripledes"]);
}

#[test]
fn the_key_that_was_destroyed_on_purpose_fails_with_the_one_error() {
    let path = crate::osci::corpus("messages/encrypted-key-destroyed-9202/01q-Invalid.osci");
    let package = Package::cut(&std::fs::read(path).unwrap());
    assert_eq!(open(&legacy(), &package, &identities()).unwrap_err().code(), "encryption.failed");
}

/// Digests of everything that the readers together see in a package.
struct Seen<'a> {
    identities: &'a [Identity],
    package: &'a Package,
    digests: HashSet<String>,
    encrypted: usize,
}

impl Seen<'_> {
    fn add(&mut self, bytes: &[u8]) {
        self.digests.insert(sha256(&[bytes]).to_string());
    }

    fn read(&mut self, xml: &[u8]) {
        let mut reader = Reader::new(xml, Limits::default());
        loop {
            match reader.next().unwrap() {
                Event::Start(start) if start.is(OSCI, "Base64Content") => {
                    let text = reader.read_text(64 << 20).unwrap();
                    self.add(&decode(text.as_bytes()));
                }
                Event::Start(start) if start.is(XENC, "EncryptedData") => self.read_encrypted(&mut reader),
                Event::Eof => return,
                _ => {}
            }
        }
    }

    fn read_encrypted(&mut self, reader: &mut Reader<&[u8]>) {
        let data = EncryptedData::read(reader).unwrap();
        self.encrypted += 1;
        if let CipherSource::Reference(uri) = &data.source {
            let part = &self.package.parts[uri.strip_prefix("cid:").unwrap()];
            let plain = decrypt_part(&legacy(), &data, data.raw_key.clone().unwrap(), part).unwrap();
            return self.add(&crate::osci::bytes_of(&plain));
        }
        let readers: Vec<_> =
            data.keys.iter().map(|key| (key, receiver(key, self.identities).unwrap())).collect();
        let mut keys = readers.iter().map(|(key, reader)| key.open(&legacy(), reader, data.cipher).unwrap());
        let first = keys.next().unwrap();
        let content = open_value(&legacy(), reader, &data, first).unwrap();
        self.read(&content);
        assert!(keys.count() + 1 == data.keys.len(), "every reader's key opens");
    }
}

#[test]
fn readers_see_every_part_that_the_reference_reader_saw() {
    let identities = identities();
    let (mut parts, mut encrypted) = (0, 0);
    for path in messages(".content.txt") {
        let stem = path.to_string_lossy().replace(".content.txt", "");
        let inner = std::fs::read(format!("{stem}.inner"));
        let package = Package::cut(&inner.unwrap_or_else(|_| std::fs::read(format!("{stem}.osci")).unwrap()));
        let mut seen =
            Seen { identities: &identities, package: &package, digests: HashSet::new(), encrypted: 0 };
        package.parts.values().for_each(|part| seen.add(part));
        seen.read(&package.xml);
        encrypted += seen.encrypted;
        let expected = std::fs::read_to_string(&path).unwrap();
        for (digest, _) in expected.split("sha256=").skip(1).map(|rest| rest.split_at(64)) {
            assert!(seen.digests.contains(digest), "{}: {digest}", path.display());
            parts += 1;
        }
    }
    assert!(parts > 50 && encrypted > 30, "{parts} parts, {encrypted} encrypted");
}

#[test]
fn old_partners_do_not_say_the_length_of_their_iv() {
    let path = crate::osci::corpus("messages/gcm-iv16-old-library");
    let message = path.read_dir().unwrap().map(|file| file.unwrap().path());
    let message = message.filter(|file| file.extension().is_some_and(|name| name == "osci")).min().unwrap();
    let package = Package::cut(&std::fs::read(message).unwrap());
    let data = EncryptedData::read(&mut at_encrypted_data(&package.xml).unwrap()).unwrap();
    assert_eq!(data.iv_bytes, None);
    assert_eq!(data.mime_type.as_deref(), Some("Multipart/Related"));
}
