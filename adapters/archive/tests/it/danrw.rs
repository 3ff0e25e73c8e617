//! Bags and packages for DA NRW, judged by Python's bagit and xmllint; both ways through folders, with crashes and refusals.

use std::fs::{self, File};
use std::path::Path;

use adapter_archive::{AppraisalBy, Container, DaNrw, Folder, Migration, Rights, Target};
use conformance::simulate::danrw;
use model::FailureKind;
use model::adapter::Followed;
use model::case::Disposition;
use model::testkit::adapter_contract;

use crate::support::{
    OBJECT, adapter, assert_archived, assert_is_bag, assert_validates, deliver, delivery, follow, message,
    message_with, run, settings, transfer, transfer_of,
};

fn da_nrw(archive: &danrw::Archive, container: Container) -> Target {
    Target::DaNrw(DaNrw {
        folder: archive.incoming(),
        container,
        url: archive.url.clone(),
        login: None,
        rights: Rights {
            migration: Migration::Notify,
            public: true,
            institution: true,
            no_ddb: true,
            least_quality: Some(3),
        },
        within: std::time::Duration::from_secs(10),
    })
}

/// Unpacks a package; the folder that it holds, which must be its only one.
fn unpacked(package: &Path, into: &Path) -> std::path::PathBuf {
    let (package, folder) = (package.to_string_lossy().into_owned(), into.to_string_lossy().into_owned());
    match package.ends_with(".zip") {
        true => run("unzip", &["-q", &package, "-d", &folder]).unwrap(),
        false => run("tar", &["-xf", &package, "-C", &folder]).unwrap(),
    };
    let folders: Vec<_> = fs::read_dir(into).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [folder] = &folders[..] else { panic!("{folders:?}") };
    folder.clone()
}

#[tokio::test]
async fn packages_for_da_nrw_are_bags_with_the_contract_s_premis() {
    let bytes = transfer();
    for (container, ending) in [(Container::Tgz, "tgz"), (Container::Zip, "zip"), (Container::Tar, "tar")] {
        let archive = danrw::Archive::start().await.unwrap();
        let adapter = adapter(settings(da_nrw(&archive, container)));
        let delivery = delivery("0503", &bytes);
        let receipt = deliver(&*adapter, &delivery, &bytes).await.unwrap();
        let name = receipt.reference.clone().unwrap();
        let package = archive.incoming().join(format!("{name}.{ending}"));
        let room = tempfile::tempdir().unwrap();
        let bag = unpacked(&package, room.path());
        assert_eq!(
            bag.file_name().unwrap().to_str(),
            Some(name.as_str()),
            "one folder of the package's name"
        );
        assert_is_bag(&bag);
        assert!(bag.join("manifest-md5.txt").is_file() && bag.join("tagmanifest-md5.txt").is_file());
        assert_validates(&bag.join("data/premis.xml"), "premis/premis-v2-dnscore.xsd");
        // The PDF and the XML would be one document to DA NRW if they lay in one folder.
        assert!(
            bag.join("data/Bescheid Grüße.pdf").is_file() && bag.join("data/2/Bescheid Grüße.xml").is_file()
        );
        assert!(bag.join("data/100 Prozent.txt").is_file());
    }
}

#[tokio::test]
async fn a_document_that_is_called_like_a_folder_of_the_package_lies_beside_it() {
    let bytes =
        transfer_of(&[("a.pdf", b"%PDF-1.4"), ("a.xml", b"<a/>"), ("2", b"zwei"), ("premis.xml", b"<p/>")]);
    for container in [Container::Tgz, Container::Zip] {
        let archive = danrw::Archive::start().await.unwrap();
        let adapter = adapter(settings(da_nrw(&archive, container)));
        let receipt = deliver(&*adapter, &delivery("0503", &bytes), &bytes).await.unwrap();
        let ending = if container == Container::Zip { "zip" } else { "tgz" };
        let room = tempfile::tempdir().unwrap();
        let package = archive.incoming().join(format!("{}.{ending}", receipt.reference.unwrap()));
        let bag = unpacked(&package, room.path());
        assert_is_bag(&bag);
        assert_eq!(fs::read(bag.join("data/2")).unwrap(), b"zwei");
        assert_eq!(fs::read(bag.join("data/3/a.xml")).unwrap(), b"<a/>");
    }
}

#[tokio::test]
async fn da_nrw_confirms_refuses_and_a_lost_answer_is_found_again() {
    let bytes = transfer();
    let archive = danrw::Archive::start().await.unwrap();
    let adapter = adapter(settings(da_nrw(&archive, Container::Tgz)));
    adapter_contract(adapter.clone(), delivery("0503", &bytes), std::slice::from_ref(&bytes)).await;

    let (one, other) = (delivery("0503", &bytes), delivery("0503", &bytes));
    assert_eq!(adapter.reconcile(&one).await.unwrap(), None, "never dropped");
    let receipt = deliver(&*adapter, &one, &bytes).await.unwrap();
    assert_eq!(
        follow(&*adapter, &one, &receipt, &bytes).await.unwrap(),
        Followed::Open,
        "taken away, and worked on"
    );
    assert_eq!(adapter.reconcile(&one).await.unwrap(), Some(receipt.clone()), "it has been there");
    assert_eq!(deliver(&*adapter, &one, &bytes).await.unwrap(), receipt, "not dropped a second time");
    assert!(!archive.incoming().join(format!("{}.tgz", receipt.reference.as_ref().unwrap())).exists());
    let called = format!("urn:nbn:de:danrw-{}", receipt.reference.as_ref().unwrap());
    assert_archived(&follow(&*adapter, &one, &receipt, &bytes).await.unwrap(), &called);

    archive.refuse(&format!("amtsbote-{}", other.id));
    let receipt = deliver(&*adapter, &other, &bytes).await.unwrap();
    assert_eq!(
        follow(&*adapter, &other, &receipt, &bytes).await.unwrap(),
        Followed::CameToNothing("archive.refused")
    );
}

#[tokio::test]
async fn a_bag_in_a_folder_counts_only_once_somebody_has_said_so() {
    let bytes = transfer();
    let room = tempfile::tempdir().unwrap();
    let adapter = adapter(settings(Target::Folder(Folder { folder: room.path().to_owned() })));
    adapter_contract(adapter.clone(), delivery("0503", &bytes), std::slice::from_ref(&bytes)).await;
    let delivery = delivery("0503", &bytes);
    let receipt = deliver(&*adapter, &delivery, &bytes).await.unwrap();
    let name = receipt.reference.clone().unwrap();
    let bag = room.path().join(&name);
    assert_is_bag(&bag);
    assert_validates(&bag.join("metadata/premis.xml"), "premis/premis-v3-0.xsd");
    let info = fs::read_to_string(bag.join("bag-info.txt")).unwrap();
    assert!(info.contains("Format-Identification: format identification: none configured"), "{info}");
    assert_eq!(follow(&*adapter, &delivery, &receipt, &bytes).await.unwrap(), Followed::Open);
    fs::remove_dir_all(&bag).unwrap();
    assert_eq!(adapter.reconcile(&delivery).await.unwrap(), Some(receipt.clone()), "somebody has taken it");
    fs::write(room.path().join(format!("{name}.archived")), "A 17/2026\n").unwrap();
    // Nothing else has to be there for that.
    fs::remove_file(room.path().join(format!(".{name}.sent"))).unwrap();
    assert_archived(&follow(&*adapter, &delivery, &receipt, &bytes).await.unwrap(), "A 17/2026");
}

#[tokio::test]
async fn what_an_interrupted_attempt_left_is_made_anew() {
    let bytes = transfer();
    let room = tempfile::tempdir().unwrap();
    let adapter = adapter(settings(Target::Folder(Folder { folder: room.path().to_owned() })));
    let delivery = delivery("0503", &bytes);
    let begun = room.path().join(format!(".amtsbote-{}.part", delivery.id));
    fs::create_dir_all(begun.join("data")).unwrap();
    fs::write(begun.join("data/half"), "half").unwrap();
    File::create(room.path().join(format!(".amtsbote-{}.sent", delivery.id))).unwrap();
    assert_eq!(adapter.reconcile(&delivery).await.unwrap(), None, "marked, but unfinished");
    let receipt = deliver(&*adapter, &delivery, &bytes).await.unwrap();
    let bag = room.path().join(receipt.reference.unwrap());
    assert_is_bag(&bag);
    assert!(!bag.join("data/half").exists());
}

/// What becomes of an offer of one object.
async fn appraised(by: AppraisalBy, object: &str) -> Vec<(String, Option<Disposition>)> {
    let room = tempfile::tempdir().unwrap();
    let target = Target::Folder(Folder { folder: room.path().to_owned() });
    let adapter = adapter(adapter_archive::Settings { appraisal: by, ..settings(target) });
    let bytes = message_with("0501", object).into_bytes();
    let offer = delivery("0501", &bytes);
    let receipt = deliver(&*adapter, &offer, &bytes).await.unwrap();
    let Followed::Appraised(all) = follow(&*adapter, &offer, &receipt, &bytes).await.unwrap() else {
        panic!()
    };
    let mut all: Vec<_> = all.iter().map(|(id, it)| (id.to_string(), it.disposition)).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// An object of an offer by the end of its id, with its Aussonderungsart and what lies in it.
fn offered(element: &str, number: u8, said: &str, inner: &str) -> String {
    let said = match said {
        "" => String::new(),
        said => format!(
            "<x:ArchivspezifischeMetadaten><x:Aussonderungsart>{said}</x:Aussonderungsart></x:ArchivspezifischeMetadaten>"
        ),
    };
    format!(
        "<x:{element}><x:Identifikation><x:ID>{}</x:ID></x:Identifikation><x:AllgemeineMetadaten><x:Betreff>Bauantrag</x:Betreff>\
         </x:AllgemeineMetadaten>{said}{inner}</x:{element}>",
        id(number)
    )
}

fn id(number: u8) -> String {
    format!("0198c0de-0000-7000-8000-0000000000{number:02}")
}

fn said(code: &str) -> String {
    format!("<x:Aussonderungsart><code>{code}</code></x:Aussonderungsart>")
}

#[tokio::test]
async fn an_offer_waits_for_a_human_unless_the_administrator_has_said_who_appraises() {
    let room = tempfile::tempdir().unwrap();
    let adapter = adapter(settings(Target::Folder(Folder { folder: room.path().to_owned() })));
    let bytes = message("0501", OBJECT, "").into_bytes();
    let refused = deliver(&*adapter, &delivery("0501", &bytes), &bytes).await.unwrap_err();
    assert_eq!((refused.kind, &*refused.code), (FailureKind::Permanent, "archive.not-for-archives"));
}

#[tokio::test]
async fn what_anybody_wanted_appraised_is_archived_also_within_what_is_to_be_destroyed() {
    let (archive, destroy) = (Some(Disposition::Archive), Some(Disposition::Destroy));
    let agreed = "<x:AussonderungsartKonfigurierbar>nach Absprache</x:AussonderungsartKonfigurierbar>";
    let inner: String =
        [(2, said("B")), (3, said("A")), (4, said("V")), (5, String::new()), (6, agreed.into())]
            .iter()
            .map(|(number, said)| offered("Vorgang", *number, said, ""))
            .collect();
    let inner = format!("<x:Akteninhalt>{inner}</x:Akteninhalt>");
    for (root, everything, records) in [
        // Whatever differs from the file is named; what says nothing shares it.
        (said("V"), vec![(1, archive)], vec![(1, destroy), (2, archive), (3, archive), (6, archive)]),
        (said("A"), vec![(1, archive)], vec![(1, archive), (4, destroy)]),
        (said("B"), vec![(1, archive)], vec![(1, archive), (4, destroy)]),
        (String::new(), vec![(1, archive)], vec![(1, archive), (4, destroy)]),
    ] {
        let file = offered("Akte", 1, &root, &inner);
        for (by, expected) in [(AppraisalBy::Everything, everything), (AppraisalBy::Records, records)] {
            let expected: Vec<_> = expected.into_iter().map(|(number, it)| (id(number), it)).collect();
            assert_eq!(appraised(by, &file).await, expected, "{root} by {by:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_matter_of_archives_or_cannot_be_read_is_refused() {
    let room = tempfile::tempdir().unwrap();
    let adapter = adapter(settings(Target::Folder(Folder { folder: room.path().to_owned() })));
    let bytes = transfer();
    let failure = deliver(&*adapter, &delivery("0401", &bytes), &bytes).await.unwrap_err();
    assert_eq!(&*failure.code, "archive.not-for-archives");
    for broken in [&b"PK\x03\x04 no container"[..], &bytes[..bytes.len() - 30]] {
        let failure = deliver(&*adapter, &delivery("0503", broken), broken).await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (FailureKind::Permanent, "archive.not-understood"));
    }
    assert_eq!(fs::read_dir(room.path()).unwrap().count(), 0, "nothing is left of them");
}

/// The PREMIS of a bag that was made with these programs.
async fn premis_with(tools: adapter_archive::Tools) -> String {
    let bytes = transfer();
    let room = tempfile::tempdir().unwrap();
    let target = Target::Folder(Folder { folder: room.path().to_owned() });
    let adapter = adapter(adapter_archive::Settings { tools, ..settings(target) });
    let receipt = deliver(&*adapter, &delivery("0503", &bytes), &bytes).await.unwrap();
    let bag = room.path().join(receipt.reference.unwrap());
    assert_is_bag(&bag);
    let premis = bag.join("metadata/premis.xml");
    assert_validates(&premis, "premis/premis-v3-0.xsd");
    fs::read_to_string(premis).unwrap()
}

#[tokio::test]
async fn what_programs_say_of_files_stands_in_the_package() {
    let room = tempfile::tempdir().unwrap();
    let script = room.path().join("sf.sh");
    let answer = r#"{"files": [{"matches": [{"id": "fmt/477", "format": "Acrobat PDF/A", "mime": "application/pdf"}]}]}"#;
    fs::write(&script, format!("test -s \"$1\" && echo '{answer}'\n")).unwrap();
    let identify = Some(vec!["sh".into(), script.to_string_lossy().into_owned(), "{}".into()]);
    let text = premis_with(adapter_archive::Tools { identify, ..Default::default() }).await;
    assert_eq!(text.matches("<formatRegistryKey>fmt/477</formatRegistryKey>").count(), 5, "each file");
}

#[tokio::test]
async fn a_program_that_hangs_is_in_nobody_s_way() {
    let pdf_a = Some(vec!["python3".into(), "-c".into(), "import time; time.sleep(1000)".into()]);
    let within = std::time::Duration::from_millis(100);
    let text = premis_with(adapter_archive::Tools { pdf_a, within, ..Default::default() }).await;
    assert_eq!(text.matches("<formatNote>PDF/A check: no answer</formatNote>").count(), 1, "the PDF");
}

#[tokio::test]
async fn programs_have_one_time_for_all_files_and_work_where_they_are_told_to() {
    let identify = Some(vec!["python3".into(), "-c".into(), "import time; time.sleep(1000)".into()]);
    let within = std::time::Duration::from_secs(1_000);
    let in_all = std::time::Duration::from_millis(200);
    let text = premis_with(adapter_archive::Tools { identify, within, in_all, ..Default::default() }).await;
    assert_eq!(text.matches("<formatNote>format identification: no answer</formatNote>").count(), 5);

    let (room, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let seen = room.path().join("seen");
    let script = room.path().join("sf.sh");
    fs::write(&script, format!("pwd >> {}\n", seen.display())).unwrap();
    let identify = Some(vec!["sh".into(), script.to_string_lossy().into_owned()]);
    let target = Target::Folder(Folder { folder: room.path().to_owned() });
    let tools = adapter_archive::Tools { identify, ..Default::default() };
    let of = |work: &Path| adapter_archive::Settings {
        tools: tools.clone(),
        work: Some(work.to_owned()),
        ..settings(target.clone())
    };
    let bytes = transfer();
    deliver(&*adapter(of(work.path())), &delivery("0503", &bytes), &bytes).await.unwrap();
    let seen = fs::read_to_string(seen).unwrap();
    let work = work.path().canonicalize().unwrap();
    assert!(
        seen.lines().count() == 5 && seen.lines().all(|line| Path::new(line).starts_with(&work)),
        "{seen}"
    );
}
