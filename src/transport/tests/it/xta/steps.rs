//! A message's way: sent, listed, fetched, closed, and what its author is told at each step.

use std::process::Command;

use super::*;
use crate::house::caller;
use ::xta::server::backend::NoMatch;
use model::{EventKind, MessageState};
use store::{MessageFilter, Page};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_listed_fetched_and_closed_and_its_author_sees_each_step() {
    on_beds(|bed| {
        let id = bed.send(|_| ());
        assert!(id.starts_with("urn:de:xta:messageid:Amtsbote-Kreis:"), "{id}");
        let report = bed.report(&id);
        assert_eq!((report.status, report.records.len()), (Status::Open, 1));
        assert_eq!(report.server, "Amtsbote-Kreis");
        assert_eq!(report.meta.message_id, id);

        let listed = bed.list(&Selector::default(), None);
        assert_eq!((ids(&listed), pending(listed.position.rest)), (vec![id.clone()], 0));
        assert_eq!(listed.entries[0].size, Some(9));
        assert_eq!(listed.entries[0].delivery.initial_fetch, None);

        bed.clock.advance(HOUR);
        let first = bed.clock.now();
        // Compared without regard to case.
        let fetched = bed.fetch(&id.to_uppercase()).unwrap();
        assert_eq!(fetched.contents.list(), [(message("brief.txt"), 9)]);
        assert_eq!(bytes(&fetched, 0), b"Guten Tag");
        assert_eq!(fetched.meta.delivery.initial_fetch, written(first));
        bed.clock.advance(HOUR);
        assert_eq!(bed.fetch(&id).unwrap().meta.delivery.initial_fetch, written(first), "the first counts");
        assert_eq!((bed.status(&id), bed.ids().len()), (Status::Open, 1), "fetching changes nothing else");

        let closed = bed.clock.now();
        bed.close(&id).unwrap();
        bed.clock.advance(HOUR);
        bed.close(&id).unwrap();
        let report = bed.report(&id);
        assert_eq!((report.status, report.records.len()), (Status::Green, 3));
        assert_eq!(report.meta.delivery.reception, written(closed), "the first counts");
        assert_eq!(bed.list(&Selector::default(), None).position.rest, Rest::Nothing(NoMatch::NoMatch));
        assert_eq!(code(bed.fetch(&id)), 9070);
        assert_eq!(bed.boxes.report(&reader(), &id).unwrap().status, Status::Green);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_an_event_and_the_message_ends_confirmed() {
    on_beds(|bed| {
        let id = bed.send(|_| ());
        bed.fetch(&id).unwrap();
        bed.close(&id).unwrap();
        let clerk = caller("soest", "63");
        let all = bed.wait(bed.gateway.broker.messages(&clerk, &MessageFilter::default(), &Page::first(9)));
        let [message] = &all.items[..] else { panic!("{} messages", all.items.len()) };
        assert_eq!((message.state, message.partner.as_str()), (MessageState::Confirmed, AUTHOR));
        let timeline = bed.wait(bed.gateway.broker.message_timeline(&clerk, message.id, &Page::first(9)));
        let kinds: Vec<_> = timeline.into_iter().map(|(_, event)| event.kind).collect();
        use EventKind::{MessageAccepted, MessageConfirmed, MessageDelivered};
        assert_eq!(kinds, [MessageAccepted, MessageDelivered, MessageConfirmed]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_come_back_in_their_order_whatever_order_they_came_in() {
    on_beds(|bed| {
        let id = bed.boxes.create_message_id(&account(AUTHOR)).unwrap();
        let mut receiving = bed.boxes.begin(&account(AUTHOR), &metadata(&id), Wish::Asynchronous).unwrap();
        let contents = [
            (2, attachment("../b.pdf"), b"zwei".as_slice()),
            (0, message("a.xml"), b"null"),
            (1, attachment("../b.pdf"), b""),
        ];
        for (index, content, bytes) in &contents {
            receiving.content(*index, content).unwrap().write_all(bytes).unwrap();
        }
        receiving.finish().unwrap();
        let fetched = bed.fetch(&id).unwrap();
        let names: Vec<_> = fetched
            .contents
            .list()
            .iter()
            .map(|(it, length)| (it.file_name.clone().unwrap(), *length))
            .collect();
        assert_eq!(names, [("a.xml".into(), 4), ("../b.pdf".into(), 0), ("../b.pdf".into(), 4)]);
        assert_eq!(
            [bytes(&fetched, 0), bytes(&fetched, 1), bytes(&fetched, 2)],
            [b"null".to_vec(), vec![], b"zwei".to_vec()]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_a_zip_that_others_can_take_apart() {
    on_beds(|bed| {
        let id = bed.send(|_| ());
        let member = Caller {
            actor: Actor { kind: "partner".into(), id: format!("xta:{}", soest()) },
            ..reader().caller
        };
        let filter = broker::BoxFilter { mailbox: &member.actor.id, ..Default::default() };
        let relay = bed.gateway.broker.relay();
        let found = bed.wait(relay.entries(&member, &filter, 1)).remove(0);
        let payload = bed.wait(relay.content(&member, found.message));
        let mut zip = vec![];
        payload.blocking().read_to_end(&mut zip).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), zip).unwrap();
        let read = "import sys, json, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                    print(z.namelist(), z.read('00000-brief.txt'), json.loads(z.read('xta.json'))[0]['length'])";
        let python = Command::new("python3").args(["-c", read]).arg(file.path()).output().unwrap();
        let said = String::from_utf8_lossy(&python.stdout).into_owned();
        assert_eq!(said.trim(), "['00000-brief.txt', 'xta.json'] b'Guten Tag' 9", "{}", String::from_utf8_lossy(&python.stderr));
        assert!(id.len() <= 100);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_its_moment_is_not_in_the_box_and_can_be_taken_back() {
    on_beds(|bed| {
        let at = bed.in_hours(2);
        let later = |meta: &mut MetaData| meta.delivery.not_before = written(at);
        let [kept, taken] = [bed.send(later), bed.send(later)];
        assert_eq!(bed.ids(), Vec::<String>::new());
        assert_eq!(code(bed.fetch(&kept)), 9070);
        assert_eq!(code(bed.close(&kept)), 9070);
        assert_eq!(code(bed.boxes.report(&reader(), &kept)), 9070);
        let report = bed.report(&kept);
        assert_eq!((report.status, report.meta.delivery.delivery), (Status::Open, None));
        let cancel = |id: &str| code(bed.boxes.cancel(&account(AUTHOR), id));
        assert_eq!(cancel(&taken), 0);
        assert_eq!(cancel(&taken), 0, "once more changes nothing");
        assert_eq!(bed.status(&taken), Status::Red);
        assert_eq!(code(bed.boxes.cancel(&account(OTHER), &kept)), 9022);
        assert_eq!(cancel("urn:de:xta:messageid:x:1"), 9022);
        bed.clock.advance(2 * HOUR);
        assert_eq!(bed.ids(), std::slice::from_ref(&kept));
        assert_eq!(bed.report(&kept).meta.delivery.delivery, written(at));
        assert_eq!(cancel(&kept), 9100);
        let at_once = bed.send(|_| ());
        assert_eq!(cancel(&at_once), 9101);
        // Whoever looks for what is new since then finds it: it entered the box at its moment.
        let since = Selector { from: written(at), ..Selector::default() };
        assert_eq!(ids(&bed.list(&since, None)), [kept, at_once]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_fetches_in_time_comes_to_nothing() {
    on_beds(|bed| {
        let day: Timestamp = bed.in_hours(48);
        let date = day.to_string()[..10].to_owned();
        let later = bed.in_hours(44);
        let short = bed.send(|_| ());
        let ahead = bed.send(|meta| meta.delivery.not_before = written(later));
        let obsolete = bed.send(|meta| {
            meta.delivery.not_before = written(later);
            meta.delivery.obsolete_after = date.parse().ok();
        });
        bed.clock.advance(10 * HOUR);
        bed.wait(bed.gateway.broker.expire_due());
        let report = bed.report(&short);
        assert_eq!((report.status, report.records.len()), (Status::Red, 2));
        assert_eq!(report.records[1].reason, "message.expired");
        assert_eq!(code(bed.fetch(&short)), 9070);
        assert_eq!((bed.status(&ahead), bed.status(&obsolete)), (Status::Open, Status::Open));
        bed.clock.advance(44 * HOUR);
        bed.wait(bed.gateway.broker.expire_due());
        assert_eq!(bed.status(&ahead), Status::Red);
    })
    .await;
}
