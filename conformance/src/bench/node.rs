//! A gateway that is measured, and the messages that it is sent.

use std::path::Path;
use std::time::Duration;

use super::wire::{self, Run};
use crate::Error;
use crate::bed::until;
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
        Node::of(gateway).await
    }

    /// Starts a gateway that is configured.
    pub(super) async fn of(mut gateway: Gateway) -> Result<Self, Error> {
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

/// Waits until every event is sealed.
pub(super) async fn sealed(gateway: &Gateway) -> Result<(), Error> {
    let (url, http) = (format!("{}/metrics", gateway.operations()), reqwest::Client::new());
    until("the sealing", PAUSE, async || {
        let figures = http.get(&url).send().await?.text().await?;
        let unsealed = figures.lines().find_map(|line| line.strip_prefix("amtsbote_unsealed_events "));
        Ok((unsealed == Some("0")).then_some(()))
    })
    .await
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
