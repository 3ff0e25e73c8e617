//! One file of the hot folder: looked at, taken apart into letters once, each taken in before the next is begun, so that whatever breaks off goes
//! on where it was.

use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use model::case::SealLevel;
use model::letter::{Enclosure, Letter};
use seal::sha256;
use serde_json::json;
use tempfile::TempDir;

use super::document::{Made, make};
use super::index::{self, Facts};
use super::item::Item;
use super::jbig2::{self, Coding};
use super::kept::Kept;
use super::probe::{Probed, is_same, probe};
use super::received::{Received, Said, Scanned, received, scanned};
use super::separate::{Part, Parts, apart, whole};
use super::settings::{Fact, Jbig2, Opens};
use super::tool::Tool;
use super::trouble::{Trouble, blocking};
use super::{Bench, Session, recognise, trouble};

/// Longest run of a tool over the whole stack.
const TIME: Duration = Duration::from_secs(300);
/// Bytes that a tool may say that says nothing.
const SAID: usize = 64 * 1024;
/// Separator sheets that are told of; all of them stand in the Transfervermerk.
const SHEETS: usize = 200;
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
    pub scanned: Scanned,
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
    /// Whether it was taken apart in another session.
    pub is_kept: bool,
}

/// One letter of a stack.
struct Place<'a> {
    parts: &'a [&'a Part],
    pages: RangeInclusive<u32>,
    /// Last page of the letter before, 0 if there is none, and first page of the next.
    around: (u32, u32),
}

impl Stack {
    /// Whether the file is a document as it is.
    pub(super) fn is_one_document(&self) -> bool {
        self.parts.parts.len() == 1 && self.parts.sheets.is_empty()
    }

    /// What makes a letter of it known again: its pages, so that another separation makes another letter of them.
    fn key(&self, pages: &RangeInclusive<u32>) -> String {
        let batch = &sha256(&[self.batch.as_bytes()]).to_string()[..16];
        let place = match self.is_one_document() {
            true => "0".to_owned(),
            false => format!("{}-{}", pages.start(), pages.end()),
        };
        format!("scan:{}:{batch}:{place}", self.probed.sha256)
    }

    /// `Unready` if somebody has written to the file meanwhile.
    async fn is_unchanged(&self) -> Result<(), Trouble> {
        let (document, probed) = (self.document.clone(), self.probed.clone());
        match blocking(move || is_same(&document, &probed)).await?? {
            true => Ok(()),
            false => Err(Trouble::Unready),
        }
    }
}

/// Takes in the letters of a file. At least one is taken in, however late it is, and what opening it took is not part of its time.
pub(super) async fn take(session: &Session<'_>, item: &Item) -> Result<Outcome, Trouble> {
    let known = item.clone();
    if blocking(move || known.is_all_taken()).await? {
        return Ok(Outcome::Done);
    }
    let stack = open(session, item).await?;
    let until = session.until.max(Instant::now() + session.bench.settings.session);
    let letters = letters(&stack.parts.parts);
    if letters.is_empty() {
        return Err(Trouble::file("post.scan-no-document", "there are only separator sheets"));
    }
    // Where it is taken apart anew, numbers of before say nothing.
    let begin = if stack.is_kept { item.taken().letters } else { 0 };
    for number in begin..letters.len() {
        if number > begin && Instant::now() >= until {
            return Ok(Outcome::Later);
        }
        let place = place(&letters, number);
        let letter = letter(session, &stack, &place).await?;
        stack.is_unchanged().await?;
        session.host.take_in(letter).await?;
        if number + 1 < letters.len() {
            let (item, first) = (item.clone(), pages_of(&letters[0]));
            let pages = *first.start()..=*place.pages.end();
            blocking(move || item.note_taken(number + 1, &pages)).await??;
        }
    }
    stack.is_unchanged().await?;
    Ok(Outcome::Done)
}

fn pages_of(parts: &[&Part]) -> RangeInclusive<u32> {
    let first = parts.first().map_or(0, |part| *part.pages.start());
    first..=parts.last().map_or(0, |part| *part.pages.end())
}

fn place<'a>(letters: &'a [Vec<&'a Part>], number: usize) -> Place<'a> {
    let before = number.checked_sub(1).map_or(0, |before| *pages_of(&letters[before]).end());
    let next = letters.get(number + 1).map_or(u32::MAX, |next| *pages_of(next).start());
    Place { parts: &letters[number], pages: pages_of(&letters[number]), around: (before, next) }
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

async fn open(session: &Session<'_>, item: &Item) -> Result<Stack, Trouble> {
    let bench = session.bench;
    let (document, most) = (item.document(), bench.settings.limits.bytes);
    let probed = blocking(move || probe(&document, most)).await??;
    let index = facts(bench, item).await?;
    let stem = std::path::Path::new(item.name()).file_stem().unwrap_or_default().to_string_lossy();
    let batch = index.get(&Fact::Batch).map_or(&*stem, String::as_str).chars().take(BATCH).collect();
    let said = index.get(&Fact::Scanned).map(String::as_str);
    let scanned = scanned(said, probed.written, session.host.now());
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
        is_kept: false,
    };
    if let Some(workshop) = &session.workshop {
        // Without a folder for its tools no file could be worked with.
        let folder = tempfile::tempdir_in(workshop.path()).map_err(|error| trouble::folder(&error))?;
        look_into(bench, item, &mut stack, folder).await?;
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
        match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                Ok(Err("the gateway may not read the file".to_owned()))
            }
            bytes => Ok::<_, std::io::Error>(index::read(&path, &bytes?, &columns)),
        }
    });
    read.await??.map_err(|why| Trouble::file("post.scan-index", why))
}

/// Pages, codes and images.
async fn look_into(bench: &Bench, item: &Item, stack: &mut Stack, folder: TempDir) -> Result<(), Trouble> {
    let tools = &bench.settings.tools;
    let folder = stack.folder.insert(folder).path();
    if !stack.probed.is_pdf {
        stack.pdf = folder.join("stack.pdf");
        let (within, command) = (&tools.within, &tools.img2pdf);
        let tool = Tool { within, command, folder, time: TIME, output: SAID, ends: &[] };
        let words = ["--rotation=ifvalid", "-o"].map(Into::into).to_vec();
        let words = [words, vec![stack.pdf.clone().into(), stack.document.clone().into()]].concat();
        tool.make(&words, &stack.pdf).await?;
    }
    let (kept, is_kept) = match Kept::of(item, &stack.probed.sha256).await? {
        Some(kept) => (kept, true),
        None => (apart_now(bench, stack).await?, false),
    };
    if bench.settings.separate.is_some() && !is_kept {
        kept.note(item).await?;
    }
    (stack.pages, stack.coding, stack.parts, stack.is_kept) = (kept.pages, kept.coding, kept.parts, is_kept);
    Ok(())
}

async fn apart_now(bench: &Bench, stack: &Stack) -> Result<Kept, Trouble> {
    let folder = stack.folder.as_ref().map_or(stack.document.as_path(), TempDir::path);
    let of = bench.pages(&stack.pdf, folder);
    let pages = of.count().await?;
    if pages > bench.settings.limits.pages {
        return Err(Trouble::file("post.scan-too-large", format!("{pages} pages")));
    }
    let mut coding = Coding::Other;
    if stack.probed.is_pdf {
        coding = jbig2::coding(&bench.settings.tools, &stack.pdf, folder, TIME).await?;
        if coding == Coding::Symbols && bench.settings.jbig2 == Jbig2::Reject {
            return Err(Trouble::file("post.scan-jbig2", "JBIG2 with symbols"));
        }
    }
    let parts = match &bench.settings.separate {
        Some(separate) => apart(pages, &of.codes(pages, separate).await?, &bench.forms),
        None => whole(pages),
    };
    Ok(Kept { sha256: stack.probed.sha256.clone(), pages, coding, parts })
}

async fn letter(session: &Session<'_>, stack: &Stack, place: &Place<'_>) -> Result<Letter, Trouble> {
    let (bench, host, parts) = (session.bench, session.host, place.parts);
    let Some(first) = parts.first() else {
        return Err(Trouble::file("post.scan-no-document", "the letter is empty"));
    };
    let (mut documents, mut hints) = (vec![], recognise::in_facts(&first.facts, &stack.index));
    let (mut stamp, mut subject, mut is_unread, mut seal) = (None, None, false, None::<SealLevel>);
    for (at, part) in parts.iter().enumerate() {
        let made = make(bench, host, stack, part).await?;
        is_unread |= made.is_unread;
        seal = made.seal;
        let Made { files, words, .. } = made;
        if at == 0 {
            (stamp, subject) = (words.stamp, words.subject);
        }
        let codes = bench.patterns.in_codes(&part.codes, *part.pages.start());
        hints.extend(codes.into_iter().chain(words.hints).map(|mut hint| {
            // What stands in an enclosure may be about anything.
            hint.confidence = if at == 0 { hint.confidence } else { hint.confidence.saturating_sub(20) };
            hint
        }));
        let kind = said(&part.facts, &stack.index, Fact::Kind);
        let title = match at {
            0 => said(&part.facts, &stack.index, Fact::Subject).or(subject.clone()).or(kind.clone()),
            _ => said(&part.facts, &Facts::new(), Fact::Subject).or(kind.clone()),
        };
        let title =
            title.unwrap_or_else(|| if at == 0 { "Schreiben".into() } else { format!("Anlage {at}") });
        documents.push(Enclosure { title, kind, files });
    }
    let received = received(
        &Said {
            index: stack.index.get(&Fact::Received).map(String::as_str),
            sheet: first.facts.get(&Fact::Received).map(String::as_str),
            stamp: stamp.as_deref(),
            is_sheet_ours: first.is_proved,
        },
        stack.scanned,
        host.now(),
    );
    let concerns = concerns(bench, stack, place, &received, is_unread);
    Ok(Letter {
        key: stack.key(&place.pages),
        way: "scan".into(),
        received_at: received.at,
        subject: said(&first.facts, &stack.index, Fact::Subject).or(subject),
        from: said(&first.facts, &stack.index, Fact::From),
        documents,
        hints: recognise::merged(hints),
        proof: json!({
            "batch": stack.index.get(&Fact::Batch),
            "file": { "sha256": stack.probed.sha256, "bytes": stack.probed.size, "pages": stack.pages },
            "pages": [place.pages.start(), place.pages.end()],
            "sheets": stack.parts.sheets.iter().take(SHEETS).collect::<Vec<_>>(),
            "scannedAt": stack.scanned.at,
            "receivedBy": received.by,
            "images": stack.coding,
            "seal": seal,
            "tools": bench.known_versions(),
        }),
        concerns,
        ..Letter::default()
    })
}

/// Why a human has to look at a letter.
fn concerns(
    bench: &Bench,
    stack: &Stack,
    place: &Place<'_>,
    received: &Received,
    is_unread: bool,
) -> Vec<&'static str> {
    let (before, next) = place.around;
    // Of the letters before and after the sheet nobody knows which one lacks a page.
    let is_beside = |sheet: &u32| before < *sheet && *sheet < next;
    let mut codes = place.parts.iter().flat_map(|part| part.codes.values().flatten());
    let is_proved = place.parts.first().is_some_and(|part| part.is_proved);
    let is_foreign = codes.any(|code| bench.forms.is_foreign(code));
    [
        (received.is_doubtful, "post.scan-received"),
        (received.by == "sheet" && !is_proved, "post.scan-sheet-received"),
        (is_unread, "post.scan-no-text"),
        (stack.coding == Coding::Symbols, "post.scan-jbig2"),
        (stack.parts.empty.iter().any(is_beside), "post.scan-sheet-empty"),
        (is_foreign, "post.scan-sheet-foreign"),
    ]
    .into_iter()
    .filter_map(|(is, code)| is.then_some(code))
    .collect()
}

/// What the sheet says, else what the index says of the whole.
fn said(sheet: &Facts, index: &Facts, fact: Fact) -> Option<String> {
    sheet.get(&fact).or_else(|| index.get(&fact)).cloned()
}
