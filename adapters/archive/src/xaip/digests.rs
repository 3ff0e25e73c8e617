//! The second reading: the digests of objects, as evidence records cover them (TR-ESOR, annex ERS).
//!
//! | object | what is hashed |
//! |---|---|
//! | `dataObject`, `binaryData` | the decoded bytes |
//! | `dataObject`, `xmlData` | its only child element, canonical |
//! | `metaDataObject`, `binaryMetaData` | the decoded bytes |
//! | `metaDataObject`, XML | the whole `metaDataObject`, canonical |
//! | `versionManifest` | the element, canonical |
//! | `credential` with one signature, stamp, certificate, list or answer | its decoded bytes |
//! | one of several certificates, lists or answers in a credential, by its own `Id` | its decoded bytes |
//! | any other `credential` | the element, canonical |
//! | a reference to a file (LXAIP) | the bytes of the file |

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Read, Write};

use seal::hash::{Algorithm, Hasher};
use soap::mime::Base64Decoder;
use xml::{Canonical, Form, Node, Reader, Start};

use super::outline::{MOST_TEXT, attribute, identifier};
use super::{ASIC, DS, Error, MOST_ID, XAIP, limits};

/// Objects of a package.
const MOST_OBJECTS: usize = 200_000;
/// Objects with an id of their own in one credential.
const MOST_INNER: usize = 10_000;

/// What was found of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    /// Its digests.
    pub digests: BTreeMap<Algorithm, Vec<u8>>,
    /// Whether its own `checkSum` is right; `None` if it has none, or by an algorithm that was not asked for.
    pub checksum: Option<bool>,
    /// Whether the file that it refers to is the one that it names by digest; `None` if it refers to none.
    pub file: Option<bool>,
}

/// Opens a file beside the package by its URI; `None` if it is not there. Whoever implements it guards against names that lead elsewhere.
pub type Files<'a> = &'a dyn Fn(&str) -> io::Result<Option<Box<dyn Read>>>;

/// The digests of all objects by their ids. Checksums of packages are mostly SHA-256 or SHA-512: ask for these to have them judged.
///
/// # Errors
/// If the package cannot be read, or an id stands for two objects.
pub fn digests(
    input: impl BufRead,
    form: &Form,
    algorithms: &BTreeSet<Algorithm>,
    files: Files<'_>,
) -> Result<BTreeMap<String, Object>, Error> {
    let mut found = BTreeMap::new();
    let mut text = MOST_TEXT;
    let mut reader = Reader::new(input, limits());
    loop {
        let (id, kind) = match reader.next_node()? {
            Node::Start(start) => match object(&start)? {
                Some(object) => object,
                None => continue,
            },
            Node::Eof => return Ok(found),
            _ => continue,
        };
        let mut taking = Taking::new(kind, form, algorithms)?;
        taking.take_all(&mut reader)?;
        let inner = std::mem::take(&mut taking.inner);
        let inner = inner.into_iter().map(|(id, digests)| (id, Object { digests, ..Object::default() }));
        for (id, object) in [(id, taking.finish(files)?)].into_iter().chain(inner) {
            if found.len() == MOST_OBJECTS {
                return Err(Error::Form("too many objects"));
            }
            text = text.checked_sub(id.len()).ok_or(Error::Form("its names take too much"))?;
            if found.insert(id, object).is_some() {
                return Err(Error::Form("an id stands for two objects"));
            }
        }
    }
}

/// Which rule holds for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    Metadata,
    Credential,
    Manifest,
}

fn object(start: &Start<'_>) -> Result<Option<(String, Kind)>, Error> {
    if start.namespace() != Some(XAIP) {
        return Ok(None);
    }
    let (id, kind) = match start.local() {
        "dataObject" => ("dataObjectID", Kind::Data),
        "metaDataObject" => ("metaDataID", Kind::Metadata),
        "credential" => ("credentialID", Kind::Credential),
        "versionManifest" => ("VersionID", Kind::Manifest),
        _ => return Ok(None),
    };
    Ok(Some((identifier(start, id)?, kind)))
}

/// Hashes by several algorithms at once.
struct Many(Vec<(Algorithm, Hasher)>);

impl Many {
    fn new(algorithms: &BTreeSet<Algorithm>) -> Result<Self, Error> {
        let one = |algorithm: &Algorithm| Ok((*algorithm, Hasher::new(*algorithm)?));
        Ok(Many(algorithms.iter().map(one).collect::<Result<_, Error>>()?))
    }

    fn finish(self) -> Result<BTreeMap<Algorithm, Vec<u8>>, Error> {
        self.0.into_iter().map(|(algorithm, hasher)| Ok((algorithm, hasher.finish()?))).collect()
    }
}

impl Write for Many {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.iter_mut().try_for_each(|(_, hasher)| hasher.write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An object while it is read.
struct Taking<'a> {
    kind: Kind,
    form: &'a Form,
    algorithms: &'a BTreeSet<Algorithm>,
    /// The whole element, or the one inside `xmlData`.
    canonical: Option<Canonical<Many>>,
    /// Where that one inside `xmlData` begins, in elements.
    canonical_depth: usize,
    /// Base64 that is being decoded, or was: by what, into what, and how many there were.
    decoder: Option<(Base64Decoder, Many)>,
    decoded: Option<BTreeMap<Algorithm, Vec<u8>>>,
    leaves: usize,
    /// Certificates, lists and answers in a credential that have an id of their own.
    leaf_id: String,
    inner: Vec<(String, BTreeMap<Algorithm, Vec<u8>>)>,
    /// The reference to a file.
    reference: Option<Reference>,
    text: String,
    checksum: (String, String),
}

#[derive(Default)]
struct Reference {
    uri: String,
    method: String,
    value: String,
}

impl<'a> Taking<'a> {
    fn new(kind: Kind, form: &'a Form, algorithms: &'a BTreeSet<Algorithm>) -> Result<Self, Error> {
        let canonical = match kind {
            Kind::Data => None,
            _ => Some(Canonical::new(form.clone(), Many::new(algorithms)?)),
        };
        Ok(Taking {
            kind,
            form,
            algorithms,
            canonical,
            canonical_depth: 0,
            decoder: None,
            decoded: None,
            leaves: 0,
            leaf_id: String::new(),
            inner: Vec::new(),
            reference: None,
            text: String::new(),
            checksum: Default::default(),
        })
    }

    /// Takes the object whose start was read last, up to its end.
    fn take_all<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<(), Error> {
        let top = reader.depth();
        if let Some(canonical) = &mut self.canonical {
            canonical.take(&Node::Start(reader.current()))?;
        }
        // Local names of the elements that are open below the object.
        let mut open: Vec<(bool, String)> = Vec::new();
        while reader.depth() >= top {
            let node = reader.next_node()?;
            match &node {
                Node::Start(start) => self.start(start, &mut open)?,
                Node::Text(text) => self.take_text(text, &open)?,
                Node::End if open.is_empty() => {}
                _ => {}
            }
            self.pass_on(&node, open.len())?;
            if matches!(node, Node::End) {
                self.end(&mut open)?;
            }
        }
        Ok(())
    }

    fn start(&mut self, start: &Start<'_>, open: &mut Vec<(bool, String)>) -> Result<(), Error> {
        let local = start.local();
        let is_leaf = match self.kind {
            Kind::Data => open.is_empty() && local == "binaryData",
            Kind::Metadata => open.is_empty() && local == "binaryMetaData",
            Kind::Credential => is_credential(local),
            Kind::Manifest => false,
        };
        let starts_xml = self.kind == Kind::Data && matches!(&open[..], [(true, name)] if name == "xmlData");
        if starts_xml && self.canonical.is_none() {
            self.canonical = Some(Canonical::new(self.form.clone(), Many::new(self.algorithms)?));
            self.canonical_depth = open.len() + 1;
        } else if starts_xml {
            return Err(Error::Form("xmlData has several elements"));
        }
        if is_leaf {
            self.leaves += 1;
            self.decoder = Some((Base64Decoder::new(), Many::new(self.algorithms)?));
            let has_id = self.kind == Kind::Credential;
            self.leaf_id = if has_id { identifier(start, "Id")? } else { String::new() };
        }
        if start.is(ASIC, "DataObjectReference") && self.kind != Kind::Manifest {
            self.decoder = None;
            self.reference = Some(Reference { uri: attribute(start, "URI"), ..Reference::default() });
        }
        if let Some(reference) = &mut self.reference
            && start.is(DS, "DigestMethod")
        {
            reference.method = attribute(start, "Algorithm");
        }
        self.text.clear();
        open.push((start.namespace() == Some(XAIP), local.to_owned()));
        Ok(())
    }

    fn take_text(&mut self, text: &str, open: &[(bool, String)]) -> Result<(), Error> {
        if let Some((decoder, decoded)) = &mut self.decoder {
            return Ok(decoder.decode_into(text.as_bytes(), decoded)?);
        }
        let short = matches!(open.last(), Some((_, name)) if matches!(name.as_str(), "DigestValue" | "checkSumAlgorithm" | "checkSum"));
        if short && self.text.len() + text.len() <= MOST_ID {
            self.text.push_str(text);
        }
        Ok(())
    }

    /// The canonical form takes what lies within its element.
    fn pass_on(&mut self, node: &Node<'_>, open: usize) -> Result<(), Error> {
        if let Some(canonical) = &mut self.canonical
            && open >= self.canonical_depth
        {
            canonical.take(node)?;
        }
        Ok(())
    }

    fn end(&mut self, open: &mut Vec<(bool, String)>) -> Result<(), Error> {
        if let Some((decoder, decoded)) = self.decoder.take() {
            decoder.finish()?;
            let digests = decoded.finish()?;
            let id = std::mem::take(&mut self.leaf_id);
            if self.inner.len() == MOST_INNER {
                return Err(Error::Form("too many objects"));
            }
            if !id.is_empty() {
                self.inner.push((id, digests.clone()));
            }
            self.decoded = Some(digests);
        }
        let Some((is_xaip, name)) = open.pop() else { return Ok(()) };
        let text = std::mem::take(&mut self.text).trim().to_owned();
        match (name.as_str(), &mut self.reference) {
            ("DigestValue", Some(reference)) => reference.value = text,
            ("checkSumAlgorithm", _) if is_xaip => self.checksum.0 = text,
            ("checkSum", _) if is_xaip && !text.is_empty() => self.checksum.1 = text,
            _ => {}
        }
        Ok(())
    }

    fn finish(self, files: Files<'_>) -> Result<Object, Error> {
        let mut file = None;
        let digests = match (&self.reference, self.decoded, self.canonical) {
            (Some(reference), ..) => {
                let (digests, is_right) = referred(reference, self.algorithms, files)?;
                file = Some(is_right);
                digests
            }
            (None, Some(decoded), _) if self.leaves == 1 => decoded,
            (None, _, Some(canonical)) => canonical.finish()?.finish()?,
            _ => return Err(Error::Form("an object has no content")),
        };
        let checksum = checksum(&self.checksum, &digests);
        Ok(Object { digests, checksum, file })
    }
}

/// Elements that hold what a credential is, as base64 (DSS core, XAdES, XAIP).
fn is_credential(local: &str) -> bool {
    matches!(
        local,
        "Base64Signature"
            | "RFC3161TimeStampToken"
            | "EncapsulatedX509Certificate"
            | "EncapsulatedCRLValue"
            | "EncapsulatedOCSPValue"
            | "asn1EvidenceRecord"
    )
}

/// The digests of a file beside the package, and whether it is the one that is named by its digest.
fn referred(
    reference: &Reference,
    algorithms: &BTreeSet<Algorithm>,
    files: Files<'_>,
) -> Result<(BTreeMap<Algorithm, Vec<u8>>, bool), Error> {
    let Some(mut file) = files(&reference.uri)? else { return Ok((BTreeMap::new(), false)) };
    let named = Algorithm::from_uri(&reference.method);
    let mut all = algorithms.clone();
    all.extend(named);
    let mut many = Many::new(&all)?;
    io::copy(&mut file, &mut many)?;
    let digests = many.finish()?;
    let mut expected = Vec::new();
    let mut decoder = Base64Decoder::new();
    decoder.decode_into(reference.value.as_bytes(), &mut expected)?;
    decoder.finish()?;
    let is_right = named.and_then(|algorithm| digests.get(&algorithm)) == Some(&expected);
    Ok((digests, is_right))
}

fn checksum((uri, value): &(String, String), digests: &BTreeMap<Algorithm, Vec<u8>>) -> Option<bool> {
    let found = digests.get(&Algorithm::from_uri(uri)?)?;
    Some(hex::decode(value).is_ok_and(|expected| expected == *found))
}
