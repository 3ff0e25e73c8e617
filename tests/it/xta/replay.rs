//! What JAX-WS once sent to a server of its own is sent to ours: the answers must have the same status, hold to the schemas
//! of the standard, and carry the same exceptions.

use std::process::Command;

use conformance::gateway::Engine;
use reqwest::Client;

use super::{Bed, python, said, shared};

/// Folder of the recordings of version 3.
pub(super) const V3: &str = "samples/xta/v3-jaxws-wire";
/// Folder of those of version 5.
const V5: &str = "samples/xta/v5-jaxws-wire";

/// A recorded request.
pub(super) struct Recorded {
    /// Last step of its path.
    pub(super) port: String,
    pub(super) content_type: String,
    pub(super) accept: String,
    pub(super) body: Vec<u8>,
}

/// Head and body of a recorded file.
fn split(folder: &str, name: &str) -> (String, Vec<u8>) {
    let bytes = std::fs::read(shared(folder).join(name)).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (String::from_utf8(bytes[..end].to_vec()).unwrap(), bytes[end + 4..].to_vec())
}

pub(super) fn recorded(folder: &str, name: &str) -> Recorded {
    let (head, body) = split(folder, name);
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

/// A replay: what was recorded, and how it is sent.
struct Replay {
    folder: &'static str,
    /// For the schemas.
    version: &'static str,
    numbers: &'static [&'static str],
    /// After these the gateway is started again.
    restarts: [&'static str; 2],
}

impl Replay {
    /// Sends what was recorded, each id that was issued in the place of the recorded one.
    async fn run(&self, bed: &mut Bed, url: impl Fn(&Bed, &str) -> String) {
        let client = bed.client(Some("client"));
        let mut ids: Vec<(String, String)> = Vec::new();
        let mut files = Vec::new();
        for number in self.numbers {
            let mut request = recorded(self.folder, &format!("{number}_request.http"));
            for (recorded, ours) in &ids {
                request.body = replaced(&request.body, recorded.as_bytes(), ours.as_bytes());
            }
            let (head, body) = split(self.folder, &format!("{number}_response.http"));
            let (status, content_type, answer) = post(&client, &url(bed, &request.port), &request).await;
            let said = String::from_utf8_lossy(&answer).into_owned();
            assert!(head.contains(&format!(" {status} ")), "{number}: {status} {said}");
            if status == 500 {
                assert_eq!(code(&answer), code(&body), "{number}: {said}");
            }
            let is_package = content_type.starts_with("multipart/related");
            let was_package = request.content_type.starts_with("multipart/related");
            assert_eq!(is_package, was_package, "{number}: {content_type}");
            if ["03", "13"].contains(number) {
                ids.push((issued(&body), issued(&answer)));
            }
            // What was answered is durable.
            if self.restarts.contains(number) {
                bed.restart().await;
            }
            let file = bed.gateway.folder().join(format!("{number}_answer.http"));
            let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n\r\n");
            std::fs::write(&file, [head.as_bytes(), &answer].concat()).unwrap();
            files.push(file);
        }
        let mut command = Command::new(python());
        command.arg("-B").arg(shared("senders/xta/validate.py")).arg(self.version).args(files);
        let judged = said(&mut command);
        let good = judged.lines().filter(|line| line.starts_with("ok ")).count();
        assert_eq!(good, self.numbers.len(), "{judged}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_jax_ws_has_sent_is_answered_as_jax_ws_answered_it() {
    let mut bed = Bed::on(&Engine::Sqlite).await;
    let numbers = &["01", "03", "04", "06", "07", "08", "09", "12", "14"];
    let replay = Replay { folder: V3, version: "v3", numbers, restarts: ["04", "08"] };
    replay.run(&mut bed, |bed, port| format!("{}/{port}", bed.base)).await;
    bed.gateway.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_jax_ws_has_sent_in_version_5_is_answered_as_jax_ws_answered_it() {
    let mut bed = Bed::on(&Engine::Sqlite).await;
    let numbers = &["01", "03", "04", "06", "07", "08", "09", "12", "13", "15"];
    let replay = Replay { folder: V5, version: "v5", numbers, restarts: ["04", "07"] };
    let url = |bed: &Bed, port: &str| {
        let port = port.to_lowercase().replace("transportbase", "base");
        format!("{}/{port}", bed.core)
    };
    replay.run(&mut bed, url).await;
    bed.gateway.remove().await.unwrap();
}
