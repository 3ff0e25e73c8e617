//! What changed in a repository: by its change log (CMIS 1.1, section 2.1.15), or by queries for what was modified since. A place in either
//! is a cursor; both tell something again rather than not at all.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Failure, Timestamp};
use serde::{Deserialize, Serialize};

use super::ChangeSource;
use super::http::Trouble;
use super::repository::{Cmis, Setup, time};
use super::wire::{LogEntry, Properties};
use crate::failure;
use crate::port::{Change, Changes, MOST_CHANGES, Object, Port};

/// How far a query goes back behind what it has seen: clocks there need not agree, and what was begun earlier may end later.
const OVERLAP: Duration = Duration::from_secs(60);

/// A place from which changes are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Cursor {
    /// Token of the change log.
    Log(String),
    /// Queries.
    Query(Looked),
}

/// How far queries have come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Looked {
    /// Microseconds since 1970: from then on.
    since: i64,
    /// Folders are looked at first.
    documents: bool,
    /// Rows of this round that are behind.
    skip: usize,
    /// The latest that was seen in this round, in microseconds.
    latest: i64,
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
    let mut changes = vec![];
    let last: BTreeMap<&str, usize> =
        log.entries.iter().enumerate().map(|(at, entry)| (entry.object.as_str(), at)).collect();
    for (at, LogEntry { object, change }) in log.entries.iter().enumerate() {
        if last.get(object.as_str()) != Some(&at) {
            continue;
        }
        let now = if change == "deleted" { None } else { cmis.latest(object).await? };
        changes.push(with_parent(cmis, object.clone(), now).await?);
    }
    let next = log.token.unwrap_or_else(|| token.to_owned());
    // A page that leads nowhere is the end, whatever it says.
    let more = log.more == Some(true) && next != token;
    Ok((changes, Cursor::Log(next), more))
}

async fn query(cmis: &Cmis, setup: &Setup, looked: Looked) -> Result<(Vec<Change>, Cursor, bool), Failure> {
    let of = if looked.documents { &setup.document } else { &setup.folder };
    let root = cmis.root().await?.reference;
    let since = Timestamp::from_micros(looked.since / 1_000 * 1_000);
    let order = match setup.repository.can("capabilityOrderBy") {
        "none" => "",
        _ => " ORDER BY cmis:lastModificationDate ASC",
    };
    let statement = format!(
        "SELECT * FROM {} WHERE IN_TREE('{}') AND cmis:lastModificationDate >= TIMESTAMP '{}'{order}",
        of.query_name,
        super::repository::escaped(&root),
        millis(since),
    );
    let page = cmis.wire.query(&statement, looked.skip, MOST_CHANGES).await?;
    let mut next = Looked { skip: looked.skip + page.objects.len(), ..looked };
    let mut changes = vec![];
    for it in page.objects.iter().filter(|it| !it.is("cmis:isPrivateWorkingCopy")) {
        let at = it.one("cmis:lastModificationDate").and_then(time).map_or(0, Timestamp::micros);
        next.latest = next.latest.max(at);
        let now = cmis.latest(it.id()).await?;
        changes.push(with_parent(cmis, it.id().to_owned(), now).await?);
    }
    if page.more && !page.objects.is_empty() {
        return Ok((changes, Cursor::Query(next), true));
    }
    if !next.documents {
        return Ok((changes, Cursor::Query(Looked { documents: true, skip: 0, ..next }), true));
    }
    let since = (next.latest - overlap()).max(looked.since);
    Ok((changes, Cursor::Query(Looked { since, latest: next.latest, ..Looked::default() }), false))
}

/// A moment as statements have it, in milliseconds.
fn millis(at: Timestamp) -> String {
    let text = at.to_string();
    if text.contains('.') { text } else { text.replace('Z', ".000Z") }
}

async fn with_parent(cmis: &Cmis, reference: String, object: Option<Object>) -> Result<Change, Failure> {
    let parent = match &object {
        Some(object) => {
            let parents: Vec<Properties> = match cmis.wire.parents(&object.reference).await {
                Ok(parents) => parents,
                // The root has none, and some say so.
                Err(Trouble::Said(..)) => vec![],
                Err(trouble) => return Err(trouble.into()),
            };
            let parents = parents.iter().map(|it| cmis.object(it));
            // A document may lie in several folders; one of them may be ours.
            parents.max_by_key(|it| it.own.is_some())
        }
        None => None,
    };
    Ok(Change { reference, object, parent })
}
