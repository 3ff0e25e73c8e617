//! The bytes of documents: once, whole or in ranges, with their digest.

use serde_json::json;

use crate::gateway::{ALL_ROLES, Call, Gateway, repr_digest};

/// More than one segment chunk, so that ranges cross a border.
fn bytes() -> Vec<u8> {
    (0..200_000_u32).map(|n| (n % 251) as u8).collect()
}

async fn with_document() -> (Gateway, String, String) {
    let gateway = Gateway::start().await;
    let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
    let case = json!({ "unit": "63", "title": "Bauantrag" });
    let case = gateway.call(&token, Call::post("/cases").json(case)).await.is(201).json();
    let path = format!("/cases/{}/documents", case["id"].as_str().unwrap());
    let document = gateway.call(&token, Call::post(&path).json(json!({ "title": "Lageplan" }))).await.is(201);
    let path = format!("/documents/{}/content", document.json()["id"].as_str().unwrap());
    (gateway, token, path)
}

fn upload(path: &str, bytes: Vec<u8>) -> Call {
    Call::new("PUT", &format!("{path}?fileName=Lageplan%20%C3%84.tif"))
        .with("content-type", "image/tiff")
        .bytes(bytes)
}

#[tokio::test]
async fn content_comes_whole_or_in_ranges() {
    let (gateway, token, path) = with_document().await;
    let bytes = bytes();
    gateway.call(&token, upload(&path, bytes.clone()).with("repr-digest", repr_digest(&bytes))).await.is(201);
    let whole = gateway.call(&token, Call::get(&path)).await.is(200);
    assert_eq!(whole.body, bytes);
    assert_eq!(whole.header("repr-digest"), repr_digest(&bytes));
    assert_eq!(whole.header("content-type"), "image/tiff");
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    assert_eq!(whole.header("content-disposition"), "attachment; filename*=UTF-8''Lageplan%20%C3%84.tif");
    assert_eq!(whole.header("content-length"), "200000");

    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=65530-65545", 65_530, 65_546),
        ("bytes=199999-", 199_999, 200_000),
        ("bytes=-7", 199_993, 200_000),
        ("bytes=0-999999", 0, 200_000),
    ] {
        let part = gateway.call(&token, Call::get(&path).with("range", range)).await.is(206);
        assert_eq!(part.body, bytes[from..to], "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {from}-{}/200000", to - 1));
    }
    let outside = gateway.call(&token, Call::get(&path).with("range", "bytes=200000-")).await.is(416);
    assert_eq!((outside.code().as_str(), outside.header("content-range")), ("api.range", "bytes */200000"));
    gateway.call(&token, Call::get(&path).with("range", "bytes=0-1,5-6")).await.is(200);

    let etag = whole.header("etag");
    let same = Call::get(&path).with("range", "bytes=0-1").with("if-range", etag);
    gateway.call(&token, same).await.is(206);
    let other = Call::get(&path).with("range", "bytes=0-1").with("if-range", "\"other\"");
    gateway.call(&token, other).await.is(200);
    gateway.call(&token, Call::get(&path).with("if-none-match", etag)).await.is(304);
    let head = gateway.call(&token, Call::new("HEAD", &path)).await.is(200);
    assert_eq!((head.header("content-length"), head.body.len()), ("200000", 0));
}

#[tokio::test]
async fn a_download_that_broke_goes_on_with_identical_bytes() {
    let (gateway, token, path) = with_document().await;
    let bytes = bytes();
    gateway.call(&token, upload(&path, bytes.clone())).await.is(201);
    let head = gateway.call(&token, Call::new("HEAD", &path).with("range", "bytes=5-9")).await.is(206);
    assert_eq!((head.header("content-length"), head.header("content-range")), ("5", "bytes 5-9/200000"));
    let etag = head.header("etag").to_owned();
    let mut got = vec![];
    while got.len() < bytes.len() {
        let rest =
            Call::get(&path).with("range", format!("bytes={}-", got.len())).with("if-range", etag.clone());
        let answer = gateway.call(&token, rest).await.is(206);
        // The line breaks again and again, in the middle of a chunk.
        got.extend_from_slice(&answer.body[..answer.body.len().min(77_777)]);
    }
    assert!(got == bytes);
    let weak = Call::get(&path).with("range", "bytes=0-1").with("if-range", format!("W/{etag}"));
    gateway.call(&token, weak).await.is(200);
    let date = Call::get(&path).with("range", "bytes=0-1").with("if-range", "Tue, 24 Nov 2026 08:00:00 GMT");
    gateway.call(&token, date).await.is(200);
}

#[tokio::test]
async fn a_file_is_never_replaced_and_its_digest_is_believed_only_if_it_fits() {
    let (gateway, token, path) = with_document().await;
    let announced = repr_digest(b"something else");
    let refused = gateway.call(&token, upload(&path, bytes()).with("repr-digest", announced)).await.is(400);
    assert_eq!(refused.code(), "broker.digest-mismatch");
    assert_eq!(gateway.call(&token, Call::get(&path)).await.is(404).code(), "model.not-found");

    gateway.call(&token, upload(&path, bytes())).await.is(201);
    gateway.call(&token, upload(&path, bytes())).await.is(200);
    assert_eq!(gateway.call(&token, upload(&path, vec![1, 2, 3])).await.is(409).code(), "model.exists");
    let second = Call::new("PUT", &format!("{path}?fileName=a.txt&version=2")).bytes("text");
    gateway.call(&token, second).await.is(201);
    let newest = gateway.call(&token, Call::get(&path)).await.is(200);
    assert_eq!(
        (newest.body.as_slice(), newest.header("content-type")),
        (&b"text"[..], "application/octet-stream")
    );
    let first = gateway.call(&token, Call::get(&format!("{path}?version=1"))).await.is(200);
    assert_eq!(first.body, bytes());
}

#[tokio::test]
async fn an_empty_file_is_a_file_if_it_is_meant() {
    let (gateway, token, path) = with_document().await;
    let empty = || Call::new("PUT", &format!("{path}?fileName=leer.txt"));
    assert_eq!(gateway.call(&token, empty()).await.is(400).code(), "api.length-missing");
    gateway.call(&token, empty().with("content-length", "0")).await.is(201);
    let read = gateway.call(&token, Call::get(&path)).await.is(200);
    assert_eq!(read.header("content-length"), "0");
    gateway.call(&token, Call::get(&path).with("range", "bytes=0-")).await.is(416);
}
