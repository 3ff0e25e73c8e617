//! Submissions are taken in once, and accepted only after that.

use std::time::Duration;

use model::{FailureKind, Record, Timestamp};
use serde_json::json;

use crate::bed::{ATTACHMENT, Bed, CASE, DESTINATION, Draft, SUBMISSION, claims, of_vectors, sha512, vector};

#[tokio::test]
async fn the_submission_of_the_vectors_becomes_a_case_and_is_accepted() {
    let bed = Bed::new().await;
    bed.put(of_vectors());
    assert_eq!(bed.run().await.unwrap(), Duration::from_secs(60));
    let letters = bed.desk.letters();
    let [letter] = letters.as_slice() else { panic!("{} letters", letters.len()) };
    // The time of the event, never that of the fetching.
    assert_eq!(letter.received_at, Timestamp::parse("2026-03-01T09:00:05Z").unwrap());
    assert_eq!(letter.key, format!("submission:{SUBMISSION}"));
    assert_eq!(letter.proof["submitted"], "e12a18b1-a905-4fdd-8f78-74178a51a35d");
    assert_eq!((&letter.proof["submission"], &letter.proof["case"]), (&json!(SUBMISSION), &json!(CASE)));
    let names: Vec<&str> =
        letter.documents.iter().flat_map(|it| &it.files).map(|file| file.name.as_str()).collect();
    assert_eq!(
        names,
        ["fachdaten.json", "metadaten.json", "einreichung.jwt", "annahme.jwt", "antrag.pdf", "foto.jpg"]
    );
    let new = letter.opens.as_ref().unwrap();
    assert_eq!(new.public_service.as_deref(), Some("wohnsitz"));
    for (kind, value) in [
        ("fit-connect-case", CASE),
        ("fit-connect-submission", SUBMISSION),
        ("fit-connect-sender", "OD-2026-4711"),
    ] {
        assert_eq!(new.description.reference(kind), Some(value));
    }
    let extension = &new.description.extensions["fit-connect"];
    assert_eq!(extension["destinationId"], DESTINATION);
    assert!(extension["replyChannel"]["fitConnect"]["encryptionPublicKey"]["n"].is_string());
    let told = bed.told();
    let vector = vector("submission-json.json");
    assert_eq!(
        told,
        [("accept-submission".to_owned(), json!({ "authenticationTags": vector["authenticationTags"] }))]
    );
    // What was sent is what was kept.
    let kept = bed.desk.file(letter, "annahme.jwt");
    assert_eq!(kept, bed.service.known().events[0].as_bytes());
    let notes = bed.desk.held.lock().unwrap().notes.clone();
    let note = &notes[&format!("accepted:{SUBMISSION}")];
    assert_eq!(note["event"], "accept-submission");
    assert_eq!(note["set"], claims(&bed.service.known().events[0])["jti"]);
}

#[tokio::test]
async fn a_name_of_a_file_leads_nowhere() {
    let bed = Bed::new().await;
    bed.put(Draft::new().made());
    bed.run().await.unwrap();
    let letter = bed.desk.letters().remove(0);
    assert_eq!(letter.documents[1].files[0].name, "plan_.pdf");
    assert_eq!(bed.desk.file(&letter, "plan_.pdf"), b"%PDF-1.7");
    assert_eq!(letter.opens.unwrap().description.title, "Wohnsitz anmelden: Max");
}

#[tokio::test]
async fn it_is_accepted_only_after_it_is_durable_wherever_the_gateway_dies() {
    let bed = Bed::new().await;
    let waits = Draft::new().made();
    let mut deaths = 0;
    loop {
        bed.put(waits.clone());
        bed.desk.held.lock().unwrap().writes = Some(deaths);
        let outcome = bed.run().await;
        let is_taken = !bed.desk.letters().is_empty();
        assert!(is_taken || bed.told().is_empty(), "accepted before it was taken in");
        if outcome.is_ok() {
            break;
        }
        deaths += 1;
    }
    bed.desk.held.lock().unwrap().writes = None;
    bed.run().await.unwrap();
    assert!(deaths > 5, "{deaths}");
    assert_eq!(bed.desk.letters().len(), 1);
    let told = bed.told();
    assert!(told.iter().all(|(name, _)| name == "accept-submission"));
    assert_eq!(bed.desk.held.lock().unwrap().notes.len(), 1);
    assert!(!bed.desk.held.lock().unwrap().state.contains_key("answering"));
    // The acceptance that was filed is the one that was sent, whatever broke off in between.
    let filed = bed.desk.file(&bed.desk.letters()[0], "annahme.jwt");
    assert!(bed.service.known().events.iter().all(|sent| sent.as_bytes() == filed));
}

#[tokio::test]
async fn a_lost_answer_to_an_acceptance_is_asked_about_and_not_sent_again() {
    let bed = Bed::new().await;
    bed.put(Draft::new().made());
    bed.service.known().lost_answers = 1;
    assert_eq!(bed.run().await.unwrap_err().code, "fit.unavailable");
    assert_eq!(bed.told().len(), 1);
    // It waits no more.
    let waits = bed.service.known().submissions.remove(SUBMISSION).unwrap();
    bed.run().await.unwrap();
    assert_eq!((bed.told().len(), bed.desk.letters().len()), (1, 1));
    assert_eq!(bed.desk.held.lock().unwrap().notes.len(), 1);
    assert!(bed.desk.held.lock().unwrap().state.is_empty());
    // Listed once more, it is neither fetched nor taken in again.
    let downloads = bed.service.known().downloads;
    bed.put(waits);
    bed.run().await.unwrap();
    assert_eq!((bed.told().len(), bed.desk.letters().len()), (1, 1));
    assert_eq!(bed.service.known().downloads, downloads);
}

#[tokio::test]
async fn while_keys_cannot_be_asked_for_nothing_is_rejected() {
    let bed = Bed::new().await;
    bed.put(Draft::new().made());
    bed.service.known().has_no_keys = true;
    assert_eq!(bed.run().await.unwrap_err().kind, FailureKind::Transient);
    assert!(bed.told().is_empty());
    bed.service.known().has_no_keys = false;
    bed.run().await.unwrap();
    assert_eq!(bed.desk.letters().len(), 1);
}

#[tokio::test]
async fn what_can_never_be_taken_becomes_one_task_and_is_not_tried_all_the_time() {
    let bed = Bed::new().await;
    let mut large = Draft::new();
    large.attachment = vec![0; (1 << 20) + 1];
    bed.put(large.made());
    assert_eq!(bed.run().await.unwrap_err().code, "fit.too-large");
    bed.later(Duration::from_secs(3_599));
    bed.run().await.unwrap();
    assert_eq!(bed.service.known().downloads, 1);
    bed.later(Duration::from_secs(86_400 - 3_599));
    for days in 1..5 {
        assert_eq!(bed.run().await.unwrap_err().code, "fit.too-large");
        let tasks = bed.desk.held.lock().unwrap().tasks.len();
        assert_eq!(tasks, usize::from(days >= 3), "day {days}");
        bed.later(Duration::from_secs(86_400));
    }
    let task = bed.desk.held.lock().unwrap().tasks[0].clone();
    let Record::Task(task) = task else { panic!("no task") };
    assert_eq!((task.kind.as_str(), task.meta.unit.as_str()), ("fit.not-taken", "33"));
    assert!(task.title.contains("fit.too-large"));
    assert_eq!(task.due, Some(Timestamp::parse("2026-03-15T12:00:00Z").unwrap()));
    assert!(bed.told().is_empty());
    // It is not watched any more once it does not wait.
    bed.service.known().submissions.clear();
    bed.run().await.unwrap();
    assert!(bed.desk.held.lock().unwrap().state.is_empty());
}

#[tokio::test]
async fn a_service_that_is_silent_for_days_becomes_a_task_and_a_token_is_fetched_again_when_it_is_over() {
    let bed = Bed::new().await;
    bed.run().await.unwrap();
    bed.run().await.unwrap();
    assert_eq!(bed.service.known().tokens, 1);
    bed.later(Duration::from_secs(1_800));
    bed.run().await.unwrap();
    assert_eq!(bed.service.known().tokens, 2);
    // Taken back before its time: fetched anew by the next session.
    bed.service.known().tokens = 7;
    assert_eq!(bed.run().await.unwrap_err().kind, FailureKind::Transient);
    bed.run().await.unwrap();
    bed.service.known().status = Some(503);
    for _ in 0..5 {
        assert_eq!(bed.run().await.unwrap_err().code, "fit.unavailable");
        bed.later(Duration::from_secs(86_400));
    }
    assert_eq!(bed.desk.held.lock().unwrap().tasks.len(), 1);
}

#[tokio::test]
async fn a_check_tells_what_is_wrong_with_the_destination() {
    let bed = Bed::new().await;
    assert!(bed.subscriber.check().await.ok);
    bed.service.known().destination["encryptionKid"] = json!(ATTACHMENT);
    assert!(bed.subscriber.check().await.detail.starts_with("fit.no-key"));
    bed.service.known().destination["status"] = json!("inactive");
    assert!(!bed.subscriber.check().await.ok);
}

#[tokio::test]
async fn an_event_that_accepts_nothing_or_something_else_is_no_acceptance() {
    for item in vector("sets-negative.json")["items"].as_array().unwrap() {
        let bed = Bed::new().await;
        bed.put(of_vectors());
        bed.service.known().lost_answers = 1;
        bed.run().await.unwrap_err();
        bed.service.known().events = vec![item["set"].as_str().unwrap().to_owned()];
        bed.run().await.unwrap();
        // So it is sent again.
        assert_eq!(bed.service.known().events.len(), 2, "{}", item["why"]);
        assert!(bed.desk.held.lock().unwrap().notes.contains_key(&format!("accepted:{SUBMISSION}")));
    }
}

#[tokio::test]
async fn what_the_service_has_ended_is_not_accepted_any_more_but_told() {
    let bed = Bed::new().await;
    bed.put(of_vectors());
    bed.service.known().lost_answers = 1;
    bed.run().await.unwrap_err();
    bed.service.known().events = vec![vector("set-reject.json")["set"].as_str().unwrap().to_owned()];
    bed.run().await.unwrap();
    assert_eq!(bed.service.known().events.len(), 1);
    let notes = bed.desk.held.lock().unwrap().notes.clone();
    let note = &notes[&format!("ended:{SUBMISSION}")];
    assert_eq!(
        (&note["event"], &note["token"]),
        (&json!("reject-submission"), &vector("set-reject.json")["set"])
    );
    // An applicant reads that it is rejected, and the authority has a case: somebody has to say which holds.
    let tasks = bed.tasks();
    assert_eq!(tasks.len(), 1);
    assert!(tasks[0].starts_with("fit.not-accepted: "));
    bed.run().await.unwrap();
    assert_eq!(bed.tasks().len(), 1);
}

#[tokio::test]
async fn what_the_service_has_forgotten_is_told_and_asked_about_no_more() {
    let bed = Bed::new().await;
    bed.put(of_vectors());
    bed.service.known().lost_answers = 1;
    bed.run().await.unwrap_err();
    bed.service.known().submissions.clear();
    bed.service.known().has_forgotten = true;
    bed.run().await.unwrap();
    let held = bed.desk.held.lock().unwrap();
    assert_eq!(held.notes[&format!("ended:{SUBMISSION}")]["event"], serde_json::Value::Null);
    assert!(held.state.is_empty());
    assert_eq!(held.tasks.len(), 1);
}

#[tokio::test]
async fn fragments_of_an_attachment_are_put_together() {
    let bed = Bed::new().await;
    let second = "b9715dcb-700e-44d9-802f-12b45bf9f8a3";
    let mut draft = Draft::new();
    let attachment = &mut draft.metadata["contentStructure"]["attachments"][0];
    attachment["attachmentId"] = json!("00000000-0000-4000-8000-000000000001");
    attachment["fragments"] = json!([ATTACHMENT, second]);
    attachment["hash"]["content"] = json!(sha512(b"%PDF-1.7%PDF-1.7"));
    draft.announced.push(second.to_owned());
    // Both fragments are the same here.
    draft.spoil_claims = |claims| {
        let events = claims["events"].as_object_mut().unwrap();
        let tags = &mut events.values_mut().next().unwrap()["authenticationTags"]["attachments"];
        tags["b9715dcb-700e-44d9-802f-12b45bf9f8a3"] = tags[ATTACHMENT].clone();
    };
    let mut waits = draft.made();
    let first = waits.attachments[ATTACHMENT].clone();
    waits.attachments.insert(second.to_owned(), first);
    bed.put(waits);
    bed.run().await.unwrap();
    let letter = bed.desk.letters().remove(0);
    assert_eq!(bed.desk.file(&letter, "plan_.pdf"), b"%PDF-1.7%PDF-1.7");
}

#[tokio::test]
async fn a_reply_channel_that_is_unknown_or_too_long_is_left_to_a_clerk() {
    let long = "A".repeat(40_000);
    for (channel, payment, is_carried) in [
        (json!({ "eMail": { "address": "max@example.org" } }), json!("TX-1"), true),
        (json!({ "brieftaube": { "name": "Erna" } }), json!("TX-1"), false),
        (json!({ "eMail": { "address": "max@example.org", "pgpPublicKey": long } }), json!("TX-1"), false),
        (json!({ "eMail": { "address": "max@example.org" } }), json!(long), false),
    ] {
        let bed = Bed::new().await;
        let mut draft = Draft::new();
        draft.metadata["replyChannel"] = channel;
        draft.metadata["paymentInformation"] = json!({ "transactionId": "1", "transactionReference": payment,
            "paymentMethod": "OTHER", "status": "BOOKED" });
        bed.put(draft.made());
        bed.run().await.unwrap();
        let letter = bed.desk.letters().remove(0);
        let extension = letter.opens.unwrap().description.extensions["fit-connect"].clone();
        let is_whole = !extension["replyChannel"].is_null() && !extension["paymentInformation"].is_null();
        assert_eq!((is_whole, letter.concerns.is_empty()), (is_carried, is_carried));
        assert!(extension.to_string().len() < 2_000);
    }
}

#[tokio::test]
async fn a_mailbox_is_that_of_whoever_applies_and_of_nobody_else() {
    let bed = Bed::new().await;
    let mut draft = Draft::new();
    draft.data = br#"{"vertreter":"Muster"}"#.to_vec();
    draft.metadata["contentStructure"]["data"]["hash"]["content"] = json!(sha512(&draft.data));
    draft.metadata["replyChannel"] = json!({ "idBundDeMailbox": { "mailboxUuid": ATTACHMENT } });
    bed.put(draft.made());
    bed.run().await.unwrap();
    let parties = bed.desk.letters().remove(0).opens.unwrap().description.parties;
    let mailboxes: Vec<Option<&str>> = parties.iter().map(|party| party.mailbox.as_deref()).collect();
    assert_eq!(mailboxes, [Some(ATTACHMENT), None]);
    assert!(parties[0].person.is_none() && parties[1].person.is_some());
}
