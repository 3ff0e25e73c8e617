//! A destination that the routing service names counts only with the portal's signature.

use adapter_online::fit::{Place, Route};
use seal::jose::KeySet;
use serde_json::{Value, json};

use crate::bed::vector;
use crate::outbox::Line;

fn route(url: &str, ars: &str, key: &Value) -> Place {
    let keys = KeySet::from_json(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
    Place::Routed(Route { url: url.to_owned(), leika: "99115005104000".into(), ars: ars.to_owned(), keys })
}

async fn sent(ars: &str, key: impl FnOnce(Value) -> Value) -> Result<(), String> {
    let place = |service: &conformance::simulate::fit_connect::Service, _| {
        route(&service.routing_url(), ars, &key(service.routing_key().unwrap()))
    };
    let mut line = Line::with(place).await;
    line.dispatch(Value::Null, &[("daten.json", "application/json", b"{}")]);
    line.send().await.map_err(|failure| failure.code.to_string())?;
    assert_eq!(line.service.submissions()[0].destination, line.destination);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_destination_that_is_responsible_is_found_by_service_and_area() {
    assert_eq!(sent("055740000000", |key| key).await, Ok(()));
    assert_eq!(sent("099999999999", |key| key).await, Err("fit.no-route".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_somebody_else_has_signed_leads_nowhere() {
    let other = |key: Value| {
        let mut other = vector("keys.TEST-ONLY.json")["destination_signature_public"].clone();
        other["kid"] = key["kid"].clone();
        other
    };
    assert_eq!(sent("055740000000", other).await, Err("fit.no-route".into()));
}
