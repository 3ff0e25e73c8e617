//! Metadata of all kinds, for tests.

use proptest::option::of;
use proptest::prelude::*;

use crate::model::{DeliveryAttributes, Extension, Key, MetaData, Party, Scenario};
use crate::v3::names::{META, WSA};
use crate::v5::names::CORE;

/// A text without white space around it.
fn text() -> impl Strategy<Value = String> {
    "[a-z0-9&<>\"'äß:]([a-z &<>\"'äß:]{0,10}[a-z0-9&<>\"'äß:])?"
}

fn moment() -> impl Strategy<Value = xml::value::DateTime> {
    let parts =
        ((1..10_000_u16, 1..13_u8, 1..29_u8), (0..24_u8, 0..60_u8, "(\\.[0-9]{1,7})?(Z|[+-]0[0-9]:30)?"));
    parts.prop_map(|((year, month, day), (hour, minute, rest))| {
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:07{rest}").parse().unwrap()
    })
}

/// An element as it is kept: it declares what the metadata around it declare.
fn kept(name: &'static str, attribute: &'static str, inner: &'static str) -> impl Strategy<Value = String> {
    text().prop_map(move |text| {
        let mut escaped = String::new();
        xml::escape_text(&text, &mut escaped);
        let inner = inner.replace('%', &escaped);
        format!("<m:{name} xmlns:m=\"{META}\" xmlns:wsa=\"{WSA}\"{attribute}>{inner}</m:{name}>")
    })
}

fn token() -> impl Strategy<Value = String> {
    let inner = "<t:BinarySecurityToken xmlns:t=\"http://docs.oasis-open.org/wss/2004/01/\
        oasis-200401-wss-wssecurity-secext-1.0.xsd\">%</t:BinarySecurityToken>";
    kept("SecurityToken", " usage=\"ENCRYPTION\"", inner)
}

fn identifier() -> impl Strategy<Value = Party> {
    (text(), of(text()), of(text()), of(text())).prop_map(|(id, scheme, name, category)| Party {
        id,
        scheme,
        name,
        category,
        ..Party::default()
    })
}

fn party_of_v3() -> impl Strategy<Value = Party> {
    let tokens = proptest::collection::vec(token(), 0..3);
    (identifier(), tokens).prop_map(|(party, tokens)| Party { tokens, ..party })
}

fn party() -> impl Strategy<Value = Party> {
    let of_v5 = (of(code()), extensions(), proptest::collection::vec(certificate(), 0..2));
    (party_of_v3(), of_v5).prop_map(|(party, (directory, extensions, certificates))| Party {
        directory,
        extensions,
        certificates,
        ..party
    })
}

/// An element of version 5 as it is kept.
fn kept_v5(name: &'static str, inner: &'static str) -> impl Strategy<Value = String> {
    text().prop_map(move |text| {
        let mut escaped = String::new();
        xml::escape_text(&text, &mut escaped);
        format!("<c:{name} xmlns:c=\"{CORE}\">{}</c:{name}>", inner.replace('%', &escaped))
    })
}

fn certificate() -> impl Strategy<Value = String> {
    let inner = "<c:Usage listURI=\"urn:l\" listVersionID=\"1\"><code>e</code></c:Usage><c:Data>\
        <d:X509SubjectName xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\">%</d:X509SubjectName></c:Data>";
    kept_v5("Certificate", inner)
}

fn extensions() -> impl Strategy<Value = Vec<Extension>> {
    let data = kept_v5("Data", "<any xmlns=\"urn:any\" id=\"a\">%</any> tail");
    let one = (text(), text(), data).prop_map(|(identifier, version, data)| Extension {
        identifier,
        version,
        data,
    });
    proptest::collection::vec(one, 0..3)
}

/// A code as version 5 has them, without a name.
fn code() -> impl Strategy<Value = Key> {
    key().prop_map(|key| Key { name: None, ..key })
}

fn key() -> impl Strategy<Value = Key> {
    (text(), of(text()), text(), text()).prop_map(|(code, name, list, version)| Key {
        code,
        name,
        list,
        version,
    })
}

fn delivery() -> impl Strategy<Value = DeliveryAttributes> {
    let moments = proptest::collection::vec(of(moment()), 6);
    let receipts = kept("ReceiptRequests", "", "<m:Relay></m:Relay><m:Fetch>%</m:Fetch>");
    let day = of(Just("2026-02-28+01:00".parse().unwrap()));
    let quality = prop_oneof![text().prop_map(Ok), of(text()).prop_map(Err)];
    (moments, day, quality, of(receipts)).prop_map(|(mut moments, day, quality, receipts)| {
        let mut next = || moments.pop().flatten();
        DeliveryAttributes {
            origin: next(),
            initial_send: next(),
            not_before: next(),
            obsolete_after: day,
            delivery: next(),
            initial_fetch: next(),
            reception: next(),
            service_quality: quality.clone().ok(),
            no_quality: quality.err().flatten(),
            receipt_requests: receipts,
        }
    })
}

fn scenario() -> impl Strategy<Value = Option<Scenario>> {
    of(prop_oneof![key().prop_map(Scenario::Defined), text().prop_map(Scenario::Undefined)])
}

pub(crate) fn metadata() -> impl Strategy<Value = MetaData> {
    let others = proptest::collection::vec(identifier(), 1..3);
    let others = of((others, proptest::collection::vec(identifier(), 0..3)));
    let parties = (party(), of(party()), of(party_of_v3()), party(), others);
    let process = kept("ProcessRef", "", "<m:Responder>%</m:Responder>");
    let ids = (text(), proptest::collection::vec(text(), 0..3), of(process));
    let qualifier = (of("[ -~ä\n\t]{0,20}"), text(), scenario(), key(), text());
    let plain = text().prop_map(|code| Key { code, ..Key::default() });
    let properties = proptest::collection::vec((prop_oneof![key(), plain], "[ -~]{1,9}"), 0..3);
    let additional = proptest::collection::vec((text(), code()), 0..3);
    let rest = (any::<bool>(), properties, of(1..u64::MAX), additional, extensions());
    (delivery(), parties, ids, qualifier, rest).prop_map(|(delivery, parties, ids, qualifier, rest)| {
        let (other_readers, cc_readers) = parties.4.unwrap_or_default();
        let (is_test, properties, size, additional_ids, extensions) = rest;
        let (subject, service, scenario, message_type, payload_schema) = qualifier;
        let (message_id, in_reply_to, process_ref) = ids;
        let (author, sender, reply_to, reader) = (parties.0, parties.1, parties.2, parties.3);
        MetaData {
            is_test,
            delivery,
            author,
            sender,
            reply_to,
            reader,
            other_readers,
            cc_readers,
            message_id,
            in_reply_to,
            process_ref,
            subject,
            service,
            scenario,
            message_type,
            payload_schema,
            properties,
            additional_ids,
            extensions,
            size,
        }
    })
}
