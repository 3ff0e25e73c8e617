//! Traces for the house's collector, in a program that was built with the cargo feature `otel`; in any other nothing of it is there. One
//! span for each request (`requests`) and each job (`broker::TRACED`), sent as OTLP over HTTP (`sending`).

#[cfg(feature = "otel")]
mod requests;
#[cfg(feature = "otel")]
mod sending;

use std::future::Future;

use config::Config;

use crate::error::Error;

#[cfg(feature = "otel")]
pub(crate) use requests::around;

/// What sends spans, if any are wanted.
pub(crate) struct Traces {
    #[cfg(feature = "otel")]
    sending: Option<sending::Sending>,
}

#[cfg(feature = "otel")]
impl Traces {
    /// Begins to log, and to make spans if there is somebody to send them to.
    ///
    /// # Errors
    /// If the collector's address cannot be used.
    pub(crate) fn start(config: &Config) -> Result<Self, Error> {
        let Some(url) = &config.log.otlp else {
            config.log.start();
            return Ok(Traces { sending: None });
        };
        let (sending, listener) = sending::Sending::to(url, &config.node, config.log.otlp_share)?;
        config.log.start_with(vec![listener]);
        Ok(Traces { sending: Some(sending) })
    }

    /// Sends spans while something goes on, and what is left of them in the second after it.
    pub(crate) async fn beside<T>(self, work: impl Future<Output = T>) -> T {
        match self.sending {
            Some(sending) => sending.beside(work).await,
            None => work.await,
        }
    }
}

#[cfg(not(feature = "otel"))]
impl Traces {
    /// Begins to log.
    pub(crate) fn start(config: &Config) -> Result<Self, Error> {
        config.log.start();
        Ok(Traces {})
    }

    /// The work itself.
    pub(crate) async fn beside<T>(self, work: impl Future<Output = T>) -> T {
        work.await
    }
}

/// The router as it is.
#[cfg(not(feature = "otel"))]
pub(crate) fn around(router: axum::Router, _trust: bool) -> axum::Router {
    router
}
