//! What comes from a court: the text of the transmission, `xjustiz_nachricht.xml`, and documents, each a content. Systems of the house
//! get it as they hand theirs in: one container with the message and its documents beside it, so that its standard reads it.
//!
//! Names of files are taken as tolerantly as they come, and changed only where no container could hold them.

use std::collections::BTreeSet;
use std::io;

use broker::{Broker, StoredPayload};
use model::Caller;
use xoev::container::{ContainerWriter, folded, is_harmless};
use xoev::xjustiz::{FILE_NAME, LETTER};
use xta::model::{Content, ContentRole};
use xta::server::backend::Contents;

use crate::xta::boxes::failed;
use crate::xta::package::Unpacked;

/// What the container is called.
pub(super) const CONTAINER: &str = "xjustiz.zip";

/// A message of a court as one container. Nothing if its contents are not one message of XJustiz and what belongs to it.
pub(super) fn repacked(
    broker: &Broker,
    caller: &Caller,
    container: &StoredPayload,
) -> xta::Result<Option<StoredPayload>> {
    let unpacked = Unpacked::open(broker.written(caller, container).map_err(|error| failed(&error))?)?;
    let Some(names) = names(unpacked.list()) else { return Ok(None) };
    // It may stand behind more contents than are shown to the standards of the house.
    let index = names.iter().position(|name| name == FILE_NAME).unwrap_or_default();
    let is_message = broker.recognises_source(&mut unpacked.section(index)?, Some(FILE_NAME));
    if !is_message.map_err(|error| failed(&error))? {
        return Ok(None);
    }
    let writer = broker.arrival_writer(caller).map_err(|error| failed(&error))?;
    let mut packed = ContainerWriter::new(writer);
    for (index, name) in names.iter().enumerate() {
        let mut content = unpacked.section(index)?;
        packed.entry(name, |sink| io::copy(&mut content, sink))?;
    }
    let stored = packed.finish()?.finish().map_err(|error| failed(&error.into()))?;
    Ok(Some(stored))
}

/// A name for each content.
fn names(contents: &[(Content, u64)]) -> Option<Vec<String>> {
    let is_message =
        |it: &Content| it.file_name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(FILE_NAME));
    let messages = contents.iter().filter(|(content, _)| is_message(content)).count();
    let is_sealed = contents.iter().any(|(content, _)| content.role == ContentRole::Encrypted);
    if messages != 1 || is_sealed {
        return None;
    }
    let mut taken = BTreeSet::from([FILE_NAME.to_owned()]);
    let name = |(index, (content, _)): (usize, &(Content, u64))| {
        if is_message(content) {
            return FILE_NAME.to_owned();
        }
        let is_letter = content.role == ContentRole::Message && !taken.contains(LETTER);
        let said = if is_letter { Some(LETTER) } else { content.file_name.as_deref() };
        let wanted = said.map(last_part).filter(|name| is_harmless(name));
        let free = wanted.filter(|name| !taken.contains(&folded(name)));
        let name = free.unwrap_or_else(|| made_up(index, content, &taken));
        taken.insert(folded(&name));
        name
    };
    Some(contents.iter().enumerate().map(name).collect())
}

/// A name for a content that cannot have its own: the first of its number that is free.
fn made_up(index: usize, content: &Content, taken: &BTreeSet<String>) -> String {
    let ending = wanted_ending(content);
    let mut name = format!("{index:05}_{ending}");
    let mut again = 1;
    while taken.contains(&folded(&name)) {
        name = format!("{index:05}_{again}_{ending}");
        again += 1;
    }
    name
}

/// A name without folders, and without what file systems do not take.
fn last_part(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().map(|c| if c.is_control() || ":*?\"<>|".contains(c) { '_' } else { c }).collect()
}

/// `datei` with the ending of a content's name.
fn wanted_ending(content: &Content) -> String {
    let ending =
        content.file_name.as_deref().and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending);
    let is_good = |it: &&str| (1..=8).contains(&it.len()) && it.bytes().all(|b| b.is_ascii_alphanumeric());
    ending.filter(is_good).map_or_else(|| "datei".to_owned(), |ending| format!("datei.{ending}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn content(role: ContentRole, name: Option<&str>) -> (Content, u64) {
        (Content { role, file_name: name.map(str::to_owned), ..Content::default() }, 1)
    }

    fn all(names: &[&str]) -> Vec<(Content, u64)> {
        let files = names.iter().map(|name| content(ContentRole::Attachment, Some(name)));
        [content(ContentRole::Message, None)].into_iter().chain(files).collect()
    }

    #[test]
    fn each_content_has_its_own_name_where_that_can_be() {
        let files = [
            "99 - Klage.pdf",
            "XJustiz_nachricht.xml",
            "99 - klage.PDF",
            "../a:b.pdf",
            "..",
            "nachricht.txt",
        ];
        let named = names(&all(&files)).unwrap();
        let expected = [
            "nachricht.txt",
            "99 - Klage.pdf",
            "xjustiz_nachricht.xml",
            "00003_datei.PDF",
            "a_b.pdf",
            "00005_datei",
            "00006_datei.txt",
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn a_name_that_is_made_up_or_looks_the_same_takes_none_from_others() {
        let named = |files: &[&str]| names(&all(&[&[FILE_NAME], files].concat())).unwrap().split_off(2);
        // The last is the fourth, and cannot have its own.
        assert_eq!(
            named(&["00004_datei.pdf", "a.pdf", "A.pdf"]),
            ["00004_datei.pdf", "a.pdf", "00004_1_datei.pdf"]
        );
        let (composed, decomposed) = ("\u{dc}.pdf", "U\u{308}.pdf");
        assert_eq!(named(&[composed, decomposed]), [composed, "00003_datei.pdf"]);
    }

    #[test]
    fn what_is_not_one_message_stays_as_it_came() {
        assert_eq!(names(&all(&["a.pdf"])), None);
        assert_eq!(names(&all(&[FILE_NAME, FILE_NAME])), None);
        let sealed = [all(&[FILE_NAME]), vec![content(ContentRole::Encrypted, None)]].concat();
        assert_eq!(names(&sealed), None);
    }

    proptest! {
        /// Whatever files are called, a container takes them, and no two are the same.
        #[test]
        fn a_container_takes_every_name(files in prop::collection::vec(".{0,20}", 0..8)) {
            let mut files: Vec<&str> = files.iter().map(String::as_str).collect();
            files.push(FILE_NAME);
            let named = names(&all(&files)).unwrap();
            prop_assert!(named.iter().all(|name| is_harmless(name)), "{named:?}");
            let folded: BTreeSet<String> = named.iter().map(|name| folded(name)).collect();
            prop_assert_eq!(folded.len(), named.len());
        }
    }
}
