//! XML Encryption: what we make, what we read, what we refuse, and how much memory it takes.

use std::io::{Read, Seek, Write};

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
    osci::{at_encrypted_data, bytes_of, certificate, identity, open_value, staging},
};

pub(crate) const GCM: [BlockCipher; 3] =
    [BlockCipher::Aes128Gcm, BlockCipher::Aes192Gcm, BlockCipher::Aes256Gcm];

pub(crate) fn policy() -> Policy {
    Policy::default()
}

pub(crate) fn legacy() -> Policy {
    Policy::default().with_legacy()
}

/// An EncryptedData of ours for bob.
pub(crate) fn encrypted(content: &[u8], cipher: BlockCipher, iv_bytes: usize, hash: OaepHash) -> Vec<u8> {
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
pub(crate) fn decrypted(policy: &Policy, xml: &[u8], identity: &Identity) -> Result<Vec<u8>> {
    let mut reader = at_encrypted_data(xml).unwrap();
    let data = EncryptedData::read(&mut reader)?;
    let key = data.keys[0].open(policy, identity, data.cipher)?;
    open_value(policy, &mut reader, &data, key)
}

pub(crate) fn bob() -> &'static Identity {
    static BOB: std::sync::LazyLock<Identity> = std::sync::LazyLock::new(|| identity("bob_cipher"));
    &BOB
}

pub(crate) fn wrap(key: &[u8], padding: Padding) -> Vec<u8> {
    let public = PKey::public_key_from_der(&bob_public()).unwrap().rsa().unwrap();
    let mut wrapped = vec![0; public.size() as usize];
    public.public_encrypt(key, &mut wrapped, padding).unwrap();
    wrapped
}

fn bob_public() -> Vec<u8> {
    let x509 = openssl::x509::X509::from_der(certificate("bob_cipher").der()).unwrap();
    x509.public_key().unwrap().public_key_to_der().unwrap()
}

pub(crate) fn sealed_gcm(key: &[u8; 32], content: &[u8]) -> Vec<u8> {
    let (iv, mut tag) = ([7; 12], [0; 16]);
    let body = encrypt_aead(Cipher::aes_256_gcm(), key, Some(&iv), &[], content, &mut tag).unwrap();
    [&iv[..], &body, &tag].concat()
}

pub(crate) fn rsa_key() -> EncryptedKey {
    EncryptedKey {
        transport: KeyTransport::RsaOaepMgf1p,
        digest: DigestMethod::Sha1,
        mask: DigestMethod::Sha1,
        label: Vec::new(),
        receiver: Receiver::Unnamed,
        wrapped: Vec::new(),
    }
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
        let content: Vec<u8> = (0..length as u32).map(|n| (n >> 2) as u8).collect();
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
    for _ in 0..3 {
        reader.next().unwrap();
    }
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

/// Peak of the process' memory in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

/// An EncryptedData for bob with its ciphertext inside, in a file.
fn encrypted_file(megabytes: u32) -> std::fs::File {
    let key = ContentKey::random(GCM[2]).unwrap();
    let file = tempfile::tempfile().unwrap();
    let mut encryptor = Encryptor::new(&policy(), GCM[2], 12, &key, file).unwrap();
    let piece: Vec<u8> = (0..1_u32 << 20).map(|n| (n >> 3) as u8).collect();
    (0..megabytes).for_each(|_| encryptor.write_all(&piece).unwrap());
    let mut sealed = encryptor.finish().unwrap();
    let bob = certificate("bob_cipher");
    let keys = [key.wrap(&policy(), &bob, OaepHash::Sha256, Receiver::Unnamed).unwrap()];
    let (cipher, declares) = (GCM[2], true);
    let head =
        DataWriter { id: None, mime_type: None, cipher, iv_bytes: 12, keys: &keys, raw_key: None, declares };
    sealed.rewind().unwrap();
    let mut value = head.with_value(tempfile::tempfile().unwrap()).unwrap();
    std::io::copy(&mut sealed, &mut value).unwrap();
    let mut document = value.finish().unwrap();
    document.rewind().unwrap();
    document
}

#[test]
#[ignore = "long campaign: 300 MB; run it alone, since the memory of other tests would be counted"]
fn memory_stays_flat_with_300_mb_of_content() {
    let document = encrypted_file(300);
    let (before, begun) = (peak_memory(), std::time::Instant::now());
    let mut reader = Reader::new(std::io::BufReader::new(document), xml::Limits::default());
    reader.next().unwrap();
    let data = EncryptedData::read(&mut reader).unwrap();
    let key = data.keys[0].open(&policy(), bob(), data.cipher).unwrap();
    let mut decryptor = Decryptor::new(&policy(), data.cipher, 12, key, staging()).unwrap();
    copy_value(&mut reader, &mut decryptor).unwrap();
    let plain = decryptor.finish().unwrap();
    let grown = peak_memory() - before;
    println!("300 MB in {:?}, {grown} KiB more", begun.elapsed());
    assert_eq!(plain.length(), 300 << 20);
    assert!(grown < 8 * 1024, "{grown} KiB more");
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
    let end = good.find("</xenc:EncryptedKey>").unwrap() + "</xenc:EncryptedKey>".len();
    let key = &good[good.find("<xenc:EncryptedKey>").unwrap()..end];
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
