//! What happens to a delivery between its sender, the intermediary and its recipient.

use osci::card::OnlineSource;
use osci::client::NewOrder;
use osci::code::Code;
use osci::content::{Part, Reader};
use osci::intermediary::{Inspector, Intermediary, Settings};
use osci::message::{Answer, Body, Features, SelectionRule};
use proptest::prelude::*;
use seal::algorithm::Policy;
use seal::x509::{Certificate, Inspection, OnlineResult};

use crate::bed::{intermediary, read, settings, trust};
use crate::memory::Memory;
use crate::people::{
    Person, addressed_to, all, codes, deliver, dialog, intermediary_certificate, letter, message_id, order,
    store,
};

/// Within the validity of the corpus' certificates and of its revocation list.
const NOW: i64 = 1_795_404_300;

fn answer(answered: &osci::client::Answered) -> &Answer {
    let Body::Answer(answer) = &answered.message.body else { panic!("an answer") };
    answer
}

fn by_id(id: &str) -> Option<SelectionRule> {
    Some(SelectionRule::MessageIds(vec![id.to_owned()]))
}

#[test]
fn a_delivery_is_stored_fetched_read_and_seen_to_arrive_with_the_next_order() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (alice, bob) = (Person::of("alice"), Person::of("bob"));
    let certificate = intermediary_certificate();
    let id = store(&at, &alice, "bob", "Grüße aus Soest");
    let client = bob.client(&certificate);
    let mut talk = dialog(&at, &client);

    let fetched = order(&at, &client, Some(&talk), &NewOrder::Fetch(None)).unwrap();
    assert_eq!(codes(&fetched), ["0801"]);
    assert_eq!(answer(&fetched).cards[0].message_id, id);
    assert_eq!(answer(&fetched).cards[0].subject.as_deref(), Some("Betreff <1> äöü"));
    assert!(answer(&fetched).cards[0].reception.is_none());
    assert_eq!(at.backend().reception_of(&id), None, "nobody knows yet whether it has arrived");

    let (policy, limits) = (Policy::default(), Default::default());
    let keys = [crate::bed::identity("bob_cipher")];
    let reader = Reader {
        package: &fetched.package,
        message: &fetched.message,
        keys: &keys,
        policy: &policy,
        limits: &limits,
    };
    let parts = reader.read().unwrap();
    let [Part::Opened(inner)] = parts.as_slice() else { panic!("{parts:?}") };
    let [Part::Container(container)] = inner.as_slice() else { panic!("{inner:?}") };
    assert_eq!(container.authors, [alice.signer.certificate().clone()]);
    let [Part::Inline { bytes, .. }, Part::Attachment(attached)] = container.parts.as_slice() else {
        panic!()
    };
    assert_eq!(all(bytes), "Grüße aus Soest".as_bytes());
    assert_eq!(all(&reader.open_attachment(attached).unwrap()), [1, 2, 3]);

    talk = fetched.dialog.unwrap();
    let closed = order(&at, &client, Some(&talk), &NewOrder::ExitDialog).unwrap();
    assert_eq!(codes(&closed), ["0800"]);
    assert!(closed.dialog.is_none());
    assert_eq!(at.backend().reception_of(&id), Some(NOW), "the next order of the dialog proves it");
}

#[test]
fn process_cards_are_for_sender_and_recipient_only() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let certificate = intermediary_certificate();
    let id = store(&at, &Person::of("alice"), "bob", "x");
    for (name, expected) in [("alice", "0801"), ("bob", "0801"), ("carol", "9804")] {
        let person = Person::of(name);
        let client = person.client(&certificate);
        let talk = dialog(&at, &client);
        let cards =
            order(&at, &client, Some(&talk), &NewOrder::Cards { rule: by_id(&id), limit: None }).unwrap();
        assert_eq!(codes(&cards), [expected], "{name}");
    }
}

#[test]
fn others_cannot_fetch_a_delivery_even_if_they_know_its_id() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let certificate = intermediary_certificate();
    let id = store(&at, &Person::of("alice"), "bob", "x");
    let carol = Person::of("carol");
    let client = carol.client(&certificate);
    let talk = dialog(&at, &client);
    let fetched = order(&at, &client, Some(&talk), &NewOrder::Fetch(by_id(&id))).unwrap();
    assert_eq!(codes(&fetched), ["9803"]);
    assert!(fetched.message.content.is_none());
}

/// Somebody who has asked a responder.
struct Asked(seal::x509::Trust);

impl Inspector for Asked {
    fn inspect(&self, certificate: &Certificate, at: i64) -> seal::Result<Inspection> {
        Ok(self.0.inspect(certificate, at)?.with_online(OnlineResult::Ok, b"its answer"))
    }
}

#[test]
fn the_answer_of_a_responder_stands_in_the_inspection_report() {
    let settings = Settings { inspector: Box::new(Asked(trust())), ..settings(Policy::default()) };
    let at = Intermediary::new(settings, Memory::at(NOW));
    let alice = Person::of("alice");
    let id = store(&at, &alice, "bob", "x");
    let certificate = intermediary_certificate();
    let client = alice.client(&certificate);
    let talk = dialog(&at, &client);
    let cards = order(&at, &client, Some(&talk), &NewOrder::Cards { rule: by_id(&id), limit: None }).unwrap();
    let inspections = &answer(&cards).cards[0].inspections;
    assert!(!inspections.is_empty());
    for inspection in inspections {
        let source = &inspection.online.as_ref().unwrap().source;
        assert_eq!(*source, OnlineSource::Ocsp("aXRzIGFuc3dlcg==".to_owned()));
    }
}

#[test]
fn a_message_id_is_used_once() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let alice = Person::of("alice");
    let id = store(&at, &alice, "bob", "x");
    let certificate = intermediary_certificate();
    let certificates = addressed_to("bob");
    let content = letter(&alice, &certificates, "y");
    let again = NewOrder::Store { message_id: id, subject: None };
    let answered =
        deliver(&at, &alice.client(&certificate), None, &again, certificates, Some(&content)).unwrap();
    assert_eq!(codes(&answered), ["9801"]);
}

#[test]
fn an_order_that_is_sent_again_within_a_dialog_is_refused() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let bob = Person::of("bob");
    let certificate = intermediary_certificate();
    let client = bob.client(&certificate);
    let talk = dialog(&at, &client);
    let ordered = client.order(Some(&talk), &NewOrder::GetMessageId, Default::default(), None).unwrap();
    let package = all(&ordered.package);
    assert!(client.answer(&ordered, &all(&at.answer(&package[..]).unwrap())[..]).is_ok());
    let again = client.answer(&ordered, &all(&at.answer(&package[..]).unwrap())[..]);
    assert!(matches!(again, Err(osci::Error::Refused(Code::DIALOG))), "{again:?}");
}

#[test]
fn a_dialog_cannot_be_taken_over_by_another_signer() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (bob, mallory) = (Person::of("bob"), Person::of("carol"));
    let certificate = intermediary_certificate();
    let talk = dialog(&at, &bob.client(&certificate));
    let taken = order(&at, &mallory.client(&certificate), Some(&talk), &NewOrder::Fetch(None));
    assert!(matches!(taken, Err(osci::Error::Refused(Code::DIALOG))), "{taken:?}");
}

#[test]
fn the_answers_of_another_order_are_not_taken() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let alice = Person::of("alice");
    let certificate = intermediary_certificate();
    let client = alice.client(&certificate);
    let make = || client.order(None, &NewOrder::GetMessageId, Default::default(), None).unwrap();
    let (first, second) = (make(), make());
    let answer = all(&at.answer(&all(&second.package)[..]).unwrap());
    assert!(matches!(client.answer(&first, &answer[..]), Err(osci::Error::Refused(Code::DIALOG))));
    assert!(client.answer(&second, &answer[..]).is_ok());
}

#[test]
fn who_must_sign_and_does_not_is_told_so_and_nothing_happens() {
    let mut settings = crate::bed::settings(Policy::default());
    settings.must_be_signed = true;
    let at = osci::intermediary::Intermediary::new(settings, Memory::at(NOW));
    let alice = Person::of("alice");
    let certificate = intermediary_certificate();
    let client = osci::client::Client { signer: None, ..alice.client(&certificate) };
    let answered = order(&at, &client, None, &NewOrder::GetMessageId).unwrap();
    assert_eq!(codes(&answered), ["9600"]);
    assert!(answer(&answered).message_id.is_none());
}

#[test]
fn orders_in_the_clear_are_answered_in_the_clear_and_signed() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let alice = Person::of("alice");
    let signer = crate::bed::certificate("intermed_signature");
    let client = osci::client::Client { answers_by: Some(&signer), ..alice.in_the_clear() };
    let answered = order(&at, &client, None, &NewOrder::GetMessageId).unwrap();
    assert_eq!(codes(&answered), ["0800"]);
}

/// Somebody who knows bob's certificate, as everybody does, but has none of his keys, and leads a dialog in the clear.
fn as_bob_in_the_clear(at: &osci::intermediary::Intermediary<Memory>) -> osci::Result<Vec<String>> {
    let bob = Person::of("bob");
    let client = osci::client::Client { signer: None, ..bob.in_the_clear() };
    let opened = order(at, &client, None, &NewOrder::InitDialog)?;
    order(at, &client, opened.dialog.as_ref(), &NewOrder::Fetch(None)).map(|fetched| codes(&fetched))
}

#[test]
fn mailboxes_are_closed_to_the_clear_if_orders_must_be_encrypted() {
    let mut settings = crate::bed::settings(Policy::default());
    settings.must_be_encrypted = true;
    let at = osci::intermediary::Intermediary::new(settings, Memory::at(NOW));
    store(&at, &Person::of("alice"), "bob", "x");
    let fetched = as_bob_in_the_clear(&at);
    assert!(matches!(fetched, Err(osci::Error::Refused(Code::NO_ORDER))), "{fetched:?}");
}

#[test]
fn a_dialog_that_began_encrypted_does_not_go_on_in_the_clear() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let bob = Person::of("bob");
    let certificate = intermediary_certificate();
    let talk = dialog(&at, &bob.client(&certificate));
    let fetched = order(&at, &bob.in_the_clear(), Some(&talk), &NewOrder::Fetch(None));
    assert!(matches!(fetched, Err(osci::Error::Refused(Code::DIALOG))), "{fetched:?}");
}

#[test]
fn an_order_that_is_not_believed_is_not_told_the_challenge_of_the_dialog() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let bob = Person::of("bob");
    let certificate = intermediary_certificate();
    let talk = dialog(&at, &bob.client(&certificate));
    let ordered =
        bob.in_the_clear().order(Some(&talk), &NewOrder::GetMessageId, Default::default(), None).unwrap();
    let text = String::from_utf8(all(&ordered.package)).unwrap();
    let changed = text.replace("LanguagesList=\"de en\"", "LanguagesList=\"de\"");
    assert_ne!(text, changed);
    let answer = String::from_utf8(all(&at.answer(changed.as_bytes()).unwrap())).unwrap();
    assert!(answer.contains("<osci:Code>9601</osci:Code>"), "{answer}");
    assert!(!answer.contains(&talk.challenge));
}

#[test]
fn abilities_are_told_to_who_tells_his_own_if_there_are_any() {
    let asked = read("messages/unencrypted/01q-GetMessageId.osci");
    assert!(String::from_utf8_lossy(&asked).contains("<osci2017:FeatureDescription"));
    for supported in [vec![], vec![("GCMPaddingModus".to_owned(), "1.7.0".to_owned())]] {
        let (told, features) = (!supported.is_empty(), Features { supported, ..Features::default() });
        let at = Intermediary::new(Settings { features, ..settings(Policy::default()) }, Memory::at(NOW));
        let answer = all(&at.answer(&asked[..]).unwrap());
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains("<osci:Code>0800</osci:Code>"), "{answer}");
        assert_eq!(answer.contains("<osci2017:FeatureDescription"), told, "{answer}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    // The digests of an answer are those of the texts it is written from; whoever verifies makes canonical forms.
    #[test]
    fn whatever_an_answer_repeats_its_signature_is_right(
        subject in prop_oneof!["[ -~\\t\\r\\n]{0,40}", "\\PC{0,40}", any::<String>()],
    ) {
        let at = intermediary(Policy::default(), Memory::at(NOW));
        let alice = Person::of("alice");
        let certificate = intermediary_certificate();
        let client = alice.client(&certificate);
        let (message_id, certificates) = (message_id(&at, &client), addressed_to("bob"));
        let content = letter(&alice, &certificates, "x");
        let new = NewOrder::Store { message_id, subject: Some(subject) };
        let answered = deliver(&at, &client, None, &new, certificates, Some(&content)).unwrap();
        prop_assert_eq!(codes(&answered), ["0800"]);
        prop_assert!(answer(&answered).cards[0].subject.is_some());
    }
}
