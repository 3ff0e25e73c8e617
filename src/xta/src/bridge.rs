//! What only one of both versions has a place for: it travels in properties of the message (`MessageProperties`), so that a message
//! which is sent by one version and fetched by the other, or carried on, comes out again as it was. Whoever does not know these
//! properties may pass them over.

use xml::Reader;

use crate::deviations::Deviations;
use crate::model::{Key, MetaData, Party, Scenario};
use crate::v3::metadata as v3;
use crate::v5::metadata as v5;
use crate::{Error, Result, v3::answer::block};

/// What keys in version 5 begin with that stand for an element of version 3; the rest is its name. Also the list of the key in
/// version 3 that stands for metadata of version 5.
const OF_V3: &str = "urn:amtsbote:xta:v3:";
const OF_V5: &str = "urn:amtsbote:xta:v5";
/// All metadata in the form of the other version, for what has no name of its own.
const WHOLE: &str = "MessageMetaData";

/// Properties for what version 5 has no place for.
pub(crate) fn to_v5(meta: &MetaData) -> Result<Vec<(Key, String)>> {
    let mut all = Vec::new();
    let mut add = |name: &str, value: String| {
        all.push((Key { code: format!("{OF_V3}{name}"), ..Key::default() }, value));
    };
    if meta.is_test {
        add("TestMsg", "true".to_owned());
    }
    if let Some(subject) = &meta.subject {
        add("Subject", subject.clone());
    }
    meta.in_reply_to.iter().for_each(|id| add("In-Reply-To", id.clone()));
    if let Some(moment) = &meta.delivery.not_before {
        add("NotBefore", moment.to_string());
    }
    if let Some(date) = &meta.delivery.obsolete_after {
        add("ObsoleteAfter", date.to_string());
    }
    for (name, value) in [("listURI", &meta.message_type.list), ("listVersionID", &meta.message_type.version)]
    {
        if !value.is_empty() {
            add(name, value.clone());
        }
    }
    if has_more_of_v3(meta) {
        add(WHOLE, block(|writer| v3::write_own(writer, meta))?);
    }
    Ok(all)
}

/// Takes them out of the properties again.
pub(crate) fn from_v5(meta: &mut MetaData) -> Result<()> {
    let (ours, properties) =
        std::mem::take(&mut meta.properties).into_iter().partition(|(key, _)| key.code.starts_with(OF_V3));
    meta.properties = properties;
    let ours: Vec<(Key, String)> = ours;
    for (key, value) in ours {
        match key.code.strip_prefix(OF_V3).unwrap_or_default() {
            "TestMsg" => meta.is_test = value.trim() == "true",
            "Subject" => meta.subject = Some(value),
            "In-Reply-To" => meta.in_reply_to.push(value.trim().to_owned()),
            "NotBefore" => meta.delivery.not_before = Some(parsed(&value)?),
            "ObsoleteAfter" => meta.delivery.obsolete_after = Some(parsed(&value)?),
            "listURI" => meta.message_type.list = value,
            "listVersionID" => meta.message_type.version = value,
            WHOLE => {
                let mut reader = Reader::new(value.as_bytes(), xml::Limits::default());
                reader.next()?;
                add_v3(meta, v3::read_own(&mut reader, &Deviations::default())?);
            }
            _ => return Err(Error::Malformed("a property of version 3 that is not known")),
        }
    }
    Ok(())
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.trim().parse().map_err(|_| Error::Malformed("a date or moment is none"))
}

/// Whether there is something of version 3 that has no property of its own.
fn has_more_of_v3(meta: &MetaData) -> bool {
    let has_list = |key: &Key| !key.list.is_empty() || !key.version.is_empty() || key.name.is_some();
    let scenario = matches!(&meta.scenario, Some(Scenario::Defined(key)) if key.name.is_some());
    let parties = [Some(&meta.author), meta.sender.as_ref(), Some(&meta.reader)];
    scenario
        || meta.message_type.name.is_some()
        || meta.reply_to.is_some()
        || !meta.other_readers.is_empty()
        || meta.process_ref.is_some()
        || meta.delivery.receipt_requests.is_some()
        || meta.properties.iter().any(|(key, _)| has_list(key))
        || parties.into_iter().flatten().any(|party| !party.tokens.is_empty())
}

/// Adds what only version 3 has. What both have stays as version 5 said it.
fn add_v3(meta: &mut MetaData, of_v3: MetaData) {
    let tokens = |party: &mut Party, of_v3: Party| {
        if party.id == of_v3.id {
            party.tokens = of_v3.tokens;
        }
    };
    tokens(&mut meta.author, of_v3.author);
    tokens(&mut meta.reader, of_v3.reader);
    if let (Some(sender), Some(of_v3)) = (&mut meta.sender, of_v3.sender) {
        tokens(sender, of_v3);
    }
    meta.reply_to = of_v3.reply_to;
    (meta.other_readers, meta.cc_readers) = (of_v3.other_readers, of_v3.cc_readers);
    meta.process_ref = of_v3.process_ref;
    meta.delivery.receipt_requests = of_v3.delivery.receipt_requests;
    if meta.message_type.code == of_v3.message_type.code {
        meta.message_type.name = of_v3.message_type.name;
    }
    if let (Some(Scenario::Defined(key)), Some(Scenario::Defined(of_v3))) =
        (&mut meta.scenario, of_v3.scenario)
        && key.code == of_v3.code
    {
        key.name = of_v3.name;
    }
    let said = |all: &[(Key, String)]| -> Vec<(String, String)> {
        all.iter().map(|(key, value)| (key.code.clone(), value.clone())).collect()
    };
    if said(&meta.properties) == said(&of_v3.properties) {
        meta.properties = of_v3.properties;
    }
}

/// A property for what version 3 has no place for, if there is any of it.
pub(crate) fn to_v3(meta: &MetaData) -> Result<Option<(Key, String)>> {
    if !has_more_of_v5(meta) {
        return Ok(None);
    }
    let whole = block(|writer| v5::write_own(writer, meta, &mut v5::Ids::default()))?;
    let key = Key { code: WHOLE.to_owned(), name: None, list: OF_V5.to_owned(), version: "5".to_owned() };
    Ok(Some((key, whole)))
}

/// Takes it out of the properties again.
pub(crate) fn from_v3(meta: &mut MetaData) -> Result<()> {
    let Some(at) = meta.properties.iter().position(|(key, _)| key.list == OF_V5 && key.code == WHOLE) else {
        return Ok(());
    };
    let (_, whole) = meta.properties.remove(at);
    let mut reader = Reader::new(whole.as_bytes(), xml::Limits::default());
    reader.next()?;
    let of_v5 = v5::read_own(&mut reader, &Deviations::default())?;
    let more = |party: &mut Party, of_v5: Party| {
        if party.id == of_v5.id {
            party.directory = of_v5.directory;
            party.extensions = of_v5.extensions;
            party.certificates = of_v5.certificates;
        }
    };
    more(&mut meta.author, of_v5.author);
    more(&mut meta.reader, of_v5.reader);
    if let (Some(sender), Some(of_v5)) = (&mut meta.sender, of_v5.sender) {
        more(sender, of_v5);
    }
    meta.delivery.no_quality = of_v5.delivery.no_quality;
    meta.additional_ids = of_v5.additional_ids;
    meta.extensions = of_v5.extensions;
    Ok(())
}

fn has_more_of_v5(meta: &MetaData) -> bool {
    let has_more = |party: &Party| {
        party.directory.is_some() || !party.extensions.is_empty() || !party.certificates.is_empty()
    };
    let parties = [Some(&meta.author), meta.sender.as_ref(), Some(&meta.reader)];
    parties.into_iter().flatten().any(has_more)
        || meta.delivery.no_quality.is_some()
        || !meta.additional_ids.is_empty()
        || !meta.extensions.is_empty()
}
