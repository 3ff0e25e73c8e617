//! A line to an intermediary that breaks once, in the middle of a request or of its answer (HTTP/1.1, a connection for each request).

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a line does to the request of this number, from 1.
#[derive(Clone, Copy)]
pub(crate) enum Break {
    /// It is lost on its way.
    Request(usize),
    /// It arrives, and its answer is lost.
    Answer(usize),
}

/// A line to `to` that breaks once; returns its address.
pub(super) async fn breaking(to: String, at: Break) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/osci", listener.local_addr().unwrap());
    let to = Arc::new(to);
    tokio::spawn(async move {
        for number in 1.. {
            let (socket, _) = listener.accept().await.unwrap();
            carry(socket, &to, number, at).await;
        }
    });
    url
}

/// Carries one request and its answer; a connection carries no other.
async fn carry(mut socket: TcpStream, to: &str, number: usize, at: Break) {
    let Some(request) = body_of_request(&mut socket).await else { return };
    if matches!(at, Break::Request(lost) if lost == number) {
        return;
    }
    let answer = reqwest::Client::new().post(to).body(request).send().await.unwrap();
    let answer = answer.bytes().await.unwrap();
    if matches!(at, Break::Answer(lost) if lost == number) {
        return;
    }
    write_answer(&mut socket, &answer).await;
}

/// The body of a request; nothing if the line breaks.
pub(super) async fn body_of_request(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut seen, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    let (head, length) = loop {
        if let Some(end) = seen.windows(4).position(|it| it == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&seen[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            break (end + 4, length.parse::<usize>().unwrap());
        }
        match socket.read(&mut piece).await.unwrap() {
            0 => return None,
            count => seen.extend_from_slice(&piece[..count]),
        }
    };
    while seen.len() < head + length {
        let count = socket.read(&mut piece).await.unwrap();
        seen.extend_from_slice(&piece[..count]);
    }
    Some(seen.split_off(head))
}

pub(super) async fn write_answer(socket: &mut TcpStream, answer: &[u8]) {
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", answer.len());
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(answer).await.unwrap();
}
