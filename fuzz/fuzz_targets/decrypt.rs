//! Anything as something encrypted (src/seal, XML Encryption 1.1): a whole package for a key of the corpus, an
//! `EncryptedData`, or bare ciphertext. Nothing panics, nothing depends on how the input is cut, what we encrypt we decrypt,
//! and of what was changed afterwards nothing is given out.
#![no_main]

use std::io::{BufRead, Read, Write};
use std::path::Path;
use std::sync::OnceLock;

use amtsbote_fuzz::{Slow, slow, steps};
use libfuzzer_sys::fuzz_target;
use osci::transport::{self, Limits};
use seal::algorithm::{BlockCipher, Policy};
use seal::identity::Identity;
use seal::xmlenc::{
    CipherSource, ContentKey, Decryptor, EncryptedData, Encryptor, Plaintext, Staging, copy_value,
};
use xml::{Event, Reader};

const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
const CIPHERS: [BlockCipher; 7] = [
    BlockCipher::Aes128Gcm,
    BlockCipher::Aes192Gcm,
    BlockCipher::Aes256Gcm,
    BlockCipher::Aes128Cbc,
    BlockCipher::Aes192Cbc,
    BlockCipher::Aes256Cbc,
    BlockCipher::TripleDesCbc,
];

/// The intermediary's key pair of the corpus.
fn identities() -> &'static [Identity] {
    static IDENTITIES: OnceLock<Vec<Identity>> = OnceLock::new();
    IDENTITIES.get_or_init(|| {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples/osci/TEST-ONLY");
        let file =
            std::fs::read(keys.join("intermed_cipher.p12")).expect("../shared stands beside the project");
        vec![Identity::from_pkcs12(&file, "123456").unwrap()]
    })
}

fn policy() -> Policy {
    Policy::default().with_legacy()
}

fn staging() -> Staging {
    Staging::new(1 << 20, 1 << 20)
}

fn bytes_of(plain: &Plaintext) -> Vec<u8> {
    let mut bytes = Vec::new();
    plain.open().read_to_end(&mut bytes).unwrap();
    bytes
}

/// A content key of 01 02 03 …, which has no other way in than to be read.
fn key(cipher: BlockCipher) -> ContentKey {
    use base64::Engine as _;
    let bytes: Vec<u8> = (1..).take(cipher.key_bytes()).collect();
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let document = format!(
        "<EncryptedData xmlns='{XENC}'><EncryptionMethod Algorithm='{}'/><k:KeyInfo \
         xmlns:k='http://www.w3.org/2000/09/xmldsig#'><k:MgmtData>{text}</k:MgmtData></k:KeyInfo>\
         <CipherData><CipherReference URI='cid:x'/></CipherData></EncryptedData>",
        cipher.uri()
    );
    let mut reader = Reader::new(document.as_bytes(), xml::Limits::default());
    reader.next().unwrap();
    EncryptedData::read(&mut reader).unwrap().raw_key.unwrap()
}

type Outcome = Result<Vec<u8>, String>;

/// A package, and who reads it.
fn package(input: impl Read) -> Outcome {
    let limits = Limits { package: 1 << 20, xml: 1 << 20, parts: 100, memory: 1 << 20, ..Limits::default() };
    match transport::open(input, identities(), &policy(), &limits) {
        Ok(opened) => Ok(bytes_of(&opened.package)),
        Err(osci::Error::Refused(code)) => Err(code.to_string()),
        Err(error) => panic!("{error:?}"),
    }
}

/// The first `EncryptedData` of a document, under the key that it brings or one that everybody knows.
fn document(input: impl BufRead) -> seal::Result<Vec<u8>> {
    let mut reader = Reader::new(input, xml::Limits::default());
    loop {
        match reader.next()? {
            Event::Start(start) if start.is(XENC, "EncryptedData") => break,
            Event::Eof => return Ok(Vec::new()),
            _ => {}
        }
    }
    let data = EncryptedData::read(&mut reader)?;
    let key = data.raw_key.unwrap_or_else(|| key(data.cipher));
    let mut decryptor = Decryptor::new(&policy(), data.cipher, data.iv_bytes.unwrap_or(16), key, staging())?;
    if data.source == CipherSource::Value {
        copy_value(&mut reader, &mut decryptor)?;
    }
    decryptor.finish().map(|plain| bytes_of(&plain))
}

fn ciphertext(cipher: BlockCipher, iv_bytes: usize, input: &[u8], step: usize) -> seal::Result<Vec<u8>> {
    let mut decryptor = Decryptor::new(&policy(), cipher, iv_bytes, key(cipher), staging())?;
    input.chunks(step).try_for_each(|piece| decryptor.update(piece))?;
    decryptor.finish().map(|plain| bytes_of(&plain))
}

/// Encrypts the input, and then changes it where the input says.
fn there_and_back(cipher: BlockCipher, iv_bytes: usize, input: &[u8], place: usize) {
    let mut encryptor = Encryptor::new(&policy(), cipher, iv_bytes, &key(cipher), Vec::new()).unwrap();
    encryptor.write_all(input).unwrap();
    let mut sealed = encryptor.finish().unwrap();
    assert_eq!(ciphertext(cipher, iv_bytes, &sealed, 1_021).unwrap(), input);
    let place = place % sealed.len();
    sealed[place] ^= 1 << (place % 8);
    let changed = ciphertext(cipher, iv_bytes, &sealed, 4_096);
    assert!(matches!(changed, Err(seal::Error::Decrypt)), "{changed:?}");
    sealed[place] ^= 1 << (place % 8);
    let cut = ciphertext(cipher, iv_bytes, &sealed[..place], 4_096);
    assert!(matches!(cut, Err(seal::Error::Decrypt)), "{cut:?}");
}

fn words(outcome: seal::Result<Vec<u8>>) -> Outcome {
    outcome.map_err(|error| error.to_string())
}

fuzz_target!(|input: &[u8]| {
    match input {
        [b'M', ..] => {
            let outcome = package(input);
            if let Some(step) = steps(input).last() {
                assert_eq!(outcome, package(Slow(input, *step)));
            }
        }
        [b'<', ..] => {
            let outcome = words(document(input));
            for step in steps(input) {
                assert_eq!(outcome, words(document(slow(input, *step))));
            }
        }
        [choice, place, rest @ ..] => {
            let cipher = CIPHERS[usize::from(choice % 7)];
            let iv_bytes = if choice & 0x80 == 0 { 12 } else { 16 };
            let outcome = words(ciphertext(cipher, iv_bytes, rest, 4_096));
            for step in steps(rest) {
                assert_eq!(outcome, words(ciphertext(cipher, iv_bytes, rest, *step)));
            }
            if cipher.is_authenticated() {
                there_and_back(cipher, iv_bytes, rest, usize::from(*place));
            }
        }
        _ => {}
    }
});
