//! Whose key a SET must be signed with: the delivery service's by its JWK set, a destination's by its key there or our own. The keys of one
//! are never taken for events of the other.

use std::sync::Arc;
use std::time::Duration;

use model::{Failure, Timestamp};
use seal::jose::{Algorithm, KeySet, PublicKey};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::client::{Access, Call, not_understood};
use super::set::{Author, Invalid, Set, Unverified};

/// Keys that are asked for again if one is unknown, at most so often.
const AGAIN: Duration = Duration::from_secs(60);
/// How long keys are used without asking again.
const FRESH: Duration = Duration::from_secs(3_600);
/// Longest id of a key.
const KID: usize = 64;

/// Keys of the delivery service and of destinations.
pub(crate) struct Keys {
    access: Arc<Access>,
    /// What the delivery service calls itself in `iss`; absent: anything.
    issuer: Option<String>,
    /// Our own, by the destination that they sign for.
    own: Vec<(Uuid, PublicKey)>,
    service: Mutex<Option<(KeySet, Timestamp)>>,
    destinations: Mutex<Vec<(Uuid, PublicKey)>>,
}

impl Keys {
    pub(crate) fn new(access: Arc<Access>, issuer: Option<String>, own: Vec<(Uuid, PublicKey)>) -> Self {
        Keys { access, issuer, own, service: Mutex::default(), destinations: Mutex::default() }
    }

    /// The event of a token, or why it is none.
    ///
    /// # Errors
    /// If keys could not be asked for: then nobody knows yet.
    pub(crate) async fn verify(&self, token: &str) -> Result<Result<Set, Invalid>, Failure> {
        let read = match Unverified::read(token, self.access.now()) {
            Ok(read) => read,
            Err(invalid) => return Ok(Err(invalid)),
        };
        let key = match read.author() {
            Author::Service(issuer) if self.is_service(issuer) => self.of_service(read.kid()).await?,
            Author::Service(_) => None,
            Author::Destination(destination) => self.of_destination(*destination, read.kid()).await?,
        };
        Ok(key.ok_or(Invalid::Signature).and_then(|key| read.verify(&key)))
    }

    /// Whatever it calls itself, its keys are those of the address that is configured.
    fn is_service(&self, issuer: &str) -> bool {
        self.issuer.as_ref().is_none_or(|known| issuer == known)
    }

    async fn of_service(&self, kid: &str) -> Result<Option<PublicKey>, Failure> {
        let now = self.access.now();
        let mut kept = self.service.lock().await;
        let found = kept.as_ref().and_then(|(set, _)| set.find(kid, Algorithm::Ps512).cloned());
        let pause = if found.is_some() { FRESH } else { AGAIN };
        if kept.as_ref().is_some_and(|(_, at)| now < at.plus(pause)) {
            return Ok(found);
        }
        let url = format!("{}/.well-known/jwks.json", self.access.hosts().submission);
        let answer = self.access.public(&url).await?;
        let set = KeySet::from_json(&answer.body).map_err(|_| not_understood())?;
        let found = set.find(kid, Algorithm::Ps512).cloned();
        *kept = Some((set, now));
        Ok(found)
    }

    async fn of_destination(&self, destination: Uuid, kid: &str) -> Result<Option<PublicKey>, Failure> {
        let is_it = |(owner, key): &&(Uuid, PublicKey)| *owner == destination && key.kid() == kid;
        if let Some((_, key)) = self.own.iter().find(is_it) {
            return Ok(Some(key.clone()));
        }
        let mut kept = self.destinations.lock().await;
        if let Some((_, key)) = kept.iter().find(is_it) {
            return Ok(Some(key.clone()));
        }
        let Some(key) = destination_key(&self.access, destination, kid).await? else { return Ok(None) };
        if key.algorithm() != Algorithm::Ps512 {
            return Ok(None);
        }
        kept.truncate(1_000);
        kept.push((destination, key.clone()));
        Ok(Some(key))
    }
}

/// A key of a destination; `None` if it has none of this id, or one that breaks the rules.
///
/// # Errors
/// If it could not be asked for.
pub(crate) async fn destination_key(
    access: &Access,
    destination: Uuid,
    kid: &str,
) -> Result<Option<PublicKey>, Failure> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if kid.is_empty() || kid.len() > KID || !kid.bytes().all(is_name) || kid.starts_with('.') {
        return Ok(None);
    }
    let path = format!("/v2/destinations/{destination}/keys/{kid}");
    match access.send(Call::get(&path)).await {
        Ok(answer) => Ok(PublicKey::from_json(&answer.body).ok().filter(|key| key.kid() == kid)),
        Err(failure) if failure.code == "fit.refused" => Ok(None),
        Err(failure) => Err(failure),
    }
}
