//! Content as its readers see it: every delivery of the corpus, against what the recording implementation saw in it.

use std::io::Read;
use std::path::Path;

use osci::content::{Container, Part, Reader};
use osci::package::Package;
use osci::transport::{Limits, open};
use seal::algorithm::Policy;
use seal::identity::Identity;
use seal::xmlenc::Plaintext;

use crate::bed::identity;
use crate::corpus::{keys, messages, scenarios};

/// What is in a delivery, a line for each content: its id, its length and its SHA-256; and how many authors signed.
fn seen(file: &Path, readers: &[Identity]) -> osci::Result<Vec<String>> {
    let (policy, limits) = (Policy::default().with_legacy(), Limits::default());
    let bytes = std::fs::read(file).unwrap();
    let mut package = Package::open(open(&bytes[..], &keys(), &policy, &limits)?.package, &limits)?;
    let unverified = package.read()?;
    let message = match unverified.is_signed() {
        true => unverified.verify(&policy)?.0,
        false => unverified.unsigned()?,
    };
    let reader =
        Reader { package: &package, message: &message, keys: readers, policy: &policy, limits: &limits };
    let mut lines = Vec::new();
    list(&reader, &reader.read()?, &mut lines);
    // What is encrypted stands first in a package, and last in the notes.
    lines.sort();
    Ok(lines)
}

fn list(reader: &Reader<'_>, parts: &[Part], lines: &mut Vec<String>) {
    for part in parts {
        match part {
            Part::Inline { id, bytes } => lines.push(line(id, bytes)),
            Part::Attachment(attached) => {
                lines.push(line(&attached.id, &reader.open_attachment(attached).unwrap()));
            }
            Part::Container(Container { id, authors, parts }) => {
                lines.push(format!("{id} signatures={}", authors.len()));
                list(reader, parts, lines);
            }
            Part::Opened(parts) => list(reader, parts, lines),
            Part::Locked => lines.push("locked".to_owned()),
        }
    }
}

fn line(id: &str, bytes: &Plaintext) -> String {
    let mut all = Vec::new();
    bytes.open().read_to_end(&mut all).unwrap();
    format!("{id} bytes={} sha256={}", all.len(), seal::sha256(&[&all]))
}

/// The same, out of what the recording implementation noted.
fn noted(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let value = |line: &str, key: &str| {
        let rest = line.split_once(&format!("{key}="))?.1;
        Some(rest.split([' ', '\n']).next().unwrap_or_default().to_owned())
    };
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim) {
        let Some(id) = value(line, "Id") else { continue };
        if line.starts_with("ContentContainer") {
            lines.push(format!("{id} signatures={}", value(line, "signatures").unwrap()));
        } else if let (Some(bytes), Some(digest)) = (value(line, "bytes"), value(line, "sha256")) {
            lines.push(format!("{id} bytes={bytes} sha256={digest}"));
        }
    }
    lines.sort();
    lines
}

#[test]
fn all_readers_together_see_what_the_recording_implementation_saw() {
    let readers: Vec<Identity> =
        ["alice", "bob", "carol", "dave"].map(|who| identity(&format!("{who}_cipher"))).into();
    let mut count = 0;
    let mut wrong = Vec::new();
    for file in scenarios().iter().flat_map(|folder| messages(folder)) {
        let notes = file.with_extension("content.txt");
        if !notes.exists() {
            continue;
        }
        count += 1;
        match seen(&file, &readers) {
            Ok(seen) if seen == noted(&notes) => {}
            Ok(seen) => wrong.push(format!("{}:\n{seen:#?}\n{:#?}", file.display(), noted(&notes))),
            Err(error) => wrong.push(format!("{}: {error}", file.display())),
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 40, "{count}");
}

#[test]
fn who_has_no_key_sees_that_something_is_locked() {
    let folder = scenarios().into_iter().find(|folder| folder.ends_with("roundtrip")).unwrap();
    let file = folder.join("02q-StoreDelivery.osci");
    let seen = seen(&file, &[identity("carol_cipher")]).unwrap();
    assert_eq!(seen.iter().filter(|line| *line == "locked").count(), 1, "{seen:#?}");
    assert!(seen.iter().any(|line| line.contains("sha256=")), "the container in the clear is there");
}
