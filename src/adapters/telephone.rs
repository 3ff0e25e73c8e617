//! `kind = "asterisk"`.

use std::sync::Arc;
use std::time::Duration;

use adapter_telephone::{Asterisk, Login, Settings};
use model::adapter::Adapter;

use super::{Build, seconds};
use crate::error::Error;

/// How long a session listens: whoever stops the gateway waits for it. The line outlives it.
const LISTENS: Duration = Duration::from_secs(15);

/// Most events that a session reads: Asterisk tells some hundred of a call.
const MOST_EVENTS: u32 = 500_000;

impl Build<'_> {
    pub(super) fn asterisk(&self, it: &config::Asterisk) -> Result<Arc<dyn Adapter>, Error> {
        let hours = self.config.service_hours().map_err(|_| self.refused("url", "`hours` are none"))?;
        let settings = Settings {
            id: self.id(),
            url: it.url.clone(),
            login: Login { user: it.user.clone(), password: self.secret("password", &it.password)? },
            application: it.application.clone(),
            contexts: it.contexts.clone(),
            agents: it.agents.clone(),
            outside: it.outside.clone(),
            caller_id: it.caller_id.clone(),
            may_call: it.may_call(),
            may_not_call: it.may_not_call.clone(),
            country: it.country.clone(),
            area: it.area.clone(),
            hours,
            call_back_within: seconds(it.call_back_hours * 3_600),
            missed_calls_back: it.missed_calls_back,
            rings: seconds(it.rings_seconds),
            within: seconds(it.within_seconds),
            listens: LISTENS,
            calls_a_minute: it.calls_a_minute,
            most_events: MOST_EVENTS,
        };
        Ok(Arc::new(Asterisk::new(settings, self.client(), self.clock())))
    }
}
