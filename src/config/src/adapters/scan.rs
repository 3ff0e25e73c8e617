//! Scans: `kind = "scan"`. Details: docs/post.md.

use std::collections::BTreeMap;
use std::path::PathBuf;

use broker::house::KeyPair;
use serde::{Deserialize, Serialize};

use super::Refers;

/// A folder of scans.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The hot folder.
    pub folder: PathBuf,
    /// Where tools work; absent: the system's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary: Option<PathBuf>,
    /// Seconds that a file must not have changed before it is taken.
    #[serde(default = "ten")]
    pub quiet_seconds: u32,
    /// Pause between two looks, in seconds.
    #[serde(default = "thirty")]
    pub pause_seconds: u32,
    /// Whether there are index files.
    #[serde(default)]
    pub index: ScanIndex,
    /// What index files say: column, element or member, and the fact.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ScanFact>,
    /// Separation of stacks; absent: a file is a letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separate: Option<ScanSeparate>,
    /// Reading by OCR; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<ScanRead>,
    /// The Transfervermerk; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<ScanNote>,
    /// What is recognised.
    #[serde(default)]
    pub recognise: Recognise,
    /// What becomes of images with JBIG2 symbol coding.
    #[serde(default)]
    pub jbig2: ScanJbig2,
    /// Largest document (MiB).
    #[serde(default = "two_gib")]
    pub max_mb: u64,
    /// Most pages of a document.
    #[serde(default = "pages")]
    pub max_pages: u32,
    /// Commands of tools by their names, where they are others than these names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<ScanTool, Vec<String>>,
}

/// Whether there are index files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScanIndex {
    /// None.
    None,
    /// There may be one.
    #[default]
    Optional,
    /// There is one, written last.
    Required,
}

/// What an index file may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScanFact {
    /// Aktenzeichen.
    Reference,
    /// Kassenzeichen.
    Cash,
    /// Organisational unit.
    Unit,
    /// Whom it is for.
    Recipient,
    /// When the authority had it.
    Received,
    /// When it was scanned.
    Scanned,
    /// What it is about.
    Subject,
    /// Whom it comes from.
    From,
    /// Kind of document.
    Kind,
    /// Identifier of the batch.
    Batch,
}

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScanTool {
    /// Stands before each of the others and keeps it within bounds.
    Within,
    /// Counts and takes pages.
    Qpdf,
    /// TIFF into PDF.
    Img2pdf,
    /// Pages as images.
    Pdftoppm,
    /// How images are coded.
    Pdfimages,
    /// Words.
    Pdftotext,
    /// QR and Code 128.
    Zbarimg,
    /// DataMatrix.
    Dmtxread,
    /// OCR into PDF/A.
    Ocrmypdf,
}

/// What becomes of images with JBIG2 symbol coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScanJbig2 {
    /// A human has to look at the letter.
    #[default]
    Flag,
    /// The file is not taken.
    Reject,
}

/// Separation of stacks.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScanSeparate {
    /// Sheets of other makers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sheets: Vec<ScanSheet>,
    /// Reference to the word of the house that its own sheets must carry; absent: any may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word: Option<String>,
    /// Whether to look for DataMatrix, which is slow.
    pub datamatrix: bool,
}

/// A separator sheet of another maker.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScanSheet {
    /// Regular expression of the whole code.
    pub pattern: String,
    /// What the sheet opens.
    #[serde(default)]
    pub opens: ScanOpens,
}

/// What a separator sheet opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScanOpens {
    /// A letter.
    #[default]
    Letter,
    /// Another document of the same letter.
    Document,
}

/// Reading by OCR.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScanRead {
    /// Languages as Tesseract calls them.
    pub languages: String,
    /// `pdfa-1`, `pdfa-2` or `pdfa-3`.
    pub form: String,
    /// Longest time for one document, in seconds.
    pub seconds: u32,
    /// Pages that are read at the same time.
    pub jobs: u32,
    /// Pages in which words are recognised, from the first.
    pub pages: u32,
}

impl Default for ScanRead {
    fn default() -> Self {
        let (languages, form) = ("deu".to_owned(), "pdfa-3".to_owned());
        ScanRead { languages, form, seconds: 600, jobs: 1, pages: 10 }
    }
}

/// The Transfervermerk.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScanNote {
    /// Auftragnehmer.
    pub contractor: ScanOrganisation,
    /// Auftraggeber, if that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ScanOrganisation>,
    /// The Verfahren.
    pub procedure: ScanProcedure,
    /// Words that image and paper agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<String>,
    /// Whether the note is put into the PDF as well.
    #[serde(default)]
    pub embed: bool,
    /// Reference to the key of a seal of level "internal": 32 bytes or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The key pair of a seal of level "advanced" instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<KeyPair>,
}

/// An organisation of the Transfervermerk.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScanOrganisation {
    /// Name.
    pub name: String,
    /// Street.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street: Option<String>,
    /// Postcode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
    /// Town.
    pub town: String,
    /// Organisational unit.
    pub unit: String,
}

/// The Verfahren of the Transfervermerk.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScanProcedure {
    /// Bezeichnung.
    pub name: String,
    /// Ausprägung.
    pub variant: String,
    /// Version.
    pub version: String,
    /// Stand, `YYYY-MM-DD`.
    pub date: String,
    /// Pfleger.
    pub keeper: ScanOrganisation,
}

/// What is recognised: regular expressions.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recognise {
    /// Forms of Aktenzeichen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// Forms of Kassenzeichen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cash: Vec<String>,
    /// What tells a unit: pairs of expression and unit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<(String, String)>,
    /// Whom a letter may be for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// The stamp of receipt, with the group `date`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stamps: Vec<String>,
}

fn ten() -> u32 {
    10
}

fn thirty() -> u32 {
    30
}

fn two_gib() -> u64 {
    2_048
}

fn pages() -> u32 {
    5_000
}

impl Scan {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let two = |note: &ScanNote| note.key.is_some() == note.identity.is_some();
        let wrong = self.note.as_ref().is_some_and(two);
        let empty = self.tools.values().any(Vec::is_empty);
        let mut refers = Refers::default()
            .paths([&mut self.folder].into_iter().chain(&mut self.temporary))
            .numbers([
                ("quiet_seconds", self.quiet_seconds.into(), 0, 3_600),
                ("pause_seconds", self.pause_seconds.into(), 1, 3_600),
                ("max_mb", self.max_mb, 1, 1 << 20),
                ("max_pages", self.max_pages.into(), 1, 1_000_000),
            ])
            .wrong_if(empty, "tools", "expected program and arguments")
            .wrong_if(wrong, "note", "expected key or identity, which it is sealed with");
        if let Some(separate) = &mut self.separate {
            refers = refers.secrets(separate.word.iter_mut().map(|word| ("separate.word", word)));
        }
        if let Some(note) = &mut self.note {
            refers = refers
                .secrets(note.key.iter_mut().map(|key| ("note.key", key)))
                .pairs("note.identity", &mut note.identity);
        }
        if let Some(read) = &self.read {
            let is_form = ["pdfa-1", "pdfa-2", "pdfa-3"].contains(&read.form.as_str());
            refers = refers
                .numbers([
                    ("read.seconds", read.seconds.into(), 1, 86_400),
                    ("read.jobs", read.jobs.into(), 1, 64),
                    ("read.pages", read.pages.into(), 0, 10_000),
                ])
                .wrong_if(!is_form, "read.form", "expected pdfa-1, pdfa-2 or pdfa-3");
        }
        refers
    }
}
