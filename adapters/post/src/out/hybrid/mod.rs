//! Hybrid mail: letters to Deutsche Post's E-POSTBUSINESS API v2, which prints, posts and tells where they stand.
//!
//! The API knows no key that makes a call idempotent. `custom1` carries the id of the delivery, and is asked for before anything is sent, and
//! when an answer was lost; `custom2` carries the dispatch, so that whoever asks where letters stand needs nothing remembered.

mod api;
mod letter;
mod states;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::activity::DispatchStatus;
use model::adapter::{Adapter, Capability, Delivery, Descriptor, Health, Host, Receipt, Sources};
use model::payment::day::german_moment;
use model::{Clock, Failure, Timestamp};
use net::Client;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::pdf::stage;
use super::settings;
use super::{descriptor, dispatch_of, order, receipt};
use api::{Api, Told};

pub(super) struct Hybrid {
    descriptor: Descriptor,
    settings: settings::Hybrid,
    api: Api,
}

impl Hybrid {
    pub(super) fn new(settings: settings::Hybrid, client: Client, clock: Arc<dyn Clock>) -> Self {
        let capabilities = vec![Capability::Deliver, Capability::Reconcile, Capability::Run];
        let descriptor = descriptor(&settings.id, "hybrid", capabilities);
        let api = Api::new(&settings, client, clock);
        Hybrid { descriptor, settings, api }
    }

    /// The letter that a delivery has become.
    async fn find(&self, delivery: &Delivery) -> Result<Option<Told>, Failure> {
        let id = delivery.id.to_string();
        let mut found = self.api.named(&id).await?;
        found.retain(|letter| letter.custom1.as_deref() == Some(&id));
        found.sort_by_key(|letter| letter.letter_id);
        Ok(found.into_iter().next())
    }

    fn receipt(&self, dispatch: model::Id, told: &Told) -> Receipt {
        let now = self.api.now();
        let at = told.created_date.as_deref().and_then(moment).map_or(now, |at| at.min(now));
        receipt(dispatch, told.letter_id.to_string(), DispatchStatus::Accepted, at)
    }
}

#[async_trait]
impl Adapter for Hybrid {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver(&self, delivery: &Delivery, sources: Sources<'_>) -> Result<Receipt, Failure> {
        let Some(order) = order(delivery, "hybrid")? else { return Ok(Receipt::nothing()) };
        let fields = letter::fields(&self.settings, &order)?;
        if let Some(told) = self.find(delivery).await? {
            return Ok(self.receipt(order.dispatch.meta.id, &told));
        }
        let staged = stage(&self.settings.pdf, sources, None).await?;
        let whole = staged.joined(&self.settings.pdf).await?;
        let id = self.api.send(fields, &whole).await?;
        // When it was taken is the carrier's word; without it, it is now.
        let told = match self.find(delivery).await {
            Ok(Some(told)) => told,
            _ => Told { letter_id: id, ..Told::default() },
        };
        Ok(self.receipt(order.dispatch.meta.id, &told))
    }

    async fn reconcile(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        let Some(dispatch) = dispatch_of(delivery, "hybrid") else { return Ok(Some(Receipt::nothing())) };
        let found = self.find(delivery).await?;
        Ok(found.map(|told| self.receipt(dispatch.meta.id, &told)))
    }

    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        states::look(&self.api, &*host).await?;
        Ok(self.settings.pause)
    }

    async fn check(&self) -> Health {
        match self.api.log_in().await {
            Ok(_) => Health { ok: true, detail: "the carrier lets us in".into() },
            Err(failure) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
        }
    }
}

/// A time of the API: RFC 3339, or without a zone what the clock shows in Germany.
fn moment(text: &str) -> Option<Timestamp> {
    if let Some(at) = Timestamp::parse(text) {
        return Some(at);
    }
    let shown = Timestamp::parse(&format!("{text}Z"))?.micros();
    let seconds = OffsetDateTime::from_unix_timestamp(shown.div_euclid(1_000_000)).ok()?;
    let at = german_moment(PrimitiveDateTime::new(seconds.date(), seconds.time()));
    Some(Timestamp::from_micros(at.micros() + shown.rem_euclid(1_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_zone_is_german() {
        for (told, at) in [
            ("2026-03-02T18:00:00+01:00", "2026-03-02T17:00:00Z"),
            ("2026-03-02T18:00:00", "2026-03-02T17:00:00Z"),
            ("2026-07-02T18:00:00.5", "2026-07-02T16:00:00.500000Z"),
        ] {
            assert_eq!(moment(told), Timestamp::parse(at), "{told}");
        }
        assert_eq!(moment("gestern"), None);
    }
}
