//! Metadata written and read again, and broken ones.

use proptest::option::of;
use proptest::prelude::*;

use super::*;
use crate::v3::answer;

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
        tokens: Vec::new(),
    })
}

fn party() -> impl Strategy<Value = Party> {
    let tokens = proptest::collection::vec(token(), 0..3);
    (identifier(), tokens).prop_map(|(party, tokens)| Party { tokens, ..party })
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
    (moments, day, of(text()), of(receipts)).prop_map(|(mut moments, day, quality, receipts)| {
        let mut next = || moments.pop().flatten();
        DeliveryAttributes {
            origin: next(),
            initial_send: next(),
            not_before: next(),
            obsolete_after: day,
            delivery: next(),
            initial_fetch: next(),
            reception: next(),
            service_quality: quality,
            receipt_requests: receipts,
        }
    })
}

fn scenario() -> impl Strategy<Value = Option<Scenario>> {
    of(prop_oneof![key().prop_map(Scenario::Defined), text().prop_map(Scenario::Undefined)])
}

fn metadata() -> impl Strategy<Value = MetaData> {
    let others = proptest::collection::vec(identifier(), 1..3);
    let others = of((others, proptest::collection::vec(identifier(), 0..3)));
    let parties = (party(), of(party()), of(party()), party(), others);
    let process = kept("ProcessRef", "", "<m:Responder>%</m:Responder>");
    let ids = (text(), proptest::collection::vec(text(), 0..3), of(process));
    let qualifier = (of("[ -~ä\n\t]{0,20}"), text(), scenario(), key(), text());
    let properties = proptest::collection::vec((key(), "[ -~]{1,9}"), 0..3);
    let rest = (any::<bool>(), properties, of(1..u64::MAX));
    (delivery(), parties, ids, qualifier, rest).prop_map(|(delivery, parties, ids, qualifier, rest)| {
        let (other_readers, cc_readers) = parties.4.unwrap_or_default();
        let (is_test, properties, size) = rest;
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
            size,
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again_without_loss(meta in metadata()) {
        let block = answer::meta_block(&meta).unwrap();
        let mut reader = Reader::new(block.as_bytes(), xml::Limits::default());
        reader.next().unwrap();
        prop_assert_eq!(read(&mut reader, Rules::Lenient).unwrap(), meta);
    }

    #[test]
    fn metadata_that_are_cut_or_changed_anywhere_are_no_reason_to_panic(
        meta in metadata(), at in any::<prop::sample::Index>(), with in "[<>a-z/\"]{0,3}",
    ) {
        let block = answer::meta_block(&meta).unwrap();
        let at = (0..=at.index(block.len())).rev().find(|at| block.is_char_boundary(*at)).unwrap();
        for changed in [block[..at].to_owned(), format!("{}{with}{}", &block[..at], &block[at..])] {
            let mut reader = Reader::new(changed.as_bytes(), xml::Limits::default());
            if reader.next().is_ok() && reader.depth() == 1 {
                let _ = read(&mut reader, Rules::Strict);
            }
        }
    }
}
