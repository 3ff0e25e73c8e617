//! Deliveries that are brought in chunks (supplement of 2017).

use osci::client::{Answered, Client, NewOrder, Ordered, Whole};
use osci::content::write::{Maker, NewContainer, NewPart};
use osci::content::{Part, Reader};
use osci::intermediary::{Intermediary, Settings};
use osci::message::{Answer, Body, Chunk, Message, SelectionRule};
use osci::package::Package;
use osci::transport::{ChunkLimits, Limits};
use seal::algorithm::Policy;

use crate::bed::{certificate, intermediary, settings};
use crate::memory::Memory;
use crate::people::{
    Person, addressed_to, all, codes, deliver, dialog, intermediary_certificate, message_id, order, store,
};

/// Within the validity of the corpus' certificates and of its revocation list.
const NOW: i64 = 1_795_404_300;

/// A delivery for somebody with an attachment of so many bytes, to be cut into chunks of so many units.
pub(crate) fn whole(client: &Client<'_>, id: &str, to: &str, bytes: &[u8], chunk_size: u64) -> Whole {
    let certificates = addressed_to(to);
    let (policy, limits) = (Policy::default(), Limits::default());
    let mut maker = Maker::new(&policy, &limits);
    let mut bytes = bytes;
    let parts = vec![NewPart::Attachment("file.bin", &mut bytes)];
    let readers = certificates.cipher_addressee.iter().collect();
    maker.add(NewContainer { parts, authors: vec![], readers }).unwrap();
    let content = maker.finish().unwrap();
    client.whole(id, Some("Große Bauakte"), certificates, &content, chunk_size).unwrap()
}

pub(crate) fn sample(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 % 251) as u8).collect()
}

pub(crate) fn send(at: &Intermediary<Memory>, client: &Client<'_>, ordered: &Ordered) -> Answered {
    let answer = all(&at.answer(&all(&ordered.package)[..]).unwrap());
    client.answer(ordered, &answer[..]).unwrap()
}

pub(crate) fn bring(at: &Intermediary<Memory>, client: &Client<'_>, whole: &Whole, number: u32) -> Answered {
    send(at, client, &client.bring_chunk(None, whole, number).unwrap())
}

fn ask(at: &Intermediary<Memory>, client: &Client<'_>, id: &str) -> Answered {
    let bob = addressed_to("bob").cipher_addressee;
    send(at, client, &client.ask_for_chunks(None, id, bob.as_ref()).unwrap())
}

/// Brings a chunk under information that is given.
fn bring_as(
    at: &Intermediary<Memory>,
    client: &Client<'_>,
    id: &str,
    chunk: Chunk,
    bytes: &[u8],
) -> Answered {
    let (policy, limits) = (Policy::default(), Limits::default());
    let (mut maker, mut bytes) = (Maker::new(&policy, &limits), bytes);
    let parts = vec![NewPart::Attachment("ChunkBlobStoreDelivery", &mut bytes)];
    maker.add(NewContainer { parts, authors: vec![], readers: vec![] }).unwrap();
    let new = NewOrder::StoreChunk { message_id: id.to_owned(), chunk: Some(chunk) };
    deliver(at, client, None, &new, addressed_to("bob"), Some(&maker.finish().unwrap())).unwrap()
}

fn chunk(number: u32, size: u64, total_chunks: u32, total_size: u64) -> Chunk {
    Chunk {
        number: Some(number),
        size: Some(size),
        total_chunks: Some(total_chunks),
        total_size: Some(total_size),
        received: None,
    }
}

pub(crate) fn answer(message: &Message) -> &Answer {
    let Body::Answer(answer) = &message.body else { panic!("an answer") };
    answer
}

pub(crate) fn said(answered: &Answered) -> &Answer {
    answer(&answered.message)
}

fn inside(answered: &Answered) -> Vec<&str> {
    said(answered).inside_feedback.iter().map(|entry| entry.code.as_str()).collect()
}

fn received(answered: &Answered) -> Vec<u32> {
    said(answered).chunk.as_ref().and_then(|chunk| chunk.received.clone()).expect("chunks that are there")
}

/// What is in the attachment of a delivery.
pub(crate) fn read(person: &Person, (message, package): &(Message, Package)) -> Vec<u8> {
    let (policy, limits) = (Policy::default(), Limits::default());
    let keys = std::slice::from_ref(&person.cipher);
    let reader = Reader { package, message, keys, policy: &policy, limits: &limits };
    let parts = reader.read().unwrap();
    let [Part::Opened(inner)] = parts.as_slice() else { panic!("{parts:?}") };
    let [Part::Container(container)] = inner.as_slice() else { panic!("{inner:?}") };
    let [Part::Attachment(attached)] = container.parts.as_slice() else { panic!() };
    all(&reader.open_attachment(attached).unwrap())
}

pub(crate) fn by_id(id: &str) -> Option<SelectionRule> {
    Some(SelectionRule::MessageIds(vec![id.to_owned()]))
}

#[test]
fn a_delivery_in_chunks_is_stored_with_the_last_one_and_fetched_like_any_other() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (alice, bob, certificate) = (Person::of("alice"), Person::of("bob"), intermediary_certificate());
    let client = alice.client(&certificate);
    let id = message_id(&at, &client);
    let bytes = sample(45_000);
    let whole = whole(&client, &id, "bob", &bytes, 10);
    assert_eq!(whole.chunks().unwrap(), 6);
    for (index, number) in [3, 1, 6, 2, 5].into_iter().enumerate() {
        let told = bring(&at, &client, &whole, number);
        assert_eq!((codes(&told), inside(&told)), (vec!["0800".to_owned()], vec![]));
        let answer = said(&told);
        assert_eq!(answer.cards[0].message_id, format!("{id}_Partial"));
        assert!(answer.cards[0].creation.is_some() && answer.cards[0].forwarding.is_none());
        let information = answer.chunk.as_ref().unwrap();
        assert_eq!((information.number, information.total_chunks), (Some(number), Some(6)));
        assert_eq!(received(&told).len(), index + 1);
        assert_eq!(whole.missing(&told).unwrap().len(), 5 - index);
    }
    let bobs = bob.client(&certificate);
    let talk = dialog(&at, &bobs);
    let early = order(&at, &bobs, Some(&talk), &NewOrder::Fetch(by_id(&id))).unwrap();
    assert_eq!(codes(&early), ["9803"], "nothing is there before all of it is");
    let told = bring(&at, &client, &whole, 4);
    assert_eq!((codes(&told), inside(&told)), (vec!["0800".to_owned()], vec!["0800"]));
    assert_eq!(received(&told), [1, 2, 3, 4, 5, 6]);
    let card = &said(&told).cards[0];
    assert_eq!((card.message_id.as_str(), card.subject.as_deref()), (id.as_str(), Some("Große Bauakte")));
    assert_eq!(card.inspections.len(), 3);

    let fetched = order(&at, &bobs, early.dialog.as_ref(), &NewOrder::Fetch(None)).unwrap();
    assert_eq!(codes(&fetched), ["0801"]);
    assert_eq!(read(&bob, &(fetched.message, fetched.package)), bytes);
}

#[test]
fn whoever_lost_the_last_answer_is_told_the_same_again() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (alice, certificate) = (Person::of("alice"), intermediary_certificate());
    let client = alice.client(&certificate);
    let id = message_id(&at, &client);
    let whole = whole(&client, &id, "bob", &sample(30_000), 16);
    let total = whole.chunks().unwrap();
    for number in 1..=total {
        bring(&at, &client, &whole, number);
    }
    for told in [bring(&at, &client, &whole, total), ask(&at, &client, &id)] {
        assert_eq!((codes(&told), inside(&told)), (vec!["0800".to_owned()], vec!["0800"]));
        assert_eq!(said(&told).cards[0].message_id, id);
        assert_eq!(received(&told).len(), total as usize);
    }
    // The id is used up for everything else.
    let other = self::whole(&client, &id, "bob", &sample(9), 16);
    assert_eq!(codes(&bring(&at, &client, &other, 1)), ["9905"]);
}

#[test]
fn after_a_break_only_what_is_missing_is_brought() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (alice, certificate) = (Person::of("alice"), intermediary_certificate());
    let client = alice.client(&certificate);
    let id = message_id(&at, &client);
    let nothing = ask(&at, &client, &id);
    assert_eq!((codes(&nothing), received(&nothing)), (vec!["0800".to_owned()], vec![]));
    assert!(said(&nothing).cards.is_empty());
    let mut kept = whole(&client, &id, "bob", &sample(40_000), 8);
    for number in [2, 4] {
        bring(&at, &client, &kept, number);
    }
    // The client starts again with what it had kept, and in a dialog this time.
    let mut again = seal::xmlenc::Staging::new(1 << 20, 1 << 30);
    std::io::copy(&mut kept.package.open(), &mut again).unwrap();
    kept = Whole { package: again.finish(), ..kept };
    let mut talk = dialog(&at, &client);
    let asked =
        send(&at, &client, &client.ask_for_chunks(Some(&talk), &id, kept.addressee.as_ref()).unwrap());
    let missing = kept.missing(&asked).unwrap();
    assert!(!missing.contains(&2) && !missing.contains(&4) && missing.contains(&1), "{missing:?}");
    talk = asked.dialog.clone().unwrap();
    let mut last = asked;
    for number in missing {
        last = send(&at, &client, &client.bring_chunk(Some(&talk), &kept, number).unwrap());
        talk = last.dialog.clone().unwrap();
    }
    assert_eq!((codes(&last), inside(&last)), (vec!["0801".to_owned()], vec!["0800"]));
}

#[test]
fn another_chunk_of_the_same_number_is_refused_and_the_same_one_is_not() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (alice, certificate) = (Person::of("alice"), intermediary_certificate());
    let client = alice.client(&certificate);
    let id = message_id(&at, &client);
    let first = sample(2_048);
    let told = bring_as(&at, &client, &id, chunk(1, 2, 2, 3), &first);
    assert_eq!((codes(&told), received(&told)), (vec!["0800".to_owned()], vec![1]));
    let mut other = first.clone();
    other[9] ^= 1;
    let told = bring_as(&at, &client, &id, chunk(1, 2, 2, 3), &other);
    assert_eq!((codes(&told), received(&told)), (vec!["9900".to_owned()], vec![1]));
    assert_eq!(codes(&bring_as(&at, &client, &id, chunk(1, 2, 2, 3), &first)), ["0800"]);
}

#[test]
fn wrong_information_on_a_chunk_is_told_by_its_code_and_keeps_nothing() {
    let chunks = ChunkLimits { smallest: 2, largest: 8, most: 5 };
    let limits = Limits { chunks, package: 100 << 10, ..Limits::default() };
    let at = Intermediary::new(Settings { limits, ..settings(Policy::default()) }, Memory::at(NOW));
    let (alice, certificate) = (Person::of("alice"), intermediary_certificate());
    let client = alice.client(&certificate);
    let id = message_id(&at, &client);
    let (two, nothing) = (sample(2_048), Vec::new());
    let unsaid = |without: fn(&mut Chunk)| {
        let mut chunk = chunk(1, 2, 3, 5);
        without(&mut chunk);
        chunk
    };
    let wrong: [(&str, Chunk, &[u8]); 14] = [
        ("9901", chunk(0, 2, 3, 5), &two),
        ("9901", chunk(4, 2, 3, 5), &two),
        ("9902", chunk(1, 9, 3, 20), &two),
        ("9902", chunk(1, 8, 3, 20), &sample(8_193)),
        ("9903", chunk(1, 2, 3, 5), &two[1..]),
        ("9903", chunk(1, 1, 3, 2), &two[..1_024]),
        ("9903", chunk(1, 2, 6, 10), &two),
        ("9904", chunk(1, 8, 3, 101), &two),
        ("9905", chunk(1, 2, 0, 5), &two),
        ("9905", chunk(1, 2, 3, 7), &two),
        ("9905", chunk(1, 2, 3, 5), &nothing),
        ("9905", unsaid(|chunk| chunk.number = None), &two),
        ("9905", unsaid(|chunk| chunk.total_chunks = None), &two),
        ("9905", unsaid(|chunk| chunk.total_size = None), &two),
    ];
    for (code, chunk, bytes) in wrong {
        let told = bring_as(&at, &client, &id, chunk.clone(), bytes);
        assert_eq!((codes(&told), received(&told)), (vec![code.to_owned()], vec![]), "{chunk:?}");
    }
    assert_eq!(codes(&bring_as(&at, &client, &id, chunk(1, 2, 3, 5), &two)), ["0800"]);
    // Once the first has come, the others must be of the same message.
    for other in [chunk(2, 2, 4, 5), chunk(2, 2, 3, 4)] {
        assert_eq!(codes(&bring_as(&at, &client, &id, other, &two)), ["9905"]);
    }
    // More than was announced, chunk by chunk.
    assert_eq!(codes(&bring_as(&at, &client, &id, chunk(2, 8, 3, 5), &sample(4_097))), ["9905"]);
    assert_eq!(received(&ask(&at, &client, &id)), [1]);
}

#[test]
fn a_message_id_that_was_not_issued_takes_no_chunks() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (alice, certificate) = (Person::of("alice"), intermediary_certificate());
    let client = alice.client(&certificate);
    let used = store(&at, &alice, "bob", "x");
    for id in ["invented", used.as_str()] {
        let told = bring_as(&at, &client, id, chunk(1, 2, 2, 3), &sample(2_048));
        assert_eq!((codes(&told), received(&told)), (vec!["9801".to_owned()], vec![]), "{id}");
    }
}

#[test]
fn chunks_of_two_senders_never_meet_under_the_same_id() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (alice, carol, certificate) = (Person::of("alice"), Person::of("carol"), intermediary_certificate());
    let (alices, carols) = (alice.client(&certificate), carol.client(&certificate));
    let id = message_id(&at, &alices);
    let bytes = sample(30_000);
    let (hers, others) =
        (whole(&alices, &id, "bob", &bytes, 16), whole(&carols, &id, "bob", &sample(30_001), 16));
    assert_eq!((hers.chunks().unwrap(), others.chunks().unwrap()), (3, 3));
    bring(&at, &alices, &hers, 1);
    assert_eq!(received(&bring(&at, &carols, &others, 2)), [2], "Alice's is not hers");
    assert_eq!(received(&ask(&at, &carols, &id)), [2]);
    bring(&at, &alices, &hers, 2);
    assert_eq!(inside(&bring(&at, &alices, &hers, 3)), ["0800"]);
    bring(&at, &carols, &others, 1);
    let told = bring(&at, &carols, &others, 3);
    assert_eq!((codes(&told), inside(&told)), (vec!["9801".to_owned()], vec![]), "the id is used up");
}

#[test]
fn a_whole_that_names_somebody_else_as_its_signer_is_not_taken() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (alice, mallory, certificate) =
        (Person::of("alice"), Person::of("carol"), intermediary_certificate());
    let (alices, mallorys) = (alice.client(&certificate), mallory.client(&certificate));
    let id = message_id(&at, &mallorys);
    // What Alice would have written, in Mallory's orders.
    let forged = whole(&alices, &id, "bob", &sample(5_000), 64);
    let told = bring(&at, &mallorys, &forged, 1);
    assert_eq!((codes(&told), inside(&told)), (vec!["9950".to_owned()], vec!["9601"]));
}

#[test]
fn a_whole_that_is_refused_is_told_inside_and_may_begin_anew_under_its_id() {
    let dave = certificate("dave_cipher").fingerprint().to_owned();
    let at = intermediary(Policy::default(), Memory::without(NOW, dave));
    let (alice, certificate) = (Person::of("alice"), intermediary_certificate());
    let client = alice.client(&certificate);
    let id = message_id(&at, &client);
    let to_nobody = whole(&client, &id, "dave", &sample(20_000), 16);
    bring(&at, &client, &to_nobody, 2);
    let told = bring(&at, &client, &to_nobody, 1);
    assert_eq!((codes(&told), inside(&told)), (vec!["9950".to_owned()], vec!["9811"]));
    assert!(said(&told).cards.is_empty());
    assert_eq!(received(&ask(&at, &client, &id)), [] as [u32; 0]);

    let revoked = whole(&client, &id, "revoked", &sample(5_000), 64);
    let told = bring(&at, &client, &revoked, 1);
    assert_eq!((codes(&told), inside(&told)), (vec!["9950".to_owned()], vec!["9707"]));
    let garbage = sample(3_000);
    let told = bring_as(&at, &client, &id, chunk(1, 3, 1, 2), &garbage);
    assert_eq!((codes(&told), inside(&told)), (vec!["9950".to_owned()], vec!["9300"]));
    let another = whole(&client, "another", "bob", &sample(10), 64);
    let bytes = all(&another.package);
    let told = bring_as(&at, &client, &id, chunk(1, 64, 1, bytes.len() as u64 / 1024), &bytes);
    assert_eq!((codes(&told), inside(&told)), (vec!["9950".to_owned()], vec!["9801"]), "the id of another");

    let good = whole(&client, &id, "bob", &sample(5_000), 64);
    let told = bring(&at, &client, &good, 1);
    assert_eq!((codes(&told), inside(&told)), (vec!["0800".to_owned()], vec!["0800"]));
}

#[test]
fn less_than_was_announced_is_no_whole() {
    let at = intermediary(Policy::default(), Memory::at(NOW));
    let (alice, certificate) = (Person::of("alice"), intermediary_certificate());
    let client = alice.client(&certificate);
    let id = message_id(&at, &client);
    bring_as(&at, &client, &id, chunk(1, 4, 2, 7), &sample(4_096));
    let told = bring_as(&at, &client, &id, chunk(2, 4, 2, 7), &sample(1_000));
    assert_eq!((codes(&told), received(&told)), (vec!["9905".to_owned()], vec![]));
}
