//! What changed in a repository: by its change log (CMIS 1.1, section 2.1.15), or by queries for what was modified since. A place in either
//! is a cursor; both tell something again rather than not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use model::{Failure, Timestamp};
use serde::{Deserialize, Serialize};

use super::ChangeSource;
use super::repository::{Cmis, Setup, time};
use super::wire::{LogEntry, Properties};
use crate::failure;
use crate::port::{Change, Changes, MOST_CHANGES, Port, What};

/// How far a query goes back behind what it has seen: clocks there need not agree, and what was begun earlier may end later.
const OVERLAP: Duration = Duration::from_secs(60);

/// Rows of one moment that are remembered one by one.
const MOST_SEEN: usize = 150;

/// Pages of rows that are all behind.
const MOST_PAGES: usize = 1_000;

/// A place from which changes are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Cursor {
    /// Token of the change log.
    Log(String),
    /// Queries.
    Query(Looked),
}

/// How far queries have come. What is taken in changes there and goes behind the others, so rows are known by their moment and, within
/// one moment, by what they are: never by their place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Looked {
    /// Microseconds since 1970: from then on.
    since: i64,
    /// Folders are looked at first.
    documents: bool,
    /// The moment that this round has come to, in microseconds, whole milliseconds: rows from before are behind.
    at: i64,
    /// Rows of that moment that are behind: digests of their ids.
    seen: Vec<String>,
    /// Rows from that moment on that are behind and not remembered; where there is no order, all that are behind.
    passed: usize,
    /// The latest that was seen in this round, in microseconds.
    latest: i64,
}

impl Looked {
    fn is_behind(&self, it: &Properties) -> bool {
        moment(it).is_some_and(|at| at < self.at || (at == self.at && self.seen.contains(&short(it.id()))))
    }

    /// These rows are behind now. `still`: the remembered ones that are still there.
    fn pass(&mut self, rows: &[Properties], still: &BTreeSet<String>) {
        let Some(last) = rows.iter().filter_map(moment).max() else { return };
        self.latest = self.latest.max(last);
        if last > self.at {
            (self.at, self.passed) = (last, 0);
            self.seen.clear();
        }
        self.seen.retain(|seen| still.contains(seen));
        let of_it = rows.iter().filter(|it| moment(it) == Some(last));
        self.seen.extend(of_it.map(|it| short(it.id())));
        let more = self.seen.len().saturating_sub(MOST_SEEN);
        self.seen.drain(..more);
        self.passed += more;
    }
}

/// When it changed last, in microseconds: whole milliseconds, as statements have them.
fn moment(it: &Properties) -> Option<i64> {
    let at = time(it.one("cmis:lastModificationDate")?)?;
    Some(at.micros().div_euclid(1_000) * 1_000)
}

fn short(id: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(&seal::sha256(&[id.as_bytes()]).0[..6])
}

pub(super) async fn changes(cmis: &Cmis, since: Option<&str>) -> Result<Option<Changes>, Failure> {
    let setup = cmis.setup().await?;
    let has_log = setup.repository.can("capabilityChanges") != "none";
    let by_log = match cmis.settings.changes {
        ChangeSource::Off => return Ok(None),
        ChangeSource::Auto => has_log,
        ChangeSource::Log => true,
        ChangeSource::Query => false,
    };
    let since = since.and_then(|since| serde_json::from_str(since).ok());
    let (changes, cursor, more) = match (by_log, since) {
        (true, Some(Cursor::Log(token))) => log(cmis, &token).await?,
        (true, _) => (vec![], Cursor::Log(latest(cmis).await?), false),
        (false, Some(Cursor::Query(looked))) => query(cmis, setup, looked).await?,
        (false, _) => {
            let now = cmis.clock.now().micros() - overlap();
            (vec![], Cursor::Query(Looked { since: now, latest: now, ..Looked::default() }), false)
        }
    };
    let cursor = serde_json::to_string(&cursor).unwrap_or_default();
    Ok(Some(Changes { changes, cursor, more }))
}

fn overlap() -> i64 {
    i64::try_from(OVERLAP.as_micros()).unwrap_or(i64::MAX)
}

/// Where the change log ends now.
async fn latest(cmis: &Cmis) -> Result<String, Failure> {
    if let Some(token) = cmis.wire.repository().await?.latest_change {
        return Ok(token);
    }
    let log = cmis.wire.content_changes(None, 1).await?;
    log.token.ok_or_else(|| failure::setup("the change log has no tokens; configure queries"))
}

async fn log(cmis: &Cmis, token: &str) -> Result<(Vec<Change>, Cursor, bool), Failure> {
    let log = cmis.wire.content_changes(Some(token), MOST_CHANGES).await?;
    let last: BTreeMap<&str, usize> =
        log.entries.iter().enumerate().map(|(at, entry)| (entry.object.as_str(), at)).collect();
    let entries = log.entries.iter().enumerate();
    let entries = entries.filter(|(at, entry)| last.get(entry.object.as_str()) == Some(at));
    let change = |LogEntry { object, change }: &LogEntry| {
        let what = if change == "deleted" { What::Gone } else { What::Changed(None) };
        Change { reference: object.clone(), what }
    };
    let changes = entries.map(|(_, entry)| change(entry)).collect();
    let next = match log.token {
        Some(next) if next != token || log.more != Some(true) => next,
        None if log.entries.is_empty() => token.to_owned(),
        // The same page would be read for ever.
        _ => return Err(failure::setup("the change log does not say where it goes on; configure queries")),
    };
    Ok((changes, Cursor::Log(next), log.more == Some(true)))
}

async fn query(cmis: &Cmis, setup: &Setup, looked: Looked) -> Result<(Vec<Change>, Cursor, bool), Failure> {
    let of = if looked.documents { &setup.document } else { &setup.folder };
    let root = cmis.root().await?.reference;
    let since = Timestamp::from_micros(looked.since.max(looked.at).div_euclid(1_000) * 1_000);
    let is_ordered = setup.repository.can("capabilityOrderBy") != "none";
    let order = if is_ordered { " ORDER BY cmis:lastModificationDate ASC" } else { "" };
    let statement = format!(
        "SELECT * FROM {} WHERE IN_TREE('{}') AND cmis:lastModificationDate >= TIMESTAMP '{}'{order}",
        of.query_name,
        super::repository::escaped(&root),
        millis(since),
    );
    let mut next = looked.clone();
    let (rows, more) = rows(cmis, &statement, &mut next, is_ordered).await?;
    let is_told = |it: &&Properties| !it.is("cmis:isPrivateWorkingCopy");
    let change = |it: &Properties| {
        let moment = it.one("cmis:changeToken").or(it.one("cmis:lastModificationDate"));
        Change { reference: it.id().to_owned(), what: What::Changed(moment.map(str::to_owned)) }
    };
    let changes = rows.iter().filter(is_told).map(change).collect();
    if more {
        return Ok((changes, Cursor::Query(next), true));
    }
    let latest = next.latest;
    if !looked.documents {
        let next = Looked { since: looked.since, documents: true, latest, ..Looked::default() };
        return Ok((changes, Cursor::Query(next), true));
    }
    let since = (latest - overlap()).max(looked.since);
    Ok((changes, Cursor::Query(Looked { since, latest, ..Looked::default() }), false))
}

/// The next rows that are not behind, which they are then, and whether there are more.
async fn rows(
    cmis: &Cmis,
    statement: &str,
    looked: &mut Looked,
    is_ordered: bool,
) -> Result<(Vec<Properties>, bool), Failure> {
    let mut skip = looked.passed;
    let mut still = BTreeSet::new();
    for _ in 0..MOST_PAGES {
        let page = cmis.wire.query(statement, skip, MOST_CHANGES).await?;
        let more = page.more && !page.objects.is_empty();
        skip += page.objects.len();
        let (behind, new): (Vec<_>, Vec<_>) =
            page.objects.into_iter().partition(|it| is_ordered && looked.is_behind(it));
        still.extend(behind.iter().map(|it| short(it.id())));
        if more && new.is_empty() {
            continue;
        }
        if is_ordered {
            looked.pass(&new, &still);
        } else {
            looked.latest = new.iter().filter_map(moment).fold(looked.latest, i64::max);
            looked.passed = skip;
        }
        return Ok((new, more));
    }
    Err(failure::not_understood("the repository gives the same page again and again"))
}

/// A moment as statements have it, in milliseconds.
fn millis(at: Timestamp) -> String {
    let text = at.to_string();
    if text.contains('.') { text } else { text.replace('Z', ".000Z") }
}
