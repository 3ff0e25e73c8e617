//! Tools outside: run without a shell, in a process group of their own, with a limit on time, memory and output. What they were
//! given may be hostile, so nothing that they say reaches a log.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use model::{Failure, FailureKind};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::trouble::Trouble;

/// With less room than this a tool that fails has probably had too little.
const ROOM: u64 = 64 << 20;
/// Bytes kept of what a tool complains.
const COMPLAINT_BYTES: usize = 2_000;

/// A command, the folder that it runs in, and its limits.
pub(super) struct Tool<'a> {
    /// What stands before the command, such as `prlimit`.
    pub within: &'a [String],
    /// Program and first arguments.
    pub command: &'a [String],
    /// Where it runs and puts what it needs for a while.
    pub folder: &'a Path,
    /// Longest run.
    pub time: Duration,
    /// Bytes of its output that are read; what is more ends it.
    pub output: usize,
    /// Codes that it may end with.
    pub ends: &'a [i32],
}

/// What a tool has said.
#[derive(Debug)]
pub(super) struct Said {
    /// Its output.
    pub output: Vec<u8>,
    /// Whether there was more.
    pub more: bool,
}

/// Ends the group if whoever waits for it goes away.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Whatever has ended by itself is not there any more.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Tool<'_> {
    /// Runs it.
    ///
    /// # Errors
    /// `Session` if there is no such program, `BrokeOff` if it was killed, `File` if it took too long or did not like what it was given.
    pub(super) async fn run(&self, arguments: &[OsString]) -> Result<Said, Trouble> {
        let mut words = self.within.iter().chain(self.command);
        let program = words.next().ok_or_else(|| self.missing())?;
        let mut command = Command::new(program);
        command.args(words).args(arguments).current_dir(self.folder);
        command.env_clear().env("LANG", "C.UTF-8").env("HOME", self.folder).env("TMPDIR", self.folder);
        command.env("OMP_THREAD_LIMIT", "1");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(|_| self.missing())?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let group = Group(group);
        let (output, complaint) = (child.stdout.take(), child.stderr.take());
        let all = async {
            let output = read(output, self.output);
            let (output, complaint) = tokio::join!(output, drained(complaint));
            let (output, more) = output?;
            if more {
                // It has nobody to write to any more.
                return Ok::<_, std::io::Error>((None, Said { output, more }, complaint));
            }
            Ok((Some(child.wait().await?), Said { output, more }, complaint))
        };
        let ended = tokio::time::timeout(self.time, all).await;
        drop(group);
        let Ok(ended) = ended else {
            return Err(Trouble::file("post.scan-time", format!("{} took too long", self.name())));
        };
        let (status, said, complaint) = ended?;
        let Some(status) = status else { return Ok(said) };
        match status.code() {
            Some(code) if code == 0 || self.ends.contains(&code) => Ok(said),
            // prlimit says so if it does not find what it is to run.
            Some(126 | 127) => Err(self.missing().into()),
            // The next file would not fare better.
            _ if is_full(self.folder) => Err(std::io::Error::from(ErrorKind::StorageFull).into()),
            Some(code) => {
                let why = format!("{} ended with {code}: {complaint}", self.name());
                Err(Trouble::File { code: "post.scan-tool", why })
            }
            None => Err(Trouble::BrokeOff { code: "post.scan-tool" }),
        }
    }

    /// Runs it to make a file.
    ///
    /// # Errors
    /// As `run`; `File` also if it says so much that it had to be ended, or if there is no such file although it says that all went well.
    pub(super) async fn make(&self, arguments: &[OsString], target: &Path) -> Result<(), Trouble> {
        let said = self.run(arguments).await?;
        let made = tokio::fs::metadata(target).await.is_ok_and(|meta| meta.is_file() && meta.len() > 0);
        if said.more || !made {
            let why = format!("{} has made nothing", self.name());
            return Err(Trouble::file("post.scan-tool", why));
        }
        Ok(())
    }

    fn name(&self) -> &str {
        self.command.first().map_or("the tool", String::as_str)
    }

    fn missing(&self) -> Failure {
        let why = format!("{} cannot be started", self.name());
        Failure::new(FailureKind::Permanent, "post.scan-tool-missing", why)
    }
}

/// Whether there is next to no room.
fn is_full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|it| it.f_bavail.saturating_mul(it.f_frsize) < ROOM)
}

/// At most so many bytes, and whether there are more.
async fn read(from: Option<impl AsyncRead + Unpin>, most: usize) -> std::io::Result<(Vec<u8>, bool)> {
    let Some(from) = from else { return Ok((vec![], false)) };
    let mut bytes = vec![];
    from.take(most as u64 + 1).read_to_end(&mut bytes).await?;
    let more = bytes.len() > most;
    bytes.truncate(most);
    Ok((bytes, more))
}

/// Reads to the end, so that nobody waits for us, and keeps the beginning.
async fn drained(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else { return String::new() };
    let mut kept = vec![];
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let room = COMPLAINT_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&piece[..length.min(room)]);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}
