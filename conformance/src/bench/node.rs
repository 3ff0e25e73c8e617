//! A gateway that is measured, and the messages that it is sent.

use std::path::Path;
use std::time::Duration;

use super::wire::{self, Run};
use crate::Error;
use crate::client::items;
use crate::gateway::{COUNTY, COUNTY_KEY, Engine, Gateway, Rights};
use crate::simulate::containers;

/// Size of a message, in bytes.
pub(super) const SIZE: usize = 10_000;

/// Between two looks; each look costs the gateway something, too.
const PAUSE: Duration = Duration::from_millis(200);

/// A running gateway and who sends to it.
pub(super) struct Node {
    pub(super) gateway: Gateway,
    token: String,
    sent: u64,
}

impl Node {
    pub(super) async fn start(
        binary: &Path,
        engine: &Engine,
        config: &str,
        wrapper: &[&str],
    ) -> Result<Self, Error> {
        let mut gateway = Gateway::prepare(binary, engine).await?;
        gateway.configure(config)?;
        gateway.wrapped(wrapper);
        let token = gateway.token("bench", sender()).await?;
        gateway.start().await?;
        Ok(Node { gateway, token, sent: 0 })
    }

    /// Sends new messages; they are laid out before the clock starts.
    pub(super) async fn send(&mut self, count: usize, connections: usize) -> Result<Run, Error> {
        let requests: Vec<_> = (0..count).map(|_| self.next()).collect();
        wire::run(&self.gateway.internal(), requests, connections, 202).await
    }

    /// A new message as a request.
    pub(super) fn next(&mut self) -> Vec<u8> {
        self.sent += 1;
        message(&self.token, self.sent)
    }

    /// Waits until every message is in its mailbox.
    pub(super) async fn through(&self) -> Result<(), Error> {
        let client = self.gateway.client(&self.token)?;
        loop {
            let listed =
                client.get("/messages?state=accepted&limit=1").await?.expect("GET /messages", &[200])?;
            if items(&listed, "items").is_empty() {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

pub(super) fn sender() -> Rights<'static> {
    Rights { tenant: COUNTY, roles: &["system"], unit: "*", service: "*", authority: Some(COUNTY_KEY) }
}

/// A message of its own, of [`SIZE`] bytes.
pub(super) fn message(token: &str, number: u64) -> Vec<u8> {
    let id = uuid::Uuid::now_v7();
    let empty = containers::handover(id, number, 0).content.size;
    let container = containers::handover(id, number, (SIZE as u64).saturating_sub(empty)).content;
    let path = format!("/messages?fileName={}", container.name);
    wire::post(&path, token, "application/zip", container.bytes().map_or(&[], |bytes| bytes))
}
