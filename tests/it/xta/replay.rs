//! What JAX-WS once sent to a server of its own is sent to ours: the answers must have the same status, hold to the schemas
//! of the standard, and carry the same exceptions.

use std::process::Command;

use conformance::gateway::Engine;
use reqwest::Client;

use super::{Bed, python, said, shared};

/// The id of the message in the recordings.
const RECORDED: &str = "urn:de:xta:messageid:jaxwsri_xta_test:bcdfab49-8b40-41d0-987c-002e656ce699";

/// A recorded request.
pub(super) struct Recorded {
    /// Last step of its path.
    pub(super) port: String,
    pub(super) content_type: String,
    pub(super) accept: String,
    pub(super) body: Vec<u8>,
}

/// Head and body of a recorded file.
fn split(name: &str) -> (String, Vec<u8>) {
    let bytes = std::fs::read(shared("samples/xta/v3-jaxws-wire").join(name)).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (String::from_utf8(bytes[..end].to_vec()).unwrap(), bytes[end + 4..].to_vec())
}

pub(super) fn recorded(name: &str) -> Recorded {
    let (head, body) = split(name);
    let field = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
            .next()
            .unwrap()
    };
    let path = head.split(' ').nth(1).unwrap();
    Recorded {
        port: path.rsplit('/').next().unwrap().to_owned(),
        content_type: field("content-type"),
        accept: field("accept"),
        body,
    }
}

/// Status, content type and body of the answer.
pub(super) async fn post(client: &Client, url: &str, request: &Recorded) -> (u16, String, Vec<u8>) {
    let asked =
        client.post(url).header("Content-Type", &request.content_type).header("Accept", &request.accept);
    let answer = asked.body(request.body.clone()).send().await.unwrap();
    let status = answer.status().as_u16();
    let content_type = answer.headers().get("content-type").map(|it| it.to_str().unwrap().to_owned());
    (status, content_type.unwrap_or_default(), answer.bytes().await.unwrap().to_vec())
}

/// The bytes with one passage in the place of another.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        all.extend_from_slice(&rest[..at]);
        all.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    all.extend_from_slice(rest);
    all
}

/// The code of an exception in an answer.
fn code(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let behind = text.split_once("<code>")?.1;
    Some(behind.split('<').next()?.to_owned())
}

/// The id that an answer brings.
fn issued(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let from = text.find("urn:de:xta:messageid:").unwrap();
    text[from..].split('<').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_jax_ws_has_sent_is_answered_as_jax_ws_answered_it() {
    let mut bed = Bed::on(&Engine::Sqlite).await;
    let client = bed.client(Some("client"));
    let mut id = RECORDED.to_owned();
    let mut files = Vec::new();
    for number in ["01", "03", "04", "06", "07", "08", "09", "12", "14"] {
        let mut request = recorded(&format!("{number}_request.http"));
        request.body = replaced(&request.body, RECORDED.as_bytes(), id.as_bytes());
        let (head, body) = split(&format!("{number}_response.http"));
        let (status, content_type, answer) =
            post(&client, &format!("{}/{}", bed.base, request.port), &request).await;
        let said = String::from_utf8_lossy(&answer).into_owned();
        assert!(head.contains(&format!(" {status} ")), "{number}: {status} {said}");
        assert_eq!(code(&answer), code(&body), "{number}: {said}");
        let is_package = content_type.starts_with("multipart/related");
        assert_eq!(
            is_package,
            request.content_type.starts_with("multipart/related"),
            "{number}: {content_type}"
        );
        match number {
            "03" => id = issued(&answer),
            // What was answered is durable.
            "04" | "08" => bed.restart().await,
            _ => {}
        }
        let file = bed.gateway.folder().join(format!("{number}_answer.http"));
        let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n\r\n");
        std::fs::write(&file, [head.as_bytes(), &answer].concat()).unwrap();
        files.push(file);
    }
    let judged =
        said(Command::new(python()).arg("-B").arg(shared("senders/xta/validate.py")).arg("v3").args(files));
    assert_eq!(judged.lines().filter(|line| line.starts_with("ok ")).count(), 9, "{judged}");
    bed.gateway.remove().await.unwrap();
}
