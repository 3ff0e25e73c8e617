//! The files of a submission under names that courts take: `<name>_<UUID>.<ending>`, at most 90 German letters (documentation
//! of `dateiname` in XJustiz 3.x); a detached signature is called like its file with its own ending behind.

use std::collections::BTreeMap;

use model::PayloadRef;
use model::case::File;
use unicode_normalization::UnicodeNormalization;

use super::files::{SIGNATURES, is_allowed};
use crate::Error;
use crate::container::folded;

/// Longest name before the UUID, in characters, so that UUID, ending and ending of a signature find room.
const STEM_CHARS: usize = 34;
/// Longest ending.
const ENDING_CHARS: usize = 10;

/// Files by their folded names, each with its name and its bytes.
#[derive(Default)]
pub(super) struct Attachments(BTreeMap<String, (String, PayloadRef)>);

/// A file as its document names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Its name among the files of the message.
    pub(super) name: String,
    /// If it is a detached signature: the name of what it signs, if that is known.
    pub(super) signs: Option<Option<String>>,
}

impl Attachments {
    /// Takes the files of a version of a document and names them.
    ///
    /// # Errors
    /// [`Error::NoContent`] if one has no bytes.
    pub(super) fn take(&mut self, files: &[File]) -> Result<Vec<Named>, Error> {
        let mut named = Vec::new();
        let (signatures, signed): (Vec<&File>, Vec<&File>) =
            files.iter().partition(|file| signature_ending(file).is_some());
        for file in &signed {
            named.push(Named { name: self.place(name(file)?, file)?, signs: None });
        }
        for file in signatures {
            let of = signed.iter().position(|other| is_signature_of(file, shown(other)));
            let of = of.and_then(|index| named.get(index)).map(|named| named.name.clone());
            let ending = signature_ending(file).unwrap_or_default();
            let wanted = of.as_ref().map(|of| format!("{of}.{ending}"));
            let wanted = wanted.filter(|wanted| !self.0.contains_key(&folded(wanted)));
            let wanted = wanted.map_or_else(|| name(file), Ok)?;
            named.push(Named { name: self.place(wanted, file)?, signs: Some(of) });
        }
        Ok(named)
    }

    fn place(&mut self, name: String, file: &File) -> Result<String, Error> {
        let content = file.content.as_ref().ok_or(Error::NoContent)?;
        let (name, known) = self.0.entry(folded(&name)).or_insert_with(|| (name, content.clone()));
        if known.id == content.id { Ok(name.clone()) } else { Err(Error::NameConflict) }
    }

    /// Names and bytes, sorted by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &PayloadRef)> {
        self.0.values().map(|(name, payload)| (name.as_str(), payload))
    }
}

fn shown(file: &File) -> &str {
    file.original_name.as_deref().unwrap_or(&file.name)
}

fn signature_ending(file: &File) -> Option<&'static str> {
    let ending = shown(file).rsplit_once('.')?.1;
    SIGNATURES.into_iter().find(|known| known.eq_ignore_ascii_case(ending))
}

fn is_signature_of(signature: &File, signed: &str) -> bool {
    let stem = shown(signature).rsplit_once('.').map(|(stem, _)| stem);
    stem.is_some_and(|stem| folded(stem) == folded(signed))
}

/// The name of a file: its own as far as courts take it, the UUID of its bytes, its ending.
fn name(file: &File) -> Result<String, Error> {
    let content = file.content.as_ref().ok_or(Error::NoContent)?;
    let (stem, ending) = match shown(file).rsplit_once('.') {
        Some((stem, ending)) if !ending.is_empty() && ending.len() <= ENDING_CHARS => (stem, Some(ending)),
        _ => (shown(file), ending_of(file.media_type.as_deref())),
    };
    let plain = |text: &str, most: usize| -> String {
        let letter = |c: char| if is_allowed(c) && c != '.' { c } else { '_' };
        text.nfc().map(letter).take(most).collect()
    };
    // A UUID that stands in front already would be there twice.
    let id = content.id.to_string();
    let stem = stem.strip_prefix(&id).unwrap_or(stem).trim_start_matches('_');
    let stem = match plain(stem, STEM_CHARS) {
        empty if empty.is_empty() => "Dokument".to_owned(),
        stem => stem,
    };
    Ok(match ending {
        Some(ending) => format!("{stem}_{id}.{}", plain(ending, ENDING_CHARS).to_lowercase()),
        None => format!("{stem}_{id}"),
    })
}

fn ending_of(media_type: Option<&str>) -> Option<&'static str> {
    match media_type? {
        "application/pdf" => Some("pdf"),
        "image/tiff" => Some("tif"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::xjustiz::files::is_name_taken;

    fn file(name: &str, number: u8) -> File {
        let digest = "0".repeat(64);
        let content = PayloadRef {
            id: model::Id::from_bytes([number; 16]),
            size: 1,
            sha256: digest.clone(),
            chunk_root: digest,
        };
        File { name: name.to_owned(), content: Some(content), ..File::default() }
    }

    fn names(files: &[File]) -> Vec<Named> {
        Attachments::default().take(files).unwrap()
    }

    #[test]
    fn a_signature_is_called_like_its_file() {
        let id = "01010101-0101-0101-0101-010101010101";
        let named = names(&[file("Klage.pdf.p7s", 2), file("Klage.pdf", 1)]);
        assert_eq!(named[0], Named { name: format!("Klage_{id}.pdf"), signs: None });
        let signed = Some(format!("Klage_{id}.pdf"));
        assert_eq!(named[1], Named { name: format!("Klage_{id}.pdf.p7s"), signs: Some(signed) });
        let alone = names(&[file("Klage.pdf.p7s", 2)]);
        assert_eq!(alone[0].signs, Some(None));
        assert!(alone[0].name.ends_with(".p7s"), "{alone:?}");
    }

    #[test]
    fn two_files_of_one_name_stay_two_and_one_file_named_twice_is_one() {
        let mut attachments = Attachments::default();
        attachments.take(&[file("Plan.pdf", 1), file("Plan.pdf", 2)]).unwrap();
        attachments.take(&[file("Plan.pdf", 1)]).unwrap();
        assert_eq!(attachments.iter().count(), 2);
        let without = File { content: None, ..file("Plan.pdf", 1) };
        assert!(matches!(attachments.take(&[without]), Err(Error::NoContent)));
    }

    #[test]
    fn the_uuid_stands_in_a_name_once() {
        let id = "01010101-0101-0101-0101-010101010101";
        assert_eq!(names(&[file(&format!("{id}.pdf"), 1)])[0].name, format!("Dokument_{id}.pdf"));
        assert_eq!(names(&[file(&format!("{id}_Plan.PDF"), 1)])[0].name, format!("Plan_{id}.pdf"));
        let scan = File { media_type: Some("application/pdf".into()), ..file("scan", 1) };
        assert_eq!(names(&[scan])[0].name, format!("scan_{id}.pdf"));
    }

    proptest! {
        #[test]
        fn courts_take_every_name_of_a_format_that_they_take(name in "\\PC{0,120}") {
            let files = [file(&format!("{name}.pdf"), 1), file(&format!("{name}.pdf.pkcs7"), 2)];
            for named in names(&files) {
                prop_assert!(is_name_taken(&named.name), "{named:?}");
            }
        }
    }
}
