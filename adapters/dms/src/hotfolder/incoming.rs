//! Containers out of the folder of the system. A file is taken by moving it into `.amtsbote/work`, once it has been left alone for a
//! while; what lies there is handed to the broker by its content, and removed only after the broker has it. So a crash anywhere
//! leads to the same message once more, which is one message.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use model::adapter::{Handed, Host};
use model::{Failure, FailureKind};
use tokio::fs::{self, File};
use tokio::time::Instant;

use super::Settings;
use super::folder::{self, MOST_FILES, is_name, is_unfinished, unreadable, unwritable};

/// How long a session takes files before it lets others have their turn.
const SESSION: Duration = Duration::from_secs(90);

/// What is remembered of files that are still too young.
#[derive(Default)]
pub(super) struct Incoming {
    seen: Mutex<HashMap<PathBuf, Seen>>,
}

/// A file, as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    size: u64,
    modified: Option<SystemTime>,
    /// When it was seen so first.
    since: Instant,
}

impl Incoming {
    /// One session: first what an earlier one left, then what is new. What will fail again the same way stays in `work` and keeps no
    /// other waiting: neither a partner that is configured wrongly nor a file that cannot be read or moved. The first of these is told
    /// once all have had their turn.
    pub(super) async fn session(&self, settings: &Settings, host: &dyn Host) -> Result<(), Failure> {
        let begun = Instant::now();
        let work = folder::own(&settings.import, "work").await?;
        let mut stuck = None;
        for taken in files(&work).await? {
            if begun.elapsed() < SESSION {
                let wrong = hand_in(settings, host, &taken).await?;
                stuck = stuck.or(wrong);
            }
        }
        for path in self.quiet(settings).await? {
            let Some(name) = path.file_name().filter(|_| begun.elapsed() < SESSION) else { break };
            let taken = work.join(name);
            if fs::try_exists(&taken).await.map_err(unreadable)? {
                // One of this name is still there.
                continue;
            }
            let wrong = match fs::rename(&path, &taken).await {
                Ok(()) => hand_in(settings, host, &taken).await?,
                // Its owner has taken it away.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => Some(unwritable(error)),
            };
            stuck = stuck.or(wrong);
        }
        stuck.map_or(Ok(()), Err)
    }

    /// The files that have been left alone for long enough, by name.
    async fn quiet(&self, settings: &Settings) -> Result<Vec<PathBuf>, Failure> {
        let mut now = HashMap::new();
        for path in files(&settings.import).await? {
            let Ok(found) = fs::symlink_metadata(&path).await else { continue };
            let seen = Seen { size: found.len(), modified: found.modified().ok(), since: Instant::now() };
            now.insert(path, seen);
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, file) in &mut now {
            let before = seen.get(path).filter(|it| it.size == file.size && it.modified == file.modified);
            file.since = before.map_or(file.since, |before| before.since);
        }
        let is_quiet = |file: &Seen| file.since.elapsed() >= settings.quiet;
        let mut quiet: Vec<PathBuf> =
            now.iter().filter(|(_, file)| is_quiet(file)).map(|(path, _)| path.clone()).collect();
        *seen = now;
        quiet.sort();
        Ok(quiet)
    }
}

/// The files of a folder: no links, no folders, nothing hidden or still being written.
async fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut entries = fs::read_dir(folder).await.map_err(unreadable)?;
    let mut files = vec![];
    while let Some(entry) = entries.next_entry().await.map_err(unreadable)? {
        let name = entry.file_name();
        let is_fine = name.to_str().is_some_and(|name| is_name(name) && !is_unfinished(name));
        if is_fine && entry.file_type().await.is_ok_and(|kind| kind.is_file()) {
            files.push(entry.path());
        }
        if files.len() >= MOST_FILES {
            break;
        }
    }
    files.sort();
    Ok(files)
}

/// Hands a file that was taken to the broker, and puts it away. Gives what is in the way of this file alone and stays so until a human
/// has seen to it.
async fn hand_in(settings: &Settings, host: &dyn Host, path: &Path) -> Result<Option<Failure>, Failure> {
    let file = match opened(settings, path).await {
        Ok(file) => file,
        Err(failure) if failure.kind == FailureKind::Rejected => {
            return Ok(reject(settings, path, &failure).await.err());
        }
        Err(failure) => return Ok(Some(failure)),
    };
    match message(settings, host, path, file).await {
        Ok(()) if settings.keep_done => Ok(put_away(settings, path, "done").await.err()),
        Ok(()) => Ok(fs::remove_file(path).await.err().map(unwritable)),
        Err(failure) if failure.kind == FailureKind::Rejected => {
            Ok(reject(settings, path, &failure).await.err())
        }
        Err(failure) if failure.kind == FailureKind::Permanent => Ok(Some(failure)),
        Err(failure) => Err(failure),
    }
}

async fn opened(settings: &Settings, path: &Path) -> Result<File, Failure> {
    let found = fs::symlink_metadata(path).await.map_err(unreadable)?;
    if !found.is_file() || found.len() > settings.most_bytes {
        return Err(crate::rest::too_large("the file is larger than what is taken"));
    }
    File::open(path).await.map_err(unreadable)
}

async fn message(settings: &Settings, host: &dyn Host, path: &Path, file: File) -> Result<(), Failure> {
    let content = host.keep(Box::new(file)).await?;
    let key = format!("hotfolder:{}", content.sha256);
    let file_name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let handed = Handed { from: Some(settings.partner.clone()), to: None, file_name, content };
    host.message(&key, handed).await.map(drop)
}

/// Puts a file where nobody takes it, with the reason beside it.
async fn reject(settings: &Settings, path: &Path, failure: &Failure) -> Result<(), Failure> {
    tracing::warn!(code = %failure.code, "a container of the hot folder was not taken in");
    let rejected = put_away(settings, path, "rejected").await?;
    let told = format!("{}\n{}\n", failure.code, failure.detail);
    fs::write(rejected.with_added_extension("txt"), told).await.map_err(unwritable)
}

/// Moves a file into an own folder, under a name that none has there.
async fn put_away(settings: &Settings, path: &Path, name: &str) -> Result<PathBuf, Failure> {
    let folder = folder::own(&settings.import, name).await?;
    let file = path.file_name().unwrap_or_default();
    let mut target = folder.join(file);
    for number in 2.. {
        if !fs::try_exists(&target).await.map_err(unreadable)? {
            break;
        }
        target = folder.join(format!("{number}-{}", file.to_string_lossy()));
    }
    fs::rename(path, &target).await.map_err(unwritable)?;
    Ok(target)
}
