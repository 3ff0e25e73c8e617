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

/// Names of the files that a message mentions, whatever prefix its elements have.
fn mentioned(xml: &str) -> Vec<&str> {
    let names =
        ["Dateiname>", "SignaturSiegelDatei>"].into_iter().flat_map(|tag| xml.split(tag).skip(1).step_by(2));
    let mut names: Vec<&str> = names.map(|part| part.split('<').next().unwrap()).collect();
    names.sort();
    names.dedup();
    names
}

/// Packs a message with `content` for every file that it names.
fn pack(path: &Path, xml: &str, content: &[u8]) {
    pack_as(path, STEM, xml, content);
}

fn pack_as(path: &Path, stem: &str, xml: &str, content: &[u8]) {
    let mut writer = ContainerWriter::new(std::fs::File::create(path).unwrap());
    writer.entry(&format!("{stem}.xml"), |sink| sink.write_all(xml.as_bytes())).unwrap();
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
    let Some(xml) = handover() else { return };
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
    judge("3.1.0", STEM, &path).unwrap();
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

/// Every message of the samples of a version, by its name without ending.
fn samples(version: &str) -> Vec<(String, String)> {
    let Some(folder) = shared(&format!("samples/xoev/xdomea/derived-{version}")) else { return Vec::new() };
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let xml = paths.filter(|path| path.extension().is_some_and(|ending| ending == "xml"));
    xml.map(|path| {
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (stem, std::fs::read_to_string(path).unwrap())
    })
    .collect()
}

/// Whether the official schemas of a version find a message valid; its name says the type.
fn judge(version: &str, name: &str, path: &Path) -> Result<(), String> {
    let packs = shared("packs").unwrap();
    let group = [
        ("Information.", "InformationAustauschen"),
        ("Geschaeftsgang.", "GeschaeftsgangDurchfuehren"),
        ("Aktenplan.", "AktenplanAustauschen"),
        ("Abgabe.", "AbgabeDurchfuehren"),
    ];
    let group = group.iter().find(|(word, _)| name.contains(word));
    let group = group.map_or("AussonderungDurchfuehren", |(_, group)| group);
    let mut judge = Command::new("xmllint");
    judge.env("XML_CATALOG_FILES", packs.join("catalog.xml")).args(["--nonet", "--noout", "--schema"]);
    judge.arg(packs.join(format!("xdomea/{version}/xdomea-Nachrichten-{group}.xsd"))).arg(path);
    let output = judge.output().expect("xmllint is there");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn every_sample_goes_into_every_version_that_has_its_type() {
    if shared("").is_none() {
        return;
    }
    let versions = ["2.3.0", "2.4.0", "3.0.0", "3.1.0", "4.0.0"];
    let folder = tempfile::tempdir().unwrap();
    let (source, output, written) =
        (folder.path().join("a.zip"), folder.path().join("b.zip"), folder.path().join("b.xml"));
    let (mut count, mut refused) = (0, Vec::new());
    for from in ["2.3.0", "3.0.0", "3.1.0", "4.0.0"] {
        for (stem, xml) in samples(from) {
            pack_as(&source, &stem, &xml, b"content");
            for to in versions {
                let label = format!("{stem} {from} to {to}");
                let result = convert(&source, &format!("xdomea:{to}"), &output, &["--force", "--json"]);
                if result.status.code() != Some(0) {
                    assert!(said(&result).contains("xdomea.not-written"), "{label}: {result:?}");
                    refused.push(label);
                    continue;
                }
                let name = json(&result)["to"]["name"].as_str().unwrap().to_owned();
                std::fs::write(&written, unpacked(&output, "*_*.xml")).unwrap();
                judge(to, &name, &written).unwrap_or_else(|error| panic!("{label}: {error}"));
                count += 1;
            }
        }
    }
    assert!(count >= 60, "{count}, refused: {refused:#?}");
    let is_right =
        |label: &String| label.ends_with("4.0.0") || label.contains("to 2.") || label.contains("0402 2.3.0");
    assert!(refused.iter().all(is_right), "{refused:#?}");
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

/// A message of 9,000 documents (15 MB of XML) with 75 MB of files, in a process that may have 64 MB of data.
#[test]
fn memory_does_not_grow_with_the_message() {
    let Some(xml) = handover() else { return };
    let (from, to) = (xml.find(DOCUMENT.0).unwrap(), xml.find(DOCUMENT.1).unwrap() + DOCUMENT.1.len());
    let document = &xml[from..to];
    let documents: String = (0..9_000).map(|number| numbered(document, number)).collect();
    let large = format!("{}{documents}{}", &xml[..from], &xml[to..]);
    let folder = tempfile::tempdir().unwrap();
    let (source, output) = (folder.path().join("a.zip"), folder.path().join("b.zip"));
    // Nothing that could be compressed.
    let content: Vec<u8> = (0..256_u32).flat_map(|seed| seal::sha256(&[&seed.to_be_bytes()]).0).collect();
    pack(&source, &large, &content);
    assert!(std::fs::metadata(&source).unwrap().len() > 73_000_000);
    let limited = format!(
        // With many threads that wait for a processor, glibc would make an arena for each.
        "ulimit -d 65536 && MALLOC_ARENA_MAX=2 exec {} convert {} --to xdomea:3.1.0 -o {}",
        env!("CARGO_BIN_EXE_amtsbote"),
        source.display(),
        output.display()
    );
    let result = Command::new("sh").arg("-c").arg(limited).output().unwrap();
    assert_eq!(result.status.code(), Some(0), "{result:?}");
    assert!(std::fs::metadata(&output).unwrap().len() > 73_000_000);
}

fn numbered(document: &str, number: u32) -> String {
    document
        .replace(DOCUMENT_ID, &format!("7bf9473a-b4a7-11ec-a407-{number:012}"))
        .replace(FILE_ID, &format!("f4bcaaf7-d7cb-11ef-a278-{number:012}"))
        .replace("Container>1<", &format!("Container>{}<", number + 1))
}

#[test]
fn a_record_with_the_nil_uuid_is_one_like_any_other() {
    let Some(xml) = handover() else { return };
    let nil = xml.replace("67e456ea-b420-11ec-b503-005056871b7c", "00000000-0000-0000-0000-000000000000");
    assert_ne!(nil, xml);
    let folder = tempfile::tempdir().unwrap();
    let (source, output) = (folder.path().join("a.zip"), folder.path().join("b.zip"));
    pack(&source, &nil, b"%PDF-1.7 content");
    let result = convert(&source, "xdomea:3.1.0", &output, &["--json"]);
    assert_eq!(result.status.code(), Some(0), "{result:?}");
    let written = String::from_utf8(unpacked(&output, &format!("{STEM}.xml"))).unwrap();
    assert_eq!(written.matches("00000000-0000-0000-0000-000000000000").count(), 1);
    assert_eq!(written.matches("<xdomea:Dokument>").count(), 1, "it is in no record but its own");
}
