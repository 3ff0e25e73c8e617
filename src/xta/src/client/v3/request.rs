//! Writes header blocks and bodies of requests of version 3 (`XTA-Webservice-Globale-Elemente.xsd`, `OSCI2_02.xsd`), all but the container.

use std::io::Write;

use soap::message::NewBlock;
use xml::Writer;

use crate::Result;
use crate::client::Call;
use crate::model::{MetaData, Party};
use crate::server::backend::Selector;
use crate::v3::answer;
use crate::v3::metadata;
use crate::v3::names::{OSCI, Operation, WSA, XTA};

/// What a call is in this version.
pub(in crate::client) fn operation(call: &Call<'_>) -> Operation {
    match call {
        Call::CheckAccountActive => Operation::CheckAccountActive,
        Call::LookupService(_) => Operation::LookupService,
        Call::CreateMessageId => Operation::CreateMessageId,
        Call::TransportReport(_) => Operation::GetTransportReport,
        Call::Send(..) => Operation::SendMessage,
        Call::SendSync(..) | Call::Deliver(..) => Operation::SendMessageSync,
        Call::StatusList(..) => Operation::GetStatusList,
        Call::Message(_) => Operation::GetMessage,
        Call::Close(..) => Operation::Close,
    }
}

/// The header block: the envelope of the message, or who calls (`Author`; for message boxes the reader's own name).
pub(in crate::client) fn block(party: &Party, meta: Option<&MetaData>) -> Result<NewBlock> {
    answer::header_block(|writer| match meta {
        Some(meta) => metadata::write(writer, meta),
        None => metadata::write_party_alone(writer, "m:Author", party),
    })
}

/// Writes what stands in the body.
pub(in crate::client) fn write<W: Write>(writer: &mut Writer<W>, call: &Call<'_>) -> Result<()> {
    match call {
        Call::CheckAccountActive
        | Call::CreateMessageId
        | Call::Send(..)
        | Call::SendSync(..)
        | Call::Deliver(..) => Ok(()),
        Call::LookupService(asked) => lookup(writer, asked),
        Call::TransportReport(id) => answer::message_id(writer, id),
        Call::StatusList(selector, most) => {
            let most = most.to_string();
            let attributes = [
                ("xmlns:o", OSCI),
                ("xmlns:wsa", WSA),
                ("maxListItems", most.as_str()),
                ("ListForm", "MessageMetaData"),
            ];
            writer.start("o:MsgBoxStatusListRequest", &attributes)?;
            write_selector(writer, selector)?;
            Ok(writer.end()?)
        }
        Call::Message(id) => {
            writer.start("o:MsgBoxFetchRequest", &[("xmlns:o", OSCI), ("xmlns:wsa", WSA)])?;
            let message_ids = vec![(*id).to_owned()];
            write_selector(writer, &Selector { message_ids, ..Selector::default() })?;
            Ok(writer.end()?)
        }
        Call::Close(id, iterator) => {
            let attributes = [("xmlns:o", OSCI), ("MsgBoxRequestID", *iterator)];
            writer.start("o:MsgBoxCloseRequest", &attributes)?;
            writer.element("o:LastMsgReceived", id)?;
            Ok(writer.end()?)
        }
    }
}

/// `MsgSelector`; nothing if all are meant.
fn write_selector<W: Write>(writer: &mut Writer<W>, selector: &Selector) -> Result<()> {
    if *selector == Selector::default() {
        return Ok(());
    }
    let is_new = selector.is_new.map(|is_new| ("newEntry", if is_new { "true" } else { "false" }));
    writer.start("o:MsgSelector", is_new.as_slice())?;
    for (name, ids) in [("wsa:MessageID", &selector.message_ids), ("wsa:RelatesTo", &selector.relates_to)] {
        for id in ids {
            writer.element(name, id)?;
        }
    }
    for (name, moment) in [("o:MsgBoxEntryTimeFrom", &selector.from), ("o:MsgBoxEntryTimeTo", &selector.to)] {
        if let Some(moment) = moment {
            writer.element(name, &moment.to_string())?;
        }
    }
    Ok(writer.end()?)
}

/// `LookupServiceRequest`: each question is a list of its own.
fn lookup<W: Write>(writer: &mut Writer<W>, asked: &[(Party, String)]) -> Result<()> {
    writer.start("x:LookupServiceRequest", &[("xmlns:x", XTA)])?;
    for (reader, service) in asked {
        writer.start("x:LookupServiceRequestList", &[])?;
        writer.start("x:LookupService", &[])?;
        metadata::write_party_alone(writer, "m:Reader", reader)?;
        writer.element("x:ServiceType", service)?;
        writer.end()?;
        writer.end()?;
    }
    Ok(writer.end()?)
}
