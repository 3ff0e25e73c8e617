//! Probing (Bleichenbacher 1998, Manger 2001, Vaudenay 2002, Jager and Somorovsky 2011): whoever changes keys and
//! ciphertexts of an order that he caught gets one and the same answer, byte for byte, and learns nothing.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::rsa::{Padding, Rsa};
use openssl::symm::{Cipher, encrypt_aead};
use openssl::x509::X509;
use osci::client::NewOrder;
use osci::code::Code;
use osci::names::Kind;
use osci::recipient::Recipient;
use osci::transport::Limits;
use seal::algorithm::Policy;

use super::forge::{NOW, codes, declarations};
use super::keys::aes256_cbc;
use crate::bed::{certificate, identity, intermediary};
use crate::memory::Memory;
use crate::people::{Person, all};

const RSA15: &str = "http://www.w3.org/2001/04/xmlenc#rsa-1_5";
const OAEP: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
const GCM: &str = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
const CBC: &str = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
const KEY: [u8; 32] = [5; 32];

/// An envelope of encryption, made by hand.
#[derive(Clone)]
struct Forged {
    transport: &'static str,
    cipher: &'static str,
    wrapped: Vec<u8>,
    sealed: Vec<u8>,
}

/// An answer, and how much of the request was read for it.
type Told = (Vec<u8>, u64);

impl Forged {
    fn of(transport: &'static str, cipher: &'static str, package: &[u8]) -> Self {
        let wrapped = wrap(&KEY, if transport == RSA15 { Padding::PKCS1 } else { Padding::PKCS1_OAEP });
        let sealed = if cipher == CBC { aes256_cbc(&KEY, &[8; 16], package) } else { gcm(package) };
        Forged { transport, cipher, wrapped, sealed }
    }

    fn package(&self) -> Vec<u8> {
        let certificate = STANDARD.encode(certificate("intermed_cipher").der());
        let iv = "<i:IvLength xmlns:i=\"http://xoev.de/transport/osci12/8\" Value=\"12\"></i:IvLength>";
        let head = format!(
            "MIME-Version: 1.0\r\nContent-Type: Multipart/Related; boundary=b; type=text/xml\r\n\r\n--b\r\n\
             Content-Type: text/xml; charset=UTF-8\r\nContent-ID: <osci@message>\r\n\r\n\
             <soap:Envelope{} xsi:schemaLocation=\"{}\"><soap:Body><xenc:EncryptedData>\
             <xenc:EncryptionMethod Algorithm=\"{}\">{iv}</xenc:EncryptionMethod><ds:KeyInfo><xenc:EncryptedKey>\
             <xenc:EncryptionMethod Algorithm=\"{}\"></xenc:EncryptionMethod><ds:KeyInfo><ds:X509Data>\
             <ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo><xenc:CipherData>\
             <xenc:CipherValue>{}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>\
             <xenc:CipherData><xenc:CipherReference URI=\"cid:osci_enc\"></xenc:CipherReference></xenc:CipherData>\
             </xenc:EncryptedData></soap:Body></soap:Envelope>\r\n--b\r\nContent-Type: application/octet-stream\r\n\
             Content-Transfer-Encoding: binary\r\nContent-ID: <osci_enc>\r\n\r\n",
            declarations(),
            Kind::Encrypted.schema_location(),
            self.cipher,
            self.transport,
            STANDARD.encode(&self.wrapped)
        );
        [head.as_bytes(), &self.sealed, b"\r\n--b--\r\n"].concat()
    }

    /// What a fresh intermediary, whose random bytes are always the same, says to it.
    fn told(&self) -> Told {
        let at = intermediary(Policy::default().with_legacy(), Memory::at(NOW));
        let (package, read) = (self.package(), Cell::new(0));
        let counted = Counted { input: &package, read: &read };
        let answer = all(&at.answer(counted).unwrap());
        (answer, package.len() as u64 - read.get())
    }
}

/// Gives a little at a time, and counts it.
struct Counted<'a> {
    input: &'a [u8],
    read: &'a Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let room = target.len().min(256);
        let count = self.input.read(&mut target[..room])?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

fn public() -> Rsa<openssl::pkey::Public> {
    let certificate = X509::from_der(certificate("intermed_cipher").der()).unwrap();
    certificate.public_key().unwrap().rsa().unwrap()
}

fn wrap(block: &[u8], padding: Padding) -> Vec<u8> {
    let key = public();
    let mut wrapped = vec![0; key.size() as usize];
    key.public_encrypt(block, &mut wrapped, padding).unwrap();
    wrapped
}

fn gcm(package: &[u8]) -> Vec<u8> {
    let (iv, mut tag) = ([8; 12], [0; 16]);
    let sealed = encrypt_aead(Cipher::aes_256_gcm(), &KEY, Some(&iv), &[], package, &mut tag).unwrap();
    [&iv[..], &sealed, &tag].concat()
}

/// An order that alice signed, in the clear.
fn order() -> Vec<u8> {
    let alice = Person::of("alice");
    let client = alice.in_the_clear();
    all(&client.order(None, &NewOrder::GetMessageId, Default::default(), None).unwrap().package)
}

fn flip(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1 << (at % 8);
    changed
}

/// Changed, wrongly padded, too short, too long and well padded blocks of RSA.
fn blocks(good: &[u8]) -> Vec<Vec<u8>> {
    let size = good.len();
    let mut blocks: Vec<Vec<u8>> = (0..size).step_by(9).map(|at| flip(good, at)).collect();
    blocks.extend([vec![], vec![0], vec![0; size], vec![1; size], vec![0xff; size], vec![0; size + 1]]);
    blocks.extend([good[1..].to_vec(), [good, &[0]].concat(), [&[0], good].concat()]);
    for length in [0, 1, 16, 24, 31, 33, 64] {
        blocks.push(wrap(&vec![5; length], Padding::PKCS1));
        blocks.push(wrap(&vec![5; length], Padding::PKCS1_OAEP));
    }
    blocks.extend([wrap(&[6; 32], Padding::PKCS1), wrap(&[6; 32], Padding::PKCS1_OAEP)]);
    // Nearly 00 02 … 00 key, with one byte that is another: where Bleichenbacher and Manger look.
    for (index, byte) in
        [(1, 1), (1, 0), (1, 3), (2, 0), (9, 0), (10, 0), (size - 34, 0), (size - 33, 1), (0, 0)]
    {
        let mut block = vec![3; size];
        (block[0], block[1], block[size - 33]) = (0, 2, 0);
        block[size - 32..].fill(6);
        block[index] = byte;
        blocks.push(wrap(&block, Padding::NONE));
    }
    blocks
}

/// The one answer to all of them, which is a fault with this code.
fn one_answer(all: impl IntoIterator<Item = Told>) -> Told {
    let answers: BTreeSet<Told> = all.into_iter().collect();
    let said: Vec<_> = answers.iter().map(|(answer, read)| (codes(answer), answer.len(), *read)).collect();
    assert_eq!(answers.len(), 1, "{said:?}");
    let told = answers.into_iter().next().unwrap();
    assert_eq!(codes(&told.0), ["9202"]);
    told
}

#[test]
fn an_order_sealed_by_hand_is_answered() {
    for (transport, cipher) in [(RSA15, GCM), (OAEP, GCM), (RSA15, CBC), (OAEP, CBC)] {
        let (answer, _) = Forged::of(transport, cipher, &order()).told();
        assert!(codes(&answer).is_empty(), "encrypted: {transport} {cipher}");
    }
}

#[test]
fn whatever_is_wrong_with_a_key_of_rsa_1_5_is_told_like_a_wrong_ciphertext() {
    let good = Forged::of(RSA15, GCM, &order());
    let blocks = blocks(&good.wrapped).into_iter().map(|wrapped| Forged { wrapped, ..good.clone() }.told());
    let of_keys = one_answer(blocks);
    let middle = good.sealed.len() / 2;
    let of_ciphertext = Forged { sealed: flip(&good.sealed, middle), ..good.clone() }.told();
    assert_eq!(of_keys, of_ciphertext);
}

#[test]
fn whatever_is_wrong_with_a_key_of_oaep_is_told_alike() {
    let good = Forged::of(OAEP, GCM, &order());
    let blocks = blocks(&good.wrapped).into_iter().map(|wrapped| Forged { wrapped, ..good.clone() }.told());
    let (answer, _) = one_answer(blocks.map(|(answer, _)| (answer, 0)));
    let middle = good.sealed.len() / 2;
    assert_eq!(answer, Forged { sealed: flip(&good.sealed, middle), ..good.clone() }.told().0);
}

#[test]
fn a_wrapped_key_without_its_leading_zero_is_none() {
    // The same number, but not the length that RFC 8017 (7.1.2, step 1b) demands.
    for (transport, padding) in [(OAEP, Padding::PKCS1_OAEP), (RSA15, Padding::PKCS1)] {
        let whole = std::iter::repeat_with(|| wrap(&KEY, padding)).find(|wrapped| wrapped[0] == 0).unwrap();
        let good = Forged { wrapped: whole, ..Forged::of(transport, GCM, &order()) };
        assert!(codes(&good.told().0).is_empty(), "encrypted: {transport}");
        let shorter = Forged { wrapped: good.wrapped[1..].to_vec(), ..good.clone() };
        let longer = Forged { wrapped: [&[0], &good.wrapped[..]].concat(), ..good.clone() };
        for forged in [shorter, longer] {
            assert_eq!(codes(&forged.told().0), ["9202"], "{transport}");
        }
    }
}

#[test]
fn whatever_is_wrong_with_the_ciphertext_or_its_tag_is_told_alike() {
    let good = Forged::of(OAEP, GCM, &order());
    let length = good.sealed.len();
    let changed = (0..length).step_by(97).chain(length - 16..length).map(|at| flip(&good.sealed, at));
    let changed = changed.map(|sealed| Forged { sealed, ..good.clone() }.told());
    one_answer(changed);
    // What is cut off reads less, but is told no other way.
    let cut = [0, 1, 12, 27, 28, length - 16, length - 1].map(|at| good.sealed[..at].to_vec());
    let longer = [&good.sealed[..], &[0]].concat();
    let cut = cut.into_iter().chain([longer]).map(|sealed| (Forged { sealed, ..good.clone() }.told().0, 0));
    one_answer(cut);
}

#[test]
fn under_a_cipher_without_a_tag_padding_and_content_are_not_told_apart() {
    let good = Forged::of(OAEP, CBC, &order());
    let length = good.sealed.len();
    // Behind the MIME headers, of which some do not count and may be changed.
    let changed = (1_000..length).step_by(61).chain(length - 32..length).map(|at| flip(&good.sealed, at));
    // Whole blocks taken away: what is left is well padded once in a while, and always no order.
    let cut = (32..length).step_by(16).rev().take(40).map(|at| good.sealed[..at].to_vec());
    let garbage = (0..40_u8).map(|byte| aes256_cbc(&KEY, &[byte; 16], &[byte; 100]));
    let others = [
        &b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\n\r\n<x/>\r\n--b--\r\n"[..],
        b"MIME-Version: 1.0\r\n\r\n",
        b"",
    ];
    let others = others.map(|package| aes256_cbc(&KEY, &[8; 16], package));
    let all = changed.chain(cut).chain(garbage).chain(others);
    let told = all.map(|sealed| (Forged { sealed, ..good.clone() }.told().0, 0));
    one_answer(told);
}

#[test]
fn under_a_cipher_without_a_tag_only_a_signature_makes_an_order() {
    let text = String::from_utf8(order()).unwrap();
    let unsigned = super::forge::stripped(&text);
    let changed = text.replace("LanguagesList=\"de en\"", "LanguagesList=\"de\"");
    let other_kind = text.replace("soapGetMessageId.xsd", "soapNothing.xsd");
    for package in [unsigned, changed, other_kind] {
        assert_ne!(package, text);
        one_answer([Forged::of(OAEP, CBC, package.as_bytes()).told()]);
    }
}

#[test]
fn under_a_cipher_without_a_tag_nothing_may_stand_behind_an_order() {
    // With it, blocks of another ciphertext at the end would tell whether they are well padded (Vaudenay).
    let order = order();
    for behind in [&b"x"[..], b"\r\n", b"0123456789abcdef"] {
        let longer = [&order[..], behind].concat();
        one_answer([Forged::of(OAEP, CBC, &longer).told()]);
        assert!(codes(&Forged::of(OAEP, GCM, &longer).told().0).is_empty(), "a tag is enough");
    }
    let good = Forged::of(OAEP, CBC, &order);
    let target = good.sealed[160..176].to_vec();
    let told = (0..64_u8).map(|guess| {
        let mut before = [7; 16];
        before[15] = guess.wrapping_mul(4);
        let sealed = [&good.sealed[..], &before, &target].concat();
        (Forged { sealed, ..good.clone() }.told().0, 0)
    });
    one_answer(told);
}

#[test]
fn the_old_transport_of_keys_is_refused_alike_where_it_is_not_allowed() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let good = Forged::of(RSA15, GCM, &order());
    let changed =
        blocks(&good.wrapped).into_iter().step_by(10).map(|wrapped| Forged { wrapped, ..good.clone() });
    for forged in std::iter::once(good.clone()).chain(changed) {
        assert_eq!(codes(&all(&at.answer(&forged.package()[..]).unwrap())), ["9202"]);
    }
}

#[test]
fn a_passive_recipient_does_not_tell_padding_from_content_either() {
    let (cipher, signer) = ([identity("intermed_cipher")], identity("bob_signature"));
    let recipient = Recipient {
        cipher: &cipher,
        signer: &signer,
        method: crate::people::METHOD,
        intermediaries: &[],
        policy: Policy::default(),
        limits: Limits::default(),
        random: &|| [9; 24],
    };
    let good = Forged::of(OAEP, CBC, &order());
    let garbage = (0..20_u8).map(|byte| aes256_cbc(&KEY, &[byte; 16], &[byte; 100]));
    let cut = (32..good.sealed.len()).step_by(160).map(|at| good.sealed[..at].to_vec());
    // That it is no order for him is told only under a signature, which this one is not.
    for sealed in garbage.chain(cut).chain([good.sealed.clone()]) {
        let taken = recipient.take(&Forged { sealed, ..good.clone() }.package()[..]);
        assert!(matches!(taken, Err(osci::Error::Refused(Code::NOT_DECRYPTED))), "{taken:?}");
    }
}
