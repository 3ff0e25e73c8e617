//! The independent provider in Python, on a free port. Absent where there is no Python or no script.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use net::{Answer, Method, Request};
use serde_json::Value;

use crate::support::client;

pub(crate) struct Mock {
    process: Child,
    pub(crate) url: String,
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Mock {
    /// Starts it and waits until it answers; `None`, and a word about it, if it cannot be had.
    pub(crate) async fn start() -> Option<Mock> {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/senders/payment/mock_provider.py");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = script.exists().then(|| {
            let mut python = Command::new("python3");
            python.arg(&script).arg(port.to_string()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
        });
        let Some(Ok(process)) = process else {
            eprintln!("SKIPPED: the provider of ../shared, or python3, is absent");
            return None;
        };
        let mock = Mock { process, url: format!("http://127.0.0.1:{port}") };
        while mock.get("/_ctl/list").await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(mock)
    }

    async fn get(&self, path: &str) -> Result<Answer, net::Error> {
        let request = Request {
            method: Method::GET,
            url: format!("{}{path}", self.url),
            chosen_by: model::outbound::ChosenBy::Administrator,
            headers: vec![],
            body: None,
            within: Duration::from_secs(10),
            most_answer: 10_000_000,
        };
        client().send(request).await
    }

    /// Changes a payment of the provider `p`: `status=…`, `amount=…`.
    pub(crate) async fn set(&self, p: &str, id: &str, what: &str) {
        let answer = self.get(&format!("/_ctl/set?p={p}&id={id}&{what}")).await.unwrap();
        assert_eq!(answer.status, 200);
    }

    /// What it was sent so far.
    pub(crate) async fn log(&self) -> Value {
        serde_json::from_slice(&self.get("/_ctl/log").await.unwrap().body).unwrap()
    }
}
