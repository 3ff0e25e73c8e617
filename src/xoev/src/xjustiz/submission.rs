//! A message for a court with its files, as it is handed in: a lone XML file, or a ZIP with the message and its documents beside it.

use std::io::{self, Read};

use model::standard::Source;
use model::{Failure, Finding, Report};

use super::files::judge;
use super::read::{Until, said};
use super::{FILE_NAME, NAMESPACE, Rules, Said};
use crate::Error;
use crate::container::Limits;
use crate::findings::unreadable;
use crate::head::{Place, Root, read_root};

/// The file whose text is the letter of the transmission and not one of its attachments.
pub const LETTER: &str = "nachricht.txt";

/// A message that may be sent.
pub struct Submission {
    /// What it says.
    pub said: Said,
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
        let place = Place::find(source, &Limits::default(), report).map_err(Error::from)?;
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
        match read {
            Ok(Some(said)) => {
                let files = files(&place, source).map_err(Error::from)?;
                judge(&said, &files, rules, report);
                Ok(report.is_acceptable().then_some(Submission { said, place, files }))
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

    /// The letter, at most `most` bytes of it, if there is one that is text.
    ///
    /// # Errors
    /// If `source` cannot be read.
    pub fn letter(&self, source: &mut dyn Source, most: u64) -> io::Result<Option<String>> {
        let Some(container) = self.place.container() else { return Ok(None) };
        let Some(index) = container.find(LETTER) else { return Ok(None) };
        let mut bytes = Vec::new();
        container.read(source, index)?.take(most).read_to_end(&mut bytes)?;
        Ok(String::from_utf8(bytes).ok())
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
