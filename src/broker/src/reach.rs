//! What may be sent to whom: the directory's word, lowered by what a tenant has agreed with a partner.
//!
//! A partner's settings may hold `mostBytes`, and under `services` the same per public service:
//! `{"mostBytes": 50000000, "services": {"baugenehmigung": {"mostBytes": 10000000}}}`. The smallest number holds.

use model::directory::Reach;
use model::{Authority, Scope};
use serde_json::Value;

use crate::{Broker, Error};

const MOST_BYTES: &str = "mostBytes";

impl Broker {
    /// How `authority` is reached from `tenant` for a public service; absent if no directory knows it.
    pub(crate) async fn reach(
        &self,
        tenant: &str,
        authority: &Authority,
        service: Option<&str>,
    ) -> Result<Option<Reach>, Error> {
        let found = self.parts.directory.find(authority).await?;
        let ours = found.filter(|reach| reach.tenant.as_deref().is_none_or(|only| only == tenant));
        let Some(mut reach) = ours else { return Ok(None) };
        let partners = self.store().partners(&Scope::tenant(tenant)).await?;
        let agreed = partners.iter().filter(|partner| partner.authority.as_ref() == Some(authority));
        for limit in agreed.filter_map(|partner| agreed_bytes(&partner.settings, service)) {
            reach.most_bytes = reach.most_bytes.min(limit);
        }
        Ok(Some(reach))
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
    use serde_json::json;

    use super::*;

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
