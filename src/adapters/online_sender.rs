//! What is sent online: FIT-Connect as sender.

use std::sync::Arc;
use std::time::Duration;

use adapter_online::fit::{Access, Bridge, Calls, Hosts, Place, Route, Sending, Service, Target, sender};
use config::{FitBridge, FitConnectSender, FitTarget};
use model::adapter::Adapter;
use seal::jose::KeySet;

use super::{Build, minutes, seconds};
use crate::error::Error;

const DAY: Duration = Duration::from_secs(86_400);

impl Build<'_> {
    pub(super) fn fit_connect_sender(&self, it: &FitConnectSender) -> Result<Arc<dyn Adapter>, Error> {
        let settings = Sending {
            id: self.id(),
            target: it.target.as_ref().map(|target| self.fit_target(target)).transpose()?,
            bridge: it.bridge.as_ref().map(|bridge| self.fit_bridge(bridge)).transpose()?,
            issuer: it.issuer.clone(),
            trust: self.fit_trust(&it.trust)?,
            tells_state: it.bridge.as_ref().is_some_and(|bridge| bridge.tells_state),
            subject: it.subject.clone(),
            text: it.text.clone(),
            most_bytes: it.max_mb << 20,
            calls: self.fit_calls(it)?,
            pause: seconds(it.pause_seconds),
            followed: DAY * it.followed_days,
        };
        let hosts = Hosts { token: it.token_url.clone(), submission: it.submission_url.clone() };
        let credentials = (it.client_id.clone(), self.secret("client_secret", &it.client_secret)?);
        let times = (seconds(it.within_seconds), minutes(it.transfer_minutes));
        let access = Access::new(self.client(), self.clock(), hosts, credentials, times);
        Ok(sender(settings, access))
    }

    fn fit_calls(&self, it: &FitConnectSender) -> Result<Option<Calls>, Error> {
        let Some((url, secret)) = it.callback_url.as_ref().zip(it.callback_secret.as_ref()) else {
            return Ok(None);
        };
        Ok(Some(Calls { url: url.clone(), secret: self.secret("callback_secret", secret)? }))
    }

    fn fit_target(&self, it: &FitTarget) -> Result<Target, Error> {
        let place = match it.destination {
            Some(destination) => Place::Destination(destination),
            None => Place::Routed(self.fit_route(it)?),
        };
        let service = Service { identifier: it.service.clone(), name: it.service_name.clone() };
        Ok(Target { place, service, schema: it.schema.clone() })
    }

    /// What is missing here was refused when the configuration was read.
    fn fit_route(&self, it: &FitTarget) -> Result<Route, Error> {
        let reference = it.routing_keys.as_deref().unwrap_or_default();
        let json = self.secret("target.routing_keys", reference)?;
        let keys = KeySet::from_json(json.as_bytes());
        let keys = keys.map_err(|error| self.refused("target.routing_keys", &error.to_string()))?;
        Ok(Route {
            url: it.routing_url.clone().unwrap_or_default(),
            leika: it.leika().unwrap_or_default().to_owned(),
            ars: it.ars.clone().unwrap_or_default(),
            keys,
        })
    }

    fn fit_bridge(&self, it: &FitBridge) -> Result<Bridge, Error> {
        let service = |identifier: &str, name: &str| Service {
            identifier: identifier.to_owned(),
            name: name.to_owned(),
        };
        Ok(Bridge {
            destination: it.destination,
            identity: self.config.adapter_identity(self.entry, "bridge.author", &it.author)?,
            sender: it.sender.clone(),
            level: it.level,
            message: service(&it.message_service, "ZBP Message Forwarding"),
            status: service(&it.status_service, "ZBP State Forwarding"),
            schema: it.schema.clone(),
        })
    }
}
