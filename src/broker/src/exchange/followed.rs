//! What the adapter says that a message of an exchange was delivered through: what an archive that speaks no xdomea decided, or has
//! archived. It counts as the standard's own reply would, and stands on the exchange in the same way.

use model::command::Change;
use model::exchange::{Appraisal, ImportResult, ImportResults, Side};
use model::process::{Next, Part};
use model::{Actor, Id, Message, Record, RecordKind, Scope};
use store::Work;

use super::exchange;
use crate::{Broker, Error};

/// What the other side says of objects, by their UUIDs in the message.
pub(crate) enum Told {
    /// What the archive decided.
    Appraised(Vec<(Id, Appraisal)>),
    /// What became of their import.
    Imported(Vec<(Id, ImportResult)>),
}

impl Broker {
    /// Adds what the other side says of the objects of a message; the rule by which it does not fit, if it does not. A message of no
    /// exchange has none.
    pub(crate) async fn note_told(
        &self,
        work: &mut Work,
        message: &Message,
        told: Told,
    ) -> Result<Result<(), &'static str>, Error> {
        let Some(id) = message.exchange else { return Ok(Ok(())) };
        let found = self.store().record(&Scope::tenant(&message.tenant), RecordKind::Exchange, id).await?;
        let Some(Record::Exchange(before)) = found else { return Ok(Ok(())) };
        if before.side != Side::Sender {
            return Ok(Err(super::reply::CONTRADICTION));
        }
        let part = match told {
            Told::Appraised(_) => Part::Appraisal,
            Told::Imported(_) => Part::Outcome,
        };
        let status = match before.next(part) {
            Ok(Next::To(status)) => Some(status),
            Ok(Next::Stay | Next::ByResults) => None,
            Err(rule) => return Ok(Err(rule)),
        };
        let effects = match told {
            Told::Appraised(all) => self.appraisal_effects(&before, all).await?,
            Told::Imported(objects) => {
                self.outcome_effects(&before, ImportResults { whole: None, objects }).await?
            }
        };
        let effects = match effects {
            Ok(effects) => effects,
            Err(rule) => return Ok(Err(rule)),
        };
        let actor = Actor { kind: "partner".to_owned(), id: message.partner.clone() };
        let mut record = Record::Exchange(before.clone());
        let of = Some(message.id);
        for change in effects.exchange.into_iter().chain(status.map(Change::ExchangeStatus)) {
            record = match self.apply(work, &record, change, &actor, of) {
                Ok(record) => record,
                Err(Error::Model(_)) => return Ok(Err(super::reply::CONTRADICTION)),
                Err(error) => return Err(error),
            };
        }
        for (record, change) in effects.records {
            match self.apply(work, &record, change, &actor, of) {
                // What was taken out, or is gone here, takes no archive's name any more.
                Ok(_) | Err(Error::Model(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.end_reminders(work, &before, &exchange(record)?).await?;
        Ok(Ok(()))
    }
}
