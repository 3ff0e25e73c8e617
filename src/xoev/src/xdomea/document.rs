//! Versions and files of a Dokument (VersionType, FormatType, PrimaerdokumentType of 3.0.0 and 3.1.0).

use std::collections::BTreeMap;

use model::PayloadRef;
use model::case::{Document, DocumentDates, File, Version};
use serde::{Deserialize, Serialize};

use super::formats::{OTHER, code_of, ending_of, media_type, media_type_by_name};
use super::merge::{merge, prune};
use super::messages::leading_uuid;
use super::node::{Node, code, group, leaf};
use super::text::day;
use crate::Error;
use crate::container;

const FORMATS: &str = "urn:xoev-de:xdomea:codeliste:dateiformat";

/// What a file knows beyond the model.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct FileExtension {
    /// Children of Format that the model would not be written as.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kept: Vec<Node>,
    /// Detached signatures and seals, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<String, PayloadRef>,
}

/// Reads what a document has beside its description. `payload` gives the bytes behind a file's name.
pub(crate) fn read_document(
    document: &mut Document,
    nodes: &[Node],
    payload: &mut dyn FnMut(&str) -> Option<PayloadRef>,
) {
    let text = |local: &str| nodes.iter().find(|node| node.is(local)).map(|node| node.text.as_str());
    document.kind = text("Typ").filter(|kind| !kind.is_empty()).map(str::to_owned);
    document.dates = DocumentDates {
        received: text("Posteingangsdatum").and_then(day),
        sent: text("Postausgangsdatum").and_then(day),
        written: text("DatumDesSchreibens").and_then(day),
    };
    let versions = nodes.iter().filter(|node| node.is("Version"));
    document.versions = versions.map(|node| read_version(node, payload)).collect();
}

/// Writes what [`read_document`] reads, but for the versions.
pub(crate) fn make_document(document: &Document) -> Vec<Node> {
    let parts = [
        ("Posteingangsdatum", &document.dates.received),
        ("Postausgangsdatum", &document.dates.sent),
        ("DatumDesSchreibens", &document.dates.written),
        ("Typ", &document.kind),
    ];
    parts.into_iter().filter_map(|(local, text)| text.as_ref().map(|text| leaf(local, text))).collect()
}

fn read_version(node: &Node, payload: &mut dyn FnMut(&str) -> Option<PayloadRef>) -> Version {
    let files = node.children("Format").map(|format| read_file(format, payload));
    Version { number: node.text_of("Nummer").unwrap_or_default().to_owned(), files: files.collect() }
}

/// Reads a file (FormatType). `payload` gives the bytes behind a file's name.
pub(crate) fn read_file(format: &Node, payload: &mut dyn FnMut(&str) -> Option<PayloadRef>) -> File {
    let mut file = read_format(format);
    file.content = payload(&file.name);
    let kept = prune(format.nodes.clone(), &make_format(&file).nodes);
    let mut names = Vec::new();
    kept.iter().for_each(|node| node.file_names(&mut names));
    names.retain(|name| *name != file.name);
    let files = names.into_iter().filter_map(|name| Some((name.to_owned(), payload(name)?))).collect();
    let extension = FileExtension { kept, files };
    if !extension.kept.is_empty() {
        file.extensions = super::extension(&extension);
    }
    file
}

fn read_format(format: &Node) -> File {
    let empty = Node::default();
    let primary = format.child("Primaerdokument").unwrap_or(&empty);
    let text = |local| primary.text_of(local).map(str::to_owned);
    let media = match format.code_of("Name") {
        Some(OTHER) => format.text_of("SonstigerName").filter(|name| name.contains('/')),
        code => code.and_then(media_type),
    };
    File {
        name: text("Dateiname").unwrap_or_default(),
        original_name: text("DateinameOriginal"),
        media_type: media.map(str::to_owned),
        creator: text("Ersteller"),
        created: text("DatumUhrzeit"),
        ..File::default()
    }
}

fn make_format(file: &File) -> Node {
    let media = file.media_type.as_deref();
    let format = media.map_or(OTHER, code_of);
    let mut nodes = vec![code("Name", FORMATS, "1.0", format)];
    if format == OTHER {
        nodes.extend(media.map(|media| leaf("SonstigerName", media)));
    }
    nodes.push(leaf("Version", ""));
    let mut primary = vec![leaf("Dateiname", &file.name)];
    let parts = [
        ("DateinameOriginal", &file.original_name),
        ("Ersteller", &file.creator),
        ("DatumUhrzeit", &file.created),
    ];
    primary.extend(parts.into_iter().filter_map(|(local, text)| text.as_ref().map(|text| leaf(local, text))));
    nodes.push(group("Primaerdokument", primary));
    group("Format", nodes)
}

/// Takes a file with its name in the container, and gives the name back under which it goes. The last argument says that
/// the name must stay as it is. There may be no bytes where files come later.
pub(crate) type Place<'a> = dyn FnMut(&str, Option<&PayloadRef>, bool) -> Result<String, Error> + 'a;

/// Writes a version.
pub(crate) fn make_version(version: &Version, place: &mut Place<'_>) -> Result<Node, Error> {
    let mut nodes = vec![leaf("Nummer", &version.number)];
    for file in &version.files {
        nodes.push(make_file(file, place)?);
    }
    Ok(group("Version", nodes))
}

/// Writes a file (FormatType).
pub(crate) fn make_file(file: &File, place: &mut Place<'_>) -> Result<Node, Error> {
    let extension: FileExtension = super::extended(&file.extensions)?;
    for (name, payload) in &extension.files {
        place(name, Some(payload), true)?;
    }
    let mut file = file.clone();
    if file.media_type.is_none() && extension.kept.is_empty() {
        file.media_type = media_type_by_name(&file.name).map(str::to_owned);
    }
    let name = match &file.content {
        Some(content) => place(&legal_name(&file, content), Some(content), false)?,
        None => place(&file.name, None, true)?,
    };
    if name != file.name {
        let old_name = std::mem::replace(&mut file.name, name);
        file.original_name.get_or_insert(old_name);
    }
    let kept = Node { nodes: extension.kept, ..Node::default() };
    let old = make_format(&read_format(&kept));
    let mut nodes = merge(&kept.nodes, &old.nodes, &make_format(&file).nodes);
    let is_other = nodes.iter().any(|node| node.is("Name") && node.code() == Some(OTHER));
    if is_other && !nodes.iter().any(|node| node.is("SonstigerName")) {
        let ending = file.name.rsplit_once('.').map_or("unbekannt", |(_, ending)| ending);
        nodes.push(leaf("SonstigerName", ending));
    }
    Ok(group("Format", nodes))
}

/// Whether the schema's pattern and every file system accept a name.
pub(crate) fn is_legal(name: &str) -> bool {
    leading_uuid(name).is_some() && container::is_harmless(name)
}

/// A name that the schema's pattern and every file system accept: the file's own if it does, else
/// `<UUID>_<text>.<ending>`, with the UUID of the bytes.
fn legal_name(file: &File, content: &PayloadRef) -> String {
    if is_legal(&file.name) {
        return file.name.clone();
    }
    let shown = file.original_name.as_deref().unwrap_or(&file.name);
    let (stem, ending) = match shown.rsplit_once('.') {
        Some((stem, ending)) if !ending.is_empty() && ending.len() <= 10 => (stem, Some(ending)),
        _ => (shown, file.media_type.as_deref().and_then(ending_of)),
    };
    let ascii = |text: &str, most: usize| -> String {
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        text.chars().map(|c| if is_plain(&c) { c } else { '_' }).take(most).collect()
    };
    let stem = ascii(stem, 80);
    match ending.map(|ending| ascii(ending, 10)) {
        Some(ending) => format!("{}_{stem}.{ending}", content.id),
        None => format!("{}_{stem}", content.id),
    }
}

/// A legal name with the underscore and the ending that 2.x demands.
pub(crate) fn full_name(name: &str) -> String {
    let uuid = leading_uuid(name).unwrap_or_default();
    let rest = name[uuid.len()..].trim_start_matches('_');
    let stem = if rest.is_empty() || rest.starts_with('.') { "Datei" } else { "" };
    let ending = if rest.contains('.') { "" } else { ".bin" };
    format!("{uuid}_{stem}{rest}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> PayloadRef {
        let id = "7bf9473a-b4a7-11ec-a407-005056871b7c".parse().unwrap();
        PayloadRef { id, size: 0, sha256: String::new(), chunk_root: String::new() }
    }

    #[test]
    fn names_become_legal_and_stay_readable() {
        let file = |name: &str| File { name: name.into(), ..File::default() };
        let id = content().id;
        let cases = [
            ("Bauplan (neu).PDF", format!("{id}_Bauplan__neu_.PDF")),
            ("../../etc/passwd", format!("{id}_______etc_passwd")),
            ("Straße.tiff", format!("{id}_Stra_e.tiff")),
            ("f4bcaaf7-d7cb-11ef-a278-005056871b7c.txt", "f4bcaaf7-d7cb-11ef-a278-005056871b7c.txt".into()),
            ("", format!("{id}_")),
        ];
        for (name, expected) in cases {
            assert_eq!(legal_name(&file(name), &content()), expected);
        }
        let scan = File { media_type: Some("application/pdf".into()), ..file("scan") };
        assert_eq!(legal_name(&scan, &content()), format!("{id}_scan.pdf"));
    }

    #[test]
    fn names_get_what_2_x_demands() {
        let id = content().id;
        for (rest, expected) in
            [("", "_Datei.bin"), (".txt", "_Datei.txt"), ("-x", "_-x.bin"), ("_a", "_a.bin"), ("a.b", "_a.b")]
        {
            assert_eq!(full_name(&format!("{id}{rest}")), format!("{id}{expected}"));
        }
    }

    #[test]
    fn a_renamed_file_keeps_its_name_as_the_original_one() {
        let file = File { name: "plan.dwg".into(), content: Some(content()), ..File::default() };
        let version = Version { number: "1".into(), files: vec![file] };
        let node = make_version(&version, &mut |name, _, _| Ok(name.to_owned())).unwrap();
        let format = node.child("Format").unwrap();
        let primary = format.child("Primaerdokument").unwrap();
        assert_eq!(primary.text_of("DateinameOriginal"), Some("plan.dwg"));
        assert_eq!((format.code_of("Name"), format.text_of("SonstigerName")), (Some("100"), Some("dwg")));
    }

    #[test]
    fn a_version_without_bytes_is_not_written() {
        let version = Version { number: "1".into(), files: vec![File::default()] };
        assert!(matches!(
            make_version(&version, &mut |name, payload, _| payload
                .map(|_| name.to_owned())
                .ok_or(Error::NoContent)),
            Err(Error::NoContent)
        ));
    }
}
