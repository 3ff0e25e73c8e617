//! Simulated auditor (Revision): fetches evidence over REST and verifies it with the real verifier,
//! which knows nothing but the bundle and the public key that the authority has published.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Error;
use crate::client::Client;
use crate::gateway::Gateway;

/// The auditor with its token.
#[derive(Debug, Clone)]
pub struct Auditor {
    /// How it calls the gateway.
    pub client: Client,
    /// Where it puts what it fetched.
    pub folder: PathBuf,
}

impl Auditor {
    /// Fetches the bundle of a case file, with the bytes of its documents or without; returns the file
    /// and its size in bytes.
    ///
    /// # Errors
    /// If the gateway refuses or does not answer.
    pub async fn fetch(&self, root: &str, with_content: bool) -> Result<(PathBuf, u64), Error> {
        let file = self.folder.join(format!("evidence-{root}-{with_content}.zip"));
        let mut sink = tokio::fs::File::create(&file).await?;
        let path = format!("/evidence/{root}?content={with_content}");
        let fetched = self.client.download(&path, &mut sink).await?;
        match fetched.status {
            200 => Ok((file, fetched.size)),
            status => Err(Error::Unexpected { what: path, status, code: String::new() }),
        }
    }

    /// Whether a bundle is whole, and the verifier's report.
    ///
    /// # Errors
    /// If the verifier cannot be run.
    pub async fn verify(&self, gateway: &Gateway, bundle: &Path) -> Result<(bool, Value), Error> {
        let key = self.folder.join("evidence-public.pem");
        if !key.exists() {
            std::fs::write(&key, gateway.command(&["evidence", "key"]).output().await?.stdout)?;
        }
        let mut verifier = gateway.command(&["evidence", "verify", "--json", "--key"]);
        let output = verifier.arg(&key).arg(bundle).output().await?;
        Ok((output.status.success(), serde_json::from_slice(&output.stdout).unwrap_or_default()))
    }
}
