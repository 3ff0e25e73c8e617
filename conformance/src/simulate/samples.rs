//! Sends real samples the way any message comes, and compares what becomes of each with what the dry
//! run says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reqwest::Method;

use super::containers::stored_zip;
use super::files::Content;
use super::story::verify;
use crate::Error;
use crate::client::{Client, items, text};

/// What became of a sample.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// File name below the folder of samples.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// Standard, version and type as the gateway recognised them; empty if it did not.
    pub identity: String,
    /// `processed`, `confirmed`, `returned`, `parked`, or the code of a refusal.
    pub state: String,
    /// Rules that the dry run names, each once.
    pub rules: BTreeSet<String>,
}

/// Sends every message in the folders below `folder`, each once. A folder that holds primary documents
/// beside a message is sent as one container.
///
/// # Errors
/// If a message ends otherwise than the dry run says, or the gateway does not answer.
pub async fn send_all(client: &Client, folder: &Path) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = vec![];
    let mut known = BTreeMap::new();
    for (name, content) in messages_in(folder)? {
        let outcome = send(client, name, &content, &mut known).await?;
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

async fn send(
    client: &Client,
    name: String,
    content: &Content,
    known: &mut BTreeMap<String, String>,
) -> Result<Outcome, Error> {
    let check = format!("/checks?fileName={}", content.name);
    let checked = client.upload(Method::POST, &check, &format!("check-{name}"), content).await?;
    let checked = checked.expect(&format!("dry run of {name}"), &[200])?;
    let acceptable = checked["acceptable"].as_bool().unwrap_or_default();
    let identity = &checked["identity"];
    let path = format!("/messages?fileName={}", content.name);
    let answer = client.upload(Method::POST, &path, &format!("sample-{name}"), content).await?;

    let id = format!("{}:{}", text(identity, "processId"), text(identity, "type"));
    let state = if answer.code() == "broker.id-reused" {
        let earlier = known.get(&id).is_some_and(|sha256| *sha256 != content.sha256);
        verify(earlier, &format!("{name}: nur eine andere Nachricht gleicher Kennung wird verweigert"))?;
        answer.code().to_owned()
    } else {
        let message = answer.expect(&format!("POST of {name}"), &[202])?;
        let path = format!("/messages/{}", text(&message, "id"));
        let ended = client.wait_until(&path, |message| is_at_rest(text(message, "state"))).await?;
        let state = text(&ended, "state").to_owned();
        verify(
            (state != "returned") == acceptable,
            &format!("{name}: Probelauf und Ernstfall urteilen gleich"),
        )?;
        known.insert(id, content.sha256.clone());
        state
    };
    let identity = ["standard", "version", "type"].map(|member| text(identity, member)).join(" ");
    let rules = items(&checked, "findings").iter().map(|finding| text(finding, "rule").to_owned()).collect();
    Ok(Outcome { name, bytes: content.size, identity: identity.trim().to_owned(), state, rules })
}

/// Whether a message that came in has come to rest: ended, or in the mailbox of its recipient.
pub fn is_at_rest(state: &str) -> bool {
    matches!(state, "processed" | "confirmed" | "returned" | "parked")
}

/// Messages by name: `folder/file`, or the folder's container.
fn messages_in(folder: &Path) -> Result<Vec<(String, Content)>, Error> {
    let mut messages = vec![];
    for folder in sorted(folder)?.into_iter().filter(|path| path.is_dir()) {
        let files: Vec<PathBuf> = sorted(&folder)?.into_iter().filter(|path| path.is_file()).collect();
        let is_message = |path: &&PathBuf| path.extension().is_some_and(|end| end == "xml" || end == "zip");
        let front = name_of(&folder);
        let (found, primary): (Vec<&PathBuf>, Vec<&PathBuf>) =
            files.iter().partition(|path| is_message(path));
        if let ([message], [_, ..]) = (&found[..], &primary[..]) {
            let stem =
                message.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let entries: Result<Vec<_>, std::io::Error> =
                files.iter().map(|path| Ok((name_of(path), std::fs::read(path)?))).collect();
            let name = format!("{stem}.zip");
            messages.push((
                format!("{front}/{name}"),
                Content::new(&name, "application/zip", stored_zip(&entries?)),
            ));
            continue;
        }
        for path in found {
            let media_type = if path.extension().is_some_and(|end| end == "zip") {
                "application/zip"
            } else {
                "application/xml"
            };
            let name = name_of(path);
            messages.push((format!("{front}/{name}"), Content::new(&name, media_type, std::fs::read(path)?)));
        }
    }
    Ok(messages)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Error>>()?;
    paths.sort();
    Ok(paths)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// One line about a sample.
impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outcome { name, identity, state, rules, .. } = self;
        write!(f, "{name}: {identity}, {}", in_german(state))?;
        if rules.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", rules.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    }
}

fn in_german(state: &str) -> &str {
    match state {
        "processed" => "angenommen, im Postfach",
        "confirmed" => "angenommen",
        "returned" => "zurückgewiesen",
        "parked" => "Klärungsfall",
        code => code,
    }
}
