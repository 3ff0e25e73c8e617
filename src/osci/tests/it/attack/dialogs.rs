//! Attacks on dialogs and mailboxes: orders sent again, dialogs taken over, deliveries of others.

use osci::client::{Client, Dialog, NewOrder};
use osci::code::Code;
use osci::intermediary::Intermediary;
use osci::message::{Body, SelectionRule, Since};
use osci::{Error, Result};
use seal::algorithm::Policy;

use super::forge::{NOW, codes as told, genuine, strict};
use crate::bed::intermediary;
use crate::memory::Memory;
use crate::people::{
    Person, addressed_to, all, codes, deliver, dialog, intermediary_certificate, letter, message_id, order,
    store,
};

fn at() -> Intermediary<Memory> {
    intermediary(Policy::default(), Memory::at(NOW))
}

fn is_refused(answer: &Result<osci::client::Answered>) -> bool {
    matches!(answer, Err(Error::Refused(Code::DIALOG)))
}

#[test]
fn a_delivery_that_is_sent_again_is_not_stored_again() {
    let at = strict();
    let order = genuine();
    let said: Vec<_> = (0..3).map(|_| told(&all(&at.answer(order.as_bytes()).unwrap())).join(" ")).collect();
    assert_eq!(said, ["0800", "9801", "9801"]);
    assert_eq!(at.backend().deliveries(), 1);
}

#[test]
fn an_encrypted_delivery_that_is_sent_again_is_not_stored_again() {
    let (at, alice, certificate) = (at(), Person::of("alice"), intermediary_certificate());
    let client = alice.client(&certificate);
    let id = message_id(&at, &client);
    let certificates = addressed_to("bob");
    let content = letter(&alice, &certificates, "x");
    let new = NewOrder::Store { message_id: id, subject: None };
    let ordered = client.order(None, &new, certificates, Some(&content)).unwrap();
    for expected in ["0800", "9801"] {
        let answer = all(&at.answer(&all(&ordered.package)[..]).unwrap());
        assert_eq!(codes(&client.answer(&ordered, &answer[..]).unwrap()), [expected]);
    }
    assert_eq!(at.backend().deliveries(), 1);
}

#[test]
fn one_id_for_two_deliveries_at_once_is_used_once() {
    let (at, alice, certificate) = (at(), Person::of("alice"), intermediary_certificate());
    let id = message_id(&at, &alice.client(&certificate));
    let said: Vec<String> = std::thread::scope(|scope| {
        let deliver = || {
            let (alice, certificate) = (Person::of("alice"), intermediary_certificate());
            let certificates = addressed_to("bob");
            let content = letter(&alice, &certificates, "x");
            let new = NewOrder::Store { message_id: id.clone(), subject: None };
            let answered =
                deliver(&at, &alice.client(&certificate), None, &new, certificates, Some(&content));
            codes(&answered.unwrap()).join(" ")
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(deliver)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(said.iter().filter(|it| *it == "0800").count(), 1, "{said:?}");
    assert_eq!(at.backend().deliveries(), 1);
}

#[test]
fn every_order_of_a_dialog_is_refused_when_it_is_sent_again() {
    let (at, bob, certificate) = (at(), Person::of("bob"), intermediary_certificate());
    let client = bob.client(&certificate);
    let mut talk = dialog(&at, &client);
    let mut sent = Vec::new();
    for _ in 0..3 {
        let ordered = client.order(Some(&talk), &NewOrder::GetMessageId, Default::default(), None).unwrap();
        let package = all(&ordered.package);
        let answered = client.answer(&ordered, &all(&at.answer(&package[..]).unwrap())[..]).unwrap();
        talk = answered.dialog.unwrap();
        sent.push(package);
        for package in &sent {
            assert_eq!(told(&all(&at.answer(&package[..]).unwrap())), ["9400"]);
        }
    }
    // None of it has moved the dialog.
    let exit = client.order(Some(&talk), &NewOrder::ExitDialog, Default::default(), None).unwrap();
    let exit = all(&exit.package);
    assert!(told(&all(&at.answer(&exit[..]).unwrap())).is_empty(), "answered encrypted");
    for package in sent.iter().chain([&exit]) {
        assert_eq!(told(&all(&at.answer(&package[..]).unwrap())), ["9400"]);
    }
}

#[test]
fn an_old_challenge_with_a_new_number_is_refused_and_so_is_a_new_one_with_an_old() {
    let (at, bob, certificate) = (at(), Person::of("bob"), intermediary_certificate());
    let client = bob.client(&certificate);
    let first = dialog(&at, &client);
    let answered = order(&at, &client, Some(&first), &NewOrder::GetMessageId).unwrap();
    let now = answered.dialog.unwrap();
    let other = dialog(&at, &client);
    for wrong in [
        Dialog { next: now.next, ..first.clone() },
        Dialog { next: first.next, ..now.clone() },
        Dialog { next: now.next + 1, ..now.clone() },
        Dialog { next: u32::MAX, ..now.clone() },
        Dialog { challenge: other.challenge.clone(), ..now.clone() },
        Dialog { conversation: other.conversation.clone(), ..now.clone() },
        Dialog { challenge: String::new(), ..now.clone() },
    ] {
        assert!(is_refused(&order(&at, &client, Some(&wrong), &NewOrder::GetMessageId)), "{wrong:?}");
    }
    assert!(order(&at, &client, Some(&now), &NewOrder::GetMessageId).is_ok());
}

#[test]
fn an_opening_that_is_sent_again_opens_another_dialog_and_not_the_first() {
    let (at, bob, certificate) = (at(), Person::of("bob"), intermediary_certificate());
    let client = bob.client(&certificate);
    let ordered = client.order(None, &NewOrder::InitDialog, Default::default(), None).unwrap();
    let package = all(&ordered.package);
    let open =
        || client.answer(&ordered, &all(&at.answer(&package[..]).unwrap())[..]).unwrap().dialog.unwrap();
    let (first, second) = (open(), open());
    assert_ne!((&first.conversation, &first.challenge), (&second.conversation, &second.challenge));
    for talk in [&first, &second] {
        assert!(order(&at, &client, Some(talk), &NewOrder::GetMessageId).is_ok());
    }
}

#[test]
fn a_dialog_is_not_taken_over_unsigned_or_by_another_certificate_even_with_its_challenge() {
    let (at, bob, carol) = (at(), Person::of("bob"), Person::of("carol"));
    let certificate = intermediary_certificate();
    let talk = dialog(&at, &bob.client(&certificate));
    let unsigned = Client { signer: None, ..bob.client(&certificate) };
    let as_bob = Client { signer: carol.client(&certificate).signer, ..bob.client(&certificate) };
    for thief in [unsigned, as_bob, carol.client(&certificate), carol.in_the_clear()] {
        for new in [NewOrder::Fetch(None), NewOrder::ExitDialog, NewOrder::GetMessageId] {
            assert!(is_refused(&order(&at, &thief, Some(&talk), &new)));
        }
    }
    assert!(order(&at, &bob.client(&certificate), Some(&talk), &NewOrder::Fetch(None)).is_ok());
}

#[test]
fn who_opens_a_dialog_for_the_mailbox_of_another_cannot_read_how_it_goes_on() {
    let (at, certificate) = (at(), intermediary_certificate());
    store(&at, &Person::of("alice"), "bob", "x");
    let (bob, carol) = (Person::of("bob"), Person::of("carol"));
    // Carol signs, and claims bob's cipher certificate, whose key she does not have.
    let thief = Client { cipher: &bob.cipher, ..carol.client(&certificate) };
    let ordered = thief.order(None, &NewOrder::InitDialog, Default::default(), None).unwrap();
    let answer = all(&at.answer(&all(&ordered.package)[..]).unwrap());
    let own = carol.client(&certificate);
    assert!(own.answer(&ordered, &answer[..]).is_err(), "encrypted for bob");
    assert!(told(&answer).is_empty());
    for conversation in ["1", "0", "999999999"] {
        let guessed = Dialog { conversation: conversation.to_owned(), next: 0, challenge: "AAAA".to_owned() };
        assert!(is_refused(&order(&at, &thief, Some(&guessed), &NewOrder::Fetch(None))));
    }
}

#[test]
fn no_selection_shows_deliveries_or_cards_of_others() {
    let (at, certificate) = (at(), intermediary_certificate());
    let id = store(&at, &Person::of("alice"), "bob", "x");
    let since = || Since { moment: "2000-01-01T00:00:00Z".parse().unwrap(), no_reception: false, role: None };
    let rules = [
        None,
        Some(SelectionRule::MessageIds(vec![id.clone()])),
        Some(SelectionRule::MessageIds(vec![id, "x".to_owned()])),
        Some(SelectionRule::ReceptionOfDelivery(since())),
        Some(SelectionRule::RecentModification(since())),
    ];
    for name in ["carol", "dave"] {
        let other = Person::of(name);
        let client = other.client(&certificate);
        let mut talk = dialog(&at, &client);
        for rule in &rules {
            let fetched = order(&at, &client, Some(&talk), &NewOrder::Fetch(rule.clone())).unwrap();
            assert_eq!(codes(&fetched), ["9803"], "{name} {rule:?}");
            assert!(fetched.message.content.is_none() && fetched.package.attachments.is_empty());
            let cards = NewOrder::Cards { rule: rule.clone(), limit: None };
            let cards = order(&at, &client, fetched.dialog.as_ref(), &cards).unwrap();
            assert_eq!(codes(&cards), ["9804"], "{name} {rule:?}");
            let Body::Answer(answer) = &cards.message.body else { panic!("an answer") };
            assert!(answer.cards.is_empty());
            talk = cards.dialog.unwrap();
        }
    }
}

#[test]
fn an_order_of_a_dialog_is_refused_without_one() {
    let (at, bob, certificate) = (at(), Person::of("bob"), intermediary_certificate());
    let client = bob.client(&certificate);
    let unknown = Dialog { conversation: "42".to_owned(), next: 0, challenge: "AAAA".to_owned() };
    for new in [NewOrder::Fetch(None), NewOrder::ExitDialog, NewOrder::Cards { rule: None, limit: None }] {
        assert!(is_refused(&order(&at, &client, Some(&unknown), &new)));
    }
}
