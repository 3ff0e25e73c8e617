//! Simulated document management systems, written from what is publicly known of them: d.velop documents and enaio. They hold what
//! they are given in memory and answer as the public clients expect it.

pub mod dvelop;
pub mod enaio;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Error;

/// Something that a system holds.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// Its id.
    pub id: String,
    /// Category or type.
    pub kind: String,
    /// Values by property.
    pub values: BTreeMap<String, String>,
    /// Bytes of each version, oldest first.
    pub versions: Vec<Vec<u8>>,
    /// What it lies in, by id.
    pub parents: Vec<String>,
    /// Counts its changes.
    pub changes: u32,
}

/// A server that ends when this is dropped.
pub(crate) struct Running(JoinHandle<std::io::Result<()>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve(router: Router) -> Result<(String, Running), Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((url, Running(tokio::spawn(async move { axum::serve(listener, router).await }))))
}
