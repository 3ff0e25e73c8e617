//! Simulated system that brings raw messages, as whatever transport another authority uses would.

use reqwest::{Body, Method};
use serde_json::Value;
use tokio::sync::oneshot;

use super::files::Content;
use crate::Error;
use crate::client::{Answer, Client};

/// The system with its token.
#[derive(Debug, Clone)]
pub struct Sender {
    /// How it calls the gateway.
    pub client: Client,
}

impl Sender {
    /// Brings a message; returns it as the gateway took it in. The same `key` again is the same request.
    ///
    /// # Errors
    /// If the gateway refuses or does not answer.
    pub async fn send(&self, key: &str, content: &Content) -> Result<Value, Error> {
        self.client.upload(Method::POST, &path(content), key, content).await?.expect("POST /messages", &[202])
    }

    /// Brings the first half of a message and then hangs; `half_way` hears of it.
    ///
    /// # Errors
    /// When the line breaks, as it must.
    pub async fn hang(
        &self,
        key: &str,
        content: &Content,
        half_way: oneshot::Sender<()>,
    ) -> Result<Answer, Error> {
        let body = Body::wrap_stream(content.hanging(content.size / 2, half_way));
        self.client.upload_stream(Method::POST, &path(content), key, content, body).await
    }
}

fn path(content: &Content) -> String {
    format!("/messages?fileName={}", content.name)
}
