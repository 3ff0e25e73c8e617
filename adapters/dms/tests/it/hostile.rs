//! Other sides that hang, lie, close half-way or refuse: each ends in the right kind of failure, and none in two documents.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use adapter_dms::{Login, dvelop, enaio, webdav};
use model::adapter::{Adapter, Source};
use model::{FailureKind, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::given::{Given, client, dms};

/// What the other side does with every request.
#[derive(Clone, Copy)]
enum Side {
    Hangs,
    ClosesHalfWay,
    Says(&'static str),
}

const PAGE: Side = Side::Says(
    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 26\r\n\r\n<html>Bitte anmelden</html",
);
const BUSY: Side = Side::Says("HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n");
const LOGIN: Side = Side::Says("HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n");
const MOVED: Side =
    Side::Says("HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n");

async fn start(side: Side) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = vec![0; 16 * 1024];
                while stream.read(&mut head).await.is_ok_and(|read| read > 0) {
                    match side {
                        Side::Hangs => tokio::time::sleep(Duration::from_secs(60)).await,
                        Side::ClosesHalfWay => {
                            let half =
                                "HTTP/1.1 207 Multi\r\ncontent-length: 5000\r\n\r\n<?xml version='1.0'?>";
                            _ = stream.write_all(half.as_bytes()).await;
                            return;
                        }
                        Side::Says(answer) => _ = stream.write_all(answer.as_bytes()).await,
                    }
                }
            });
        }
    });
    url
}

fn adapters(url: &str) -> Vec<(&'static str, Arc<dyn Adapter>)> {
    let within = Duration::from_millis(700);
    let clock = || Arc::new(SystemClock);
    let dav = webdav::Settings {
        within,
        transfer: within,
        ..webdav::Settings::new(format!("{url}/a"), Login::Nobody)
    };
    let kind = || enaio::ObjectType { id: "1".into(), own_field: "own".into(), name_field: None };
    let enaio = enaio::Settings {
        url: format!("{url}/osrest/api"),
        login: Login::Nobody,
        cabinet: kind(),
        register: kind(),
        document: kind(),
        mark_field: "mark".into(),
        root: None,
        within,
        transfer: within,
    };
    let dvelop = dvelop::Settings {
        url: url.into(),
        login: Login::Nobody,
        repository: "r".into(),
        folder_category: "F".into(),
        document_category: "D".into(),
        own_property: "own".into(),
        mark_property: "mark".into(),
        name_property: None,
        parent_property: None,
        root: None,
        within,
        transfer: within,
    };
    vec![
        ("webdav", dms(webdav::library(&dav, client(), clock()).unwrap())),
        ("dvelop", dms(dvelop::repository(dvelop, client(), clock()).unwrap())),
        ("enaio", dms(enaio::enaio(enaio, client(), clock()).unwrap())),
    ]
}

#[tokio::test]
async fn each_other_side_ends_in_the_right_kind_of_failure() {
    use FailureKind::{Permanent, Transient, Unauthorised};
    let expected = [
        (Side::Hangs, Transient, "dms.unreachable"),
        (Side::ClosesHalfWay, Transient, "dms.unreachable"),
        (PAGE, Transient, "dms.not-understood"),
        (BUSY, Transient, "dms.unavailable"),
        (LOGIN, Unauthorised, "dms.unauthorised"),
        (MOVED, Permanent, "dms.refused"),
    ];
    for (side, kind, code) in expected {
        let url = start(side).await;
        for (name, adapter) in adapters(&url) {
            let mut given = Given::new();
            let delivery = given.version("1", b"x");
            let sources: Vec<Box<dyn Source>> = vec![Box::new(b"x".to_vec())];
            let failure = adapter.deliver(&delivery, &sources).await.unwrap_err();
            assert_eq!((failure.kind, failure.code.as_ref()), (kind, code), "{name}: {}", failure.detail);
            assert!(!failure.detail.contains("anmelden"));
            if code == "dms.unavailable" {
                assert_eq!(failure.retry_after, Some(Duration::from_secs(7)), "{name}");
            }
            assert!(!adapter.check().await.ok, "{name}");
        }
    }
}
