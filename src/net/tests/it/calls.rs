//! What a call carries, and whom it reaches.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use model::SystemClock;
use model::outbound::ChosenBy;
use net::{Client, Egress, Request, Settings, Upload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::server::{answering, client, outcome, post, request, server};

#[tokio::test]
async fn a_post_arrives_with_its_headers_and_body_and_its_answer_comes_back() {
    let seen = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&seen);
    let url = server(move |mut stream| {
        let noted = Arc::clone(&noted);
        async move {
            *noted.lock().unwrap() = Some(request(&mut stream).await);
            let answer = "HTTP/1.1 503 Busy\r\ncontent-type: text/plain\r\nretry-after: 7\r\n\
                content-length: 4\r\n\r\nlate";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let reply = outcome(&client(Settings::default()), &post(&format!("{url}/hook?a=b"))).await.unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (503, b"late".as_slice()));
    assert_eq!(reply.content_type.as_deref(), Some("text/plain"));
    assert_eq!(reply.retry_after, Some(Duration::from_secs(7)));
    let (head, body) = seen.lock().unwrap().take().unwrap();
    assert!(head.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    for field in
        ["content-type: application/json", "content-length: 2", "user-agent: amtsbote/", "host: 127."]
    {
        assert!(head.contains(field), "{field}: {head}");
    }
    assert!(!head.contains("accept-encoding") && !head.contains("transfer-encoding"), "{head}");
    assert_eq!(body, b"{}");
}

#[tokio::test]
async fn redirects_are_answers_like_any_other() {
    let target = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false).await;
    let url =
        answering(format!("HTTP/1.1 307 Go\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n"), false).await;
    assert_eq!(outcome(&client(Settings::default()), &post(&url)).await.unwrap().status, 307);
}

#[test]
fn a_proxy_that_the_environment_names_is_not_used() {
    // Variables are those of a process, so another one makes the call.
    let mut other = std::process::Command::new(std::env::current_exe().unwrap());
    other.args(["--exact", "calls::redirects_are_answers_like_any_other"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        // Nobody is there.
        other.env(name, "http://127.0.0.1:9");
    }
    let done = other.env_remove("no_proxy").env_remove("NO_PROXY").output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn a_cookie_that_is_set_does_not_come_back() {
    let seen = Arc::new(Mutex::new(vec![]));
    let noted = Arc::clone(&seen);
    let url = server(move |mut stream| {
        let noted = Arc::clone(&noted);
        async move {
            let (head, _) = request(&mut stream).await;
            noted.lock().unwrap().push(head.to_ascii_lowercase());
            let answer =
                "HTTP/1.1 200 OK\r\nset-cookie: a=b; Path=/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let client = client(Settings::default());
    for _ in 0..2 {
        assert_eq!(outcome(&client, &post(&url)).await.unwrap().status, 200);
    }
    let heads = seen.lock().unwrap().clone();
    assert!(heads.len() == 2 && !heads.concat().contains("cookie"), "{heads:?}");
}

#[tokio::test]
async fn a_body_of_unknown_length_is_streamed_in_pieces() {
    let seen = Arc::new(Mutex::new(vec![]));
    let noted = Arc::clone(&seen);
    let url = server(move |mut stream| {
        let noted = Arc::clone(&noted);
        async move {
            let mut bytes = vec![];
            while !bytes.ends_with(b"0\r\n\r\n") {
                assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
            }
            *noted.lock().unwrap() = bytes;
            stream.write_all(b"HTTP/1.1 204 Done\r\nx-a: b\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let pieces = ["one", "two"].map(|piece| Ok(Bytes::from(piece)));
    let answer = client(Settings::default()).send(put(&url, pieces)).await.unwrap();
    assert_eq!((answer.status, answer.headers["x-a"].to_str().unwrap()), (204, "b"));
    let text = String::from_utf8(seen.lock().unwrap().clone()).unwrap().to_ascii_lowercase();
    assert!(
        text.contains("transfer-encoding: chunked") && text.ends_with("3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_a_failure_of_its_own() {
    let url = answering("", true).await;
    let pieces = [Ok(Bytes::from_static(b"one")), Err(std::io::Error::other("gone"))];
    let error = client(Settings::default()).send(put(&url, pieces)).await.unwrap_err();
    assert_eq!(error.code(), "net.body");
}

fn put<const N: usize>(url: &str, pieces: [std::io::Result<Bytes>; N]) -> Request {
    Request {
        method: "PUT".parse().unwrap(),
        url: url.to_owned(),
        chosen_by: ChosenBy::System,
        headers: vec![],
        body: Some(Upload::new(futures::stream::iter(pieces), None)),
        within: Duration::from_secs(60),
        most_answer: 1_024,
    }
}

#[tokio::test]
async fn names_are_judged_by_where_they_lead() {
    let url = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false).await;
    let named = url.replace("127.0.0.1", "localhost");
    let with =
        |allow: &[&str]| Client::new(Egress::new(allow).unwrap(), Settings::default(), Arc::new(SystemClock));
    let call = async |allow: &[&str], url: &str, chosen_by| {
        outcome(&with(allow), &model::outbound::Post { chosen_by, ..post(url) })
            .await
            .map(|reply| reply.status)
    };
    use ChosenBy::{Citizen, System};
    assert_eq!(call(&["localhost"], &named, System).await, Ok(200));
    let secure = named.replace("http:", "https:");
    let forbidden = Err("Permanent net.forbidden".to_owned());
    assert_eq!(call(&[], &secure, System).await, forbidden);
    assert_eq!(call(&["localhost"], &secure, Citizen).await, forbidden);
    assert_eq!(call(&["localhost:1"], &secure, System).await, forbidden);
    assert_eq!(call(&[], &named, System).await, Err("Permanent net.plain-http".to_owned()));
}

#[tokio::test]
async fn connections_are_not_shared_between_those_who_may_reach_different_networks() {
    let keeps = server(|mut stream| async move {
        while !request(&mut stream).await.0.is_empty() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let url = keeps.replace("127.0.0.1", "localhost");
    let client =
        Client::new(Egress::new(&["localhost"]).unwrap(), Settings::default(), Arc::new(SystemClock));
    assert_eq!(outcome(&client, &post(&url)).await.unwrap().status, 200);
    assert_eq!(outcome(&client, &post(&url)).await.unwrap().status, 200);
    let citizen = model::outbound::Post { chosen_by: ChosenBy::Citizen, ..post(&url) };
    assert_eq!(outcome(&client, &citizen).await.unwrap_err(), "Permanent net.forbidden");
}

#[tokio::test]
async fn nobody_there_and_no_such_name_are_passing_troubles() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let client = client(Settings::default());
    assert_eq!(outcome(&client, &post(&gone)).await.unwrap_err(), "Transient net.unreachable");
    let unknown = post("https://no-such-host.invalid/");
    assert_eq!(outcome(&client, &unknown).await.unwrap_err(), "Transient net.unreachable");
}

#[test]
fn every_code_has_its_page_and_every_page_its_code() {
    use net::Error::*;
    let errors = [
        Rule { place: 1 },
        Setup,
        Url,
        Header,
        Identity,
        PlainHttp,
        PlainLine,
        Forbidden,
        Unreachable,
        Tls,
        NoAnswer,
        AnswerTooLarge,
        Body,
    ];
    let mut codes: Vec<_> = errors.iter().map(net::Error::code).collect();
    let mut pages: Vec<_> = model::catalog::codes().filter(|code| code.starts_with("net.")).collect();
    codes.sort_unstable();
    pages.sort_unstable();
    assert_eq!(codes, pages);
}
