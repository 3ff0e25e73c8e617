//! CMS of S/MIME: what is verified and opened, against what openssl made, and against bytes that were changed.

use std::path::Path;

use seal::cms::{self, Kind};
use seal::identity::Identity;
use tempfile::TempDir;

use crate::identities::openssl;

/// A folder with `NAME.pem`, `NAME.key` for each of them.
fn keys(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let address = format!("subjectAltName=email:{name}@B.example");
        openssl(
            folder.path(),
            &format!(
                "req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.pem -days 9 -subj /CN={name} -addext {address}"
            ),
        );
    }
    folder
}

fn identity(folder: &Path, name: &str) -> Identity {
    let read = |ending: &str| std::fs::read(folder.join(format!("{name}.{ending}"))).unwrap();
    Identity::from_pem(&[read("key"), read("pem")].concat(), "").unwrap()
}

#[test]
fn a_signature_gives_out_what_it_covers_and_whose_it_is() {
    let folder = keys(&["anna", "bert"]);
    let (anna, path) = (identity(folder.path(), "anna"), folder.path());
    let data = b"Bescheid\r\n".repeat(5_000);
    std::fs::write(path.join("data"), &data).unwrap();
    let ours = cms::sign(&anna, &data).unwrap();
    std::fs::write(path.join("ours"), &ours).unwrap();
    openssl(path, "cms -verify -binary -inform DER -in ours -content data -CAfile anna.pem -out verified");
    let signed = cms::verify(&ours, Some(&data)).unwrap();
    assert_eq!((&signed.signer, signed.content, signed.is_weak), (anna.certificate(), data.clone(), false));
    assert_eq!(cms::addresses(&signed.signer), ["anna@b.example"]);
    let altered = [&data[1..], b"x"].concat();
    assert_eq!(cms::verify(&ours, Some(&altered)).unwrap_err().code(), "signature.value");
    assert_eq!(cms::verify(&ours, None).unwrap_err().code(), "signature.value");

    let sign = "cms -sign -binary -nodetach -in data -signer anna.pem -inkey anna.key -outform DER";
    openssl(path, &format!("{sign} -out inside"));
    openssl(path, &format!("{sign} -stream -out indefinite"));
    openssl(path, &format!("{sign} -md sha1 -out old"));
    openssl(path, &format!("{sign} -nocerts -out bare"));
    openssl(path, &format!("{sign} -signer bert.pem -inkey bert.key -out two"));
    let read = |name: &str| std::fs::read(path.join(name)).unwrap();
    for (name, is_weak) in [("inside", false), ("indefinite", false), ("old", true)] {
        assert_eq!(cms::kind(&read(name)), Some(Kind::Signed), "{name}");
        let signed = cms::verify(&read(name), None).unwrap();
        assert_eq!((signed.content == data, signed.is_weak), (true, is_weak), "{name}");
    }
    assert_eq!(cms::verify(&read("bare"), None).unwrap_err().code(), "signature.malformed");
    assert_eq!(
        cms::verify(&read("two"), None).unwrap_err().code(),
        "signature.value",
        "two signers are nobody"
    );
}

#[test]
fn what_is_encrypted_opens_for_its_key_and_every_mistake_looks_the_same() {
    let folder = keys(&["anna", "bert"]);
    let (path, anna, bert) =
        (folder.path(), identity(folder.path(), "anna"), identity(folder.path(), "bert"));
    let certificate = anna.certificate().clone();
    let ours = cms::encrypt(&[certificate], b"geheim").unwrap();
    std::fs::write(path.join("ours"), &ours).unwrap();
    assert_eq!(openssl(path, "cms -decrypt -inform DER -in ours -recip anna.pem -inkey anna.key"), b"geheim");
    std::fs::write(path.join("data"), b"geheim").unwrap();
    let encrypt = "cms -encrypt -binary -in data -outform DER";
    openssl(path, &format!("{encrypt} -aes-256-gcm -out gcm anna.pem"));
    openssl(path, &format!("{encrypt} -aes256 -out oaep -recip anna.pem -keyopt rsa_padding_mode:oaep"));
    let read = |name: &str| std::fs::read(path.join(name)).unwrap();
    let both = [bert, anna];
    for (name, kind) in [("ours", Kind::Enveloped), ("gcm", Kind::AuthEnveloped), ("oaep", Kind::Enveloped)] {
        let object = read(name);
        assert_eq!(
            (cms::kind(&object), cms::decrypt(&object, &both).unwrap().as_slice()),
            (Some(kind), &b"geheim"[..])
        );
        assert_eq!(cms::decrypt(&object, &both[..1]).unwrap_err().code(), "encryption.failed", "{name}");
        assert_eq!(
            cms::decrypt(&object[..object.len() - 1], &both).unwrap_err().code(),
            "encryption.failed",
            "{name}"
        );
    }
    let gcm = read("gcm");
    for at in (0..gcm.len()).step_by(7) {
        let mut changed = gcm.clone();
        changed[at] ^= 1;
        match cms::decrypt(&changed, &both) {
            // Some bytes only tell what nobody needs.
            Ok(plain) => assert_eq!(plain, b"geheim", "{at}"),
            Err(error) => assert_eq!(error.code(), "encryption.failed", "{at}"),
        }
    }
}

#[test]
fn what_is_no_cms_is_told_so() {
    for bytes in [
        &b""[..],
        b"0",
        &[0x30, 0x80],
        &[0x30, 0xff, 6, 9],
        b"0\x0b\x06\x09*\x86H\x86\xf7\x0d\x01\x07\x09",
        b"%PDF-",
    ] {
        assert_eq!(cms::kind(bytes), None);
        assert_eq!(cms::verify(bytes, None).unwrap_err().code(), "signature.malformed");
        assert_eq!(cms::decrypt(bytes, &[]).unwrap_err().code(), "encryption.failed");
    }
}
