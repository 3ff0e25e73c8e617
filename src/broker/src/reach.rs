//! What may be sent to whom: the directory's word, lowered by what a tenant has agreed with a partner.
//!
//! A partner's settings may hold `mostBytes`, and under `services` the same per public service:
//! `{"mostBytes": 50000000, "services": {"baugenehmigung": {"mostBytes": 10000000}}}`. The smallest number holds.

use model::directory::{Asked, OTHER_TENANT, Transport, Way};
use model::message::Door;
use model::{Authority, Failure, FailureKind, Message, Scope};
use serde_json::Value;

use crate::{Broker, Error};

const MOST_BYTES: &str = "mostBytes";

impl Broker {
    /// All ways to an authority, the preferred one first. None if no directory knows it.
    pub(crate) async fn ways(&self, asked: &Asked<'_>) -> Result<Vec<Way>, Error> {
        let mut ways = self.parts.directory.ways(asked).await?;
        ways.extend(self.ways_by_entry(asked).await?);
        if ways.is_empty() {
            return Ok(ways);
        }
        let partners = self.store().partners(&Scope::tenant(asked.tenant)).await?;
        let agreed = partners.iter().filter(|partner| partner.authority.as_ref() == Some(asked.to));
        for limit in agreed.filter_map(|partner| agreed_bytes(&partner.settings, asked.service)) {
            ways = ways.into_iter().map(|way| way.at_most(limit, asked.bytes)).collect();
        }
        Ok(ways)
    }

    /// The same without ways that are another tenant's business.
    pub(crate) async fn own_ways(&self, asked: &Asked<'_>) -> Result<Vec<Way>, Error> {
        let mut ways = self.ways(asked).await?;
        ways.retain(|way| way.obstacle != Some(OTHER_TENANT));
        Ok(ways)
    }

    /// The ways that a message can take to `to` from the authority that sends it.
    pub(crate) async fn ways_of(&self, message: &Message, to: &Authority) -> Result<Vec<Way>, Error> {
        let asked = Asked {
            tenant: &message.tenant,
            to,
            from: Some(&message.authority),
            service: message.public_service.as_deref(),
            bytes: message.payload.as_ref().map(|payload| payload.size),
            now: self.now(),
        };
        self.own_ways(&asked).await
    }
}

/// The way that is used: the first that can be, and if there is none, the first that might be mended.
pub(crate) fn best(mut ways: Vec<Way>) -> Option<Way> {
    let first = ways.iter().position(Way::is_usable).unwrap_or_default();
    (!ways.is_empty()).then(|| ways.swap_remove(first))
}

/// By which door a message was prepared to leave, or was tried.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tried<'a> {
    /// It has certainly not arrived.
    Known(Door),
    /// Nobody knows whether it has arrived; through which adapter it was tried, if that was noted.
    Open(Door, Option<&'a str>),
}

/// The way that a message takes: the one that was tried while it can be used, otherwise the first that can. If nobody knows
/// whether it has arrived by the way that was tried, it takes no other one: neither by another door, nor through another adapter.
///
/// # Errors
/// Why there is none.
pub(crate) fn choose(ways: Vec<Way>, tried: Tried<'_>) -> Result<Way, Error> {
    let door = match tried {
        Tried::Known(door) => door,
        Tried::Open(door, adapter) => {
            let is_same = |way: &&Way| match &way.reach.transport {
                Transport::Adapter { id, .. } => adapter.is_none_or(|adapter| adapter == id),
                _ => true,
            };
            let kept = ways.iter().filter(|way| way.reach.transport.door() == door).find(is_same);
            return kept.cloned().ok_or_else(|| {
                let why = "the way that was tried is gone, and nobody knows whether the message has arrived";
                Failure::new(FailureKind::Uncertain, "broker.uncertain", why).into()
            });
        }
    };
    let kept = ways.iter().filter(|way| way.reach.transport.door() == door);
    let usable = kept.into_iter().find(|way| way.is_usable()).cloned();
    let way = usable.or_else(|| best(ways)).ok_or(Error::UnknownAuthority)?;
    match way.obstacle {
        Some(rule) => Err(Failure::permanent(rule, "no way to the recipient can be used").into()),
        None => Ok(way),
    }
}

/// The smallest limit that settings hold for a service, in bytes.
fn agreed_bytes(settings: &Value, service: Option<&str>) -> Option<u64> {
    let of_service = service.and_then(|service| settings.get("services")?.get(service)?.get(MOST_BYTES));
    [settings.get(MOST_BYTES), of_service].into_iter().flatten().filter_map(Value::as_u64).min()
}

/// Refuses limits that are none: what is not understood would not hold.
pub(crate) fn check_settings(settings: &Value) -> Result<(), Error> {
    let is_limit =
        |limit: Option<&Value>| limit.is_none_or(|limit| limit.as_u64().is_some_and(|limit| limit > 0));
    let services = match settings.get("services") {
        None => vec![],
        Some(Value::Object(services)) => services.values().collect(),
        Some(_) => return Err(model::Error::Invalid { field: "settings/services" }.into()),
    };
    let fits = services.iter().all(|service| service.is_object() && is_limit(service.get(MOST_BYTES)));
    match fits && is_limit(settings.get(MOST_BYTES)) {
        true => Ok(()),
        false => Err(model::Error::Invalid { field: "settings" }.into()),
    }
}

#[cfg(test)]
mod tests {
    use model::directory::{NO_KEYS, Reach, Source, TOO_LARGE};
    use serde_json::json;

    use super::*;

    fn way(transport: Transport, obstacle: Option<&'static str>) -> Way {
        let reach = Reach {
            authority: "bab:1".parse().unwrap(),
            name: String::new(),
            transport,
            reads: vec![],
            most_bytes: 1,
            tenant: None,
            source: Source::Configuration,
        };
        Way { reach, until: None, obstacle }
    }

    #[test]
    fn a_message_keeps_its_way_until_that_cannot_be_used() {
        let chosen = |xta, osci, door| {
            let ways = vec![way(Transport::Xta, xta), way(Transport::Osci, osci)];
            let chosen = choose(ways, Tried::Known(door)).map(|way| way.reach.transport.door());
            chosen.map_err(|error| error.code().to_owned())
        };
        assert_eq!(chosen(None, None, Door::Osci), Ok(Door::Osci));
        assert_eq!(chosen(None, Some(NO_KEYS), Door::Osci), Ok(Door::Xta));
        assert_eq!(chosen(None, None, Door::Adapter), Ok(Door::Xta), "that is gone");
        assert_eq!(chosen(Some(TOO_LARGE), None, Door::Adapter), Ok(Door::Osci));
        assert_eq!(
            chosen(Some(TOO_LARGE), Some(NO_KEYS), Door::Osci),
            Err("message.too-large-for-recipient".into())
        );
        assert_eq!(choose(vec![], Tried::Known(Door::Osci)).unwrap_err().code(), "broker.unknown-authority");
    }

    #[test]
    fn a_message_that_may_have_arrived_takes_no_other_way() {
        let ways = vec![way(Transport::Xta, None), way(Transport::Osci, Some(NO_KEYS))];
        let kept = choose(ways.clone(), Tried::Open(Door::Osci, Some("osci"))).unwrap();
        assert_eq!(kept.reach.transport, Transport::Osci);
        let gone = choose(ways, Tried::Open(Door::Adapter, None)).unwrap_err().into_failure();
        assert_eq!((gone.kind, gone.code.as_ref()), (FailureKind::Uncertain, "broker.uncertain"));
        let through = |id: &str| way(Transport::Adapter { id: id.into(), may_repeat: true }, None);
        let tried = |adapter| choose(vec![through("a"), through("b")], Tried::Open(Door::Adapter, adapter));
        let of = |way: Way| way.reach.transport;
        assert_eq!(of(tried(Some("b")).unwrap()), of(through("b")));
        assert_eq!(of(tried(None).unwrap()), of(through("a")), "noted by an older version");
        assert_eq!(tried(Some("c")).unwrap_err().code(), "broker.uncertain", "another adapter cannot say");
    }

    #[test]
    fn the_smallest_limit_holds() {
        let settings = json!({ "mostBytes": 50, "services": { "bau": { "mostBytes": 10 }, "abfall": { "mostBytes": 90 } } });
        assert_eq!(agreed_bytes(&settings, None), Some(50));
        assert_eq!(agreed_bytes(&settings, Some("bau")), Some(10));
        assert_eq!(agreed_bytes(&settings, Some("abfall")), Some(50));
        assert_eq!(agreed_bytes(&settings, Some("x")), Some(50));
        assert_eq!(agreed_bytes(&json!({}), Some("x")), None);
    }

    #[test]
    fn a_limit_that_is_none_is_refused() {
        assert!(check_settings(&json!({ "mostBytes": 1, "services": { "bau": {} }, "other": "x" })).is_ok());
        assert!(check_settings(&Value::Null).is_ok());
        for wrong in [
            json!({ "mostBytes": 0 }),
            json!({ "mostBytes": "50 MB" }),
            json!({ "mostBytes": -1 }),
            json!({ "services": [] }),
            json!({ "services": { "bau": 5 } }),
            json!({ "services": { "bau": { "mostBytes": 1.5 } } }),
        ] {
            assert!(check_settings(&wrong).is_err(), "{wrong}");
        }
    }
}
