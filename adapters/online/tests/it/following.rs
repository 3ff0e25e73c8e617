//! What the event log says becomes steps, each with its event as proof; and nothing else does. What is wrong with one submission keeps no
//! other from being followed.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use conformance::simulate::fit_connect::{Fault, Submission};
use model::activity::DispatchStatus::{Accepted, Failed, Open, Provided, Retrieved, Returned};
use model::activity::{Dispatch, DispatchStatus, DispatchStep, ProofKind};
use model::command::{Change, Command};
use model::{Clock as _, FailureKind, Id, Record, RecordKind, SystemClock, ids};
use seal::jose::{PrivateKey, Protected, sign};
use seal::x509::Certificate;
use serde_json::{Value, json};

use crate::bed::private;
use crate::outbox::Line;
use crate::trust::{VECTORS, certificate};

const MAILBOX: &str = "e0e02494-eca2-4a6b-9320-fc527747878c";
const SET: &str = "https://schema.fitko.de/fit-connect/set-payload/1.2.2/set-payload.schema.json";

/// A line with a dispatch that brings nothing but data.
pub(crate) async fn line_to(to: Value) -> Line {
    let mut line = Line::new().await;
    let documents: &[(&str, &str, &[u8])] = match to.is_null() {
        true => &[("daten.json", "application/json", b"{}")],
        false => &[("bescheid.pdf", "application/pdf", b"%PDF-1.7")],
    };
    line.dispatch(to, documents);
    line
}

/// An event that the destination of a submission signs.
pub(crate) fn event(it: &Submission, name: &str, payload: &Value) -> String {
    event_as(it, name, payload, &json!(ids::new_id()))
}

/// The same under an id of the destination's choice.
fn event_as(it: &Submission, name: &str, payload: &Value, id: &Value) -> String {
    let key = private("destination_signature_private");
    let claims = json!({
        "$schema": SET,
        "jti": id,
        "iss": it.destination,
        "iat": SystemClock.now().micros() / 1_000_000,
        "sub": format!("submission:{}", it.id),
        "txn": format!("case:{}", it.case),
        "events": { format!("https://schema.fitko.de/fit-connect/events/{name}"): payload },
    });
    let protected = Protected { typ: Some("secevent+jwt"), kid: Some(key.kid()) };
    sign(&key, protected, claims.to_string().as_bytes()).unwrap()
}

/// The destination takes a submission.
pub(crate) fn accept(line: &Line, it: &Submission) {
    let (_, submitted) =
        line.service.events(it.id).into_iter().find(|it| it.0 == "submit-submission").unwrap();
    line.service.put(it.id, event(it, "accept-submission", &submitted));
}

/// When an event was, in microseconds.
fn at(token: &str) -> i64 {
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["iat"].as_i64().unwrap() * 1_000_000
}

fn status(line: &Line, id: Id) -> DispatchStatus {
    let held = line.outbox.held.lock().unwrap();
    let found = held.records.iter().find_map(|record| match record {
        Record::Dispatch(dispatch) if dispatch.meta.id == id => Some(dispatch.status),
        _ => None,
    });
    found.unwrap()
}

fn logs_read(line: &Line) -> usize {
    line.service.calls().iter().filter(|call| call.ends_with("/events")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_proved_by_the_signed_event_that_it_follows_from() {
    let line = line_to(Value::Null).await;
    line.service.ahead(-100);
    line.send().await.unwrap();
    line.service.ahead(0);
    line.look().await;
    line.fetch().await.unwrap();
    line.look().await;
    line.look().await;
    let tokens = line.service.tokens(line.service.submissions()[0].id);
    assert_eq!(line.outbox.proof(Provided), Some((ProofKind::SignedEvent, tokens[1].clone())));
    assert_eq!(line.outbox.proof(Retrieved), Some((ProofKind::RetrievalRecord, tokens[2].clone())));
    let Dispatch { steps, proofs, .. } = line.outbox.dispatch();
    assert_eq!((steps.len(), proofs.len()), (2, 2));
    assert_eq!(
        steps[0].at.micros(),
        at(&tokens[1]),
        "the service's time of its event, not ours of its answer"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_step_follows_from_an_answer_without_an_event() {
    let line = line_to(Value::Null).await;
    line.service.lag(true);
    for _ in 0..2 {
        let failure = line.send().await.unwrap_err();
        let told = (failure.kind, &*failure.code, failure.alone);
        assert_eq!(told, (FailureKind::Uncertain, "fit.unconfirmed", true));
        let failure = line.sender.reconcile(&line.delivery()).await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (FailureKind::Transient, "fit.unconfirmed"));
        line.look().await;
    }
    assert_eq!(line.outbox.dispatch().status, Open);
    let puts = line.service.calls().iter().filter(|call| call.starts_with("PUT")).count();
    assert_eq!(puts, 1, "what was taken is not sent again");
    line.service.lag(false);
    // Whoever looks first finds it.
    line.look().await;
    assert_eq!(line.outbox.steps(), [Provided]);
    assert!(line.outbox.proof(Provided).is_some());
    assert_eq!(line.outbox.dispatch().reference, Some(line.service.submissions()[0].id.to_string()));
    assert!(line.send().await.unwrap().nothing);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_under_the_id_of_another_one_counts() {
    let line = line_to(Value::Null).await;
    line.send().await.unwrap();
    line.look().await;
    let it = line.service.submissions().remove(0);
    let id = crate::bed::claims(&line.service.tokens(it.id)[1])["jti"].clone();
    line.service.put(it.id, event_as(&it, "reject-submission", &json!({ "problems": [] }), &id));
    line.look().await;
    assert_eq!(line.outbox.steps(), [Provided, Returned]);
    assert!(line.outbox.proof(Provided).is_some() && line.outbox.proof(Returned).is_some());
    assert_eq!(line.outbox.held.lock().unwrap().notes.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_word_counts_although_the_other_clock_is_behind() {
    for to in [Value::Null, json!({ "mailbox": MAILBOX })] {
        let line = line_to(to).await;
        line.send().await.unwrap();
        line.look().await;
        line.service.ahead(-5);
        line.service.reject(line.service.submissions()[0].id).unwrap();
        line.look().await;
        assert_eq!(line.outbox.dispatch().status, Returned);
        assert!(line.outbox.proof(Returned).is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rejected_before_anybody_looked_is_returned() {
    let line = line_to(json!({ "mailbox": MAILBOX })).await;
    line.service.lag(true);
    line.send().await.unwrap_err();
    line.service.ahead(-5);
    line.service.reject(line.service.submissions()[0].id).unwrap();
    line.service.lag(false);
    line.send().await.unwrap();
    assert_eq!(line.outbox.steps(), [Accepted, Returned]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_lies_in_the_mailbox_is_asked_for_no_more() {
    let line = line_to(json!({ "mailbox": MAILBOX })).await;
    line.send().await.unwrap();
    accept(&line, &line.service.submissions()[0]);
    line.look().await;
    assert_eq!(line.outbox.steps(), [Accepted, Provided]);
    assert!(line.outbox.proof(Accepted).is_some() && line.outbox.proof(Provided).is_some());
    let before = logs_read(&line);
    line.look().await;
    assert_eq!(logs_read(&line), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_one_log_keeps_no_other_from_being_followed() {
    let mut line = line_to(Value::Null).await;
    line.send().await.unwrap();
    let older = line.outbox.dispatch().meta.id;
    line.also();
    line.send().await.unwrap();
    let newer = line.outbox.dispatch().meta.id;
    let all = line.service.submissions();
    // The newer one is looked at first: what a destination writes there names no tags.
    line.service.put(all[1].id, event(&all[1], "accept-submission", &json!({})));
    line.service.put(all[1].id, "kein.token.".to_owned());
    line.look().await;
    assert_eq!((status(&line, newer), status(&line, older)), (Provided, Provided));
    accept(&line, &all[0]);
    line.service.refuse(Some((&format!("{}/events", all[1].id), 403)));
    line.look().await;
    assert_eq!((status(&line, newer), status(&line, older)), (Provided, Retrieved));
    let notes = line.outbox.held.lock().unwrap().notes.clone();
    assert!(notes.values().any(|note| note["problems"] == "wrong-tags"));
    assert!(notes.values().any(|note| note["code"] == "fit.refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_fails_ends_the_session_and_the_next_one_begins_behind() {
    let mut line = line_to(Value::Null).await;
    line.send().await.unwrap();
    let oldest = line.outbox.dispatch().meta.id;
    for _ in 0..3 {
        line.also();
        line.send().await.unwrap();
    }
    accept(&line, &line.service.submissions()[0]);
    line.service.refuse(Some(("/events", 500)));
    line.sender.run(line.outbox.clone()).await.unwrap_err();
    line.service.refuse(None);
    let before = logs_read(&line);
    line.look().await;
    assert_eq!((status(&line, oldest), logs_read(&line)), (Retrieved, before + 1));
    line.look().await;
    assert_eq!(logs_read(&line), before + 1 + 3, "and then from the beginning");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_whose_answer_was_lost_counts_when_its_event_comes_late() {
    let line = line_to(Value::Null).await;
    line.service.lag(true);
    line.service.fault(Fault::Lost);
    assert_eq!(line.send().await.unwrap_err().kind, FailureKind::Uncertain);
    line.service.fault(Fault::None);
    // Nobody knows of the first one yet: another is encrypted, with other tags, and refused; then none any more.
    for _ in 0..2 {
        let failure = line.send().await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (FailureKind::Uncertain, "fit.unconfirmed"));
        let failure = line.sender.reconcile(&line.delivery()).await.unwrap_err();
        assert_eq!(failure.code, "fit.unconfirmed");
    }
    let puts = line.service.calls().iter().filter(|call| call.starts_with("PUT")).count();
    assert_eq!(puts, 2, "what was refused is not sent again");
    line.service.lag(false);
    line.send().await.unwrap();
    assert_eq!((line.outbox.steps(), line.service.submissions().len()), (vec![Provided], 1));
    accept(&line, &line.service.submissions()[0]);
    line.look().await;
    assert_eq!(line.outbox.steps(), [Provided, Retrieved]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_does_not_know_any_more_is_not_sent_again() {
    let line = line_to(Value::Null).await;
    line.service.fault(Fault::Lost);
    line.send().await.unwrap_err();
    line.service.fault(Fault::None);
    for status in [404, 410] {
        line.service.refuse(Some(("/events", status)));
        let failure = line.send().await.unwrap_err();
        let told = (failure.kind, &*failure.code, failure.alone);
        assert_eq!(told, (FailureKind::Uncertain, "fit.unclear", true), "{status}");
        // Whoever asks is told that nobody knows: a human is asked at once.
        let failure = line.sender.reconcile(&line.delivery()).await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (FailureKind::Permanent, "fit.unclear"), "{status}");
    }
    assert_eq!(line.service.submissions().len(), 1);
}

/// What fails after the last word says nothing of it, whatever fails.
#[tokio::test(flavor = "multi_thread")]
async fn once_the_last_word_was_said_every_failure_is_in_doubt() {
    let line = line_to(Value::Null).await;
    line.service.fault(Fault::Lost);
    assert_eq!(line.send().await.unwrap_err().kind, FailureKind::Uncertain);
    line.service.fault(Fault::Down);
    assert_eq!(line.send().await.unwrap_err().kind, FailureKind::Uncertain);
    line.service.fault(Fault::None);
    for status in [403, 422] {
        line.service.refuse(Some(("/events", status)));
        assert_eq!(line.send().await.unwrap_err().kind, FailureKind::Uncertain, "{status}");
    }
    line.service.refuse(None);
    line.send().await.unwrap();
    assert_eq!((line.outbox.steps(), line.service.submissions().len()), (vec![Provided], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_although_it_was_given_up_becomes_a_step() {
    let line = line_to(Value::Null).await;
    line.service.lag(true);
    line.send().await.unwrap_err();
    let step = DispatchStep { kind: Failed, at: SystemClock.now() };
    let id = line.outbox.dispatch().meta.id;
    let change = Change::DispatchStep(step, None);
    let command = Command { kind: RecordKind::Dispatch, id, expected: None, change };
    line.outbox.apply(&command).unwrap();
    line.service.lag(false);
    line.look().await;
    assert!(line.outbox.steps().contains(&Provided));
    assert!(line.outbox.proof(Provided).is_some());
    assert_eq!(line.outbox.dispatch().reference, Some(line.service.submissions()[0].id.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_try_with_none_unknown_before_it_does_not_count() {
    let line = line_to(Value::Null).await;
    for status in [422, 422, 403] {
        line.service.refuse(Some(("PUT ", status)));
        let failure = line.send().await.unwrap_err();
        let code = if status == 403 { "fit.unauthorised" } else { "fit.refused" };
        assert_eq!(failure.code, code, "told each time");
        assert_ne!(failure.kind, FailureKind::Uncertain);
        assert!(line.sender.reconcile(&line.delivery()).await.unwrap().is_none());
    }
    line.service.refuse(None);
    line.send().await.unwrap();
    assert_eq!((line.outbox.steps(), line.service.submissions().len()), (vec![Provided], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_service_does_not_know_is_announced_anew() {
    let line = line_to(Value::Null).await;
    line.outbox.held.lock().unwrap().dies_after = Some(1);
    line.send().await.unwrap_err();
    line.outbox.held.lock().unwrap().dies_after = None;
    for status in [400, 403, 409, 422] {
        line.service.refuse(Some(("/events", status)));
        let failure = line.send().await.unwrap_err();
        assert_eq!((failure.kind, &*failure.code), (FailureKind::Permanent, "fit.refused"), "{status}");
    }
    assert_eq!(line.service.submissions().len(), 1, "it is there, and nobody knows more");
    // The first one is gone; of the second one the event cannot be seen either.
    line.service.refuse(Some(("/events", 404)));
    assert_eq!(line.send().await.unwrap_err().code, "fit.unclear");
    line.service.refuse(None);
    line.send().await.unwrap();
    assert_eq!((line.outbox.steps(), line.service.submissions().len()), (vec![Provided], 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_an_event_cannot_be_judged_nothing_is_sent_again() {
    let line = line_to(Value::Null).await;
    line.service.refuse(Some(("PUT ", 500)));
    line.send().await.unwrap_err();
    line.service.refuse(None);
    // Signed by a key of the delivery service that is not known here yet.
    let key = private("destination_signature_private");
    let claims = json!({ "iss": line.service.submission_url(), "events": {} }).to_string();
    let protected = Protected { typ: Some("secevent+jwt"), kid: Some("neuer-schluessel") };
    let token = sign(&key, protected, claims.as_bytes()).unwrap();
    line.service.put(line.service.submissions()[0].id, token);
    let puts = || line.service.calls().iter().filter(|call| call.starts_with("PUT")).count();
    let before = puts();
    assert_eq!(line.send().await.unwrap_err().code, "fit.unconfirmed");
    assert_eq!(puts(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_anchors_nothing_is_encrypted_for_a_key_that_does_not_go_back_to_one() {
    let today = (SystemClock.now().micros() / 1_000_000 - VECTORS) / 86_400;
    let (key, root) = (private("destination_encryption_private"), private("sender_reply_private"));
    let other = private("delivery_service_private");
    let valid = (today - 10, today + 10);
    let anchor = certificate("Anker", root.key(), ("Anker", root.key()), valid);
    let leaf = |by: &PrivateKey, days| certificate("Zustellpunkt", key.key(), ("Anker", by.key()), days);
    for (number, (chain, expected)) in [
        (vec![leaf(&root, valid), anchor.clone()], true),
        (vec![leaf(&root, (today - 10, today - 1)), anchor.clone()], false),
        (vec![leaf(&other, valid)], false),
        (vec![], false),
    ]
    .into_iter()
    .enumerate()
    {
        let mut line = line_to(Value::Null).await;
        line.trust(&[Certificate::from_der(&anchor.to_der().unwrap()).unwrap()]);
        let told: Vec<String> = chain.iter().map(|it| BASE64_STANDARD.encode(it.to_der().unwrap())).collect();
        line.service.change(line.destination, |it| {
            if !told.is_empty() {
                it.keys[0]["x5c"] = json!(told);
            }
        });
        let sent = line.send().await.map(drop).map_err(|failure| failure.code.into_owned());
        let refused = Err("fit.destination-key".to_owned());
        assert_eq!(sent, if expected { Ok(()) } else { refused }, "{number}");
        assert_eq!(line.service.submissions().is_empty(), !expected, "{number}");
    }
}
