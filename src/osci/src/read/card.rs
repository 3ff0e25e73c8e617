//! Reading process cards and inspection reports (OSCI-Transport 1.2, section 4.2.6, `order.xsd`).

use std::io::BufRead;

use xml::Reader;

use super::{message_id, plain_text};
use crate::card::{
    CertType, Inspection, MathResult, OfflineResult, OnlineResult, OnlineSource, ProcessCardBundle, TimeStamp,
};
use crate::element::{Children, Element, end, text};
use crate::names::OSCI;
use crate::{Error, Result};

/// Most inspections of one report.
const INSPECTIONS: usize = 1_000;

/// `osci:ProcessCardBundle` and its kin.
pub(super) fn bundle<R: BufRead>(reader: &mut Reader<R>, _: &Element) -> Result<ProcessCardBundle> {
    let mut children = Children::of(reader)?;
    let message_id = children.required(OSCI, "MessageId", message_id)?;
    let mut bundle = children.required(OSCI, "ProcessCard", card)?;
    bundle.message_id = message_id;
    bundle.inspections = children.required(OSCI, "InspectionReport", |reader, _| {
        let mut children = Children::of(reader)?;
        let inspections = children.many((OSCI, "Inspection"), INSPECTIONS, inspection)?;
        children.done()?;
        Ok(inspections)
    })?;
    children.done()?;
    Ok(bundle)
}

/// `osci:ProcessCard`, as a bundle without id and report.
fn card<R: BufRead>(reader: &mut Reader<R>, element: &Element) -> Result<ProcessCardBundle> {
    let recent_modification = element.required("RecentModification")?.parse()?;
    let mut children = Children::of(reader)?;
    let creation = children.optional(OSCI, "Creation", time_stamp)?;
    let forwarding = children.optional(OSCI, "Forwarding", time_stamp)?;
    let reception = children.optional(OSCI, "Reception", time_stamp)?;
    let subject = children.optional(OSCI, "Subject", plain_text)?;
    children.done()?;
    let (message_id, inspections) = (String::new(), Vec::new());
    Ok(ProcessCardBundle {
        message_id,
        recent_modification,
        creation,
        forwarding,
        reception,
        subject,
        inspections,
    })
}

fn time_stamp<R: BufRead>(reader: &mut Reader<R>, _: &Element) -> Result<TimeStamp> {
    let mut children = Children::of(reader)?;
    let plain = children.optional(OSCI, "Plain", |reader, _| Ok(text(reader)?.parse()?))?;
    let proven = children.optional(OSCI, "Cryptographic", |reader, element| {
        let algorithm = element.attribute("Algorithm").map(str::to_owned);
        Ok(TimeStamp::Cryptographic { algorithm, token: text(reader)? })
    })?;
    children.done()?;
    let stamp = plain.map(TimeStamp::Plain).or(proven);
    stamp.ok_or(Error::Malformed("a time stamp is neither plain nor cryptographic"))
}

fn inspection<R: BufRead>(reader: &mut Reader<R>, _: &Element) -> Result<Inspection> {
    let mut children = Children::of(reader)?;
    let inspection = Inspection {
        moment: children.required(OSCI, "Timestamp", time_stamp)?,
        subject: children.required(OSCI, "X509SubjectName", plain_text)?,
        issuer: children.required(OSCI, "X509IssuerName", plain_text)?,
        serial: children.required(OSCI, "X509SerialNumber", plain_text)?,
        kind: word(&mut children, "CertType", "Type", CertType::from_word)?,
        math: word(&mut children, "MathResult", "Result", MathResult::from_word)?,
        offline: word(&mut children, "OfflineResult", "Result", OfflineResult::from_word)?,
        online: children.optional(OSCI, "OnlineResult", online)?,
    };
    children.done()?;
    Ok(inspection)
}

/// An empty element that says one word in an attribute.
fn word<T, R: BufRead>(
    children: &mut Children<'_, R>,
    local: &str,
    attribute: &str,
    known: fn(&str) -> Option<T>,
) -> Result<T> {
    children.required(OSCI, local, |reader, element| {
        let value = known(element.required(attribute)?);
        end(reader)?;
        value.ok_or(Error::Malformed("an inspection has an unknown result"))
    })
}

fn online<R: BufRead>(reader: &mut Reader<R>, element: &Element) -> Result<OnlineResult> {
    let revoked = match element.required("Result")? {
        "ok" => false,
        "revoked" => true,
        _ => return Err(Error::Malformed("an inspection has an unknown result")),
    };
    let mut children = Children::of(reader)?;
    // Corrigendum 8 misspells it.
    let mut source = children.optional(OSCI, "OCSP", plain_text)?.map(OnlineSource::Ocsp);
    source = source.or(children.optional(OSCI, "OSCP", plain_text)?.map(OnlineSource::Ocsp));
    let list = children.optional(OSCI, "CRL", |reader, _| Ok(text(reader)?.parse()?))?;
    source = source.or(list.map(OnlineSource::Crl));
    source = source.or(children.optional(OSCI, "LDAP", plain_text)?.map(OnlineSource::Ldap));
    children.done()?;
    Ok(OnlineResult { revoked, source: source.unwrap_or(OnlineSource::None) })
}
