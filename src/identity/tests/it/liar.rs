//! A provider that answers whatever a test wants: what it signs rightly and says wrongly is not believed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use identity::{Back, Error};
use model::{Clock, SystemClock};
use seal::jose::{Algorithm, PrivateKey};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::attacks::signed;
use crate::bed::provider_at;

struct Liar {
    issuer: String,
    key: PrivateKey,
    /// The id token that it gives for any code.
    token: Arc<Mutex<String>>,
}

impl Liar {
    async fn start() -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let key = PrivateKey::random("one", Algorithm::Es256).unwrap();
        let keys = json!({ "keys": [key.public().unwrap().to_json().unwrap()] }).to_string();
        let metadata = json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
        });
        let token = Arc::new(Mutex::new(String::new()));
        let said = Arc::clone(&token);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let request = request(&mut socket).await;
                let body = match request.split(' ').nth(1) {
                    Some("/keys") => keys.clone(),
                    Some("/token") => json!({ "id_token": *said.lock().unwrap() }).to_string(),
                    _ => metadata.to_string(),
                };
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = socket.write_all((head + &body).as_bytes()).await;
            }
        });
        Liar { issuer, key, token }
    }

    fn says(&self, typ: &str, claims: &Value) {
        *self.token.lock().unwrap() = signed(&self.key, typ, claims);
    }
}

/// A whole request: an answer to half of one might be lost with the connection.
async fn request(socket: &mut TcpStream) -> String {
    let (mut all, mut piece) = (vec![], [0; 4096]);
    loop {
        let read = socket.read(&mut piece).await.unwrap_or(0);
        all.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&all).into_owned();
        if read == 0 || is_whole(&text) {
            return text;
        }
    }
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |it| it.parse().unwrap())
}

#[tokio::test]
async fn an_id_token_of_another_sign_in_or_for_somebody_else_is_not_taken() {
    let liar = Liar::start().await;
    let provider = provider_at(&liar.issuer);
    let started = provider.start().await.unwrap();
    let (_, query) = started.url.split_once('?').unwrap();
    let sent: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let back = Back { code: Some("c".into()), state: sent.get("state").cloned(), ..Back::default() };
    let now = SystemClock.now().micros() / 1_000_000;
    let good = json!({
        "iss": liar.issuer, "aud": "amtsbote", "sub": "erika", "iat": now, "exp": now + 300, "nonce": sent["nonce"],
    });
    let long = "x".repeat(256);
    for (name, value, error) in [
        ("nonce", json!("x".repeat(43)), Error::State),
        ("nonce", json!(""), Error::State),
        ("nonce", json!(null), Error::State),
        ("iss", json!("https://other.example"), Error::Issuer),
        ("aud", json!("other"), Error::Audience),
        ("aud", json!(["amtsbote", "other"]), Error::Audience),
        ("azp", json!("other"), Error::Audience),
        ("exp", json!(now - 61), Error::Time),
        ("sub", json!(""), Error::Malformed),
        ("sub", json!(long), Error::Malformed),
    ] {
        let mut wrong = good.clone();
        wrong[name] = value;
        liar.says("JWT", &wrong);
        assert_eq!(provider.back(&started.pending, &back).await.unwrap_err(), error, "{name}");
    }
    liar.says("at+jwt", &good);
    assert_eq!(provider.back(&started.pending, &back).await.unwrap_err(), Error::Kind);
    liar.says("JWT", &good);
    assert_eq!(provider.back(&started.pending, &back).await.unwrap().subject, "erika");
}
