//! One document of a stack: the scan as it is, a searchable PDF/A beside it, and the sealed Transfervermerk of both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::adapter::Host;
use model::case::{File, SealLevel};
use model::{Failure, Timestamp};

use super::Bench;
use super::embed::{NAME, embed};
use super::jbig2::Coding;
use super::probe::digest;
use super::recognise::Words;
use super::seals::no_seal;
use super::separate::Part;
use super::settings::Note;
use super::stack::Stack;
use super::text;
use super::transfer_note::{Attribut, Noted, Step, write};
use super::trouble::{self, Trouble, blocking};

/// A document whose bytes are kept.
pub(super) struct Made {
    /// The readable form first, then the scan, then what proves it.
    pub files: Vec<File>,
    /// What its words say.
    pub words: Words,
    /// Whether it should have been read and could not be.
    pub is_unread: bool,
    /// What its seal is worth.
    pub seal: Option<SealLevel>,
}

/// What a document consists of, as files.
struct Paper {
    scan: PathBuf,
    scan_name: &'static str,
    media_type: &'static str,
    readable: Option<PathBuf>,
}

/// Makes a document and keeps its bytes.
pub(super) async fn make(
    bench: &Bench,
    host: &dyn Host,
    stack: &Stack,
    part: &Part,
) -> Result<Made, Trouble> {
    let mut paper = Paper {
        scan: stack.document.clone(),
        scan_name: if stack.probed.is_pdf { "scan.pdf" } else { "scan.tif" },
        media_type: if stack.probed.is_pdf { "application/pdf" } else { "image/tiff" },
        readable: None,
    };
    let Some(folder) = &stack.folder else {
        let files = vec![scan_of(host, stack, &paper).await?];
        return Ok(Made { files, words: Words::default(), is_unread: false, seal: None });
    };
    let folder = tempfile::tempdir_in(folder.path()).map_err(|error| trouble::folder(&error))?;
    let mut pdf = stack.pdf.clone();
    if !stack.is_one_document() {
        let pages = folder.path().join("scan.pdf");
        bench.pages(&stack.pdf, folder.path()).take(&part.pages, &pages).await?;
        (pdf, paper.scan, paper.scan_name, paper.media_type) =
            (pages.clone(), pages, "scan.pdf", "application/pdf");
    }
    let mut words = Words::default();
    if let Some(read) = &bench.settings.read {
        let target = folder.path().join("brief.pdf");
        if text::searchable(&bench.settings.tools, read, folder.path(), &pdf, &target).await? {
            paper.readable = Some(target);
        }
        let of = paper.readable.as_ref().unwrap_or(&pdf);
        let pages = text::words(&bench.settings.tools, read.pages, folder.path(), of).await?;
        words = bench.patterns.in_words(&pages);
    }
    let is_unread = bench.settings.read.is_some() && paper.readable.is_none();
    let note = match &bench.settings.note {
        Some(note) => {
            let versions = bench.versions(folder.path()).await?;
            let noted = noted(bench, host.now(), stack, part, &paper, versions).await?;
            sealed(bench, host, folder.path(), &mut paper, note, &noted).await?
        }
        None => vec![],
    };
    let mut files = vec![];
    if let Some(readable) = &paper.readable {
        files.push(keep(host, readable, "brief.pdf", "application/pdf").await?);
    }
    files.push(scan_of(host, stack, &paper).await?);
    let seal = note.first().and_then(|it| it.seal_level);
    files.extend(note);
    Ok(Made { files, words, is_unread, seal })
}

async fn scan_of(host: &dyn Host, stack: &Stack, paper: &Paper) -> Result<File, Trouble> {
    let scan = keep(host, &paper.scan, paper.scan_name, paper.media_type).await?;
    // The note and the key are of what was looked at, so what is kept must be the same.
    let kept = scan.content.as_ref().map(|content| content.sha256.as_str());
    if paper.scan == stack.document && kept != Some(&stack.probed.sha256) {
        return Err(Trouble::Unready);
    }
    let created = Some(stack.scanned.at.to_string());
    Ok(File { original_name: Some(stack.name.clone()), created, ..scan })
}

async fn keep(host: &dyn Host, path: &Path, name: &str, media_type: &str) -> Result<File, Trouble> {
    let content = tokio::fs::File::open(path).await?;
    let content = host.keep(Box::new(content)).await?;
    Ok(a_file(name, media_type, content))
}

fn a_file(name: &str, media_type: &str, content: model::PayloadRef) -> File {
    File {
        name: name.to_owned(),
        original_name: None,
        media_type: Some(media_type.to_owned()),
        content: Some(content),
        creator: None,
        created: None,
        seal_level: None,
        extensions: model::case::Extensions::default(),
    }
}

/// The note, sealed, and the seal that stands beside it; put into the readable form as well if that is wanted.
async fn sealed(
    bench: &Bench,
    host: &dyn Host,
    folder: &Path,
    paper: &mut Paper,
    note: &Note,
    noted: &Noted,
) -> Result<Vec<File>, Trouble> {
    let provider = bench.seal.as_ref().ok_or_else(|| no_seal("no seal is configured"))?;
    let unsealed = write(note, noted).map_err(|error| no_seal(error.code()))?;
    let sealed = provider.seal(&unsealed).await?;
    let file = folder.join(NAME);
    tokio::fs::write(&file, &sealed.note).await?;
    if note.embed
        && let Some(readable) = &paper.readable
    {
        let target = folder.join("embedded.pdf");
        if embed(&bench.settings.tools, folder, readable, &target).await? {
            paper.readable = Some(target);
        }
    }
    let level = Some(provider.level());
    let mut files = vec![File { seal_level: level, ..keep(host, &file, NAME, "application/xml").await? }];
    if let Some(beside) = sealed.beside {
        let content = host.keep(Box::new(std::io::Cursor::new(beside.bytes))).await?;
        files.push(a_file(&beside.name, &beside.media_type, content));
    }
    Ok(files)
}

/// What the note says of a document.
async fn noted(
    bench: &Bench,
    now: Timestamp,
    stack: &Stack,
    part: &Part,
    paper: &Paper,
    versions: &BTreeMap<&'static str, String>,
) -> Result<Noted, Trouble> {
    let note = bench.settings.note.as_ref();
    let plain = |name, text: String| Attribut { name, text, stands_out: false };
    let odd = |name, text: &str| Attribut { name, text: text.to_owned(), stands_out: true };
    let mut attributes = vec![plain("SHA-256 des Abbilds", digest_of(&paper.scan).await?)];
    // What the note is put into has another digest than before, which the note cannot know.
    let is_put_in = note.is_some_and(|note| note.embed);
    if let Some(readable) = paper.readable.as_ref().filter(|_| !is_put_in) {
        attributes.push(plain("SHA-256 der Lesefassung", digest_of(readable).await?));
    }
    let assurance = note.and_then(|note| note.assurance.clone());
    attributes.extend(assurance.map(|words| plain("Übereinstimmung mit dem Papier", words)));
    if stack.coding == Coding::Symbols {
        attributes.push(odd("Bildkompression", "JBIG2 mit Symbolkodierung"));
    }
    if bench.settings.read.is_some() && paper.readable.is_none() {
        attributes.push(odd("Texterkennung", "nicht möglich"));
    }
    let system = |names: &[&str]| {
        let of = |name: &&str| versions.get(*name).cloned();
        let words: Vec<String> = names.iter().filter_map(of).collect();
        if words.is_empty() { format!("Amtsbote {}", env!("CARGO_PKG_VERSION")) } else { words.join(", ") }
    };
    let step = |name, system, attributes| Step { name, at: now, system, attributes };
    let procedure = note.map(|note| note.procedure.name.clone()).unwrap_or_default();
    let mut steps = vec![
        Step { name: "Scannen", at: stack.scanned.at, system: procedure, attributes: vec![] },
        step("Übernahme", system(&[]), vec![plain("SHA-256 der Datei", stack.probed.sha256.clone())]),
    ];
    if bench.settings.separate.is_some() {
        let mut left_out = vec![plain("Trennblätter", list(&stack.parts.sheets))];
        if !stack.parts.empty.is_empty() {
            left_out.push(odd("Trennblätter ohne Dokument", &list(&stack.parts.empty)));
        }
        steps.push(step("Trennung", system(&["zbarimg", "dmtxread", "qpdf"]), left_out));
    }
    if paper.readable.is_some() {
        let unchanged = vec![plain("Nachbearbeitung des Abbilds", "keine".to_owned())];
        steps.push(step("Texterkennung", system(&["ocrmypdf"]), unchanged));
    }
    let (first, last) = (part.pages.start(), part.pages.end());
    Ok(Noted {
        at: now,
        pages: 1 + last - first,
        attributes,
        stack: stack.batch.clone(),
        scanned: stack.scanned.at,
        position: format!("Abbild {first} bis {last} von {}", stack.pages),
        steps,
    })
}

fn list(pages: &[u32]) -> String {
    match pages {
        [] => "keine".to_owned(),
        pages => pages.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
    }
}

async fn digest_of(path: &Path) -> Result<String, Trouble> {
    let path = path.to_owned();
    let digest = blocking(move || digest(&mut std::fs::File::open(path)?)).await;
    digest.map_err(|failure: Failure| Trouble::Session(failure))?.map_err(Into::into)
}
