//! Reads and writes `MessageMetaData` of version 5.1.1 and the parties in it (`XTA-Webservice-Datentypen.xsd`, core 3.1.1). Ids are made
//! anew wherever metadata are written: they must be unique in a whole message, and some messages hold metadata of several authors.

use std::io::{BufRead, Write};

use xml::{Reader, Writer};

use super::names::{CORE, DS, OLDER};
use crate::deviations::Deviations;
use crate::element::{self, Children, Element};
use crate::model::{DeliveryAttributes, Extension, Key, MetaData, Party, Scenario};
use crate::v3::metadata::positive;
use crate::{Error, Result, bridge};

/// Most elements of one name.
const MANY: usize = 1_000;
/// Most extensions in one place, certificates of one party, and uses of one certificate.
const FEW: usize = 16;
/// What a message without a service profile says of it, since something must be said.
const NO_QUALITY: &str = "kein Serviceprofil angegeben";

/// Ids of one message (`xs:ID`), one after the other.
#[derive(Debug, Default)]
pub(crate) struct Ids(u32);

impl Ids {
    /// What ids begin with that are made here; those of others that begin so are not handed on.
    pub(crate) const PREFIX: &str = "xta-";

    /// The next id.
    pub(crate) fn next_id(&mut self) -> String {
        self.0 += 1;
        format!("{}{}", Ids::PREFIX, self.0)
    }
}

/// Reads the metadata whose start the reader has just read.
///
/// # Errors
/// [`Error::Malformed`] if they do not follow the schema, other than by what is noted.
pub(crate) fn read<R: BufRead>(reader: &mut Reader<R>, seen: &Deviations) -> Result<MetaData> {
    let mut meta = read_own(reader, seen)?;
    bridge::from_v5(&mut meta)?;
    Ok(meta)
}

/// The same, without what version 3 alone has.
pub(crate) fn read_own<R: BufRead>(reader: &mut Reader<R>, seen: &Deviations) -> Result<MetaData> {
    let mut meta = MetaData::default();
    let mut children = Children::of(reader, CORE)?;
    meta.message_id = children.required("XTAMessageID", |reader, it| read_id(reader, it, seen))?;
    meta.reader = children.required("Reader", |reader, it| read_party_with_id(reader, it, seen))?;
    children.required("Originators", |reader, _| read_originators(reader, &mut meta, seen))?;
    children.required("Qualifier", |reader, it| read_qualifier(reader, it, &mut meta, seen))?;
    meta.size = children.optional("MessageSize", |reader, _| positive(&element::text(reader)?))?;
    meta.delivery = children.required("DeliveryAttributes", |reader, _| read_delivery(reader, seen))?;
    let quality = children
        .optional("ServiceQuality", |reader, it| read_quality(reader, it, &mut meta.delivery, seen))?;
    if meta.size.is_none() || quality.is_none() {
        seen.note("metadata without size or service quality");
    }
    meta.additional_ids =
        children.many("AdditionalIdentifier", MANY, |reader, it| read_additional(reader, it, seen))?;
    meta.properties = children.many("MessageProperty", MANY, |reader, it| read_property(reader, it, seen))?;
    meta.extensions = read_extensions(&mut children)?;
    children.finish()?;
    Ok(meta)
}

/// An element that must have an id.
fn with_id(element: &Element, seen: &Deviations) {
    if element.filled("id").is_none() {
        seen.note("an element without its id");
    }
}

/// Reads an `XTAMessageID`, up to and with its end.
pub(crate) fn read_id<R: BufRead>(
    reader: &mut Reader<R>,
    element: &Element,
    seen: &Deviations,
) -> Result<String> {
    with_id(element, seen);
    element::id(reader)
}

fn read_originators<R: BufRead>(
    reader: &mut Reader<R>,
    meta: &mut MetaData,
    seen: &Deviations,
) -> Result<()> {
    let mut children = Children::of(reader, CORE)?;
    meta.author = children.required("Author", |reader, it| read_party_with_id(reader, it, seen))?;
    meta.sender = children.optional("Sender", |reader, it| read_party_with_id(reader, it, seen))?;
    children.finish()
}

/// Reads a party without id and certificates (`PartyType`), up to and with its end.
///
/// # Errors
/// [`Error::Malformed`].
pub(crate) fn read_party<R: BufRead>(reader: &mut Reader<R>) -> Result<Party> {
    let mut children = Children::of(reader, CORE)?;
    let party = read_party_parts(&mut children)?;
    children.finish()?;
    Ok(party)
}

fn read_party_with_id<R: BufRead>(
    reader: &mut Reader<R>,
    element: &Element,
    seen: &Deviations,
) -> Result<Party> {
    with_id(element, seen);
    let mut children = Children::of(reader, CORE)?;
    let mut party = read_party_parts(&mut children)?;
    party.certificates = children.many("Certificate", FEW, |reader, _| read_certificate(reader))?;
    children.finish()?;
    Ok(party)
}

fn read_party_parts<R: BufRead>(children: &mut Children<'_, R>) -> Result<Party> {
    let mut party = children.required("Identifier", |reader, it| {
        let (scheme, name) = (it.filled("identifierScheme"), it.filled("name"));
        let category = it.filled("organizationCategory");
        Ok(Party { id: element::required_text(reader)?, scheme, name, category, ..Party::default() })
    })?;
    party.directory = children.optional("Directory", read_code)?;
    party.extensions = read_extensions(children)?;
    Ok(party)
}

/// Kept as it came; it names what it is for, and holds a certificate of XML Signature.
fn read_certificate<R: BufRead>(reader: &mut Reader<R>) -> Result<String> {
    let fragment = modern(&element::any(reader)?);
    let mut copy = Reader::new(fragment.as_bytes(), xml::Limits::default());
    copy.next()?;
    let mut children = Children::of(&mut copy, CORE)?;
    if children.many("Usage", FEW, read_code)?.is_empty() {
        return Err(Error::Malformed("a certificate without its use"));
    }
    children.required("Data", |reader, _| {
        let mut data = Children::of(reader, DS)?;
        for local in ["X509IssuerSerial", "X509SKI", "X509SubjectName", "X509Certificate", "X509CRL"] {
            data.many(local, FEW, |reader, _| Ok(reader.skip()?))?;
        }
        data.finish()
    })?;
    children.finish()?;
    Ok(fragment)
}

/// A fragment in the namespace of this version, whichever it came in.
fn modern(fragment: &str) -> String {
    fragment.replace(OLDER, CORE)
}

/// Reads `Extensions`, if they stand here.
pub(crate) fn read_extensions<R: BufRead>(children: &mut Children<'_, R>) -> Result<Vec<Extension>> {
    let read = |reader: &mut Reader<R>, _: &Element| {
        let mut extension = Children::of(reader, CORE)?;
        let identifier = extension.required("Identifier", |reader, _| element::required_text(reader))?;
        let version = extension.required("Version", |reader, _| element::required_text(reader))?;
        let data = extension.required("Data", |reader, _| Ok(modern(&element::any(reader)?)))?;
        extension.finish()?;
        Ok(Extension { identifier, version, data })
    };
    let found = children.optional("Extensions", |reader, _| {
        let mut children = Children::of(reader, CORE)?;
        let found = children.many("Extension", FEW, read)?;
        children.finish()?;
        Some(found).filter(|found| !found.is_empty()).ok_or(Error::Malformed("extensions without one"))
    })?;
    Ok(found.unwrap_or_default())
}

fn read_qualifier<R: BufRead>(
    reader: &mut Reader<R>,
    element: &Element,
    meta: &mut MetaData,
    seen: &Deviations,
) -> Result<()> {
    with_id(element, seen);
    let mut children = Children::of(reader, CORE)?;
    let service = children.optional("Service", |reader, _| element::required_text(reader))?;
    meta.service = service.unwrap_or_default();
    let scenario = children.optional("BusinessScenario", |reader, _| read_scenario(reader))?;
    if scenario.is_none() {
        seen.note("a qualifier without scenario");
    }
    meta.scenario = scenario.flatten();
    (meta.message_type.code, meta.payload_schema) = children.required("MessageType", |reader, it| {
        let schema = it.filled("messageSchema").ok_or(Error::Malformed("a message type without schema"))?;
        Ok((element::required_text(reader)?, schema))
    })?;
    children.finish()
}

/// An empty `Undefined` says no more than no scenario at all.
fn read_scenario<R: BufRead>(reader: &mut Reader<R>) -> Result<Option<Scenario>> {
    let mut children = Children::of(reader, CORE)?;
    let scenario = match children.optional("Defined", read_code)? {
        Some(key) => Some(Scenario::Defined(key)),
        None => {
            let words = children.required("Undefined", |reader, _| element::text(reader))?;
            Some(words).filter(|words| !words.is_empty()).map(Scenario::Undefined)
        }
    };
    children.finish()?;
    Ok(scenario)
}

/// Reads a code, up to and with its end. Its child has no namespace.
pub(crate) fn read_code<R: BufRead>(reader: &mut Reader<R>, element: &Element) -> Result<Key> {
    let (list, version) = (element.filled("listURI"), element.attribute("listVersionID"));
    let (Some(list), Some(version)) = (list, version) else {
        return Err(Error::Malformed("a code without its list"));
    };
    let mut children = Children::of(reader, "")?;
    let code = children.required("code", |reader, _| element::text(reader))?;
    children.finish()?;
    Ok(Key { code, name: None, list, version: version.trim().to_owned() })
}

fn read_delivery<R: BufRead>(reader: &mut Reader<R>, seen: &Deviations) -> Result<DeliveryAttributes> {
    let mut children = Children::of(reader, CORE)?;
    let mut moment = |local| {
        children.optional(local, |reader, it| {
            with_id(it, seen);
            element::value(reader)
        })
    };
    let delivery = DeliveryAttributes {
        origin: moment("Origin")?,
        initial_send: moment("InitialSend")?,
        delivery: moment("Delivery")?,
        initial_fetch: moment("InitialFetch")?,
        reception: moment("Reception")?,
        ..DeliveryAttributes::default()
    };
    children.finish()?;
    Ok(delivery)
}

fn read_quality<R: BufRead>(
    reader: &mut Reader<R>,
    element: &Element,
    delivery: &mut DeliveryAttributes,
    seen: &Deviations,
) -> Result<()> {
    with_id(element, seen);
    let mut children = Children::of(reader, CORE)?;
    delivery.service_quality = children.optional("Defined", |reader, _| element::required_text(reader))?;
    if delivery.service_quality.is_none() {
        let reason = children.required("Undefined", |reader, _| element::required_text(reader))?;
        delivery.no_quality = Some(reason).filter(|reason| reason != NO_QUALITY);
    }
    children.finish()
}

fn read_additional<R: BufRead>(
    reader: &mut Reader<R>,
    element: &Element,
    seen: &Deviations,
) -> Result<(String, Key)> {
    with_id(element, seen);
    let mut children = Children::of(reader, CORE)?;
    let id = children.required("MessageIdentifier", |reader, _| element::required_text(reader))?;
    let context = children.required("Context", read_code)?;
    children.finish()?;
    Ok((id, context))
}

fn read_property<R: BufRead>(
    reader: &mut Reader<R>,
    element: &Element,
    seen: &Deviations,
) -> Result<(Key, String)> {
    with_id(element, seen);
    let mut children = Children::of(reader, CORE)?;
    let code = children.required("Key", |reader, _| element::required_text(reader))?;
    let value = children.required("Value", |reader, _| element::verbatim(reader))?;
    children.finish()?;
    Ok((Key { code, ..Key::default() }, value))
}

/// Writes the metadata as an element that stands anywhere.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write<W: Write>(writer: &mut Writer<W>, meta: &MetaData, ids: &mut Ids) -> Result<()> {
    let mut all = meta.properties.clone();
    all.extend(bridge::to_v5(meta)?);
    write_with(writer, meta, &all, ids)
}

/// The same, without what version 3 alone has.
pub(crate) fn write_own<W: Write>(writer: &mut Writer<W>, meta: &MetaData, ids: &mut Ids) -> Result<()> {
    write_with(writer, meta, &meta.properties, ids)
}

fn write_with<W: Write>(
    writer: &mut Writer<W>,
    meta: &MetaData,
    properties: &[(Key, String)],
    ids: &mut Ids,
) -> Result<()> {
    writer.start("c:MessageMetaData", &[("xmlns:c", CORE)])?;
    write_with_id(writer, "c:XTAMessageID", &meta.message_id, ids)?;
    write_party_with_id(writer, "c:Reader", &meta.reader, ids)?;
    writer.start("c:Originators", &[])?;
    write_party_with_id(writer, "c:Author", &meta.author, ids)?;
    if let Some(sender) = &meta.sender {
        write_party_with_id(writer, "c:Sender", sender, ids)?;
    }
    writer.end()?;
    write_qualifier(writer, meta, ids)?;
    writer.element("c:MessageSize", &meta.size.unwrap_or_default().max(1).to_string())?;
    write_delivery(writer, &meta.delivery, ids)?;
    for (id, context) in &meta.additional_ids {
        writer.start("c:AdditionalIdentifier", &[("id", &ids.next_id())])?;
        writer.element("c:MessageIdentifier", id)?;
        write_code(writer, "c:Context", context)?;
        writer.end()?;
    }
    for (key, value) in properties {
        writer.start("c:MessageProperty", &[("id", &ids.next_id())])?;
        writer.element("c:Key", &key.code)?;
        writer.element("c:Value", value)?;
        writer.end()?;
    }
    write_extensions(writer, &meta.extensions, ids)?;
    Ok(writer.end()?)
}

/// Writes a text with an id under a name with the prefix `c`, which must be declared.
pub(crate) fn write_with_id<W: Write>(
    writer: &mut Writer<W>,
    name: &str,
    text: &str,
    ids: &mut Ids,
) -> Result<()> {
    writer.start(name, &[("id", &ids.next_id())])?;
    writer.text(text)?;
    Ok(writer.end()?)
}

fn write_party_with_id<W: Write>(
    writer: &mut Writer<W>,
    name: &str,
    party: &Party,
    ids: &mut Ids,
) -> Result<()> {
    writer.start(name, &[("id", &ids.next_id())])?;
    write_party_parts(writer, party, ids)?;
    for certificate in &party.certificates {
        writer.fragment(certificate)?;
    }
    Ok(writer.end()?)
}

/// Writes a party (`PartyType`) as an element that stands anywhere, such as the header `c:Party`.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_party<W: Write>(
    writer: &mut Writer<W>,
    name: &str,
    party: &Party,
    ids: &mut Ids,
) -> Result<()> {
    writer.start(name, &[("xmlns:c", CORE)])?;
    write_party_parts(writer, party, ids)?;
    Ok(writer.end()?)
}

fn write_party_parts<W: Write>(writer: &mut Writer<W>, party: &Party, ids: &mut Ids) -> Result<()> {
    let all = [
        ("identifierScheme", &party.scheme),
        ("name", &party.name),
        ("organizationCategory", &party.category),
    ];
    let given = all.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    writer.start("c:Identifier", &given.collect::<Vec<_>>())?;
    writer.text(&party.id)?;
    writer.end()?;
    if let Some(directory) = &party.directory {
        write_code(writer, "c:Directory", directory)?;
    }
    write_extensions(writer, &party.extensions, ids)
}

fn write_extensions<W: Write>(writer: &mut Writer<W>, extensions: &[Extension], ids: &mut Ids) -> Result<()> {
    if extensions.is_empty() {
        return Ok(());
    }
    writer.start("c:Extensions", &[])?;
    for extension in extensions {
        writer.start("c:Extension", &[("id", &ids.next_id())])?;
        writer.element("c:Identifier", &extension.identifier)?;
        writer.element("c:Version", &extension.version)?;
        writer.fragment(&extension.data)?;
        writer.end()?;
    }
    Ok(writer.end()?)
}

fn write_qualifier<W: Write>(writer: &mut Writer<W>, meta: &MetaData, ids: &mut Ids) -> Result<()> {
    writer.start("c:Qualifier", &[("id", &ids.next_id())])?;
    if !meta.service.is_empty() {
        writer.element("c:Service", &meta.service)?;
    }
    writer.start("c:BusinessScenario", &[])?;
    match &meta.scenario {
        Some(Scenario::Defined(key)) => write_code(writer, "c:Defined", key)?,
        Some(Scenario::Undefined(words)) => writer.element("c:Undefined", words)?,
        // The schema wants one of both.
        None => writer.element("c:Undefined", "")?,
    }
    writer.end()?;
    writer.start("c:MessageType", &[("messageSchema", &meta.payload_schema)])?;
    writer.text(&meta.message_type.code)?;
    writer.end()?;
    Ok(writer.end()?)
}

/// Writes a code under this name, without its own name, which this version has no place for.
pub(crate) fn write_code<W: Write>(writer: &mut Writer<W>, name: &str, key: &Key) -> Result<()> {
    writer.start(name, &[("listURI", &key.list), ("listVersionID", &key.version)])?;
    writer.element("code", &key.code)?;
    Ok(writer.end()?)
}

fn write_delivery<W: Write>(
    writer: &mut Writer<W>,
    delivery: &DeliveryAttributes,
    ids: &mut Ids,
) -> Result<()> {
    writer.start("c:DeliveryAttributes", &[])?;
    for (name, moment) in [
        ("c:Origin", &delivery.origin),
        ("c:InitialSend", &delivery.initial_send),
        ("c:Delivery", &delivery.delivery),
        ("c:InitialFetch", &delivery.initial_fetch),
        ("c:Reception", &delivery.reception),
    ] {
        if let Some(moment) = moment {
            write_with_id(writer, name, &moment.to_string(), ids)?;
        }
    }
    writer.end()?;
    writer.start("c:ServiceQuality", &[("id", &ids.next_id())])?;
    match (&delivery.service_quality, &delivery.no_quality) {
        (Some(profile), _) => writer.element("c:Defined", profile)?,
        (None, reason) => writer.element("c:Undefined", reason.as_deref().unwrap_or(NO_QUALITY))?,
    }
    Ok(writer.end()?)
}

#[cfg(test)]
mod tests;
