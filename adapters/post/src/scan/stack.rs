//! One file of the hot folder: looked at, taken apart into letters, each taken in before the next is begun, so that whatever breaks off goes
//! on where it was.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::Timestamp;
use model::adapter::Host;
use model::case::SealLevel;
use model::letter::{Enclosure, Letter};
use seal::sha256;
use serde_json::json;
use tempfile::TempDir;

use super::document::{Made, make};
use super::folder::Item;
use super::index::{self, Facts};
use super::jbig2::{self, Coding};
use super::probe::{Probed, probe};
use super::received::{self, Said, received};
use super::separate::{Part, Parts, apart, whole};
use super::settings::{Fact, Jbig2, Opens};
use super::tool::Tool;
use super::trouble::{Trouble, blocking};
use super::{Bench, recognise};

/// Longest run of a tool over the whole stack.
const TIME: Duration = Duration::from_secs(300);
/// Bytes that a tool may say that says nothing.
const SAID: usize = 64 * 1024;
/// Characters of a batch's identifier.
const BATCH: usize = 100;

/// Whether a file is through.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of its letters are in.
    Done,
    /// Some are, the others in another session.
    Later,
}

/// A file with what is known of it.
pub(super) struct Stack {
    /// The file itself.
    pub document: PathBuf,
    /// Its name as it came.
    pub name: String,
    /// What it is.
    pub probed: Probed,
    /// What the index file says.
    pub index: Facts,
    /// Identifier of the batch.
    pub batch: String,
    /// When it was scanned.
    pub scanned: Timestamp,
    /// Where tools work; none if no tool is asked.
    pub folder: Option<TempDir>,
    /// The file as PDF.
    pub pdf: PathBuf,
    /// Its pages; 0 if no tool was asked.
    pub pages: u32,
    /// How its images are coded.
    pub coding: Coding,
    /// What it consists of.
    pub parts: Parts,
}

impl Stack {
    /// Whether the file is a document as it is.
    pub(super) fn is_one_document(&self) -> bool {
        self.parts.parts.len() == 1 && self.parts.sheets.is_empty()
    }
}

/// Takes in the letters of a file. At least one is taken in, however late it is.
pub(super) async fn take(
    bench: &Bench,
    host: &Arc<dyn Host>,
    item: &Item,
    until: Instant,
) -> Result<Outcome, Trouble> {
    let stack = open(bench, item).await?;
    let letters = letters(&stack.parts.parts);
    if letters.is_empty() {
        return Err(Trouble::file("post.scan-no-document", "there are only separator sheets"));
    }
    let begin = item.taken();
    for (number, parts) in letters.iter().enumerate().skip(begin) {
        if number > begin && Instant::now() >= until {
            return Ok(Outcome::Later);
        }
        let letter = letter(bench, host.as_ref(), &stack, number, parts).await?;
        host.take_in(letter).await?;
        if number + 1 < letters.len() {
            let item = item.clone();
            blocking(move || item.note_taken(number + 1)).await??;
        }
    }
    Ok(Outcome::Done)
}

/// A letter is a document and those that say that they belong to it.
fn letters(parts: &[Part]) -> Vec<Vec<&Part>> {
    let mut letters: Vec<Vec<&Part>> = vec![];
    for part in parts {
        match (part.opens, letters.last_mut()) {
            (Opens::Document, Some(letter)) => letter.push(part),
            _ => letters.push(vec![part]),
        }
    }
    letters
}

async fn open(bench: &Bench, item: &Item) -> Result<Stack, Trouble> {
    let (document, most) = (item.document(), bench.settings.limits.bytes);
    let probed = blocking(move || probe(&document, most)).await??;
    let index = facts(bench, item).await?;
    let stem = std::path::Path::new(item.name()).file_stem().unwrap_or_default().to_string_lossy();
    let batch = index.get(&Fact::Batch).map_or(&*stem, String::as_str).chars().take(BATCH).collect();
    let said = index.get(&Fact::Scanned).and_then(|text| received::read(text));
    let scanned = said.map_or(probed.written, |(at, _)| at);
    let mut stack = Stack {
        document: item.document(),
        name: item.name().to_owned(),
        pdf: item.document(),
        probed,
        index,
        batch,
        scanned,
        folder: None,
        pages: 0,
        coding: Coding::Other,
        parts: whole(1),
    };
    if bench.needs_tools() {
        look_into(bench, &mut stack).await?;
    }
    Ok(stack)
}

async fn facts(bench: &Bench, item: &Item) -> Result<Facts, Trouble> {
    let Some(path) = item.index() else { return Ok(Facts::new()) };
    let (most, columns) = (bench.settings.limits.index_bytes, bench.settings.index.columns.clone());
    let read = blocking(move || {
        let meta = std::fs::symlink_metadata(&path)?;
        if !meta.is_file() || meta.len() > most {
            return Ok(Err(format!("more than {most} bytes")));
        }
        Ok::<_, std::io::Error>(index::read(&path, &std::fs::read(&path)?, &columns))
    });
    read.await??.map_err(|why| Trouble::file("post.scan-index", why))
}

/// Pages, codes and images.
async fn look_into(bench: &Bench, stack: &mut Stack) -> Result<(), Trouble> {
    let tools = &bench.settings.tools;
    let temporary = match &bench.settings.temporary {
        Some(temporary) => tempfile::tempdir_in(temporary)?,
        None => tempfile::tempdir()?,
    };
    let folder = stack.folder.insert(temporary).path();
    if !stack.probed.is_pdf {
        stack.pdf = folder.join("stack.pdf");
        let (within, command) = (&tools.within, &tools.img2pdf);
        let tool = Tool { within, command, folder, time: TIME, output: SAID, ends: &[] };
        let words = ["--rotation=ifvalid", "-o"].map(Into::into).to_vec();
        tool.run(&[words, vec![stack.pdf.clone().into(), stack.document.clone().into()]].concat()).await?;
    }
    let pages = bench.pages(&stack.pdf, folder);
    stack.pages = pages.count().await?;
    if stack.pages > bench.settings.limits.pages {
        return Err(Trouble::file("post.scan-too-large", format!("{} pages", stack.pages)));
    }
    if stack.probed.is_pdf {
        stack.coding = jbig2::coding(tools, &stack.pdf, folder, TIME).await?;
        if stack.coding == Coding::Symbols && bench.settings.jbig2 == Jbig2::Reject {
            return Err(Trouble::file("post.scan-jbig2", "JBIG2 with symbols"));
        }
    }
    stack.parts = match &bench.settings.separate {
        Some(separate) => apart(stack.pages, &pages.codes(stack.pages, separate).await?, &bench.forms),
        None => whole(stack.pages),
    };
    Ok(())
}

async fn letter(
    bench: &Bench,
    host: &dyn Host,
    stack: &Stack,
    number: usize,
    parts: &[&Part],
) -> Result<Letter, Trouble> {
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return Err(Trouble::file("post.scan-no-document", "the letter is empty"));
    };
    let (mut documents, mut hints) = (vec![], recognise::in_facts(&first.facts, &stack.index));
    let (mut stamp, mut subject, mut is_unread, mut seal) = (None, None, false, None::<SealLevel>);
    for (place, part) in parts.iter().enumerate() {
        let made = make(bench, host, stack, part).await?;
        is_unread |= made.is_unread;
        seal = made.seal;
        let Made { files, words, .. } = made;
        if place == 0 {
            (stamp, subject) = (words.stamp, words.subject);
        }
        let codes = bench.patterns.in_codes(&part.codes, *part.pages.start());
        hints.extend(codes.into_iter().chain(words.hints).map(|mut hint| {
            // What stands in an enclosure may be about anything.
            hint.confidence = if place == 0 { hint.confidence } else { hint.confidence.saturating_sub(20) };
            hint
        }));
        let kind = said(&part.facts, &stack.index, Fact::Kind);
        let title = match place {
            0 => said(&part.facts, &stack.index, Fact::Subject).or(subject.clone()).or(kind.clone()),
            _ => said(&part.facts, &Facts::new(), Fact::Subject).or(kind.clone()),
        };
        let title =
            title.unwrap_or_else(|| if place == 0 { "Schreiben".into() } else { format!("Anlage {place}") });
        documents.push(Enclosure { title, kind, files });
    }
    let received = received(
        &Said {
            index: stack.index.get(&Fact::Received).map(String::as_str),
            sheet: first.facts.get(&Fact::Received).map(String::as_str),
            stamp: stamp.as_deref(),
        },
        stack.scanned,
        host.now(),
    );
    let mut concerns = vec![];
    let mut concern = |is: bool, code| concerns.extend(is.then_some(code));
    concern(received.is_doubtful, "post.scan-received");
    concern(is_unread, "post.scan-no-text");
    concern(stack.coding == Coding::Symbols, "post.scan-jbig2");
    concern(number == 0 && !stack.parts.empty.is_empty(), "post.scan-sheet-empty");
    let batch = &sha256(&[stack.batch.as_bytes()]).to_string()[..16];
    Ok(Letter {
        key: format!("scan:{}:{batch}:{number}", stack.probed.sha256),
        way: "scan".into(),
        received_at: received.at,
        subject: said(&first.facts, &stack.index, Fact::Subject).or(subject),
        from: said(&first.facts, &stack.index, Fact::From),
        documents,
        hints: recognise::merged(hints),
        proof: json!({
            "batch": stack.index.get(&Fact::Batch),
            "file": { "sha256": stack.probed.sha256, "bytes": stack.probed.size, "pages": stack.pages },
            "pages": [first.pages.start(), last.pages.end()],
            "sheets": stack.parts.sheets,
            "scannedAt": stack.scanned,
            "receivedBy": received.by,
            "images": stack.coding,
            "seal": seal,
            "tools": bench.known_versions(),
        }),
        concerns,
    })
}

/// What the sheet says, else what the index says of the whole.
fn said(sheet: &Facts, index: &Facts, fact: Fact) -> Option<String> {
    sheet.get(&fact).or_else(|| index.get(&fact)).cloned()
}
