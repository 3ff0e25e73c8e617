//! Stacks are taken apart at separator sheets: pages are made into images, sixteen at a time, zbarimg reads QR, Code 128 and Code 39,
//! dmtxread DataMatrix. Sheets are left out of what they open. qpdf takes pages out, images as they are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use xml::{Event, Limits, Reader};

use super::index::{Facts, text_of};
use super::settings::{Opens, Separate, Tools};
use super::sheet::{CODE_BYTES, Forms, Sheet};
use super::tool::Tool;
use super::trouble::{Trouble, blocking};

/// Pages that are images at the same time.
const AT_ONCE: u32 = 16;
/// The longest side of those images in pixels, whatever the page says of its size: A4 has some 220 a inch then.
const LONGEST_SIDE: &str = "2600";
/// Bytes that a decoder may say.
const OUTPUT: usize = 4 << 20;
/// Codes of a page that are kept.
const CODES: usize = 20;
/// What a decoder has beyond the limit that it was given itself.
const GRACE: Duration = Duration::from_secs(10);

/// Codes of pages, by page.
pub(super) type Codes = BTreeMap<u32, Vec<String>>;

/// A document of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// What opened it.
    pub opens: Opens,
    /// What the sheet says of it.
    pub facts: Facts,
    /// Whether that sheet carries the word of the house.
    pub is_proved: bool,
    /// Its pages, without the sheet.
    pub pages: RangeInclusive<u32>,
    /// Codes on its pages.
    pub codes: Codes,
}

/// What a stack was taken apart into.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parts {
    /// Its documents, in their order.
    pub parts: Vec<Part>,
    /// Pages that were sheets.
    pub sheets: Vec<u32>,
    /// Sheets that say something and that nothing followed, and such of letters that are followed by one of an Anlage. One that says nothing may
    /// stand at the end of a stack.
    pub empty: Vec<u32>,
}

/// A sheet whose document has not begun yet.
struct Open {
    page: u32,
    sheet: Sheet,
    is_proved: bool,
}

impl Parts {
    fn note_empty(&mut self, page: u32) {
        if !self.empty.contains(&page) {
            self.empty.push(page);
        }
    }

    /// What is open once a sheet follows another that nothing followed.
    fn opened(&mut self, before: Option<Open>, now: Open) -> Open {
        let Some(before) = before else { return now };
        // The same on the back of the paper.
        if before.sheet == now.sheet {
            return now;
        }
        // The letter itself is missing. What comes now still is of this one: else it would go to whom the letter before is for.
        if (before.sheet.opens, now.sheet.opens) == (Opens::Letter, Opens::Document) {
            self.note_empty(before.page);
            return before;
        }
        if !before.sheet.facts.is_empty() {
            self.note_empty(before.page);
        }
        now
    }

    fn begin(&mut self, page: u32, open: Option<Open>, codes: &[String]) {
        let (opens, facts, is_proved) = open.map_or((Opens::Letter, Facts::new(), false), |it| {
            (it.sheet.opens, it.sheet.facts, it.is_proved)
        });
        let mut part = Part { opens, facts, is_proved, pages: page..=page, codes: Codes::new() };
        note(&mut part, page, codes);
        self.parts.push(part);
    }
}

/// The whole is one document.
pub(super) fn whole(pages: u32) -> Parts {
    let (opens, facts, codes) = (Opens::Letter, Facts::new(), Codes::new());
    let part = Part { opens, facts, is_proved: false, pages: 1..=pages, codes };
    Parts { parts: vec![part], ..Parts::default() }
}

/// Takes a stack apart by the codes of its pages.
pub(super) fn apart(pages: u32, codes: &Codes, forms: &Forms) -> Parts {
    let mut parts = Parts::default();
    let mut open: Option<Open> = None;
    for page in 1..=pages {
        let of_page = codes.get(&page).map(Vec::as_slice).unwrap_or_default();
        let found = of_page.iter().find_map(|code| Some((forms.sheet(code)?, forms.is_proved(code))));
        if let Some((sheet, is_proved)) = found {
            parts.sheets.push(page);
            open = Some(parts.opened(open.take(), Open { page, sheet, is_proved }));
            continue;
        }
        match (open.take(), parts.parts.last_mut()) {
            (None, Some(part)) => {
                part.pages = *part.pages.start()..=page;
                note(part, page, of_page);
            }
            (open, _) => parts.begin(page, open, of_page),
        }
    }
    if let Some(open) = open.filter(|it| !it.sheet.facts.is_empty()) {
        parts.note_empty(open.page);
    }
    parts
}

fn note(part: &mut Part, page: u32, codes: &[String]) {
    if !codes.is_empty() {
        part.codes.insert(page, codes.to_vec());
    }
}

/// Reads codes and pages of a PDF.
pub(super) struct Pages<'a> {
    /// The tools.
    pub tools: &'a Tools,
    /// The PDF.
    pub pdf: &'a Path,
    /// Where images lie for a while.
    pub folder: &'a Path,
    /// Longest run over sixteen pages.
    pub time: Duration,
}

impl Pages<'_> {
    fn tool<'a>(&'a self, command: &'a [String]) -> Tool<'a> {
        let (within, folder, time) = (&self.tools.within, self.folder, self.time);
        Tool { within, command, folder, time, output: OUTPUT, ends: &[] }
    }

    /// How many there are.
    pub(super) async fn count(&self) -> Result<u32, Trouble> {
        // It ends with 3 if it had to mend something.
        let tool = Tool { ends: &[3], ..self.tool(&self.tools.qpdf) };
        let said = tool.run(&["--show-npages".into(), self.pdf.into()]).await?;
        let count = String::from_utf8_lossy(&said.output).trim().parse().ok().filter(|count| *count > 0);
        count.ok_or_else(|| Trouble::file("post.scan-format", "the PDF has no pages"))
    }

    /// Takes pages out.
    pub(super) async fn take(&self, pages: &RangeInclusive<u32>, target: &Path) -> Result<(), Trouble> {
        let range = format!("{}-{}", pages.start(), pages.end());
        let words: [OsString; 7] = [
            "--empty".into(),
            "--deterministic-id".into(),
            "--pages".into(),
            self.pdf.into(),
            range.into(),
            "--".into(),
            target.into(),
        ];
        Tool { ends: &[3], ..self.tool(&self.tools.qpdf) }.make(&words, target).await
    }

    /// The codes of all pages.
    pub(super) async fn codes(&self, pages: u32, separate: &Separate) -> Result<Codes, Trouble> {
        let mut codes = Codes::new();
        let mut first = 1;
        while first <= pages {
            let last = pages.min(first + AT_ONCE - 1);
            codes.append(&mut self.some(first, last, separate).await?);
            first = last + 1;
        }
        Ok(codes)
    }

    async fn some(&self, first: u32, last: u32, separate: &Separate) -> Result<Codes, Trouble> {
        let images = tempfile::tempdir_in(self.folder)?;
        let (from, to) = (first.to_string(), last.to_string());
        let words = ["-scale-to", LONGEST_SIDE, "-gray", "-f", &from, "-l", &to];
        let mut words: Vec<OsString> = words.map(Into::into).to_vec();
        words.extend([self.pdf.into(), images.path().join("p").into()]);
        self.tool(&self.tools.pdftoppm).run(&words).await?;
        let folder = images.path().to_owned();
        let files = blocking(move || files_of(&folder)).await??;
        // A sheet on a page that is missing would not be seen.
        if !files.keys().copied().eq(first..=last) {
            return Err(Trouble::file("post.scan-tool", "there is not an image of each page"));
        }
        let mut words: Vec<OsString> =
            ["--xml", "-q", "-Sdisable", "-Sqrcode.enable", "-Scode128.enable", "-Scode39.enable"]
                .map(Into::into)
                .to_vec();
        words.extend(files.values().map(Into::into));
        // It ends with 4 if there was nothing on any page.
        let said = Tool { ends: &[4], ..self.tool(&self.tools.zbarimg) }.run(&words).await?;
        let mut codes = if said.more { None } else { of_zbar(&said.output, &files) }
            .ok_or_else(|| Trouble::file("post.scan-tool", "what zbarimg says is not understood"))?;
        if separate.datamatrix {
            for (page, file) in &files {
                if !codes.contains_key(page)
                    && let Some(code) = self.datamatrix(file, separate.datamatrix_time).await?
                {
                    codes.insert(*page, vec![code]);
                }
            }
        }
        Ok(codes)
    }

    async fn datamatrix(&self, file: &Path, time: Duration) -> Result<Option<String>, Trouble> {
        let millis = time.as_millis().to_string();
        let words: [OsString; 5] = ["-N1".into(), "-U".into(), "-m".into(), millis.into(), file.into()];
        // It ends with 1 if there is none.
        let tool = Tool { ends: &[1], time: time + GRACE, ..self.tool(&self.tools.dmtxread) };
        let said = tool.run(&words).await?;
        let code = String::from_utf8(said.output).ok().map(|code| code.trim().to_owned());
        Ok(code.filter(|code| !said.more && is_code(code)))
    }
}

/// The images `p-NUMBER.pgm`, by page.
fn files_of(folder: &Path) -> std::io::Result<BTreeMap<u32, PathBuf>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let page = stem.and_then(|stem| stem.strip_prefix("p-")).and_then(|number| number.parse().ok());
        files.extend(page.map(|page| (page, path.clone())));
    }
    Ok(files)
}

fn is_code(code: &str) -> bool {
    !code.is_empty() && code.len() <= CODE_BYTES && !code.chars().any(char::is_control)
}

/// `barcodes/source[@href]/index/symbol/data`. What is not ASCII comes as base64, and what is no text says nothing to us.
fn of_zbar(output: &[u8], files: &BTreeMap<u32, PathBuf>) -> Option<Codes> {
    let mut codes = Codes::new();
    if output.iter().all(u8::is_ascii_whitespace) {
        return Some(codes);
    }
    let mut reader = Reader::new(output, Limits { depth: 10, ..Limits::default() });
    let mut page = None;
    loop {
        match reader.next().ok()? {
            Event::Start(start) if start.local() == "source" => {
                let href = start.attribute("href")?;
                page = files.iter().find(|(_, file)| file.as_os_str() == href).map(|(page, _)| *page);
            }
            Event::Start(start) if start.local() == "data" => {
                let format = start.attribute("format").map(str::to_owned);
                let code = decoded(format.as_deref(), reader.read_text(OUTPUT).ok()?.trim());
                let of_page = codes.entry(page?).or_default();
                let code = code.filter(|code| is_code(code) && !of_page.contains(code));
                of_page.extend(code.filter(|_| of_page.len() < CODES));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    codes.retain(|_, of_page| !of_page.is_empty());
    Some(codes)
}

fn decoded(format: Option<&str>, data: &str) -> Option<String> {
    match format {
        None => Some(data.to_owned()),
        Some("base64") => {
            let plain: String = data.split_ascii_whitespace().collect();
            Some(text_of(&STANDARD.decode(plain).ok()?).trim().to_owned())
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart_by(pages: u32, codes: &[(u32, &str)]) -> Parts {
        let codes = codes.iter().map(|(page, code)| (*page, vec![(*code).to_owned()])).collect();
        apart(pages, &codes, &Forms::new(&[], None).unwrap())
    }

    fn ranges(parts: &Parts) -> Vec<(Opens, RangeInclusive<u32>)> {
        parts.parts.iter().map(|part| (part.opens, part.pages.clone())).collect()
    }

    #[test]
    fn a_sheet_opens_a_document_and_is_not_in_it() {
        let parts = apart_by(7, &[(1, "AB1;ref=1"), (4, "AB1;doc"), (5, "other"), (6, "AB1;ref=2")]);
        let wanted = [(Opens::Letter, 2..=3), (Opens::Document, 5..=5), (Opens::Letter, 7..=7)];
        assert_eq!(ranges(&parts), wanted);
        assert_eq!((&*parts.sheets, &*parts.empty), (&[1, 4, 6][..], &[][..]));
        assert_eq!(parts.parts[1].codes, Codes::from([(5, vec!["other".to_owned()])]));
    }

    #[test]
    fn no_page_is_lost_however_sheets_lie() {
        assert_eq!(ranges(&apart_by(3, &[])), [(Opens::Letter, 1..=3)]);
        let both_sides = apart_by(4, &[(2, "AB1;ref=1"), (3, "AB1;ref=1")]);
        assert_eq!(ranges(&both_sides), [(Opens::Letter, 1..=1), (Opens::Letter, 4..=4)]);
        assert!(both_sides.empty.is_empty());
        let two = apart_by(3, &[(1, "AB1;ref=1"), (2, "AB1;ref=2")]);
        assert_eq!((two.empty.as_slice(), ranges(&two)), (&[1][..], vec![(Opens::Letter, 3..=3)]));
        let only = apart_by(2, &[(1, "AB1"), (2, "AB1;ref=1")]);
        assert_eq!((only.parts.len(), only.empty), (0, vec![2]));
    }

    #[test]
    fn an_enclosure_never_goes_to_whom_the_letter_before_is_for() {
        let stack = [(1, "AB1;ref=1"), (3, "AB1;ref=2"), (4, "AB1;doc"), (5, "AB1;doc"), (7, "AB1;doc")];
        let parts = apart_by(8, &stack);
        let wanted = [(Opens::Letter, 2..=2), (Opens::Letter, 6..=6), (Opens::Document, 8..=8)];
        assert_eq!(ranges(&parts), wanted);
        assert_eq!(parts.parts[1].facts[&super::super::settings::Fact::Reference], "2");
        assert_eq!(parts.empty, [3], "the letter itself is missing");
        let nothing = apart_by(4, &[(2, "AB1;ref=2"), (3, "AB1;doc"), (4, "AB1;ref=3")]);
        assert_eq!((nothing.empty.as_slice(), ranges(&nothing)), (&[2, 4][..], vec![(Opens::Letter, 1..=1)]));
    }

    #[test]
    fn a_code_with_umlauts_is_a_code() {
        let files = BTreeMap::from([(1, PathBuf::from("/t/p-1.pgm"))]);
        for bytes in ["Az;Grün".as_bytes(), b"Az;Gr\xfcn"] {
            let data = STANDARD.encode(bytes);
            let output = format!(
                "<barcodes><source href='/t/p-1.pgm'><index><symbol><data format='base64'>{data}</data></symbol></index></source></barcodes>"
            );
            assert_eq!(
                of_zbar(output.as_bytes(), &files),
                Some(Codes::from([(1, vec!["Az;Grün".to_owned()])]))
            );
        }
    }

    #[test]
    fn what_zbarimg_says_is_read_strictly() {
        let files = BTreeMap::from([(1, PathBuf::from("/t/p-1.pgm")), (2, PathBuf::from("/t/p-2.pgm"))]);
        let says = |text: &str| of_zbar(text.as_bytes(), &files);
        let output = "<barcodes xmlns='http://zbar.sourceforge.net/2008/barcode'>\n<source href='/t/p-2.pgm'>\n\
            <index num='0'>\n<symbol type='QR-Code' quality='1'><data><![CDATA[AB1;ref=1]]></data></symbol>\n\
            <symbol type='QR-Code'><data format='base64' length='3'>AAEC</data></symbol></index></source></barcodes>";
        assert_eq!(says(output), Some(Codes::from([(2, vec!["AB1;ref=1".to_owned()])])));
        assert_eq!(says(""), Some(Codes::new()));
        assert_eq!(
            says("<barcodes><source href='/etc/x'><index><data>1</data></index></source></barcodes>"),
            None
        );
        assert_eq!(says("<html>"), None);
    }
}
