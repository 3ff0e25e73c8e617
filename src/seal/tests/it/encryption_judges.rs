//! XML Encryption both ways, judged by xmlsec1 and the JDK.

use std::{path::Path, process::Command};

use seal::xmlenc::{Decryptor, EncryptedData, GCM_IV_BYTES, GCM_OLD_IV_BYTES, OaepHash, copy_value};

use crate::{
    encryption::{GCM, bob, decrypted, encrypted, legacy, policy},
    identities::openssl,
    osci::{at_encrypted_data, bytes_of, corpus, staging},
};

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

/// What xmlsec1 fills in.
fn template(cipher: &str, transport: &str) -> String {
    format!(
        "<EncryptedData xmlns='http://www.w3.org/2001/04/xmlenc#' Type='http://www.w3.org/2001/04/xmlenc#Element'>\
         <EncryptionMethod Algorithm='{cipher}'/><KeyInfo xmlns='http://www.w3.org/2000/09/xmldsig#'>\
         <EncryptedKey xmlns='http://www.w3.org/2001/04/xmlenc#'>\
         <EncryptionMethod Algorithm='http://www.w3.org/2001/04/xmlenc#{transport}'/>\
         <KeyInfo xmlns='http://www.w3.org/2000/09/xmldsig#'><X509Data><X509Certificate/></X509Data></KeyInfo>\
         <CipherData><CipherValue/></CipherData></EncryptedKey></KeyInfo>\
         <CipherData><CipherValue/></CipherData></EncryptedData>"
    )
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
        let template = template(cipher, transport);
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
