//! Deliveries that are fetched in chunks (supplement of 2017).

use std::io::Read;

use osci::Error;
use osci::client::{Answered, Client, Gathering, NewOrder};
use osci::code::Code;
use osci::content::{Part, Reader};
use osci::intermediary::{Intermediary, Settings};
use osci::message::{Chunk, Message, SelectionRule};
use osci::names::{Kind, Order};
use osci::package::Package;
use osci::transport::{ChunkLimits, Limits};
use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};
use seal::algorithm::Policy;

use crate::bed::{intermediary, settings};
use crate::chunks::{answer, bring, by_id, read, said, sample, send, whole};
use crate::memory::Memory;
use crate::people::{Person, codes, dialog, intermediary_certificate, message_id, order, store};

/// Within the validity of the corpus' certificates and of its revocation list.
const NOW: i64 = 1_795_404_300;

/// Fetches a delivery in chunks; gives what it is, how many orders it took, and the dialog.
fn gather(
    at: &Intermediary<Memory>,
    client: &Client<'_>,
    rule: Option<SelectionRule>,
    size: u64,
) -> ((Message, Package), u32, osci::client::Dialog) {
    let limits = Limits::default();
    let mut talk = dialog(at, client);
    let mut gathering = Gathering::new(rule, size, &limits);
    for count in 1.. {
        let answered = send(at, client, &gathering.order(client, &talk).unwrap());
        talk = answered.dialog.clone().unwrap();
        if let Some(whole) = gathering.take(answered, &limits).unwrap() {
            return (whole, count, talk);
        }
    }
    unreachable!()
}

#[test]
fn a_delivery_is_fetched_in_chunks_and_has_arrived_with_the_order_behind_the_last_one() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (alice, bob, certificate) = (Person::of("alice"), Person::of("bob"), intermediary_certificate());
    let (alices, bobs) = (alice.client(&certificate), bob.client(&certificate));
    let id = message_id(&at, &alices);
    let bytes = sample(100_000);
    let whole = whole(&alices, &id, "bob", &bytes, 1_000);
    bring(&at, &alices, &whole, 1);
    let (fetched, count, talk) = gather(&at, &bobs, None, 20);
    assert_eq!(count, 6);
    assert_eq!(read(&bob, &fetched), bytes);
    let card = &answer(&fetched.0).cards[0];
    assert_eq!((card.message_id.as_str(), card.subject.as_deref()), (id.as_str(), Some("Große Bauakte")));
    assert!(card.forwarding.is_some() && card.reception.is_none());
    assert_eq!(at.backend().reception_of(&id), None, "nobody knows yet whether the last chunk has arrived");
    order(&at, &bobs, Some(&talk), &NewOrder::ExitDialog).unwrap();
    assert_eq!(at.backend().reception_of(&id), Some(NOW));
}

#[test]
fn what_fits_into_one_chunk_comes_as_if_nobody_had_spoken_of_chunks() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (bob, certificate) = (Person::of("bob"), intermediary_certificate());
    let id = store(&at, &Person::of("alice"), "bob", "x");
    let bobs = bob.client(&certificate);
    let talk = dialog(&at, &bobs);
    let limits = Limits::default();
    let mut gathering = Gathering::new(by_id(&id), 1_000, &limits);
    let answered = send(&at, &bobs, &gathering.order(&bobs, &talk).unwrap());
    assert_eq!(answered.message.kind, Kind::Answer(Order::FetchDelivery));
    assert_eq!(said(&answered).cards[0].message_id, id);
    let talk = answered.dialog.clone().unwrap();
    assert!(gathering.take(answered, &limits).unwrap().is_some());
    order(&at, &bobs, Some(&talk), &NewOrder::ExitDialog).unwrap();
    assert_eq!(at.backend().reception_of(&id), Some(NOW));
}

/// The bytes of one chunk, fetched in a dialog of its own.
fn one_chunk(at: &Intermediary<Memory>, client: &Client<'_>, id: &str, chunk: Chunk) -> (Answered, Vec<u8>) {
    let talk = dialog(at, client);
    let new = NewOrder::FetchChunk { rule: by_id(id), chunk };
    let ordered = client.order(Some(&talk), &new, Default::default(), None).unwrap();
    let answered = send(at, client, &ordered);
    let mut bytes = Vec::new();
    if let Some(attached) = answered.package.attachments.first() {
        let (message, package) = (&answered.message, &answered.package);
        let (policy, limits) = (Policy::default(), Limits::default());
        let reader = Reader { package, message, keys: &[], policy: &policy, limits: &limits };
        let parts = reader.read().unwrap();
        let [Part::Container(container)] = parts.as_slice() else { panic!("{parts:?}") };
        let [Part::Attachment(part)] = container.parts.as_slice() else { panic!() };
        assert_eq!(part.content_id, attached.id);
        reader.open_attachment(part).unwrap().open().read_to_end(&mut bytes).unwrap();
    }
    (answered, bytes)
}

fn wanted(number: u32, size: u64, received: &[u32]) -> Chunk {
    Chunk { number: Some(number), size: Some(size), received: Some(received.to_vec()), ..Chunk::default() }
}

#[test]
fn all_chunks_are_cut_from_the_same_whole_even_in_different_dialogs() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (bob, certificate) = (Person::of("bob"), intermediary_certificate());
    let id = store(&at, &Person::of("alice"), "bob", &"Antrag ".repeat(1_000));
    let bobs = bob.client(&certificate);
    let mut whole = Vec::new();
    let (first, bytes) = one_chunk(&at, &bobs, &id, wanted(1, 8, &[]));
    whole.extend(bytes);
    let information = said(&first).chunk.clone().unwrap();
    let total = information.total_chunks.unwrap();
    assert!(total > 2);
    let mut received = vec![1];
    for number in 2..=total {
        whole.extend(one_chunk(&at, &bobs, &id, wanted(number, 8, &received)).1);
        received.push(number);
    }
    assert_eq!(information.total_size, Some(whole.len() as u64 / 1024));
    // Cut otherwise, it is still the same.
    let (_, half) = one_chunk(&at, &bobs, &id, wanted(1, 16, &[]));
    assert_eq!(half, whole[..16 * 1024]);
    let mut staging = seal::xmlenc::Staging::new(1 << 20, 1 << 30);
    std::io::copy(&mut &whole[..], &mut staging).unwrap();
    let mut package = Package::open(staging.finish(), &Limits::default()).unwrap();
    let message = package.read().unwrap().unsigned().unwrap();
    assert_eq!(answer(&message).cards[0].message_id, id);
}

#[test]
fn a_delivery_of_which_chunks_are_missing_has_not_arrived() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (bob, certificate) = (Person::of("bob"), intermediary_certificate());
    let id = store(&at, &Person::of("alice"), "bob", &"Antrag ".repeat(1_000));
    let bobs = bob.client(&certificate);
    let (first, _) = one_chunk(&at, &bobs, &id, wanted(1, 8, &[]));
    let total = said(&first).chunk.as_ref().unwrap().total_chunks.unwrap();
    for (number, received) in [(1, vec![]), (total, vec![1]), (2, vec![1])] {
        let (answered, _) = one_chunk(&at, &bobs, &id, wanted(number, 8, &received));
        assert_eq!(codes(&answered), ["0801"]);
        order(&at, &bobs, answered.dialog.as_ref(), &NewOrder::ExitDialog).unwrap();
        assert_eq!(at.backend().reception_of(&id), None, "{number} of {total} with {received:?}");
    }
}

#[test]
fn wrong_wishes_for_chunks_are_told_by_their_code() {
    let chunks = ChunkLimits { smallest: 2, largest: 8, most: 3 };
    let limits = Limits { chunks, ..Limits::default() };
    let at = Intermediary::new(Settings { limits, ..settings(Policy::default()) }, Memory::at(NOW));
    let (bob, certificate) = (Person::of("bob"), intermediary_certificate());
    let id = store(&at, &Person::of("alice"), "bob", &"Antrag ".repeat(1_000));
    let bobs = bob.client(&certificate);
    let wrong = [
        ("9901", wanted(0, 8, &[])),
        ("9902", wanted(1, 9, &[])),
        ("9903", wanted(1, 1, &[])),
        ("9903", wanted(1, 2, &[])),
        ("9905", Chunk { size: None, ..wanted(1, 8, &[]) }),
    ];
    for (code, chunk) in wrong {
        assert_eq!(codes(&one_chunk(&at, &bobs, &id, chunk.clone()).0), [code], "{chunk:?}");
    }
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let id = store(&at, &Person::of("alice"), "bob", &"Antrag ".repeat(1_000));
    assert_eq!(codes(&one_chunk(&at, &bobs, &id, wanted(99, 8, &[1])).0), ["9901"]);
    let carol = Person::of("carol");
    let carols = carol.client(&certificate);
    assert_eq!(codes(&one_chunk(&at, &carols, &id, wanted(1, 8, &[])).0), ["9803"]);
    let limits = Limits::default();
    let mut gathering = Gathering::new(None, 8, &limits);
    let talk = dialog(&at, &carols);
    let answered = send(&at, &carols, &gathering.order(&carols, &talk).unwrap());
    assert!(matches!(gathering.take(answered, &limits), Err(Error::Refused(Code::NO_DELIVERY))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn chunks_in_any_order_and_any_size_make_up_what_was_cut(
        length in 1_usize..40_000,
        size in 2_u64..20,
        fetched_in in 3_u64..30,
        seed in any::<u64>(),
    ) {
        let at = intermediary(Policy::default(), Memory::at(NOW));
        let (alice, bob) = (Person::of("alice"), Person::of("bob"));
        let certificate = intermediary_certificate();
        let (alices, bobs) = (alice.in_the_clear(), bob.client(&certificate));
        let id = message_id(&at, &alices);
        let bytes = sample(length);
        let whole = whole(&alices, &id, "bob", &bytes, size);
        let mut numbers: Vec<u32> = (1..=whole.chunks().unwrap()).collect();
        numbers.sort_by_key(|number| seed.wrapping_mul(u64::from(*number) | 1).rotate_left(*number));
        for number in numbers {
            prop_assert_eq!(codes(&bring(&at, &alices, &whole, number)), ["0800"]);
        }
        let (fetched, ..) = gather(&at, &bobs, None, fetched_in);
        prop_assert_eq!(read(&bob, &fetched), bytes);
    }
}
