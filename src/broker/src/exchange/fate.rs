//! How records stand on their way to destruction (Vernichtung), for whoever looks at them; nothing is changed here.

use model::case::RecordStatus;
use model::exchange::{Exchange, ExchangeObject};
use model::rights::Action;
use model::{Caller, Id, Record, RecordKind, Timestamp};
use store::{Listed, RecordFilter};

use super::destroy::{going, is_destroyed, is_held};
use super::disposal::disposed_by;
use super::exchange;
use crate::{Broker, Error};

/// Exchanges that are read at once.
const SLICE: u32 = 50;

/// Slices that are looked at for one page of a list.
const LOOKS: usize = 10;

/// Where the hold lies that keeps a record, or something in its tree, from being destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldAt {
    /// On the record itself.
    Itself,
    /// On something that it lies in.
    Above,
    /// On something else in its tree.
    Elsewhere,
}

/// How a record stands on its way to destruction.
#[derive(Debug, Clone, PartialEq)]
pub struct Fate {
    /// Where a hold lies, the closest one; absent if none does.
    pub held: Option<HeldAt>,
    /// Whether it is closed and its time of keeping is over.
    pub is_over: bool,
    /// The disposition that it was put into, by itself or with what it lies in, and the object there. Absent also if the caller does
    /// not see that.
    pub offered: Option<(Box<Exchange>, ExchangeObject)>,
    /// When it was destroyed.
    pub destroyed_at: Option<Timestamp>,
}

impl Broker {
    /// How a record stands on its way to destruction.
    ///
    /// # Errors
    /// As [`require_visible`](Broker::require_visible).
    pub async fn fate(&self, caller: &Caller, id: Id) -> Result<Fate, Error> {
        let record = self.require_visible(caller, id).await?;
        let above = self.above(&record).await?;
        let meta = record.meta();
        let held = match (is_held(&record), above.iter().any(is_held)) {
            (true, _) => Some(HeldAt::Itself),
            (false, true) => Some(HeldAt::Above),
            (false, false) => {
                let is_held = self.store().is_tree_held(&meta.tenant, meta.root).await?;
                is_held.then_some(HeldAt::Elsewhere)
            }
        };
        let done = [RecordStatus::Closed, RecordStatus::Locked].map(RecordStatus::name);
        let is_over = done.contains(&record.status()) && self.is_kept_long_enough(&record);
        let put = [&record].into_iter().chain(&above).find_map(|it| Some((disposed_by(it)?, it.meta().id)));
        let offered = match put {
            Some((exchange, object)) => self.offered(caller, exchange, object).await?,
            None => None,
        };
        let destroyed_at = is_destroyed(&record).then_some(meta.updated_at);
        Ok(Fate { held, is_over, offered, destroyed_at })
    }

    /// An exchange that the caller sees, and the object in it that is this record.
    async fn offered(
        &self,
        caller: &Caller,
        id: Id,
        record: Id,
    ) -> Result<Option<(Box<Exchange>, ExchangeObject)>, Error> {
        let found = match self.record(caller, RecordKind::Exchange, id).await {
            Ok(found) => exchange(found)?,
            Err(Error::Model(model::Error::NotFound { .. } | model::Error::Forbidden)) => return Ok(None),
            Err(error) => return Err(error),
        };
        // One that was taken back is no disposition any more, and has no page.
        if !found.disposes() {
            return Ok(None);
        }
        let object = found.objects.iter().find(|object| object.id == record).cloned();
        Ok(object.map(|object| (Box::new(found), object)))
    }

    /// The dispositions by which the house has offered records, within the caller's scope, the newest first, behind one. A page holds
    /// what was found among so many exchanges, so it may be short, or empty, although another one follows.
    ///
    /// # Errors
    /// `Forbidden` unless the caller may destroy records.
    pub async fn dispositions(&self, caller: &Caller, after: Option<Id>) -> Result<Listed<Exchange>, Error> {
        let scope = caller.may(Action::DestroyRecords)?;
        let filter = RecordFilter::of(RecordKind::Exchange);
        let (mut items, mut after) = (vec![], after);
        for _ in 0..LOOKS {
            let slice = self.store().newest(scope, &filter, after, SLICE).await?;
            let is_last = slice.len() < SLICE as usize;
            after = slice.last().map(|record| record.meta().id);
            let disposes = |record| match record {
                Record::Exchange(exchange) if exchange.disposes() => Some(exchange),
                _ => None,
            };
            items.extend(slice.into_iter().filter_map(disposes));
            if is_last {
                return Ok(Listed { items, next: None });
            }
            if items.len() >= SLICE as usize {
                break;
            }
        }
        Ok(Listed { items, next: after })
    }

    /// What speaks against destroying an object of an exchange now; `None` if it may go. All that lies in it is looked at.
    ///
    /// # Errors
    /// `Forbidden` unless the caller may destroy records; `NotFound` if the exchange lies beyond the caller's scope.
    pub async fn against_destruction(
        &self,
        caller: &Caller,
        of: &Exchange,
        object: &ExchangeObject,
    ) -> Result<Option<model::Error>, Error> {
        let scope = caller.may(Action::DestroyRecords)?;
        let meta = &of.meta;
        if !scope.covers(&meta.tenant, &meta.unit, meta.public_service.as_deref()) {
            return Err(model::Error::NotFound { kind: RecordKind::Exchange.name() }.into());
        }
        let outcome = match going(of, &[object.object_id]) {
            Ok(_) => self.check_tree(scope, of, object).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => Ok(None),
            Err(Error::Model(reason)) => Ok(Some(reason)),
            Err(error) => Err(error),
        }
    }
}
