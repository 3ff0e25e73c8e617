//! Writing what is ordered (OSCI-Transport 1.2, section 4; supplement of 2017).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Xml, card};
use crate::message::{Body, Chunk, Role, SelectionRule, Since};

/// Puts what the order's element holds.
pub(super) fn body(xml: &mut Xml, body: &Body) {
    match body {
        Body::Plain | Body::Answer(_) => {}
        Body::Store { message_id, subject } => id_and_subject(xml, message_id.as_deref(), subject.as_deref()),
        Body::Forward { receiver, message_id, subject } | Body::Mediate { receiver, message_id, subject } => {
            xml.empty("osci:ContentReceiver", &[("URI", receiver)]);
            id_and_subject(xml, message_id.as_deref(), subject.as_deref());
        }
        Body::FetchDelivery(rule) => selection(xml, rule.as_ref()),
        Body::FetchProcessCard { rule, limit } => cards_selection(xml, rule.as_ref(), *limit),
        Body::Accept(card) => card::bundle(xml, "ProcessCardBundle", card),
        Body::Process { answer_id, card } => {
            if let Some(id) = answer_id {
                xml.element("osci:MessageIdResponse", &STANDARD.encode(id));
            }
            if let Some(card) = card {
                card::bundle(xml, "ProcessCardBundle", card);
            }
        }
        Body::PartialStore { message_id, subject, chunk } => {
            id_and_subject(xml, message_id.as_deref(), subject.as_deref());
            match chunk {
                Some(chunk) => chunk_information(xml, chunk),
                None => xml.empty("osci2017:InfoOnly", &[]),
            }
        }
        Body::PartialFetch { rule, chunk } => {
            selection(xml, rule.as_ref());
            chunk_information(xml, chunk);
        }
    }
}

pub(super) fn id_and_subject(xml: &mut Xml, message_id: Option<&str>, subject: Option<&str>) {
    if let Some(id) = message_id {
        xml.element("osci:MessageId", &STANDARD.encode(id));
    }
    if let Some(subject) = subject {
        xml.element("osci:Subject", subject);
    }
}

/// What `osci:fetchDelivery` holds.
pub(super) fn selection(xml: &mut Xml, rule: Option<&SelectionRule>) {
    let Some(rule) = rule else { return };
    xml.open("osci:SelectionRule", &[]);
    match rule {
        SelectionRule::MessageIds(ids) => {
            for id in ids {
                xml.element("osci:MessageId", &STANDARD.encode(id));
            }
        }
        SelectionRule::ReceptionOfDelivery(since) => moment(xml, "osci:ReceptionOfDelivery", since),
        SelectionRule::RecentModification(since) => moment(xml, "osci:RecentModification", since),
    }
    xml.close("osci:SelectionRule");
}

fn moment(xml: &mut Xml, name: &str, since: &Since) {
    let mut attributes = Vec::new();
    if since.no_reception {
        attributes.push(("NoReception", "true"));
    }
    match since.role {
        Some(Role::Addressee) => attributes.push(("Role", "Addressee")),
        Some(Role::Originator) => attributes.push(("Role", "Originator")),
        None => {}
    }
    xml.open(name, &attributes);
    xml.put(&since.moment.to_string());
    xml.close(name);
}

/// What `osci:fetchProcessCard` holds.
pub(super) fn cards_selection(xml: &mut Xml, rule: Option<&SelectionRule>, limit: Option<u32>) {
    selection(xml, rule);
    if let Some(limit) = limit {
        xml.empty("osci:Quantity", &[("Limit", &limit.to_string())]);
    }
}

/// `osci2017:ChunkInformation`.
pub(super) fn chunk_information(xml: &mut Xml, chunk: &Chunk) {
    let list = |received: &Vec<u32>| match received.is_empty() {
        true => "-1".to_owned(),
        false => received.iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
    };
    let written = [
        ("ChunkNumber", chunk.number.map(|number| number.to_string())),
        ("ChunkSize", chunk.size.map(|size| size.to_string())),
        ("ReceivedChunks", chunk.received.as_ref().map(list)),
        ("TotalChunkNumbers", chunk.total_chunks.map(|number| number.to_string())),
        ("TotalMessageSize", chunk.total_size.map(|size| size.to_string())),
    ];
    let attributes: Vec<(&str, &str)> =
        written.iter().filter_map(|(name, value)| value.as_deref().map(|value| (*name, value))).collect();
    xml.empty("osci2017:ChunkInformation", &attributes);
}
