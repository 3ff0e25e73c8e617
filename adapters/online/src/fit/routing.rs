//! Where applications for a service in an area go (Routing API 2.0.0, `GET /v1/routes`). A route counts only if the Self-Service-Portal has
//! signed it (`destinationSignature`, PS512) for this destination, service and area, by a key of the configuration.

use model::Failure;
use seal::jose::{Algorithm, Jws, KeySet};
use serde::Deserialize;
use uuid::Uuid;

use super::client::{Access, not_understood};

/// Where areas begin.
const AREA: &str = "urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:rs:";

/// A service in an area.
#[derive(Debug, Clone)]
pub struct Route {
    /// Address of the Routing API, without `/v1`.
    pub url: String,
    /// LeiKa key: 14 digits.
    pub leika: String,
    /// Amtlicher Regionalschlüssel.
    pub ars: String,
    /// Keys of the Self-Service-Portal.
    pub keys: KeySet,
}

#[derive(Deserialize)]
struct Found {
    routes: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    destination_id: Uuid,
    destination_signature: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    destination_id: Uuid,
    #[serde(default)]
    submission_host: Option<String>,
    services: Vec<Served>,
}

#[derive(Deserialize)]
struct Served {
    #[serde(rename = "gebietIDs")]
    areas: Vec<String>,
    #[serde(rename = "leistungIDs")]
    services: Vec<String>,
}

/// The one destination that is responsible.
///
/// # Errors
/// `fit.no-route` if there is none whose signature is right, or more than one.
pub(crate) async fn destination(access: &Access, route: &Route) -> Result<Uuid, Failure> {
    let url = format!("{}/v1/routes?leikaKey={}&ars={}&offset=0&limit=100", route.url, route.leika, route.ars);
    let answer = access.public(&url).await?;
    let found: Found = serde_json::from_slice(&answer.body).map_err(|_| not_understood())?;
    let right = found.routes.iter().filter(|it| is_signed(it, route, &access.hosts().submission));
    let mut ids: Vec<Uuid> = right.map(|it| it.destination_id).collect();
    ids.dedup();
    match ids.as_slice() {
        [only] => Ok(*only),
        _ => Err(Failure::permanent("fit.no-route", "the routing service names no destination, or more than one")),
    }
}

fn is_signed(it: &Listed, route: &Route, submission: &str) -> bool {
    let claims = || -> Option<Claims> {
        // The published example writes `jwt` in small letters, RFC 7519 recommends capitals.
        let token = &it.destination_signature;
        let jws = ["jwt", "JWT"].into_iter().find_map(|typ| Jws::read(token, Algorithm::Ps512, typ).ok())?;
        let key = route.keys.find(jws.kid()?, Algorithm::Ps512)?.clone();
        serde_json::from_slice(&jws.verify(&key).ok()?).ok()
    };
    let Some(claims) = claims() else { return false };
    let host = submission.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let (area, service) = (format!("{AREA}{}", route.ars), format!("urn:de:fim:leika:leistung:{}", route.leika));
    let serves = |served: &Served| served.areas.contains(&area) && served.services.contains(&service);
    claims.destination_id == it.destination_id
        && claims.submission_host.is_none_or(|it| it == host)
        && claims.services.iter().any(serves)
}
