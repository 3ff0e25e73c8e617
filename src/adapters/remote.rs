//! `kind = "remote"`.

use std::sync::Arc;

use adapter_remote::{Remote, Settings};
use model::adapter::{Adapter, Interest};
use seal::webhook::SharedSecret;

use super::{Build, seconds};
use crate::error::Error;

impl Build<'_> {
    pub(super) fn remote(&self, it: &config::Remote) -> Result<Arc<dyn Adapter>, Error> {
        let interests = |(record, events): (&_, &Vec<_>)| {
            let record = *record;
            events.iter().map(move |event| Interest { event: *event, record }).collect::<Vec<_>>()
        };
        let settings = Settings {
            id: self.id(),
            url: it.url.clone(),
            secret: SharedSecret::parse(&self.secret("secret", &it.secret)?)?,
            reconciles: it.reconciles,
            follows: it.follows.iter().flat_map(interests).collect(),
            keeps_records: it.keeps_records,
            brings: it.brings,
            takes_calls: it.takes_calls,
            within: seconds(it.within_seconds),
        };
        Ok(Arc::new(Remote::new(settings, self.client(), self.clock())))
    }
}
