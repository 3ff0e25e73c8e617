//! Doing once what is asked twice: the key of a request, its digest, and the first answer.

use model::clarification::leading;
use model::{Caller, Id, Message, MessageState};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::{Dedup, Work};

use crate::{Broker, Error};

/// How often an act is decided anew because a record changed in between.
const ATTEMPTS: usize = 5;

/// A request that may come again. The same key with the same digest gets the first answer; with
/// another digest it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Chosen by the caller (`Idempotency-Key`).
    pub key: String,
    /// SHA-256 over what is asked for, hex.
    pub digest: String,
    /// Of an act on a message: how it stood when somebody decided ([`seen`]). If it stands otherwise now, nothing is done.
    pub seen: Option<String>,
}

/// How a message stands, as far as what people decide about it depends on it: its state, and what it waits for.
pub fn seen(message: &Message) -> String {
    let report = message.report.as_ref().filter(|_| message.state == MessageState::Parked);
    let rule = report.and_then(leading).map(|finding| finding.rule.as_str());
    format!("{} {}", message.state.name(), rule.unwrap_or_default())
}

/// Refuses what was decided about a message that stood otherwise.
pub(crate) fn as_seen(once: Option<&Once>, message: &Message) -> Result<(), Error> {
    stands_as(once.and_then(|once| once.seen.as_deref()), message)
}

/// The same of how a message stood, where somebody looked at it.
pub(crate) fn stands_as(known: Option<&str>, message: &Message) -> Result<(), Error> {
    match known {
        Some(known) if *known != seen(message) => Err(model::Error::VersionConflict.into()),
        _ => Ok(()),
    }
}

/// How a message stands, with the digest of its bytes.
pub(crate) fn exactly(message: &Message) -> String {
    let digest = message.payload.as_ref().map(|payload| payload.sha256.as_str());
    format!("{} {}", seen(message), digest.unwrap_or_default())
}

impl Once {
    /// A request by its key and the digest of what it asks for.
    pub fn new(key: String, digest: String) -> Once {
        Once { key, digest, seen: None }
    }

    /// Keys of different callers never meet.
    pub(crate) fn space(caller: &Caller) -> String {
        format!("rest:{}", caller.actor.id)
    }

    /// Claims the key in `work`, together with the answer to be given again.
    pub(crate) fn claim(&self, work: &mut Work, caller: &Caller, subject: Id, answer: &Value) {
        let space = Self::space(caller);
        work.claim_dedup(&caller.scope.tenant, &space, &self.key, subject, &self.digest, Some(answer));
    }
}

impl Broker {
    /// The first answer to this request, if it was made before.
    ///
    /// # Errors
    /// `KeyReused` if the key was used for another request, `AnswerNotKept` if what it told of is destroyed.
    pub async fn answered(&self, caller: &Caller, once: Option<&Once>) -> Result<Option<Value>, Error> {
        let Some(once) = once else { return Ok(None) };
        let space = Once::space(caller);
        let Some(known) = self.store().dedup(&caller.scope.tenant, &space, &once.key).await? else {
            return Ok(None);
        };
        first_answer(known, once).map(Some)
    }

    /// Whether the caller has used this key before, for requests whose digest is known only at their end.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn knows_key(&self, caller: &Caller, key: &str) -> Result<bool, Error> {
        Ok(self.store().dedup(&caller.scope.tenant, &Once::space(caller), key).await?.is_some())
    }

    /// The answer that was kept with a key of the caller's.
    pub(crate) async fn answer_to_key(&self, caller: &Caller, key: &str) -> Result<Option<Value>, Error> {
        let known = self.store().dedup(&caller.scope.tenant, &Once::space(caller), key).await?;
        Ok(known.and_then(|known| known.answer))
    }

    /// Carries `act` out, unless it was carried out before under the same key: then its answer is given again.
    /// Whatever keeps `act` from succeeding may be that the same request was quicker, so the key is looked at
    /// again before a failure is told. What others change at the same time has it decided anew.
    pub(crate) async fn once<T: DeserializeOwned, F: Future<Output = Result<T, Error>>>(
        &self,
        caller: &Caller,
        once: Option<&Once>,
        act: impl Fn() -> F,
    ) -> Result<T, Error> {
        if let Some(first) = self.answered(caller, once).await? {
            return read(first);
        }
        for attempt in 1.. {
            let error = match act().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if let Some(first) = self.answered(caller, once).await? {
                return read(first);
            }
            match error {
                error if attempt < ATTEMPTS && error.is_conflict("record") => {}
                error if error.is_conflict("record") => return Err(model::Error::VersionConflict.into()),
                error => return Err(error),
            }
        }
        Err(Error::Internal)
    }

    /// Commits `work` together with the key and its answer. To be called within [`once`](Broker::once).
    pub(crate) async fn commit_answer<T: Serialize>(
        &self,
        caller: &Caller,
        once: Option<&Once>,
        mut work: Work,
        subject: Id,
        answer: T,
    ) -> Result<T, Error> {
        if let Some(once) = once {
            let json = serde_json::to_value(&answer).map_err(|_| Error::Internal)?;
            once.claim(&mut work, caller, subject, &json);
        }
        self.store().commit(work).await?;
        Ok(answer)
    }

    /// Commits `work`. If another request with the same key was quicker, gives its answer instead.
    pub(crate) async fn commit_once(
        &self,
        caller: &Caller,
        once: Option<&Once>,
        work: Work,
    ) -> Result<Option<Value>, Error> {
        match self.store().commit(work).await.map_err(Error::from) {
            Ok(()) => Ok(None),
            Err(error) if error.is_conflict("dedup") && once.is_some() => self.answered(caller, once).await,
            Err(error) => Err(error),
        }
    }
}

fn first_answer(known: Dedup, once: &Once) -> Result<Value, Error> {
    if known.digest != once.digest {
        return Err(Error::KeyReused);
    }
    known.answer.ok_or(Error::AnswerNotKept { subject: known.subject })
}

/// A kept answer in its type.
pub(crate) fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Error> {
    serde_json::from_value(answer).map_err(|_| Error::KeyReused)
}
