//! Sessions with programs that break off, lie, or bring what cannot be done.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use model::adapter::Adapter;
use model::testkit::a_case;
use model::{FailureKind, Id, Record};
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

fn letter(key: &str) -> Value {
    let file =
        json!({ "name": "a.pdf", "size": 3, "sha256": seal::sha256(&[b"abc"]).to_string(), "content": "c" });
    let documents = json!([{ "title": "Brief", "files": [file] }]);
    json!({ "key": key, "do": "letter", "way": "fax", "receivedAt": "2026-03-01T12:00:00Z", "documents": documents })
}

#[tokio::test]
async fn a_page_that_takes_longer_than_a_session_is_done_in_several() {
    let changes: Vec<Value> = ["a", "b", "c", "d", "e"].map(letter).to_vec();
    let page = json!({ "changes": changes, "cursor": "1" }).to_string();
    let (url, told) = program(page, (200, "abc")).await;
    let (host, remote) = (Memory::with([]), remote(url));
    host.slow(60);
    for (session, letters) in [(1, 2), (2, 4), (3, 5)] {
        remote.run(host.clone()).await.unwrap();
        assert_eq!(host.letters().len(), letters, "session {session}: nothing is fetched twice");
        let told = told.lock().unwrap().last().unwrap()["outcomes"].clone();
        assert_eq!(told.as_array().unwrap().len(), letters, "{told}");
        assert_eq!(host.cursor().is_some(), letters == 5);
    }
    assert_eq!(host.remembered(), ["cursor"]);
}

#[tokio::test]
async fn what_was_done_before_a_crash_is_not_told_as_refused() {
    // The first change gives the record another name than that by which the change names it, the second one gives it back.
    let named = |key: &str, from: &str, to: &str| {
        let place = json!({ "name": "recordReference", "value": from });
        json!({ "key": key, "do": "assignReference", "record": place, "recordReference": to })
    };
    let page = json!({ "changes": [named("a", "63-1", "63-2"), named("b", "63-2", "63-3")], "cursor": "1" });
    for states in 0..4 {
        let (url, told) = program(page.to_string(), (200, "")).await;
        let Record::Case(mut case) = a_case("Bauantrag") else { panic!("a case") };
        case.description.record_reference = Some("63-1".into());
        let case = Record::Case(case);
        let (host, remote) = (Memory::with([case]), remote(url));
        host.dies_after(states);
        assert_eq!(remote.run(host.clone()).await.unwrap_err().code, "test.died", "{states}");
        remote.run(host.clone()).await.unwrap();
        let told = told.lock().unwrap().last().unwrap()["outcomes"].clone();
        assert_eq!(told.as_array().unwrap().len(), 2, "{told}");
        assert!(told.as_array().unwrap().iter().all(|one| one.get("code").is_none()), "{states}: {told}");
        assert_eq!(host.submitted().len(), 2, "{states}");
        assert_eq!(host.cursor(), Some(json!("1")));
    }
}
