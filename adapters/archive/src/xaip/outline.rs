//! The first reading: package header with its versions, and the evidence records. Objects are passed over.

use std::io::BufRead;

use seal::ers::MAX_RECORD;
use soap::mime::Base64Decoder;
use xml::{Event, Form, Reader, Start};

use super::{DS, Error, MOST_ID, XAIP, limits};

/// Versions, at most.
const MOST_VERSIONS: usize = 1_000;
/// Longest text for people, in bytes.
const MOST_WORDS: usize = 64 * 1024;
/// Evidence of a package, and beside it, in bytes.
const MOST_EVIDENCE: usize = 64 << 20;
/// Pointers of all versions together.
const MOST_POINTERS: usize = 200_000;
/// All names and texts that are kept, in bytes.
pub(super) const MOST_TEXT: usize = 16 << 20;
/// Evidence records of a package.
const MOST_RECORDS: usize = 1_000;

/// `unitType` of a unit that stands for an object of the message, whose UUID is its `textInfo`.
pub(crate) const OBJECT: &str = "xdomea-Objekt";

/// What a package says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// `packageID`.
    pub package: String,
    /// What the archive calls it.
    pub aoid: Option<String>,
    /// How XML is hashed.
    pub form: Form,
    /// Its versions, in the order of the package.
    pub versions: Vec<Version>,
    /// Evidence records that lie inside.
    pub records: Vec<Evidence>,
}

/// A version (`versionManifest`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// `VersionID`.
    pub id: String,
    /// `versionInfo`.
    pub info: Option<String>,
    /// `retentionPeriod`, as it stands there.
    pub retention: Option<String>,
    /// Objects of the message that the package was made of, by their UUIDs: what our own packages say of themselves.
    pub objects: Vec<String>,
    /// The objects that its evidence covers, each once, in order.
    pub protected: Vec<String>,
}

/// An evidence record inside of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// `credentialID`.
    pub credential: String,
    /// The package that it says it covers.
    pub aoid: Option<String>,
    /// The version that it says it covers.
    pub version: Option<String>,
    /// The record in DER; `None` if it is written in XML, which is not judged here.
    pub der: Option<Vec<u8>>,
}

impl Evidence {
    /// How much memory it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.der.as_ref().map_or(0, Vec::len)
    }
}

/// What may still be kept of a package and what came beside it, whatever its parts are.
#[derive(Debug)]
pub(crate) struct Budget {
    evidence: usize,
    pointers: usize,
    text: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { evidence: MOST_EVIDENCE, pointers: MOST_POINTERS, text: MOST_TEXT }
    }
}

impl Budget {
    /// Takes room for an evidence record of so many bytes.
    pub(crate) fn take_evidence(&mut self, bytes: usize) -> Result<(), Error> {
        self.evidence = self.evidence.checked_sub(bytes).ok_or(Error::Form("its evidence takes too much"))?;
        Ok(())
    }

    fn keep_pointer(&mut self, to: String) -> Result<String, Error> {
        self.pointers = self.pointers.checked_sub(1).ok_or(Error::Form("too many pointers"))?;
        self.keep(to)
    }

    fn keep(&mut self, text: String) -> Result<String, Error> {
        self.text = self.text.checked_sub(text.len()).ok_or(Error::Form("its names take too much"))?;
        Ok(text)
    }
}

/// Reads the outline of a XAIP.
///
/// # Errors
/// If it is none, or not well-formed, or takes too much.
pub fn outline(input: impl BufRead) -> Result<Outline, Error> {
    outline_within(input, &mut Budget::default())
}

/// The same, beside what has taken its part of the budget already.
pub(crate) fn outline_within(input: impl BufRead, budget: &mut Budget) -> Result<Outline, Error> {
    let mut reader = Reader::new(input, limits());
    match reader.next()? {
        Event::Start(start) if start.is(XAIP, "XAIP") => {}
        _ => return Err(Error::Form("its root is no XAIP")),
    }
    let mut outline = Outline::default();
    let mut has_header = false;
    while let Some(name) = child(&mut reader)? {
        match name {
            Name::Xaip(name) if name == "packageHeader" => {
                has_header = true;
                outline.package = identifier(&reader.current(), "packageID")?;
                header(&mut reader, &mut outline, budget)?;
            }
            Name::Xaip(name) if name == "credentialsSection" => {
                credentials(&mut reader, &mut outline, budget)?
            }
            _ => reader.skip()?,
        }
    }
    while !matches!(reader.next()?, Event::Eof) {}
    if has_header && !outline.versions.is_empty() {
        Ok(outline)
    } else {
        Err(Error::Form("it has no version"))
    }
}

/// Name of a child element.
enum Name {
    Xaip(String),
    CanonicalForm,
    Other,
}

/// The next child of the element that is open; `None` at its end.
fn child<R: BufRead>(reader: &mut Reader<R>) -> Result<Option<Name>, Error> {
    loop {
        match reader.next()? {
            Event::Start(start) if start.namespace() == Some(XAIP) => {
                return Ok(Some(Name::Xaip(start.local().to_owned())));
            }
            Event::Start(start) if start.is(DS, "CanonicalizationMethod") => {
                return Ok(Some(Name::CanonicalForm));
            }
            Event::Start(_) => return Ok(Some(Name::Other)),
            Event::Text(_) => {}
            Event::End | Event::Eof => return Ok(None),
        }
    }
}

fn header<R: BufRead>(
    reader: &mut Reader<R>,
    outline: &mut Outline,
    budget: &mut Budget,
) -> Result<(), Error> {
    while let Some(name) = child(reader)? {
        match name {
            Name::Xaip(name) if name == "AOID" => outline.aoid = Some(text(reader)?),
            Name::Xaip(name) if name == "versionManifest" => {
                if outline.versions.len() == MOST_VERSIONS {
                    return Err(Error::Form("too many versions"));
                }
                let id = budget.keep(identifier(&reader.current(), "VersionID")?)?;
                let mut version = Version { id, ..Version::default() };
                manifest(reader, &mut version, budget)?;
                if outline.versions.iter().any(|other| other.id == version.id) {
                    return Err(Error::Form("a version is there twice"));
                }
                outline.versions.push(version);
            }
            Name::CanonicalForm => {
                let uri = attribute(&reader.current(), "Algorithm");
                outline.form = Form::from_uri(&uri).ok_or(Error::Form("its canonical form is not known"))?;
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(())
}

fn manifest<R: BufRead>(
    reader: &mut Reader<R>,
    version: &mut Version,
    budget: &mut Budget,
) -> Result<(), Error> {
    let depth = reader.depth();
    let mut unit_type = String::new();
    loop {
        let name = match reader.next()? {
            Event::Start(start) if start.namespace() == Some(XAIP) => start.local().to_owned(),
            Event::Eof => return Ok(()),
            _ => String::new(),
        };
        if reader.depth() < depth {
            return Ok(());
        }
        match name.as_str() {
            "versionInfo" => version.info = Some(budget.keep(words(reader)?)?),
            "unitType" => unit_type = words(reader)?,
            "textInfo" if unit_type == OBJECT => version.objects.push(budget.keep_pointer(text(reader)?)?),
            "packageInfoUnit" => unit_type.clear(),
            "retentionPeriod" => version.retention = Some(budget.keep(text(reader)?)?),
            "protectedObjectPointer" => version.protected.push(budget.keep_pointer(text(reader)?)?),
            // What somebody put beside may use the same names.
            "extension" => reader.skip()?,
            _ => {}
        }
    }
}

fn credentials<R: BufRead>(
    reader: &mut Reader<R>,
    outline: &mut Outline,
    budget: &mut Budget,
) -> Result<(), Error> {
    while let Some(name) = child(reader)? {
        if !matches!(&name, Name::Xaip(name) if name == "credential") {
            reader.skip()?;
            continue;
        }
        let start = reader.current();
        let credential = identifier(&start, "credentialID")?;
        let related = attribute(&start, "relatedObjects");
        while let Some(name) = child(reader)? {
            if !matches!(&name, Name::Xaip(name) if name == "evidenceRecord") {
                reader.skip()?;
                continue;
            }
            if outline.records.len() == MOST_RECORDS {
                return Err(Error::Form("too many evidence records"));
            }
            let mut evidence = evidence(reader)?;
            budget.take_evidence(evidence.bytes())?;
            evidence.credential = credential.clone();
            let is_version = |id: &&str| outline.versions.iter().any(|version| version.id == **id);
            let of_related = related.split_ascii_whitespace().find(is_version).map(str::to_owned);
            evidence.version = evidence.version.or(of_related);
            outline.records.push(evidence);
        }
    }
    Ok(())
}

/// An `evidenceRecord`, whose start was read last.
fn evidence<R: BufRead>(reader: &mut Reader<R>) -> Result<Evidence, Error> {
    let start = reader.current();
    let said = |name: &str| -> Result<Option<String>, Error> {
        Ok(Some(identifier(&start, name)?).filter(|value| !value.is_empty()))
    };
    let (aoid, version) = (said("AOID")?, said("VersionID")?);
    let mut evidence = Evidence { aoid, version, ..Evidence::default() };
    while let Some(name) = child(reader)? {
        match name {
            Name::Xaip(name) if name == "asn1EvidenceRecord" => evidence.der = Some(decoded(reader)?),
            _ => reader.skip()?,
        }
    }
    Ok(evidence)
}

/// The only `evidenceRecord` of a document of its own, as archives answer it.
///
/// # Errors
/// If there is none.
pub fn evidence_alone(input: impl BufRead) -> Result<Evidence, Error> {
    let mut reader = Reader::new(input, limits());
    match reader.next()? {
        Event::Start(start) if start.is(XAIP, "evidenceRecord") => evidence(&mut reader),
        _ => Err(Error::Form("its root is no evidence record")),
    }
}

/// The base64 of the element whose start was read last, decoded.
fn decoded<R: BufRead>(reader: &mut Reader<R>) -> Result<Vec<u8>, Error> {
    let (mut decoder, mut bytes) = (Base64Decoder::new(), Vec::new());
    loop {
        match reader.next()? {
            Event::Text(piece) => decoder.decode_into(piece.as_bytes(), &mut bytes)?,
            Event::End => break,
            _ => return Err(Error::Form("an evidence record holds an element")),
        }
        if bytes.len() > MAX_RECORD {
            return Err(Error::Form("an evidence record is too long"));
        }
    }
    decoder.finish()?;
    Ok(bytes)
}

/// What somebody has written for people.
fn words<R: BufRead>(reader: &mut Reader<R>) -> Result<String, Error> {
    Ok(reader.read_text(MOST_WORDS)?.trim().to_owned())
}

fn text<R: BufRead>(reader: &mut Reader<R>) -> Result<String, Error> {
    Ok(reader.read_text(MOST_ID)?.trim().to_owned())
}

/// An attribute that is kept.
pub(super) fn identifier(start: &Start<'_>, name: &str) -> Result<String, Error> {
    let found = attribute(start, name);
    if found.len() > MOST_ID { Err(Error::Form("an identifier is too long")) } else { Ok(found) }
}

pub(super) fn attribute(start: &Start<'_>, name: &str) -> String {
    start.attribute(name).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A package whose versions have so many pointers each, all together of one kind.
    fn package(versions: usize, pointers: usize) -> String {
        let pointers = "<protectedObjectPointer>DO-1</protectedObjectPointer>".repeat(pointers);
        let manifest =
            |number| format!("<versionManifest VersionID=\"V{number}\">{pointers}</versionManifest>");
        let manifests: String = (0..versions).map(manifest).collect();
        format!("<XAIP xmlns=\"{XAIP}\"><packageHeader>{manifests}</packageHeader></XAIP>")
    }

    #[test]
    fn all_parts_of_a_package_share_what_may_be_kept_of_it() {
        let half = MOST_POINTERS / 2;
        assert_eq!(outline(package(2, half).as_bytes()).unwrap().versions[1].protected.len(), half);
        let told = outline(package(2, half + 1).as_bytes()).unwrap_err().to_string();
        assert!(told.contains("too many pointers"), "{told}");
        let mut budget = Budget::default();
        budget.take_evidence(MOST_EVIDENCE - 1).unwrap();
        budget.take_evidence(1).unwrap();
        assert!(budget.take_evidence(1).is_err());
        let long = "x".repeat(MOST_ID + 1);
        let named = format!("<XAIP xmlns=\"{XAIP}\"><packageHeader packageID=\"{long}\"/></XAIP>");
        assert!(outline(named.as_bytes()).unwrap_err().to_string().contains("too long"));
    }
}
