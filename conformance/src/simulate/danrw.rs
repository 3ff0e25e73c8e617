//! A simulated DA NRW: packages are dropped into a folder, it takes each away and says over `GET /status/index?origName=` what became of it
//! (DNSCore): worked on when it is first asked for, archived under a URN from then on, or refused if a test has said so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Query, State as Shared};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Error;

/// Endings of packages.
const ENDINGS: [&str; 3] = ["tgz", "zip", "tar"];

#[derive(Default)]
struct Kept {
    /// Number of the state, by name.
    packages: BTreeMap<String, i64>,
    refused: BTreeSet<String>,
}

struct Inner {
    folder: TempDir,
    kept: Mutex<Kept>,
}

/// An archive that runs until it is dropped.
pub struct Archive {
    /// Address of the web application.
    pub url: String,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

impl Archive {
    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    /// If there is none, or no folder can be made.
    pub async fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let url = format!("http://{}/daweb3", listener.local_addr()?);
        let inner = Arc::new(Inner { folder: tempfile::tempdir()?, kept: Mutex::default() });
        for name in ["incoming", "taken"] {
            std::fs::create_dir(inner.folder.path().join(name))?;
        }
        let router = Router::new().route("/daweb3/status/index", get(status)).with_state(Arc::clone(&inner));
        let serving = tokio::spawn(async move {
            // It ends with its task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Archive { url, inner, serving })
    }

    /// The folder that packages are dropped into.
    pub fn incoming(&self) -> PathBuf {
        self.inner.folder.path().join("incoming")
    }

    /// Where packages lie that it has taken.
    pub fn taken(&self) -> PathBuf {
        self.inner.folder.path().join("taken")
    }

    /// Refuses the package of this name, once it comes.
    pub fn refuse(&self, name: &str) {
        self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner).refused.insert(name.to_owned());
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn status(
    Shared(inner): Shared<Arc<Inner>>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Json<Value> {
    let name = asked.get("origName").map(String::as_str).unwrap_or_default();
    let mut kept = inner.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let dropped = ENDINGS
        .iter()
        .map(|ending| format!("{name}.{ending}"))
        .find(|file| inner.folder.path().join("incoming").join(file).is_file());
    if let Some(file) = dropped
        && !name.is_empty()
        && !name.contains('/')
    {
        let (from, to) =
            (inner.folder.path().join("incoming").join(&file), inner.folder.path().join("taken").join(&file));
        let is_taken = std::fs::rename(from, to).is_ok();
        if is_taken {
            let state = if kept.refused.contains(name) { 114 } else { 50 };
            kept.packages.insert(name.to_owned(), state);
        }
    } else if let Some(state) = kept.packages.get_mut(name).filter(|state| **state == 50) {
        *state = 100;
    }
    let entry = |state: i64| {
        let (kind, urn) = match state {
            100 => ("Object", Value::from(format!("urn:nbn:de:danrw-{name}"))),
            _ => ("QueueEntry", Value::Null),
        };
        json!({ "type": kind, "status": "", "statusInt": state, "urn": urn, "contractor": "TEST", "origName": name, "identifier": null, "packages": [1] })
    };
    let found: Vec<Value> = kept.packages.get(name).map(|state| entry(*state)).into_iter().collect();
    Json(json!({ "result": found }))
}
