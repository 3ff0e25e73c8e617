//! Machines that stall, drip, babble and never end. Each test ends because the client ends the call.

use std::sync::Arc;
use std::time::Duration;

use model::outbound::{ChosenBy, Post};
use net::pace::Pace;
use net::{Method, Request, Settings, Upload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{answering, client, hold, outcome, post, request, server};

const SHORT: Duration = Duration::from_millis(200);

/// Silence never ends a call here: what does is the time over all.
fn patient() -> Settings {
    let long = Duration::from_secs(600);
    Settings { connect: long, silence: long, pace: Pace { rate: 1, patience: long } }
}

fn within(url: &str, within: Duration) -> Post {
    Post { within, ..post(url) }
}

#[tokio::test]
async fn whoever_never_answers_is_left_and_the_outcome_is_uncertain() {
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345"] {
        let url = answering(answer, true).await;
        let outcome_of_total = outcome(&client(patient()), &within(&url, SHORT)).await;
        assert_eq!(outcome_of_total.unwrap_err(), "Uncertain net.no-answer", "{answer}");
        let pace = Pace { patience: SHORT, ..Pace::default() };
        let impatient = client(Settings { silence: SHORT, pace, ..patient() });
        assert_eq!(
            outcome(&impatient, &post(&url)).await.unwrap_err(),
            "Uncertain net.no-answer",
            "{answer}"
        );
    }
}

#[tokio::test]
async fn whoever_does_not_even_shake_hands_was_sent_nothing() {
    let url = server(hold).await.replace("http:", "https:");
    let by_total = outcome(&client(patient()), &within(&url, SHORT)).await;
    assert_eq!(by_total.unwrap_err(), "Transient net.unreachable");
    let by_connect = outcome(&client(Settings { connect: SHORT, ..patient() }), &post(&url)).await;
    assert_eq!(by_connect.unwrap_err(), "Transient net.unreachable");
}

/// Writes `head` and then `piece` for ever, a pause after each.
async fn drip(mut stream: TcpStream, head: &'static str, piece: &[u8], pause: Duration) {
    request(&mut stream).await;
    let _ = stream.write_all(head.as_bytes()).await;
    while stream.write_all(piece).await.is_ok() {
        tokio::time::sleep(pause).await;
    }
}

#[tokio::test]
async fn a_byte_at_a_time_does_not_outlast_the_total_time() {
    let pause = Duration::from_millis(10);
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    for head in ["", "HTTP/1.1 200 OK\r\nx: ", head] {
        let url = server(move |stream| drip(stream, head, b"1", pause)).await;
        let outcome = outcome(&client(patient()), &within(&url, SHORT)).await;
        assert_eq!(outcome.unwrap_err(), "Uncertain net.no-answer", "{head}");
    }
}

#[tokio::test]
async fn a_body_that_drips_does_not_outlast_the_patience() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    let url = server(move |stream| drip(stream, head, b"1", Duration::from_millis(5))).await;
    let impatient = client(Settings { pace: Pace { rate: 5_000, patience: SHORT }, ..patient() });
    assert_eq!(outcome(&impatient, &post(&url)).await.unwrap_err(), "Uncertain net.no-answer");
}

/// Takes what is sent in pieces, a pause after each, and answers.
async fn sip(mut stream: TcpStream) {
    let (mut piece, mut read) = (vec![0; 1 << 20], vec![]);
    while !read.ends_with(b"the end") {
        let length = stream.read(&mut piece).await.unwrap();
        read.extend_from_slice(&piece[..length]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
}

#[tokio::test]
async fn whoever_takes_a_large_body_slowly_but_steadily_is_waited_for() {
    let url = server(sip).await;
    let body = [vec![b'x'; 40 << 20], b"the end".to_vec()].concat();
    let pieces: Vec<_> =
        body.chunks(64 * 1024).map(|piece| Ok(bytes::Bytes::copy_from_slice(piece))).collect();
    let length = body.len() as u64;
    let request = Request {
        method: Method::POST,
        url,
        chosen_by: ChosenBy::Administrator,
        headers: vec![],
        body: Some(Upload::new(futures::stream::iter(pieces), Some(length))),
        within: Duration::from_secs(600),
        most_answer: 100,
    };
    let silence = Duration::from_secs(2);
    let answer = client(Settings { silence, ..patient() }).send(request).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()));
}

#[tokio::test]
async fn endless_headers_and_bodies_end_by_their_size() {
    let cases: [(&str, &[u8], &str); 5] = [
        ("HTTP/1.1 200 OK\r\n", b"x-endless: yes\r\n", "Uncertain net.no-answer"),
        ("HTTP/1.1 200 OK\r\nx: ", b"a", "Uncertain net.no-answer"),
        ("HTTP/1.1 200 OK\r\n\r\n", b"a", "Uncertain net.answer-too-large"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"2\r\nab\r\n",
            "Uncertain net.answer-too-large",
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", b"", "Uncertain net.answer-too-large"),
    ];
    for (head, piece, wanted) in cases {
        let many = Arc::new(piece.repeat(4_096));
        let url = server(move |stream| {
            let many = Arc::clone(&many);
            async move { drip(stream, head, &many, Duration::ZERO).await }
        })
        .await;
        assert_eq!(outcome(&client(patient()), &post(&url)).await.unwrap_err(), wanted, "{head}");
    }
}

#[tokio::test]
async fn an_answer_of_exactly_the_most_is_read() {
    let answer =
        |size: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n{}", "a".repeat(size));
    let url = answering(answer(1_024), false).await;
    assert_eq!(outcome(&client(patient()), &post(&url)).await.unwrap().body.len(), 1_024);
    let url = answering(answer(1_025), false).await;
    assert_eq!(outcome(&client(patient()), &post(&url)).await.unwrap_err(), "Uncertain net.answer-too-large");
}

#[tokio::test]
async fn garbage_and_cut_answers_are_uncertain() {
    let answers: [&[u8]; 8] = [
        b"",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ];
    for answer in answers {
        let url = answering(answer, false).await;
        let outcome = outcome(&client(patient()), &post(&url)).await;
        assert_eq!(outcome.unwrap_err(), "Uncertain net.no-answer", "{:?}", String::from_utf8_lossy(answer));
    }
}

#[tokio::test]
async fn what_is_answered_never_stands_in_the_failure() {
    let url = answering("SECRET SECRET SECRET\r\n\r\n", false).await;
    let failure = model::outbound::Outbound::post(&client(patient()), &post(&url)).await.unwrap_err();
    assert!(!format!("{failure:?} {failure}").contains("SECRET"));
    assert!(!failure.detail.contains("127.0.0.1"), "{}", failure.detail);
}

/// How many bytes of an answer are read, and why no more.
async fn read(settings: Settings, url: &str, within: Duration) -> (usize, Option<std::io::ErrorKind>) {
    let request = Request {
        method: Method::GET,
        url: url.to_owned(),
        chosen_by: ChosenBy::Administrator,
        headers: vec![],
        body: None,
        within,
        most_answer: 1_000,
    };
    let mut opened = client(settings).open(request).await.unwrap();
    assert_eq!(opened.status, 200);
    let mut bytes = vec![];
    let end = opened.body.read_to_end(&mut bytes).await;
    (bytes.len(), end.err().map(|error| error.kind()))
}

#[tokio::test]
async fn an_answer_that_is_read_as_a_stream_keeps_every_limit() {
    use std::io::ErrorKind;
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345";
    let part = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345";
    let long = Duration::from_secs(600);
    assert_eq!(read(patient(), &answering(whole, true).await, long).await, (5, None));
    assert_eq!(
        read(patient(), &answering(part, false).await, long).await,
        (5, Some(ErrorKind::UnexpectedEof))
    );
    assert_eq!(read(patient(), &answering(part, true).await, SHORT).await, (5, Some(ErrorKind::TimedOut)));
    let pace = Pace { patience: SHORT, ..Pace::default() };
    let slow = read(Settings { pace, ..patient() }, &answering(part, true).await, long).await;
    assert_eq!(slow, (5, Some(ErrorKind::UnexpectedEof)));
    let babble = format!("HTTP/1.1 200 OK\r\n\r\n{}", "1".repeat(2_000));
    let (_, end) = read(patient(), &answering(babble, false).await, long).await;
    assert_eq!(end, Some(ErrorKind::FileTooLarge));
}
