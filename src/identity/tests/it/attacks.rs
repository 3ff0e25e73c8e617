//! Tokens that somebody made up: every rule by itself, and a flood of unknown keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use identity::{Error, Pauses};
use model::{Clock, SystemClock};
use seal::jose::{Algorithm, PrivateKey, Protected, base64url_of, sign};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::bed::AUDIENCE;
use crate::systems::{issuers, system};

const ISSUER: &str = "https://sso.example";

/// A place where keys are, which counts how often it is asked.
async fn keys_at(set: Value) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let body = set.to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = socket.write_all((head + &body).as_bytes()).await;
        }
    });
    (url, asked)
}

fn claims() -> Value {
    let now = SystemClock.now().micros() / 1_000_000;
    json!({ "iss": ISSUER, "aud": AUDIENCE, "client_id": "portal", "iat": now, "exp": now + 300 })
}

pub fn signed(key: &PrivateKey, typ: &str, claims: &Value) -> String {
    let protected = Protected { typ: Some(typ), kid: Some(key.kid()) };
    sign(key, protected, claims.to_string().as_bytes()).unwrap()
}

#[tokio::test]
async fn whatever_is_made_up_is_refused() {
    let key = PrivateKey::random("one", Algorithm::Es256).unwrap();
    let public = key.public().unwrap().to_json().unwrap();
    let (url, _) = keys_at(json!({ "keys": [public] })).await;
    let issuers = issuers(ISSUER, Some(url), vec![system("portal", false)], Pauses::default());
    let refused = async |token: &str| issuers.caller(token, None).await.unwrap_err();
    let good = signed(&key, "at+jwt", &claims());
    issuers.caller(&good, None).await.unwrap();
    issuers.caller(&signed(&key, "application/AT+JWT", &claims()), None).await.unwrap();

    let now = SystemClock.now().micros() / 1_000_000;
    for (name, value, error) in [
        ("iss", json!("https://other.example"), Error::Issuer),
        ("aud", json!("https://other.example/api"), Error::Audience),
        ("exp", json!(now - 61), Error::Time),
        ("nbf", json!(now + 120), Error::Time),
        ("client_id", json!("stranger"), Error::Client),
        ("client_id", json!(["portal"]), Error::Client),
        ("cnf", json!({ "jkt": "x" }), Error::Binding),
        ("cnf", json!(null), Error::Binding),
    ] {
        let mut wrong = claims();
        wrong[name] = value;
        assert_eq!(refused(&signed(&key, "at+jwt", &wrong)).await, error, "{name}");
    }
    // An id token is no access token.
    assert_eq!(refused(&signed(&key, "JWT", &claims())).await, Error::Kind);
    // Another key under the same name.
    let thief = PrivateKey::random("one", Algorithm::Es256).unwrap();
    assert_eq!(refused(&signed(&thief, "at+jwt", &claims())).await, Error::Signature);
    // The payload of another token under a signature that is right.
    let other = signed(&thief, "at+jwt", &claims());
    let [head, _, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let swapped = format!("{head}.{}.{signature}", other.split('.').nth(1).unwrap().replace('e', "f"));
    assert!(issuers.caller(&swapped, None).await.is_err());

    // No signature at all; and the public key taken for a shared secret (RFC 8725, section 2.1).
    let body = base64url_of(claims().to_string().as_bytes());
    let header =
        |alg: &str| base64url_of(json!({ "alg": alg, "typ": "at+jwt", "kid": "one" }).to_string().as_bytes());
    for alg in ["none", "None", "HS256", "RS256", "ES384"] {
        let mac = seal::mac::hmac(seal::mac::MacDigest::Sha256, public.to_string().as_bytes(), b"x").unwrap();
        for signature in [String::new(), base64url_of(&mac), signature.to_owned()] {
            let token = format!("{}.{body}.{signature}", header(alg));
            assert_eq!(refused(&token).await, Error::Algorithm, "{alg}");
        }
    }
    let long = format!("{good}{}", "A".repeat(20_000));
    for wrong in ["", ".", "..", "a.b.c", "a.b.c.d", good.trim_end_matches(signature), long.as_str()] {
        assert!(issuers.caller(wrong, None).await.is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_flood_of_unknown_keys_has_the_issuer_asked_once() {
    let key = PrivateKey::random("one", Algorithm::Es256).unwrap();
    let (url, asked) = keys_at(json!({ "keys": [key.public().unwrap().to_json().unwrap()] })).await;
    let long = Pauses { again: Duration::from_secs(3600), ..Pauses::default() };
    let issuers = Arc::new(issuers(ISSUER, Some(url.clone()), vec![system("portal", false)], long));
    let flood = (0..50).map(|n| {
        let token =
            signed(&PrivateKey::random(&format!("k{n}"), Algorithm::Es256).unwrap(), "at+jwt", &claims());
        let issuers = Arc::clone(&issuers);
        tokio::spawn(async move { issuers.caller(&token, None).await })
    });
    for one in flood.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap().unwrap_err(), Error::Signature);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // Those who are known are not held up by it.
    issuers.caller(&signed(&key, "at+jwt", &claims()), None).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    // Once the pause is over, a new key is found.
    let at_once = Pauses { again: Duration::ZERO, ..Pauses::default() };
    let patient = crate::systems::issuers(ISSUER, Some(url), vec![system("portal", false)], at_once);
    for _ in 0..2 {
        let unknown = signed(&PrivateKey::random("two", Algorithm::Es256).unwrap(), "at+jwt", &claims());
        assert_eq!(patient.caller(&unknown, None).await.unwrap_err(), Error::Signature);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}
