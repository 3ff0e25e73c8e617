//! Keys, documents and shorthands of the tests.

use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use seal::algorithm::{DigestMethod, Policy, Scheme, SignatureMethod};
use seal::xmldsig::{
    Key, NewReference, OutsideDigests, Signing, Survey, Target, Transform, Verified, Verifier,
};
use seal::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use xml::{Form, Limits};

pub(crate) const INCLUSIVE: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
pub(crate) const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub(crate) const RSA_SHA256: SignatureMethod =
    SignatureMethod { scheme: Scheme::RsaPkcs1, digest: DigestMethod::Sha256 };

pub(crate) static RSA: LazyLock<PKey<Private>> = LazyLock::new(|| rsa("alice"));

/// Somebody's RSA key of 3,072 bits. It takes seconds to make one, and each test may be a process of its own.
pub(crate) fn rsa(who: &str) -> PKey<Private> {
    let file = shared("samples/osci/TEST-ONLY").join(format!("{who}_signature.p12"));
    let keys = Pkcs12::from_der(&std::fs::read(file).unwrap()).unwrap();
    keys.parse2("123456").unwrap().pkey.unwrap()
}

pub(crate) fn curve(name: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(name).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

pub(crate) fn public(key: &PKey<Private>) -> Key {
    Key::Public(PKey::public_key_from_der(&key.public_key_to_der().unwrap()).unwrap())
}

pub(crate) fn form(uri: &str) -> Form {
    Form::from_uri(uri).unwrap()
}

pub(crate) fn canonical(uri: &str) -> Transform {
    Transform::Canonical(form(uri))
}

/// A reference by id with SHA-256.
pub(crate) fn by_id(id: &str, transforms: &[Transform]) -> NewReference {
    to(Target::Element(id.to_owned()), transforms)
}

pub(crate) fn to(target: Target, transforms: &[Transform]) -> NewReference {
    let (digest, library_form) = (DigestMethod::Sha256, false);
    NewReference { target, transforms: transforms.to_vec(), digest, library_form }
}

/// Signs `document` and puts the signature where `{signature}` stands in it.
pub(crate) fn signed(document: &str, scope: &[(&str, &str)], references: &[NewReference]) -> String {
    signed_with(document, scope, references, &RSA, RSA_SHA256)
}

pub(crate) fn signed_with(
    document: &str,
    scope: &[(&str, &str)],
    references: &[NewReference],
    key: &PKey<Private>,
    method: SignatureMethod,
) -> String {
    let without = document.replace("{signature}", "");
    let survey = Survey::read(without.as_bytes(), Limits::default()).unwrap();
    let canonicalization = form(EXCLUSIVE);
    let signing = Signing { key, method, canonicalization, references, key_info: "", scope, id: Some("sig") };
    let signature = signing.sign(&survey, without.as_bytes()).unwrap();
    document.replace("{signature}", &signature)
}

/// Verifies the first signature of a document, with nothing outside.
pub(crate) fn verify(document: &str, key: &Key) -> Result<Verified> {
    let survey = Survey::read(document.as_bytes(), Limits::default())?;
    let signature = survey.signatures().first().ok_or(Error::SignatureNotCovered)?;
    let outside = OutsideDigests::new();
    let verifier =
        Verifier { survey: &survey, key, policy: Policy::default(), outside: &outside, library_form: false };
    verifier.verify(signature, document.as_bytes())
}

/// The code of the error, or `ok`.
pub(crate) fn code<T>(result: Result<T>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

/// A folder of the shared material.
pub(crate) fn shared(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    assert!(root.exists(), "these tests need {} beside the project", root.display());
    root
}
