//! Doing once what is asked twice: the key of a request, its digest, and the first answer.

use model::Caller;
use serde_json::Value;
use store::{Dedup, Work};

use crate::{Broker, Error};

/// A request that may come again. The same key with the same digest gets the first answer; with
/// another digest it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Chosen by the caller (`Idempotency-Key`).
    pub key: String,
    /// SHA-256 over what is asked for, hex.
    pub digest: String,
}

impl Once {
    /// Keys of different callers never meet.
    fn space(caller: &Caller) -> String {
        format!("rest:{}", caller.actor.id)
    }

    /// Claims the key in `work`, together with the answer to be given again.
    pub(crate) fn claim(&self, work: &mut Work, caller: &Caller, subject: model::Id, answer: &Value) {
        let space = Self::space(caller);
        work.claim_dedup(&caller.scope.tenant, &space, &self.key, subject, &self.digest, Some(answer));
    }
}

impl Broker {
    /// The first answer to this request, if it was made before.
    ///
    /// # Errors
    /// `KeyReused` if the key was used for another request.
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

    /// Keeps the answer to a request whose effect is committed already. For effects that change nothing
    /// when they are repeated: an interruption before this call only costs the repetition.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn remember(
        &self,
        caller: &Caller,
        once: &Once,
        subject: model::Id,
        answer: &Value,
    ) -> Result<(), Error> {
        let mut work = Work::new();
        once.claim(&mut work, caller, subject, answer);
        match self.store().commit(work).await.map_err(Error::from) {
            Err(error) if error.is_conflict("dedup") => Ok(()),
            outcome => outcome,
        }
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
    Ok(known.answer.unwrap_or(Value::Null))
}
