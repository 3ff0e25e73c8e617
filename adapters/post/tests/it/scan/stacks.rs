//! Stacks with separator sheets end as letters with what was recognised.

use std::fs;
use std::time::Duration;

use adapter_post::scan::Facts;
use adapter_post::scan::settings::{Fact, Opens, Word};
use adapter_post::scan::sheet::{self, Sheet};
use model::Timestamp;
use model::letter::{HintKind, SURE};
use serde_json::json;

use super::support::{Office, judge, shared};

/// The time of a file.
fn set_time(path: &std::path::Path, at: &str) {
    judge("touch", &["-d", at, path.to_str().unwrap()]);
}

#[tokio::test]
async fn a_stack_is_separated_read_and_keeps_its_scans() {
    let office = Office::reading();
    let sample = shared("samples/post/stapel.tif");
    office.put("stapel.tif", &fs::read(sample).unwrap());
    office.put("stapel.CSV", b"AZ;Eingang\r\n99.9-9999/2026;x\r\n");
    set_time(&office.path("stapel.tif"), "2026-11-05T08:30:00Z");
    *office.gateway.clock.lock().unwrap() = Timestamp::parse("2026-11-05T10:00:00Z");
    office.session().await.unwrap();

    let [letter] = &office.gateway.letters()[..] else { panic!("{:?}", office.refused()) };
    assert!(letter.key.starts_with("scan:") && letter.key.len() < 200, "{}", letter.key);
    assert_eq!(letter.received_at.to_string(), "2026-11-05T08:30:00Z");
    assert_eq!(letter.documents.len(), 1);
    let document = &letter.documents[0];
    assert_eq!((document.title.as_str(), document.kind.as_deref()), ("ANTRAG", Some("ANTRAG")));
    let names: Vec<_> = document.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["brief.pdf", "scan.pdf"]);
    let hints: Vec<_> =
        letter.hints.iter().map(|hint| (hint.kind, hint.value.as_str(), hint.place.as_str())).collect();
    assert_eq!(hints[0], (HintKind::RecordReference, "12.3-4711/2026", "separator"), "nearer than the index");
    assert!(hints.contains(&(HintKind::Unit, "36", "page 1")), "{hints:?}");
    assert_eq!(letter.hints.iter().filter(|hint| hint.confidence >= SURE).count(), 1, "{hints:?}");
    assert!(letter.concerns.is_empty(), "{:?}", letter.concerns);
    assert_eq!(letter.proof["sheets"], json!([1, 5]));
    assert_eq!(letter.proof["pages"], json!([2, 4]));

    let folder = tempfile::tempdir().unwrap();
    for (name, is_read) in [("brief.pdf", true), ("scan.pdf", false)] {
        let path = folder.path().join(name);
        fs::write(&path, office.gateway.bytes(letter, 0, name)).unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(judge("qpdf", &["--show-npages", path]).trim(), "3");
        judge("qpdf", &["--check", path]);
        let text = judge("pdftotext", &[path, "-"]);
        assert_eq!(text.contains("Außerbetriebsetzung"), is_read, "{name}: {text}");
        let images = judge("pdfimages", &["-list", path]);
        assert!(images.contains("ccitt") || is_read, "the scan is what the scanner made: {images}");
    }
    assert!(office.names("work").is_empty() && office.names("error").is_empty());
    assert_eq!(office.names("done"), ["stapel.CSV", "stapel.tif"]);
}

#[tokio::test]
async fn sheets_of_two_kinds_open_two_letters_and_sessions_share_them() {
    let mut office = Office::separating();
    let stack = office.path("s.tif");
    let script = shared("senders/post/make_stack.sh");
    judge("sh", &[script.to_str().unwrap(), stack.to_str().unwrap(), "VG-2026-0001", "VG-2026-0002"]);
    // No session has time for more than one letter.
    office.settings.session = Duration::ZERO;
    assert_eq!(office.session().await.unwrap(), Duration::ZERO, "there is more to do");
    assert_eq!(office.gateway.letters().len(), 1);
    office.session().await.unwrap();
    let references: Vec<_> = office.gateway.letters().iter().map(|it| it.hints[0].value.clone()).collect();
    assert_eq!(references, ["VG-2026-0001", "VG-2026-0002"]);
    assert_eq!(*office.gateway.again.lock().unwrap(), 0, "none was made twice");
    assert_eq!(office.names("done"), ["s.tif"]);
}

/// A page with a code of zint's, as PDF.
fn page(folder: &std::path::Path, name: &str, kind: &str, code: &str) -> String {
    let at = |ending: &str| folder.join(format!("{name}.{ending}")).to_str().unwrap().to_owned();
    let scale = if kind == "20" { "--scale=3" } else { "--scale=6" };
    judge("zint", &["-b", kind, scale, "-o", &at("png"), "-d", code]);
    judge(
        "convert",
        &["-size", "1654x2339", "xc:white", &at("png"), "-gravity", "center", "-composite", &at("p.png")],
    );
    judge("img2pdf", &["-S", "A4", "-o", &at("pdf"), &at("p.png")]);
    at("pdf")
}

#[tokio::test]
async fn our_own_sheets_open_letters_and_enclosures_in_every_code() {
    let mut office = Office::separating();
    let word = Some(Word::new("Musterhaus-7".to_owned().into()).unwrap());
    let separate = office.settings.separate.as_mut().unwrap();
    separate.word = word.clone();
    (separate.datamatrix, separate.datamatrix_time) = (true, Duration::from_secs(5));
    let facts =
        |pairs: &[(Fact, &str)]| pairs.iter().map(|(fact, it)| (*fact, (*it).to_owned())).collect::<Facts>();
    let letter = Sheet {
        opens: Opens::Letter,
        facts: facts(&[(Fact::Reference, "63;1"), (Fact::Unit, "63"), (Fact::Received, "05.11.2026 07:15")]),
    };
    let enclosure = Sheet { opens: Opens::Document, facts: facts(&[(Fact::Subject, "Lageplan")]) };
    let folder = tempfile::tempdir().unwrap();
    let pages = [
        page(folder.path(), "a", "58", &sheet::code(&letter, word.as_ref())),
        page(folder.path(), "b", "58", "12.3-4711/2026"),
        page(folder.path(), "c", "71", &sheet::code(&enclosure, word.as_ref())),
        page(folder.path(), "d", "20", "12.3-4712/2026"),
    ];
    let out = office.path("x.pdf");
    let mut words = vec!["--empty", "--pages"];
    words.extend(pages.iter().map(String::as_str));
    words.extend(["--", out.to_str().unwrap()]);
    judge("qpdf", &words);
    set_time(&out, "2026-11-30T08:30:00Z");
    *office.gateway.clock.lock().unwrap() = Timestamp::parse("2026-11-30T10:00:00Z");
    office.session().await.unwrap();

    let [letter] = &office.gateway.letters()[..] else { panic!("{:?}", office.refused()) };
    let titles: Vec<_> = letter.documents.iter().map(|it| it.title.as_str()).collect();
    assert_eq!(titles, ["Schreiben", "Lageplan"]);
    assert_eq!(letter.received_at.to_string(), "2026-11-05T06:15:00Z");
    assert_eq!((&letter.proof["receivedBy"], letter.concerns.len()), (&json!("sheet"), 0));
    let hints: Vec<_> = letter.hints.iter().map(|it| (it.value.as_str(), it.confidence >= SURE)).collect();
    let wanted = [("63;1", true), ("63", true), ("12.3-4711/2026", true), ("12.3-4712/2026", false)];
    assert_eq!(hints, wanted);
}

#[test]
fn a_printed_sheet_is_read_by_others() {
    let facts = Facts::from([(Fact::Reference, "63-2026-0017 ü;%".to_owned())]);
    let sheet = Sheet { opens: Opens::Letter, facts };
    let word = Word::new("Musterhaus-7".to_owned().into()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (svg, png) = (folder.path().join("s.svg"), folder.path().join("s.png"));
    fs::write(&svg, sheet::svg(&sheet, Some(&word)).unwrap()).unwrap();
    judge("xmllint", &["--noout", svg.to_str().unwrap()]);
    judge("rsvg-convert", &["-d", "150", "-p", "150", "-o", png.to_str().unwrap(), svg.to_str().unwrap()]);
    let said = judge("zbarimg", &["-q", "--raw", png.to_str().unwrap()]);
    assert!(said.contains(&sheet::code(&sheet, Some(&word))), "{said}");
}

#[tokio::test]
async fn what_cannot_be_read_is_taken_in_as_a_picture() {
    let mut office = Office::reading();
    office.settings.separate = None;
    let original = fs::read(shared("samples/post/i2pa.pdf")).unwrap();
    // It fails, says that all went well, talks without end.
    for (number, tool) in ["false", "true", "yes"].into_iter().enumerate() {
        office.settings.tools.ocrmypdf = vec![tool.into()];
        office.put(&format!("{tool}.pdf"), &original);
        office.session().await.unwrap();
        let letters = office.gateway.letters();
        let letter = letters.get(number).unwrap_or_else(|| panic!("{tool}: {:?}", office.refused()));
        assert_eq!(letter.concerns, ["post.scan-no-text"]);
        assert_eq!(letter.documents[0].files.len(), 1);
        assert_eq!(office.gateway.bytes(letter, 0, "scan.pdf"), original, "byte by byte");
    }
}
