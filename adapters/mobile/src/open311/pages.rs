//! The cases that a list looks at, the newest first. What lies beyond the first page of the store is looked at for few callers at once,
//! and what is looked at counts as calls. What lies around a place is looked up by the areas that it was reported in.

use model::adapter::{Host, Wanted};
use model::case::Case;
use model::{Record, RecordKind, Timestamp};
use tokio::sync::OwnedSemaphorePermit;

use super::create::AREA;
use super::keys::Counter;
use super::list::Filter;
use super::{Open311, Trouble};

/// Cases that are looked at for a list, and how many at once.
const LOOKED_AT: usize = 5_000;
pub(super) const AT_ONCE: u32 = 500;

/// Cases that are looked at, and areas that are looked up, which count as a call.
const A_CALL: usize = 50;
const AREAS_A_CALL: usize = 10;

/// The largest radius, in metres, for which areas are looked up.
const AROUND: f64 = 5_000.0;

/// How far a clerk may move a report, in metres, so that it is still found around its new place.
const MOVED: f64 = 1_000.0;

/// Goes through the cases that a filter may take.
pub(super) struct Pages<'a> {
    server: &'a Open311,
    counter: Counter,
    place: Option<OwnedSemaphorePermit>,
    wanted: Wanted,
    /// The areas that are still to be looked up; `None`: all cases are looked at.
    areas: Option<Vec<String>>,
    looked_at: usize,
    is_over: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn of(server: &'a Open311, filter: &Filter, counter: Counter) -> Self {
        let services = &server.settings.services;
        let meant =
            services.iter().filter(|it| filter.services.is_empty() || filter.services.contains(&it.code));
        let mut named: Vec<String> = meant.clone().filter_map(|it| it.public_service.clone()).collect();
        named.sort();
        named.dedup();
        // Cases without a public service can only be found among all.
        if meant.into_iter().any(|it| it.public_service.is_none()) {
            named.clear();
        }
        let only_open = filter.statuses.iter().all(|status| status == "open") && !filter.statuses.is_empty();
        let wanted = Wanted {
            services: named,
            status: only_open.then(|| "open".to_owned()),
            since: Some(filter.since).filter(|since| *since > Timestamp::default()),
            before: filter.before,
            ..Wanted::of(RecordKind::Case)
        };
        let areas = areas_of(filter);
        Pages { server, counter, place: None, wanted, areas, looked_at: 0, is_over: false }
    }

    /// The next cases; about so many are needed.
    pub(super) async fn next(
        &mut self,
        needed: usize,
        host: &dyn Host,
    ) -> Result<Option<Vec<Case>>, Trouble> {
        if self.is_over || self.looked_at >= LOOKED_AT {
            return Ok(None);
        }
        let found = match self.areas.take() {
            Some(areas) => self.around(areas, host).await?,
            None => {
                // If the first page was not enough, most cases are not meant.
                let needed = if self.looked_at == 0 { needed } else { AT_ONCE as usize };
                self.page(needed, host).await?
            }
        };
        let case = |record| if let Record::Case(case) = record { Some(case) } else { None };
        Ok(Some(found.into_iter().filter_map(case).collect()))
    }

    async fn page(&mut self, needed: usize, host: &dyn Host) -> Result<Vec<Record>, Trouble> {
        if self.looked_at > 0 && self.place.is_none() {
            self.place = Some(self.server.long_lists.take(1, self.counter.is_known).await?);
        }
        self.wanted.limit = u32::try_from(needed).unwrap_or(AT_ONCE).clamp(10, AT_ONCE);
        let found = host.records(&self.wanted).await?;
        self.is_over = found.len() < self.wanted.limit as usize;
        self.looked_at += found.len();
        self.server.keys.cost(self.counter, found.len() / A_CALL);
        self.wanted.after = found.last().map(|record| record.meta().id);
        Ok(found)
    }

    /// All that were reported in these areas, the newest first.
    async fn around(&mut self, areas: Vec<String>, host: &dyn Host) -> Result<Vec<Record>, Trouble> {
        let mut all = vec![];
        self.server.keys.cost(self.counter, areas.len() / AREAS_A_CALL);
        for area in areas {
            self.wanted.name = Some((AREA.to_owned(), area));
            self.wanted.after = None;
            self.is_over = false;
            while !self.is_over && self.looked_at < LOOKED_AT {
                all.extend(self.page(AT_ONCE as usize, host).await?);
            }
        }
        self.is_over = true;
        all.sort_by_key(|record| std::cmp::Reverse(record.meta().id));
        Ok(all)
    }
}

/// The areas around the place that is meant, unless they are too many.
fn areas_of(filter: &Filter) -> Option<Vec<String>> {
    let (point, radius) = filter.around.filter(|(_, radius)| *radius <= AROUND)?;
    point.areas_within((radius.max(0.0) + MOVED) as u32)
}
