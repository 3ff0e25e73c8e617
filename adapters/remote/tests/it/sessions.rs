//! Sessions with programs that break off, lie, or bring what cannot be done.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use model::adapter::Adapter;
use model::testkit::a_case;
use model::{FailureKind, Id};
use serde_json::{Value, json};

use crate::host::Memory;
use crate::{is_signed, remote, serve};

type Told = Arc<Mutex<Vec<Value>>>;

/// A program with one page; gives what it is told.
async fn program(page: String, content: (u16, &'static str)) -> (String, Told) {
    let told = Told::default();
    let noted = told.clone();
    let note = move |headers: HeaderMap, body: Bytes| async move {
        assert!(is_signed(&headers, &body));
        noted.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        StatusCode::NO_CONTENT
    };
    let give = move || async move { (StatusCode::from_u16(content.0).unwrap(), content.1).into_response() };
    let router = Router::new()
        .route("/changes", get(|| async move { page }))
        .route("/contents/{name}", get(give))
        .route("/outcomes", post(note));
    (serve(router).await, told)
}

fn assign(key: &str, case: Id) -> Value {
    let record = json!({ "kind": "case", "id": case });
    json!({ "key": key, "do": "assignReference", "record": record, "recordReference": "63-1" })
}

#[tokio::test]
async fn what_cannot_be_done_is_told_and_stands_in_nobody_s_way() {
    let (case, stranger) = (a_case("Bauantrag"), a_case("anderswo"));
    let changes = json!([assign("stranger", stranger.meta().id), assign("ours", case.meta().id)]);
    let (url, told) = program(json!({ "changes": changes, "cursor": "1" }).to_string(), (200, "")).await;
    let host = Memory::with([case]);
    remote(url).run(host.clone()).await.unwrap();
    assert_eq!(host.cursor(), Some(json!("1")));
    let told = told.lock().unwrap()[0]["outcomes"].clone();
    assert_eq!(
        (&told[0]["code"], &told[1]["key"], &told[1]["code"]),
        (&json!("adapter.no-record"), &json!("ours"), &json!(null))
    );
}

#[tokio::test]
async fn what_may_go_well_later_ends_the_session_and_keeps_the_cursor() {
    let case = a_case("Bauantrag");
    let page = json!({ "changes": [assign("a", case.meta().id)], "cursor": "1" }).to_string();
    let (url, told) = program(page, (200, "")).await;
    let (host, remote) = (Memory::with([case]), remote(url));
    host.fail(FailureKind::Transient);
    assert_eq!(remote.run(host.clone()).await.unwrap_err().kind, FailureKind::Transient);
    assert_eq!((host.cursor(), told.lock().unwrap().len()), (None, 0));
    remote.run(host.clone()).await.unwrap();
    assert_eq!((host.cursor(), host.submitted().len()), (Some(json!("1")), 1));
}

#[tokio::test]
async fn pages_that_are_none_end_the_session() {
    let many =
        json!({ "changes": vec![json!({ "key": "a", "do": "note" }); 101], "cursor": "1" }).to_string();
    for page in [
        "<html>Wartung</html>",
        r#"{"changes": [{"do": "note"}], "cursor": "1"}"#,
        r#"{"changes": []}"#,
        &many,
    ] {
        let (url, told) = program(page.to_owned(), (200, "")).await;
        let host = Memory::with([]);
        let failure = remote(url).run(host.clone()).await.unwrap_err();
        assert_eq!((failure.code.as_ref(), host.cursor()), ("adapter.bad-answer", None), "{page}");
        assert!(told.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_letter_is_taken_in_with_its_bytes_or_not_at_all() {
    let letter = |content: &str, sha256: String| {
        let documents = json!([{ "title": "Brief", "files": [{ "name": "a.pdf", "size": 3, "sha256": sha256, "content": content }] }]);
        json!({ "key": "l", "do": "letter", "way": "fax", "receivedAt": "2026-03-01T12:00:00Z", "documents": documents })
    };
    let right = seal::sha256(&[b"abc"]).to_string();
    for (content, change, outcome, letters) in [
        ((200, "abc"), letter("c", right.clone()), None, 1),
        ((200, "abcd"), letter("c", right.clone()), Some("adapter.other-content"), 0),
        ((200, "abd"), letter("c", right.clone()), Some("adapter.other-content"), 0),
        ((404, ""), letter("c", right.clone()), Some("adapter.refused"), 0),
        ((200, "abc"), letter("../c", right), Some("adapter.bad-change"), 0),
    ] {
        let (url, told) = program(json!({ "changes": [change], "cursor": "1" }).to_string(), content).await;
        let host = Memory::with([]);
        remote(url).run(host.clone()).await.unwrap();
        assert_eq!(host.letters().len(), letters);
        assert_eq!(told.lock().unwrap()[0]["outcomes"][0]["code"].as_str(), outcome);
    }
}
