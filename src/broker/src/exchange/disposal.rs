//! What a disposition keeps as it was offered. Its objects are put into it when it starts (`inDisposition`): from then on they, and
//! what lies in them, take no change until the exchange is done with them. Who works on one after that takes it out, and out of
//! reach of that exchange: it is neither transferred nor destroyed unseen.

use std::collections::BTreeMap;

use model::command::Change;
use model::exchange::{Exchange, ExchangeKind};
use model::{Actor, Id, Record, RecordKind, Scope};
use store::Work;

use super::exchange;
use crate::{Broker, Error};

/// Why a record takes no change.
pub(crate) const IN_DISPOSITION: &str = "in-disposition";

/// The exchange that a record was put into.
pub(super) fn disposed_by(record: &Record) -> Option<Id> {
    record.description().and_then(|description| description.in_disposition)
}

impl Broker {
    /// Refuses what an exchange keeps; gives those of the records that an exchange was done with.
    pub(super) async fn left_over<'a>(
        &self,
        records: impl Iterator<Item = &'a Record>,
    ) -> Result<Vec<&'a Record>, Error> {
        let mut left = vec![];
        for record in records {
            let Some(id) = disposed_by(record) else { continue };
            let scope = Scope::tenant(&record.meta().tenant);
            let found = self.store().record(&scope, RecordKind::Exchange, id).await?;
            if let Some(found) = found
                && exchange(found)?.keeps(record.meta().id)
            {
                return Err(model::Error::WrongState { state: IN_DISPOSITION }.into());
            }
            left.push(record);
        }
        Ok(left)
    }

    /// Before a change of a record, or a new one, that lies in `above`: takes these out of what is done with them. It must not be
    /// otherwise between this look and the commit.
    pub(crate) async fn leave_disposition(
        &self,
        work: &mut Work,
        current: Option<&Record>,
        above: &[Record],
        by: &Actor,
    ) -> Result<(), Error> {
        let left = self.left_over(current.into_iter().chain(above)).await?;
        for record in above {
            let meta = record.meta();
            match left.iter().any(|it| it.meta().id == meta.id) {
                true => drop(self.apply(work, record, Change::Dispose(None), by, None)?),
                false => drop(work.require_version(&meta.tenant, meta.id, meta.version)),
            }
        }
        Ok(())
    }

    /// Puts the objects of a new disposition into it. Nothing in them is worked on any more or belongs to another exchange.
    pub(super) async fn put_into(&self, work: &mut Work, new: &Exchange, by: &Actor) -> Result<(), Error> {
        if new.kind != ExchangeKind::Disposition {
            return Ok(());
        }
        let whole = Scope::tenant(&new.meta.tenant);
        let (mut others, mut seen) = (BTreeMap::new(), BTreeMap::new());
        for object in &new.objects {
            let top = self.owned_any(&whole, object.id).await?;
            self.left_over(std::iter::once(&top)).await?;
            for record in self.above(&top).await? {
                self.look_around(&record, (&mut others, &mut seen)).await?;
            }
            for id in self.tree(&whole, object.id).await?.into_iter().skip(1) {
                let record = self.owned_any(&whole, id).await?;
                if !is_at_rest(&record) {
                    return Err(model::Error::WrongState { state: "open" }.into());
                }
                self.look_around(&record, (&mut others, &mut seen)).await?;
            }
            self.apply(work, &top, Change::Dispose(Some(new.meta.id)), by, None)?;
        }
        for other in others.values() {
            self.apply(work, other, Change::Dispose(None), by, None)?;
        }
        // Nobody works on any of it between this look and the commit.
        for (id, version) in seen {
            work.require_version(&new.meta.tenant, id, version);
        }
        Ok(())
    }

    /// A record above or below an object: which exchange must leave it, or as what it was seen.
    async fn look_around(
        &self,
        record: &Record,
        (others, seen): (&mut BTreeMap<Id, Record>, &mut BTreeMap<Id, u64>),
    ) -> Result<(), Error> {
        let (id, version) = (record.meta().id, record.meta().version);
        match self.left_over(std::iter::once(record)).await?.is_empty() {
            true => drop(seen.insert(id, version)),
            false => drop(others.insert(id, record.clone())),
        }
        Ok(())
    }
}

/// Whether a record, by itself or by what it lies in, still is in the exchange that is to dispose of it, and in no other.
pub(super) fn is_in(exchange: &Exchange, record: &Record, above: &[Record]) -> bool {
    let mut by = above.iter().chain([record]).filter_map(disposed_by).peekable();
    by.peek().is_some() && by.all(|id| id == exchange.meta.id)
}

/// Whether nobody works on it any more, and it is not away. What came in with what it lies in is `received` for good.
pub(super) fn is_at_rest(record: &Record) -> bool {
    match record.kind() {
        RecordKind::Document => record.status() != "locked",
        _ => !matches!(record.status(), "open" | "locked"),
    }
}
