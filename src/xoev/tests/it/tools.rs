//! Official packs, samples and the programs that judge what we do.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use schemas::Schemas;
use xoev::container::ContainerWriter;
use xoev::xdomea::{Options, Xdomea};

/// A folder of the shared material, or `None` with a loud word.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    if !root.is_dir() {
        println!("SKIPPED: ../shared is absent");
        return None;
    }
    Some(root.join(path))
}

/// The standard with our own schemas.
pub(crate) fn own() -> Xdomea {
    Xdomea::new(Arc::new(Schemas::new()), Options::default())
}

/// The standard with the official packs of all versions.
pub(crate) fn official(packs: &Path) -> Xdomea {
    let schemas = Schemas::new();
    schemas.add_pack(&packs.join("xdomea")).unwrap();
    Xdomea::new(Arc::new(schemas), Options::default())
}

/// What a program prints about `input`; fails with what it says if it fails.
pub(crate) fn run(program: &str, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
    let mut command = Command::new(program);
    command
        .env("LC_ALL", "C.UTF-8")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let _ = feeder.join();
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// Canonical form without comments and white space between elements.
pub(crate) fn canonical(xml: &str) -> String {
    let mut rest = xml;
    let mut text = String::new();
    while let Some((before, comment)) = rest.split_once("<!--") {
        text.push_str(before);
        rest = comment.split_once("-->").unwrap().1;
    }
    text.push_str(rest);
    let canonical = run("xmllint", &["--noblanks", "--exc-c14n", "-"], text.as_bytes()).unwrap();
    String::from_utf8(canonical).unwrap().replace("><", ">\n<")
}

/// Validates with the official schema through xmllint.
pub(crate) fn xmllint(packs: &Path, version: &str, code: &str, xml: &str) -> Result<(), String> {
    let schema = official_schema(packs, version, code);
    let arguments = ["--nonet", "--noout", "--schema", schema.to_str().unwrap(), "-"];
    run("xmllint", &arguments, xml.as_bytes()).map(|_| ())
}

fn official_schema(packs: &Path, version: &str, code: &str) -> PathBuf {
    let group = match &code[..2] {
        "01" => "InformationAustauschen",
        "02" => "GeschaeftsgangDurchfuehren",
        "03" => "AktenplanAustauschen",
        "04" => "AbgabeDurchfuehren",
        _ => "AussonderungDurchfuehren",
    };
    packs.join(format!("xdomea/{version}/xdomea-Nachrichten-{group}.xsd"))
}

/// Many messages that are to be valid by the official schemas: xmllint is slow to start.
#[derive(Default)]
pub(crate) struct Judge(Vec<(String, PathBuf, String)>);

impl Judge {
    /// Takes a message; `label` says which it is.
    pub(crate) fn take(&mut self, packs: &Path, version: &str, code: &str, label: &str, xml: &str) {
        self.0.push((label.to_owned(), official_schema(packs, version, code), xml.to_owned()));
    }

    /// What xmllint says of those that are not valid.
    pub(crate) fn verdict(self) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let mut by_schema: std::collections::BTreeMap<PathBuf, Vec<String>> = Default::default();
        let mut labels = String::new();
        for (index, (label, schema, xml)) in self.0.iter().enumerate() {
            let path = folder.path().join(format!("{index}.xml"));
            std::fs::write(&path, xml).unwrap();
            labels.push_str(&format!("{}: {label}\n", path.display()));
            by_schema.entry(schema.clone()).or_default().push(path.to_str().unwrap().to_owned());
        }
        for (schema, files) in by_schema {
            let mut arguments = vec!["--nonet", "--noout", "--schema", schema.to_str().unwrap()];
            arguments.extend(files.iter().map(String::as_str));
            run("xmllint", &arguments, b"").map_err(|error| {
                let faults = error.lines().filter(|line| !line.ends_with(" validates"));
                let mut text: String = faults.take(20).map(|line| format!("{line}\n")).collect();
                let known = labels.lines().filter(|label| {
                    label.split_once(": ").is_some_and(|(path, _)| text.contains(&format!("{path}:")))
                });
                let known: String = known.map(|label| format!("{label}\n")).collect();
                text.push_str(&known);
                text
            })?;
        }
        Ok(())
    }
}

/// Names of the files that a message mentions.
pub(crate) fn mentioned(xml: &str) -> Vec<String> {
    let mut names = Vec::new();
    for tag in ["Dateiname", "SignaturSiegelDatei"] {
        for part in xml.split(&format!("<xdomea:{tag}>")).skip(1) {
            names.push(part.split('<').next().unwrap().to_owned());
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Packs a message with some bytes for every file that it mentions.
pub(crate) fn pack(stem: &str, xml: &str) -> Vec<u8> {
    pack_as(stem, xml, xml)
}

/// Packs a message with some bytes for every file that `names` mentions.
pub(crate) fn pack_as(stem: &str, xml: &str, names: &str) -> Vec<u8> {
    let mut writer = ContainerWriter::new(Vec::new());
    let mut add = |name: &str, content: &[u8]| writer.entry(name, |sink| sink.write_all(content)).unwrap();
    add(&format!("{stem}.xml"), xml.as_bytes());
    for name in mentioned(names) {
        add(&name, format!("content of {name}").as_bytes());
    }
    writer.finish().unwrap()
}

/// The message in a container, and the other files.
pub(crate) fn unpack(container: &[u8]) -> (String, Vec<(String, Vec<u8>)>) {
    unpack_by(container, &|name| xoev::xdomea::messages::FileName::parse(name).is_some())
}

/// The message of this name in a container, and the other files.
pub(crate) fn unpack_named(container: &[u8], message: &str) -> (String, Vec<(String, Vec<u8>)>) {
    unpack_by(container, &|name| name == message)
}

fn unpack_by(container: &[u8], is_message: &dyn Fn(&str) -> bool) -> (String, Vec<(String, Vec<u8>)>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.zip");
    std::fs::write(&path, container).unwrap();
    run("unzip", &["-q", path.to_str().unwrap(), "-d", folder.path().to_str().unwrap()], b"").unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    let index = files.iter().position(|(name, _)| is_message(name)).unwrap();
    let (_, xml) = files.remove(index);
    (String::from_utf8(xml).unwrap(), files)
}
