//! What does not pass is rejected with the standard's problem, and nothing of it is taken in.

use model::Record;
use model::activity::InteractionStatus;
use serde_json::{Value, json};

use crate::bed::{ATTACHMENT, Bed, Draft, claims, flip, public, sha512};

const METADATA: &str = "metadata";
const SUBMISSION: &str = "submission";

/// The problem by which a submission is rejected that was spoiled so: name and instance.
async fn problem(spoil: impl FnOnce(&mut Draft)) -> (String, String) {
    let bed = Bed::new().await;
    let mut draft = Draft::new();
    spoil(&mut draft);
    bed.put(draft.made());
    bed.run().await.unwrap();
    assert!(bed.desk.letters().is_empty());
    let told = bed.told();
    assert_eq!((told.len(), told[0].0.as_str()), (1, "reject-submission"));
    let problems = told[0].1["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1);
    let text = |name: &str| problems[0][name].as_str().unwrap().to_owned();
    assert!(!text("title").is_empty() && !text("detail").is_empty());
    let prefix = "https://schema.fitko.de/fit-connect/events/problems/";
    (text("type").strip_prefix(prefix).unwrap().to_owned(), text("instance"))
}

async fn is(spoil: impl FnOnce(&mut Draft), name: &str, instance: &str) {
    assert_eq!(problem(spoil).await, (name.to_owned(), instance.to_owned()));
}

#[tokio::test]
async fn tampered_ciphertext_and_foreign_keys_are_encryption_issues() {
    is(
        |it| it.tamper = |w| w.body["encryptedMetadata"] = flipped(w, "encryptedMetadata"),
        "encryption-issue",
        METADATA,
    )
    .await;
    is(
        |it| it.tamper = |w| w.body["encryptedData"] = flipped(w, "encryptedData"),
        "encryption-issue",
        "data",
    )
    .await;
    let attachment = format!("attachment:{ATTACHMENT}");
    let tamper = |w: &mut crate::service::Waits| w.attachments.values_mut().for_each(|it| *it = flip(it));
    is(|it| it.tamper = tamper, "encryption-issue", &attachment).await;
    // A key that is not, or no more, one of the destination's.
    is(|it| it.key = public("sender_reply_public"), "encryption-issue", METADATA).await;
}

fn flipped(waits: &crate::service::Waits, name: &str) -> Value {
    json!(flip(waits.body[name].as_str().unwrap()))
}

#[tokio::test]
async fn tags_that_are_not_those_of_the_event_are_told_by_their_part() {
    let name = "incorrect-authentication-tag";
    is(|it| it.spoil_claims = |c| tags(c)["metadata"] = json!("AAAAAAAAAAAAAAAAAAAAAA"), name, METADATA)
        .await;
    is(|it| it.spoil_claims = |c| tags(c)["data"] = json!("AAAAAAAAAAAAAAAAAAAAAA"), name, "data").await;
    let spoil = |c: &mut Value| tags(c)["attachments"][ATTACHMENT] = json!("AAAAAAAAAAAAAAAAAAAAAA");
    is(|it| it.spoil_claims = spoil, name, &format!("attachment:{ATTACHMENT}")).await;
}

fn tags(claims: &mut Value) -> &mut Value {
    let events = claims["events"].as_object_mut().unwrap();
    &mut events.values_mut().next().unwrap()["authenticationTags"]
}

#[tokio::test]
async fn an_event_that_a_known_key_proves_wrong_is_no_event_of_submission() {
    let name = "invalid-event-log";
    // Another's signature under the id of the delivery service's key.
    let forged = |w: &mut crate::service::Waits| {
        let mut parts: Vec<&str> = w.log[0].split('.').collect();
        let other = "A".repeat(parts[2].len());
        parts[2] = &other;
        w.log[0] = parts.join(".");
    };
    is(|it| it.tamper = forged, name, SUBMISSION).await;
    for spoil in [
        (|c: &mut Value| c["iat"] = json!(1_577_833_199)) as fn(&mut Value),
        |c| c["jti"] = json!("eins"),
        |c| c["txn"] = json!("eins"),
        |c| c["events"]["https://schema.fitko.de/fit-connect/events/create-submission"] = json!({}),
        |c| tags(c)["metadata"] = Value::Null,
    ] {
        is(|it| it.spoil_claims = spoil, name, SUBMISSION).await;
    }
    // Two of them.
    is(|it| it.tamper = |w| w.log.push(w.log[0].clone()), name, SUBMISSION).await;
}

#[tokio::test]
async fn a_rejection_is_filed_as_a_whole_and_the_one_that_is_sent_is_the_one_that_was_filed() {
    let bed = Bed::new().await;
    let mut draft = Draft::new();
    draft.tamper = |w| w.body["encryptedData"] = flipped(w, "encryptedData");
    let waits = draft.made();
    let mut deaths = 0;
    loop {
        bed.put(waits.clone());
        bed.desk.held.lock().unwrap().writes = Some(deaths);
        if bed.run().await.is_ok() {
            break;
        }
        deaths += 1;
    }
    bed.desk.held.lock().unwrap().writes = None;
    bed.run().await.unwrap();
    assert!(deaths >= 3, "{deaths}");
    let sent = bed.service.known().events.clone();
    let held = bed.desk.held.lock().unwrap();
    let [Record::Interaction(filed)] = held.records.values().collect::<Vec<_>>()[..] else {
        panic!("one contact")
    };
    assert!(!sent.is_empty() && sent.iter().all(|token| filed.proof["token"] == **token));
    assert_eq!(filed.status, InteractionStatus::Dismissed);
    assert_eq!(
        filed.meta.public_service.as_deref(),
        Some("wohnsitz"),
        "an adapter of one service may file it"
    );
    assert_eq!(
        (&filed.proof["problem"], &filed.proof["instance"]),
        (&json!("encryption-issue"), &json!("data"))
    );
    let told = &held.notes[&format!("rejected:{}", crate::bed::SUBMISSION)];
    assert_eq!((held.notes.len(), &told["set"]), (1, &claims(&sent[0])["jti"]));
    assert!(held.state.is_empty() && held.letters.is_empty() && held.tasks.is_empty());
}

#[tokio::test]
async fn a_lost_answer_to_a_rejection_is_asked_about_and_not_sent_again() {
    let bed = Bed::new().await;
    let mut draft = Draft::new();
    draft.data = b"{}".to_vec();
    bed.put(draft.made());
    bed.service.known().lost_answers = 1;
    assert_eq!(bed.run().await.unwrap_err().code, "fit.unavailable");
    bed.run().await.unwrap();
    bed.run().await.unwrap();
    assert_eq!(bed.told().len(), 1);
    assert_eq!(bed.service.known().downloads, 1);
}

#[tokio::test]
async fn metadata_are_those_of_the_submission_and_keep_their_schema() {
    is(|it| it.raw_metadata = Some(b"{".to_vec()), "syntax-violation", METADATA).await;
    is(|it| it.metadata["$schema"] = Value::Null, "missing-schema", METADATA).await;
    let other = json!("https://schema.fitko.de/fit-connect/metadata/9.0.0/metadata.schema.json");
    is(|it| it.metadata["$schema"] = other, "unsupported-schema", METADATA).await;
    let structure = |it: &mut Draft, at: &str, value: Value| {
        *it.metadata.pointer_mut(&format!("/contentStructure{at}")).unwrap() = value;
    };
    for (at, value) in [
        ("/data/hash/type", json!("sha256")),
        ("/data/hash/content", json!("AB")),
        ("/data/submissionSchema/mimeType", json!("text/plain")),
        ("/attachments/0/purpose", json!("other")),
        ("/attachments/0/mimeType", json!("pdf")),
        ("/data", Value::Null),
    ] {
        is(|it| structure(it, at, value), "schema-violation", METADATA).await;
    }
    for channel in [json!({}), json!({ "eMail": { "address": "a@b" }, "deMail": { "address": "a@b" } })] {
        is(|it| it.metadata["replyChannel"] = channel, "schema-violation", METADATA).await;
    }
    is(|it| it.announced.clear(), "attachments-mismatch", SUBMISSION).await;
    is(|it| structure(it, "/attachments", json!([])), "attachments-mismatch", SUBMISSION).await;
    let service = "urn:de:fim:leika:leistung:99000000000000";
    is(|it| it.service = service.into(), "unsupported-service", SUBMISSION).await;
    let schema = json!("https://schema.fitko.de/fim/s00000097_1.0.schema.json");
    is(|it| structure(it, "/data/submissionSchema/schemaUri", schema), "unsupported-schema", "data").await;
}

#[tokio::test]
async fn data_and_attachments_have_the_hashes_of_the_metadata() {
    is(|it| it.data = b"{}".to_vec(), "hash-mismatch", "data").await;
    is(|it| it.attachment = b"%PDF".to_vec(), "hash-mismatch", &format!("attachment:{ATTACHMENT}")).await;
    let broken = |it: &mut Draft| {
        it.data = b"{".to_vec();
        it.metadata["contentStructure"]["data"]["hash"]["content"] = json!(sha512(b"{"));
    };
    is(broken, "syntax-violation", "data").await;
    is(|it| it.tamper = |w| w.body["encryptedData"] = Value::Null, "missing-data", "data").await;
}
