//! How a citizen wants to hear of the case, and where the apps of it are pushed to (Web Push, RFC 8030).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use model::activity::Addressee;
use model::adapter::Link;
use model::case::Case;
use model::rights::Scope;
use model::{Id, RecordKind};
use serde_json::json;
use store::Work;

use super::session::CitizenSession;
use super::somebody;
use crate::{Broker, Error};

/// The way of dispatches that are pushed to apps.
const PUSH: &str = "push";
/// How the parts of links begin that are subscriptions.
const APP: &str = "app:";
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
    /// The ways by which the citizen of a case may want to hear of it: those of the configuration that somebody carries for it and that
    /// reach the citizen.
    pub(super) fn ways_for(&self, case: &Case) -> Result<Vec<String>, Error> {
        let Some(citizen) = case.description.citizen() else { return Ok(vec![]) };
        let to = Addressee::of(citizen, None);
        let fits = |way: &&String| to.is_reached_by(way) && self.carries(&case.meta, Some(way));
        Ok(self.citizens()?.ways.iter().filter(fits).cloned().collect())
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
        let at = case.description.citizen_at();
        let Some(party) = at.and_then(|at| parties.get_mut(at)) else {
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
        let part = format!("{APP}{}", seal::sha256(&[endpoint.as_bytes()]));
        let known = self.apps_of(tenant, case.meta.id).await?;
        if known.len() >= MOST_APPS && known.iter().all(|(_, link)| link.part != part) {
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
        work.hold_record(tenant, case.meta.id);
        work.put_link(tenant, adapter, &link);
        work.insert_event(&event);
        self.store().commit(work).await?;
        // Access may have been revoked just now, or the case destroyed: what was written after that ends, too.
        let is_good = self.generation(tenant, case.meta.id).await?.number == session.generation;
        if is_good && self.case_there(tenant, case.meta.id).await?.is_some() {
            return Ok(());
        }
        self.citizen_unsubscribes(session, Some(&link.reference)).await?;
        Err(Error::CitizenRefused)
    }

    /// An app does not want to be pushed to any more; without an address, none of the case does. One that never wanted to is as one that
    /// does not any more.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn citizen_unsubscribes(
        &self,
        session: &CitizenSession,
        endpoint: Option<&str>,
    ) -> Result<(), Error> {
        let case = &session.case;
        let tenant = &case.meta.tenant;
        let mut ended = self.apps_of(tenant, case.meta.id).await?;
        ended.retain(|(_, link)| endpoint.is_none_or(|endpoint| link.reference == endpoint));
        if ended.is_empty() {
            return Ok(());
        }
        let mut work = Work::new();
        for (adapter, link) in &ended {
            work.remove_link(tenant, adapter, link);
        }
        let detail = json!({ "push": "unsubscribed", "apps": ended.len() });
        work.insert_event(&self.about_case(case, &somebody(), detail));
        Ok(self.store().commit(work).await?)
    }

    /// The apps of a case that are pushed to, each with the adapter that does.
    pub(super) async fn apps_of(&self, tenant: &str, case: Id) -> Result<Vec<(String, Link)>, Error> {
        let mut all = self.store().links_of(tenant, case).await?;
        all.retain(|(_, link)| link.part.starts_with(APP) && is_live(link));
        Ok(all)
    }

    fn pushes(&self, adapter: &str) -> bool {
        self.adapters.get(adapter).is_some_and(|it| it.descriptor().way.as_deref() == Some(PUSH))
    }

    /// The adapter that pushes for a case.
    fn pusher(&self, case: &Case) -> Option<&str> {
        let (tenant, unit) = (&case.meta.tenant, &case.meta.unit);
        let service = case.meta.public_service.as_deref();
        let pushes = |id: &str, scope: &Scope| self.pushes(id) && scope.covers(tenant, unit, service);
        self.channels.iter().find(|(id, channel)| pushes(id, &channel.scope)).map(|(id, _)| id.as_str())
    }
}

/// No app of a case is pushed to any more, and nothing is left of where they were, whichever adapter has pushed.
pub(crate) fn end_apps(work: &mut Work, tenant: &str, case: Id) {
    work.remove_links(tenant, case, APP);
}

/// Keeps a link of an adapter. Subscriptions are made and ended here alone: what an adapter has learnt of one that ended brings it not back.
pub(crate) fn keep_link(work: &mut Work, tenant: &str, adapter: &str, link: &Link) {
    if link.part.starts_with(APP) {
        work.update_link(tenant, adapter, link);
    } else {
        work.put_link(tenant, adapter, link);
    }
}

fn is_live(link: &Link) -> bool {
    link.state["ended"].is_null()
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
