//! `amtsbote convert`: what it writes is valid and says the same; it never gives out what would be refused, nor replaces a file unasked.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use xoev::container::ContainerWriter;

use crate::installation::{amtsbote, json, said};

const STEM: &str = "11110000-0000-4000-8000-000000000401_Abgabe.Abgabe.0401";
const DOCUMENT: (&str, &str) = ("<xdomea:Dokument>", "</xdomea:Dokument>");
/// UUID of the sample's document, and of its file.
const DOCUMENT_ID: &str = "7bf9473a-b4a7-11ec-a407-005056871b7c";
const FILE_ID: &str = "f4bcaaf7-d7cb-11ef-a278-005056871b7c";

fn shared(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !root.is_dir() {
        eprintln!("SKIPPED: ../shared is absent");
        return None;
    }
    Some(root.join(path))
}

fn handover() -> Option<String> {
    let path = shared(&format!("samples/xoev/xdomea/derived-3.0.0/{STEM}.xml"))?;
    Some(std::fs::read_to_string(path).unwrap())
}

/// Names of the files that a message mentions.
fn mentioned(xml: &str) -> Vec<&str> {
    let parts = xml.split("<xdomea:Dateiname>").skip(1);
    parts.map(|part| part.split('<').next().unwrap()).collect()
}

/// Packs a message with `content` for every file that it names.
fn pack(path: &Path, xml: &str, content: &[u8]) {
    let mut writer = ContainerWriter::new(std::fs::File::create(path).unwrap());
    writer.entry(&format!("{STEM}.xml"), |sink| sink.write_all(xml.as_bytes())).unwrap();
    for name in mentioned(xml) {
        writer.entry(name, |sink| sink.write_all(content)).unwrap();
    }
    writer.finish().unwrap();
}

fn convert(source: &Path, to: &str, output: &Path, more: &[&str]) -> Output {
    let paths = [source.to_str().unwrap(), "--to", to, "--output", output.to_str().unwrap()];
    amtsbote(&[&["convert"], &paths[..], more].concat())
}

fn unpacked(container: &Path, name: &str) -> Vec<u8> {
    let output = Command::new("unzip").arg("-p").arg(container).arg(name).output().expect("unzip is there");
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// Files in a folder.
fn listed(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_container_goes_into_another_version_with_its_files_and_is_valid_there() {
    let (Some(xml), Some(packs)) = (handover(), shared("packs")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (source, output) = (folder.path().join("a.zip"), folder.path().join(format!("{STEM}.zip")));
    pack(&source, &xml, b"%PDF-1.7 content");
    let result = convert(&source, "xdomea:3.1.0", &output, &["--json"]);
    assert_eq!(result.status.code(), Some(0), "{result:?}");
    let told = json(&result);
    assert_eq!((&told["from"]["version"], &told["to"]["version"]), (&"3.0.0".into(), &"3.1.0".into()));
    assert_eq!(told["findings"].as_array().unwrap().len(), 0, "{told}");
    assert_eq!(told["output"], output.to_str().unwrap());

    let written = String::from_utf8(unpacked(&output, &format!("{STEM}.xml"))).unwrap();
    let path = folder.path().join("written.xml");
    std::fs::write(&path, &written).unwrap();
    let schema = packs.join("xdomea/3.1.0/xdomea-Nachrichten-AbgabeDurchfuehren.xsd");
    let mut judge = Command::new("xmllint");
    judge.args(["--nonet", "--noout", "--schema"]).arg(schema).arg(&path);
    let judged = judge.output().expect("xmllint is there");
    assert!(judged.status.success(), "{judged:?}");
    let names = mentioned(&xml);
    assert!(!names.is_empty());
    for name in names {
        assert!(written.contains(name));
        assert_eq!(unpacked(&output, name), b"%PDF-1.7 content");
    }
    // And back: what is written is read like anything.
    let back = folder.path().join("back.zip");
    assert_eq!(convert(&output, "xdomea:3.0.0", &back, &[]).status.code(), Some(0));
    let again = unpacked(&back, &format!("{STEM}.xml"));
    assert_eq!(canonical(folder.path(), &again), canonical(folder.path(), xml.as_bytes()));
    assert_eq!(
        listed(folder.path()),
        [format!("{STEM}.zip"), "a.zip".into(), "back.zip".into(), "c14n.xml".into(), "written.xml".into()]
    );
}

/// Exclusive canonical form without comments and white space between elements, as xmllint makes it.
fn canonical(folder: &Path, xml: &[u8]) -> String {
    let text = String::from_utf8(xml.to_vec()).unwrap();
    let without: String = text
        .split("<!--")
        .enumerate()
        .map(|(at, part)| match at {
            0 => part,
            _ => part.split_once("-->").unwrap().1,
        })
        .collect();
    let path = folder.join("c14n.xml");
    std::fs::write(&path, without).unwrap();
    let output = Command::new("xmllint").args(["--noblanks", "--exc-c14n"]).arg(&path).output();
    let output = output.expect("xmllint is there");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_file_that_is_there_is_replaced_only_by_force() {
    let Some(xml) = handover() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (source, output) = (folder.path().join("a.zip"), folder.path().join("b.zip"));
    pack(&source, &xml, b"content");
    std::fs::write(&output, "mine").unwrap();
    let refused = convert(&source, "xdomea:3.1.0", &output, &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("cli.exists"));
    assert_eq!(std::fs::read(&output).unwrap(), b"mine");
    assert_eq!(convert(&source, "xdomea:3.1.0", &output, &["--force"]).status.code(), Some(0));
    assert!(std::fs::read(&output).unwrap().starts_with(b"PK"));
}

#[test]
fn a_message_with_errors_is_told_as_check_tells_it_and_nothing_is_written() {
    let Some(xml) = handover() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (source, output) = (folder.path().join("a.xml"), folder.path().join("b.zip"));
    std::fs::write(&source, &xml).unwrap();
    let refused = convert(&source, "xdomea:3.1.0", &output, &["--json"]);
    assert_eq!(refused.status.code(), Some(1));
    let told = json(&refused);
    assert_eq!(told["valid"], false);
    let rules: Vec<&str> =
        told["findings"].as_array().unwrap().iter().map(|it| it["rule"].as_str().unwrap()).collect();
    assert!(rules.contains(&"xdomea.no-container"), "{rules:?}");
    assert_eq!(listed(folder.path()), ["a.xml"]);
}

#[test]
fn what_is_no_message_of_xdomea_or_no_version_ends_with_2() {
    let (Some(xml), Some(court)) = (handover(), shared("samples/xoev/xjustiz/xjustiz_nachricht_v2_4.xml"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (source, output) = (folder.path().join("a.zip"), folder.path().join("b.zip"));
    pack(&source, &xml, b"content");
    for (file, to, code) in [
        (&source, "xdomea:2.2.0", "cli.usage"),
        (&source, "xjustiz:3.6.2", "cli.usage"),
        (&court, "xdomea:3.1.0", "cli.not-convertible"),
        (&folder.path().join("absent"), "xdomea:3.1.0", "cli.file"),
    ] {
        let refused = convert(file, to, &output, &[]);
        assert_eq!(refused.status.code(), Some(2), "{to}: {refused:?}");
        assert!(said(&refused).contains(code), "{code}: {}", said(&refused));
    }
    assert_eq!(listed(folder.path()), ["a.zip"]);
}

/// A message of 6,000 documents (10 MB of XML) with 50 MB of files, in a process that may have 40 MB of data.
#[test]
fn memory_does_not_grow_with_the_message() {
    let Some(xml) = handover() else { return };
    let (from, to) = (xml.find(DOCUMENT.0).unwrap(), xml.find(DOCUMENT.1).unwrap() + DOCUMENT.1.len());
    let document = &xml[from..to];
    let documents: String = (0..6_000).map(|number| numbered(document, number)).collect();
    let large = format!("{}{documents}{}", &xml[..from], &xml[to..]);
    let folder = tempfile::tempdir().unwrap();
    let (source, output) = (folder.path().join("a.zip"), folder.path().join("b.zip"));
    // Nothing that could be compressed.
    let content: Vec<u8> = (0..256_u32).flat_map(|seed| seal::sha256(&[&seed.to_be_bytes()]).0).collect();
    pack(&source, &large, &content);
    assert!(std::fs::metadata(&source).unwrap().len() > 49_000_000);
    let limited = format!(
        "ulimit -d 40960 && exec {} convert {} --to xdomea:3.1.0 -o {}",
        env!("CARGO_BIN_EXE_amtsbote"),
        source.display(),
        output.display()
    );
    let result = Command::new("sh").arg("-c").arg(limited).output().unwrap();
    assert_eq!(result.status.code(), Some(0), "{result:?}");
    assert!(std::fs::metadata(&output).unwrap().len() > 49_000_000);
}

fn numbered(document: &str, number: u32) -> String {
    document
        .replace(DOCUMENT_ID, &format!("7bf9473a-b4a7-11ec-a407-{number:012}"))
        .replace(FILE_ID, &format!("f4bcaaf7-d7cb-11ef-a278-{number:012}"))
        .replace("Container>1<", &format!("Container>{}<", number + 1))
}
