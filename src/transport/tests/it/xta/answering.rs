//! Synchronous services, and messages that another server delivers.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::xta::client::Sink;
use broker::house::XtaReader;
use model::{Failure, MessageState};
use store::{MessageFilter, Page};

use transport::xta::{Question, Readers};

use crate::house::caller;

const SERVICE: &str = "urn:service";

/// Message boxes whose reader answers within this many seconds.
fn answering(bed: &Bed, within_seconds: u32, change: fn(&mut XtaReader)) -> Boxes {
    let key = ("soest".to_owned(), soest());
    let mut reader =
        XtaReader { within_seconds, only_synchronous: vec![], only_asynchronous: vec![], server: None };
    change(&mut reader);
    let (fetching, readers) = (BTreeSet::from([key.clone()]), BTreeMap::from([(key, reader)]));
    Boxes::new(&bed.gateway.broker, BoxSettings { fetching, readers, ..settings() })
}

/// Sends a question and waits for the answer.
fn ask(boxes: &Boxes, id: &str) -> Result<(MetaData, Vec<u8>)> {
    let mut receiving = boxes.begin(&account(AUTHOR), &metadata(id), Wish::Synchronous)?;
    receiving.content(0, &message("frage.txt"))?.write_all(b"Frage")?;
    let reply = receiving.finish()?.unwrap();
    let mut bytes = vec![];
    reply.contents.open(0)?.read_to_end(&mut bytes)?;
    Ok((reply.meta, bytes))
}

/// The reader answers a message.
fn answer(boxes: &Boxes, id: &str) -> Result<String> {
    let own = boxes.create_message_id(&reader())?;
    let meta = MetaData {
        author: party(soest().as_str()),
        reader: party(AUTHOR),
        in_reply_to: vec![id.to_uppercase()],
        ..metadata(&own)
    };
    send(boxes, &reader(), &meta, &[(message("antwort.txt"), b"Antwort")])?;
    Ok(own)
}

/// Waits until the reader sees a message, which it fetches.
fn await_question(boxes: &Boxes, id: &str) {
    while boxes.fetch(&reader(), &by_id(id)).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_waits_for_the_answer_that_the_reader_gives_at_another_node() {
    on_beds(|bed| {
        let (here, there) = (answering(bed, 60, |_| ()), answering(bed, 60, |_| ()));
        let id = here.create_message_id(&account(AUTHOR)).unwrap();
        let (asked, own) = std::thread::scope(|scope| {
            let answered = scope.spawn(|| {
                await_question(&there, &id);
                answer(&there, &id).unwrap()
            });
            (ask(&here, &id).unwrap(), answered.join().unwrap())
        });
        assert_eq!((asked.0.message_id, asked.1), (own.clone(), b"Antwort".to_vec()));
        assert_eq!(asked.0.in_reply_to, [id.to_uppercase()]);
        // An answer that was lost on its way: the id is used, and the report tells that the reader has it.
        assert_eq!(code(ask(&here, &id)), 9024);
        assert_eq!(here.report(&account(AUTHOR), &id).unwrap().status, Status::Green);
        assert_eq!(here.report(&reader(), &own).unwrap().status, Status::Green, "the answer is closed");
        assert!(ids(&here.list(&account(AUTHOR), &Selector::default(), None).unwrap()).is_empty());
        assert_eq!(code(bed.boxes.report(&account(OTHER), &own)), 9070);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_nobody_answers_in_time_has_come_to_nothing() {
    on_beds(|bed| {
        let boxes = answering(bed, 1, |_| ());
        let id = boxes.create_message_id(&account(AUTHOR)).unwrap();
        assert_eq!(code(ask(&boxes, &id)), 9032);
        let report = boxes.report(&account(AUTHOR), &id).unwrap();
        assert_eq!(report.status, Status::Red);
        assert_eq!(report.records.last().unwrap().reason, "message.not-answered");
        assert_eq!(code(ask(&boxes, &id)), 9024);
        // Too late: the author is no reader of this house, and does not wait any more.
        assert_eq!(code(answer(&boxes, &id)), 9022);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_reader_of_a_synchronous_message_answers_an_author_elsewhere() {
    on_beds(|bed| {
        let boxes = answering(bed, 60, |_| ());
        let plain = bed.send(|_| ());
        assert_eq!(code(answer(&boxes, &plain)), 9022, "nobody waits for an answer to this one");
        let id = boxes.create_message_id(&account(AUTHOR)).unwrap();
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| ask(&boxes, &id).unwrap());
            await_question(&boxes, &id);
            let own = boxes.create_message_id(&account(OTHER)).unwrap();
            let foreign = MetaData {
                author: party(OTHER),
                reader: party(AUTHOR),
                in_reply_to: vec![id.clone()],
                ..metadata(&own)
            };
            let refused = send(&boxes, &account(OTHER), &foreign, &[(message("x"), b"x")]);
            assert_eq!(code(refused), 9022);
            let to_other = MetaData {
                author: party(soest().as_str()),
                reader: party(OTHER),
                in_reply_to: vec![id.clone()],
                ..metadata(&boxes.create_message_id(&reader()).unwrap())
            };
            assert_eq!(code(send(&boxes, &reader(), &to_other, &[(message("x"), b"x")])), 9022);
            answer(&boxes, &id).unwrap();
            assert_eq!(asked.join().unwrap().1, b"Antwort");
        });
    })
    .await;
}

/// What the server of a reader does.
#[derive(Clone, Copy)]
enum Does {
    Answer,
    /// It answers with something that is not taken.
    Refused,
    Nothing,
    Fail,
}

/// The server of the reader, and how often it was asked.
struct Server(Does, AtomicUsize);

impl Readers for Server {
    fn has(&self, tenant: &str, reader: &Authority) -> bool {
        (tenant, reader) == ("soest", &soest())
    }

    fn ask(&self, question: &Question<'_>, sink: &mut dyn Sink) -> Result<Option<MetaData>, Failure> {
        self.1.fetch_add(1, Ordering::Relaxed);
        let mut bytes = vec![];
        question.contents.open(0).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!((bytes.as_slice(), question.within), (b"Frage".as_slice(), Duration::from_secs(2)));
        match self.0 {
            Does::Fail => Err(Failure::transient("xta-party.no-answer", "")),
            Does::Nothing => Ok(None),
            Does::Refused => {
                let broken = br#"{"toy": "0401", "broken": true}"#;
                sink.content(0, &message("antwort")).unwrap().write_all(broken).unwrap();
                Ok(Some(metadata("urn:elsewhere:8")))
            }
            Does::Answer => {
                sink.content(0, &message("antwort.txt")).unwrap().write_all(b"Sofort").unwrap();
                let meta = metadata("urn:elsewhere:7");
                // Whom it is from and for is not for it to say.
                Ok(Some(MetaData { subject: Some("Auskunft".into()), reader: party(OTHER), ..meta }))
            }
        }
    }
}

fn asking(bed: &Bed, does: Does) -> (Boxes, Arc<Server>) {
    let server = Arc::new(Server(does, AtomicUsize::new(0)));
    (answering(bed, 2, |_| ()).with_readers(server.clone()), server)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_s_own_server_is_asked_once_and_its_answer_is_the_answer() {
    on_beds(|bed| {
        let (boxes, server) = asking(bed, Does::Answer);
        let id = boxes.create_message_id(&account(AUTHOR)).unwrap();
        let (meta, bytes) = ask(&boxes, &id).unwrap();
        assert_eq!(bytes, b"Sofort");
        assert_eq!((meta.author.id.as_str(), meta.reader.id.as_str()), (soest().as_str(), AUTHOR));
        assert_eq!((meta.subject.as_deref(), meta.in_reply_to.len()), (Some("Auskunft"), 1));
        assert!(meta.properties.iter().any(|(_, value)| value == "urn:elsewhere:7"));
        assert_eq!(boxes.report(&account(AUTHOR), &id).unwrap().status, Status::Green);
        assert_eq!(code(ask(&boxes, &id)), 9024);
        assert_eq!(server.1.load(Ordering::Relaxed), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_answer_is_no_fault_of_the_sender() {
    on_beds(|bed| {
        let (boxes, server) = asking(bed, Does::Refused);
        let id = boxes.create_message_id(&account(AUTHOR)).unwrap();
        assert_eq!(code(ask(&boxes, &id)), 9032, "of its own message it would be 9050");
        assert_eq!(boxes.report(&account(AUTHOR), &id).unwrap().status, Status::Red);
        assert_eq!(server.1.load(Ordering::Relaxed), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_s_own_server_that_fails_is_not_asked_again() {
    on_beds(|bed| {
        let (boxes, server) = asking(bed, Does::Fail);
        let id = boxes.create_message_id(&account(AUTHOR)).unwrap();
        assert_eq!(code(ask(&boxes, &id)), 9032);
        assert_eq!(boxes.report(&account(AUTHOR), &id).unwrap().status, Status::Red);
        assert_eq!(code(ask(&boxes, &id)), 9024);
        assert_eq!(server.1.load(Ordering::Relaxed), 1);
        let plain = boxes.create_message_id(&account(AUTHOR)).unwrap();
        let sent = send(&boxes, &account(AUTHOR), &metadata(&plain), &[(message("a"), b"x")]);
        assert_eq!((code(sent), server.1.load(Ordering::Relaxed)), (0, 1), "nobody waits for this one");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_whose_server_answers_with_nothing_answers_by_a_message() {
    on_beds(|bed| {
        let (boxes, server) = asking(bed, Does::Nothing);
        let id = boxes.create_message_id(&account(AUTHOR)).unwrap();
        let (_, bytes) = std::thread::scope(|scope| {
            scope.spawn(|| {
                await_question(&boxes, &id);
                answer(&boxes, &id).unwrap()
            });
            ask(&boxes, &id).unwrap()
        });
        assert_eq!((bytes, server.1.load(Ordering::Relaxed)), (b"Antwort".to_vec(), 1));
        let silent = boxes.create_message_id(&account(AUTHOR)).unwrap();
        assert_eq!((code(ask(&boxes, &silent)), server.1.load(Ordering::Relaxed)), (9032, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_offered_in_one_way_is_refused_in_the_other() {
    on_beds(|bed| {
        let only_sync = answering(bed, 1, |reader| reader.only_synchronous = vec![SERVICE.into()]);
        let only_async = answering(bed, 1, |reader| reader.only_asynchronous = vec![SERVICE.into()]);
        let id = bed.boxes.create_message_id(&account(AUTHOR)).unwrap();
        let contents = [(message("a"), b"x".as_slice())];
        assert_eq!(code(send(&only_sync, &account(AUTHOR), &metadata(&id), &contents)), 9081);
        assert_eq!(code(ask(&only_async, &id)), 9080);
        assert_eq!(code(ask(&bed.boxes, &id)), 9080);
        let other = MetaData { service: "urn:other".into(), ..metadata(&id) };
        assert_eq!(code(send(&only_sync, &account(AUTHOR), &other, &contents)), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_delivers_is_an_arrival_of_its_author_and_once_more_the_same() {
    on_beds(|bed| {
        let server = Account { delivers: true, ..account(OTHER) };
        let deliver = |from: &Account, change: fn(&mut MetaData)| -> Result<()> {
            let mut meta = metadata("urn:de:xta:messageid:elsewhere:1");
            change(&mut meta);
            let mut receiving = bed.boxes.deliver(from, &meta)?;
            receiving.content(0, &message("a.txt"))?.write_all(b"Guten Tag")?;
            assert!(receiving.finish()?.is_none(), "nothing is answered");
            Ok(())
        };
        assert_eq!(code(deliver(&account(OTHER), |_| ())), 9014, "it delivers what is its own only");
        assert_eq!(code(deliver(&server, |meta| meta.reader.id = "bab:404".into())), 9022);
        assert_eq!(code(deliver(&server, |meta| meta.author.id = "?".into())), 9022);
        deliver(&server, |_| ()).unwrap();
        deliver(&server, |_| ()).unwrap();
        let clerk = caller("soest", "63");
        let all = bed.wait(bed.gateway.broker.messages(&clerk, &MessageFilter::default(), &Page::first(9)));
        let [arrived] = &all.items[..] else { panic!("{} messages", all.items.len()) };
        assert_eq!((arrived.partner.as_str(), arrived.state), (AUTHOR, MessageState::Parked));
        assert!(bed.ids().is_empty());
    })
    .await;
}
