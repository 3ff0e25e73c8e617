//! Receipts, appraisals and outcomes: noted on the exchange that they answer, by the table of its process. What contradicts it
//! waits for a human and changes nothing.

use std::collections::BTreeMap;

use model::command::Change;
use model::exchange::{
    Appraisal, Exchange, ExchangeKind, ExchangeMessage, ImportResult, ImportResults, Side,
};
use model::process::{Next, OUT_OF_TURN, Part, meaning_of};
use model::standard::Identity;
use model::{Actor, EventKind, Finding, Id, Message, MessageState, Record, Scope};
use store::{Job, Work};

use super::{exchange, object_id};
use crate::process::partner;
use crate::{Broker, Error, notes};

/// A message names an object that is not part of its exchange.
pub(super) const UNKNOWN_OBJECT: &str = "exchange.unknown-object";
/// A reply comes from somebody else than the authority that the exchange is with.
const WRONG_PARTNER: &str = "exchange.wrong-partner";
/// A reply belongs to no exchange.
const UNKNOWN_PROCESS: &str = "exchange.unknown-process";

/// It contradicts what is known, or itself.
pub(super) const CONTRADICTION: &str = "exchange.contradiction";

/// It names more objects than are looked up.
pub(super) const TOO_MANY_NAMED: &str = "exchange.too-many-named";

/// Objects that one reply may name: those of an exchange, and what lies in them.
pub(super) const MOST_NAMED: usize = 10_000;

/// Objects below one that are named as the reasons why it was not taken.
const MOST_REASONS: usize = 100;

/// Something that it says of a record could not be noted there.
const NOT_APPLIED: &str = "exchange.not-noted";

/// What a reply says.
pub(crate) enum Said {
    /// That something was durably taken in.
    Receipt,
    /// What became of the import.
    Outcome(ImportResults),
    /// What the archive decided.
    Appraisals(Vec<(Id, Appraisal)>),
}

/// Changes that a reply leads to: of the exchange, and of records.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) exchange: Vec<Change>,
    pub(super) records: Vec<(Record, Change)>,
}

impl Broker {
    /// A reply: noted on the exchange that it answers.
    pub(crate) async fn take_reply(
        &self,
        job: &Job,
        mut message: Message,
        identity: Identity,
        said: Said,
    ) -> Result<(), Error> {
        let (part, author) = part_of(&identity.message_type, &said);
        let ours = if author == Side::Sender { Side::Receiver } else { Side::Sender };
        let from = partner(&message, &identity);
        // Only the authority that the exchange is with may say what became of it; along a route others say that it has come.
        let before = match self.exchange_of(&message, identity.process_id, ours).await? {
            Some(known) if known.hears(&from) => known,
            known => {
                let rule = if known.is_some() { WRONG_PARTNER } else { UNKNOWN_PROCESS };
                return self.take_answer(job, message, &identity, rule).await;
            }
        };
        if !fits(&before, &identity) {
            return self.park_by(job, message, OUT_OF_TURN).await;
        }
        let mut work = Work::new();
        let noted = self.noted_reply(&mut work, &mut message, &identity, &before, (part, said)).await?;
        let after = match noted {
            Ok(after) => after,
            Err(rule) => return self.park_by(job, message, rule).await,
        };
        self.end_reminders(&mut work, &before, &after).await?;
        self.answer_appraisal(&mut work, &after, part, &identity, &message)?;
        message.state = MessageState::Confirmed;
        message.updated_at = self.now();
        message.exchange = Some(after.meta.id);
        work.update_message(&message, MessageState::Accepted);
        work.discard_staged(&message.tenant, message.id);
        let actor = Actor { kind: "partner".to_owned(), id: message.partner.clone() };
        let kind = EventKind::MessageConfirmed;
        work.insert_event(&notes::of_message(kind, &message, &actor, message.updated_at));
        self.confirm_sender(&mut work, &message).await?;
        let answered = before.answered(part, identity.answers).filter(|_| before.partner == from);
        if let Some(answered) = answered {
            self.note_arrival(&mut work, answered, &message).await?;
        }
        self.finish(job, work).await
    }

    /// A message of ours that was answered has arrived: whoever wondered whether it did need not any more. One that is known to be
    /// delivered is left to its transport, which goes on being asked.
    async fn note_arrival(&self, work: &mut Work, answered: Id, reply: &Message) -> Result<(), Error> {
        let sent = self.store().message(&Scope::tenant(&reply.tenant), answered).await?;
        match sent.is_some_and(|sent| sent.state == MessageState::Parked) {
            true => self.has_arrived(work, answered, reply).await,
            false => Ok(()),
        }
    }

    /// Rows of what a reply changes; or the rule by which it does not fit.
    async fn noted_reply(
        &self,
        work: &mut Work,
        message: &mut Message,
        identity: &Identity,
        before: &Exchange,
        (part, said): (Part, Said),
    ) -> Result<Result<Exchange, &'static str>, Error> {
        let status = match before.next(part) {
            Ok(Next::To(status)) => status,
            Ok(Next::Stay | Next::ByResults) => before.status,
            Err(rule) => return Ok(Err(rule)),
        };
        let is_receipt = matches!(said, Said::Receipt);
        if is_receipt && status == before.status && before.has_every_receipt(part) {
            return Ok(Ok(before.clone()));
        }
        if !is_receipt && before.has_too_many(part) {
            return Ok(Err("exchange.contradiction"));
        }
        let effects = match said {
            Said::Receipt => Ok(Effects::default()),
            Said::Outcome(results) => self.outcome_effects(before, results).await?,
            Said::Appraisals(all) => self.appraisal_effects(before, all).await?,
        };
        let effects = match effects {
            Ok(effects) => effects,
            Err(rule) => return Ok(Err(rule)),
        };
        let actor = Actor { kind: "partner".to_owned(), id: message.partner.clone() };
        let noted = ExchangeMessage::new(message.id, &identity.message_type, self.now());
        let mut record = Record::Exchange(before.clone());
        let changes = [Change::ExchangeMessage(noted, status)].into_iter().chain(effects.exchange);
        for change in changes {
            record = match self.apply(work, &record, change, &actor, Some(message.id)) {
                Ok(record) => record,
                Err(Error::Model(_)) => return Ok(Err(CONTRADICTION)),
                Err(error) => return Err(error),
            };
        }
        for (record, change) in effects.records {
            match self.apply(work, &record, change, &actor, Some(message.id)) {
                // What is gone here takes no archive's name any more.
                Ok(_) | Err(Error::Model(model::Error::WrongState { state: "destroyed" })) => {}
                Err(Error::Model(_)) => {
                    let finding =
                        Finding::warning(NOT_APPLIED).with("object", object_id(&record).to_string());
                    message.report.get_or_insert_default().add(finding);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Ok(exchange(record)?))
    }

    /// What an outcome changes. Of objects below those that were sent what the archive calls them is kept; one that was refused has
    /// the object that it went with refused.
    pub(super) async fn outcome_effects(
        &self,
        before: &Exchange,
        said: ImportResults,
    ) -> Result<Result<Effects, &'static str>, Error> {
        let mut effects = Effects::default();
        if before.kind == ExchangeKind::Catalogue {
            return Ok(Ok(effects));
        }
        if said.objects.len() > MOST_NAMED {
            return Ok(Err(TOO_MANY_NAMED));
        }
        let sent: BTreeMap<Id, Id> =
            before.sent_objects().map(|object| (object.id, object.object_id)).collect();
        let mut results: BTreeMap<Id, ImportResult> = BTreeMap::new();
        let (mut named, mut refused) = (BTreeMap::new(), vec![]);
        for (object_id, result) in said.objects {
            let Some(found) = self.record_in(before, object_id).await? else {
                return Ok(Err(UNKNOWN_OBJECT));
            };
            let id = found.record.meta().id;
            if let Some(known) = named.get(&id) {
                match *known == result {
                    true => continue,
                    false => return Ok(Err(CONTRADICTION)),
                }
            }
            if let Some(reference) = result.archive_reference.clone().filter(|_| found.is_ours) {
                effects.records.push((found.record, Change::ArchiveReference(reference)));
            }
            named.insert(id, result.clone());
            if sent.contains_key(&id) {
                results.insert(object_id, result);
            } else if !result.successful {
                refused.push((object_id, found.above));
            }
        }
        if let Some(whole) = said.whole {
            for object_id in sent.values() {
                results.entry(*object_id).or_insert_with(|| whole.clone());
            }
        }
        for (object_id, above) in refused {
            let Some(with) = above.iter().find_map(|above| sent.get(above)) else { continue };
            let result = results.entry(*with).or_default();
            result.successful = false;
            if result.messages.len() < MOST_REASONS {
                result.messages.push(object_id.to_string());
            }
        }
        effects.exchange.push(Change::ImportResults(results.into_iter().collect()));
        Ok(Ok(effects))
    }

    fn answer_appraisal(
        &self,
        work: &mut Work,
        after: &Exchange,
        part: Part,
        identity: &Identity,
        message: &Message,
    ) -> Result<(), Error> {
        if part != Part::Appraisal || !identity.wants_receipt {
            return Ok(());
        }
        self.prepare_part(work, after, Part::AppraisalReceipt, after.status, Some(message.id))?;
        Ok(())
    }
}

/// Whether a reply is of the kind of its exchange, and answers a message of it if it names one. Along a route it names that of the
/// station before, which the initiator does not know.
fn fits(before: &Exchange, identity: &Identity) -> bool {
    let along = before.kind == ExchangeKind::Circulation;
    let is_known = identity.answers.is_none_or(|named| along || before.has_message(named));
    is_known && meaning_of(&identity.message_type).is_none_or(|(kind, ..)| kind == before.kind)
}

/// What a reply is for, by its type; by what it says where its standard has other types.
fn part_of(message_type: &str, said: &Said) -> (Part, Side) {
    let by_content = match said {
        Said::Receipt => Part::OpeningReceipt,
        Said::Outcome(_) => Part::Outcome,
        Said::Appraisals(_) => Part::Appraisal,
    };
    meaning_of(message_type).map_or((by_content, Side::Receiver), |(_, part, author)| (part, author))
}
