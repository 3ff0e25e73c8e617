//! The Transfervermerk: what it says, its seals, inside the PDF/A-3.

use std::fs;
use std::sync::Arc;

use adapter_post::scan::settings::{Note, Organisation, Procedure, Read};
use adapter_post::scan::{Advanced, Internal, Scan, SealProvider, Sealed};
use async_trait::async_trait;
use model::Failure;
use model::case::SealLevel;
use seal::identity::Identity;
use seal::mac::{MacDigest, hmac};
use seal::sha256;
use zeroize::Zeroizing;

use super::support::{Office, judge, shared};

fn office(level: SealLevel) -> Office {
    let mut office = Office::separating();
    let organisation = |name: &str| Organisation {
        name: name.into(),
        town: "Musterstadt".into(),
        unit: "Poststelle".into(),
        ..Organisation::default()
    };
    office.settings.note = Some(Note {
        contractor: organisation("Landratsamt & Söhne"),
        client: None,
        procedure: Procedure {
            name: "Frühes Scannen".into(),
            variant: "Standard".into(),
            version: "1.2".into(),
            date: "2026-01-01".into(),
            keeper: organisation("Landratsamt"),
        },
        assurance: Some("Stichprobe nach Verfahrensanweisung 4.2".into()),
        level,
        embed: true,
    });
    office
}

/// A key with its certificate, made by openssl.
fn identity(folder: &std::path::Path, key: &[&str]) -> Identity {
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let words = ["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=Scanstelle", "-keyout"];
    let (private, certificate) = (at("key.pem"), at("cert.pem"));
    judge("openssl", &[&words[..], &[&private, "-out", &certificate], key].concat());
    let pem = [fs::read(private).unwrap(), fs::read(certificate).unwrap()].concat();
    Identity::from_pem(&pem, "").unwrap()
}

#[tokio::test]
async fn a_note_is_signed_and_lies_in_the_pdf_and_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut office = office(SealLevel::Advanced);
    office.settings.separate = None;
    office.settings.read = Some(Read::default());
    office.seal = Some(Arc::new(Advanced::new(identity(folder.path(), &["-newkey", "rsa:3072"]))));
    office.put("brief.pdf", &fs::read(shared("samples/post/i2pa.pdf")).unwrap());
    office.session().await.unwrap();

    let [letter] = &office.gateway.letters()[..] else { panic!("{:?}", office.refused()) };
    let files: Vec<_> =
        letter.documents[0].files.iter().map(|it| (it.name.as_str(), it.seal_level)).collect();
    let wanted =
        [("brief.pdf", None), ("scan.pdf", None), ("transfervermerk.xml", Some(SealLevel::Advanced))];
    assert_eq!(files, wanted);
    let note = office.gateway.bytes(letter, 0, "transfervermerk.xml");
    fs::write(at("note.xml"), &note).unwrap();
    judge("xmlsec1", &["--verify", "--trusted-pem", &at("cert.pem"), &at("note.xml")]);
    let says = |path: &str| judge("xmllint", &["--xpath", &format!("string({path})"), &at("note.xml")]);
    let scan = sha256(&[&office.gateway.bytes(letter, 0, "scan.pdf")]).to_string();
    assert_eq!(
        says("/Transfervermerk/Dokument/Attribute/Attribut[@name='SHA-256 des Abbilds']").trim(),
        scan
    );
    assert!(!String::from_utf8_lossy(&note).contains("Lesefassung"), "it is another one with the note in it");
    assert_eq!(says("/Transfervermerk/Auftragnehmer/Name").trim(), "Landratsamt & Söhne");
    assert!(says("//Prozessschritt[@name='Texterkennung']/ITSystem").contains("ocrmypdf"));
    let pages = says("/Transfervermerk/Dokument/Seiten");
    assert_eq!(says("//PositionDesDokuments").trim(), format!("Abbild 1 bis {0} von {0}", pages.trim()));

    fs::write(at("brief.pdf"), office.gateway.bytes(letter, 0, "brief.pdf")).unwrap();
    judge("qpdf", &["--check", &at("brief.pdf")]);
    judge("pdfdetach", &["-save", "1", "-o", &at("out.xml"), &at("brief.pdf")]);
    assert_eq!(fs::read(at("out.xml")).unwrap(), note);
    let form = judge("qpdf", &["--qdf", "--object-streams=disable", &at("brief.pdf"), "-"]);
    assert!(form.contains("/AFRelationship /Supplement") && form.contains("/AF ["), "PDF/A-3 asks for both");
    assert!(
        form.contains("<pdfaid:part>3</pdfaid:part>")
            || form.contains("pdfaid:part=\"3\"")
            || form.contains("pdfaid:part='3'")
    );
}

#[tokio::test]
async fn an_internal_seal_stands_beside_and_each_document_has_its_own() {
    let mut office = office(SealLevel::Internal);
    let key = b"0123456789abcdef0123456789abcdef".to_vec();
    office.seal = Some(Arc::new(Internal::new("scan-1", Zeroizing::new(key.clone())).unwrap()));
    let stack = office.path("s.tif");
    let script = shared("senders/post/make_stack.sh");
    judge("sh", &[script.to_str().unwrap(), stack.to_str().unwrap()]);
    office.session().await.unwrap();
    let letters = office.gateway.letters();
    assert_eq!(letters.len(), 2, "{:?}", office.refused());
    for (letter, position) in letters.iter().zip(["Abbild 2 bis 2 von 4", "Abbild 4 bis 4 von 4"]) {
        let note = office.gateway.bytes(letter, 0, "transfervermerk.xml");
        assert!(String::from_utf8_lossy(&note).contains(position));
        let seal = office.gateway.bytes(letter, 0, "transfervermerk.siegel.json");
        let seal: serde_json::Value = serde_json::from_slice(&seal).unwrap();
        assert_eq!(seal["wert"], hex::encode(hmac(MacDigest::Sha256, &key, &note).unwrap()));
        assert_eq!(letter.proof["seal"], "internal");
    }
    assert!(Internal::new("x", Zeroizing::new(vec![1; 31])).is_err());
}

/// A provider of qualified seals that is not there today.
#[derive(Debug)]
struct Trust;

#[async_trait]
impl SealProvider for Trust {
    fn level(&self) -> SealLevel {
        SealLevel::Qualified
    }

    async fn seal(&self, _: &[u8]) -> Result<Sealed, Failure> {
        Err(Failure::new(model::FailureKind::Transient, "post.scan-no-seal", ""))
    }
}

#[tokio::test]
async fn nothing_is_taken_in_without_the_seal_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"];
    let advanced = Advanced::new(identity(folder.path(), &key));
    assert!(advanced.seal(b"<Transfervermerk>\n</Transfervermerk>").await.is_ok(), "keys of curves, too");
    let mut office = office(SealLevel::Qualified);
    for seal in [None, Some(Arc::new(advanced) as Arc<dyn SealProvider>)] {
        let refused = Scan::new(office.settings.clone(), seal).err().unwrap();
        assert_eq!(refused.code, "post.scan-no-seal");
    }
    office.seal = Some(Arc::new(Trust));
    office.put("brief.pdf", &fs::read(shared("samples/post/i2pa.pdf")).unwrap());
    assert_eq!(office.session().await.unwrap_err().code, "post.scan-no-seal");
    assert!(office.gateway.letters().is_empty() && office.refused().is_empty());
}
