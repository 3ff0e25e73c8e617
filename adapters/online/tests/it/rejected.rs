//! What does not pass is rejected with the standard's problem, and nothing of it is taken in.

use serde_json::{Value, json};

use crate::bed::{ATTACHMENT, Bed, Draft, flip, private, public, sha512};

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
async fn an_event_that_the_delivery_service_did_not_write_so_proves_nothing() {
    let name = "invalid-event-log";
    is(|it| it.signer = private("destination_signature_private"), name, SUBMISSION).await;
    is(|it| it.typ = "JWT", name, SUBMISSION).await;
    for spoil in [
        (|c: &mut Value| c["iss"] = json!(crate::bed::DESTINATION)) as fn(&mut Value),
        |c| c["iss"] = json!("https://example.org"),
        |c| c["txn"] = json!("case:00000000-0000-4000-8000-000000000000"),
        |c| c["sub"] = json!("submission:00000000-0000-4000-8000-000000000000"),
        |c| c["sub"] = json!("reply:ce75a6b8-d72f-4b94-b09e-af6be35bc2ae"),
        |c| c["iat"] = json!(1_577_833_199),
        |c| c["iat"] = json!(4_000_000_000_i64),
        |c| c["$schema"] = json!("https://example.org/set.json"),
        |c| c["jti"] = json!("eins"),
        |c| c["events"]["https://schema.fitko.de/fit-connect/events/create-submission"] = json!({}),
        |c| c["events"] = json!({}),
    ] {
        is(|it| it.spoil_claims = spoil, name, SUBMISSION).await;
    }
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
