//! Whether images are coded by JBIG2 symbols (ISO/IEC 14492), which may put one character in the place of another that looks alike.
//! TR-03138 A.SC.12 forbids it; a bitmap coded as a whole (generic region) is as good as any lossless form.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::settings::Tools;
use super::tool::Tool;
use super::trouble::{Trouble, blocking};

/// Bytes of the list of images.
const LIST_BYTES: usize = 8 << 20;
/// Pages whose images are taken out; a scanner codes all of a stack alike.
const PAGES: usize = 20;
/// Bytes of an image that are looked at, and segments.
const IMAGE_BYTES: u64 = 64 << 20;
const SEGMENTS: usize = 10_000;

/// How the images of a PDF are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Coding {
    /// No JBIG2.
    Other,
    /// JBIG2, bitmaps alone.
    Bitmap,
    /// JBIG2 with symbols, or what cannot be told from it.
    Symbols,
}

/// Looks at the images of a PDF.
pub(super) async fn coding(
    tools: &Tools,
    pdf: &Path,
    folder: &Path,
    time: Duration,
) -> Result<Coding, Trouble> {
    let tool = Tool {
        within: &tools.within,
        command: &tools.pdfimages,
        folder,
        time,
        output: LIST_BYTES,
        ends: &[],
    };
    let list = tool.run(&["-list".into(), pdf.into()]).await?;
    if list.more {
        return Err(Trouble::file("post.scan-too-large", "there are too many images"));
    }
    let pages = pages_of(&String::from_utf8_lossy(&list.output));
    if pages.is_empty() {
        return Ok(Coding::Other);
    }
    for page in pages.iter().take(PAGES) {
        let images = tempfile::tempdir_in(folder)?;
        let words = ["-all", "-f", page, "-l", page].map(Into::into).to_vec();
        let target = images.path().join("image");
        tool.run(&[words, vec![pdf.into(), target.into()]].concat()).await?;
        if blocking(move || has_symbols(images.path())).await?? {
            return Ok(Coding::Symbols);
        }
    }
    Ok(Coding::Bitmap)
}

/// Numbers of the pages with JBIG2: the first column where the ninth says so.
fn pages_of(list: &str) -> Vec<String> {
    let mut pages: Vec<String> = vec![];
    for line in list.lines().skip(2) {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let page = columns.first().filter(|_| columns.get(8) == Some(&"jbig2"));
        if let Some(page) = page.filter(|page| pages.last().is_none_or(|last| last != *page)) {
            pages.push((*page).to_owned());
        }
    }
    pages
}

/// Symbol dictionaries may stand in the image or, shared by several, beside it.
fn has_symbols(folder: &Path) -> std::io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let is_jbig2 = path.extension().is_some_and(|it| it == "jb2e" || it == "jb2g");
        if !is_jbig2 {
            continue;
        }
        if entry.metadata()?.len() > IMAGE_BYTES || segments_have_symbols(&fs::read(&path)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Goes through the segment headers (section 7.2). What cannot be followed counts as symbols.
fn segments_have_symbols(mut bytes: &[u8]) -> bool {
    for _ in 0..SEGMENTS {
        if bytes.is_empty() {
            return false;
        }
        match segment(bytes) {
            // Symbol dictionary; text regions (section 7.3).
            Some((0 | 4 | 6 | 7, _)) | None => return true,
            Some((_, rest)) => bytes = rest,
        }
    }
    true
}

/// Type of the first segment, and what follows it.
fn segment(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let number = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    let flags = *bytes.get(4)?;
    let short = *bytes.get(5)? >> 5;
    let (referred, mut at) = match short {
        7 => {
            let count = u32::from_be_bytes(bytes.get(5..9)?.try_into().ok()?) & 0x1FFF_FFFF;
            let count = usize::try_from(count).ok()?;
            (count, 9 + (count + 8) / 8)
        }
        short => (usize::from(short), 6),
    };
    let width = match number {
        0..=256 => 1,
        257..=65_536 => 2,
        _ => 4,
    };
    at = at.checked_add(referred.checked_mul(width)?)?;
    at += if flags & 0x40 == 0 { 1 } else { 4 };
    let length = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
    let kind = flags & 0x3F;
    let rest = bytes.get(at + 4..)?;
    // A generic region may not know its length: it is the rest then.
    if length == u32::MAX {
        return (kind == 38).then_some((kind, &[]));
    }
    let length = usize::try_from(length).ok()?;
    Some((kind, rest.get(length..).unwrap_or(&[])))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number, flags, no references, page 1, length.
    fn a_segment(kind: u8, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&[0, 0, 0, 1, kind, 0, 1], &length[..], data].concat()
    }

    #[test]
    fn symbols_are_told_from_bitmaps() {
        let page = a_segment(48, &[0; 19]);
        let bitmap = [page.clone(), a_segment(38, &[1; 40]), a_segment(49, &[])].concat();
        assert!(!segments_have_symbols(&bitmap));
        for kind in [0, 4, 6, 7] {
            assert!(segments_have_symbols(&[page.clone(), a_segment(kind, &[1; 40])].concat()), "{kind}");
        }
        let endless = [&page[..], &[0, 0, 0, 2, 38, 0, 1, 255, 255, 255, 255, 1, 2, 3]].concat();
        assert!(!segments_have_symbols(&endless));
        assert!(segments_have_symbols(&[0, 0, 0]), "what cannot be followed is not trusted");
        assert!(segments_have_symbols(&[0, 0, 0, 1, 38, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0]));
    }

    #[test]
    fn pages_are_those_that_the_list_names() {
        let list = "page   num  type\n-----\n   1     0 image    2480  3508  gray    1   1  jbig2  no  19  0\n\
                    \u{20}  1     1 image    2480  3508  gray    1   1  jbig2  no  19  0\n   2  2 image 1 1 gray 1 1 ccitt no 2 0\n";
        assert_eq!(pages_of(list), ["1"]);
        assert!(pages_of("").is_empty());
    }
}
