//! What is refused leaves nothing but an audit event, and its message id can still be used.

use super::*;
use crate::house::caller;
use model::Failure;
use model::scan::{Scanner, Verdict};
use store::{MessageFilter, Page};

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_has_its_code_and_keeps_the_message_id() {
    on_beds(|bed| {
        let id = bed.boxes.create_message_id(&account(AUTHOR)).unwrap();
        let refused = |change: fn(&mut MetaData)| code(bed.try_send(&id, change));
        assert_eq!(refused(|meta| meta.author.id = OTHER.into()), 9014);
        assert_eq!(refused(|meta| meta.message_id = String::new()), 9020);
        assert_eq!(refused(|meta| meta.message_id = "urn:de:xta:messageid:x:1".into()), 9022);
        assert_eq!(refused(|meta| meta.reader.id = "bab:404".into()), 9022);
        assert_eq!(refused(|meta| meta.reader.id = "nobody".into()), 9022);
        assert_eq!(refused(|meta| meta.delivery.obsolete_after = "2020-01-01".parse().ok()), 9022);
        assert_eq!(refused(|meta| meta.delivery.not_before = "9999-01-01T00:00:00Z".parse().ok()), 9022);
        assert_eq!(refused(|meta| meta.in_reply_to = vec!["x".into(); 101]), 9022);
        assert_eq!(refused(|meta| meta.process_ref = Some("x".repeat(70_000))), 9023);
        let booked = Account { services: vec!["urn:another".into()], ..account(AUTHOR) };
        assert_eq!(code(send(&bed.boxes, &booked, &metadata(&id), &[])), 9013);
        let sync = bed.boxes.begin(&account(AUTHOR), &metadata(&id), Wish::Synchronous);
        assert_eq!(code(sync), 9080);
        assert_eq!(code(send(&bed.boxes, &account(AUTHOR), &metadata(&id), &[])), 9020, "no content");
        let broken = br#"{"toy": "0401", "broken": true}"#;
        let hidden = [(message("a"), b"text".as_slice()), (attachment("b"), broken)];
        assert_eq!(code(send(&bed.boxes, &account(AUTHOR), &metadata(&id), &hidden)), 9050);
        let large = [(message("a"), [0; 6_000].as_slice()), (attachment("b"), &[0; 4_001])];
        assert_eq!(code(send(&bed.boxes, &account(AUTHOR), &metadata(&id), &large)), 9023);
        nothing_is_left(bed);
        let fits = [(message("a"), [0; 6_000].as_slice()), (attachment("b"), &[0; 4_000])];
        send(&bed.boxes, &account(AUTHOR), &metadata(&id), &fits).unwrap();
    })
    .await;
}

/// A directory that cannot be asked.
struct NotThere;

#[async_trait::async_trait]
impl broker::directory::Registry for NotThere {
    async fn look_up(&self, _: &Authority) -> std::result::Result<Option<broker::directory::Entry>, Failure> {
        Err(Failure::transient("dvdv.unavailable", ""))
    }
}

/// Finds the word "virus", and nobody is there to look at the word "later".
struct Fake;

impl Scanner for Fake {
    fn scan(&self, content: &mut dyn Read, _: u64) -> std::result::Result<Verdict, Failure> {
        let mut text = String::new();
        content.read_to_string(&mut text).unwrap();
        match text.as_str() {
            "virus" => Ok(Verdict::Harmful),
            "later" => Err(Failure::transient("virus.unavailable", "")),
            _ => Ok(Verdict::Clean),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_harmful_content_is_refused_wherever_it_stands_and_its_id_may_be_used_again() {
    on_beds(|bed| {
        let screened = boxes(&bed.gateway.broker.clone().with_scanner(Arc::new(Fake)), true, true);
        let id = screened.create_message_id(&account(AUTHOR)).unwrap();
        let sent = |second: &'static [u8]| {
            let contents = [(message("a"), b"text".as_slice()), (attachment("b"), second)];
            code(send(&screened, &account(AUTHOR), &metadata(&id), &contents))
        };
        assert_eq!(sent(b"virus"), 9060);
        assert_eq!(sent(b"later"), 9030, "nobody has looked at it");
        nothing_is_left(bed);
        assert_eq!(sent(b"gesund"), 0);
    })
    .await;
}

/// Notes how long the contents are that it is shown.
#[derive(Default)]
struct Notes(std::sync::Mutex<Vec<u64>>);

impl Scanner for Notes {
    fn scan(&self, content: &mut dyn Read, length: u64) -> std::result::Result<Verdict, Failure> {
        let read = std::io::copy(content, &mut std::io::sink()).unwrap();
        assert_eq!(read, length);
        self.0.lock().unwrap().push(length);
        Ok(Verdict::Clean)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contents_are_shown_to_the_scanner_and_never_the_container_that_they_are_kept_in() {
    on_beds(|bed| {
        let notes = Arc::new(Notes::default());
        let broker = bed.gateway.broker.clone().with_scanner(notes.clone());
        let screened = boxes(&broker, false, true);
        let server = Account { delivers: true, ..account(OTHER) };
        let mut receiving = screened.deliver(&server, &metadata("urn:de:xta:messageid:elsewhere:1")).unwrap();
        receiving.content(0, &message("a.txt")).unwrap().write_all(b"Anbei").unwrap();
        receiving.content(1, &attachment("b.pdf")).unwrap().write_all(b"%PDF").unwrap();
        receiving.finish().unwrap();
        assert_eq!(*notes.0.lock().unwrap(), [5, 4]);
        let clerk = caller("soest", "63");
        let all = bed.wait(bed.gateway.broker.messages(&clerk, &MessageFilter::default(), &Page::first(9)));
        assert_eq!(all.items.len(), 1, "it is there");
    })
    .await;
}

fn nothing_is_left(bed: &Bed) {
    let clerk = caller("soest", "63");
    let all = bed.wait(bed.gateway.broker.messages(&clerk, &MessageFilter::default(), &Page::first(9)));
    assert!(all.items.is_empty() && bed.ids().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_id_is_good_for_one_message_of_the_party_that_it_was_issued_to() {
    on_beds(|bed| {
        let id = bed.boxes.create_message_id(&account(AUTHOR)).unwrap();
        let foreign = MetaData { author: party(OTHER), ..metadata(&id) };
        assert_eq!(code(send(&bed.boxes, &account(OTHER), &foreign, &[(message("a"), b"x")])), 9022);
        // Two that have both begun: one of them is refused at its end.
        let begin = || bed.boxes.begin(&account(AUTHOR), &metadata(&id), Wish::Asynchronous).unwrap();
        let (mut one, mut two) = (begin(), begin());
        for receiving in [&mut one, &mut two] {
            receiving.content(0, &message("a")).unwrap().write_all(b"x").unwrap();
        }
        assert_eq!((code(one.finish()), code(two.finish())), (0, 9024));
        // An answer that was lost: the same id again tells that the message is here.
        assert_eq!(code(bed.try_send(&id.to_uppercase(), |_| ())), 9024);
        assert_eq!(bed.ids(), std::slice::from_ref(&id));
        bed.close(&id).unwrap();
        assert_eq!(code(bed.try_send(&id, |_| ())), 9024);
        let late = bed.boxes.create_message_id(&account(AUTHOR)).unwrap();
        bed.clock.advance(24 * HOUR);
        assert_eq!(code(bed.try_send(&late, |_| ())), 9022, "its time is over");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_that_use_one_message_id_at_once_one_is_taken_in() {
    on_beds(|bed| {
        let id = bed.boxes.create_message_id(&account(AUTHOR)).unwrap();
        let codes: Vec<u16> = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..10).map(|_| scope.spawn(|| code(bed.try_send(&id, |_| ())))).collect();
            tries.into_iter().map(|tried| tried.join().unwrap()).collect()
        });
        assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
        assert!(codes.iter().all(|code| [0, 9024].contains(code)), "{codes:?}");
        assert_eq!(bed.ids().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_message_box_takes_more_once_something_is_closed() {
    on_beds(|bed| {
        let mut sent = vec![];
        for _ in 0..30 {
            sent.push(bed.send(|_| ()));
        }
        let id = bed.boxes.create_message_id(&account(AUTHOR)).unwrap();
        assert_eq!(code(bed.try_send(&id, |_| ())), 9032);
        bed.close(&sent[3]).unwrap();
        assert_eq!(code(bed.try_send(&id, |_| ())), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reader_offers_is_told_as_far_as_it_is_known() {
    on_beds(|bed| {
        let lookup = |from: &Account, reader: &str, service: &str| {
            bed.boxes.lookup(from, &party(reader), service).map(|it| it.is_available)
        };
        let here = soest().to_string();
        let booked = Account { services: vec!["urn:a".into()], ..account(AUTHOR) };
        // The authority offers urn:c, and nothing else.
        assert_eq!(lookup(&account(AUTHOR), &here, "urn:c").unwrap(), Some(true));
        assert_eq!(lookup(&account(AUTHOR), &here, "urn:b").unwrap(), Some(false));
        assert_eq!(lookup(&booked, &here, "urn:c").unwrap(), Some(false));
        assert_eq!(lookup(&booked, "niemand", "urn:a").unwrap(), None);
        assert_eq!(lookup(&booked, "bab:404", "urn:a").unwrap(), None);
        assert_eq!(code(lookup(&booked, &here, "kein URI")), 9021);
        let failing = bed.gateway.broker.clone().with_registry(Arc::new(NotThere));
        let failed = boxes(&failing, true, true).lookup(&booked, &party("bab:404"), "urn:a");
        assert_eq!(code(failed), 9031);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_request_that_has_come_whole_it_is_told_first_that_the_message_is_here() {
    on_beds(|bed| {
        let send = |meta: &MetaData, bytes: &[u8]| {
            let mut receiving = bed.boxes.begin_whole(&account(AUTHOR), meta)?;
            receiving.content(0, &message("a"))?.write_all(bytes)?;
            receiving.finish()
        };
        let unknown = metadata("urn:de:xta:messageid:amtsbote-kreis:nobody");
        assert_eq!(code(send(&unknown, b"Guten Tag")), 9022);
        let id = bed.boxes.create_message_id(&account(AUTHOR)).unwrap();
        let mut late = metadata(&id);
        late.delivery.obsolete_after = Some("2001-01-01".parse().unwrap());
        assert_eq!(code(send(&late, b"Guten Tag")), 9022);
        let broken = br#"{"toy": "0401", "broken": true}"#;
        assert_eq!(code(send(&metadata(&id), broken)), 9050);
        assert_eq!(code(send(&metadata(&id), b"Guten Tag")), 0);
        for (meta, bytes) in
            [(&late, b"Guten Tag".as_slice()), (&metadata(&id), broken), (&metadata(&id), b"")]
        {
            assert_eq!(code(send(meta, bytes)), 9024);
        }
        assert_eq!(bed.ids(), [id]);
    })
    .await;
}
