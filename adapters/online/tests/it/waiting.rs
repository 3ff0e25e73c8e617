//! What may pass is waited for: it is never rejected, keeps no other waiting, and becomes a clerk's task after some days.

use std::time::Duration;

use model::FailureKind;
use serde_json::{Value, json};

use crate::bed::{Bed, Draft, private, public};

const A_MINUTE: Duration = Duration::from_secs(61);

fn numbered(number: usize) -> Draft {
    Draft { id: format!("00000000-0000-4000-8000-00000000000{number}"), ..Draft::new() }
}

#[tokio::test]
async fn those_that_the_service_cannot_serve_keep_no_other_waiting() {
    let bed = Bed::new().await;
    for number in 1..=5 {
        let draft = numbered(number);
        if number < 5 {
            bed.service.known().broken.insert(draft.id.clone());
        }
        bed.put(draft.made());
    }
    // Three in a row may mean the service itself.
    assert_eq!(bed.run().await.unwrap_err().code, "fit.unavailable");
    assert_eq!((bed.service.known().downloads, bed.desk.letters().len()), (3, 0));
    // Next time those come first that nothing is known of.
    bed.run().await.unwrap_err();
    assert_eq!(bed.desk.letters().len(), 1);
    bed.run_for_days(4).await;
    let tasks = bed.tasks();
    assert_eq!(tasks.len(), 4, "each is told of");
    assert!(tasks.iter().all(|title| title.contains("fit.unavailable")));
    assert_eq!(bed.service.known().events.len(), 1);
}

#[tokio::test]
async fn those_that_failed_before_are_tried_in_turn() {
    let bed = Bed::new().await;
    for number in 1..=4 {
        let draft = numbered(number);
        if number < 4 {
            bed.service.known().broken.insert(draft.id.clone());
        }
        bed.put(draft.made());
    }
    // The last one failed once, since its event came late.
    let mut late = numbered(4).made();
    let log = std::mem::take(&mut late.log);
    bed.put(late.clone());
    for _ in 0..2 {
        bed.run().await.unwrap_err();
        bed.later(A_MINUTE);
    }
    late.log = log;
    bed.put(late);
    for _ in 0..2 {
        bed.run().await.unwrap_err();
        bed.later(A_MINUTE);
    }
    assert_eq!(bed.desk.letters().len(), 1);
}

#[tokio::test]
async fn answers_that_are_not_taken_keep_nothing_waiting() {
    let bed = Bed::new().await;
    for number in 1..=5 {
        if number < 5 {
            bed.service.known().deaf.insert(numbered(number).id);
        }
        bed.put(numbered(number).made());
    }
    for _ in 0..3 {
        bed.run().await.unwrap_err();
        bed.later(A_MINUTE);
    }
    assert_eq!(bed.desk.letters().len(), 5);
    assert_eq!(bed.service.known().events.len(), 1);
    // One answer behind three others is not held up either.
    bed.service.known().deaf.remove(&numbered(4).id);
    for _ in 0..2 {
        bed.run().await.unwrap_err();
        bed.later(A_MINUTE);
    }
    assert_eq!(bed.service.known().events.len(), 2);
}

#[tokio::test]
async fn a_destination_that_cannot_be_read_becomes_a_task() {
    let bed = Bed::new().await;
    bed.put(Draft::new().made());
    bed.service.known().destination = json!({ "publicServices": [{ "identifier": 7 }] });
    assert_eq!(bed.run().await.unwrap_err().code, "fit.not-understood");
    bed.run_for_days(4).await;
    let tasks = bed.tasks();
    assert_eq!(tasks.len(), 1);
    assert!(tasks[0].starts_with("fit.not-taken: FIT-Connect ist seit 3 Tagen nicht erreichbar"));
}

#[tokio::test]
async fn a_key_that_the_service_has_begun_to_use_is_found_by_the_next_look() {
    let bed = Bed::new().await;
    bed.put(numbered(1).made());
    bed.run().await.unwrap();
    let new = Draft { signer: private("destination_signature_private"), ..numbered(2) };
    bed.put(new.made());
    // Without `key_ops`, as RFC 7517 allows.
    let mut key = public("destination_signature_public").to_json().unwrap();
    key.as_object_mut().unwrap().remove("key_ops");
    key["use"] = json!("sig");
    bed.service.known().keys = json!({ "keys": [key] });
    let failure = bed.run().await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Transient, "fit.no-event"));
    bed.later(A_MINUTE);
    bed.run().await.unwrap();
    assert_eq!(bed.desk.letters().len(), 2);
}

#[tokio::test]
async fn an_event_that_is_not_in_the_log_yet_is_waited_for() {
    let bed = Bed::new().await;
    let mut waits = Draft::new().made();
    let log = std::mem::take(&mut waits.log);
    bed.put(waits.clone());
    assert_eq!(bed.run().await.unwrap_err().code, "fit.no-event");
    waits.log = log;
    bed.put(waits);
    bed.run().await.unwrap();
    assert_eq!((bed.desk.letters().len(), bed.told().len()), (1, 1));
}

#[tokio::test]
async fn what_nobody_can_judge_yet_becomes_a_task_and_is_never_rejected() {
    let spoils: [fn(&mut Draft); 8] = [
        |it| it.signer = private("destination_signature_private"),
        |it| it.typ = "JWT",
        |it| it.spoil_claims = |c: &mut Value| c["iss"] = json!(crate::bed::DESTINATION),
        |it| it.spoil_claims = |c| c["iss"] = json!("https://example.org"),
        |it| it.spoil_claims = |c| c["iat"] = json!(4_000_000_000_i64),
        |it| it.spoil_claims = |c| c["$schema"] = json!("https://example.org/set.json"),
        |it| it.spoil_claims = |c| c["sub"] = json!("submission:00000000-0000-4000-8000-000000000000"),
        |it| it.spoil_claims = |c| c["events"] = json!({}),
    ];
    for (number, spoil) in spoils.into_iter().enumerate() {
        let bed = Bed::new().await;
        let mut draft = Draft::new();
        spoil(&mut draft);
        bed.put(draft.made());
        bed.run_for_days(4).await;
        assert!(bed.told().is_empty() && bed.desk.letters().is_empty(), "{number}");
        let tasks = bed.tasks();
        assert_eq!(tasks.len(), 1, "{number}");
        assert!(tasks[0].contains("(fit.no-event)"), "{number}: {}", tasks[0]);
    }
}

#[tokio::test]
async fn a_clock_that_is_slow_rejects_nothing() {
    let bed = Bed::new().await;
    let ahead = |claims: &mut Value| claims["iat"] = json!(claims["iat"].as_i64().unwrap() + 20_000);
    bed.put(Draft { spoil_claims: ahead, ..Draft::new() }.made());
    assert_eq!(bed.run().await.unwrap_err().code, "fit.no-event");
    bed.later(Duration::from_secs(20_000));
    bed.run().await.unwrap();
    assert_eq!(bed.desk.letters().len(), 1);
}

#[tokio::test]
async fn while_the_destinations_present_key_is_not_configured_nothing_is_rejected_for_its_encryption() {
    let bed = Bed::new().await;
    bed.put(Draft { key: public("sender_reply_public"), ..Draft::new() }.made());
    let present = bed.service.known().destination["encryptionKid"].clone();
    bed.service.known().destination["encryptionKid"] = json!(public("sender_reply_public").kid());
    assert_eq!(bed.run().await.unwrap_err().code, "fit.no-key");
    assert!(bed.told().is_empty());
    bed.service.known().destination["encryptionKid"] = present;
    bed.run().await.unwrap();
    assert_eq!(bed.told()[0].0, "reject-submission");
}

#[tokio::test]
async fn a_submission_is_bounded_as_a_whole() {
    let bed = Bed::new().await;
    let mut draft = Draft::new();
    // Each part is small enough.
    draft.attachment = vec![0; (1 << 20) - 5];
    draft.metadata["contentStructure"]["attachments"][0]["hash"]["content"] =
        json!(crate::bed::sha512(&draft.attachment));
    bed.put(draft.made());
    assert_eq!(bed.run().await.unwrap_err().code, "fit.too-large");
    assert!(bed.told().is_empty());
}
