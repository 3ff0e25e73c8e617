//! Whose key a SET must be signed with: the delivery service's by its JWK set, a destination's by its key there or our own. The keys of one
//! are never taken for events of the other.

use std::sync::Arc;
use std::time::Duration;

use model::{Failure, Timestamp};
use seal::jose::{Algorithm, KeySet, PublicKey};
use seal::x509::{Standing, Trust};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::client::{Access, Call, not_understood};
use super::set::{Author, Invalid, Set, Unverified};

/// Keys that are asked for again if one is unknown, at most so often.
const AGAIN: Duration = Duration::from_secs(60);
/// How long keys are used without asking again: a key that was taken back is not taken any more after that.
const FRESH: Duration = Duration::from_secs(3_600);
/// Longest id of a key.
const KID: usize = 64;
/// Most keys of destinations that are kept.
const MOST: usize = 1_000;

/// Keys of the delivery service and of destinations.
pub(crate) struct Keys {
    access: Arc<Access>,
    /// What the delivery service calls itself in `iss`; absent: anything.
    issuer: Option<String>,
    /// Our own, by the destination that they sign for.
    own: Vec<(Uuid, PublicKey)>,
    /// Whom certificates of keys must go back to; absent: nobody is asked who issued them.
    trust: Option<Arc<Trust>>,
    service: Mutex<Option<(KeySet, Timestamp)>>,
    destinations: Mutex<Vec<Known>>,
}

/// A key of a destination, and when it was asked for.
struct Known {
    destination: Uuid,
    key: PublicKey,
    at: Timestamp,
}

impl Keys {
    pub(crate) fn new(access: Arc<Access>, issuer: Option<String>, own: Vec<(Uuid, PublicKey)>) -> Self {
        let (service, destinations) = (Mutex::default(), Mutex::default());
        Keys { access, issuer, own, trust: None, service, destinations }
    }

    /// Keys of destinations must have certificates that go back to one of these anchors.
    #[must_use]
    pub(crate) fn with_trust(self, trust: Option<Arc<Trust>>) -> Self {
        Keys { trust, ..self }
    }

    /// The event of a token, or why it is none.
    ///
    /// # Errors
    /// If keys could not be asked for: then nobody knows yet.
    pub(crate) async fn verify(&self, token: &str) -> Result<Result<Set, Invalid>, Failure> {
        match Unverified::read(token, self.access.now()) {
            Ok(read) => self.judge(read).await,
            Err(invalid) => Ok(Err(invalid)),
        }
    }

    /// The same of one that was read.
    ///
    /// # Errors
    /// As [`Keys::verify`].
    pub(crate) async fn judge(&self, read: Unverified) -> Result<Result<Set, Invalid>, Failure> {
        let key = match read.author() {
            Author::Service(issuer) if self.is_service(issuer) => self.of_service(read.kid()).await?,
            Author::Service(_) => None,
            Author::Destination(destination) => self.of_destination(*destination, read.kid()).await?,
        };
        // A key that nobody has (yet) says nothing.
        Ok(key.ok_or(Invalid::Unclear).and_then(|key| read.verify(&key)))
    }

    /// Whatever it calls itself, its keys are those of the address that is configured.
    fn is_service(&self, issuer: &str) -> bool {
        self.issuer.as_deref().is_none_or(|known| known == issuer)
    }

    async fn of_service(&self, kid: &str) -> Result<Option<PublicKey>, Failure> {
        let now = self.access.now();
        let mut kept = self.service.lock().await;
        let found = kept.as_ref().and_then(|(set, _)| set.find(kid, Algorithm::Ps512).cloned());
        let pause = if found.is_some() { FRESH } else { AGAIN };
        if kept.as_ref().is_some_and(|(_, at)| now < at.plus(pause)) {
            return Ok(found.filter(|key| self.is_good_for_service(key)));
        }
        let url = format!("{}/.well-known/jwks.json", self.access.hosts().submission);
        let answer = self.access.public(&url).await?;
        let set = KeySet::from_json(&answer.body).map_err(|_| not_understood())?;
        let found = set.find(kid, Algorithm::Ps512).cloned();
        *kept = Some((set, now));
        Ok(found.filter(|key| self.is_good_for_service(key)))
    }

    /// The delivery service's keys come from its own address, with certificates or without.
    fn is_good_for_service(&self, key: &PublicKey) -> bool {
        key.chain().is_empty() || self.is_good(key)
    }

    /// Whether a destination's key may be used: its certificates are of their time, and with anchors it has some, which go back to one.
    pub(crate) fn is_good(&self, key: &PublicKey) -> bool {
        let now = self.access.now().micros() / 1_000_000;
        let Some(trust) = &self.trust else { return key.chain().iter().all(|it| it.is_valid_at(now)) };
        let Some((own, others)) = key.chain().split_first() else { return false };
        trust.inspect_with(own, others, now).is_ok_and(|found| found.standing() == Standing::Good)
    }

    async fn of_destination(&self, destination: Uuid, kid: &str) -> Result<Option<PublicKey>, Failure> {
        let is_own = |(owner, key): &&(Uuid, PublicKey)| *owner == destination && key.kid() == kid;
        if let Some((_, key)) = self.own.iter().find(is_own) {
            return Ok(Some(key.clone()));
        }
        let now = self.access.now();
        let mut kept = self.destinations.lock().await;
        kept.retain(|it| now < it.at.plus(FRESH));
        let is_it = |it: &&Known| it.destination == destination && it.key.kid() == kid;
        if let Some(known) = kept.iter().find(is_it) {
            return Ok(Some(known.key.clone()));
        }
        let key = destination_key(&self.access, destination, kid).await?;
        let key = key.filter(|key| key.algorithm() == Algorithm::Ps512 && self.is_good(key));
        if let Some(key) = &key {
            kept.truncate(MOST - 1);
            kept.push(Known { destination, key: key.clone(), at: now });
        }
        Ok(key)
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
