//! What may go and what has to stay, looked at in slices: nothing is changed here, so a plan and a run see the same.

use model::case::{RecordStatus, Retention};
use model::exchange::{Exchange, ExchangeObject};
use model::payment::PaymentStatus;
use model::{Id, Message, MessageState, Record, RecordKind, Scope, Timestamp};
use serde::{Deserialize, Serialize};
use store::{MessageCopy, Page, PaymentNotice, RecordFilter, RetentionKept};

use super::{
    HELD, NOT_APPRAISED, NOT_CONFIRMED, NOT_OFFERED, PAYMENT_OPEN, RetentionDue, SECOND_PERSON, UNDER_WAY,
};
use crate::{Broker, Error};

/// Rows of one slice.
pub(super) const SLICE: u32 = 100;

const DAY: i64 = 86_400_000_000;

/// What is looked at, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Stage {
    #[default]
    Messages,
    Notices,
    Unfinished,
    Offered,
    Files,
    Cases,
    Contacts,
}

impl Stage {
    fn next(self) -> Option<Stage> {
        match self {
            Stage::Messages => Some(Stage::Notices),
            Stage::Notices => Some(Stage::Unfinished),
            Stage::Unfinished => Some(Stage::Offered),
            Stage::Offered => Some(Stage::Files),
            Stage::Files => Some(Stage::Cases),
            Stage::Cases => Some(Stage::Contacts),
            Stage::Contacts => None,
        }
    }
}

/// How far a run has looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) stage: Stage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<Id>,
}

/// What a slice found.
#[derive(Default)]
pub(super) struct Slice {
    pub(super) due: Vec<RetentionDue>,
    pub(super) kept: Vec<RetentionKept>,
    /// Where the next one begins; absent: it was the last.
    pub(super) next: Option<Cursor>,
}

impl Slice {
    pub(super) fn keeps(&mut self, kind: &str, subject: Id, reason: &str, since: Timestamp) {
        self.kept.push(RetentionKept { kind: kind.to_owned(), subject, reason: reason.to_owned(), since });
    }

    /// The rest of the stage comes behind `last`, or the next stage if that was all.
    pub(super) fn go_on(&mut self, stage: Stage, last: Option<Id>, found: usize) {
        self.next = match last.filter(|_| found >= SLICE as usize) {
            Some(last) => Some(Cursor { stage, after: Some(last) }),
            None => stage.next().map(|stage| Cursor { stage, after: None }),
        };
    }
}

impl Broker {
    /// Looks at one slice.
    pub(super) async fn look(&self, scope: &Scope, at: &Cursor) -> Result<Slice, Error> {
        let mut slice = Slice::default();
        let keeping = self.keeping();
        let transport = [keeping.messages, keeping.returned, keeping.relay].into_iter().flatten().min();
        match (at.stage, transport) {
            (Stage::Messages, Some(days)) => self.look_at_messages(scope, at, days, &mut slice).await?,
            (Stage::Notices, _) if keeping.notices.is_some() => {
                self.look_at_notices(scope, at, &mut slice).await?
            }
            (Stage::Unfinished, Some(days)) => self.look_at_unfinished(scope, at, days, &mut slice).await?,
            (Stage::Contacts, _) if keeping.contacts.is_some() => {
                let days = keeping.contacts.unwrap_or(u32::MAX);
                self.look_at_contacts(scope, at, days, &mut slice).await?;
            }
            (Stage::Offered, _) if keeping.records.is_some() => {
                self.look_at_offered(scope, at, &mut slice).await?
            }
            (Stage::Files, _) if keeping.records.is_some() => {
                self.look_at_tops(scope, at, RecordKind::CaseFile, &mut slice).await?;
            }
            (Stage::Cases, _) if keeping.records.is_some() => {
                self.look_at_tops(scope, at, RecordKind::Case, &mut slice).await?;
            }
            (stage, _) => slice.go_on(stage, None, 0),
        }
        Ok(slice)
    }

    fn days_ago(&self, days: u32) -> Timestamp {
        Timestamp::from_micros(self.now().micros().saturating_sub(i64::from(days) * DAY))
    }

    pub(super) fn is_over(&self, since: Timestamp, days: u32) -> bool {
        since <= self.days_ago(days)
    }

    async fn look_at_messages(
        &self,
        scope: &Scope,
        at: &Cursor,
        days: u32,
        slice: &mut Slice,
    ) -> Result<(), Error> {
        let before = self.days_ago(days);
        let copies = self.store().message_copies(&scope.tenant, before, at.after, SLICE).await?;
        slice.go_on(at.stage, copies.last().map(|copy| copy.message.id), copies.len());
        for copy in copies {
            self.look_at_message(scope, copy, slice).await?;
        }
        Ok(())
    }

    async fn look_at_message(
        &self,
        scope: &Scope,
        copy: MessageCopy,
        slice: &mut Slice,
    ) -> Result<(), Error> {
        let MessageCopy { message, relayed } = copy;
        let keeping = self.keeping();
        let (kind, days) = match (relayed, message.state) {
            (true, _) => ("relay", keeping.relay),
            (false, MessageState::Confirmed) => ("message", keeping.messages),
            (false, _) => ("message", keeping.returned),
        };
        let Some(days) = days else { return Ok(()) };
        let is_ours = scope.covers(&message.tenant, &message.unit, message.public_service.as_deref());
        if !is_ours || !self.is_over(message.updated_at, days) {
            return Ok(());
        }
        if self.store().is_message_held(&scope.tenant, message.id).await? {
            slice.keeps(kind, message.id, HELD, message.updated_at);
            return Ok(());
        }
        let payloads = self.bytes_of(&message).await?;
        let bytes = payloads.iter().map(|payload| payload.size).sum();
        let (unit, since) = (message.unit, message.updated_at);
        slice.due.push(RetentionDue {
            kind,
            subject: message.id,
            unit,
            since,
            bytes,
            payloads,
            disposed: None,
        });
        Ok(())
    }

    /// The payloads of a message that are here: its own, and those that it had before it was mended.
    async fn bytes_of(&self, message: &Message) -> Result<Vec<model::PayloadRef>, Error> {
        let whole = Scope::tenant(&message.tenant);
        let steps = self.store().steps(&whole, message.id, Page::MOST).await?;
        let before = steps.into_iter().flat_map(|event| event.payloads).map(|payload| payload.id);
        let mut ids: Vec<Id> = message.payload.iter().map(|payload| payload.id).chain(before).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(self.store().kept_payloads(&message.tenant, &ids).await?)
    }

    async fn look_at_notices(&self, scope: &Scope, at: &Cursor, slice: &mut Slice) -> Result<(), Error> {
        let before = self.days_ago(self.keeping().notices.unwrap_or(u32::MAX));
        let notices = self.store().notice_copies(&scope.tenant, before, at.after, SLICE).await?;
        slice.go_on(at.stage, notices.last().map(|notice| notice.id), notices.len());
        for notice in notices {
            self.look_at_notice(scope, notice, slice).await?;
        }
        Ok(())
    }

    async fn look_at_notice(
        &self,
        scope: &Scope,
        notice: PaymentNotice,
        slice: &mut Slice,
    ) -> Result<(), Error> {
        use PaymentStatus::{Created, Pending, Started};
        let whole = Scope::tenant(&scope.tenant);
        let found = self.store().record(&whole, RecordKind::Payment, notice.payment).await?;
        let Some(Record::Payment(payment)) = found else { return Ok(()) };
        let meta = &payment.meta;
        if !scope.covers(&meta.tenant, &meta.unit, meta.public_service.as_deref()) {
            return Ok(());
        }
        if matches!(payment.status, Created | Started | Pending) {
            slice.keeps("notice", notice.id, PAYMENT_OPEN, notice.received_at);
            return Ok(());
        }
        if self.store().is_tree_held(&scope.tenant, meta.root).await? {
            slice.keeps("notice", notice.id, HELD, notice.received_at);
            return Ok(());
        }
        let payloads = self.store().kept_payloads(&scope.tenant, &[notice.payload]).await?;
        slice.due.push(RetentionDue {
            kind: "notice",
            subject: notice.id,
            unit: meta.unit.clone(),
            since: notice.received_at,
            bytes: payloads.iter().map(|payload| payload.size).sum(),
            payloads,
            disposed: None,
        });
        Ok(())
    }

    /// What is older and has not ended stays, whatever is configured.
    async fn look_at_unfinished(
        &self,
        scope: &Scope,
        at: &Cursor,
        days: u32,
        slice: &mut Slice,
    ) -> Result<(), Error> {
        let before = self.days_ago(days);
        let messages = self.store().unfinished_before(&scope.tenant, before, at.after, SLICE).await?;
        slice.go_on(at.stage, messages.last().map(|message| message.id), messages.len());
        for message in messages {
            if scope.covers(&message.tenant, &message.unit, message.public_service.as_deref()) {
                slice.keeps("message", message.id, NOT_CONFIRMED, message.received_at);
            }
        }
        Ok(())
    }

    /// Dispositions of ours: what they are done with goes, if nothing speaks against it.
    async fn look_at_offered(&self, scope: &Scope, at: &Cursor, slice: &mut Slice) -> Result<(), Error> {
        let page = Page { after: at.after, limit: SLICE };
        let listed = self.store().records(scope, &RecordFilter::of(RecordKind::Exchange), &page).await?;
        let last = listed.items.last().map(|record| record.meta().id);
        slice.go_on(at.stage, last, listed.items.len());
        for record in listed.items {
            let Record::Exchange(exchange) = record else { continue };
            if !exchange.disposes() {
                continue;
            }
            for object in exchange.objects.iter().filter(|object| object.destroyed_at.is_none()) {
                self.look_at_object(scope, &exchange, object, slice).await?;
            }
        }
        Ok(())
    }

    async fn look_at_object(
        &self,
        scope: &Scope,
        exchange: &Exchange,
        object: &ExchangeObject,
        slice: &mut Slice,
    ) -> Result<(), Error> {
        let since = exchange.meta.updated_at;
        if !exchange.is_disposed(object) {
            if object.appraisal.is_none() {
                slice.keeps("record", object.id, NOT_APPRAISED, exchange.meta.created_at);
            }
            return Ok(());
        }
        if !self.is_over(since, self.keeping().records.unwrap_or(u32::MAX)) {
            return Ok(());
        }
        match self.check_tree(&Scope::tenant(&scope.tenant), exchange, object).await {
            Ok(()) if self.parts.rules.four_eyes => slice.keeps("record", object.id, SECOND_PERSON, since),
            Ok(()) => slice.due.push(RetentionDue {
                kind: "record",
                subject: object.id,
                unit: exchange.meta.unit.clone(),
                since,
                bytes: 0,
                payloads: vec![],
                disposed: Some((exchange.meta.id, object.object_id)),
            }),
            Err(Error::Model(model::Error::Held)) => slice.keeps("record", object.id, HELD, since),
            Err(Error::Model(model::Error::NotSettled)) => slice.keeps("record", object.id, UNDER_WAY, since),
            // Somebody works on it again: it has to be offered anew.
            Err(Error::Model(_)) => slice.keeps("record", object.id, NOT_OFFERED, since),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Files and cases that lie in nothing else, whose time is over, and that no disposition is at.
    async fn look_at_tops(
        &self,
        scope: &Scope,
        at: &Cursor,
        kind: RecordKind,
        slice: &mut Slice,
    ) -> Result<(), Error> {
        let page = Page { after: at.after, limit: SLICE };
        let listed = self.store().records(scope, &RecordFilter::of(kind), &page).await?;
        slice.go_on(at.stage, listed.items.last().map(|record| record.meta().id), listed.items.len());
        for record in listed.items.iter().filter(|record| record.meta().root == record.meta().id) {
            let Some(description) = record.description() else { continue };
            let done = [RecordStatus::Closed, RecordStatus::Locked].map(RecordStatus::name);
            let is_offered = description.in_disposition.is_some();
            if is_offered || !done.contains(&record.status()) || !self.is_kept_long_enough(record) {
                continue;
            }
            let held = self.store().is_tree_held(&scope.tenant, record.meta().id).await?;
            let reason = if held { HELD } else { NOT_OFFERED };
            slice.keeps("record", record.meta().id, reason, record.meta().updated_at);
        }
        Ok(())
    }

    /// Whether the time of keeping (Aufbewahrungsfrist) of a record is over. Where nobody has decided how long it is, it is not.
    pub(crate) fn is_kept_long_enough(&self, record: &Record) -> bool {
        let Some(description) = record.description() else { return false };
        let Some(retention) = &description.retention else { return false };
        let end = description.period.as_ref().and_then(|period| period.end.as_deref());
        is_kept_long_enough(retention, end, record.meta().updated_at, self.now())
    }
}

/// Years count from the end of the year in which the record was closed, as is usual.
fn is_kept_long_enough(retention: &Retention, end: Option<&str>, changed: Timestamp, now: Timestamp) -> bool {
    if retention.unlimited {
        return false;
    }
    let today = now.to_string();
    if let Some(until) = &retention.until {
        return until.as_str() < today.get(..10).unwrap_or_default();
    }
    let year = |text: &str| text.get(..4).and_then(|year| year.parse::<i64>().ok());
    let closed = end.and_then(year).or_else(|| year(&changed.to_string()));
    match (retention.years, closed, year(&today)) {
        (Some(years), Some(closed), Some(this)) => this > closed + i64::from(years),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_of_keeping_begin_after_the_year_of_closing() {
        let at = |text| Timestamp::parse(text).unwrap();
        let ten = Retention { years: Some(10), ..Retention::default() };
        let changed = at("2020-01-01T00:00:00Z");
        assert!(!is_kept_long_enough(&ten, Some("2015-03-01"), changed, at("2025-12-31T12:00:00Z")));
        assert!(is_kept_long_enough(&ten, Some("2015-03-01"), changed, at("2026-01-01T12:00:00Z")));
        assert!(!is_kept_long_enough(&ten, None, changed, at("2030-12-31T12:00:00Z")));
        let until = Retention { until: Some("2025-06-30".into()), ..Retention::default() };
        assert!(!is_kept_long_enough(&until, None, changed, at("2025-06-30T12:00:00Z")));
        assert!(is_kept_long_enough(&until, None, changed, at("2025-07-01T00:00:00Z")));
        let never = Retention { unlimited: true, ..until };
        assert!(!is_kept_long_enough(&never, None, changed, at("2099-01-01T00:00:00Z")));
        assert!(!is_kept_long_enough(&Retention::default(), None, changed, at("2099-01-01T00:00:00Z")));
    }
}
