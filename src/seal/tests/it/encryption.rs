//! XML Encryption both ways: by ourselves, with xmlsec1 and the JDK as judges, and against attackers.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    path::Path,
    process::Command,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use openssl::{
    pkey::PKey,
    rsa::Padding,
    symm::{Cipher, encrypt, encrypt_aead},
};
use proptest::prelude::*;
use seal::{
    Result,
    algorithm::{BlockCipher, DigestMethod, KeyTransport, Policy},
    identity::Identity,
    xmlenc::{
        CipherSource, ContentKey, DataWriter, Decryptor, EncryptedData, EncryptedKey, Encryptor,
        GCM_IV_BYTES, GCM_OLD_IV_BYTES, OaepHash, Receiver, Staging, copy_value,
    },
};
use xml::Reader;

use crate::{
    identities::openssl,
    osci::{at_encrypted_data, bytes_of, certificate, corpus, identity, open_value, staging},
};

const GCM: [BlockCipher; 3] = [BlockCipher::Aes128Gcm, BlockCipher::Aes192Gcm, BlockCipher::Aes256Gcm];
const FAILED: &str = "the encrypted data cannot be decrypted";

fn policy() -> Policy {
    Policy::default()
}

fn legacy() -> Policy {
    Policy::default().with_legacy()
}

/// An EncryptedData of ours for bob.
fn encrypted(content: &[u8], cipher: BlockCipher, iv_bytes: usize, hash: OaepHash) -> Vec<u8> {
    let key = ContentKey::random(cipher).unwrap();
    let mut encryptor = Encryptor::new(&policy(), cipher, iv_bytes, &key, Vec::new()).unwrap();
    encryptor.write_all(content).unwrap();
    let sealed = encryptor.finish().unwrap();
    let bob = certificate("bob_cipher");
    let keys = [key.wrap(&policy(), &bob, hash, Receiver::Certificate(bob.der().to_vec())).unwrap()];
    let writer = DataWriter {
        id: Some("e"),
        mime_type: None,
        cipher,
        iv_bytes,
        keys: &keys,
        raw_key: None,
        declares: true,
    };
    let mut value = writer.with_value(Vec::new()).unwrap();
    value.write_all(&sealed).unwrap();
    value.finish().unwrap()
}

/// Decrypts an EncryptedData with its ciphertext inside and one key.
fn decrypted(policy: &Policy, xml: &[u8], identity: &Identity) -> Result<Vec<u8>> {
    let mut reader = at_encrypted_data(xml).unwrap();
    let data = EncryptedData::read(&mut reader)?;
    let key = data.keys[0].open(policy, identity, data.cipher)?;
    open_value(policy, &mut reader, &data, key)
}

#[test]
fn what_we_encrypt_we_decrypt_by_every_cipher_and_length() {
    let bob = identity("bob_cipher");
    for (cipher, iv_bytes, hash, length) in [
        (GCM[0], GCM_IV_BYTES, OaepHash::Sha256, 0),
        (GCM[1], GCM_OLD_IV_BYTES, OaepHash::Sha512, 1),
        (GCM[2], GCM_IV_BYTES, OaepHash::Sha512, 57 * 256 - 28),
        (GCM[2], GCM_OLD_IV_BYTES, OaepHash::Sha256, 300_001),
    ] {
        let content: Vec<u8> = (0..length as u32).map(|n| (n * 7 >> 3) as u8).collect();
        let xml = encrypted(&content, cipher, iv_bytes, hash);
        assert!(
            decrypted(&policy(), &xml, &bob).unwrap() == content,
            "{cipher:?} {iv_bytes} {hash:?} {length}"
        );
    }
}

#[test]
fn heads_are_written_in_the_order_of_osci_and_are_valid() {
    let key = ContentKey::random(GCM[2]).unwrap();
    let dave = certificate("dave_cipher");
    let readers = ["#addressee_cipher", "#reader0_cipher"].map(|uri| {
        key.wrap(&policy(), &dave, OaepHash::Sha256, Receiver::Retrieval(uri.to_owned())).unwrap()
    });
    let writer = DataWriter {
        id: Some("Attachment<\"&"),
        mime_type: Some("Multipart/Related"),
        cipher: GCM[2],
        iv_bytes: GCM_IV_BYTES,
        keys: &readers,
        raw_key: Some(&key),
        declares: true,
    };
    let xml = writer.with_reference("cid:osci_enc").unwrap();
    let names: Vec<_> = xml.split('<').skip(1).filter_map(|tag| tag.split([' ', '>']).next()).collect();
    let names: Vec<_> = names.into_iter().filter(|name| !name.starts_with('/')).collect();
    let one = "xenc:EncryptedKey xenc:EncryptionMethod xenc11:MGF ds:DigestMethod ds:KeyInfo ds:RetrievalMethod \
               xenc:CipherData xenc:CipherValue";
    let all = format!(
        "xenc:EncryptedData xenc:EncryptionMethod osci128:IvLength ds:KeyInfo {one} {one} ds:MgmtData \
         xenc:CipherData xenc:CipherReference xenc:Transforms ds:Transform"
    );
    assert_eq!(names.join(" "), all);
    let data = EncryptedData::read(&mut at_encrypted_data(xml.as_bytes()).unwrap()).unwrap();
    assert_eq!(data.id.as_deref(), Some("Attachment<\"&"));
    assert_eq!(data.source, CipherSource::Reference("cid:osci_enc".to_owned()));
    assert_eq!((data.keys.len(), data.iv_bytes), (2, Some(12)));
    assert_eq!(data.keys[1].receiver, Receiver::Retrieval("#reader0_cipher".to_owned()));
    assert_eq!(data.keys[0].digest, DigestMethod::Sha256);
    assert!(DataWriter { id: Some("\u{1}"), ..writer }.with_reference("x").is_err());
}

#[test]
fn the_policy_is_asked_for_everything_that_is_made() {
    for cipher in [BlockCipher::Aes256Cbc, BlockCipher::TripleDesCbc] {
        let key = ContentKey::random(cipher).unwrap();
        let made = Encryptor::new(&legacy(), cipher, 12, &key, std::io::sink());
        assert_eq!(made.err().unwrap().code(), "algorithm.forbidden");
    }
    let key = ContentKey::random(GCM[0]).unwrap();
    let other_length = Encryptor::new(&policy(), GCM[0], 13, &key, std::io::sink());
    assert_eq!(other_length.err().unwrap().code(), "encryption.malformed");
    let other_key = Encryptor::new(&policy(), GCM[2], 12, &key, std::io::sink());
    assert_eq!(other_key.err().unwrap().code(), "algorithm.forbidden");
    for (name, why) in [("alice_signature", "not meant for encryption"), ("alice_ec_signature", "no RSA key")]
    {
        let made = key.wrap(&legacy(), &certificate(name), OaepHash::Sha256, Receiver::Unnamed);
        assert_eq!(made.unwrap_err().code(), "algorithm.forbidden", "{why}");
    }
    let folder = tempfile::tempdir().unwrap();
    openssl(
        folder.path(),
        "req -x509 -new -nodes -newkey rsa:2048 -keyout k -subj /CN=x -outform der -out x -days 9",
    );
    let short = seal::x509::Certificate::from_der(&std::fs::read(folder.path().join("x")).unwrap()).unwrap();
    let made = key.wrap(&policy(), &short, OaepHash::Sha256, Receiver::Unnamed);
    assert_eq!(made.unwrap_err().code(), "algorithm.forbidden");
    key.wrap(&legacy(), &short, OaepHash::Sha256, Receiver::Unnamed).unwrap();
}

/// An EncryptedData made by hand: what attackers and old partners send.
struct Forged {
    cipher: BlockCipher,
    transport: KeyTransport,
    wrapped: Vec<u8>,
    sealed: Vec<u8>,
}

impl Forged {
    fn open(&self) -> Result<Vec<u8>> {
        let key = EncryptedKey {
            transport: self.transport,
            digest: DigestMethod::Sha1,
            mask: DigestMethod::Sha1,
            label: Vec::new(),
            receiver: Receiver::Unnamed,
            wrapped: self.wrapped.clone(),
        };
        let key = key.open(&legacy(), bob(), self.cipher)?;
        let mut decryptor = Decryptor::new(&legacy(), self.cipher, 12, key, staging())?;
        decryptor.update(&self.sealed)?;
        decryptor.finish().map(|plain| bytes_of(&plain))
    }
}

fn bob() -> &'static Identity {
    static BOB: std::sync::LazyLock<Identity> = std::sync::LazyLock::new(|| identity("bob_cipher"));
    &BOB
}

fn wrap(key: &[u8], padding: Padding) -> Vec<u8> {
    let public = PKey::public_key_from_der(&bob_public()).unwrap().rsa().unwrap();
    let mut wrapped = vec![0; public.size() as usize];
    public.public_encrypt(key, &mut wrapped, padding).unwrap();
    wrapped
}

fn bob_public() -> Vec<u8> {
    let x509 = openssl::x509::X509::from_der(certificate("bob_cipher").der()).unwrap();
    x509.public_key().unwrap().public_key_to_der().unwrap()
}

fn sealed_gcm(key: &[u8; 32], content: &[u8]) -> Vec<u8> {
    let (iv, mut tag) = ([7; 12], [0; 16]);
    let body = encrypt_aead(Cipher::aes_256_gcm(), key, Some(&iv), &[], content, &mut tag).unwrap();
    [&iv[..], &body, &tag].concat()
}

fn forged(transport: KeyTransport) -> Forged {
    let padding = if transport == KeyTransport::Rsa15 { Padding::PKCS1 } else { Padding::PKCS1_OAEP };
    let (cipher, wrapped) = (BlockCipher::Aes256Gcm, wrap(&[9; 32], padding));
    Forged { cipher, transport, wrapped, sealed: sealed_gcm(&[9; 32], b"content") }
}

#[test]
fn probing_with_changed_keys_gets_one_answer() {
    let mut answers = BTreeSet::new();
    let mut tried = 0;
    for transport in [KeyTransport::RsaOaepMgf1p, KeyTransport::RsaOaep, KeyTransport::Rsa15] {
        let good = forged(transport);
        assert_eq!(good.open().unwrap(), b"content");
        let size = good.wrapped.len();
        let mut probes: Vec<Vec<u8>> = (0..60).map(|n| flip(&good.wrapped, n * 6 + 1)).collect();
        probes.extend([
            vec![],
            vec![0; size],
            vec![0xff; size],
            vec![1; size],
            vec![0; size - 1],
            vec![0; size + 1],
        ]);
        probes.push([&good.wrapped[..], &[0]].concat());
        probes.push(good.wrapped[1..].to_vec());
        // Well padded, by the other way, with other lengths, with nothing at all.
        for length in [0, 1, 16, 24, 31, 33, 48] {
            probes.push(wrap(&vec![9; length], Padding::PKCS1));
            probes.push(wrap(&vec![9; length], Padding::PKCS1_OAEP));
        }
        // Blocks that are nearly right: 00 02 … 00 key, with one byte changed (RFC 8017 section 7.2.1).
        for (index, byte) in [(1, 1), (1, 0), (2, 0), (9, 0), (size - 34, 0), (size - 33, 1)] {
            let mut block = vec![3; size];
            (block[0], block[1], block[size - 33]) = (0, 2, 0);
            block[size - 32..].fill(9);
            block[index] = byte;
            probes.push(wrap(&block, Padding::NONE));
        }
        for wrapped in probes {
            let error = Forged { wrapped, ..forged(transport) }.open().unwrap_err();
            answers.insert((error.code(), error.to_string(), format!("{error:?}")));
            tried += 1;
        }
    }
    assert!(tried > 200, "{tried}");
    assert_eq!(answers.len(), 1, "{answers:?}");
    let (code, text, _) = answers.first().unwrap();
    assert_eq!((*code, text.as_str()), ("encryption.failed", FAILED));
}

#[test]
fn a_wrong_key_of_rsa_1_5_is_not_noticed_before_the_content() {
    let good = forged(KeyTransport::Rsa15);
    let open = |wrapped: &[u8]| {
        let key = EncryptedKey {
            transport: KeyTransport::Rsa15,
            digest: DigestMethod::Sha1,
            mask: DigestMethod::Sha1,
            label: Vec::new(),
            receiver: Receiver::Unnamed,
            wrapped: wrapped.to_vec(),
        };
        key.open(&legacy(), bob(), BlockCipher::Aes256Gcm)
    };
    for probe in
        [&good.wrapped[1..], &flip(&good.wrapped, 5), &wrap(&[9; 16], Padding::PKCS1), &vec![0xff; 384]]
    {
        assert!(open(probe).is_ok());
    }
    let strict = EncryptedKey { wrapped: good.wrapped, transport: KeyTransport::Rsa15, ..rsa_key() };
    assert_eq!(
        strict.open(&policy(), bob(), BlockCipher::Aes256Gcm).unwrap_err().code(),
        "algorithm.forbidden"
    );
}

fn rsa_key() -> EncryptedKey {
    EncryptedKey {
        transport: KeyTransport::RsaOaepMgf1p,
        digest: DigestMethod::Sha1,
        mask: DigestMethod::Sha1,
        label: Vec::new(),
        receiver: Receiver::Unnamed,
        wrapped: Vec::new(),
    }
}

fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= 0x10;
    changed
}

#[test]
fn every_changed_or_missing_byte_of_the_ciphertext_fails_with_the_one_error() {
    let good = forged(KeyTransport::RsaOaepMgf1p);
    let mut answers = BTreeSet::new();
    for at in 0..good.sealed.len() {
        for sealed in [flip(&good.sealed, at), good.sealed[..at].to_vec()] {
            let error = Forged { sealed, wrapped: good.wrapped.clone(), ..good }.open().unwrap_err();
            answers.insert((error.code(), error.to_string()));
        }
    }
    assert_eq!(answers.len(), 1);
    assert_eq!(answers.first().unwrap().0, "encryption.failed");
}

/// CBC with this last block in the clear.
fn padded(cipher: BlockCipher, plain: &[u8]) -> Result<Vec<u8>> {
    let (own, key) = match cipher {
        BlockCipher::Aes128Cbc => (Cipher::aes_128_cbc(), vec![5; 16]),
        BlockCipher::Aes192Cbc => (Cipher::aes_192_cbc(), vec![5; 24]),
        BlockCipher::Aes256Cbc => (Cipher::aes_256_cbc(), vec![5; 32]),
        _ => (Cipher::des_ede3_cbc(), (1..25).collect()),
    };
    let iv = vec![8; own.block_size()];
    let mut crypter =
        openssl::symm::Crypter::new(own, openssl::symm::Mode::Encrypt, &key, Some(&iv)).unwrap();
    crypter.pad(false);
    let mut body = vec![0; plain.len() + 16];
    let length = crypter.update(plain, &mut body).unwrap();
    let sealed = [&iv[..], &body[..length]].concat();
    Forged { cipher, transport: KeyTransport::RsaOaepMgf1p, wrapped: wrap(&key, Padding::PKCS1_OAEP), sealed }
        .open()
}

#[test]
fn cbc_padding_counts_and_its_other_bytes_are_arbitrary() {
    for cipher in
        [BlockCipher::Aes128Cbc, BlockCipher::Aes192Cbc, BlockCipher::Aes256Cbc, BlockCipher::TripleDesCbc]
    {
        let block = if cipher == BlockCipher::TripleDesCbc { 8 } else { 16 };
        for count in 1..=block as u8 {
            let mut plain: Vec<u8> = (0..block as u8 * 2).map(|n| n ^ 0x5a).collect();
            let length = plain.len();
            plain[length - 1] = count;
            assert_eq!(
                padded(cipher, &plain).unwrap(),
                plain[..length - usize::from(count)],
                "{cipher:?} {count}"
            );
        }
        for count in [0, block as u8 + 1, 0xff] {
            let mut plain = vec![1; block * 2];
            plain[block * 2 - 1] = count;
            assert_eq!(padded(cipher, &plain).unwrap_err().code(), "encryption.failed", "{cipher:?} {count}");
        }
        assert_eq!(padded(cipher, &[]).unwrap_err().code(), "encryption.failed", "{cipher:?}: no block");
    }
}

#[test]
fn the_content_may_come_in_any_pieces() {
    let key = [9; 32];
    let content: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let cbc = encrypt(Cipher::aes_256_cbc(), &key, Some(&[4; 16]), &content).unwrap();
    for (cipher, sealed) in [
        (BlockCipher::Aes256Gcm, sealed_gcm(&key, &content)),
        (BlockCipher::Aes256Cbc, [&[4; 16][..], &cbc].concat()),
    ] {
        for pieces in [1, 15, 16, 17, 65_536, 70_000, 1_000_000] {
            let opened = rsa_key_of(&key).open(&policy(), bob(), cipher).unwrap();
            let mut decryptor = Decryptor::new(&policy(), cipher, 12, opened, staging()).unwrap();
            sealed.chunks(pieces).for_each(|piece| decryptor.write_all(piece).unwrap());
            assert!(bytes_of(&decryptor.finish().unwrap()) == content, "{cipher:?} {pieces}");
        }
    }
}

fn rsa_key_of(key: &[u8]) -> EncryptedKey {
    EncryptedKey { wrapped: wrap(key, Padding::PKCS1_OAEP), ..rsa_key() }
}

fn content_key(key: &[u8], cipher: BlockCipher) -> ContentKey {
    rsa_key_of(key).open(&policy(), bob(), cipher).unwrap()
}

/// 32 MB: beyond what stays in memory, below what takes long.
#[test]
fn large_content_waits_in_a_file_and_is_read_as_often_as_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let key = ContentKey::random(GCM[2]).unwrap();
    let mut encryptor = Encryptor::new(&policy(), GCM[2], 12, &key, Vec::new()).unwrap();
    let piece: Vec<u8> = (0..1_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    (0..32).for_each(|_| encryptor.write_all(&piece).unwrap());
    let text = BASE64_STANDARD.encode(encryptor.finish().unwrap());
    let xml = format!(
        "<x:CipherData xmlns:x='{}'><x:CipherValue>{text}</x:CipherValue></x:CipherData>",
        crate::osci::XENC
    );
    // The EncryptedData around it is read by hand: only its value is wanted.
    let xml = format!("<e>{xml}</e>");
    let mut reader = Reader::new(xml.as_bytes(), xml::Limits::default());
    (0..3).for_each(|_| drop(reader.next().unwrap()));
    let place = Staging::new_in(folder.path(), 1 << 20, 1 << 30);
    let mut decryptor = Decryptor::new(&policy(), GCM[2], 12, key, place).unwrap();
    copy_value(&mut reader, &mut decryptor).unwrap();
    let plain = decryptor.finish().unwrap();
    assert!(plain.is_in_file());
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "the file has no name");
    let (mut first, mut second) = (plain.open(), plain.open());
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    for _ in 0..32 {
        first.read_exact(&mut left).unwrap();
        second.read_exact(&mut right).unwrap();
        assert!(left == piece && right == piece);
    }
    assert_eq!(plain.open().bytes().count(), 32 << 20);
}

#[test]
fn more_than_the_limit_is_refused() {
    let sealed = sealed_gcm(&[9; 32], &[0; 1_001]);
    for (limit, expected) in [(1_000, "encryption.too-large"), (1_001, "")] {
        let key = content_key(&[9; 32], GCM[2]);
        let mut decryptor = Decryptor::new(&policy(), GCM[2], 12, key, Staging::new(100, limit)).unwrap();
        let done = decryptor.update(&sealed).and_then(|()| decryptor.finish());
        assert_eq!(done.err().map_or("", |error| error.code()), expected);
    }
    // And it is the same error through the reader.
    let xml = encrypted(&[0; 1_001], GCM[2], 12, OaepHash::Sha256);
    let mut reader = at_encrypted_data(&xml).unwrap();
    let data = EncryptedData::read(&mut reader).unwrap();
    let key = data.keys[0].open(&policy(), bob(), data.cipher).unwrap();
    let mut decryptor = Decryptor::new(&policy(), GCM[2], 12, key, Staging::new(100, 1_000)).unwrap();
    assert_eq!(copy_value(&mut reader, &mut decryptor).unwrap_err().code(), "encryption.too-large");
}

#[test]
fn what_xml_encryption_does_not_allow_is_refused() {
    let good = String::from_utf8(encrypted(b"content", GCM[2], 12, OaepHash::Sha256)).unwrap();
    let read = |xml: &str| EncryptedData::read(&mut at_encrypted_data(xml.as_bytes()).unwrap());
    read(&good).unwrap();
    let key = &good
        [good.find("<xenc:EncryptedKey>").unwrap()..good.find("</ds:KeyInfo><xenc:CipherData>").unwrap()];
    let key = &key[..key.rfind("</xenc:EncryptedKey>").map_or(key.len(), |at| at + 20)];
    let retrieval = "<ds:RetrievalMethod URI='#x'/><ds:X509Data>";
    let label = "<xenc:OAEPparams>AAAA</xenc:OAEPparams><xenc:OAEPparams>AAAA</xenc:OAEPparams><xenc11:MGF";
    for (from, to, code) in [
        ("xmlenc11#aes256-gcm", "xmlenc11#aes257-gcm", "algorithm.unknown"),
        ("2009/xmlenc11#rsa-oaep", "2001/04/xmlenc#rsa-1_5", "encryption.malformed"),
        ("mgf1sha256", "mgf1sha224", "algorithm.unknown"),
        ("Value=\"12\"", "Value=\"twelve\"", "encryption.malformed"),
        (" Value=\"12\"", "", "encryption.malformed"),
        ("<osci128:IvLength", "<xenc:KeySize>128</xenc:KeySize><osci128:IvLength", "encryption.malformed"),
        ("<xenc11:MGF", label, "encryption.malformed"),
        ("<xenc11:MGF", "<xenc:Unknown/><xenc11:MGF", "encryption.malformed"),
        ("<ds:X509Data>", retrieval, "encryption.malformed"),
        ("<xenc:CipherValue>", "<xenc:CipherValue>!", "encryption.malformed"),
        ("</xenc:EncryptionMethod>", "</xenc:EncryptionMethod>text", "encryption.malformed"),
        (key, &key.repeat(257), "encryption.malformed"),
    ] {
        let wrong = good.replacen(from, to, 1);
        assert_ne!(wrong, good, "{from}");
        assert_eq!(read(&wrong).unwrap_err().code(), code, "{from} -> {}", &to[..to.len().min(60)]);
    }
    // An order of its own, and a key that is elsewhere.
    let head = good.split_once("<xenc:EncryptionMethod").unwrap().0;
    for wrong in [
        format!("{head}</xenc:EncryptedData>"),
        format!("{head}<ds:KeyInfo/></xenc:EncryptedData>"),
        good.replacen("<xenc:CipherData>", "<xenc:CipherData><xenc:CipherReference URI='x'/><!--", 1),
    ] {
        assert!(read(&wrong).is_err());
    }
    read(&good.replacen(key, &key.repeat(256), 1)).unwrap();
    read(&good.replacen("<osci128:IvLength", "<xenc:KeySize>256</xenc:KeySize><osci128:IvLength", 1))
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn changed_documents_are_refused_without_panic(at in 0_usize..6_000, byte: u8, cut in 0_usize..6_000) {
        static GOOD: std::sync::LazyLock<Vec<u8>> =
            std::sync::LazyLock::new(|| encrypted(b"content", BlockCipher::Aes256Gcm, 12, OaepHash::Sha256));
        let mut xml = GOOD.clone();
        let length = xml.len();
        xml[at % length] = byte;
        xml.truncate(length - (cut % length) * usize::from(cut % 2 == 0));
        let Some(mut reader) = at_encrypted_data(&xml) else { return Ok(()) };
        let Ok(data) = EncryptedData::read(&mut reader) else { return Ok(()) };
        let Some(key) = data.keys.first() else { return Ok(()) };
        if let Ok(key) = key.open(&legacy(), bob(), data.cipher)
            && let Ok(opened) = open_value(&legacy(), &mut reader, &data, key)
        {
            prop_assert_eq!(opened, b"content");
        }
    }
}

/// bob's key as PEM, for programs that want it so.
fn pem_of_bob(folder: &Path) {
    let file = corpus("TEST-ONLY/bob_cipher.p12");
    openssl(folder, &format!("pkcs12 -in {} -passin pass:123456 -nodes -out bob.pem", file.display()));
    openssl(folder, "x509 -in bob.pem -out bob.crt");
}

fn xmlsec1(folder: &Path, arguments: &[&str]) {
    let output = Command::new("xmlsec1").args(arguments).current_dir(folder).output();
    let output = output.expect("xmlsec1 (Debian: xmlsec1) judges this test");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn we_decrypt_what_xmlsec1_encrypts() {
    let folder = tempfile::tempdir().unwrap();
    pem_of_bob(folder.path());
    std::fs::write(folder.path().join("plain.xml"), "<inhalt>äöü</inhalt>").unwrap();
    for (cipher, session, transport, policy) in [
        ("http://www.w3.org/2009/xmlenc11#aes256-gcm", "aes-256", "rsa-oaep-mgf1p", policy()),
        ("http://www.w3.org/2009/xmlenc11#aes128-gcm", "aes-128", "rsa-oaep-mgf1p", policy()),
        ("http://www.w3.org/2001/04/xmlenc#aes192-cbc", "aes-192", "rsa-oaep-mgf1p", policy()),
        ("http://www.w3.org/2001/04/xmlenc#tripledes-cbc", "des-192", "rsa-1_5", legacy()),
        ("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "aes-256", "rsa-1_5", legacy()),
    ] {
        let template = format!(
            "<EncryptedData xmlns='http://www.w3.org/2001/04/xmlenc#' Type='http://www.w3.org/2001/04/xmlenc#Element'>\
             <EncryptionMethod Algorithm='{cipher}'/><KeyInfo xmlns='http://www.w3.org/2000/09/xmldsig#'>\
             <EncryptedKey xmlns='http://www.w3.org/2001/04/xmlenc#'>\
             <EncryptionMethod Algorithm='http://www.w3.org/2001/04/xmlenc#{transport}'/>\
             <KeyInfo xmlns='http://www.w3.org/2000/09/xmldsig#'><X509Data><X509Certificate/></X509Data></KeyInfo>\
             <CipherData><CipherValue/></CipherData></EncryptedKey></KeyInfo>\
             <CipherData><CipherValue/></CipherData></EncryptedData>"
        );
        std::fs::write(folder.path().join("template.xml"), template).unwrap();
        let session = ["--session-key", session];
        let files = [
            "--output",
            "out.xml",
            "--pubkey-cert-pem",
            "bob.crt",
            "--xml-data",
            "plain.xml",
            "template.xml",
        ];
        xmlsec1(folder.path(), &[&["--encrypt"], &session[..], &files[..]].concat());
        let xml = std::fs::read(folder.path().join("out.xml")).unwrap();
        let mut reader = at_encrypted_data(&xml).unwrap();
        let data = EncryptedData::read(&mut reader).unwrap();
        let key = data.keys[0].open(&policy, bob(), data.cipher).unwrap();
        // XML Encryption's own length, which xmlsec1 need not say.
        let mut decryptor = Decryptor::new(&policy, data.cipher, GCM_IV_BYTES, key, staging()).unwrap();
        copy_value(&mut reader, &mut decryptor).unwrap();
        let opened = bytes_of(&decryptor.finish().unwrap());
        assert_eq!(String::from_utf8(opened).unwrap(), "<inhalt>äöü</inhalt>", "{cipher}");
    }
}

/// xmlsec1 1.2 knows only OAEP over SHA-1, so the openssl program opens the key for it.
#[test]
fn xmlsec1_decrypts_what_we_encrypt() {
    let folder = tempfile::tempdir().unwrap();
    pem_of_bob(folder.path());
    for (cipher, hash, options) in [
        (GCM[0], OaepHash::Sha256, "-pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256"),
        (GCM[2], OaepHash::Sha512, "-pkeyopt rsa_oaep_md:sha512 -pkeyopt rsa_mgf1_md:sha512"),
    ] {
        let xml = String::from_utf8(encrypted(b"binary \x00\xff content", cipher, 12, hash)).unwrap();
        let data = EncryptedData::read(&mut at_encrypted_data(xml.as_bytes()).unwrap()).unwrap();
        std::fs::write(folder.path().join("wrapped"), &data.keys[0].wrapped).unwrap();
        let open = "pkeyutl -decrypt -inkey bob.pem -in wrapped -out key -pkeyopt rsa_padding_mode:oaep";
        openssl(folder.path(), &format!("{open} {options}"));
        let (head, rest) = xml.split_once("<ds:KeyInfo>").unwrap();
        let (head, tail) =
            (head.split_once("<osci128").unwrap().0, rest.rsplit_once("</ds:KeyInfo>").unwrap().1);
        let bare = format!("{head}</xenc:EncryptionMethod>{tail}");
        std::fs::write(folder.path().join("in.xml"), bare).unwrap();
        xmlsec1(folder.path(), &["--decrypt", "--output", "out", "--aeskey", "key", "in.xml"]);
        assert_eq!(
            std::fs::read(folder.path().join("out")).unwrap(),
            b"binary \x00\xff content",
            "{cipher:?}"
        );
    }
}

fn java(folder: &Path, arguments: &[&str]) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java/Encryption.java");
    let mut command = Command::new("java");
    command.arg("-XX:TieredStopAtLevel=1").arg(program).args(arguments).current_dir(folder);
    let output = command.output().expect("java (Debian: default-jdk-headless) judges this test");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_jdk_decrypts_what_we_encrypt() {
    let folder = tempfile::tempdir().unwrap();
    let key = corpus("TEST-ONLY/bob_cipher.p12");
    let content: Vec<u8> = (0..100_000_u32).map(|n| (n % 253) as u8).collect();
    let cases = [
        (GCM[0], GCM_IV_BYTES, OaepHash::Sha256),
        (GCM[1], GCM_OLD_IV_BYTES, OaepHash::Sha256),
        (GCM[2], GCM_IV_BYTES, OaepHash::Sha512),
    ];
    for (name, (cipher, iv_bytes, hash)) in ["0", "1", "2"].iter().zip(cases) {
        std::fs::write(folder.path().join(name), encrypted(&content, cipher, iv_bytes, hash)).unwrap();
    }
    java(folder.path(), &["decrypt", key.to_str().unwrap(), "123456", "0", "1", "2"]);
    for name in ["0.plain", "1.plain", "2.plain"] {
        assert!(std::fs::read(folder.path().join(name)).unwrap() == content, "{name}");
    }
}

#[test]
fn we_decrypt_what_the_jdk_encrypts() {
    let folder = tempfile::tempdir().unwrap();
    let key = corpus("TEST-ONLY/bob_cipher.p12");
    std::fs::write(folder.path().join("in"), "Inhalt äöü".repeat(1_000)).unwrap();
    for (cipher, hash, iv_bytes) in
        [("aes256-gcm", "SHA-256", "12"), ("aes128-gcm", "SHA-512", "16"), ("aes256-cbc", "SHA-384", "16")]
    {
        java(
            folder.path(),
            &["encrypt", key.to_str().unwrap(), "123456", "in", "out", cipher, hash, iv_bytes],
        );
        let opened = decrypted(&policy(), &std::fs::read(folder.path().join("out")).unwrap(), bob()).unwrap();
        assert!(opened == std::fs::read(folder.path().join("in")).unwrap(), "{cipher} {hash}");
    }
}
