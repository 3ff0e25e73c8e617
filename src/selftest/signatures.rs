//! Signatures, encryption and time stamps, each made or taken from `vectors` and judged both ways: what is right is taken, what was changed
//! is refused. The keys in `vectors` were made for this and are worth nothing; the time stamp comes from `openssl ts`.
//!
//! XML Signature 1.1, XML Encryption 1.1, JOSE (RFC 7515, 7516), RSASSA-PSS and RSAES-OAEP (RFC 8017), ECDSA on a curve of Brainpool
//! (RFC 5639), time stamps (RFC 3161).

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use seal::algorithm::{BlockCipher, DigestMethod, Policy, SignatureMethod};
use seal::identity::Identity;
use seal::jose::{self, Jws, PrivateKey, Protected};
use seal::timestamp::{self, Authorities};
use seal::xmldsig::{Key, NewReference, OutsideDigests, Signing, Survey, Target, Transform, Verifier};
use seal::xmlenc::{ContentKey, Decryptor, Encryptor, GCM_IV_BYTES, OaepHash, Receiver, Staging};
use xml::{Form, Limits};

use crate::error::Error;
use crate::selftest::Check;

const RSA: &[u8] = include_bytes!("vectors/rsa.p12");
const BRAINPOOL: &[u8] = include_bytes!("vectors/brainpool.p12");
/// A private JWK for RSA-OAEP-256, with the id `c`. Making one takes seconds.
const JWK: &[u8] = include_bytes!("vectors/oaep.jwk");
const STAMP: &[u8] = include_bytes!("vectors/stamp.tsr");
const STAMP_CA: &[u8] = include_bytes!("vectors/tsa-ca.pem");

/// What is signed, encrypted and stamped.
const DATA: &[u8] = b"amtsbote selftest";
const PSS: &str = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1";
const ECDSA: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// Most bytes of anything here.
const MOST: usize = 65_536;

/// What is checked, and whether it holds.
type Trial = (&'static str, fn() -> Result<bool, Error>);

/// Whether both what is right and what was changed are judged as they have to be.
type Judge = fn() -> Result<bool, Error>;

/// All of it.
pub(super) fn run() -> Vec<Check> {
    let checks: [Trial; 7] = [
        ("RSASSA-PSS", || raw(RSA, PSS)),
        ("ECDSA on Brainpool", || raw(BRAINPOOL, ECDSA)),
        ("XML signature", xml_signature),
        ("XML encryption with AES-GCM and RSA-OAEP", xml_encryption),
        ("what does not open has one answer", one_answer),
        ("JOSE: signed and encrypted", tokens),
        ("time stamp", stamp),
    ];
    checks.into_iter().map(|(name, check)| made(name, check)).collect()
}

fn made(name: &'static str, check: Judge) -> Check {
    let begin = Instant::now();
    let outcome = check();
    Check::of(name, outcome, begin.elapsed())
}

/// A signature over bytes, and over others.
fn raw(pkcs12: &[u8], method: &str) -> Result<bool, Error> {
    let (identity, policy) = (Identity::from_pkcs12(pkcs12, "selftest")?, Policy::default());
    let method = SignatureMethod::from_uri(method)?;
    let value = identity.sign(&policy, method, DATA)?;
    let certificate = identity.certificate();
    let is_right = certificate.verify(&policy, method, DATA, &value)?;
    Ok(is_right && !certificate.verify(&policy, method, b"amtsbote selftesT", &value)?)
}

/// An element that is signed by its id, within its document, and the same with another content.
fn xml_signature() -> Result<bool, Error> {
    let identity = Identity::from_pkcs12(BRAINPOOL, "selftest")?;
    let form = Form::from_uri(EXCLUSIVE).ok_or(Error::Selftest("XML signature"))?;
    let document = r#"<a><b Id="b">text</b></a>"#;
    let reference = NewReference {
        target: Target::Element("b".to_owned()),
        transforms: vec![Transform::Canonical(form.clone())],
        digest: DigestMethod::Sha256,
        library_form: false,
    };
    let signing = Signing {
        key: identity.key(),
        method: SignatureMethod::from_uri(ECDSA)?,
        canonicalization: form,
        references: &[reference],
        key_info: "",
        scope: &[],
        id: None,
    };
    let survey = Survey::read(document.as_bytes(), Limits::default())?;
    let signature = signing.sign(&survey, document.as_bytes())?;
    let signed = document.replace("</a>", &format!("{signature}</a>"));
    let changed = signed.replace(">text<", ">Text<");
    let key = Key::Certificate(identity.certificate().clone());
    Ok(covers_an_element(&signed, &key)? && !covers_an_element(&changed, &key)?)
}

/// Whether the document's first signature holds.
fn covers_an_element(document: &str, key: &Key) -> Result<bool, Error> {
    let survey = Survey::read(document.as_bytes(), Limits::default())?;
    let (outside, policy) = (OutsideDigests::new(), Policy::default());
    let verifier = Verifier { survey: &survey, key, policy, outside: &outside, library_form: false };
    let Some(signature) = survey.signatures().first() else { return Ok(false) };
    Ok(verifier.verify(signature, document.as_bytes()).is_ok_and(|verified| !verified.covered().is_empty()))
}

/// A content under a key that is wrapped for the holder of a certificate: it opens, and not once a bit of it is another.
fn xml_encryption() -> Result<bool, Error> {
    let (identity, policy, cipher) =
        (Identity::from_pkcs12(RSA, "selftest")?, Policy::default(), BlockCipher::Aes256Gcm);
    let key = ContentKey::random(cipher)?;
    let wrapped = key.wrap(&policy, identity.certificate(), OaepHash::Sha256, Receiver::Unnamed)?;
    let mut encryptor = Encryptor::new(&policy, cipher, GCM_IV_BYTES, &key, Vec::new())?;
    encryptor.write_all(DATA)?;
    let mut sealed = encryptor.finish()?;
    let open = |sealed: &[u8]| -> Result<Vec<u8>, Error> {
        let key = wrapped.open(&policy, &identity, cipher)?;
        let mut decryptor =
            Decryptor::new(&policy, cipher, GCM_IV_BYTES, key, Staging::new(MOST, MOST as u64))?;
        decryptor.update(sealed)?;
        let mut plain = Vec::new();
        std::io::copy(&mut decryptor.finish()?.open(), &mut plain)?;
        Ok(plain)
    };
    let comes_back = open(&sealed)? == DATA;
    if let Some(last) = sealed.last_mut() {
        *last ^= 1;
    }
    Ok(comes_back && open(&sealed).is_err())
}

/// Whoever sends what does not open learns nothing from the answer: a wrapped key that is wrong or of another length, a padding
/// (CBC) and a tag (GCM) that are wrong have one code.
fn one_answer() -> Result<bool, Error> {
    let (identity, policy, cipher) =
        (Identity::from_pkcs12(RSA, "selftest")?, Policy::default(), BlockCipher::Aes256Gcm);
    let key = ContentKey::random(cipher)?;
    let mut wrapped = key.wrap(&policy, identity.certificate(), OaepHash::Sha256, Receiver::Unnamed)?;
    let mut codes = vec![];
    let changes: [fn(&mut Vec<u8>); 2] =
        [|wrapped| wrapped.iter_mut().for_each(|byte| *byte ^= 1), |wrapped| wrapped.truncate(16)];
    for change in changes {
        change(&mut wrapped.wrapped);
        codes.push(wrapped.open(&policy, &identity, cipher).err().map(|error| error.code().to_owned()));
    }
    for cipher in [BlockCipher::Aes256Gcm, BlockCipher::Aes256Cbc] {
        let key = ContentKey::random(cipher)?;
        let mut decryptor =
            Decryptor::new(&policy, cipher, GCM_IV_BYTES, key, Staging::new(MOST, MOST as u64))?;
        // No whole blocks (CBC), and no tag that fits (GCM).
        decryptor.update(&[7; 16 * 4 + 1])?;
        codes.push(decryptor.finish().err().map(|error| error.code().to_owned()));
    }
    let first = codes.first().cloned().flatten();
    Ok(first.is_some() && codes.iter().all(|code| *code == first))
}

/// A token that is signed, one that is signed by another key, and one that is encrypted.
fn tokens() -> Result<bool, Error> {
    let [ours, others] = ["a", "b"].map(|kid| PrivateKey::random(kid, jose::Algorithm::Es256));
    let (ours, others) = (ours?, others?);
    let protected = Protected { typ: Some("selftest"), kid: Some("a") };
    let token = jose::sign(&ours, protected, DATA)?;
    let read = || Jws::read(&token, jose::Algorithm::Es256, "selftest");
    let is_right = read()?.verify(&ours.public()?)? == DATA && read()?.verify(&others.public()?).is_err();
    let key = PrivateKey::from_json(JWK)?;
    let (compact, _) = jose::encrypt(&key.public()?, "text/plain", DATA)?;
    let keys: Arc<[PrivateKey]> = Arc::from([key]);
    let (_, plain) = jose::decrypt(&keys, compact.as_bytes(), MOST)?;
    // The first character of the tag.
    let (front, tag) = compact.rsplit_once('.').unwrap_or_default();
    let other = if tag.starts_with('A') { "B" } else { "A" };
    let changed = format!("{front}.{other}{}", tag.get(1..).unwrap_or_default());
    Ok(is_right && plain == DATA && jose::decrypt(&keys, changed.as_bytes(), MOST).is_err())
}

/// The stamp holds for what was stamped and for nothing else.
fn stamp() -> Result<bool, Error> {
    let authorities = Authorities::from_pem(STAMP_CA)?;
    let is_right = timestamp::check(STAMP, DATA, Some(&authorities))?.at_micros > 0;
    Ok(is_right && timestamp::check(STAMP, b"amtsbote selftesT", Some(&authorities)).is_err())
}
