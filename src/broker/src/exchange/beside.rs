//! What belongs to a record and lies in no tree (contacts, dispatches, decisions, tasks, claims and their payments): it is emptied when the
//! record is destroyed, whichever unit of the house made it, and an event tells so once. As long as somebody works on it, the record stays.

use model::activity::DispatchStatus;
use model::command::Change;
use model::exchange::Exchange;
use model::payment::{Payment, RefundStatus};
use model::public_state::is_owed;
use model::{Actor, Command, Event, EventKind, Id, Record, RecordKind, Scope, decide};
use store::{Page, TimelineOf, Work};

use super::destroy::{check_place, is_destroyed};
use crate::evidence::PAGE;
use crate::{Broker, Error, notes};

/// The events of a record that is destroyed or emptied.
#[derive(Default)]
pub(crate) struct Story {
    /// Those that lose what they say.
    pub(crate) silenced: Vec<Id>,
    /// Whether its end was told.
    pub(crate) is_told: bool,
}

impl Broker {
    /// What belongs to a record, each before what belongs to it.
    pub(crate) async fn belongings(&self, scope: &Scope, of: Id) -> Result<Vec<Record>, Error> {
        let mut all = vec![];
        let mut wait = vec![of];
        while let Some(id) = wait.pop() {
            for (_, id) in self.store().beside(scope, id).await? {
                all.push(self.owned_any(scope, id).await?);
                wait.push(id);
            }
        }
        Ok(all)
    }

    /// Rows of the end of what belongs to a record of an exchange. Where that record is destroyed already (the job was interrupted, or this
    /// came in between), it goes as well, unless somebody works on it.
    pub(super) async fn empty_beside(
        &self,
        work: &mut Work,
        (record, above): (&Record, &[Record]),
        (exchange, by): (&Exchange, &Actor),
    ) -> Result<(), Error> {
        let is_left = above.iter().any(is_destroyed);
        match check_settled(record) {
            Err(_) if is_left => return Ok(()),
            settled => settled?,
        }
        if !is_left {
            check_place(exchange, record, above)?;
        }
        match self.story(record).await?.is_told {
            true => Ok(()),
            false => self.empty(work, record, by),
        }
    }

    /// Takes from a record what goes. Some of it may still change: its event holds the whole of it, so that the events from there on give
    /// the record.
    pub(crate) fn empty(&self, work: &mut Work, record: &Record, by: &Actor) -> Result<(), Error> {
        let (kind, id) = (record.kind(), record.meta().id);
        let command = Command { kind, id, expected: None, change: Change::Destroy };
        let mut decided = decide(Some(record), &command, self.parts.rules, self.now())?;
        decided.changes = decided.record.to_json();
        work.put_record(&decided.record, None);
        work.insert_event(&notes::of_record(&decided, by, self.now(), None));
        Ok(())
    }

    /// What the events of a record say until its end.
    pub(crate) async fn story(&self, record: &Record) -> Result<Story, Error> {
        let scope = Scope::tenant(&record.meta().tenant);
        let mut page = Page { after: None, limit: PAGE };
        let mut story = Story::default();
        loop {
            let events = self.store().timeline(&scope, TimelineOf::Record(record.meta().id), &page).await?;
            let Some((_, last)) = events.last() else { return Ok(story) };
            page.after = Some(last.id);
            for (_, event) in &events {
                if event.kind == EventKind::RecordDestroyed {
                    return Ok(Story { is_told: true, ..story });
                }
                story.silenced.extend(is_silenced(record.kind(), event).then_some(event.id));
            }
        }
    }
}

/// Whether an event loses what it says: of money only what tells of a person, since commercial law wants the rest.
fn is_silenced(kind: RecordKind, event: &Event) -> bool {
    let tells = |member| event.changes.as_ref().is_some_and(|changes| !changes[member].is_null());
    match kind {
        RecordKind::Claim | RecordKind::Payment => ["payer", "returnTo"].into_iter().any(tells),
        _ => true,
    }
}

/// Whether records of this kind lie in others; what does not only belongs to one.
pub(super) fn lies_in_trees(kind: RecordKind) -> bool {
    matches!(kind, RecordKind::CaseFile | RecordKind::Case | RecordKind::Document)
}

/// Nobody works on what belongs to a record: no task or call has to be done, nothing has to be sent, no money is owed or under way or has
/// to be decided about.
pub(crate) fn check_settled(record: &Record) -> Result<(), model::Error> {
    let is_settled = match record {
        Record::Task(task) => !task.status.is_open(),
        Record::Interaction(it) => it.call.as_ref().is_none_or(|call| call.state.is_over()),
        Record::Dispatch(it) => it.way.is_none() || it.status != DispatchStatus::Open,
        Record::Claim(claim) => !is_owed(claim),
        Record::Payment(payment) => is_over(payment),
        _ => true,
    };
    if is_settled { Ok(()) } else { Err(model::Error::NotSettled) }
}

fn is_over(payment: &Payment) -> bool {
    use RefundStatus::{Agreed, Unclear};
    let goes_back = payment.refunds.iter().any(|refund| matches!(refund.status, Agreed | Unclear));
    !payment.status.is_open() && payment.clearing.is_none() && !goes_back
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use model::ids;
    use model::payment::{Claim, ClaimStatus, Clearing, ClearingReason, PaymentStatus, Refund};
    use model::testkit::{a_claim, a_payment};

    use super::*;

    #[test]
    fn money_is_settled_once_nothing_of_it_is_owed_under_way_or_unclear() {
        let settled = |record| check_settled(&record).is_ok();
        let claim = |status| Record::Claim(Claim { status, ..a_claim(4_200) });
        assert!(settled(claim(ClaimStatus::Paid)) && settled(claim(ClaimStatus::Cancelled)));
        assert!(!settled(claim(ClaimStatus::Open)) && !settled(claim(ClaimStatus::PartlyPaid)));

        let paid = || Payment { status: PaymentStatus::Paid, ..a_payment(&a_claim(4_200)) };
        let refund = |status| Refund {
            id: ids::new_id(),
            amount_cents: 100,
            reason: "Irrtum".into(),
            status,
            asked_by: ids::new_id(),
            agreed_by: None,
            asked_at: Timestamp::default(),
            declined: None,
            reference: None,
        };
        let with = |status| Record::Payment(Payment { refunds: vec![refund(status)], ..paid() });
        assert!(settled(Record::Payment(paid())) && settled(with(RefundStatus::Done)));
        assert!(!settled(with(RefundStatus::Agreed)) && !settled(with(RefundStatus::Unclear)));
        for status in [PaymentStatus::Created, PaymentStatus::Started, PaymentStatus::Pending] {
            assert!(!settled(Record::Payment(Payment { status, ..paid() })), "{status:?}");
        }
        let unclear = Clearing::new(ClearingReason::Overpaid, Some(1), Timestamp::default());
        assert!(!settled(Record::Payment(Payment { clearing: Some(unclear), ..paid() })));
    }
}
