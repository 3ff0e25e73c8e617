//! PREMIS: what a package is made of, and how it came about. Version 3.0 (`http://www.loc.gov/premis/v3`) stands in bags and XAIPs, 2.2
//! (`info:lc/xmlns/premis-v2`) in packages for DA NRW, there with the contract's rights (`danrw-contract-v1-02.xsd`).

use std::io::Write;

use xml::{Error, Writer};

use super::Package;
use crate::{Migration, Rights};

const V3: &str = "http://www.loc.gov/premis/v3";
const V2: &str = "info:lc/xmlns/premis-v2";
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
const CONTRACT: &str = "http://www.danrw.de/contract/v1";

/// Who packs.
const AGENT: &str = concat!("Amtsbote ", env!("CARGO_PKG_VERSION"));

/// Writes PREMIS 3.0: each file with size, digest and format, and the event of packing.
pub(crate) fn write_v3<W: Write>(writer: &mut Writer<W>, package: &Package) -> Result<(), Error> {
    let attributes = [("xmlns", V3), ("xmlns:xsi", INSTANCE), ("version", "3.0")];
    writer.start("premis", &attributes)?;
    for (part, found) in &package.parts {
        writer.start("object", &[("xsi:type", "file")])?;
        identifier(writer, "objectIdentifier", "FILE_NAME", &part.name)?;
        writer.start("objectCharacteristics", &[])?;
        writer.element("compositionLevel", "0")?;
        writer.start("fixity", &[])?;
        writer.element("messageDigestAlgorithm", "SHA-256")?;
        writer.element("messageDigest", &part.sha256)?;
        writer.end()?;
        writer.element("size", &part.size.to_string())?;
        writer.start("format", &[])?;
        writer.start("formatDesignation", &[])?;
        writer.element(
            "formatName",
            found.media_type.as_deref().unwrap_or_else(|| super::media_type(&part.name)),
        )?;
        writer.end()?;
        if let Some(puid) = &found.puid {
            writer.start("formatRegistry", &[])?;
            writer.element("formatRegistryName", "PRONOM")?;
            writer.element("formatRegistryKey", puid)?;
            writer.end()?;
        }
        for note in found.notes() {
            writer.element("formatNote", &note)?;
        }
        writer.end()?;
        writer.end()?;
        writer.element("originalName", &part.name)?;
        writer.end()?;
    }
    creation(writer, package, "eventDetailInformation")?;
    agent(writer)?;
    writer.end()
}

/// Writes PREMIS 2.2 with the rights of a contract, as DA NRW reads it.
pub(crate) fn write_danrw<W: Write>(
    writer: &mut Writer<W>,
    package: &Package,
    rights: &Rights,
) -> Result<(), Error> {
    let attributes = [("xmlns", V2), ("xmlns:xsi", INSTANCE), ("version", "2.2")];
    writer.start("premis", &attributes)?;
    writer.start("object", &[("xsi:type", "representation")])?;
    identifier(writer, "objectIdentifier", "PACKAGE_NAME", &package.name)?;
    writer.end()?;
    creation(writer, package, "")?;
    agent(writer)?;
    writer.start("rights", &[])?;
    statement(writer, package, rights)?;
    contract(writer, package, rights)?;
    writer.end()?;
    writer.end()
}

fn statement<W: Write>(writer: &mut Writer<W>, package: &Package, rights: &Rights) -> Result<(), Error> {
    writer.start("rightsStatement", &[])?;
    identifier(writer, "rightsStatementIdentifier", "rightsid", &package.name)?;
    writer.element("rightsBasis", "license")?;
    let acts = [
        ("PUBLICATION_PUBLIC", rights.public),
        ("PUBLICATION_INSTITUTION", rights.institution),
        ("MIGRATION", true),
    ];
    for (act, _) in acts.iter().filter(|(_, granted)| *granted) {
        writer.start("rightsGranted", &[])?;
        writer.element("act", act)?;
        writer.element("restriction", "see rightsExtension")?;
        writer.start("termOfGrant", &[])?;
        writer.element("startDate", &package.made.to_string())?;
        writer.end()?;
        writer.end()?;
    }
    writer.end()
}

fn contract<W: Write>(writer: &mut Writer<W>, package: &Package, rights: &Rights) -> Result<(), Error> {
    writer.start("rightsExtension", &[])?;
    writer.start("rightsGranted", &[("xmlns", CONTRACT)])?;
    writer.start("migrationRight", &[])?;
    let condition = match rights.migration {
        Migration::None => "NONE",
        Migration::Notify => "NOTIFY",
        Migration::Confirm => "CONFIRM",
    };
    writer.element("condition", condition)?;
    writer.end()?;
    for (audience, _) in
        [("PUBLIC", rights.public), ("INSTITUTION", rights.institution)].iter().filter(|(_, may)| *may)
    {
        writer.start("publicationRight", &[])?;
        writer.element("audience", audience)?;
        writer.element("startDate", &package.made.to_string())?;
        writer.element("restrictions", "")?;
        writer.end()?;
    }
    if rights.no_ddb {
        writer.element("DDBexclusion", "")?;
    }
    if let Some(quality) = rights.least_quality {
        writer.element("minimalIngestQualityLevel", &quality.clamp(1, 5).to_string())?;
    }
    writer.end()?;
    writer.end()
}

/// The event of packing. PREMIS 3 wraps its detail (`wrapped_in`), 2 does not.
fn creation<W: Write>(writer: &mut Writer<W>, package: &Package, wrapped_in: &str) -> Result<(), Error> {
    let made = package.made.to_string();
    writer.start("event", &[])?;
    identifier(writer, "eventIdentifier", "SIP_CREATION_ID", &format!("Sip_Creation_{}", package.delivery))?;
    writer.element("eventType", "SIP_CREATION")?;
    writer.element("eventDateTime", &made)?;
    let detail = format!("{}; {}", package.description(), package.examined);
    if wrapped_in.is_empty() {
        writer.element("eventDetail", &detail)?;
    } else {
        writer.start(wrapped_in, &[])?;
        writer.element("eventDetail", &detail)?;
        writer.end()?;
    }
    identifier(writer, "linkingAgentIdentifier", "APPLICATION_NAME", AGENT)?;
    if wrapped_in.is_empty() {
        identifier(writer, "linkingObjectIdentifier", "PACKAGE_NAME", &package.name)?;
    }
    writer.end()
}

fn agent<W: Write>(writer: &mut Writer<W>) -> Result<(), Error> {
    writer.start("agent", &[])?;
    identifier(writer, "agentIdentifier", "APPLICATION_NAME", AGENT)?;
    writer.element("agentType", "APPLICATION")?;
    writer.end()
}

/// An identifier: its elements are called after it.
fn identifier<W: Write>(writer: &mut Writer<W>, name: &str, kind: &str, value: &str) -> Result<(), Error> {
    writer.start(name, &[])?;
    writer.element(&format!("{name}Type"), kind)?;
    writer.element(&format!("{name}Value"), value)?;
    writer.end()
}
