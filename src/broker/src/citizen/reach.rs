//! How a citizen wants to hear of the case, and where the apps of it are pushed to (Web Push, RFC 8030).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use model::RecordKind;
use model::adapter::Link;
use model::case::Case;
use model::rights::Scope;
use serde_json::json;
use store::Work;

use super::access::CitizenSession;
use super::somebody;
use crate::{Broker, Error};

/// The way of dispatches that are pushed to apps.
const PUSH: &str = "push";
/// Apps of one case.
const MOST_APPS: usize = 10;
/// Longest address of a push service, in bytes.
const ENDPOINT_BYTES: usize = 500;
/// Bytes of an app's public key and of its authentication secret (RFC 8291).
const KEY_BYTES: usize = 65;
const AUTH_BYTES: usize = 16;

/// An app's subscription, as browsers and apps give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushSubscription {
    /// Address of the push service.
    pub endpoint: String,
    /// Public key of the app, base64url.
    pub p256dh: String,
    /// Its authentication secret, base64url.
    pub auth: String,
}

impl Broker {
    /// The ways by which the citizen of a case may want to hear of it: those of the configuration that somebody carries for it.
    pub(super) fn ways_for(&self, case: &Case) -> Result<Vec<String>, Error> {
        let carried = |way: &&String| self.carries(&case.meta, Some(way));
        Ok(self.citizens()?.ways.iter().filter(carried).cloned().collect())
    }

    /// From now on the citizen wants to hear of the case by this way; `None`: by none that was chosen.
    ///
    /// # Errors
    /// `UnknownWay` if it may not be chosen; what keeps the case from being changed.
    pub async fn citizen_prefers(&self, session: &CitizenSession, way: Option<&str>) -> Result<(), Error> {
        let case = &session.case;
        if let Some(way) = way
            && !self.ways_for(case)?.iter().any(|known| known == way)
        {
            return Err(Error::UnknownWay);
        }
        let mut parties = case.description.parties.clone();
        let Some(party) = parties.first_mut() else {
            return Err(model::Error::Invalid { field: "prefers" }.into());
        };
        if party.prefers.as_deref() == way {
            return Ok(());
        }
        party.prefers = way.map(str::to_owned);
        self.amend_as_citizen(case, json!({ "parties": parties }), None).await
    }

    /// An app wants to be pushed to.
    ///
    /// # Errors
    /// `UnknownWay` if nobody pushes for the case; `Invalid` if the subscription is none; `TooManySubscriptions`.
    pub async fn citizen_subscribes(
        &self,
        session: &CitizenSession,
        subscription: PushSubscription,
    ) -> Result<(), Error> {
        let case = &session.case;
        let adapter = self.pusher(case).ok_or(Error::UnknownWay)?;
        check(&subscription)?;
        let tenant = &case.meta.tenant;
        let PushSubscription { endpoint, p256dh, auth } = subscription;
        let part = seal::sha256(&[endpoint.as_bytes()]).to_string();
        let known = self.store().links(tenant, adapter, case.meta.id).await?;
        let live = known.iter().filter(|link| link.state["ended"].is_null()).count();
        if live >= MOST_APPS && known.iter().all(|link| link.part != part) {
            return Err(Error::TooManySubscriptions);
        }
        let link = Link {
            kind: RecordKind::Case,
            record: case.meta.id,
            part,
            reference: endpoint,
            state: json!({ "p256dh": p256dh, "auth": auth }),
        };
        let event = self.about_case(case, &somebody(), json!({ "push": "subscribed" }));
        let mut work = Work::new();
        work.put_link(tenant, adapter, &link);
        work.insert_event(&event);
        Ok(self.store().commit(work).await?)
    }

    /// The adapter that pushes for a case.
    fn pusher(&self, case: &Case) -> Option<&str> {
        let (tenant, unit) = (&case.meta.tenant, &case.meta.unit);
        let service = case.meta.public_service.as_deref();
        let pushes = |id: &str, scope: &Scope| {
            let adapter = self.adapters.get(id);
            adapter.is_some_and(|it| it.descriptor().way.as_deref() == Some(PUSH))
                && scope.covers(tenant, unit, service)
        };
        self.channels.iter().find(|(id, channel)| pushes(id, &channel.scope)).map(|(id, _)| id.as_str())
    }
}

/// Whether the address is one of a push service, and the keys are as long as keys are. Where it really leads is looked at when it is
/// called.
fn check(subscription: &PushSubscription) -> Result<(), Error> {
    let invalid = |field| Err(model::Error::Invalid { field }.into());
    let endpoint = &subscription.endpoint;
    let is_plain = endpoint.bytes().all(|byte| byte.is_ascii_graphic());
    if !endpoint.starts_with("https://") || endpoint.len() > ENDPOINT_BYTES || !is_plain {
        return invalid("subscription/endpoint");
    }
    let length = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map(|it| it.len());
    if length(&subscription.p256dh) != Ok(KEY_BYTES) {
        return invalid("subscription/keys/p256dh");
    }
    if length(&subscription.auth) != Ok(AUTH_BYTES) {
        return invalid("subscription/keys/auth");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_looked_at_before_it_is_kept() {
        let encoded = |length| BASE64_URL_SAFE_NO_PAD.encode(vec![4_u8; length]);
        let good = PushSubscription {
            endpoint: "https://push.example/send/abc".into(),
            p256dh: encoded(65),
            auth: encoded(16),
        };
        assert!(check(&good).is_ok());
        let wrong = [
            PushSubscription { endpoint: "http://push.example/".into(), ..good.clone() },
            PushSubscription { endpoint: format!("https://{}", "x".repeat(500)), ..good.clone() },
            PushSubscription { endpoint: "https://push.example/\r\nx".into(), ..good.clone() },
            PushSubscription { p256dh: encoded(64), ..good.clone() },
            PushSubscription { auth: "!".into(), ..good },
        ];
        assert!(wrong.iter().all(|it| check(it).is_err()));
    }
}
