//! The beginning of a message: where its XML is, what its root element is, and how to read on.

use std::io::{self, BufReader, Read, SeekFrom};

use model::standard::Source;
use model::{Finding, Report};
use xml::{Event, Limits as XmlLimits, Reader};

use crate::container::{self, Container, Limits};
use crate::xdomea::messages::FileName;
use crate::xjustiz;

/// Bytes read at once, at most and at least.
const BUFFER: usize = 64 * 1024;
const LEAST_BUFFER: usize = 512;

/// Where the XML of a message is.
pub(crate) enum Place {
    /// The bytes are the XML.
    Alone,
    /// It is this entry of a container.
    In(Container, usize),
}

/// Name of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) namespace: String,
    pub(crate) local: String,
}

/// XML that is read in pieces.
pub(crate) type XmlReader<'a> = Reader<BufReader<Box<dyn Read + 'a>>>;

impl Place {
    /// Finds the XML of a message. `None` if there is none, or if the container is refused: then findings
    /// in `report` say why.
    pub(crate) fn find(
        source: &mut dyn Source,
        limits: &Limits,
        report: &mut Report,
    ) -> io::Result<Option<Place>> {
        if !container::is_container(source)? {
            return Ok(begins_like_xml(source)?.then_some(Place::Alone));
        }
        let Some(container) = Container::open(source, limits, report)? else { return Ok(None) };
        let index = message_entry(&container, report);
        Ok(index.map(|index| Place::In(container, index)))
    }

    /// A reader of the XML from its beginning.
    pub(crate) fn reader<'a>(&self, source: &'a mut dyn Source) -> io::Result<XmlReader<'a>> {
        let (size, bytes) = self.bytes(source)?;
        let buffer = usize::try_from(size).unwrap_or(BUFFER).clamp(LEAST_BUFFER, BUFFER);
        Ok(Reader::new(BufReader::with_capacity(buffer, bytes), XmlLimits::default()))
    }

    /// The XML's bytes from its beginning, and how many they are.
    pub(crate) fn bytes<'a>(&self, source: &'a mut dyn Source) -> io::Result<(u64, Box<dyn Read + 'a>)> {
        Ok(match self {
            Place::Alone => {
                let size = source.seek(SeekFrom::End(0))?;
                source.seek(SeekFrom::Start(0))?;
                (size, Box::new(source))
            }
            Place::In(container, index) => {
                (container.entries()[*index].size(), Box::new(container.read(source, *index)?))
            }
        })
    }

    /// The container, if there is one.
    pub(crate) fn container(&self) -> Option<&Container> {
        match self {
            Place::Alone => None,
            Place::In(container, _) => Some(container),
        }
    }

    /// Name of the XML file in the container.
    pub(crate) fn entry_name(&self) -> Option<&str> {
        match self {
            Place::Alone => None,
            Place::In(container, index) => Some(container.entries()[*index].name()),
        }
    }
}

/// Reads the root's start.
pub(crate) fn read_root(reader: &mut XmlReader<'_>) -> Result<Root, xml::Error> {
    match reader.next()? {
        Event::Start(start) => Ok(Root {
            namespace: start.namespace().unwrap_or_default().to_owned(),
            local: start.local().to_owned(),
        }),
        // The reader yields nothing else first.
        _ => Err(xml::Error::Truncated { line: 1 }),
    }
}

/// The entry that is the message: the only XML file named like one, else the only XML file at all.
/// Several are a finding, since nobody could say which of them counts.
fn message_entry(container: &Container, report: &mut Report) -> Option<usize> {
    let indices = |ending: &str, is_named: bool| -> Vec<usize> {
        let entries = container.entries().iter().enumerate();
        let wanted = entries.filter(|(_, entry)| {
            entry.name().to_ascii_lowercase().ends_with(ending)
                && (!is_named || is_named_like_one(entry.name()))
        });
        wanted.map(|(index, _)| index).take(2).collect()
    };
    // XPlanung calls its messages after the language they are written in; beside other messages such a file is a plan.
    let searches = [(".xml", true), (".xml", false), (".gml", false)];
    let found = searches.into_iter().map(|(ending, is_named)| indices(ending, is_named));
    match found.into_iter().find(|found| !found.is_empty()).as_deref() {
        Some([index]) => Some(*index),
        None => None,
        Some(_) => {
            report.add(Finding::error("container.several-messages"));
            None
        }
    }
}

fn is_named_like_one(name: &str) -> bool {
    FileName::parse(name).is_some() || name == xjustiz::FILE_NAME
}

/// Whether the first bytes, after a byte order mark and white space, are those of XML.
fn begins_like_xml(source: &mut dyn Source) -> io::Result<bool> {
    source.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    (&mut *source).take(1_024).read_to_end(&mut head)?;
    source.seek(SeekFrom::Start(0))?;
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    Ok(text.trim_ascii_start().starts_with(b"<"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::container::ContainerWriter;

    /// Names of the message and of what is wrong in a container of these files.
    fn found(names: &[&str]) -> (Option<String>, Vec<String>) {
        let mut writer = ContainerWriter::new(Vec::new());
        for name in names {
            writer.entry(name, |sink| sink.write_all(b"<a/>")).unwrap();
        }
        let mut report = Report::default();
        let mut source = Cursor::new(writer.finish().unwrap());
        let place = Place::find(&mut source, &Limits::default(), &mut report).unwrap();
        let name = place.and_then(|place| place.entry_name().map(str::to_owned));
        (name, report.findings.into_iter().map(|finding| finding.rule).collect())
    }

    #[test]
    fn a_plan_beside_a_message_is_not_the_message() {
        let is = |name: &str| (Some(name.to_owned()), vec![]);
        assert_eq!(found(&["antrag.xml", "plan.gml"]), is("antrag.xml"));
        assert_eq!(found(&["plan.GML", "plan.pdf"]), is("plan.GML"));
        assert_eq!(found(&["other.xml", "xjustiz_nachricht.xml", "plan.gml"]), is("xjustiz_nachricht.xml"));
        for several in [["a.gml", "b.gml"], ["a.xml", "b.xml"]] {
            assert_eq!(found(&several), (None, vec!["container.several-messages".to_owned()]));
        }
        assert_eq!(found(&["a.pdf"]), (None, vec![]));
    }
}
