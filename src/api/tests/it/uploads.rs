//! Uploads that go on after an interruption (draft-ietf-httpbis-resumable-upload).

use axum::body::{Body, Bytes};
use futures::{StreamExt, stream};
use serde_json::json;

use crate::gateway::{ALL_ROLES, Answer, Call, Gateway, repr_digest};

/// More than a chunk, and no whole number of them.
fn bytes() -> Vec<u8> {
    (0..300_000_u32).map(|n| (n % 251) as u8).collect()
}

struct Bed {
    gateway: Gateway,
    token: String,
    /// Path of a document's content.
    content: String,
}

impl Bed {
    async fn new() -> Bed {
        let gateway = Gateway::start().await;
        let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
        let case = json!({ "unit": "63", "title": "Bauantrag" });
        let case = gateway.call(&token, Call::post("/cases").json(case)).await.is(201).json();
        let path = format!("/cases/{}/documents", case["id"].as_str().unwrap());
        let document = gateway.call(&token, Call::post(&path).json(json!({ "title": "Plan" }))).await.is(201);
        let content = format!("/documents/{}/content", document.json()["id"].as_str().unwrap());
        Bed { gateway, token, content }
    }

    fn target(&self) -> Call {
        let path = format!("{}?fileName=plan.tif", self.content);
        Call::new("PUT", &path).with("content-type", "image/tiff").with("upload-complete", "?0")
    }

    async fn call(&self, call: Call) -> Answer {
        self.gateway.call(&self.token, call).await
    }

    /// Begins an upload; its path below the base.
    async fn begin(&self, call: Call) -> String {
        let begun = self.call(call).await.is(201);
        assert_eq!(begun.header("upload-complete"), "?0");
        assert!(begun.header("upload-limit").starts_with("max-size=8388608, max-age=86"), "{begun:?}");
        begun.header("location").strip_prefix(api::BASE).unwrap().to_owned()
    }

    async fn offset(&self, upload: &str) -> usize {
        self.call(Call::new("HEAD", upload)).await.is(200).header("upload-offset").parse().unwrap()
    }
}

fn part(upload: &str, offset: usize, last: bool, body: impl Into<Body>) -> Call {
    Call::new("PATCH", upload)
        .with("content-type", "application/partial-upload")
        .with("upload-complete", if last { "?1" } else { "?0" })
        .with("upload-offset", offset.to_string())
        .bytes(body)
}

#[tokio::test]
async fn parts_become_one_file_and_the_last_is_answered_as_the_target_answers() {
    let bed = Bed::new().await;
    let bytes = bytes();
    let first = bed.target().with("repr-digest", repr_digest(&bytes)).bytes(bytes[..70_000].to_vec());
    let upload = bed.begin(first).await;
    assert_eq!(bed.offset(&upload).await, 70_000);
    assert_eq!(bed.call(Call::get(&bed.content)).await.is(404).code(), "model.not-found");
    let kept = bed.call(part(&upload, 70_000, false, bytes[70_000..200_000].to_vec())).await.is(204);
    assert_eq!((kept.header("upload-complete"), kept.header("upload-offset")), ("?0", "200000"));

    let last = || part(&upload, 200_000, true, bytes[200_000..].to_vec());
    let answer = bed.call(last()).await.is(201);
    assert_eq!(answer.header("upload-complete"), "?1");
    assert_eq!(answer.header("etag"), "\"2\"");
    let read = bed.call(Call::get(&bed.content)).await.is(200);
    assert!(read.body == bytes);
    assert_eq!(read.header("content-type"), "image/tiff");

    let state = bed.call(Call::get(&upload)).await.is(200);
    assert_eq!((state.header("upload-complete"), state.header("upload-offset")), ("?1", "300000"));
    let again = bed.call(part(&upload, 300_000, true, Body::empty())).await.is(201);
    assert_eq!(again.json(), answer.json());
    assert_eq!(bed.call(last()).await.is(409).code(), "broker.upload-offset");
    bed.call(Call::new("DELETE", &upload)).await.is(204);
    assert!(bed.call(Call::get(&bed.content)).await.is(200).body == bytes, "it is the document's now");
}

#[tokio::test]
async fn a_message_completed_twice_is_one_message() {
    let bed = Bed::new().await;
    let begin = Call::post("/messages?fileName=x.xml").with("content-type", "application/xml");
    let upload = bed.begin(begin.with("upload-complete", "?0").with("upload-length", "8")).await;
    bed.call(part(&upload, 0, false, "<a>x")).await.is(204);
    let first = bed.call(part(&upload, 4, true, "</a>").with("content-length", "4")).await.is(202);
    assert!(first.header("location").contains("/messages/"));
    let again = bed.call(part(&upload, 8, true, "")).await.is(202);
    assert_eq!(again.json(), first.json());
    let all = bed.call(Call::get("/messages")).await.is(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_part_from_another_offset_is_refused_with_the_right_one() {
    let bed = Bed::new().await;
    let upload = bed.begin(bed.target().bytes("12345")).await;
    for wrong in [0, 4, 6, 1 << 40] {
        let refused = bed.call(part(&upload, wrong, false, "x")).await.is(409);
        assert_eq!((refused.code().as_str(), refused.header("upload-offset")), ("broker.upload-offset", "5"));
    }
    for missing in ["upload-offset", "upload-complete"] {
        let call = Call::new("PATCH", &upload).with("content-type", "application/partial-upload");
        let other =
            if missing == "upload-offset" { ("upload-complete", "?0") } else { ("upload-offset", "5") };
        assert_eq!(
            bed.call(call.with(other.0, other.1).bytes("x")).await.is(400).code(),
            "api.invalid-header"
        );
    }
    let typed = Call::new("PATCH", &upload).with("content-type", "text/plain").bytes("x");
    assert_eq!(bed.call(typed).await.is(415).code(), "api.media-type");
    assert_eq!(bed.offset(&upload).await, 5);
}

#[tokio::test]
async fn a_length_that_is_not_kept_and_a_digest_that_is_wrong_end_an_upload() {
    let bed = Bed::new().await;
    let with_length = || bed.target().with("upload-length", "5");
    for (offset, last, body) in [(0, false, "123456"), (0, true, "1234"), (0, true, "")] {
        let upload = bed.begin(with_length()).await;
        let refused = bed.call(part(&upload, offset, last, body)).await.is(400);
        assert_eq!(refused.code(), "broker.upload-length", "{body}");
        bed.call(Call::new("HEAD", &upload)).await.is(404);
    }
    let upload = bed.begin(with_length()).await;
    let other = bed.call(part(&upload, 0, false, "1").with("upload-length", "6")).await.is(400);
    assert_eq!(other.code(), "broker.upload-length");
    assert_eq!(bed.offset(&upload).await, 0);

    for announced_at_end in [false, true] {
        let digest = repr_digest(b"something else");
        let begin = bed.target();
        let begin = if announced_at_end { begin } else { begin.with("repr-digest", digest.clone()) };
        let upload = bed.begin(begin).await;
        let last = part(&upload, 0, true, "12345");
        let last = if announced_at_end { last.with("repr-digest", digest) } else { last };
        let refused = bed.call(last).await.is(400);
        assert_eq!(
            (refused.code().as_str(), refused.header("upload-complete")),
            ("broker.digest-mismatch", "?1")
        );
        bed.call(Call::new("HEAD", &upload)).await.is(404);
    }
    let large = bed.call(bed.target().with("upload-length", "8388609")).await.is(413);
    assert_eq!(
        (large.code().as_str(), large.header("upload-limit")),
        ("broker.too-large", "max-size=8388608")
    );
}

#[tokio::test]
async fn what_came_before_a_line_broke_is_kept() {
    let bed = Bed::new().await;
    let bytes = bytes();
    let upload = bed.begin(bed.target()).await;
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let pieces = vec![Ok(Bytes::from(bytes[..150_000].to_vec())), Err(broken)];
    bed.call(part(&upload, 0, true, Body::from_stream(stream::iter(pieces)))).await.is(400);
    let kept = bed.offset(&upload).await;
    assert_eq!(kept, 150_000);
    bed.call(part(&upload, kept, true, bytes[kept..].to_vec())).await.is(201);
    assert!(bed.call(Call::get(&bed.content)).await.is(200).body == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_requests_at_once_the_newer_wins() {
    let bed = Bed::new().await;
    let bytes = bytes();
    let upload = bed.begin(bed.target()).await;
    let (came, seen) = tokio::sync::oneshot::channel();
    let head = Bytes::from(bytes[..100_000].to_vec());
    let hangs = stream::once(async move { Ok::<_, std::io::Error>(head) }).chain(stream::once(async move {
        let _ = came.send(());
        std::future::pending().await
    }));
    let older = bed.call(part(&upload, 0, true, Body::from_stream(hangs)));
    let newer = async {
        seen.await.unwrap();
        let kept = bed.offset(&upload).await;
        assert_eq!(kept, 100_000, "what the older one brought is kept");
        bed.call(part(&upload, kept, true, bytes[kept..].to_vec())).await
    };
    let (older, newer) = tokio::join!(older, newer);
    assert_eq!(older.is(409).code(), "broker.upload-superseded");
    newer.is(201);
    assert!(bed.call(Call::get(&bed.content)).await.is(200).body == bytes);
}

#[tokio::test]
async fn another_token_of_the_same_unit_finds_no_upload() {
    let bed = Bed::new().await;
    let upload = bed.begin(bed.target().bytes("12345")).await;
    let other = bed.gateway.token("soest", "63", "*", ALL_ROLES).await;
    for call in [
        Call::get(&upload),
        Call::new("HEAD", &upload),
        Call::new("DELETE", &upload),
        part(&upload, 5, true, "6"),
        Call::new("PATCH", &upload).bytes("6"),
    ] {
        bed.gateway.call(&other, call).await.is(404);
    }
    assert_eq!(bed.offset(&upload).await, 5);
    bed.call(Call::new("DELETE", &upload)).await.is(204);
    bed.call(Call::new("HEAD", &upload)).await.is(404);
}
