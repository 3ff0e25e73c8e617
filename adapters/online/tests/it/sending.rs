//! Dispatches become submissions, once, and are followed until the other side has answered. Between both ends stands the simulated
//! delivery service.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use conformance::simulate::fit_connect::{Fault, State};
use model::activity::DispatchStatus::{Accepted, Provided, Retrieved, Returned};
use model::{FailureKind, Record, RecordKind, ids};
use seal::jose::decrypt;
use serde_json::{Value, json};

use crate::bed::private;
use crate::following::accept;
use crate::outbox::{APPLICATION, Line};

const PDF: &[u8] = b"%PDF-1.7 Bescheid";
const DATA: &[u8] = br#"{"G1":{"F1":"Max"}}"#;

async fn line() -> Line {
    let mut line = Line::new().await;
    line.dispatch(
        Value::Null,
        &[("daten.json", "application/json", DATA), ("bescheid.pdf", "application/pdf", PDF)],
    );
    line
}

fn submitted(line: &Line) -> usize {
    let all = line.service.submissions();
    all.iter().filter(|it| it.state != State::Incomplete).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatch_is_submitted_fetched_and_retrieved() {
    let line = line().await;
    let receipt = line.send().await.unwrap();
    let submission = line.service.submissions().remove(0);
    assert_eq!(receipt.reference, Some(submission.id.to_string()));
    assert_eq!(line.outbox.steps(), [Provided]);
    line.look().await;
    assert_eq!(line.outbox.steps(), [Provided]);

    line.fetch().await.unwrap();
    let letters = line.desk.letters();
    let [letter] = letters.as_slice() else { panic!("{} letters", letters.len()) };
    assert_eq!(line.desk.file(letter, "bescheid.pdf"), PDF);
    assert_eq!(line.desk.file(letter, "fachdaten.json"), DATA);
    let events: Vec<String> = line.service.events(submission.id).into_iter().map(|(name, _)| name).collect();
    assert_eq!(events, ["create-submission", "submit-submission", "accept-submission"]);

    line.look().await;
    assert_eq!(line.outbox.steps(), [Provided, Retrieved]);
    assert_eq!(line.outbox.dispatch().steps.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_off_it_is_submitted_once() {
    let line = line().await;
    // It dies after the submission was announced, and then before the last word.
    for links in [1, 0] {
        line.outbox.held.lock().unwrap().dies_after = Some(links);
        assert_eq!(line.send().await.unwrap_err().code, "store.closed");
    }
    line.outbox.held.lock().unwrap().dies_after = None;
    assert_eq!(line.service.submissions().len(), 1, "the announced one is gone on with");
    // The answer to the last word is lost.
    line.service.fault(Fault::Lost);
    assert_eq!(line.send().await.unwrap_err().kind, FailureKind::Uncertain);
    line.service.fault(Fault::None);
    let asked = line.sender.reconcile(&line.delivery()).await.unwrap().unwrap();
    let again = line.send().await.unwrap();
    assert_eq!(asked.reference, again.reference);
    assert_eq!((submitted(&line), line.service.submissions().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_arrived_is_known_to_be_not_there() {
    let line = line().await;
    assert!(line.sender.reconcile(&line.delivery()).await.unwrap().is_none());
    line.outbox.held.lock().unwrap().dies_after = Some(1);
    line.send().await.unwrap_err();
    assert!(line.sender.reconcile(&line.delivery()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_answer_as_it_should_is_asked_again_later() {
    let line = line().await;
    for (fault, code) in [
        (Fault::Down, "fit.unavailable"),
        (Fault::Busy, "fit.unavailable"),
        (Fault::Garbage, "fit.not-understood"),
    ] {
        line.service.fault(fault);
        let failure = line.send().await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (FailureKind::Transient, code), "{fault:?}");
    }
    line.service.fault(Fault::UnknownKey);
    assert_eq!(line.send().await.unwrap_err().code, "fit.destination-key");
    line.service.fault(Fault::LoggedOut);
    line.service.change(line.destination, |it| it.status = "inactive".into());
    // The old token is refused once; with the new one the destination is looked at.
    let first = line.send().await.unwrap_err();
    assert!(["fit.unavailable", "fit.destination"].contains(&&*first.code));
    assert_eq!(line.send().await.unwrap_err().code, "fit.destination");
    assert_eq!(submitted(&line), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spoiled_on_its_way_is_rejected_and_comes_back_with_the_reason() {
    for (fault, sent, problem) in [
        (Fault::TamperedData, Ok(()), "encryption-issue"),
        (Fault::TamperedAttachment, Ok(()), "encryption-issue"),
        (Fault::WrongTag, Err("fit.wrong-tags".to_owned()), "incorrect-authentication-tag"),
        (Fault::ForgedSet, Err("fit.unconfirmed".to_owned()), "invalid-event-log"),
    ] {
        let line = line().await;
        line.service.fault(fault);
        let outcome = line.send().await.map(drop).map_err(|failure| failure.code.into_owned());
        assert_eq!(outcome, sent, "{fault:?}");
        line.service.fault(Fault::None);
        line.fetch().await.unwrap();
        assert!(line.desk.letters().is_empty(), "{fault:?}");
        line.look().await;
        let steps: &[_] = if sent.is_ok() { &[Provided, Returned] } else { &[Returned] };
        assert_eq!(line.outbox.steps(), steps, "{fault:?}");
        let notes = line.outbox.held.lock().unwrap().notes.clone();
        let told: Vec<&str> =
            notes.values().filter_map(|note| note["problems"][0]["type"].as_str()).collect();
        assert_eq!(told, [problem], "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_is_harmless_and_a_lost_acceptance_is_found() {
    let line = line().await;
    line.send().await.unwrap();
    line.service.fault(Fault::Lost);
    line.fetch().await.unwrap_err();
    line.service.fault(Fault::Again);
    line.fetch().await.unwrap();
    line.fetch().await.unwrap();
    assert_eq!(line.desk.letters().len(), 1);
    let accepted = line.service.events(line.service.submissions()[0].id);
    assert_eq!(accepted.iter().filter(|(name, _)| name == "accept-submission").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_fetched_comes_back() {
    let line = line().await;
    line.send().await.unwrap();
    line.service.reject(line.service.submissions()[0].id).unwrap();
    line.look().await;
    assert_eq!(line.outbox.steps(), [Provided, Returned]);
}

/// Data of a submission to the bridge: what is signed, and the claims of the token.
fn opened(compact: &str) -> (Value, Value) {
    let keys = std::sync::Arc::from([private("destination_encryption_private")]);
    let (_, bytes) = decrypt(&keys, compact.as_bytes(), 1 << 20).unwrap();
    let data: Value = serde_json::from_slice(&bytes).unwrap();
    let content = data["content"].as_str().unwrap();
    let certificate = data["authorCertificate"].as_str().unwrap();
    let certificate = seal::x509::Certificate::all_from_pem(certificate.as_bytes()).unwrap().remove(0);
    let method = seal::algorithm::SignatureMethod {
        scheme: seal::algorithm::Scheme::RsaPkcs1,
        digest: seal::algorithm::DigestMethod::Sha512,
    };
    let policy = seal::algorithm::Policy::default();
    let signature = BASE64_STANDARD.decode(data["sha512sum"].as_str().unwrap()).unwrap();
    assert!(certificate.verify(&policy, method, content.as_bytes(), &signature).unwrap());
    let token = data["authorToken"].as_str().unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(certificate.verify(&policy, method, signed.as_bytes(), &signature).unwrap());
    let claims = BASE64_URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
    (serde_json::from_str(content).unwrap(), serde_json::from_slice(&claims).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatch_to_a_mailbox_is_a_message_that_the_author_has_signed() {
    let mut line = Line::new().await;
    let mailbox = "e0e02494-eca2-4a6b-9320-fc527747878c";
    line.dispatch(json!({ "mailbox": mailbox }), &[("bescheid.pdf", "application/pdf", PDF)]);
    line.send().await.unwrap();
    let submission = line.service.submissions().remove(0);
    assert_eq!(submission.destination, line.bridge);
    let (content, claims) = opened(&submission.data);
    assert_eq!(content["mailboxUuid"], mailbox);
    assert_eq!(content["applicationId"], APPLICATION);
    assert_eq!(content["reference"], "63-2026-0815");
    assert_eq!(content["attachments"][0]["contentLength"], PDF.len());
    assert_eq!(claims["signer"], "Landkreis Test ZBP");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 1_800);
    assert_eq!(line.outbox.steps(), [Accepted]);
    line.service.reject(submission.id).unwrap();
    line.look().await;
    assert_eq!(line.outbox.steps(), [Accepted, Returned]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_no_federal_mailbox_is_refused() {
    let mut line = Line::new().await;
    line.dispatch(json!({ "mailbox": "safe-sp1-1" }), &[("bescheid.pdf", "application/pdf", PDF)]);
    let failure = line.send().await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Rejected, "fit.no-mailbox"));
    assert!(line.service.submissions().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_somebody_without_a_mailbox_goes_to_nobody_else() {
    let mut line = Line::new().await;
    let to = json!({ "lines": ["Erika Mustermann", "Heidestraße 17"], "zip": "59494", "city": "Soest" });
    line.dispatch(to, &[("bescheid.pdf", "application/pdf", PDF)]);
    let failure = line.send().await.unwrap_err();
    assert_eq!((failure.kind, &*failure.code), (FailureKind::Rejected, "fit.no-mailbox"));
    assert!(line.service.calls().is_empty());
}

fn closed(case: Record) -> Record {
    let Record::Case(mut case) = case else { panic!("a case") };
    case.status = model::case::RecordStatus::Closed;
    Record::Case(case)
}

#[tokio::test(flavor = "multi_thread")]
async fn states_are_told_in_order_and_dispatches_each_for_itself() {
    let line = Line::new().await;
    let descriptor = line.sender.descriptor();
    assert!(descriptor.keeps_order(RecordKind::Case) && descriptor.keeps_order(RecordKind::Task));
    assert!(!descriptor.keeps_order(RecordKind::Dispatch) && !descriptor.waits_for_dispatches());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_followed_until_the_bridge_has_taken_it() {
    let mut line = Line::new().await;
    line.dispatch(Value::Null, &[]);
    let case = line.outbox.held.lock().unwrap().records[0].clone();
    line.tell(&case).await;
    line.look().await;
    line.look().await;
    assert_eq!(line.followed().len(), 1, "nobody has answered");
    accept(&line, &line.service.submissions()[0]);
    line.look().await;
    assert!(line.followed().is_empty() && line.outbox.tasks().is_empty());
    assert!(!line.tell(&case).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_that_broke_off_has_looked_at_is_looked_at_again() {
    let mut line = Line::new().await;
    line.dispatch(Value::Null, &[]);
    let Record::Case(case) = line.outbox.held.lock().unwrap().records[0].clone() else { panic!("a case") };
    for _ in 0..4 {
        let mut other = case.clone();
        other.meta.id = ids::new_id();
        let other = Record::Case(other);
        line.outbox.held.lock().unwrap().records.push(other.clone());
        line.tell(&other).await;
    }
    line.service.refuse(Some(("/events", 503)));
    line.sender.run(line.outbox.clone()).await.unwrap_err();
    line.service.refuse(None);
    // All have an end: the one that was not looked at, and the three that went to the other name.
    for submission in line.service.submissions() {
        line.service.reject(submission.id).unwrap();
    }
    line.look().await;
    line.look().await;
    assert!(line.followed().is_empty());
    assert_eq!(line.outbox.tasks().len(), 4, "each is told of");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_rejected_does_not_count_as_told() {
    let mut line = Line::new().await;
    line.dispatch(Value::Null, &[]);
    let case = line.outbox.held.lock().unwrap().records[0].clone();
    for _ in 0..2 {
        assert!(line.tell(&case).await);
        line.service.reject(line.service.submissions().last().unwrap().id).unwrap();
        line.look().await;
        assert!(line.followed().is_empty());
    }
    let tasks = line.outbox.tasks();
    assert_eq!(tasks.len(), 1, "of each state a clerk is told once");
    assert_eq!((&*tasks[0].kind, tasks[0].case_id), ("fit.state-rejected", Some(case.meta().id)));
    let notes = line.outbox.held.lock().unwrap().notes.clone();
    assert_eq!(notes.values().filter(|note| note["event"] == "reject-submission").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_monitor_is_told_each_state_once() {
    let mut line = Line::new().await;
    line.dispatch(Value::Null, &[]);
    let case = line.outbox.held.lock().unwrap().records[0].clone();
    assert!(line.tell(&case).await);
    assert!(!line.tell(&case).await, "the same state is told once");
    assert!(line.tell(&closed(case)).await);
    let told: Vec<Value> = line.service.submissions().iter().map(|it| opened(&it.data).0).collect();
    let states: Vec<&str> = told.iter().map(|it| it["status"].as_str().unwrap()).collect();
    // Its Aktenzeichen says that somebody works on it.
    assert_eq!(states, ["PROCESSING", "COMPLETED"]);
    assert_eq!(
        (&told[0]["applicationId"], &told[0]["senderName"]),
        (&json!(APPLICATION), &json!("Landkreis Test"))
    );
}
