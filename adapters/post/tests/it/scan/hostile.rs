//! What no scanner would write, and tools that do not do their work.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use adapter_post::scan::Scan;
use adapter_post::scan::settings::{Fact, IndexMode, Jbig2, Separate};
use model::adapter::Adapter;
use model::{Failure, FailureKind};

use super::support::{Office, judge, shared};

fn good() -> Vec<u8> {
    fs::read(shared("samples/post/i2pa.pdf")).unwrap()
}

/// A TIFF that says that it is 100,000 pixels wide and high.
fn bomb() -> Vec<u8> {
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    let tags: [(u16, u16, u32); 9] = [
        (256, 4, 100_000),
        (257, 4, 100_000),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, 100_000),
        (279, 4, 16),
    ];
    bytes.extend((tags.len() as u16).to_le_bytes());
    for (tag, kind, value) in tags {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 64]);
    bytes
}

/// A PDF with one image that is coded by JBIG2 symbols.
fn with_symbols() -> Vec<u8> {
    let mut bytes = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
        3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</XObject<</I 5 0 R>>>>>>endobj\n\
        4 0 obj<</Length 5>>stream\n/I Do\nendstream endobj\n\
        5 0 obj<</Type/XObject/Subtype/Image/Width 8/Height 8/BitsPerComponent 1/ColorSpace/DeviceGray/Filter/JBIG2Decode/Length 15>>stream\n"
        .to_vec();
    bytes.extend([0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0]);
    bytes.extend(b"\nendstream endobj\ntrailer<</Root 1 0 R/Size 6>>\nstartxref\n0\n%%EOF\n");
    bytes
}

#[tokio::test]
async fn what_is_no_scan_goes_to_the_folder_for_errors_and_keeps_nothing_from_being_taken() {
    let mut office = Office::separating();
    office.settings.limits.bytes = 1 << 20;
    office.settings.limits.pages = 4;
    office.settings.jbig2 = Jbig2::Reject;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("good.pdf"), good()).unwrap();
    judge("qpdf", &["--encrypt", "a", "b", "256", "--", &at("good.pdf"), &at("locked.pdf")]);
    office.put("0.pdf", b"");
    office.put("1.pdf", b"<html>sorry</html>");
    office.put("2.pdf", b"%PDF-1.4 is that all?");
    office.put("3.pdf", b"%PDF-1.4\nnothing of it is true\n%%EOF\n");
    office.put("4.pdf", &fs::read(at("locked.pdf")).unwrap());
    fs::File::create(office.path("5.pdf")).unwrap().set_len(2 << 20).unwrap();
    office.put("6.tif", &fs::read(shared("samples/post/stapel.tif")).unwrap());
    office.put("7.tif", &bomb());
    office.put("8.pdf", &good());
    office.put("8.xml", b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a><az>&b;</az></a>");
    office.put("9.pdf", &with_symbols());
    // Names that a shell or a tool would take for something else.
    let odd = ["-o.pdf", "a;$(touch x).pdf", "@b.pdf", "x..%2f..%2fc.pdf", "ä\n.pdf", "\\..\\d.pdf"];
    for (number, name) in odd.iter().enumerate() {
        let bytes = [good(), format!("% {number}\n%%EOF\n").into_bytes()].concat();
        office.put(name, &bytes);
    }
    fs::write(office.folder.path().join(OsStr::from_bytes(b"z\xff.pdf")), good()).unwrap();
    // Left alone.
    std::os::unix::fs::symlink(at("good.pdf"), office.path("link.pdf")).unwrap();
    fs::create_dir(office.path("folder.pdf")).unwrap();
    office.put("new.pdf.part", &good());
    office.put(".hidden.pdf", &good());
    office.put("..%2f..%2fc.pdf", &good());
    office.session().await.unwrap();

    let refused = office.refused();
    let refused: Vec<_> = refused.iter().map(|(name, code)| (name.as_str(), code.as_str())).collect();
    let wanted = [
        ("0.pdf", "post.scan-format"),
        ("1.pdf", "post.scan-format"),
        ("2.pdf", "post.scan-format"),
        ("3.pdf", "post.scan-tool"),
        ("4.pdf", "post.scan-tool"),
        ("5.pdf", "post.scan-too-large"),
        ("6.tif", "post.scan-too-large"),
        ("7.tif", "post.scan-tool"),
        ("8.pdf", "post.scan-index"),
        ("9.pdf", "post.scan-jbig2"),
        ("file", "post.scan-name"),
    ];
    assert_eq!(refused, wanted);
    assert_eq!(office.gateway.letters().len(), odd.len());
    let left: Vec<_> = ["link.pdf", "folder.pdf", "new.pdf.part", ".hidden.pdf", "..%2f..%2fc.pdf"]
        .into_iter()
        .filter(|name| fs::symlink_metadata(office.path(name)).is_ok())
        .collect();
    assert_eq!(left.len(), 5, "{left:?}");
    assert!(!office.path("x").exists() && office.names("work").is_empty());
}

#[tokio::test]
async fn a_tool_that_hangs_is_ended_with_all_that_it_started() {
    let mut office = Office::separating();
    let pid = office.path(".pid");
    let script = format!("sleep 600 & echo $! > {}; wait", pid.display());
    office.settings.tools.zbarimg = vec!["sh".into(), "-c".into(), script];
    office.settings.separate = Some(Separate { time: Duration::from_secs(2), ..Separate::default() });
    office.put("a.pdf", &good());
    office.session().await.unwrap();
    assert_eq!(office.refused(), [("a.pdf".to_owned(), "post.scan-time".to_owned())]);
    let pid = fs::read_to_string(pid).unwrap();
    // What it started ends, too; a signal takes its time.
    let runs = || {
        fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|state| !state.contains(") Z "))
    };
    while runs() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_tool_that_talks_without_end_or_nonsense_is_not_believed() {
    for tool in [vec!["yes"], vec!["echo", "<html>"], vec!["false"]] {
        let mut office = Office::separating();
        office.settings.tools.zbarimg = tool.iter().map(|it| (*it).to_owned()).collect();
        office.put("a.pdf", &good());
        office.session().await.unwrap();
        assert_eq!(office.refused(), [("a.pdf".to_owned(), "post.scan-tool".to_owned())], "{tool:?}");
    }
}

#[tokio::test]
async fn without_its_tools_nothing_is_refused() {
    let mut office = Office::separating();
    let tools = office.settings.tools.clone();
    office.settings.tools.zbarimg = vec!["no-such-program".into()];
    office.put("a.pdf", &good());
    for _ in 0..6 {
        let failure = office.session().await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (FailureKind::Permanent, "post.scan-tool-missing"));
    }
    assert!(!office.scan().check().await.ok);
    office.settings.tools = tools;
    assert!(office.scan().check().await.ok);
    office.session().await.unwrap();
    assert_eq!(office.gateway.letters().len(), 1);
}

#[tokio::test]
async fn what_kills_its_tool_or_is_refused_for_good_is_given_up_after_some_tries() {
    let mut office = Office::separating();
    office.settings.tools.zbarimg = vec!["sh".into(), "-c".into(), "kill -9 $$".into()];
    office.put("a.pdf", &good());
    for _ in 0..5 {
        office.session().await.unwrap();
    }
    assert_eq!(office.refused(), [("a.pdf".to_owned(), "post.scan-given-up".to_owned())]);

    let office = Office::new();
    let refuse =
        |kind| *office.gateway.refuses.lock().unwrap() = Some(Failure::new(kind, "model.invalid", ""));
    office.put("a.pdf", &good());
    refuse(FailureKind::Transient);
    for _ in 0..6 {
        office.session().await.unwrap_err();
    }
    assert!(office.refused().is_empty(), "the store may be away for long");
    refuse(FailureKind::Permanent);
    for _ in 0..3 {
        office.session().await.unwrap_err();
    }
    office.session().await.unwrap();
    assert_eq!(office.refused(), [("a.pdf".to_owned(), "post.scan-given-up".to_owned())]);
}

#[tokio::test]
async fn only_what_is_complete_is_taken() {
    let mut office = Office::new();
    office.settings.quiet = Duration::from_secs(3_600);
    office.put("a.pdf", &good());
    // An old time that a copy brings along says nothing.
    judge("touch", &["-d", "2020-01-01", office.path("a.pdf").to_str().unwrap()]);
    office.session().await.unwrap();
    assert!(office.gateway.letters().is_empty());
    office.settings.quiet = Duration::ZERO;
    office.settings.index.mode = IndexMode::Required;
    office.session().await.unwrap();
    assert!(office.gateway.letters().is_empty(), "its index is not there yet");
    office.put("a.json", br#"{"az":"1"}"#);
    office.session().await.unwrap();
    assert_eq!(office.gateway.letters().len(), 1);
}

#[test]
fn settings_that_cannot_be_used_are_told() {
    let mut office = Office::separating();
    office.settings.recognise.references.push("(".into());
    let code = |office: &Office| Scan::new(office.settings.clone(), None).err().unwrap().code;
    assert_eq!(code(&office), "post.scan-settings");
    office.settings.recognise.references.clear();
    office.settings.index.columns.push(("x".into(), Fact::Unit));
    office.settings.separate.as_mut().unwrap().sheets[0].pattern = "(".into();
    assert_eq!(code(&office), "post.scan-settings");
}
