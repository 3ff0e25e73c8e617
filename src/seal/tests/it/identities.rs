//! Private keys with their certificate, and what they sign, judged by the openssl program.

use std::{path::Path, process::Command};

use seal::{
    algorithm::{DigestMethod, Policy, Scheme, SignatureMethod},
    identity::Identity,
};

use crate::osci::{certificate, corpus, identity};

/// Runs `openssl` with these arguments in a folder; it must succeed.
pub(crate) fn openssl(folder: &Path, arguments: &str) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn keys_of_the_corpus_are_read_and_belong_to_their_certificates() {
    for name in ["alice_signature", "alice_ec_signature", "intermed_cipher", "mallory_cipher"] {
        assert_eq!(identity(name).certificate(), &certificate(name), "{name}");
    }
    let p12 = std::fs::read(corpus("TEST-ONLY/alice_signature.p12")).unwrap();
    assert_eq!(Identity::from_pkcs12(&p12, "654321").unwrap_err().code(), "key.identity");
    assert_eq!(Identity::from_pkcs12(&p12[..900], "123456").unwrap_err().code(), "key.identity");
    assert_eq!(Identity::from_pkcs12(b"", "").unwrap_err().code(), "key.identity");
}

#[test]
fn a_key_is_loaded_by_the_references_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::copy(corpus("TEST-ONLY/alice_signature.p12"), path("key.p12")).unwrap();
    std::fs::write(path("pin"), "123456\n").unwrap();
    restrict(&path("key.p12"), 0o600);
    restrict(&path("pin"), 0o600);
    let reference = |name: &str| format!("file:{}", path(name).display());
    let loaded = Identity::load(&reference("key.p12"), Some(&reference("pin"))).unwrap();
    assert_eq!(loaded.certificate(), &certificate("alice_signature"));

    openssl(folder.path(), "pkcs12 -in key.p12 -passin pass:123456 -nodes -out key.pem");
    openssl(folder.path(), "pkcs12 -in key.p12 -passin pass:123456 -passout pass:123456 -out locked.pem");
    for (file, pin) in [("key.pem", None), ("locked.pem", Some(reference("pin")))] {
        restrict(&path(file), 0o600);
        let loaded = Identity::load(&reference(file), pin.as_deref()).unwrap();
        assert_eq!(loaded.certificate(), &certificate("alice_signature"), "{file}");
    }
    assert_eq!(Identity::load(&reference("locked.pem"), None).unwrap_err().code(), "key.identity");
    restrict(&path("key.pem"), 0o644);
    assert_eq!(Identity::load(&reference("key.pem"), None).unwrap_err().code(), "key.permissions");
    assert_eq!(Identity::load("key.pem", None).unwrap_err().code(), "key.reference");
}

#[test]
fn a_key_without_its_own_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    openssl(folder.path(), "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.key");
    let mut pem = std::fs::read(folder.path().join("other.key")).unwrap();
    assert_eq!(Identity::from_pem(&pem, "").unwrap_err().code(), "key.identity");
    std::fs::write(folder.path().join("a.cer"), certificate("alice_signature").der()).unwrap();
    pem.extend(openssl(folder.path(), "x509 -inform der -in a.cer"));
    assert_eq!(Identity::from_pem(&pem, "").unwrap_err().code(), "key.identity");
}

/// Signer, scheme, digest, and how the openssl program is told.
const METHODS: [(&str, Scheme, DigestMethod, &str); 7] = [
    ("alice_signature", Scheme::RsaPkcs1, DigestMethod::Sha256, "-sha256"),
    ("alice_signature", Scheme::RsaPkcs1, DigestMethod::Sha512, "-sha512"),
    (
        "alice_signature",
        Scheme::RsaPss,
        DigestMethod::Sha256,
        "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32",
    ),
    (
        "alice_signature",
        Scheme::RsaPss,
        DigestMethod::Sha512,
        "-sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:64",
    ),
    (
        "alice_signature",
        Scheme::RsaPss,
        DigestMethod::Sha3_384,
        "-sha3-384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:48",
    ),
    ("alice_ec_signature", Scheme::Ecdsa, DigestMethod::Sha256, "-sha256"),
    ("alice_ec_signature", Scheme::Ecdsa, DigestMethod::Sha512, "-sha512"),
];

#[test]
fn openssl_verifies_what_we_sign_by_every_method() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data"), b"what is signed").unwrap();
    for (name, scheme, digest, options) in METHODS {
        let (method, policy) = (SignatureMethod { scheme, digest }, Policy::default());
        let mut value = identity(name).sign(&policy, method, b"what is signed").unwrap();
        let signer = certificate(name);
        assert!(signer.verify(&policy, method, b"what is signed", &value).unwrap());
        assert!(!signer.verify(&policy, method, b"what is signe!", &value).unwrap());
        assert!(!signer.verify(&policy, method, b"what is signed", &value[1..]).unwrap());
        value[40] ^= 1;
        assert!(!signer.verify(&policy, method, b"what is signed", &value).unwrap());
        value[40] ^= 1;
        if scheme == Scheme::Ecdsa {
            assert_eq!(value.len(), 64);
            value = ecdsa_der(&value);
        }
        std::fs::write(folder.path().join("value"), &value).unwrap();
        std::fs::write(folder.path().join("signer.cer"), signer.der()).unwrap();
        let key = openssl(folder.path(), "x509 -inform der -in signer.cer -noout -pubkey");
        std::fs::write(folder.path().join("key.pem"), key).unwrap();
        openssl(folder.path(), &format!("dgst -verify key.pem -signature value {options} data"));
    }
}

/// RFC 8017, sections 8.1.2 and 8.2.2: the value has the length of the modulus, so one that begins with a zero is not good without it.
#[test]
fn a_value_that_begins_with_a_zero_is_good_in_its_whole_length_only() {
    let (name, policy) = ("alice_signature", Policy::default());
    let (signer, own) = (certificate(name), identity(name));
    for scheme in [Scheme::RsaPkcs1, Scheme::RsaPss] {
        let method = SignatureMethod { scheme, digest: DigestMethod::Sha256 };
        let sign = |number: u32| (number, own.sign(&policy, method, &number.to_be_bytes()).unwrap());
        let (number, value) = (0..).map(sign).find(|(_, value)| value[0] == 0).unwrap();
        let verify = |value: &[u8]| signer.verify(&policy, method, &number.to_be_bytes(), value).unwrap();
        assert_eq!(value.len() as u32, signer.key_bits() / 8, "nothing is dropped");
        assert!(verify(&value));
        assert!(!verify(&value[1..]), "{scheme:?}");
        assert!(!verify(&[&[0], value.as_slice()].concat()), "{scheme:?}");
    }
}

/// SEQUENCE of two INTEGERs, as the openssl program wants it.
fn ecdsa_der(raw: &[u8]) -> Vec<u8> {
    let number = |half: &[u8]| {
        let digits: Vec<u8> = half.iter().copied().skip_while(|digit| *digit == 0).collect();
        let zero = usize::from(digits[0] >= 0x80);
        [vec![2, (digits.len() + zero) as u8], vec![0; zero], digits].concat()
    };
    let body = [number(&raw[..32]), number(&raw[32..])].concat();
    [vec![0x30, body.len() as u8], body].concat()
}

#[test]
fn nothing_weak_is_signed_and_no_key_signs_by_the_method_of_another_kind() {
    let policy = Policy::default().with_legacy();
    let sign = |name, scheme, digest| identity(name).sign(&policy, SignatureMethod { scheme, digest }, b"x");
    for (name, scheme, digest) in [
        ("alice_signature", Scheme::RsaPkcs1, DigestMethod::Sha1),
        ("alice_signature", Scheme::Ecdsa, DigestMethod::Sha256),
        ("alice_ec_signature", Scheme::RsaPss, DigestMethod::Sha256),
    ] {
        assert_eq!(sign(name, scheme, digest).unwrap_err().code(), "algorithm.forbidden", "{name}");
    }
    let method = SignatureMethod { scheme: Scheme::RsaPss, digest: DigestMethod::Sha256 };
    let short = identity("alice_signature").sign_digest(&policy, method, &[0; 31]);
    assert_eq!(short.unwrap_err().code(), "algorithm.forbidden");
}
