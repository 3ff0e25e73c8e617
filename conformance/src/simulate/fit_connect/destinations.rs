//! Destinations, their keys, the delivery service's keys, and routes (Routing API 2.0.0).

use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::books::{Books, Destination};
use super::{Call, Fault, new_id, problem, told};

const AREA: &str = "urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:rs:";

/// `…/destinations/…` of both APIs; `parts` is the path.
pub(super) fn answer(books: &mut Books, call: &Call, parts: &[&str], body: &[u8]) -> Response {
    let id = parts.get(2).and_then(|id| Uuid::try_parse(id).ok());
    let missing = books.fault == Fault::UnknownKey;
    let Some(destination) = id.and_then(|id| books.destinations.get_mut(&id)) else {
        return problem(404, "destination-not-found");
    };
    match (&call.method, parts.get(3..).unwrap_or_default()) {
        (&Method::GET, []) => told(200, &view(destination)),
        (&Method::PATCH, []) => {
            let asked: Value = serde_json::from_slice(body).unwrap_or_default();
            destination.status = asked["status"].as_str().unwrap_or("active").to_owned();
            told(200, &view(destination))
        }
        (&Method::GET, ["keys"]) => told(200, &json!({ "keys": destination.keys })),
        (&Method::POST, ["keys"]) => match serde_json::from_slice::<Value>(body) {
            Ok(key) if key["kid"].is_string() => {
                destination.keys.push(key);
                told(201, &json!({}))
            }
            _ => problem(422, "invalid-key"),
        },
        (&Method::GET, ["keys", kid]) => {
            match destination.keys.iter().find(|key| !missing && key["kid"] == **kid) {
                Some(key) => told(200, key),
                None => problem(404, "key-not-found"),
            }
        }
        _ => problem(404, "not-found"),
    }
}

fn view(it: &Destination) -> Value {
    let service = |(identifier, schemas): &(String, Vec<String>)| {
        let schemas = schemas.iter().map(|uri| json!({ "schemaUri": uri, "mimeType": "application/json" }));
        json!({ "identifier": identifier, "submissionSchemas": schemas.collect::<Vec<_>>(), "regions": ["DE"] })
    };
    json!({
        "destinationId": it.id,
        "name": it.name,
        "status": it.status,
        "encryptionKid": it.encryption_kid,
        "metadataVersions": ["1.3.0", "2.1.0"],
        "publicServices": it.services.iter().map(service).collect::<Vec<_>>(),
        "contactInformation": { "legalName": "Simulator" },
        "replyChannels": { "idBundDeMailbox": {} },
    })
}

/// `/.well-known/jwks.json`.
pub(super) fn service_keys(books: &Books) -> Response {
    match books.service_key.public_jwk() {
        Ok(key) => told(200, &json!({ "keys": [key] })),
        Err(_) => problem(500, "internal"),
    }
}

/// The Routing API: anybody may ask.
pub(super) fn routing(books: &Books, path: &str, query: &str) -> Response {
    if path == "/v1/info" {
        return told(200, &json!({ "title": "Simulator: Routingdienst", "version": "2.0.0" }));
    }
    if path != "/v1/routes" {
        return problem(404, "not-found");
    }
    let asked = |name: &str| {
        form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, it)| it.into_owned())
    };
    let (Some(service), Some(area)) = (asked("leikaKey"), asked("ars")) else {
        return problem(400, "invalid-parameters");
    };
    let identifier = format!("urn:de:fim:leika:leistung:{service}");
    let routes: Vec<Value> = books
        .destinations
        .values()
        .filter(|it| it.areas.contains(&area) && it.services.iter().any(|(known, _)| *known == identifier))
        .filter_map(|it| route(books, it, &identifier, &area))
        .collect();
    told(200, &json!({ "offset": 0, "count": routes.len(), "totalCount": routes.len(), "routes": routes }))
}

fn route(books: &Books, it: &Destination, identifier: &str, area: &str) -> Option<Value> {
    let host = books.issuer.strip_prefix("http://").unwrap_or(&books.issuer);
    let claims = json!({
        "submissionHost": host.split('/').next(),
        "iss": "Simulator: Self-Service-Portal",
        "services": [{ "gebietIDs": [format!("{AREA}{area}")], "leistungIDs": [identifier] }],
        "destinationId": it.id,
        "iat": OffsetDateTime::now_utc().unix_timestamp(),
        "jti": new_id(),
    });
    let signature = books.portal_key.sign("jwt", claims.to_string().as_bytes()).ok()?;
    Some(json!({
        "destinationId": it.id,
        "destinationSignature": signature,
        "destinationName": it.name,
        "destinationParameters": { "destinationId": it.id, "encryptionKid": it.encryption_kid, "status": it.status },
    }))
}
