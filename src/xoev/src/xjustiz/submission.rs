//! A message for a court with its files, as it is handed in: a lone XML file, or a ZIP with the message and its documents beside it.

use std::io::{self, Read};

use model::standard::Source;
use model::{Failure, Finding, Report};

use super::files::judge_files;
use super::read::{Until, said};
use super::{FILE_NAME, NAMESPACE, Rules, Said};
use crate::Error;
use crate::findings::unreadable;
use crate::head::{Place, Root, read_root};

/// The file whose text is the letter of the transmission and not one of its attachments.
pub const LETTER: &str = "nachricht.txt";

/// Longest letter, in bytes.
const LETTER_BYTES: u64 = 64 * 1024;

/// A message that may be sent.
pub struct Submission {
    /// What it says.
    pub said: Said,
    /// The text of the transmission, if there is one.
    pub letter: Option<String>,
    place: Place,
    /// Files with their sizes in bytes, the message first, the others by name. Without the letter.
    files: Vec<(String, u64)>,
}

impl Submission {
    /// Opens and judges a message. `None` if it may not be sent: then errors in `report` say why.
    ///
    /// # Errors
    /// If `source` cannot be read.
    pub fn open(
        source: &mut dyn Source,
        rules: &Rules,
        report: &mut Report,
    ) -> Result<Option<Self>, Failure> {
        let place = Place::find(source, &rules.container, report).map_err(Error::from)?;
        let Some(place) = place.filter(|_| report.is_acceptable()) else {
            if report.is_acceptable() {
                report.add(Finding::error("xjustiz.no-message"));
            }
            return Ok(None);
        };
        let read = {
            let mut reader = place.reader(source).map_err(Error::from)?;
            read_root(&mut reader).and_then(|Root { namespace, local }| {
                let is_meant = namespace == NAMESPACE;
                is_meant.then(|| said(&mut reader, local, Until::End)).transpose()
            })
        };
        let letter = letter(&place, source, report)?;
        let files = files(&place, source).map_err(Error::from)?;
        Ok(judge(read, &files, rules, report)?.map(|said| Submission { said, letter, place, files }))
    }

    /// Reads each file to its end, the message first.
    ///
    /// # Errors
    /// If `source` cannot be read or is damaged (`InvalidData`), or `each` fails.
    pub fn each<E: From<io::Error>>(
        &self,
        source: &mut dyn Source,
        mut each: impl FnMut(&str, &mut dyn Read) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(container) = self.place.container() else {
            source.seek(io::SeekFrom::Start(0))?;
            return each(FILE_NAME, &mut &mut *source);
        };
        for (name, _) in &self.files {
            let own = self.place.entry_name().filter(|_| name == FILE_NAME).unwrap_or(name);
            let index = container.find(own).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            each(name, &mut container.read(source, index)?)?;
        }
        Ok(())
    }
}

/// The letter; one that is no text, or too long, is a finding.
fn letter(place: &Place, source: &mut dyn Source, report: &mut Report) -> Result<Option<String>, Failure> {
    let Some(container) = place.container() else { return Ok(None) };
    let Some(index) = container.find(LETTER) else { return Ok(None) };
    let mut bytes = Vec::new();
    let read =
        container.read(source, index).map_err(Error::from)?.take(LETTER_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(Error::from)?;
    let is_short = bytes.len() as u64 <= LETTER_BYTES;
    let text = String::from_utf8(bytes).ok().filter(|_| is_short);
    if text.is_none() {
        report.add(Finding::error("xjustiz.letter").in_file(LETTER));
    }
    Ok(text)
}

/// Judges a message, as far as it was read, with the files that are sent with it; it is one of them, called [`FILE_NAME`]. Gives it
/// back if it may be sent; otherwise errors in `report` say why.
///
/// # Errors
/// If it could not be read from where it is kept.
pub fn judge(
    read: Result<Option<Said>, xml::Error>,
    files: &[(String, u64)],
    rules: &Rules,
    report: &mut Report,
) -> Result<Option<Said>, Failure> {
    match read {
        Ok(Some(said)) => {
            judge_files(&said, files, rules, report);
            Ok(report.is_acceptable().then_some(said))
        }
        Ok(None) => {
            report.add(Finding::error("xjustiz.no-message"));
            Ok(None)
        }
        Err(error) => {
            report.add(unreadable(error)?);
            Ok(None)
        }
    }
}

/// The files, under the names by which they are sent.
fn files(place: &Place, source: &mut dyn Source) -> io::Result<Vec<(String, u64)>> {
    let Some(container) = place.container() else {
        let size = source.seek(io::SeekFrom::End(0))?;
        return Ok(vec![(FILE_NAME.to_owned(), size)]);
    };
    let message = place.entry_name();
    let entries = container.entries().iter();
    let mut files: Vec<(String, u64)> = entries
        .filter(|entry| entry.name() != LETTER)
        .map(|entry| match message == Some(entry.name()) {
            true => (FILE_NAME.to_owned(), entry.size()),
            false => (entry.name().to_owned(), entry.size()),
        })
        .collect();
    files.sort_by_key(|(name, _)| name != FILE_NAME);
    Ok(files)
}
