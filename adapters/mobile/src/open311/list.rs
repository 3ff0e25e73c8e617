//! Reports as everybody may see them: `GET requests`, the newest first, with the filters of GeoReport v2, paging (`page`, `page_size`) and the
//! extensions `updated_after`, `updated_before` and `lat`, `long`, `radius`.

use std::ops::Range;
use std::time::Duration;

use model::adapter::Host;
use model::case::Case;
use model::{Id, Record, RecordKind, Timestamp};

use super::answer::Node;
use super::form::Form;
use super::keys::Counter;
use super::pages::{AT_ONCE, Pages};
use super::shown::Shown;
use super::{Open311, Refusal, Said, Trouble, said};
use crate::geo::Point;

/// Reports that are given at once unless the caller wants fewer.
const PAGE: usize = 50;

/// Most reports of a list, over all its pages, as the specification has it.
const MOST: usize = 1_000;

/// How far a list reaches back, unless the caller says otherwise, and at most.
const DAYS: Duration = Duration::from_secs(90 * 24 * 3_600);

/// What a caller wants to see.
pub(super) struct Filter {
    pub(super) services: Vec<String>,
    pub(super) statuses: Vec<String>,
    pub(super) since: Timestamp,
    pub(super) before: Option<Timestamp>,
    updated: (Option<Timestamp>, Option<Timestamp>),
    pub(super) around: Option<(Point, f64)>,
}

impl Filter {
    fn of(form: &Form, now: Timestamp) -> Result<Filter, Refusal> {
        let time = |name: &str| -> Result<Option<Timestamp>, Refusal> {
            let wrong = || Refusal { status: 400, wrong: vec![format!("{name} is no time with its offset")] };
            form.get(name).map(|text| Timestamp::parse(text).ok_or_else(wrong)).transpose()
        };
        let (begin, end) = (time("start_date")?, time("end_date")?);
        let earliest = Timestamp::from_micros(
            end.unwrap_or(now).micros().saturating_sub(i64::try_from(DAYS.as_micros()).unwrap_or(i64::MAX)),
        );
        let statuses: Vec<String> = form.list("status").into_iter().map(str::to_ascii_lowercase).collect();
        if statuses.iter().any(|status| !matches!(status.as_str(), "open" | "closed")) {
            return Err(Refusal::bad("status is open, closed, or both with a comma"));
        }
        let around = match (form.get("lat"), form.get("long"), form.get("radius")) {
            (Some(lat), Some(long), Some(radius)) => {
                let point = Point::parse(lat, long).zip(radius.parse().ok());
                Some(point.ok_or_else(|| Refusal::bad("lat, long and radius are not numbers"))?)
            }
            _ => None,
        };
        Ok(Filter {
            services: form.list("service_code").into_iter().map(str::to_owned).collect(),
            statuses,
            since: begin.unwrap_or(earliest).max(earliest),
            before: end,
            updated: (time("updated_after")?, time("updated_before")?),
            around,
        })
    }

    fn takes(&self, shown: &Shown<'_>) -> bool {
        let status = shown.status();
        let by_status = self.statuses.is_empty() || self.statuses.iter().any(|wanted| wanted == status);
        let by_service = self.services.is_empty() || self.services.contains(&shown.kept.service);
        let (after, before) = self.updated;
        let updated = shown.updated();
        let by_update = after.is_none_or(|after| updated >= after) && before.is_none_or(|it| updated <= it);
        let near = |(around, radius): (Point, f64)| {
            shown.point().is_some_and(|point| point.metres_to(around) <= radius)
        };
        by_status && by_service && by_update && self.around.is_none_or(near)
    }
}

impl Open311 {
    /// `GET requests`.
    pub(super) async fn list(&self, form: &Form, counter: Counter, host: &dyn Host) -> Result<Said, Trouble> {
        let ids = form.list("service_request_id");
        if !ids.is_empty() {
            return self.several(&ids, form, host).await;
        }
        let page = page(form, PAGE)?;
        let page = page.start.min(MOST)..page.end.min(MOST);
        let filter = Filter::of(form, host.now())?;
        if let Some(unknown) = filter.services.iter().find(|code| self.service(code).is_none()) {
            return Err(Refusal {
                status: 404,
                wrong: vec![format!("service_code {unknown} was not found")],
            }
            .into());
        }
        let mut requests = vec![];
        let mut seen = 0;
        let mut pages = Pages::of(self, &filter, counter);
        // Of a page that there never is nothing is looked for.
        while seen < page.end && !page.is_empty() {
            let Some(cases) = pages.next(page.end - seen, host).await? else { break };
            let found = cases.iter().filter_map(|case| Shown::of(case, self.settings.publish));
            for shown in found.filter(|shown| filter.takes(shown)) {
                if page.contains(&seen) {
                    requests.push(shown.request(&self.settings, form));
                }
                seen += 1;
            }
        }
        said("service_requests", Node::List("request", requests))
    }

    /// `GET requests/{id}`.
    pub(super) async fn one(&self, id: &str, form: &Form, host: &dyn Host) -> Result<Said, Trouble> {
        let case = self.case(id, host).await?;
        let shown = case.as_ref().and_then(|case| Shown::of(case, self.settings.publish));
        let shown = shown.ok_or_else(|| Refusal::not_there("the service_request_id"))?;
        said("service_requests", Node::List("request", vec![shown.request(&self.settings, form)]))
    }

    /// The reports of these ids, as far as there are any.
    async fn several(&self, ids: &[&str], form: &Form, host: &dyn Host) -> Result<Said, Trouble> {
        if ids.len() > PAGE {
            return Err(Refusal::bad("too many service_request_id at once").into());
        }
        let mut requests = vec![];
        for id in ids {
            let case = self.case(id, host).await?;
            let shown = case.as_ref().and_then(|case| Shown::of(case, self.settings.publish));
            requests.extend(shown.map(|shown| shown.request(&self.settings, form)));
        }
        said("service_requests", Node::List("request", requests))
    }

    /// The case of a `service_request_id`.
    pub(super) async fn case(&self, id: &str, host: &dyn Host) -> Result<Option<Case>, Trouble> {
        let Ok(id) = id.parse::<Id>() else { return Ok(None) };
        match host.record(RecordKind::Case, id).await? {
            Some(Record::Case(case)) => Ok(Some(case)),
            _ => Ok(None),
        }
    }

    /// `GET servicerequestupdates`: reports that changed in that time, the oldest change first: whoever is given the most that there can
    /// be asks for the next page, or from the last change on.
    pub(super) async fn updates(
        &self,
        form: &Form,
        counter: Counter,
        host: &dyn Host,
    ) -> Result<Said, Trouble> {
        let page = page(form, MOST)?;
        let mut filter = Filter::of(form, host.now())?;
        let (begin, end) = (filter.since, filter.before.take());
        // Reports of old may change now.
        filter.since = Timestamp::default();
        filter.updated = (Some(begin), end);
        let mut updates = vec![];
        let mut pages = Pages::of(self, &filter, counter);
        while let Some(cases) = pages.next(AT_ONCE as usize, host).await? {
            let found = cases.iter().filter_map(|case| Shown::of(case, self.settings.publish));
            // What was never changed is no update.
            let found = found.filter(|shown| shown.case.meta.version > 1 && filter.takes(shown));
            updates.extend(found.map(|shown| (shown.updated(), shown.case.meta.id, shown.update())));
        }
        updates.sort_by_key(|(at, id, _)| (*at, *id));
        let updates = updates.into_iter().map(|(_, _, update)| update);
        let updates = updates.skip(page.start).take(page.len()).collect();
        said("service_request_updates", Node::List("request_update", updates))
    }
}

/// Which of all that there is `page` and `page_size` mean; a page has `size` unless the caller says otherwise.
fn page(form: &Form, size: usize) -> Result<Range<usize>, Refusal> {
    let number = |name: &str, default: usize| -> Result<usize, Refusal> {
        let wrong = || Refusal { status: 400, wrong: vec![format!("{name} is no number from 1 on")] };
        let number = form.get(name).map(|text| text.parse().map_err(|_| wrong())).transpose()?;
        number.map_or(Ok(default), |number| if number == 0 { Err(wrong()) } else { Ok(number) })
    };
    let size = number("page_size", size)?.min(MOST);
    let first = (number("page", 1)? - 1).saturating_mul(size);
    Ok(first..first.saturating_add(size))
}
