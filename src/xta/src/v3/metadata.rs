//! Reads and writes `MessageMetaData` (OSCI MessageMetaData 2.02, `OSCI_MessageMetaData_V2.02.xsd`) and the parties in it. What was
//! read is written again without loss; only the form of the XML may differ.

use std::io::{BufRead, Write};

use xml::value::Boolean;
use xml::{Reader, Writer};

use super::names::{META, WSA, WSSE};
use crate::deviations::Deviations;
use crate::element::{self, Children, Element};
use crate::model::{DeliveryAttributes, Key, MetaData, Party, Scenario};
use crate::{Error, Result, bridge};

/// Most elements of one name.
const MANY: usize = 1_000;
/// Most tokens of one party.
const TOKENS: usize = 8;
/// What a token holds one of, and what it is for.
const TOKEN_KINDS: [&str; 3] = ["BinarySecurityToken", "SecurityTokenReference", "UsernameToken"];
const TOKEN_USES: [&str; 3] = ["AUTHENTICATION", "ENCRYPTION", "SIGNATURE"];
/// Receipts that may be asked for.
const RECEIPTS: [&str; 6] = ["Submission", "Relay", "Delivery", "Fetch", "Reception", "ReceiptTo"];

/// Reads the metadata whose start the reader has just read.
pub(crate) fn read<R: BufRead>(reader: &mut Reader<R>, seen: &Deviations) -> Result<MetaData> {
    let mut meta = read_own(reader, seen)?;
    bridge::from_v3(&mut meta)?;
    Ok(meta)
}

/// The same, without what version 5 alone has.
pub(crate) fn read_own<R: BufRead>(reader: &mut Reader<R>, seen: &Deviations) -> Result<MetaData> {
    let mut meta = MetaData { is_test: flag(&Element::current(reader), "TestMsg")?, ..MetaData::default() };
    let mut children = Children::of(reader, META)?;
    meta.delivery = children.required("DeliveryAttributes", |reader, _| read_delivery(reader))?;
    children.required("Originators", |reader, _| read_originators(reader, &mut meta, seen))?;
    children.required("Destinations", |reader, _| read_destinations(reader, &mut meta, seen))?;
    children.required("MsgIdentification", |reader, _| read_identification(reader, &mut meta))?;
    children.required("Qualifier", |reader, _| read_qualifier(reader, &mut meta, seen))?;
    let properties = children.optional("MessageProperties", |reader, _| read_properties(reader))?;
    meta.properties = properties.unwrap_or_default();
    meta.size = children.optional("MsgSize", |reader, _| positive(&element::text(reader)?))?;
    children.finish()?;
    Ok(meta)
}

/// A whole number above 0 (`xs:positiveInteger`); larger ones than anyone has are refused.
pub(crate) fn positive(text: &str) -> Result<u64> {
    let digits = text.trim().trim_start_matches('+');
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|&number: &u64| is_number && number > 0);
    number.ok_or(Error::Malformed("a number above zero is none"))
}

/// An attribute of the type `xs:boolean`; absent, it is false.
pub(crate) fn flag(element: &Element, local: &str) -> Result<bool> {
    let Some(text) = element.attribute(local) else { return Ok(false) };
    text.parse::<Boolean>().map(|it| it.value).map_err(|_| Error::Malformed("a yes or no is neither"))
}

fn read_delivery<R: BufRead>(reader: &mut Reader<R>) -> Result<DeliveryAttributes> {
    let mut children = Children::of(reader, META)?;
    let delivery = DeliveryAttributes {
        origin: children.optional("Origin", |reader, _| element::value(reader))?,
        initial_send: children.optional("InitialSend", |reader, _| element::value(reader))?,
        not_before: children.optional("NotBefore", |reader, _| element::value(reader))?,
        obsolete_after: children.optional("ObsoleteAfter", |reader, _| element::value(reader))?,
        delivery: children.optional("Delivery", |reader, _| element::value(reader))?,
        initial_fetch: children.optional("InitialFetch", |reader, _| element::value(reader))?,
        reception: children.optional("Reception", |reader, _| element::value(reader))?,
        service_quality: children.optional("ServiceQuality", |reader, _| element::required_text(reader))?,
        receipt_requests: children
            .optional("ReceiptRequests", |reader, _| element::fragment(reader, META, &RECEIPTS))?,
        no_quality: None,
    };
    children.finish()?;
    Ok(delivery)
}

fn read_originators<R: BufRead>(
    reader: &mut Reader<R>,
    meta: &mut MetaData,
    seen: &Deviations,
) -> Result<()> {
    let mut children = Children::of(reader, META)?;
    meta.author = children.required("Author", |reader, _| read_party(reader, seen))?;
    meta.sender = children.optional("Sender", |reader, _| read_party(reader, seen))?;
    meta.reply_to = children.optional("ReplyTo", |reader, _| read_party(reader, seen))?;
    children.finish()
}

fn read_destinations<R: BufRead>(
    reader: &mut Reader<R>,
    meta: &mut MetaData,
    seen: &Deviations,
) -> Result<()> {
    let mut children = Children::of(reader, META)?;
    meta.reader = children.required("Reader", |reader, _| read_party(reader, seen))?;
    children.optional("OtherDestinations", |reader, _| {
        let mut others = Children::of(reader, META)?;
        let read = |reader: &mut Reader<R>, element: &Element| read_identifier(reader, element, seen);
        meta.other_readers = others.many("OtherReaders", MANY, read)?;
        meta.cc_readers = others.many("CcReaders", MANY, read)?;
        if meta.other_readers.is_empty() {
            return Err(Error::Malformed("other destinations without a reader"));
        }
        others.finish()
    })?;
    children.finish()
}

/// Reads a party (`PartyType`), up to and with its end.
pub(crate) fn read_party<R: BufRead>(reader: &mut Reader<R>, seen: &Deviations) -> Result<Party> {
    let mut children = Children::of(reader, META)?;
    let mut party =
        children.required("Identifier", |reader, element| read_identifier(reader, element, seen))?;
    party.tokens = children.many("SecurityToken", TOKENS, read_token)?;
    children.finish()?;
    Ok(party)
}

fn read_token<R: BufRead>(reader: &mut Reader<R>, element: &Element) -> Result<String> {
    match element.attribute("usage") {
        Some(usage) if TOKEN_USES.contains(&usage.trim()) => element::fragment(reader, WSSE, &TOKEN_KINDS),
        _ => Err(Error::Malformed("a token without a usage that is known")),
    }
}

fn read_identifier<R: BufRead>(
    reader: &mut Reader<R>,
    element: &Element,
    seen: &Deviations,
) -> Result<Party> {
    let (scheme, name, category) =
        (element.filled("type"), element.filled("name"), element.filled("category"));
    if scheme.is_none() {
        seen.note("an identifier without type");
    }
    Ok(Party { id: element::required_text(reader)?, scheme, name, category, ..Party::default() })
}

fn read_identification<R: BufRead>(reader: &mut Reader<R>, meta: &mut MetaData) -> Result<()> {
    let mut children = Children::of(reader, META)?;
    meta.message_id = children.required_of(WSA, "MessageID", |reader, _| element::id(reader))?;
    meta.in_reply_to = children.many("In-Reply-To", MANY, |reader, _| element::text(reader))?;
    meta.process_ref = children
        .optional("ProcessRef", |reader, _| element::fragment(reader, META, &["Requester", "Responder"]))?;
    children.finish()
}

fn read_qualifier<R: BufRead>(reader: &mut Reader<R>, meta: &mut MetaData, seen: &Deviations) -> Result<()> {
    let mut children = Children::of(reader, META)?;
    meta.subject = children.optional("Subject", |reader, _| element::verbatim(reader))?;
    meta.service = children.required("Service", |reader, _| element::text(reader))?;
    let scenario = children.optional("BusinessScenario", |reader, _| read_scenario(reader))?;
    if scenario.is_none() {
        seen.note("a qualifier without scenario");
    }
    meta.scenario = scenario.flatten();
    let (key, schema) = children.required("MessageType", |reader, element| {
        let schema = element.filled("payloadSchema");
        let schema = schema.ok_or(Error::Malformed("a message type without schema"))?;
        Ok((read_key(reader, element)?, schema))
    })?;
    (meta.message_type, meta.payload_schema) = (key, schema);
    children.finish()
}

/// An empty `Undefined` says no more than no scenario at all.
fn read_scenario<R: BufRead>(reader: &mut Reader<R>) -> Result<Option<Scenario>> {
    let mut children = Children::of(reader, META)?;
    let defined = children.optional("Defined", read_key)?;
    let scenario = match defined {
        Some(key) => Some(Scenario::Defined(key)),
        None => {
            let words = children.required("Undefined", |reader, _| element::text(reader))?;
            Some(words).filter(|words| !words.is_empty()).map(Scenario::Undefined)
        }
    };
    children.finish()?;
    Ok(scenario)
}

/// Reads a code (`KeyCodeType`), up to and with its end. Its children have no namespace.
pub(crate) fn read_key<R: BufRead>(reader: &mut Reader<R>, element: &Element) -> Result<Key> {
    let missing = Error::Malformed("a code without its list");
    let (Some(list), Some(version)) = (element.attribute("listURI"), element.attribute("listVersionID"))
    else {
        return Err(missing);
    };
    let mut children = Children::of(reader, "")?;
    let key = Key {
        code: children.required("code", |reader, _| element::text(reader))?,
        name: children.optional("name", |reader, _| element::text(reader))?,
        list: list.trim().to_owned(),
        version: version.trim().to_owned(),
    };
    children.finish()?;
    Ok(key)
}

fn read_properties<R: BufRead>(reader: &mut Reader<R>) -> Result<Vec<(Key, String)>> {
    let mut children = Children::of(reader, META)?;
    let properties = children.many("Property", MANY, |reader, _| {
        let mut property = Children::of(reader, META)?;
        let key = property.required("Key", read_key)?;
        let value = property.required("Value", |reader, _| {
            let value = element::verbatim(reader)?;
            Some(value).filter(|value| !value.is_empty()).ok_or(Error::Malformed("a property without value"))
        })?;
        property.finish()?;
        Ok((key, value))
    })?;
    children.finish()?;
    match properties.is_empty() {
        true => Err(Error::Malformed("properties without a property")),
        false => Ok(properties),
    }
}

/// Writes the metadata as an element that stands anywhere.
pub(crate) fn write<W: Write>(writer: &mut Writer<W>, meta: &MetaData) -> Result<()> {
    let mut all = meta.properties.clone();
    all.extend(bridge::to_v3(meta)?);
    write_with(writer, meta, &all)
}

/// The same, without what version 5 alone has.
pub(crate) fn write_own<W: Write>(writer: &mut Writer<W>, meta: &MetaData) -> Result<()> {
    write_with(writer, meta, &meta.properties)
}

fn write_with<W: Write>(writer: &mut Writer<W>, meta: &MetaData, properties: &[(Key, String)]) -> Result<()> {
    let mut attributes = vec![("xmlns:m", META), ("xmlns:wsa", WSA)];
    if meta.is_test {
        attributes.push(("TestMsg", "true"));
    }
    writer.start("m:MessageMetaData", &attributes)?;
    write_delivery(writer, &meta.delivery)?;
    write_parties(writer, meta)?;
    write_identification(writer, meta)?;
    write_qualifier(writer, meta)?;
    if !properties.is_empty() {
        writer.start("m:MessageProperties", &[])?;
        for (key, value) in properties {
            writer.start("m:Property", &[])?;
            write_key(writer, "m:Key", key, &[])?;
            writer.element("m:Value", value)?;
            writer.end()?;
        }
        writer.end()?;
    }
    if let Some(size) = meta.size.filter(|&size| size > 0) {
        writer.element("m:MsgSize", &size.to_string())?;
    }
    Ok(writer.end()?)
}

fn write_delivery<W: Write>(writer: &mut Writer<W>, delivery: &DeliveryAttributes) -> Result<()> {
    let moment = |writer: &mut Writer<W>, name: &str, moment: &Option<_>| match moment {
        Some(moment) => write_shown(writer, name, moment),
        None => Ok(()),
    };
    writer.start("m:DeliveryAttributes", &[])?;
    moment(writer, "m:Origin", &delivery.origin)?;
    moment(writer, "m:InitialSend", &delivery.initial_send)?;
    moment(writer, "m:NotBefore", &delivery.not_before)?;
    if let Some(date) = &delivery.obsolete_after {
        write_shown(writer, "m:ObsoleteAfter", date)?;
    }
    moment(writer, "m:Delivery", &delivery.delivery)?;
    moment(writer, "m:InitialFetch", &delivery.initial_fetch)?;
    moment(writer, "m:Reception", &delivery.reception)?;
    if let Some(quality) = &delivery.service_quality {
        writer.element("m:ServiceQuality", quality)?;
    }
    if let Some(requests) = &delivery.receipt_requests {
        writer.fragment(requests)?;
    }
    Ok(writer.end()?)
}

fn write_shown<W: Write>(writer: &mut Writer<W>, name: &str, value: &impl ToString) -> Result<()> {
    Ok(writer.element(name, &value.to_string())?)
}

fn write_parties<W: Write>(writer: &mut Writer<W>, meta: &MetaData) -> Result<()> {
    writer.start("m:Originators", &[])?;
    write_party(writer, "m:Author", &meta.author)?;
    if let Some(sender) = &meta.sender {
        write_party(writer, "m:Sender", sender)?;
    }
    if let Some(reply_to) = &meta.reply_to {
        write_party(writer, "m:ReplyTo", reply_to)?;
    }
    writer.end()?;
    writer.start("m:Destinations", &[])?;
    write_party(writer, "m:Reader", &meta.reader)?;
    if !meta.other_readers.is_empty() {
        writer.start("m:OtherDestinations", &[])?;
        for reader in &meta.other_readers {
            write_identifier(writer, "m:OtherReaders", reader)?;
        }
        for reader in &meta.cc_readers {
            write_identifier(writer, "m:CcReaders", reader)?;
        }
        writer.end()?;
    }
    Ok(writer.end()?)
}

/// Writes a party under a name with the prefix `m`, which must be declared.
pub(crate) fn write_party<W: Write>(writer: &mut Writer<W>, name: &str, party: &Party) -> Result<()> {
    writer.start(name, &[])?;
    write_inside(writer, party)
}

/// The same as an element that stands anywhere.
pub(crate) fn write_party_alone<W: Write>(writer: &mut Writer<W>, name: &str, party: &Party) -> Result<()> {
    writer.start(name, &[("xmlns:m", META)])?;
    write_inside(writer, party)
}

fn write_inside<W: Write>(writer: &mut Writer<W>, party: &Party) -> Result<()> {
    write_identifier(writer, "m:Identifier", party)?;
    for token in &party.tokens {
        writer.fragment(token)?;
    }
    Ok(writer.end()?)
}

fn write_identifier<W: Write>(writer: &mut Writer<W>, name: &str, party: &Party) -> Result<()> {
    let all = [("type", &party.scheme), ("name", &party.name), ("category", &party.category)];
    let given = all.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    let attributes: Vec<(&str, &str)> = given.collect();
    writer.start(name, &attributes)?;
    writer.text(&party.id)?;
    Ok(writer.end()?)
}

fn write_identification<W: Write>(writer: &mut Writer<W>, meta: &MetaData) -> Result<()> {
    writer.start("m:MsgIdentification", &[])?;
    writer.element("wsa:MessageID", &meta.message_id)?;
    for id in &meta.in_reply_to {
        writer.element("m:In-Reply-To", id)?;
    }
    if let Some(process) = &meta.process_ref {
        writer.fragment(process)?;
    }
    Ok(writer.end()?)
}

fn write_qualifier<W: Write>(writer: &mut Writer<W>, meta: &MetaData) -> Result<()> {
    writer.start("m:Qualifier", &[])?;
    if let Some(subject) = &meta.subject {
        writer.element("m:Subject", subject)?;
    }
    writer.element("m:Service", &meta.service)?;
    writer.start("m:BusinessScenario", &[])?;
    match &meta.scenario {
        Some(Scenario::Defined(key)) => write_key(writer, "m:Defined", key, &[])?,
        Some(Scenario::Undefined(words)) => writer.element("m:Undefined", words)?,
        // The schema wants one of both.
        None => writer.element("m:Undefined", "")?,
    }
    writer.end()?;
    let schema = ("payloadSchema", meta.payload_schema.as_str());
    write_key(writer, "m:MessageType", &meta.message_type, &[schema])?;
    Ok(writer.end()?)
}

/// Writes a code under this name.
pub(crate) fn write_key<W: Write>(
    writer: &mut Writer<W>,
    name: &str,
    key: &Key,
    more: &[(&str, &str)],
) -> Result<()> {
    let mut attributes = vec![("listURI", key.list.as_str()), ("listVersionID", &key.version)];
    attributes.extend_from_slice(more);
    writer.start(name, &attributes)?;
    writer.element("code", &key.code)?;
    if let Some(text) = &key.name {
        writer.element("name", text)?;
    }
    Ok(writer.end()?)
}

#[cfg(test)]
mod tests;
