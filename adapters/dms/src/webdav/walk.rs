//! What changed: WebDAV tells nothing by itself, so the folders are walked through, one after the other, a stretch at a time; where the
//! next stretch begins stands in the cursor. A file has changed if its time is not before the beginning of the last walk, by the server's
//! clock. What is moved there with an older time, and what is removed, is not seen by a walk.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use model::{Failure, Timestamp};
use serde::{Deserialize, Serialize};

use super::library::{FAR, Library, moment};
use super::multistatus::Entry;
use super::place::Place;
use crate::port::{Change, Changes, MOST_CHANGES, What};
use crate::rest;

/// Most folders that one stretch looks into.
const MOST_FOLDERS: usize = 200;

/// Longest cursor, in bytes.
const CURSOR_BYTES: usize = 2_000;

/// Times of servers come in seconds, and clocks of their disks may be behind.
const SLACK: Duration = Duration::from_secs(3);

/// Where a walk stands. Times are microseconds by the server's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// What changed before is known.
    since: i64,
    /// When this walk began; absent between two walks.
    begun: Option<i64>,
    /// The folder that is looked into next.
    folder: Option<String>,
    /// The last file of it that was told.
    file: Option<String>,
}

/// The next stretch.
pub(super) async fn changes(library: &Library, since: Option<&str>) -> Result<Changes, Failure> {
    let Some(since) = since else {
        let now = server_time(library).await?;
        return Ok(Changes { cursor: Cursor::between(now).written(), ..Changes::default() });
    };
    let mut cursor: Cursor =
        serde_json::from_str(since).map_err(|_| rest::refused("the place in the changes is unreadable"))?;
    if cursor.begun.is_none() {
        cursor.begun = Some(server_time(library).await?);
    }
    let walk = Walk { library, cursor, found: vec![] };
    walk.far().clear();
    walk.on().await
}

/// The moment at the server, with some slack; ours if it tells none.
async fn server_time(library: &Library) -> Result<i64, Failure> {
    let answer = library.dav.options().await?;
    let now = rest::header(&answer, "date").and_then(moment).unwrap_or_else(|| library.dav.rest().now());
    Ok(now.micros() - i64::try_from(SLACK.as_micros()).unwrap_or(0))
}

struct Walk<'a> {
    library: &'a Library,
    cursor: Cursor,
    found: Vec<Change>,
}

impl Walk<'_> {
    async fn on(mut self) -> Result<Changes, Failure> {
        let resume = self.cursor.folder.take().as_deref().and_then(Place::from_plain).unwrap_or_default();
        // Innermost and first by name at the end.
        let mut open = vec![Place::root()];
        let mut looked_into = 0;
        while let Some(folder) = open.pop() {
            looked_into += 1;
            // On the way to where the walk was left, what comes before it is known.
            let is_above = resume.is_below(&folder);
            let Some(mut entries) = self.library.dav.list(&folder).await? else { continue };
            entries.retain(|entry| self.is_told(entry));
            entries.sort_by(|a, b| a.place.cmp(&b.place));
            let (folders, files): (Vec<Entry>, Vec<Entry>) =
                entries.into_iter().partition(|entry| entry.is_folder);
            if !is_above {
                let after = self.cursor.file.take().filter(|_| folder == resume);
                if let Some(last) = self.tell(&files, after.as_deref()).await? {
                    return Ok(self.stretch(&folder, Some(last)));
                }
            }
            let is_left = |entry: &&Entry| !is_above || is_from(&entry.place, &resume);
            open.extend(folders.iter().filter(is_left).map(|entry| entry.place.clone()).rev());
            if let Some(next) = open.last().filter(|_| looked_into >= MOST_FOLDERS && !is_above) {
                let next = next.clone();
                let stretch = self.stretch(&next, None);
                if stretch.cursor.len() <= CURSOR_BYTES {
                    return Ok(stretch);
                }
                self.found = stretch.changes;
            }
        }
        let since = self.cursor.begun.unwrap_or(self.cursor.since);
        let cursor = Cursor::between(since).written();
        Ok(Changes { changes: self.found, cursor, more: false })
    }

    /// Tells the changed files of a folder; the name of the last one, if there are more than can be told now.
    async fn tell(&mut self, files: &[Entry], after: Option<&str>) -> Result<Option<String>, Failure> {
        let since = Timestamp::from_micros(self.cursor.since);
        let is_new =
            |entry: &&Entry| entry.modified.as_deref().and_then(moment).is_some_and(|at| at >= since);
        for entry in
            files.iter().filter(|entry| after.is_none_or(|after| entry.place.name() > after)).filter(is_new)
        {
            let note = self.library.notes.who(&entry.place).await?;
            let object = self.library.object(entry.clone(), note);
            let reference = object.reference.clone();
            if reference.starts_with(FAR) {
                self.far().insert(reference.clone(), entry.place.clone());
            }
            self.found.push(Change { reference, what: What::Is(Box::new(object)) });
            if self.found.len() >= MOST_CHANGES {
                return Ok(Some(entry.place.name().to_owned()));
            }
        }
        Ok(None)
    }

    fn far(&self) -> MutexGuard<'_, BTreeMap<String, Place>> {
        self.library.far.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends here for now.
    fn stretch(&mut self, folder: &Place, file: Option<String>) -> Changes {
        let cursor = Cursor { folder: Some(folder.plain()), file, ..self.cursor.clone() };
        Changes { changes: std::mem::take(&mut self.found), cursor: cursor.written(), more: true }
    }

    /// Whether others are told of it: not what is ours alone, hidden, or still being written.
    fn is_told(&self, entry: &Entry) -> bool {
        let name = entry.place.name();
        let is_unfinished =
            [".part", ".tmp", ".crdownload", ".filepart"].iter().any(|end| name.ends_with(end));
        entry.place != *self.library.notes.folder() && !name.starts_with(['.', '~']) && !is_unfinished
    }
}

impl Cursor {
    fn between(since: i64) -> Self {
        Cursor { since, begun: None, folder: None, file: None }
    }

    fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Whether a folder is on the way to `resume` or comes behind it.
fn is_from(folder: &Place, resume: &Place) -> bool {
    folder == resume || resume.is_below(folder) || folder > resume
}
