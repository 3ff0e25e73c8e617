//! Writes the bodies of requests of version 3 (`XTA-Webservice-Globale-Elemente.xsd`, `OSCI2_02.xsd`), all but the container.

use std::io::Write;

use xml::Writer;

use crate::Result;
use crate::client::Call;
use crate::model::Party;
use crate::v3::answer;
use crate::v3::metadata;
use crate::v3::names::{OSCI, WSA, XTA};

/// `Author`, a header block: for message boxes the reader's own name.
pub(in crate::client) fn author<W: Write>(writer: &mut Writer<W>, party: &Party) -> Result<()> {
    metadata::write_party_alone(writer, "m:Author", party)
}

/// Writes what stands in the body.
pub(in crate::client) fn write<W: Write>(writer: &mut Writer<W>, call: &Call<'_>) -> Result<()> {
    match call {
        Call::CheckAccountActive | Call::CreateMessageId | Call::Send(..) | Call::SendSync(..) => Ok(()),
        Call::LookupService(asked) => lookup(writer, asked),
        Call::TransportReport(id) => answer::message_id(writer, id),
        Call::StatusList(most) => {
            let most = most.to_string();
            let attributes =
                [("xmlns:o", OSCI), ("maxListItems", most.as_str()), ("ListForm", "MessageMetaData")];
            writer.start("o:MsgBoxStatusListRequest", &attributes)?;
            Ok(writer.end()?)
        }
        Call::Message(id) => {
            writer.start("o:MsgBoxFetchRequest", &[("xmlns:o", OSCI), ("xmlns:wsa", WSA)])?;
            writer.start("o:MsgSelector", &[])?;
            writer.element("wsa:MessageID", id)?;
            writer.end()?;
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
