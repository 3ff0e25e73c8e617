//! Writes the XAIP of a transfer message: the message as metadata, its documents as data objects, detached signatures as credentials.
//!
//! Ids are ours: `V001` the version, `MD-MESSAGE` the message, `MD-PREMIS` what is known of the files, `DO-1`… the documents, `CR-1`… the
//! signatures, `ER-1` an evidence record of ours. Bytes are kept as they are, in base64, so that nothing depends on how XML is read.

use std::fs::File;
use std::io::{BufWriter, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Failure;
use xml::Writer;

use super::outline::OBJECT;
use super::{DS, DSS, XAIP};
use crate::codes::{io_failed, not_understood};
use crate::message::{Message, Part, broken};
use crate::package::{Package, bag, media_type, premis};

/// Exclusive XML Canonicalization 1.0, said expressly: some readers take an absent one for nothing.
const FORM: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
/// Larger files with the ending of a signature are documents.
const MOST_SIGNATURE: u64 = 1 << 20;

/// The version that is written.
pub(crate) const VERSION: &str = "V001";

/// What is known of the files.
pub(crate) const PREMIS: &str = "MD-PREMIS";

/// The credential that holds an evidence record of ours.
pub(crate) const OWN_EVIDENCE: &str = "ER-1";

/// What the package is told beside its content.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// Who we are to the archive.
    pub(crate) client: String,
    /// Last day of keeping, `YYYY-MM-DD`.
    pub(crate) retention: String,
}

/// Writes the package without anything around it. `evidence` is the DER of an evidence record over it.
pub(crate) fn write(
    out: BufWriter<File>,
    package: &Package,
    message: &mut Message,
    terms: &Terms,
    evidence: Option<&[u8]>,
) -> Result<File, Failure> {
    let mut writer = Writer::new(out).map_err(failed)?;
    let names = names(&package.parts.iter().map(|(part, _)| part).collect::<Vec<_>>());
    let attributes = [("xmlns:xaip", XAIP), ("xmlns:ds", DS), ("xmlns:dss", DSS), ("XAIPVersion", "1.3.0")];
    writer.start("xaip:XAIP", &attributes).map_err(failed)?;
    header(&mut writer, package, terms, &names).map_err(failed)?;
    metadata(&mut writer, package, message)?;
    documents(&mut writer, package, message, &names)?;
    credentials(&mut writer, package, message, &names, evidence)?;
    writer.end().map_err(failed)?;
    writer.finish().map_err(failed)?.into_inner().map_err(|error| io_failed(error.into_error()))
}

/// The ids of parts: of documents, and of signatures with the id of what they sign.
struct Named {
    id: String,
    signs: Option<String>,
}

/// What the parts of a message are called in its package, in their order.
pub(crate) fn ids(parts: &[&Part]) -> Vec<String> {
    names(parts).into_iter().map(|named| named.id).collect()
}

fn names(parts: &[&Part]) -> Vec<Named> {
    let (mut documents, mut signatures) = (0, 0);
    let mut named: Vec<Named> = Vec::new();
    let is_signature = |part: &Part| {
        part.size <= MOST_SIGNATURE
            && signed_name(&part.name)
                .is_some_and(|of| parts.iter().any(|other| !other.is_metadata && other.name == of))
    };
    for part in parts {
        let id = match (part.is_metadata, is_signature(part)) {
            (true, _) => "MD-MESSAGE".to_owned(),
            (_, true) => {
                signatures += 1;
                format!("CR-{signatures}")
            }
            _ => {
                documents += 1;
                format!("DO-{documents}")
            }
        };
        named.push(Named { id, signs: None });
    }
    for (index, part) in parts.iter().enumerate().filter(|(_, part)| is_signature(part)) {
        let of = signed_name(&part.name);
        let signed = parts.iter().position(|other| Some(other.name.as_str()) == of);
        let signed = signed.and_then(|signed| named.get(signed)).map(|signed| signed.id.clone());
        named[index].signs = signed;
    }
    named
}

/// What a detached signature signs, by its name (`x.pdf.p7s` signs `x.pdf`).
fn signed_name(name: &str) -> Option<&str> {
    name.strip_suffix(".p7s").or_else(|| name.strip_suffix(".P7S"))
}

fn header<W: Write>(
    writer: &mut Writer<W>,
    package: &Package,
    terms: &Terms,
    names: &[Named],
) -> Result<(), xml::Error> {
    writer.start("xaip:packageHeader", &[("packageID", &package.name)])?;
    writer.element("xaip:packageInfo", &package.description())?;
    writer.start("xaip:versionManifest", &[("VersionID", VERSION)])?;
    writer.element("xaip:versionInfo", &package.description())?;
    writer.start("xaip:preservationInfo", &[])?;
    writer.element("xaip:retentionPeriod", &terms.retention)?;
    writer.end()?;
    writer.start("xaip:submissionInfo", &[])?;
    writer.element("xaip:clientID", &terms.client)?;
    writer.element("xaip:submissionTime", &package.made.to_string())?;
    writer.end()?;
    writer.start("xaip:packageInfoUnit", &[("packageUnitID", "U-0")])?;
    writer.element("xaip:unitType", &package.standard)?;
    for id in [VERSION, PREMIS] {
        writer.element("xaip:protectedObjectPointer", id)?;
    }
    for (number, object) in package.objects.iter().enumerate() {
        writer.start("xaip:packageInfoUnit", &[("packageUnitID", &format!("O-{}", number + 1))])?;
        writer.element("xaip:unitType", OBJECT)?;
        writer.element("xaip:textInfo", &object.to_string())?;
        writer.element("xaip:protectedObjectPointer", "MD-MESSAGE")?;
        writer.end()?;
    }
    for (number, ((part, _), named)) in package.parts.iter().zip(names).enumerate() {
        writer.start("xaip:packageInfoUnit", &[("packageUnitID", &format!("U-{}", number + 1))])?;
        writer.element("xaip:textInfo", &part.name)?;
        writer.element("xaip:protectedObjectPointer", &named.id)?;
        writer.end()?;
    }
    writer.end()?;
    writer.end()?;
    writer.start("ds:CanonicalizationMethod", &[("Algorithm", FORM)])?;
    writer.end()?;
    writer.end()
}

fn metadata<W: Write>(
    writer: &mut Writer<W>,
    package: &Package,
    message: &mut Message,
) -> Result<(), Failure> {
    writer.start("xaip:metaDataSection", &[]).map_err(failed)?;
    for (part, _) in package.parts.iter().filter(|(part, _)| part.is_metadata) {
        let attributes = [
            ("metaDataID", "MD-MESSAGE"),
            ("relatedObjects", VERSION),
            ("category", "xdomea"),
            ("type", &package.standard),
        ];
        writer.start("xaip:metaDataObject", &attributes).map_err(failed)?;
        binary(writer, "xaip:binaryMetaData", "application/xml", part, message)?;
        writer.end().map_err(failed)?;
    }
    // As bytes, too: the type of a PREMIS object is nothing that a schema without PREMIS can resolve.
    let bytes = bag::premis(|writer| premis::write_v3(writer, package))?;
    let premis = |writer: &mut Writer<W>| {
        let attributes =
            [("metaDataID", PREMIS), ("relatedObjects", VERSION), ("category", "PREMIS"), ("type", "3.0")];
        writer.start("xaip:metaDataObject", &attributes)?;
        writer.start("xaip:binaryMetaData", &[("MimeType", "application/xml")])?;
        writer.text(&STANDARD.encode(&bytes))?;
        writer.end()?;
        checksum(writer, &seal::sha256(&[&bytes]).to_string())?;
        writer.end()?;
        writer.end()
    };
    premis(writer).map_err(failed)
}

fn documents<W: Write>(
    writer: &mut Writer<W>,
    package: &Package,
    message: &mut Message,
    names: &[Named],
) -> Result<(), Failure> {
    let all = || package.parts.iter().map(|(part, _)| part).zip(names);
    let is_document = |(part, named): &(&Part, &Named)| !part.is_metadata && named.signs.is_none();
    if !all().any(|it| is_document(&it)) {
        return Ok(());
    }
    writer.start("xaip:dataObjectsSection", &[]).map_err(failed)?;
    for (part, named) in all().filter(is_document) {
        writer.start("xaip:dataObject", &[("dataObjectID", &named.id)]).map_err(failed)?;
        binary(writer, "xaip:binaryData", media_type(&part.name), part, message)?;
        writer.end().map_err(failed)?;
    }
    writer.end().map_err(failed)
}

/// The bytes of a part as base64, and their checksum.
fn binary<W: Write>(
    writer: &mut Writer<W>,
    name: &str,
    media_type: &str,
    part: &Part,
    message: &mut Message,
) -> Result<(), Failure> {
    writer.start(name, &[("MimeType", media_type)]).map_err(failed)?;
    base64(writer, part, message)?;
    writer.end().and_then(|()| checksum(writer, &part.sha256)).map_err(failed)
}

fn checksum<W: Write>(writer: &mut Writer<W>, sha256: &str) -> Result<(), xml::Error> {
    writer.start("xaip:checkSum", &[])?;
    writer.element("xaip:checkSumAlgorithm", SHA256)?;
    writer.element("xaip:checkSum", sha256)?;
    writer.end()
}

fn base64<W: Write>(writer: &mut Writer<W>, part: &Part, message: &mut Message) -> Result<(), Failure> {
    let written = soap::mime::encode_base64(&mut *message.read(part)?, |letters| {
        writer.text(letters).map_err(std::io::Error::other)
    });
    match written {
        Ok(size) if size == part.size => Ok(()),
        Ok(_) => Err(not_understood("a file in its container is damaged")),
        Err(error) => Err(broken(error)),
    }
}

fn credentials<W: Write>(
    writer: &mut Writer<W>,
    package: &Package,
    message: &mut Message,
    names: &[Named],
    evidence: Option<&[u8]>,
) -> Result<(), Failure> {
    let signatures: Vec<(&Part, &Named, &String)> = package
        .parts
        .iter()
        .zip(names)
        .filter_map(|((part, _), named)| Some((part, named, named.signs.as_ref()?)))
        .collect();
    if signatures.is_empty() && evidence.is_none() {
        return Ok(());
    }
    writer.start("xaip:credentialsSection", &[]).map_err(failed)?;
    for (part, named, signs) in signatures {
        let attributes = [("relatedObjects", signs.as_str()), ("credentialID", &named.id)];
        writer.start("xaip:credential", &attributes).map_err(failed)?;
        writer.start("dss:SignatureObject", &[]).map_err(failed)?;
        writer.start("dss:Base64Signature", &[("Type", "urn:ietf:rfc:5652")]).map_err(failed)?;
        base64(writer, part, message)?;
        (0..3).try_for_each(|_| writer.end()).map_err(failed)?;
    }
    if let Some(der) = evidence {
        write_evidence(writer, der).map_err(failed)?;
    }
    writer.end().map_err(failed)
}

fn write_evidence<W: Write>(writer: &mut Writer<W>, der: &[u8]) -> Result<(), xml::Error> {
    writer.start("xaip:credential", &[("relatedObjects", VERSION), ("credentialID", OWN_EVIDENCE)])?;
    writer.start("xaip:evidenceRecord", &[("VersionID", VERSION)])?;
    let text = STANDARD.encode(der);
    writer.element("xaip:asn1EvidenceRecord", &text)?;
    writer.end()?;
    writer.end()
}

/// The writer fails for what XML cannot hold, or for the disk.
fn failed(error: xml::Error) -> Failure {
    match error {
        xml::Error::Io(error) => io_failed(error),
        _ => not_understood("a name in it cannot be written as XML"),
    }
}
