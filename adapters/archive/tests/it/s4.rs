//! TR-ESOR: packages judged by xmllint, the way over S.4 against a simulated archive that answers rightly, and in every wrong way.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use adapter_archive::xaip::judge::{Judgement, Rules, judge};
use adapter_archive::{S4, Target, TrEsor};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use conformance::simulate::tresor::{Archive, Fault};
use model::FailureKind::{Rejected, Transient, Unauthorised, Uncertain};
use model::adapter::{Adapter, Followed};
use model::testkit::adapter_contract;
use seal::ers::renew::begin;
use seal::hash::Algorithm;
use seal::timestamp::{Authorities, Request, token_of};

use crate::support::{
    adapter, assert_archived, assert_validates, client, deliver, delivery, follow, settings, transfer,
};
use crate::tsa::Tsa;

const SCHEMA: &str = "tresor/1.3/schema/tr-esor-interfaces-v1.3.xsd";

fn target(archive: &Archive, wants_evidence: bool, trust: Option<Authorities>) -> TrEsor {
    TrEsor {
        url: archive.url.clone(),
        login: None,
        client_id: "amtsbote".into(),
        retention_years: 30,
        wants_evidence,
        stamps: None,
        trust,
        within: Duration::from_secs(10),
    }
}

fn of(target: TrEsor) -> Arc<dyn Adapter> {
    adapter(settings(Target::TrEsor(target)))
}

fn judged(archive: &Archive, aoid: &str) -> Judgement {
    let mut package = fs::File::open(archive.package(aoid).unwrap()).unwrap();
    let now_micros = model::Clock::now(&model::SystemClock).micros();
    judge(&mut package, vec![], Rules { authorities: None, now_micros, files: &|_| Ok(None) }).unwrap()
}

/// An evidence record as an archive makes it, over what its package protects.
fn evidence(tsa: &Tsa, archive: &Archive, aoid: &str) -> String {
    evidence_of(tsa, archive, aoid, 0)
}

/// The same over one of its versions.
fn evidence_of(tsa: &Tsa, archive: &Archive, aoid: &str, version: usize) -> String {
    let package = fs::read(archive.package(aoid).unwrap()).unwrap();
    let outline = adapter_archive::xaip::outline::outline(&package[..]).unwrap();
    let algorithms = [Algorithm::Sha256].into();
    let objects =
        adapter_archive::xaip::digests::digests(&package[..], &outline.form, &algorithms, &|_| Ok(None))
            .unwrap();
    let group = outline.versions[version]
        .protected
        .iter()
        .map(|id| objects[id].digests[&Algorithm::Sha256].clone())
        .collect();
    let begun = begin(Algorithm::Sha256, &[group]).unwrap();
    let (algorithm, root) = begun.to_stamp();
    let answer = tsa.answer(&Request::for_digest(algorithm, root, None).unwrap());
    let record = begun.finish(token_of(&answer).unwrap()).remove(0);
    STANDARD.encode(record.to_der())
}

#[tokio::test]
async fn a_package_is_a_valid_xaip_with_everything_in_it() {
    let archive = Archive::start().await.unwrap();
    let adapter = of(target(&archive, false, None));
    let bytes = transfer();
    adapter_contract(adapter.clone(), delivery("0503", &bytes), std::slice::from_ref(&bytes)).await;
    assert_eq!(archive.packages().len(), 1, "twice delivered is one package");
    let delivery = delivery("0503", &bytes);
    let receipt = deliver(&*adapter, &delivery, &bytes).await.unwrap();
    let aoid = receipt.reference.clone().unwrap();
    let path = archive.package(&aoid).unwrap();
    assert_validates(&path, SCHEMA);
    let judgement = judged(&archive, &aoid);
    assert!(judgement.is_whole(), "{judgement:?}");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(&STANDARD.encode("%PDF-1.4 Bescheid")));
    let signature = STANDARD.encode("signature");
    assert!(
        text.contains(&format!(">{signature}</dss:Base64Signature>")),
        "a detached signature is a credential"
    );
    assert!(text.contains("<xaip:textInfo>Bescheid Grüße.pdf</xaip:textInfo>"));
    assert_archived(&follow(&*adapter, &delivery, &receipt, &bytes).await.unwrap(), &aoid);
}

#[tokio::test]
async fn what_the_archive_s_evidence_does_not_cover_is_not_archived() {
    let (archive, tsa) = (Archive::start().await.unwrap(), Tsa::good());
    let adapter = of(target(&archive, true, Some(tsa.authorities())));
    let bytes = transfer();
    let (one, other) = (delivery("0503", &bytes), delivery("0503", &bytes));
    let receipt = deliver(&*adapter, &one, &bytes).await.unwrap();
    let aoid = receipt.reference.clone().unwrap();
    assert_eq!(follow(&*adapter, &one, &receipt, &bytes).await.unwrap(), Followed::Open, "no evidence yet");
    let record = evidence(&tsa, &archive, &aoid);
    archive.put_evidence(&aoid, record.clone());
    let followed = follow(&*adapter, &one, &receipt, &bytes).await.unwrap();
    assert_archived(&followed, &aoid);
    let Followed::Imported { proof, .. } = followed else { panic!() };
    assert_eq!(proof["evidence"][0]["stamps"], 1);
    assert!(proof["evidence"][0]["stampedAt"].is_string());

    // Evidence of another package, and of an authority that nobody trusts.
    let receipt = deliver(&*adapter, &other, &bytes).await.unwrap();
    let aoid = receipt.reference.clone().unwrap();
    archive.put_evidence(&aoid, record);
    let wrong = Followed::Clarify("archive.evidence-wrong");
    assert_eq!(follow(&*adapter, &other, &receipt, &bytes).await.unwrap(), wrong);
    let third = delivery("0503", &bytes);
    let receipt = deliver(&*adapter, &third, &bytes).await.unwrap();
    let aoid = receipt.reference.clone().unwrap();
    archive.put_evidence(&aoid, evidence(&Tsa::good(), &archive, &aoid));
    assert_eq!(follow(&*adapter, &third, &receipt, &bytes).await.unwrap(), wrong);
}

#[tokio::test]
async fn a_package_that_the_archive_altered_or_lost_is_not_archived() {
    let archive = Archive::start().await.unwrap();
    let adapter = of(target(&archive, false, None));
    let bytes = transfer();
    let delivery = delivery("0503", &bytes);
    let receipt = deliver(&*adapter, &delivery, &bytes).await.unwrap();
    let aoid = receipt.reference.clone().unwrap();
    let path = archive.package(&aoid).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let differs = Followed::Clarify("archive.package-differs");
    for (from, to) in [
        (STANDARD.encode("hundert"), STANDARD.encode("tausend")),
        (crate::support::OBJECT.to_owned(), "no uuid".to_owned()),
        (delivery.detail["sha256"].as_str().unwrap().to_owned(), "0".repeat(64)),
        ("</xaip:XAIP>".to_owned(), String::new()),
    ] {
        fs::write(&path, whole.replace(&from, &to)).unwrap();
        let followed = follow(&*adapter, &delivery, &receipt, &bytes).await;
        // What is no XML at all cannot even be fetched.
        assert!(
            matches!(&followed, Ok(followed) if *followed == differs) || to.is_empty() && followed.is_err(),
            "{from}: {followed:?}"
        );
    }
    fs::write(&path, &whole).unwrap();
    assert_archived(&follow(&*adapter, &delivery, &receipt, &bytes).await.unwrap(), &aoid);
    let never = crate::support::delivery("0503", &bytes);
    let gone = Followed::Clarify("archive.package-gone");
    assert_eq!(follow(&*adapter, &never, &Default::default(), &bytes).await.unwrap(), gone);
}

/// A package without everything from one text to another, both included.
fn without(package: &str, from: &str, to: &str) -> String {
    let begin = package.find(from).unwrap();
    let end = begin + package[begin..].find(to).unwrap() + to.len();
    format!("{}{}", &package[..begin], &package[end..])
}

#[tokio::test]
async fn a_package_that_is_consistent_in_itself_and_not_what_was_given_is_not_archived() {
    let archive = Archive::start().await.unwrap();
    let adapter = of(target(&archive, false, None));
    let bytes = transfer();
    let delivery = delivery("0503", &bytes);
    let receipt = deliver(&*adapter, &delivery, &bytes).await.unwrap();
    let aoid = receipt.reference.clone().unwrap();
    let path = archive.package(&aoid).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let sha256 = |bytes: &[u8]| seal::sha256(&[bytes]).to_string();
    let altered = whole
        .replace(&STANDARD.encode("hundert"), &STANDARD.encode("tausend"))
        .replace(&sha256(b"hundert"), &sha256(b"tausend"));
    let notice = STANDARD.encode("%PDF-1.4 Bescheid");
    let (before, document) = whole.split_at(whole.find(&notice).unwrap());
    let document = without(document, "<xaip:checkSum>", "</xaip:checkSum></xaip:checkSum>");
    let unchecked = format!("{before}{document}").replace(&notice, &STANDARD.encode("%PDF-1.4 Anderer!"));
    let signed = STANDARD.encode("signature");
    let pointer = "<xaip:protectedObjectPointer>DO-3</xaip:protectedObjectPointer>";
    let uncovered = whole.replace(pointer, "");
    let document = without(&uncovered, "<xaip:dataObject dataObjectID=\"DO-3\">", "</xaip:dataObject>");
    for (what, package) in [
        ("other bytes with their own checksum", altered),
        ("other bytes in what has no checksum", whole.replace(&signed, &STANDARD.encode("anything!"))),
        ("other bytes, and no checksum at all", unchecked),
        ("a document that nothing covers", uncovered),
        ("a document is left out", document),
    ] {
        assert_ne!(package, whole, "{what}");
        fs::write(&path, package).unwrap();
        assert!(judged(&archive, &aoid).is_whole(), "{what}");
        let followed = follow(&*adapter, &delivery, &receipt, &bytes).await.unwrap();
        assert_eq!(followed, Followed::Clarify("archive.package-differs"), "{what}");
    }
    fs::write(&path, &whole).unwrap();
    assert_archived(&follow(&*adapter, &delivery, &receipt, &bytes).await.unwrap(), &aoid);
}

#[tokio::test]
async fn evidence_of_another_version_proves_nothing_of_ours() {
    let (archive, tsa) = (Archive::start().await.unwrap(), Tsa::good());
    let adapter = of(target(&archive, true, Some(tsa.authorities())));
    let bytes = transfer();
    let delivery = delivery("0503", &bytes);
    let receipt = deliver(&*adapter, &delivery, &bytes).await.unwrap();
    let aoid = receipt.reference.clone().unwrap();
    // The archive has added a version of its own, which covers little.
    let path = archive.package(&aoid).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let end = "</xaip:versionManifest>";
    let more = "<xaip:versionManifest VersionID=\"V002\"><xaip:packageInfoUnit packageUnitID=\"W-1\">\
                <xaip:protectedObjectPointer>MD-PREMIS</xaip:protectedObjectPointer></xaip:packageInfoUnit></xaip:versionManifest>";
    fs::write(&path, whole.replace(end, &format!("{end}{more}"))).unwrap();
    archive.put_evidence_of(&aoid, "V002", evidence_of(&tsa, &archive, &aoid, 1));
    assert_eq!(follow(&*adapter, &delivery, &receipt, &bytes).await.unwrap(), Followed::Open);
    archive.put_evidence(&aoid, evidence(&tsa, &archive, &aoid));
    let followed = follow(&*adapter, &delivery, &receipt, &bytes).await.unwrap();
    assert_archived(&followed, &aoid);
    let Followed::Imported { proof, .. } = followed else { panic!() };
    assert_eq!(proof["evidence"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn every_way_of_failing_ends_in_its_kind_and_nothing_is_doubled() {
    let archive = Archive::start().await.unwrap();
    let bytes = transfer();
    let quick = TrEsor { within: Duration::from_millis(700), ..target(&archive, false, None) };
    let adapter = of(quick);
    let minor = |name: &str| Fault::Minor(name.to_owned());
    for (fault, kind, code) in [
        (Fault::Busy, Transient, "archive.unreachable"),
        (Fault::Broken, Uncertain, "archive.unclear"),
        (Fault::ServerFault, Uncertain, "archive.unclear"),
        (Fault::Garbage, Uncertain, "archive.garbage"),
        (Fault::Unauthorised, Unauthorised, "archive.unauthorised"),
        (Fault::Silent, Uncertain, "archive.unclear"),
        (minor("/al/common#internalError"), Uncertain, "archive.unclear"),
        (minor("/al/common#noPermission"), Unauthorised, "archive.unauthorised"),
        (minor("/arl/noSpaceError"), Transient, "archive.unreachable"),
        (minor("/arl/XAIP_NOK_SIG"), Rejected, "archive.refused"),
    ] {
        archive.set_fault(fault.clone());
        let failure = deliver(&*adapter, &delivery("0503", &bytes), &bytes).await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (kind, code), "{fault:?}: {}", failure.detail);
        assert!(archive.packages().is_empty(), "{fault:?}");
    }
    // Nobody is there at all.
    let nobody = of(TrEsor { url: "http://127.0.0.1:1/s4".into(), ..target(&archive, false, None) });
    let failure = deliver(&*nobody, &delivery("0503", &bytes), &bytes).await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (Transient, "archive.unreachable"));
    assert!(!nobody.check().await.ok);

    // It has arrived, and the answer is lost: it is found again under our own name.
    archive.set_fault(Fault::Lost);
    let lost = delivery("0503", &bytes);
    let failure = deliver(&*adapter, &lost, &bytes).await.unwrap_err();
    assert_eq!(failure.kind, Uncertain);
    archive.set_fault(Fault::None);
    assert_eq!(archive.packages().len(), 1);
    assert!(adapter.reconcile(&lost).await.unwrap().is_some());
    deliver(&*adapter, &lost, &bytes).await.unwrap();
    assert_eq!(archive.packages().len(), 1, "existingAOID is no failure");
    // Questions that fail are never more than passing trouble.
    archive.set_fault(Fault::Garbage);
    assert_eq!(adapter.reconcile(&lost).await.unwrap_err().kind, Transient);
}

#[tokio::test]
async fn a_package_is_deleted_with_its_reason_and_once() {
    let archive = Archive::start().await.unwrap();
    let settings = target(&archive, false, None);
    let bytes = transfer();
    let receipt = deliver(&*of(settings.clone()), &delivery("0503", &bytes), &bytes).await.unwrap();
    let aoid = receipt.reference.unwrap();
    let s4 = S4::new(&settings, None, client(), Arc::new(model::SystemClock));
    let refused = s4.delete(&aoid, "Kreisarchiv", "").await.unwrap_err();
    assert_eq!(
        (refused.kind, &*refused.code),
        (Rejected, "archive.refused"),
        "while its retention lasts a reason is due"
    );
    assert!(s4.delete(&aoid, "Kreisarchiv", "Doppelt & überflüssig").await.unwrap());
    assert!(archive.packages().is_empty());
    assert!(!s4.delete(&aoid, "Kreisarchiv", "noch einmal").await.unwrap(), "it is not known any more");
}

#[tokio::test]
async fn an_evidence_record_of_our_own_goes_with_the_package_and_holds() {
    let (archive, tsa) = (Archive::start().await.unwrap(), Tsa::good());
    let tsa = Arc::new(tsa);
    let stamping = Arc::clone(&tsa);
    let router = axum::Router::new().fallback(move |body: axum::body::Bytes| {
        let tsa = Arc::clone(&stamping);
        async move { tsa.answer_der(&body) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let stamps =
        adapter_archive::Stamps { url, policy: None, trust: tsa.authorities(), revocation_url: None };
    let adapter = of(TrEsor { stamps: Some(stamps), ..target(&archive, false, None) });
    let bytes = transfer();
    let delivery = delivery("0503", &bytes);
    let receipt = deliver(&*adapter, &delivery, &bytes).await.unwrap();
    let aoid = receipt.reference.clone().unwrap();
    assert_validates(&archive.package(&aoid).unwrap(), SCHEMA);
    let judgement = judged(&archive, &aoid);
    let [evidence] = &judgement.evidence[..] else { panic!("{judgement:?}") };
    let faults = &evidence.verdict.as_ref().unwrap().faults;
    assert!(faults.iter().all(|fault| fault.is_open()), "{faults:?}");
    // An independent judge of the stamp inside.
    let package = fs::read(archive.package(&aoid).unwrap()).unwrap();
    let outline = adapter_archive::xaip::outline::outline(&package[..]).unwrap();
    let record = seal::ers::Record::read(outline.records[0].der.as_ref().unwrap()).unwrap();
    let stamp = &record.chains[0].stamps[0];
    let mut sorted = stamp.tree[0].clone();
    sorted.sort();
    fs::write(tsa.path().join("data.bin"), sorted.concat()).unwrap();
    fs::write(tsa.path().join("stamp.tst"), &stamp.token).unwrap();
    tsa.openssl("ts -verify -data data.bin -in stamp.tst -token_in -CAfile ca.pem");
    assert_archived(&follow(&*adapter, &delivery, &receipt, &bytes).await.unwrap(), &aoid);
    // Without it the package is not the one that was given.
    let path = archive.package(&aoid).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let own = "<xaip:credential credentialID=\"ER-1\"";
    fs::write(&path, without(&whole, own, "</xaip:credential>")).unwrap();
    let followed = follow(&*adapter, &delivery, &receipt, &bytes).await.unwrap();
    assert_eq!(followed, Followed::Clarify("archive.package-differs"));
}
