//! Deliveries whose sender wants them to be taken in but never handed out: what he chose stands beside what we write.

use osci::client::{Client, NewOrder};
use osci::intermediary::Intermediary;
use seal::algorithm::Policy;

use super::forge::{MESSAGE_ID, NOW, before, certificates, codes as told, open_letter, store_order, swap};
use crate::bed::{certificate, intermediary};
use crate::memory::Memory;
use crate::people::{Person, all, codes, dialog, intermediary_certificate, order};

/// A StoreDelivery that nobody signed, with ids of the sender's choice.
fn unsigned() -> String {
    let alice = Person::of("alice");
    let client = Client { signer: None, ..alice.in_the_clear() };
    let content = open_letter(&[(&alice, "author")], &[("a.txt", "attached A")]);
    store_order(&client, certificates(&alice), &content)
}

fn at() -> Intermediary<Memory> {
    let memory = Memory::at(NOW);
    memory.put_id(MESSAGE_ID);
    intermediary(Policy::default(), memory)
}

/// Stores an order, and lets bob fetch it. Returns what he is told.
fn fetched(order_text: &str) -> Vec<String> {
    let at = at();
    let said = told(&all(&at.answer(order_text.as_bytes()).unwrap()));
    assert_eq!(said, ["0800"]);
    let (bob, certificate, signer) =
        (Person::of("bob"), intermediary_certificate(), certificate("intermed_signature"));
    let client = Client { answers_by: Some(&signer), ..bob.client(&certificate) };
    let talk = dialog(&at, &client);
    let fetched = order(&at, &client, Some(&talk), &NewOrder::Fetch(None)).unwrap();
    assert!(fetched.message.content.is_some());
    // The dialog goes on.
    assert!(order(&at, &client, fetched.dialog.as_ref(), &NewOrder::ExitDialog).is_ok());
    codes(&fetched)
}

#[test]
fn ids_of_a_delivery_that_are_ours_too_do_not_keep_it_from_its_recipient() {
    for id in [
        "controlblock",
        "suppliersignature",
        "responsetofetchdelivery",
        "intermediarycertificates",
        "intermed_signature",
        "body",
    ] {
        let order = unsigned().replace(" Id=\"", " Id=\"s_").replace("URI=\"#", "URI=\"#s_");
        let block = format!("<w:b xmlns:w=\"urn:w\" Id=\"{id}\"></w:b>");
        assert_eq!(fetched(&before(&order, "</soap:Header>", &block)), ["0801"], "{id} in the header");
        let inline = order.replace(" Id=\"s_content2\"", &format!(" Id=\"{id}\""));
        assert_ne!(inline, order);
        assert_eq!(fetched(&inline), ["0801"], "{id} in the content");
    }
}

#[test]
fn ids_that_avoid_ours_by_name_are_avoided_in_turn() {
    let order = unsigned().replace(" Id=\"", " Id=\"s_").replace("URI=\"#", "URI=\"#s_");
    let mut blocks = String::new();
    for id in ["body", "body_1", "body_2", "controlblock_3", "intermed_signature_4"] {
        blocks.push_str(&format!("<w:b xmlns:w=\"urn:w\" Id=\"{id}\"></w:b>"));
    }
    assert_eq!(fetched(&before(&order, "</soap:Header>", &blocks)), ["0801"]);
}

#[test]
fn a_sender_whose_envelope_has_no_prefix_for_soap_is_handed_on() {
    let order = unsigned();
    let actor = |uri: &str| format!(" soap:actor=\"{uri}\" soap:mustUnderstand=\"1\"");
    let order = order
        .replace(&actor(osci::names::ACTOR_NEXT), "")
        .replace(&actor(osci::names::ACTOR_NONE), "")
        .replace("<soap:", "<")
        .replace("</soap:", "</")
        .replace("xmlns:soap=", "xmlns=");
    assert_eq!(fetched(&order), ["0801"]);
}

#[test]
fn a_sender_who_gives_our_prefixes_another_meaning_is_handed_on() {
    for prefix in ["xsi", "ds", "xenc"] {
        let order = unsigned();
        let body = order.find("<soap:Body").unwrap();
        let (head, tail) = order.split_at(body);
        let end = tail.find('>').unwrap();
        let (start, rest) = tail.split_at(end);
        let old = start.split(&format!("xmlns:{prefix}=\"")).nth(1).unwrap().split('"').next().unwrap();
        let start = swap(start, old, "urn:other");
        assert_eq!(fetched(&format!("{head}{start}{rest}")), ["0801"], "{prefix}");
    }
}
