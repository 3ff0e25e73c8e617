//! Calls of the delivery service: HMAC-SHA-512 over `timestamp.body` under the secret that was agreed, at most five minutes old. They are
//! hints: whatever a genuine one says, the next session begins at once and looks for itself. The body is not even parsed.

use std::time::Duration;

use model::Timestamp;
use model::adapter::{CallbackRequest, Content, Reply};
use seal::mac::{MacDigest, hmac, is_same};
use tokio::io::AsyncReadExt as _;

/// How old a call may be, and how far ahead of our clock.
const AGE: Duration = Duration::from_secs(300);
/// Most bytes of a body.
const MOST: u64 = 256 * 1024;

/// Answers a call.
pub(crate) async fn answer(request: CallbackRequest, secret: &str, now: Timestamp) -> Reply {
    let path = request.path.split('?').next().unwrap_or_default().trim_matches('/');
    if request.method != "POST" || path != "callback" {
        return Reply::text(404, "not found");
    }
    let header = |name: &str| {
        let mut all =
            request.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        all.next().filter(|_| all.next().is_none())
    };
    let (Some(timestamp), Some(code)) = (header("callback-timestamp"), header("callback-authentication"))
    else {
        return refused();
    };
    let (timestamp, code) = (timestamp.to_owned(), code.to_owned());
    if !is_recent(&timestamp, now) {
        return refused();
    }
    let Some(body) = body(request.body).await else { return Reply::text(413, "too large") };
    match is_genuine(&timestamp, &code, &body, secret) {
        true => Reply { look: true, ..Reply::text(200, "") },
        false => refused(),
    }
}

fn refused() -> Reply {
    Reply::text(401, "not authentic")
}

async fn body(content: Content) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    content.take(MOST + 1).read_to_end(&mut bytes).await.ok()?;
    (bytes.len() as u64 <= MOST).then_some(bytes)
}

fn is_recent(timestamp: &str, now: Timestamp) -> bool {
    let is_number = (1..=12).contains(&timestamp.len()) && timestamp.bytes().all(|it| it.is_ascii_digit());
    let Some(seconds) = timestamp.parse::<i64>().ok().filter(|_| is_number) else { return false };
    let at = Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    at <= now.plus(AGE) && now <= at.plus(AGE)
}

/// Whether whoever knows the secret made this call. The code is compared in constant time.
fn is_genuine(timestamp: &str, code: &str, body: &[u8], secret: &str) -> bool {
    let Ok(code) = hex::decode(code) else { return false };
    let message = [timestamp.as_bytes(), b".", body].concat();
    hmac(MacDigest::Sha512, secret.as_bytes(), &message).is_ok_and(|own| is_same(&own, &code))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vector() -> Value {
        let path = "../../../shared/samples/fit-connect/callbacks.json";
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    async fn asked(
        item: &Value,
        seconds_later: i64,
        change: impl FnOnce(&mut CallbackRequest),
    ) -> (u16, bool) {
        let text = |name: &str| item[name].as_str().unwrap().to_owned();
        let sent: i64 = text("callback-timestamp").parse().unwrap();
        let names = ["callback-timestamp", "callback-authentication"];
        let mut request = CallbackRequest {
            method: "POST".into(),
            path: "/callback".into(),
            headers: names.map(|name| (name.to_owned(), text(name))).to_vec(),
            body: Box::new(std::io::Cursor::new(text("body").into_bytes())),
        };
        change(&mut request);
        let now = Timestamp::from_micros((sent + seconds_later) * 1_000_000);
        let secret = vector()["secret"].as_str().unwrap().to_owned();
        let reply = answer(request, &secret, now).await;
        (reply.status, reply.look)
    }

    #[tokio::test]
    async fn a_genuine_call_begins_a_session_and_every_other_is_refused() {
        for item in vector()["items"].as_array().unwrap() {
            assert_eq!(asked(item, 0, |_| {}).await, (200, true));
            assert_eq!(asked(item, 299, |_| {}).await, (200, true));
            assert_eq!(asked(item, 301, |_| {}).await, (401, false));
            assert_eq!(asked(item, -301, |_| {}).await, (401, false));
            let other = |body: &'static str| {
                move |it: &mut CallbackRequest| it.body = Box::new(std::io::Cursor::new(body.as_bytes()))
            };
            assert_eq!(asked(item, 0, other("{}")).await, (401, false));
            assert_eq!(asked(item, 0, |it| it.headers.truncate(1)).await, (401, false));
            assert_eq!(asked(item, 0, |it| it.headers[1].1 = "00".repeat(64)).await, (401, false));
            assert_eq!(asked(item, 0, |it| it.headers[0].1 = "1672527600".into()).await, (401, false));
            assert_eq!(asked(item, 0, |it| it.headers.push(it.headers[1].clone())).await, (401, false));
            assert_eq!(asked(item, 0, |it| it.path = "/other".into()).await, (404, false));
            assert_eq!(asked(item, 0, |it| it.method = "GET".into()).await, (404, false));
        }
    }

    #[tokio::test]
    async fn a_flood_of_bytes_is_not_read() {
        let item = &vector()["items"][0];
        let flood = |it: &mut CallbackRequest| it.body = Box::new(tokio::io::repeat(b'a'));
        assert_eq!(asked(item, 0, flood).await, (413, false));
    }
}
