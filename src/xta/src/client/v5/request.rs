//! Writes header blocks and bodies of requests of version 5.1.1 (`XTA-Webservice.xsd`, core 3.1.1), all but the container. Ids are unique
//! in a whole message.

use std::io::Write;

use soap::message::NewBlock;
use xml::Writer;

use crate::Result;
use crate::client::Call;
use crate::model::{MetaData, Party};
use crate::server::backend::Selector;
use crate::v3::answer::header_block;
use crate::v5::answer;
use crate::v5::metadata::{self, Ids};
use crate::v5::names::{CORE, Operation};

/// What a call is in this version.
pub(in crate::client) fn operation(call: &Call<'_>) -> Operation {
    match call {
        Call::CheckAccountActive => Operation::CheckAccountActive,
        Call::LookupService(_) => Operation::LookupService,
        Call::CreateMessageId => Operation::CreateMessageId,
        Call::TransportReport(_) => Operation::GetTransportReport,
        Call::Send(..) => Operation::SendMessage,
        Call::SendSync(..) => Operation::SendMessageSync,
        Call::Deliver(..) => Operation::DeliverMessage,
        Call::StatusList(..) => Operation::GetStatusList,
        Call::Message(_) => Operation::GetMessage,
        Call::Close(..) => Operation::Close,
    }
}

/// The envelope of the message if there is one, and always who calls (`Party`).
pub(in crate::client) fn blocks(
    party: &Party,
    meta: Option<&MetaData>,
    ids: &mut Ids,
) -> Result<Vec<NewBlock>> {
    let mut blocks = Vec::new();
    if let Some(meta) = meta {
        blocks.push(header_block(|writer| metadata::write(writer, meta, ids))?);
    }
    blocks.push(header_block(|writer| metadata::write_party(writer, "c:Party", party, ids))?);
    Ok(blocks)
}

/// Writes what stands in the body.
pub(in crate::client) fn write<W: Write>(
    writer: &mut Writer<W>,
    call: &Call<'_>,
    ids: &mut Ids,
) -> Result<()> {
    match call {
        Call::CheckAccountActive
        | Call::CreateMessageId
        | Call::Send(..)
        | Call::SendSync(..)
        | Call::Deliver(..) => Ok(()),
        Call::LookupService(asked) => lookup(writer, asked, ids),
        Call::TransportReport(id) => answer::message_id(writer, id, ids),
        Call::StatusList(selector, most) => write_selector(writer, selector, *most, ids),
        Call::Message(id) | Call::Close(id, _) => {
            writer.start("c:MessageFetch", &[("xmlns:c", CORE)])?;
            answer::message_id(writer, id, ids)?;
            Ok(writer.end()?)
        }
    }
}

/// `LookupQuery`.
fn lookup<W: Write>(writer: &mut Writer<W>, asked: &[(Party, String)], ids: &mut Ids) -> Result<()> {
    writer.start("c:LookupQuery", &[("xmlns:c", CORE)])?;
    for (reader, service) in asked {
        writer.start("c:LookupService", &[])?;
        metadata::write_party(writer, "c:Reader", reader, ids)?;
        if !service.is_empty() {
            writer.element("c:Service", service)?;
        }
        writer.end()?;
    }
    Ok(writer.end()?)
}

/// `MessageSelector`. What is new is said always: left out, it would mean only what is.
fn write_selector<W: Write>(
    writer: &mut Writer<W>,
    selector: &Selector,
    most: u32,
    ids: &mut Ids,
) -> Result<()> {
    writer.start("c:MessageSelector", &[("xmlns:c", CORE)])?;
    if !selector.message_ids.is_empty() {
        writer.start("c:XTAMessageIDs", &[])?;
        for id in &selector.message_ids {
            answer::message_id(writer, id, ids)?;
        }
        writer.end()?;
        return Ok(writer.end()?);
    }
    writer.start("c:OtherCriteria", &[])?;
    writer.element("c:NewEntry", if selector.is_new == Some(true) { "true" } else { "false" })?;
    writer.element("c:MaxMessages", &most.max(1).to_string())?;
    for (name, moment) in
        [("c:MessageBoxEntryTimeFrom", &selector.from), ("c:MessageBoxEntryTimeTo", &selector.to)]
    {
        if let Some(moment) = moment {
            writer.element(name, &moment.to_string())?;
        }
    }
    writer.end()?;
    Ok(writer.end()?)
}
