//! Looking through a message box: selectors, iterators, counts, and that nobody sees what is another's.

use super::*;
use ::xta::server::backend::NoMatch;

#[tokio::test(flavor = "multi_thread")]
async fn all_conditions_of_a_selector_hold_together() {
    on_beds(|bed| {
        let mut sent = vec![];
        for number in 0..4 {
            let related = format!("urn:X:{}", number / 2);
            sent.push(bed.send(|meta| meta.in_reply_to = vec!["urn:other".into(), related]));
            bed.clock.advance(HOUR);
        }
        let at = |hours: u32| {
            let micros = bed.clock.now().micros() - (HOUR * hours).as_micros() as i64;
            written(Timestamp::from_micros(micros))
        };
        bed.fetch(&sent[1]).unwrap();
        let found = |selector: &Selector| -> Vec<usize> {
            let listed = ids(&bed.list(selector, None));
            listed.iter().map(|id| sent.iter().position(|it| it == id).unwrap()).collect()
        };
        let all = Selector::default();
        let two = Selector { message_ids: vec![sent[2].to_uppercase(), sent[1].clone()], ..all.clone() };
        let related = Selector { relates_to: vec!["URN:x:1".into(), "urn:none".into()], ..all.clone() };
        let between = Selector { from: at(3), to: at(2), ..all.clone() };
        let new = Selector { is_new: Some(true), ..all.clone() };
        let not_new = Selector { is_new: Some(false), ..all.clone() };
        let both = Selector { relates_to: vec!["urn:x:0".into()], is_new: Some(true), ..all.clone() };
        let cases = [
            (&all, vec![0, 1, 2, 3]),
            (&two, vec![1, 2]),
            (&related, vec![2, 3]),
            (&between, vec![1, 2]),
            (&new, vec![0, 2, 3]),
            (&not_new, vec![0, 1, 2, 3]),
            (&both, vec![0]),
        ];
        for (selector, expected) in cases {
            assert_eq!(found(selector), expected, "{selector:?}");
        }
        assert_eq!(found(&by_id("urn:none")), Vec::<usize>::new());
        let many = Selector { message_ids: vec!["x".into(); 101], ..all };
        assert_eq!(bed.list(&many, None).position.rest, Rest::Nothing(NoMatch::SearchArgs));
        assert_eq!(code(bed.boxes.fetch(&reader(), &many)), 9022);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_iterator_goes_on_behind_what_was_given_and_counts_what_is_left() {
    on_beds(|bed| {
        let mut sent = vec![];
        for _ in 0..7 {
            sent.push(bed.send(|_| ()));
        }
        let mut listed = bed.list(&Selector { is_new: Some(true), ..Selector::default() }, Some(3));
        let mut seen = ids(&listed);
        let mut left = vec![pending(listed.position.rest)];
        let first = listed.position.iterator.clone();
        while pending(listed.position.rest) > 0 {
            listed = bed.boxes.list_on(&reader(), &listed.position.iterator).unwrap();
            seen.extend(ids(&listed));
            left.push(pending(listed.position.rest));
        }
        assert_eq!(left, [4, 1, 0]);
        let mut in_order = sent.clone();
        in_order.sort_unstable_by_key(|id| seen.iter().position(|it| it == id));
        assert_eq!((seen.len(), &in_order), (7, &seen), "each once");
        let end = bed.boxes.list_on(&reader(), &listed.position.iterator).unwrap();
        assert_eq!(end.position.rest, Rest::Nothing(NoMatch::NoMatch));
        // The same place again gives the same; what was closed is not counted any more.
        bed.close(&seen[6]).unwrap();
        let again = bed.boxes.list_on(&reader(), &first).unwrap();
        assert_eq!((ids(&again), pending(again.position.rest)), (seen[3..6].to_vec(), 0));
        for iterator in ["1", "", "urn:amtsbote:box:AAAA"] {
            let unknown = bed.boxes.list_on(&reader(), iterator).unwrap();
            assert_eq!(unknown.position.rest, Rest::Nothing(NoMatch::RequestId), "{iterator}");
            assert_eq!(code(bed.boxes.fetch_on(&reader(), iterator, &[])), 9070);
        }
        assert_eq!(bed.list(&Selector::default(), Some(u32::MAX)).entries.len(), 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_fetched_one_after_the_other_and_closed_on_the_way() {
    on_beds(|bed| {
        for _ in 0..3 {
            bed.send(|_| ());
        }
        let first = bed.boxes.fetch(&reader(), &Selector::default()).unwrap();
        assert_eq!(pending(first.position.rest), 2);
        let received = [first.meta.message_id.clone()];
        let second = bed.boxes.fetch_on(&reader(), &first.position.iterator, &received).unwrap();
        assert_eq!((pending(second.position.rest), bed.status(&received[0])), (1, Status::Green));
        let foreign = ["urn:none".to_owned()];
        assert_eq!(code(bed.boxes.fetch_on(&reader(), &second.position.iterator, &foreign)), 9070);
        let third = bed.boxes.fetch_on(&reader(), &second.position.iterator, &[]).unwrap();
        assert_eq!(pending(third.position.rest), 0);
        let rest = [second.meta.message_id, third.meta.message_id];
        let none = bed.boxes.fetch_on(&reader(), &third.position.iterator, &rest);
        assert_eq!((code(none), bed.ids().len()), (9070, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_s_message_is_as_if_it_were_not_there() {
    on_beds(|bed| {
        let id = bed.send(|_| ());
        let cursor = bed.list(&Selector::default(), None).position.iterator;
        for stranger in [account(OTHER), account(AUTHOR), Account { tenant: "unna".into(), ..reader() }] {
            let listed = bed.boxes.list(&stranger, &Selector::default(), None).unwrap();
            assert_eq!(listed.position.rest, Rest::Nothing(NoMatch::NoMatch));
            assert!(bed.boxes.list_on(&stranger, &cursor).unwrap().entries.is_empty());
            assert_eq!(code(bed.boxes.fetch(&stranger, &by_id(&id))), 9070);
            assert_eq!(code(bed.boxes.close(&stranger, std::slice::from_ref(&id), "1")), 9070);
            if stranger.party.as_str() != AUTHOR {
                assert_eq!(code(bed.boxes.report(&stranger, &id)), 9070);
            }
        }
        assert_eq!((bed.status(&id), bed.ids()), (Status::Open, vec![id]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_are_closed_together_or_not_at_all() {
    on_beds(|bed| {
        let sent = [bed.send(|_| ()), bed.send(|_| ())];
        let with_foreign = [sent[0].clone(), "urn:none".into(), sent[1].clone()];
        assert_eq!(code(bed.boxes.close(&reader(), &with_foreign, "1")), 9070);
        assert_eq!(bed.ids().len(), 2);
        let twice = [sent[1].clone(), sent[0].to_uppercase(), sent[1].clone()];
        bed.boxes.close(&reader(), &twice, "whatever").unwrap();
        assert_eq!(bed.ids().len(), 0);
        bed.boxes.close(&reader(), &[], "1").unwrap();
    })
    .await;
}
