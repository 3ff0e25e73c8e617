//! Writing process cards and inspection reports (OSCI-Transport 1.2, section 4.2.6, `order.xsd`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Xml;
use crate::card::{Inspection, OnlineResult, OnlineSource, ProcessCardBundle, TimeStamp};

/// Puts `osci:ProcessCardBundle`, or its kin of another name.
pub(super) fn bundle(xml: &mut Xml, local: &str, card: &ProcessCardBundle) {
    let name = format!("osci:{local}");
    xml.open(&name, &[]);
    xml.element("osci:MessageId", &STANDARD.encode(&card.message_id));
    xml.open("osci:ProcessCard", &[("RecentModification", &card.recent_modification.to_string())]);
    let moments =
        [("Creation", &card.creation), ("Forwarding", &card.forwarding), ("Reception", &card.reception)];
    for (local, moment) in moments {
        moment.iter().for_each(|stamp| time_stamp(xml, local, stamp));
    }
    if let Some(subject) = &card.subject {
        xml.element("osci:Subject", subject);
    }
    xml.close("osci:ProcessCard");
    xml.open("osci:InspectionReport", &[]);
    card.inspections.iter().for_each(|one| inspection(xml, one));
    xml.close("osci:InspectionReport");
    xml.close(&name);
}

fn time_stamp(xml: &mut Xml, local: &str, stamp: &TimeStamp) {
    let name = format!("osci:{local}");
    xml.open(&name, &[]);
    match stamp {
        TimeStamp::Plain(moment) => xml.element("osci:Plain", &moment.to_string()),
        TimeStamp::Cryptographic { algorithm, token } => {
            let attributes: Vec<(&str, &str)> =
                algorithm.iter().map(|uri| ("Algorithm", uri.as_str())).collect();
            xml.open("osci:Cryptographic", &attributes);
            xml.put(token);
            xml.close("osci:Cryptographic");
        }
    }
    xml.close(&name);
}

fn inspection(xml: &mut Xml, one: &Inspection) {
    xml.open("osci:Inspection", &[]);
    time_stamp(xml, "Timestamp", &one.moment);
    xml.element("osci:X509SubjectName", &one.subject);
    xml.element("osci:X509IssuerName", &one.issuer);
    xml.element("osci:X509SerialNumber", &one.serial);
    xml.empty("osci:CertType", &[("Type", one.kind.word())]);
    xml.empty("osci:MathResult", &[("Result", one.math.word())]);
    xml.empty("osci:OfflineResult", &[("Result", one.offline.word())]);
    one.online.iter().for_each(|result| online(xml, result));
    xml.close("osci:Inspection");
}

fn online(xml: &mut Xml, result: &OnlineResult) {
    xml.open("osci:OnlineResult", &[("Result", if result.revoked { "revoked" } else { "ok" })]);
    match &result.source {
        OnlineSource::Ocsp(response) => xml.element("osci:OCSP", response),
        OnlineSource::Crl(moment) => xml.element("osci:CRL", &moment.to_string()),
        OnlineSource::Ldap(answer) => xml.element("osci:LDAP", answer),
        OnlineSource::None => {}
    }
    xml.close("osci:OnlineResult");
}
