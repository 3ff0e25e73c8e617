//! A simulated archive by TR-ESOR 1.3 at S.4 (`tr-esor-S-4-v1.3.wsdl`): RetrieveInfo, ArchiveSubmission, ArchiveRetrieval, ArchiveEvidence and
//! ArchiveDeletion over SOAP 1.1. It keeps packages as files in a folder of its own, and answers with the result codes of the test
//! specification (BSI TR-03125 C.2). Evidence records are given to it: who stamps is not its matter. How it fails is set from outside.

mod answers;
mod request;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Error;
use request::Asked;

/// How it answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Fault {
    /// As it should.
    #[default]
    None,
    /// With 503.
    Busy,
    /// With 500 and no fault.
    Broken,
    /// With a SOAP fault of the server.
    ServerFault,
    /// With 200 and a web page.
    Garbage,
    /// With 401.
    Unauthorised,
    /// It takes the request and never answers.
    Silent,
    /// It does what is asked, and its answer breaks off.
    Lost,
    /// With `#error` and this ResultMinor, such as `/al/common#internalError`.
    Minor(String),
}

#[derive(Default)]
struct Kept {
    packages: BTreeMap<String, PathBuf>,
    /// By package: version and record.
    evidence: BTreeMap<String, Vec<(String, String)>>,
    submissions: usize,
    fault: Fault,
}

struct Inner {
    folder: TempDir,
    kept: Mutex<Kept>,
}

/// An archive that runs until it is dropped.
pub struct Archive {
    /// Address of S.4.
    pub url: String,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

impl Archive {
    /// Listens on a port of the loopback; 0 is any free one.
    ///
    /// # Errors
    /// If it is taken.
    pub async fn start_on(port: u16) -> Result<Self, Error> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let url = format!("http://{}/s4", listener.local_addr()?);
        let inner = Arc::new(Inner { folder: tempfile::tempdir()?, kept: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        let serving = tokio::spawn(async move {
            // It ends with its task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Archive { url, inner, serving })
    }

    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    /// If there is none.
    pub async fn start() -> Result<Self, Error> {
        Self::start_on(0).await
    }

    /// The ids of its packages.
    pub fn packages(&self) -> Vec<String> {
        self.with(|kept| kept.packages.keys().cloned().collect())
    }

    /// Where a package lies, a XAIP.
    pub fn package(&self, aoid: &str) -> Option<PathBuf> {
        self.with(|kept| kept.packages.get(aoid).cloned())
    }

    /// How many submissions it has taken.
    pub fn submissions(&self) -> usize {
        self.with(|kept| kept.submissions)
    }

    /// Evidence of a package: an EvidenceRecord of RFC 4998 in base64.
    pub fn put_evidence(&self, aoid: &str, record: String) {
        self.put_evidence_of(aoid, "V001", record);
    }

    /// The same of another version.
    pub fn put_evidence_of(&self, aoid: &str, version: &str, record: String) {
        self.with(|kept| {
            kept.evidence.entry(aoid.to_owned()).or_default().push((version.to_owned(), record))
        });
    }

    /// How it answers from now on.
    pub fn set_fault(&self, fault: Fault) {
        self.with(|kept| kept.fault = fault);
    }

    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        self.inner.with(act)
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Inner {
    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        act(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn answer(Shared(inner): Shared<Arc<Inner>>, headers: HeaderMap, body: Body) -> Response {
    let fault = inner.with(|kept| kept.fault.clone());
    match fault {
        Fault::Busy => return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "7")], "").into_response(),
        Fault::Broken => return (StatusCode::INTERNAL_SERVER_ERROR, "<html>500</html>").into_response(),
        Fault::ServerFault => return answers::fault("Server"),
        Fault::Garbage => return (StatusCode::OK, "<html><body>Anmeldung</body></html>").into_response(),
        Fault::Unauthorised => return StatusCode::UNAUTHORIZED.into_response(),
        Fault::Silent => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
        }
        Fault::None | Fault::Lost | Fault::Minor(_) => {}
    }
    let action =
        headers.get("soapaction").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let Ok(request) = taken(&inner, body).await else { return answers::fault("Client") };
    let folder = inner.folder.path().to_owned();
    let read = tokio::task::spawn_blocking(move || request::read(&request, &folder)).await;
    let Ok(Some(asked)) = read else { return answers::fault("Client") };
    if !action.trim_matches('"').ends_with(asked.operation.trim_end_matches("Request")) {
        return answers::fault("Client");
    }
    if let Fault::Minor(minor) = &fault {
        return answers::result(&asked.operation, "error", minor, "");
    }
    let reply = carry_out(&inner, asked).await;
    match fault {
        // The head promises more than comes.
        Fault::Lost => {
            let broken =
                futures::stream::iter([Ok("<S:Env".to_owned()), Err(std::io::Error::other("broken off"))]);
            Body::from_stream(broken).into_response()
        }
        _ => reply,
    }
}

/// The request in a file: a package has any size.
async fn taken(inner: &Inner, body: Body) -> std::io::Result<tempfile::NamedTempFile> {
    let file = tempfile::NamedTempFile::new_in(inner.folder.path())?;
    let mut out = tokio::fs::File::from_std(file.reopen()?);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        out.write_all(&piece.map_err(std::io::Error::other)?).await?;
    }
    out.flush().await?;
    Ok(file)
}

async fn carry_out(inner: &Inner, asked: Asked) -> Response {
    let operation = asked.operation.as_str();
    let package = |aoid: &str| inner.with(|kept| kept.packages.get(aoid).cloned());
    match operation {
        "RetrieveInfoRequest" => answers::result(operation, "ok", "", ""),
        "ArchiveSubmissionRequest" => submit(inner, asked),
        "ArchiveRetrievalRequest" => match package(&asked.aoid) {
            Some(path) => answers::package(&path).await,
            None => answers::result(operation, "error", "/arl/unknownAOID", ""),
        },
        "ArchiveEvidenceRequest" => match package(&asked.aoid) {
            Some(_) => {
                let records = inner.with(|kept| kept.evidence.get(&asked.aoid).cloned().unwrap_or_default());
                answers::result(operation, "ok", "", &answers::evidence(&asked.aoid, &records))
            }
            None => answers::result(operation, "error", "/arl/unknownAOID", ""),
        },
        "ArchiveDeletionRequest" => {
            let is_known = package(&asked.aoid).is_some();
            match (is_known, asked.has_reason) {
                (false, _) => answers::result(operation, "error", "/arl/unknownAOID", ""),
                // Retention of packages that are played with lies in the future.
                (true, false) => answers::result(operation, "error", "/arl/missingReasonOfDeletion", ""),
                (true, true) => {
                    inner.with(|kept| kept.packages.remove(&asked.aoid));
                    answers::result(operation, "ok", "", "")
                }
            }
        }
        _ => answers::fault("Client"),
    }
}

fn submit(inner: &Inner, asked: Asked) -> Response {
    let operation = asked.operation.as_str();
    let Some(path) = asked.package else { return answers::result(operation, "error", "/arl/XAIP_NOK", "") };
    inner.with(|kept| {
        kept.submissions += 1;
        let aoid = if asked.aoid.is_empty() { uuid::Uuid::now_v7().to_string() } else { asked.aoid };
        if kept.packages.contains_key(&aoid) {
            return answers::result(operation, "error", "/arl/existingAOID", "");
        }
        kept.packages.insert(aoid.clone(), path);
        answers::result(operation, "ok", "", &format!("<tr:AOID>{aoid}</tr:AOID>"))
    })
}
