//! Deliveries that are passed on to a passive recipient while their sender waits.

use std::io::Write;

use osci::client::{Answered, Client, NewOrder};
use osci::code::Code;
use osci::content::write::{Maker, NewContainer, NewContent, NewPart};
use osci::content::{Part, Reader};
use osci::intermediary::Intermediary;
use osci::intermediary::backend::Call;
use osci::message::{Answer, Body, Certificates, Named};
use osci::recipient::{Recipient, Reply};
use osci::transport::Limits;
use seal::algorithm::Policy;
use seal::xmlenc::{Plaintext, Staging};

use crate::bed::{certificate, identity, intermediary};
use crate::memory::Memory;
use crate::people::{
    METHOD, Person, addressed_to, all, codes, deliver, dialog, intermediary_certificate, letter, message_id,
};

const NOW: i64 = 1_795_404_300;
const ADDRESS: &str = "http://recipient.example/osci";

/// Bob, who says `code`; and if it is a request, answers it with what `reply` makes.
pub(crate) fn bob(code: Code, reply: Option<fn() -> NewContent>) -> crate::memory::Recipient {
    bob_as("bob_signature", code, reply)
}

/// Bob, who signs by a certificate of this name.
fn bob_as(signer: &'static str, code: Code, reply: Option<fn() -> NewContent>) -> crate::memory::Recipient {
    Box::new(move |_: &str, package: &Plaintext| {
        let (cipher, signer) = ([identity("bob_cipher")], identity(signer));
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

/// An intermediary that reaches bob, who accepts and signs by the certificate `signer`, and that knows his to be among `known`.
fn signing(signer: &'static str, known: &[&str]) -> Intermediary<Memory> {
    let memory = Memory::calling(NOW, bob_as(signer, Code::DIALOG_CLOSED, None));
    let known = known.iter().map(|name| certificate(name)).collect();
    intermediary(Policy::default(), memory.knowing(known))
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
    let (alice, certificate) = (Person::of("alice"), intermediary_certificate());
    forward_by(at, &alice, &alice.client(&certificate), addressed_to("bob"))
}

/// The same with other certificates, in the clear or not.
fn forward_by(
    at: &Intermediary<Memory>,
    alice: &Person,
    client: &Client<'_>,
    certificates: Certificates,
) -> (String, Answered) {
    let id = message_id(at, client);
    let content = letter(alice, &certificates, "weitergeleitet");
    let new = NewOrder::Forward { receiver: ADDRESS.to_owned(), message_id: id.clone(), subject: None };
    (id, deliver(at, client, None, &new, certificates, Some(&content)).unwrap())
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
fn a_recipient_that_fails_itself_is_told_and_leaves_the_id_to_be_used_again() {
    let at = reaching(Code::RECIPIENT_INTERNAL, None);
    let (alice, certificate) = (Person::of("alice"), intermediary_certificate());
    let (id, answered) = forward(&at);
    assert_eq!(codes(&answered), ["9808"], "it has refused nothing");
    let certificates = addressed_to("bob");
    let content = letter(&alice, &certificates, "noch einmal");
    let again = NewOrder::Forward { receiver: ADDRESS.to_owned(), message_id: id, subject: None };
    let client = alice.client(&certificate);
    let answered = deliver(&at, &client, None, &again, certificates, Some(&content)).unwrap();
    assert_eq!(codes(&answered), ["9808"]);
}

#[test]
fn an_answer_that_cannot_be_read_does_not_say_that_the_delivery_was_not_taken() {
    let bob = bob(Code::DIALOG_CLOSED, None);
    let first = std::sync::Mutex::new(None);
    // An answer to another call, once there was one.
    let called = move |address: &str, package: &Plaintext| {
        let answer = match bob(address, package)? {
            Call::Answered(answer) => all(&answer),
            _ => panic!("answered"),
        };
        let mut first = first.lock().unwrap();
        let (old, mut staging) = (first.replace(answer), Staging::new(1 << 16, 1 << 20));
        staging.write_all(&old.unwrap_or_else(|| b"<html>502</html>".to_vec())).unwrap();
        Ok(Call::Answered(staging.finish()))
    };
    let at = intermediary(Policy::default(), Memory::calling(NOW, Box::new(called)));
    for _ in 0..2 {
        let (id, answered) = forward(&at);
        assert_eq!(codes(&answered), ["9810"]);
        assert_eq!(at.backend().reception_of(&id), None);
    }
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

#[test]
fn a_recipient_listens_to_the_intermediaries_that_are_listed_and_to_nobody_else() {
    for (listed, code) in [
        (&["intermed_signature"][..], "0800"),
        (&["carol_signature", "intermed_signature"], "0800"),
        (&["carol_signature", "bob_signature", "alice_signature"], "9809"),
        (&["intermed_cipher"], "9809"),
        (&[], "9809"),
    ] {
        let intermediaries: Vec<_> = listed.iter().map(|name| certificate(name)).collect();
        let called = move |_: &str, package: &Plaintext| {
            let (cipher, signer) = ([identity("bob_cipher")], identity("bob_signature"));
            let recipient = Recipient {
                cipher: &cipher,
                signer: &signer,
                method: METHOD,
                intermediaries: &intermediaries,
                policy: Policy::default(),
                limits: Limits::default(),
                random: &|| [9; 24],
            };
            match recipient.take(package.open()) {
                Err(osci::Error::Refused(Code::SIGNATURE)) => Ok(Call::NotReached),
                called => Ok(Call::Answered(recipient.answer(&called?, Code::DIALOG_CLOSED, None)?)),
            }
        };
        let at = intermediary(Policy::default(), Memory::calling(NOW, Box::new(called)));
        let (id, answered) = forward(&at);
        assert_eq!(codes(&answered), [code], "{listed:?}");
        assert_eq!(at.backend().reception_of(&id).is_some(), code == "0800", "{listed:?}");
    }
}

#[test]
fn an_answer_is_believed_only_by_a_good_certificate_and_by_the_known_one_if_there_is_one() {
    for (signer, known, code) in [
        ("bob_signature", &[][..], "0800"),
        ("carol_signature", &[], "0800"),
        ("mallory_signature", &[], "9807"),
        ("revoked_signature", &[], "9807"),
        ("expired_signature", &[], "9807"),
        ("bob_signature", &["bob_signature"], "0800"),
        ("bob_signature", &["carol_signature", "bob_signature"], "0800"),
        ("carol_signature", &["bob_signature"], "9807"),
        ("revoked_signature", &["revoked_signature"], "9807"),
        ("mallory_signature", &["mallory_signature"], "9807"),
    ] {
        let at = signing(signer, known);
        let (id, answered) = forward(&at);
        assert_eq!(codes(&answered), [code], "{signer} {known:?}");
        assert_eq!(at.backend().reception_of(&id).is_some(), code == "0800", "{signer} {known:?}");
    }
}

#[test]
fn an_answer_bears_the_signature_that_the_sender_names_unless_our_rules_name_another() {
    let named = |name: &str| {
        let named = Named { id: "addressee_signature".to_owned(), certificate: certificate(name) };
        Certificates { signature_addressee: Some(named), ..addressed_to("bob") }
    };
    let (alice, intermediary) = (Person::of("alice"), intermediary_certificate());
    for (signer, known, sender_says, code) in [
        ("carol_signature", &[][..], "bob_signature", "9807"),
        ("bob_signature", &[], "bob_signature", "0800"),
        ("bob_signature", &["bob_signature"], "carol_signature", "0800"),
    ] {
        let at = signing(signer, known);
        let (_, answered) = forward_by(&at, &alice, &alice.client(&intermediary), named(sender_says));
        assert_eq!(codes(&answered), [code], "{signer} {sender_says}");
    }
}

/// A package without its signature.
fn stripped(package: &Plaintext) -> Plaintext {
    let text = String::from_utf8(all(package)).unwrap();
    let (start, end) = ("<osci:SupplierSignature", "</osci:SupplierSignature>");
    let (before, rest) = text.split_once(start).expect("a signature");
    let (_, after) = rest.split_once(end).unwrap();
    let mut staging = Staging::new(1 << 16, 1 << 20);
    staging.write_all([before, after].concat().as_bytes()).unwrap();
    staging.finish()
}

#[test]
fn an_answer_that_lost_its_signature_is_a_warning_and_none_if_the_signer_is_known() {
    for (known, code) in [(vec![], &["3802", "0800"][..]), (vec![certificate("bob_signature")], &["9807"])] {
        let bob = bob(Code::DIALOG_CLOSED, None);
        let strips = move |address: &str, package: &Plaintext| match bob(address, package)? {
            Call::Answered(answer) => Ok(Call::Answered(stripped(&answer))),
            other => Ok(other),
        };
        let at = intermediary(Policy::default(), Memory::calling(NOW, Box::new(strips)).knowing(known));
        let alice = Person::of("alice");
        let (_, answered) = forward_by(&at, &alice, &alice.in_the_clear(), addressed_to("bob"));
        assert_eq!(codes(&answered), code);
    }
}
