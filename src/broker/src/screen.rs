//! The virus check of whatever comes in, before the transaction that takes it in. What has been written is read back once, as a
//! stream. Without a scanner everything passes.

use std::io::Read;
use std::sync::Arc;

use model::scan::{Scanner, Verdict};
use model::{Caller, Finding, Report};
use store::StoredPayload;

use crate::{Broker, Error, blocking};

/// The rule by which harmful content is refused, or waits.
pub(crate) const FOUND: &str = "virus.found";
/// HTTP status of the refusal, for the audit event.
const UNPROCESSABLE: u16 = 422;

impl Broker {
    /// The same with somebody who looks for harmful content. Before it is cloned.
    pub fn with_scanner(self, scanner: Arc<dyn Scanner>) -> Self {
        Broker { scanner: Some(scanner), ..self }
    }

    /// Looks for harmful content in a source of `length` bytes; on threads that may block.
    ///
    /// # Errors
    /// `Harmful`, or that nobody can say.
    pub fn screen_source(&self, source: &mut dyn Read, length: u64) -> Result<(), Error> {
        match &self.scanner {
            Some(scanner) if scanner.scan(source, length)? == Verdict::Harmful => Err(Error::Harmful),
            _ => Ok(()),
        }
    }

    /// Whether contents are shown to a scanner.
    pub fn has_scanner(&self) -> bool {
        self.scanner.is_some()
    }

    /// Looks for harmful content in bytes that were written.
    pub(crate) async fn screen(&self, tenant: &str, stored: &StoredPayload) -> Result<(), Error> {
        if !self.has_scanner() {
            return Ok(());
        }
        let (broker, content) = (self.clone(), self.store().open_stored(tenant, stored)?);
        let length = content.size();
        blocking(move || broker.screen_source(&mut content.blocking(), length)).await
    }

    /// Bytes that a caller has brought, if there is nothing against them. Otherwise they are gone, and harmful ones leave an audit
    /// event.
    pub(crate) async fn screened(
        &self,
        caller: &Caller,
        stored: StoredPayload,
    ) -> Result<StoredPayload, Error> {
        let Err(error) = self.screen(&caller.scope.tenant, &stored).await else { return Ok(stored) };
        self.store().discard(stored).await;
        if matches!(error, Error::Harmful) {
            self.note_refusal(caller, FOUND, Some(UNPROCESSABLE)).await?;
        }
        Err(error)
    }
}

/// Why an arrival has to wait, if it is for harmful content.
pub(crate) fn finding(screened: Result<(), Error>) -> Result<Option<Finding>, Error> {
    match screened {
        Ok(()) => Ok(None),
        Err(Error::Harmful) => Ok(Some(Finding::error(FOUND))),
        Err(error) => Err(error),
    }
}

/// Whether a message is kept from everybody, since it is harmful.
pub(crate) fn is_harmful(report: Option<&Report>) -> bool {
    report.is_some_and(|report| report.findings.iter().any(|finding| finding.rule == FOUND))
}
