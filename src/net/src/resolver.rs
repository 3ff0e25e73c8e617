//! Names are resolved here and nowhere else: what comes out is what is connected to, so a name that leads somewhere else a
//! moment later (DNS rebinding) gains nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::egress::{Egress, Reach};

/// Resolves by the system, and leaves out whatever must not be reached.
pub(crate) struct Resolver {
    pub(crate) egress: Arc<Egress>,
    pub(crate) reach: Reach,
}

/// The name leads only to addresses that must not be reached.
#[derive(Debug, thiserror::Error)]
#[error("no address of the name may be reached")]
pub(crate) struct NoneMayBeReached;

/// There is no such name, or nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("the name has no address")]
struct NoAddress;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (egress, reach) = (Arc::clone(&self.egress), self.reach);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| NoAddress)?;
            let (may, must_not): (Vec<SocketAddr>, Vec<SocketAddr>) =
                found.partition(|address| egress.permits(reach, address.ip()));
            match (may.is_empty(), must_not.is_empty()) {
                (true, true) => Err(NoAddress.into()),
                (true, false) => Err(NoneMayBeReached.into()),
                (false, _) => Ok(Box::new(may.into_iter()) as Addrs),
            }
        })
    }
}
