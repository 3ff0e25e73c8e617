//! Messages for an authority whose readers do not fetch by XTA: the gateway takes them in itself.

use super::*;
use crate::house::caller;
use model::{Id, MessageState};
use store::{ClarificationFilter, MessageFilter, Page};

fn sent(bed: &Bed, check: bool, contents: &[(Content, &[u8])], not_before: Option<Timestamp>) -> String {
    let boxes = boxes(&bed.gateway.broker, false, check);
    let id = boxes.create_message_id(&account(AUTHOR)).unwrap();
    let mut meta = metadata(&id);
    meta.delivery.not_before = not_before.and_then(written);
    send(&boxes, &account(AUTHOR), &meta, contents).unwrap();
    id
}

fn messages(bed: &Bed) -> Vec<model::Message> {
    bed.wait(bed.gateway.broker.run_due_jobs());
    let clerk = caller("soest", "63");
    bed.wait(bed.gateway.broker.messages(&clerk, &MessageFilter::default(), &Page::first(9))).items
}

fn toy() -> Vec<u8> {
    format!(r#"{{"toy": "0401", "process": "{}"}}"#, Id::now_v7()).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_that_a_standard_recognises_is_processed_and_the_report_follows() {
    on_beds(|bed| {
        let toy = toy();
        let id = sent(bed, true, &[(message("toy.json"), &toy)], None);
        assert_eq!(bed.status(&id), Status::Open);
        let [taken] = &messages(bed)[..] else { panic!() };
        assert_eq!((taken.state, taken.partner.as_str()), (MessageState::Processed, AUTHOR));
        assert_eq!(taken.file_name.as_deref(), Some("toy.json"));
        assert_eq!(taken.payload.as_ref().unwrap().size, toy.len() as u64);
        assert_eq!(code(bed.try_send(&id, |_| ())), 9024);
        assert_eq!(code(bed.boxes.report(&account(OTHER), &id)), 9070);
        let operator = caller("soest", "63");
        bed.wait(bed.gateway.broker.return_by_hand(&operator, taken.id, None, None, None));
        let report = bed.report(&id);
        assert_eq!((report.status, report.meta.message_id), (Status::Red, id));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_one_content_of_a_known_standard_waits_for_a_human_as_a_whole() {
    on_beds(|bed| {
        let toy = toy();
        let unknown = sent(bed, true, &[(message("a.txt"), b"Anbei"), (attachment("b.pdf"), b"%PDF")], None);
        // What stands beside a content that is understood is kept, too.
        let several = sent(bed, true, &[(message("a.txt"), b"Anbei"), (attachment("toy.json"), &toy)], None);
        let clerk = caller("soest", "63");
        let filter = ClarificationFilter::default();
        let found = bed.wait(bed.gateway.broker.clarifications(&clerk, &filter, &Page::first(9)));
        let mut rules: Vec<_> = found.items.iter().map(|it| it.rule.as_str()).collect();
        rules.sort_unstable();
        assert_eq!(rules, ["message.several-contents", "message.unknown"]);
        for waiting in messages(bed) {
            assert_eq!(
                (waiting.state, waiting.file_name.as_deref()),
                (MessageState::Parked, Some("xta.zip"))
            );
        }
        assert_eq!((bed.status(&unknown), bed.status(&several)), (Status::Open, Status::Open));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_form_twice_is_two_messages() {
    on_beds(|bed| {
        let form = [(message("a.txt"), b"Antrag".as_slice())];
        sent(bed, true, &form, None);
        sent(bed, true, &form, None);
        assert_eq!(messages(bed).len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_message_is_one_and_a_message_for_several_is_refused() {
    on_beds(|bed| {
        let (toy, boxes) = (toy(), boxes(&bed.gateway.broker, false, true));
        let id = boxes.create_message_id(&account(AUTHOR)).unwrap();
        let test = MetaData { is_test: true, ..metadata(&id) };
        send(&boxes, &account(AUTHOR), &test, &[(message("toy"), &toy)]).unwrap();
        assert!(messages(bed)[0].test);
        let copied = MetaData { cc_readers: vec![test.reader.clone()], ..metadata(&id) };
        assert_eq!(code(send(&boxes, &account(AUTHOR), &copied, &[(message("toy"), &toy)])), 9022);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_standard_refuses_goes_back() {
    on_beds(|bed| {
        let id = sent(bed, false, &[(message("toy"), br#"{"toy": "0401", "broken": true}"#)], None);
        assert_eq!(messages(bed)[0].state, MessageState::Returned);
        assert_eq!(bed.status(&id), Status::Red);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_message_under_two_ids_is_one_and_both_are_told_of_it() {
    on_beds(|bed| {
        let toy = toy();
        let first = sent(bed, true, &[(message("toy"), &toy)], None);
        let second = sent(bed, true, &[(message("toy"), &toy)], None);
        assert_eq!(messages(bed).len(), 1);
        for id in [first, second] {
            let report = bed.report(&id);
            assert_eq!((report.status, report.meta.message_id), (Status::Open, id));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_due_yet_is_not_processed_and_can_be_taken_back() {
    on_beds(|bed| {
        // On PostgreSQL it is the server's clock that makes jobs due.
        let at = Timestamp::from_micros(model::SystemClock.now().micros()).plus(2 * HOUR);
        let id = sent(bed, true, &[(message("toy"), &toy())], Some(at));
        assert_eq!(messages(bed)[0].state, MessageState::Accepted);
        assert_eq!(code(bed.boxes.cancel(&account(OTHER), &id)), 9022);
        bed.boxes.cancel(&account(AUTHOR), &id).unwrap();
        bed.boxes.cancel(&account(AUTHOR), &id).unwrap();
        assert_eq!((messages(bed)[0].state, bed.status(&id)), (MessageState::Returned, Status::Red));
        let at_once = sent(bed, true, &[(message("toy"), &toy())], None);
        assert_eq!(code(bed.boxes.cancel(&account(AUTHOR), &at_once)), 9101);
    })
    .await;
}
