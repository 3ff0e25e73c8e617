//! Requests that arrive broken, and what breaks on our own side.

use std::io::{self, Read};

use osci::Error;
use osci::client::NewOrder;
use osci::intermediary::Intermediary;
use osci::transport::Limits;
use seal::algorithm::Policy;

use crate::bed::{identity, intermediary, read, settings};
use crate::corpus::fault_code;
use crate::memory::Memory;
use crate::people::{
    Person, addressed_to, all, codes, deliver, intermediary_certificate, letter, message_id,
};

/// Within the validity of the corpus' certificates and of its revocation list.
const NOW: i64 = 1_795_404_300;
/// In the clear and in an envelope of encryption, both with attachments.
const REQUESTS: [&str; 2] =
    ["messages/unencrypted/02q-StoreDelivery.osci", "messages/roundtrip/02q-StoreDelivery.osci"];

#[test]
fn a_request_that_is_cut_off_anywhere_is_told_as_no_message() {
    for file in REQUESTS {
        let whole = read(file);
        let at = intermediary(Policy::default(), Memory::at(NOW));
        for length in (0..whole.len()).step_by(997) {
            let answer =
                at.answer(&whole[..length]).unwrap_or_else(|error| panic!("{file} {length}: {error:?}"));
            assert_eq!(fault_code(&all(&answer)).as_deref(), Some("9100"), "{file} {length}");
        }
    }
}

#[test]
fn a_request_that_is_too_large_is_told_as_no_message() {
    for file in REQUESTS {
        let limits = Limits { package: 20_000, ..Limits::default() };
        let small = osci::intermediary::Settings { limits, ..settings(Policy::default()) };
        let answer = Intermediary::new(small, Memory::at(NOW)).answer(&read(file)[..]).unwrap();
        assert_eq!(fault_code(&all(&answer)).as_deref(), Some("9100"), "{file}");
    }
}

/// A connection that breaks.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

#[test]
fn what_fails_on_our_side_is_not_told_as_a_fault_of_the_request() {
    for file in REQUESTS {
        let whole = read(file);
        let at = intermediary(Policy::default(), Memory::at(NOW));
        for length in [0, 1_000, whole.len() / 2, whole.len() - 100] {
            let answer = at.answer(whole[..length].chain(Broken));
            assert!(matches!(answer, Err(Error::Io(_))), "{file} {length}: {answer:?}");
        }
    }
}

#[test]
fn a_warning_is_told_once_even_if_several_checks_find_it() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let alice = Person { signer: identity("expired_signature"), ..Person::of("alice") };
    let certificate = intermediary_certificate();
    let client = alice.client(&certificate);
    let message_id = message_id(&at, &Person::of("alice").client(&certificate));
    let certificates = addressed_to("bob");
    let content = letter(&alice, &certificates, "x");
    let new = NewOrder::Store { message_id, subject: None };
    let answered = deliver(&at, &client, None, &new, certificates, Some(&content)).unwrap();
    assert_eq!(codes(&answered), ["3700", "0800"]);
}
