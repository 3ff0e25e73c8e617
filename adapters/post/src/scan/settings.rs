//! Settings of the intake of scans: which folder, what the scanner writes there, what is done with it by which tools.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use model::Failure;
use model::case::SealLevel;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::trouble::settings;

/// Settings of one hot folder.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Identifier of the adapter.
    pub id: String,
    /// The hot folder. `work`, `done` and `error` lie in it, so that everything moves by a rename.
    pub folder: PathBuf,
    /// Where tools work, in a folder of its own there; local, with room for a few times the largest batch. The system's own if absent.
    pub temporary: Option<PathBuf>,
    /// How long a file must not have changed before it is taken.
    pub quiet: Duration,
    /// Pause between two looks into the folder.
    pub pause: Duration,
    /// How long a session goes on taking letters.
    pub session: Duration,
    /// Index files beside the documents.
    pub index: Index,
    /// Separation of stacks; absent: a file is a letter.
    pub separate: Option<Separate>,
    /// Reading by OCR; absent: what is scanned stays as it is, and no words are recognised.
    pub read: Option<Read>,
    /// The Transfervermerk of TR-03138; absent: none is made.
    pub note: Option<Note>,
    /// What is recognised in codes and words.
    pub recognise: Recognise,
    /// What becomes of images with JBIG2 symbol coding, which TR-03138 A.SC.12 forbids.
    pub jbig2: Jbig2,
    /// How much is taken.
    pub limits: Limits,
    /// The commands of the tools.
    pub tools: Tools,
}

impl Settings {
    /// The usual ones: index files if there are any, no separation, no OCR, no Transfervermerk.
    pub fn new(id: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        Settings {
            id: id.into(),
            folder: folder.into(),
            temporary: None,
            quiet: Duration::from_secs(10),
            pause: Duration::from_secs(30),
            session: Duration::from_secs(90),
            index: Index::default(),
            separate: None,
            read: None,
            note: None,
            recognise: Recognise::default(),
            jbig2: Jbig2::default(),
            limits: Limits::default(),
            tools: Tools::default(),
        }
    }
}

/// How index files are read. One of `ID.xml`, `ID.csv`, `ID.json` belongs to `ID.pdf`, `ID.tif` or `ID.tiff`.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// Whether there are any.
    pub mode: IndexMode,
    /// Which column, element, attribute or member says what; names are compared without regard to case.
    pub columns: Vec<(String, Fact)>,
}

/// Whether there are index files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IndexMode {
    /// None: such files are left alone.
    None,
    /// There may be one; document and index are complete once neither changes for the quiet time.
    #[default]
    Optional,
    /// There is one, written last: once it is there the document is complete.
    Required,
}

/// What an index file, a sheet or a code may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fact {
    /// Aktenzeichen.
    Reference,
    /// Kassenzeichen.
    Cash,
    /// Organisational unit.
    Unit,
    /// Whom it is for.
    Recipient,
    /// When the authority had it: RFC 3339, `31.12.2026 23:59` or `31.12.2026` by German time, or `2026-12-31`.
    Received,
    /// When it was scanned, likewise.
    Scanned,
    /// What it is about.
    Subject,
    /// Whom it comes from.
    From,
    /// Kind of document.
    Kind,
    /// Identifier of the batch. With the file's digest and the letter's pages it makes a letter known again; the file's name without its ending
    /// otherwise.
    Batch,
}

/// How stacks are separated.
#[derive(Debug, Clone)]
pub struct Separate {
    /// Other sheets than our own (`AB1;…`): the codes on them.
    pub sheets: Vec<SheetForm>,
    /// What our own sheets must carry, so that nobody who does not know it can make one. Absent: any code of that form is a sheet.
    pub word: Option<Word>,
    /// Whether to look for DataMatrix on pages without another code. It is slow: up to `datamatrix_time` a page.
    pub datamatrix: bool,
    /// Longest search for DataMatrix on a page.
    pub datamatrix_time: Duration,
    /// Longest run of a tool over sixteen pages.
    pub time: Duration,
}

impl Default for Separate {
    fn default() -> Self {
        Separate {
            sheets: vec![],
            word: None,
            datamatrix: false,
            datamatrix_time: Duration::from_millis(500),
            time: Duration::from_secs(60),
        }
    }
}

/// The word of the house, which stands on its sheets and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct Word(Zeroizing<String>);

impl Word {
    /// 8 to 64 letters and digits of ASCII, `-` and `_`.
    ///
    /// # Errors
    /// `post.scan-settings` if it is another.
    pub fn new(text: Zeroizing<String>) -> Result<Self, Failure> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_plain || !(8..=64).contains(&text.len()) {
            return Err(settings("the word of the sheets is not 8 to 64 letters and digits"));
        }
        Ok(Word(text))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Word")
    }
}

/// A separator sheet of another maker.
#[derive(Debug, Clone)]
pub struct SheetForm {
    /// Regular expression of the whole code. Its named groups say what the sheet does: `reference`, `cash`, `unit`, `recipient`,
    /// `received`, `subject`, `from`, `kind`.
    pub pattern: String,
    /// What the sheet opens.
    pub opens: Opens,
}

/// What a separator sheet opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Opens {
    /// A letter.
    Letter,
    /// Another document of the same letter (Anlage).
    Document,
}

/// How scans are read.
#[derive(Debug, Clone)]
pub struct Read {
    /// Languages as Tesseract calls them, such as `deu`.
    pub languages: String,
    /// `pdfa-1`, `pdfa-2` or `pdfa-3`.
    pub form: String,
    /// Longest time for one document.
    pub time: Duration,
    /// How many pages are read at the same time.
    pub jobs: u32,
    /// Pages in which words are recognised, from the first.
    pub pages: u32,
}

impl Default for Read {
    fn default() -> Self {
        let (languages, form) = ("deu".to_owned(), "pdfa-3".to_owned());
        Read { languages, form, time: Duration::from_secs(600), jobs: 1, pages: 10 }
    }
}

/// What stands in the Transfervermerk, and what it is sealed with.
#[derive(Debug, Clone)]
pub struct Note {
    /// Auftragnehmer: who scans.
    pub contractor: Organisation,
    /// Auftraggeber, if that is somebody else.
    pub client: Option<Organisation>,
    /// The Verfahren, as its Verfahrensanweisung describes it.
    pub procedure: Procedure,
    /// Words that image and paper agree, by whoever stands for it (TR-03138 A.NB.4 f).
    pub assurance: Option<String>,
    /// What the seal must be worth at least.
    pub level: SealLevel,
    /// Whether the note is put into the searchable PDF/A-3 as well; it always lies beside it.
    pub embed: bool,
}

/// OrganisationTyp.
#[derive(Debug, Clone, Default)]
pub struct Organisation {
    /// Name.
    pub name: String,
    /// Strasse.
    pub street: Option<String>,
    /// PLZ.
    pub postcode: Option<String>,
    /// Ort.
    pub town: String,
    /// Organisationseinheit.
    pub unit: String,
}

/// Verfahren.
#[derive(Debug, Clone, Default)]
pub struct Procedure {
    /// Bezeichnung.
    pub name: String,
    /// Auspraegung; `Standard` if there is only one.
    pub variant: String,
    /// Version.
    pub version: String,
    /// Stand, `YYYY-MM-DD`.
    pub date: String,
    /// Pfleger.
    pub keeper: Organisation,
}

/// What is recognised: regular expressions, the value being the group `value` if there is one, else the whole.
#[derive(Debug, Clone, Default)]
pub struct Recognise {
    /// Forms of Aktenzeichen of the house.
    pub references: Vec<String>,
    /// Forms of Kassenzeichen.
    pub cash: Vec<String>,
    /// What in the first page's words tells a unit, and the unit.
    pub units: Vec<(String, String)>,
    /// Whom a letter may be for.
    pub recipients: Vec<String>,
    /// The stamp of receipt, with the group `date` (`31.12.2026`, perhaps followed by `23:59`).
    pub stamps: Vec<String>,
}

/// What becomes of images with JBIG2 symbol coding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Jbig2 {
    /// The letter is taken in, and a human has to look at it.
    #[default]
    Flag,
    /// The file goes to `error`.
    Reject,
}

/// How much is taken.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a document.
    pub bytes: u64,
    /// Bytes of an index file.
    pub index_bytes: u64,
    /// Pages of a document.
    pub pages: u32,
    /// How often a document is begun again after a crash or a tool that broke off.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes: 2 << 30, index_bytes: 1 << 20, pages: 5_000, attempts: 3 }
    }
}

/// The commands: program and first arguments, without a shell.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Stands before each of the others and keeps it within bounds.
    pub within: Vec<String>,
    /// qpdf 11: counts and takes pages.
    pub qpdf: Vec<String>,
    /// img2pdf: TIFF into PDF, images as they are.
    pub img2pdf: Vec<String>,
    /// pdftoppm of poppler: pages as images.
    pub pdftoppm: Vec<String>,
    /// pdfimages of poppler: how images are coded.
    pub pdfimages: Vec<String>,
    /// pdftotext of poppler: words.
    pub pdftotext: Vec<String>,
    /// zbarimg: QR and Code 128.
    pub zbarimg: Vec<String>,
    /// dmtxread: DataMatrix.
    pub dmtxread: Vec<String>,
    /// ocrmypdf: OCR into PDF/A.
    pub ocrmypdf: Vec<String>,
}

impl Default for Tools {
    fn default() -> Self {
        let one = |name: &str| vec![name.to_owned()];
        let within = ["prlimit", "--as=4294967296", "--fsize=8589934592", "--core=0", "--"];
        Tools {
            within: within.map(str::to_owned).to_vec(),
            qpdf: one("qpdf"),
            img2pdf: one("img2pdf"),
            pdftoppm: one("pdftoppm"),
            pdfimages: one("pdfimages"),
            pdftotext: one("pdftotext"),
            zbarimg: one("zbarimg"),
            dmtxread: one("dmtxread"),
            ocrmypdf: one("ocrmypdf"),
        }
    }
}
