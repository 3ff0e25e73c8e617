//! Deliveries that are passed on to a passive recipient while their sender waits.

use osci::client::{Answered, NewOrder};
use osci::code::Code;
use osci::content::write::{Maker, NewContainer, NewContent, NewPart};
use osci::content::{Part, Reader};
use osci::intermediary::Intermediary;
use osci::intermediary::backend::Call;
use osci::message::{Answer, Body};
use osci::recipient::{Recipient, Reply};
use osci::transport::Limits;
use seal::algorithm::Policy;
use seal::xmlenc::Plaintext;

use crate::bed::{certificate, identity, intermediary};
use crate::memory::Memory;
use crate::people::{
    METHOD, Person, addressed_to, all, codes, deliver, dialog, intermediary_certificate, letter, message_id,
};

const NOW: i64 = 1_795_404_300;
const ADDRESS: &str = "http://recipient.example/osci";

/// Bob, who says `code`; and if it is a request, answers it with what `reply` makes.
pub(crate) fn bob(code: Code, reply: Option<fn() -> NewContent>) -> crate::memory::Recipient {
    Box::new(move |_: &str, package: &Plaintext| {
        let (cipher, signer) = ([identity("bob_cipher")], identity("bob_signature"));
        let intermediaries = [certificate("intermed_signature")];
        let recipient = Recipient {
            cipher: &cipher,
            signer: &signer,
            method: METHOD,
            intermediaries: &intermediaries,
            policy: Policy::default(),
            limits: Limits::default(),
            random: &|| [9; 24],
        };
        let called = recipient.take(package.open())?;
        let content = reply.map(|make| make());
        let reply = content.as_ref().map(|content| Reply {
            content,
            subject: Some("Antwort".to_owned()),
            certificates: Default::default(),
        });
        Ok(Call::Answered(recipient.answer(&called, code, reply)?))
    })
}

/// An intermediary that reaches bob.
fn reaching(code: Code, reply: Option<fn() -> NewContent>) -> Intermediary<Memory> {
    let bob = bob(code, reply);
    let called = move |address: &str, package: &Plaintext| {
        assert_eq!(address, ADDRESS);
        bob(address, package)
    };
    intermediary(Policy::default(), Memory::calling(NOW, Box::new(called)))
}

/// What bob answers a request with.
pub(crate) fn answer_of_bob() -> NewContent {
    said("die Antwort")
}

/// A ContentPackage that holds nothing, which is how the field answers without a delivery.
fn nothing() -> NewContent {
    Maker::new(&Policy::default(), &Limits::default()).finish().unwrap()
}

/// A container in the clear that nobody signed.
fn said(text: &str) -> NewContent {
    let (policy, limits) = (Policy::default(), Limits::default());
    let mut maker = Maker::new(&policy, &limits);
    let mut bytes = text.as_bytes();
    let parts = vec![NewPart::Inline(&mut bytes)];
    maker.add(NewContainer { parts, authors: Vec::new(), readers: Vec::new() }).unwrap();
    maker.finish().unwrap()
}

fn answer(answered: &Answered) -> &Answer {
    let Body::Answer(answer) = &answered.message.body else { panic!("an answer") };
    answer
}

/// Alice has a delivery passed on. Returns its id and the answer.
fn forward(at: &Intermediary<Memory>) -> (String, Answered) {
    let alice = Person::of("alice");
    let certificate = intermediary_certificate();
    let client = alice.client(&certificate);
    let id = message_id(at, &client);
    let certificates = addressed_to("bob");
    let content = letter(&alice, &certificates, "weitergeleitet");
    let new = NewOrder::Forward { receiver: ADDRESS.to_owned(), message_id: id.clone(), subject: None };
    (id, deliver(at, &client, None, &new, certificates, Some(&content)).unwrap())
}

#[test]
fn a_delivery_that_the_recipient_accepts_has_a_card_with_reception() {
    let at = reaching(Code::DIALOG_CLOSED, None);
    let (id, answered) = forward(&at);
    assert_eq!(codes(&answered), ["0800"]);
    assert!(answer(&answered).cards[0].reception.is_some());
    assert_eq!(at.backend().reception_of(&id), Some(NOW));
}

#[test]
fn a_delivery_that_the_recipient_refuses_is_told_and_its_id_is_used() {
    let at = reaching(Code::NO_ORDER, None);
    let (id, answered) = forward(&at);
    assert_eq!(codes(&answered), ["9805"]);
    assert_eq!(at.backend().reception_of(&id), None);
}

#[test]
fn a_recipient_that_is_not_reached_leaves_the_id_to_be_used_again() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (id, answered) = forward(&at);
    assert_eq!(codes(&answered), ["9809"]);
    let alice = Person::of("alice");
    let certificate = intermediary_certificate();
    let certificates = addressed_to("bob");
    let content = letter(&alice, &certificates, "doch noch");
    let store = NewOrder::Store { message_id: id, subject: None };
    let answered =
        deliver(&at, &alice.client(&certificate), None, &store, certificates, Some(&content)).unwrap();
    assert_eq!(codes(&answered), ["0800"]);
}

#[test]
fn a_call_whose_outcome_nobody_knows_is_told_as_such_and_never_repeated() {
    let call = |_: &str, _: &Plaintext| Ok(Call::Unknown);
    let at = intermediary(Policy::default(), Memory::calling(NOW, Box::new(call)));
    let (id, answered) = forward(&at);
    assert_eq!(codes(&answered), ["9810"]);
    let alice = Person::of("alice");
    let certificate = intermediary_certificate();
    let certificates = addressed_to("bob");
    let content = letter(&alice, &certificates, "noch einmal");
    let again = NewOrder::Forward { receiver: ADDRESS.to_owned(), message_id: id, subject: None };
    let answered =
        deliver(&at, &alice.client(&certificate), None, &again, certificates, Some(&content)).unwrap();
    assert_eq!(codes(&answered), ["9801"]);
}

#[test]
fn a_request_brings_the_recipients_answer_back_with_both_cards() {
    let at = reaching(Code::DIALOG_CLOSED, Some(answer_of_bob));
    let alice = Person::of("alice");
    let certificate = intermediary_certificate();
    let client = alice.client(&certificate);
    let id = message_id(&at, &client);
    let talk = dialog(&at, &client);
    let certificates = addressed_to("bob");
    let content = letter(&alice, &certificates, "eine Frage");
    let new = NewOrder::Mediate { receiver: ADDRESS.to_owned(), message_id: Some(id.clone()), subject: None };
    let answered = deliver(&at, &client, Some(&talk), &new, certificates, Some(&content)).unwrap();
    assert_eq!(codes(&answered), ["0801"]);
    assert_eq!(answer(&answered).cards[0].message_id, id);
    let reply = answer(&answered).reply_card.as_ref().expect("a card of the reply");
    assert_ne!(reply.message_id, id);
    assert_eq!(reply.subject.as_deref(), Some("Antwort"));
    let (policy, limits, keys) = (Policy::default(), Limits::default(), [identity("alice_cipher")]);
    let reader = Reader {
        package: &answered.package,
        message: &answered.message,
        keys: &keys,
        policy: &policy,
        limits: &limits,
    };
    let parts = reader.read().unwrap();
    let [Part::Container(container)] = parts.as_slice() else { panic!("{parts:?}") };
    let [Part::Inline { bytes, .. }] = container.parts.as_slice() else { panic!() };
    assert_eq!(all(bytes), "die Antwort".as_bytes());
}

#[test]
fn a_request_that_is_answered_without_a_delivery_is_told_so() {
    for reply in [None, Some(nothing as fn() -> NewContent)] {
        let at = reaching(Code::DIALOG_CLOSED, reply);
        let alice = Person::of("alice");
        let certificate = intermediary_certificate();
        let client = alice.client(&certificate);
        let talk = dialog(&at, &client);
        let certificates = addressed_to("bob");
        let content = letter(&alice, &certificates, "eine Frage");
        let new = NewOrder::Mediate { receiver: ADDRESS.to_owned(), message_id: None, subject: None };
        let answered = deliver(&at, &client, Some(&talk), &new, certificates, Some(&content)).unwrap();
        assert_eq!(codes(&answered), ["9806"]);
    }
}
