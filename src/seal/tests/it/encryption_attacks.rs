//! Attackers against XML Encryption: they change keys and ciphertexts, and must learn nothing from the answers.

use std::collections::BTreeSet;

use openssl::{
    rsa::Padding,
    symm::{Cipher, Crypter, Mode},
};
use seal::{
    Result,
    algorithm::{BlockCipher, DigestMethod, KeyTransport},
    xmlenc::{Decryptor, EncryptedKey, Receiver},
};

use crate::{
    encryption::{bob, legacy, policy, rsa_key, sealed_gcm, wrap},
    osci::{bytes_of, staging},
};

const FAILED: &str = "the encrypted data cannot be decrypted";

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

fn forged(transport: KeyTransport) -> Forged {
    let padding = if transport == KeyTransport::Rsa15 { Padding::PKCS1 } else { Padding::PKCS1_OAEP };
    let (cipher, wrapped) = (BlockCipher::Aes256Gcm, wrap(&[9; 32], padding));
    Forged { cipher, transport, wrapped, sealed: sealed_gcm(&[9; 32], b"content") }
}

/// Blocks that are nearly 00 02 … 00 key (RFC 8017 section 7.2.1): one byte is another.
fn nearly_right(size: usize) -> Vec<Vec<u8>> {
    let changes = [(1, 1), (1, 0), (2, 0), (9, 0), (size - 34, 0), (size - 33, 1)];
    let block = |(index, byte): (usize, u8)| {
        let mut block = vec![3; size];
        (block[0], block[1], block[size - 33]) = (0, 2, 0);
        block[size - 32..].fill(9);
        block[index] = byte;
        wrap(&block, Padding::NONE)
    };
    changes.into_iter().map(block).collect()
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
        probes.extend(nearly_right(size));
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
        // The same each time: else, under a cipher without a tag, repeating a message would tell that its key is wrong.
        assert!(open(probe).unwrap() == open(probe).unwrap());
        assert!(open(probe).unwrap() != open(&flip(probe, 7)).unwrap());
    }
    let strict = EncryptedKey { wrapped: good.wrapped, transport: KeyTransport::Rsa15, ..rsa_key() };
    assert_eq!(
        strict.open(&policy(), bob(), BlockCipher::Aes256Gcm).unwrap_err().code(),
        "algorithm.forbidden"
    );
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
    let mut crypter = Crypter::new(own, Mode::Encrypt, &key, Some(&iv)).unwrap();
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
