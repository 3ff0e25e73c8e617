//! What programs outside say of files: formats by PRONOM (Siegfried, fido), conformance to PDF/A (veraPDF).
//!
//! A program gets one file in a folder of its own, runs without a shell and for a limited time, and its output is read up to a limit. All
//! files together have a limit, too. What it says is kept in the package; that it failed, or that nobody asked, is said there, too, and is
//! never in the way of archiving.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use model::Failure;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::Tools;
use crate::adapter::blocking;
use crate::message::{Message, Part};

/// Most bytes of a program's output.
const MOST_OUTPUT: u64 = 1 << 20;

/// What the programs are asked for.
const IDENTIFY: &str = "format identification";
const PDF_A: &str = "PDF/A check";

/// What is known of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// PRONOM's identifier, such as `fmt/95`.
    pub(crate) puid: Option<String>,
    /// Name of the format.
    pub(crate) name: Option<String>,
    /// Media type.
    pub(crate) media_type: Option<String>,
    /// Whether it is the PDF/A that it says it is, and its profile.
    pub(crate) pdf_a: Option<(bool, String)>,
    /// Which programs were asked and gave no answer.
    pub(crate) failed: Vec<&'static str>,
}

impl Found {
    /// What a package notes beside the format.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.name.iter().cloned().collect();
        notes.extend(self.pdf_a.as_ref().map(|(is_valid, profile)| {
            format!("veraPDF: {} {profile}", if *is_valid { "conforms to" } else { "does not conform to" })
        }));
        notes.extend(self.failed.iter().map(|what| format!("{what}: no answer")));
        notes
    }
}

impl Tools {
    /// What is asked, in one line.
    pub(crate) fn described(&self) -> String {
        let name = |command: &Option<Vec<String>>| {
            let program = command.as_ref().and_then(|command| command.first());
            program
                .and_then(|program| Path::new(program).file_name())
                .map(|name| name.to_string_lossy().into_owned())
        };
        let said = |what: &str, name: Option<String>| {
            format!("{what}: {}", name.unwrap_or_else(|| "none configured".to_owned()))
        };
        format!("{}, {}", said(IDENTIFY, name(&self.identify)), said(PDF_A, name(&self.pdf_a)))
    }
}

/// Asks the programs about each part, in order, in folders below `work`. The message comes back. Once all time is over, nobody is asked
/// about the rest.
pub(crate) async fn examine(
    tools: &Tools,
    work: Option<PathBuf>,
    mut message: Message,
    parts: Vec<Part>,
) -> Result<(Message, Vec<(Part, Found)>), Failure> {
    let end = Instant::now() + tools.in_all;
    let mut examined = Vec::with_capacity(parts.len());
    for mut part in parts {
        let mut found = Found::default();
        let wanted = Wanted::of(tools, &part.name);
        let within = tools.within.min(end.saturating_duration_since(Instant::now()));
        if !wanted.is_nothing() && within.is_zero() {
            found.failed = wanted.names();
        } else if !wanted.is_nothing() {
            let copied;
            (message, part, copied) = copy(message, part, work.clone(), wanted.ending.clone()).await?;
            match copied {
                Some(file) => ask(&wanted, &file, within, &mut found).await,
                None => found.failed = wanted.names(),
            }
        }
        examined.push((part, found));
    }
    Ok((message, examined))
}

/// What is asked about a file.
struct Wanted<'a> {
    identify: Option<&'a [String]>,
    pdf_a: Option<&'a [String]>,
    /// Ending of the file's name, as far as it is harmless: names from outside are not given to programs.
    ending: String,
}

impl<'a> Wanted<'a> {
    fn of(tools: &'a Tools, name: &str) -> Self {
        let ending = name.rsplit('.').next().unwrap_or_default().chars();
        let ending: String = ending.filter(char::is_ascii_alphanumeric).take(8).collect();
        let is_pdf = ending.eq_ignore_ascii_case("pdf");
        Wanted {
            identify: tools.identify.as_deref(),
            pdf_a: tools.pdf_a.as_deref().filter(|_| is_pdf),
            ending,
        }
    }

    fn is_nothing(&self) -> bool {
        self.identify.is_none() && self.pdf_a.is_none()
    }

    fn names(&self) -> Vec<&'static str> {
        let asked = [(self.identify.is_some(), IDENTIFY), (self.pdf_a.is_some(), PDF_A)];
        asked.into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, name)| name).collect()
    }
}

/// A copy of a part in a folder of its own, which goes with it.
struct Copied {
    folder: TempDir,
    path: PathBuf,
}

/// Copies a part for programs; nothing if there is no room for that: it does not have to be in the way of the package.
async fn copy(
    mut message: Message,
    part: Part,
    work: Option<PathBuf>,
    ending: String,
) -> Result<(Message, Part, Option<Copied>), Failure> {
    blocking(move || {
        let folder = match &work {
            Some(work) => tempfile::tempdir_in(work),
            None => tempfile::tempdir(),
        };
        let Ok(folder) = folder else { return Ok((message, part, None)) };
        let path = folder.path().join(format!("file.{ending}"));
        let is_whole = File::create_new(&path)
            .and_then(|mut file| {
                let mut content = message.read(&part).map_err(io::Error::other)?;
                io::copy(&mut content, &mut file)
            })
            .is_ok_and(|size| size == part.size);
        let copied = is_whole.then_some(Copied { folder, path });
        Ok((message, part, copied))
    })
    .await
}

async fn ask(wanted: &Wanted<'_>, file: &Copied, within: Duration, found: &mut Found) {
    let end = Instant::now() + within;
    if let Some(command) = wanted.identify {
        let answer = run(command, file, within).await;
        if !answer.is_some_and(|answer| found.read_identified(&answer)) {
            found.failed.push(IDENTIFY);
        }
    }
    if let Some(command) = wanted.pdf_a {
        let answer = run(command, file, end.saturating_duration_since(Instant::now())).await;
        found.pdf_a = answer.and_then(|answer| read_verapdf(&answer));
        if found.pdf_a.is_none() {
            found.failed.push(PDF_A);
        }
    }
}

/// What a program prints; `None` if it fails to start, takes too long or prints too much. Its exit code is not looked at: veraPDF says by
/// it that a file does not conform.
async fn run(command: &[String], file: &Copied, within: Duration) -> Option<Vec<u8>> {
    let (program, arguments) = command.split_first()?;
    let mut command = Command::new(program);
    let mut is_named = false;
    for argument in arguments {
        match argument.as_str() {
            "{}" => {
                is_named = true;
                command.arg(&file.path)
            }
            _ => command.arg(argument),
        };
    }
    if !is_named {
        command.arg(&file.path);
    }
    command
        .current_dir(file.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut child = command.spawn().ok()?;
    let mut output = Vec::new();
    let reading = async {
        let mut pipe = child.stdout.take()?.take(MOST_OUTPUT + 1);
        pipe.read_to_end(&mut output).await.ok()?;
        (output.len() as u64 <= MOST_OUTPUT).then_some(())?;
        child.wait().await.ok()
    };
    let ended = timeout(within, reading).await.ok().flatten();
    ended.map(|_| output)
}

/// Siegfried's JSON (`sf -json`), or fido's lines `puid,format,mime` (see docs/archive.md).
#[derive(Deserialize)]
struct Siegfried {
    files: Vec<SiegfriedFile>,
}

#[derive(Deserialize)]
struct SiegfriedFile {
    matches: Vec<SiegfriedMatch>,
}

#[derive(Deserialize)]
struct SiegfriedMatch {
    id: String,
    #[serde(default)]
    format: String,
    #[serde(default)]
    mime: String,
}

impl Found {
    /// Whether an answer could be read; that a format is unknown is an answer.
    fn read_identified(&mut self, answer: &[u8]) -> bool {
        if let Ok(answer) = serde_json::from_slice::<Siegfried>(answer) {
            let mut matches = answer.files.iter().flat_map(|file| &file.matches);
            if let Some(it) = matches.find(|it| is_puid(&it.id)) {
                self.take(&it.id, &it.format, &it.mime);
            }
            return true;
        }
        let Ok(text) = std::str::from_utf8(answer) else { return false };
        let mut was_read = false;
        for line in text.lines() {
            let mut fields = line.trim().splitn(3, ',').map(|field| field.trim().trim_matches('"'));
            let (Some(puid), Some(format), Some(mime)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            was_read = true;
            // Of several guesses (fido goes by the ending where nothing else tells) the one with a media type counts.
            let is_better = self.puid.is_none() || (self.media_type.is_none() && !mime.is_empty());
            if is_puid(puid) && is_better {
                self.take(puid, format, mime);
            }
        }
        was_read
    }

    fn take(&mut self, puid: &str, format: &str, mime: &str) {
        let said = |text: &str| {
            let text: String = text.chars().filter(|c| !c.is_control()).take(100).collect();
            Some(text).filter(|text| !text.is_empty() && text != "None")
        };
        self.puid = Some(puid.to_owned());
        self.name = said(format);
        self.media_type = said(mime);
    }
}

fn is_puid(text: &str) -> bool {
    let number = text.strip_prefix("fmt/").or_else(|| text.strip_prefix("x-fmt/"));
    number.is_some_and(|number| {
        !number.is_empty() && number.len() <= 6 && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// veraPDF's JSON (`--format json`): `report.jobs[].validationResult`, one or a list of them.
fn read_verapdf(answer: &[u8]) -> Option<(bool, String)> {
    let answer: serde_json::Value = serde_json::from_slice(answer).ok()?;
    let result = &answer["report"]["jobs"][0]["validationResult"];
    let result = if result.is_array() { &result[0] } else { result };
    let profile: String =
        result["profileName"].as_str()?.chars().filter(|c| !c.is_control()).take(100).collect();
    Some((result["compliant"].as_bool()?, profile))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_siegfried_and_fido_say_is_read() {
        let mut found = Found::default();
        assert!(found.read_identified(
            br#"{"siegfried":"1.11","files":[{"filename":"x","matches":[{"ns":"pronom","id":"fmt/477","format":"Acrobat PDF/A","mime":"application/pdf"}]}]}"#
        ));
        assert_eq!(found.puid.as_deref(), Some("fmt/477"));
        let mut found = Found::default();
        assert!(found.read_identified(b"x-fmt/111,Plain Text,\nfmt/101,XML,application/xml\n"));
        assert_eq!(
            (found.puid.as_deref(), found.media_type.as_deref()),
            (Some("fmt/101"), Some("application/xml"))
        );
        let mut found = Found::default();
        assert!(
            found.read_identified(br#"{"files":[{"matches":[{"id":"UNKNOWN"}]}]}"#),
            "unknown is an answer"
        );
        assert_eq!(found, Found::default());
        for wrong in [&b"<html>"[..], b"", b"\xff\xfe", b"fmt/1"] {
            assert!(!found.read_identified(wrong));
        }
        assert!(!is_puid("fmt/") && !is_puid("../x") && !is_puid("fmt/1;rm"));
    }

    #[test]
    fn what_verapdf_says_is_read() {
        let answer = br#"{"report":{"jobs":[{"validationResult":[{"profileName":"PDF/A-2B validation profile","compliant":false}]}]}}"#;
        assert_eq!(read_verapdf(answer), Some((false, "PDF/A-2B validation profile".into())));
        assert_eq!(read_verapdf(b"{}"), None);
    }
}
