//! Reading what was covered: a walk through a document that shows certain elements and nothing around them
//! but the names of their ancestors (after XML Signature Best Practices, W3C note of 11 April 2013,
//! practice 14: see what is signed).

use super::DS;
use super::base64_text::{self, Base64Writer};
use super::signature::Place;
use super::survey::{Pass, Survey};
use super::verify::{Content, Covered};
use crate::x509::Certificate;
use crate::{Error, Result};
use std::io::{BufRead, Write};
use xml::{Event, Fence, Limits, Reader, Start};

/// Longest certificate in an element, in bytes of base64.
const CERTIFICATE_BYTES: usize = 64 * 1024;

/// A walk through the elements of a document that may be read, in document order. Of elements within each
/// other only the outermost is shown.
pub struct Elements<R: BufRead> {
    reader: Reader<R>,
    choice: Choice,
    /// The fence around the element that is shown, and its depth.
    shown: Option<(Fence, usize)>,
}

enum Choice {
    /// Sorted by place.
    Covered(std::vec::IntoIter<Covered>),
    Unverified(fn(usize, &Start<'_>) -> bool),
}

/// An element that may be read. Its reader stands behind the start tag ([`Reader::current`] shows it) and
/// ends with the element.
pub struct Element<'a, R: BufRead> {
    /// Where the element stands. Neither this nor the ancestors are covered: compare them with where the
    /// standard wants the element.
    pub place: Place,
    /// The ancestors, the root first.
    pub ancestors: Vec<Ancestor>,
    /// How much of it is covered; `None`: nothing was verified.
    pub content: Option<Content>,
    reader: &'a mut Reader<R>,
}

/// An element above one that may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// Its start tag is the n-th of the document, from 0.
    pub ordinal: u64,
    /// Namespace.
    pub namespace: Option<String>,
    /// Local name.
    pub local: String,
}

impl<R: BufRead> Elements<R> {
    pub(crate) fn covered(input: R, limits: Limits, covered: Vec<Covered>, left_out: Option<u64>) -> Self {
        let reader = Reader::new(input, limits);
        let reader = match left_out {
            Some(ordinal) => reader.hiding(ordinal),
            None => reader,
        };
        Elements { reader, choice: Choice::Covered(covered.into_iter()), shown: None }
    }

    /// A walk through a document that nobody signed. `choose` is asked with the depth (1 for the root) and
    /// the start tag of each element that is not within a chosen one.
    pub fn unverified(input: R, limits: Limits, choose: fn(usize, &Start<'_>) -> bool) -> Self {
        Elements { reader: Reader::new(input, limits), choice: Choice::Unverified(choose), shown: None }
    }

    /// The same, surveying the document in the same pass: see [`Elements::into_survey`].
    pub fn surveyed(input: R, limits: Limits, choose: fn(usize, &Start<'_>) -> bool) -> Self {
        let mut elements = Elements::unverified(input, limits, choose);
        elements.reader.observe(Box::new(Pass::new(limits)));
        elements
    }

    /// Whether the document is broken, or its source has failed.
    pub fn has_failed(&self) -> bool {
        self.reader.has_failed()
    }

    /// Reads on to the document's end, and gives the survey that [`Elements::surveyed`] has begun.
    ///
    /// # Errors
    /// What [`Survey::read`] refuses.
    pub fn into_survey(mut self) -> Result<Survey> {
        if let Some((fence, _)) = self.shown.take() {
            self.reader.release(fence);
        }
        while !matches!(self.reader.next()?, Event::Eof) {}
        let pass = self.reader.take_observer::<Pass>();
        pass.ok_or(Error::SignatureMalformed("nothing was surveyed"))?.finish()
    }

    /// The next element; `None` at the end of the document.
    #[allow(clippy::should_implement_trait)] // An Iterator cannot lend.
    pub fn next(&mut self) -> Result<Option<Element<'_, R>>> {
        if let Some((fence, depth)) = self.shown.take() {
            while self.reader.depth() >= depth {
                self.reader.next()?;
            }
            self.reader.release(fence);
        }
        loop {
            let depth = self.reader.depth() + 1;
            let content = match self.reader.next()? {
                Event::Start(start) => self.choice.choose(depth, &start),
                Event::Eof => return Ok(None),
                Event::Text(_) | Event::End => None,
            };
            if let Some(content) = content {
                return Ok(Some(self.show(depth, content)));
            }
        }
    }

    fn show(&mut self, depth: usize, content: Option<Content>) -> Element<'_, R> {
        self.shown = Some((self.reader.confine(), depth));
        let mut ancestors: Vec<Ancestor> = self.reader.open_elements().map(Ancestor::of).collect();
        let ordinal = ancestors.pop().map_or(0, |own| own.ordinal);
        let parent = ancestors.last().map(|parent| parent.ordinal);
        let place = Place { ordinal, parent, depth };
        Element { place, ancestors, content, reader: &mut self.reader }
    }
}

impl Choice {
    /// Whether an element is shown, and how much of it is covered.
    fn choose(&mut self, depth: usize, start: &Start<'_>) -> Option<Option<Content>> {
        match self {
            Choice::Unverified(choose) => choose(depth, start).then_some(None),
            Choice::Covered(covered) => {
                let ordinal = start.ordinal();
                let passed = covered.as_slice().partition_point(|it| it.place.ordinal < ordinal);
                if passed > 0 {
                    covered.nth(passed - 1);
                }
                let next = covered.as_slice().first().filter(|it| it.place.ordinal == ordinal)?;
                Some(Some(next.content))
            }
        }
    }
}

impl<R: BufRead> Element<'_, R> {
    /// The reader. [`Error::SignatureNotCovered`] if only decoded text is covered.
    pub fn reader(&mut self) -> Result<&mut Reader<R>> {
        match self.content {
            Some(Content::Base64Text) => Err(Error::SignatureNotCovered),
            _ => Ok(self.reader),
        }
    }

    /// Decodes the base64 text of the element into `sink`, which is returned. An element within is refused.
    pub fn decode_base64<W: Write>(self, sink: W) -> Result<W> {
        let mut writer = Base64Writer::new(sink);
        loop {
            match self.reader.next()? {
                Event::Text(text) => writer.push(text)?,
                Event::Start(_) => return Err(Error::SignatureMalformed("a base64 text")),
                Event::End | Event::Eof => return writer.finish(),
            }
        }
    }
}

impl Ancestor {
    fn of(open: xml::OpenElement<'_>) -> Ancestor {
        let namespace = open.namespace.map(str::to_owned);
        Ancestor { ordinal: open.ordinal, namespace, local: open.local.to_owned() }
    }
}

/// The one `ds:X509Certificate` within the element with this ordinal, such as a `ds:RetrievalMethod` points
/// to. `None` if there is none; several are refused. Nothing says that the element is covered: trust in the
/// certificate must come from elsewhere.
pub fn certificate_at(input: impl BufRead, limits: Limits, ordinal: u64) -> Result<Option<Certificate>> {
    let mut reader = Reader::new(input, limits);
    loop {
        match reader.next()? {
            Event::Start(start) if start.ordinal() == ordinal => break,
            Event::Eof => return Ok(None),
            _ => {}
        }
    }
    let depth = reader.depth();
    let mut found = None;
    while reader.depth() >= depth {
        let is_certificate = matches!(reader.next()?, Event::Start(start) if start.is(DS, "X509Certificate"));
        if !is_certificate {
            continue;
        }
        let text = reader.read_text(CERTIFICATE_BYTES)?;
        let der = base64_text::decode(&text).ok_or(Error::SignatureMalformed("a certificate"))?;
        let certificate =
            Certificate::from_der(&der).map_err(|_| Error::SignatureMalformed("a certificate"))?;
        if found.replace(certificate).is_some() {
            return Err(Error::SignatureMalformed("several certificates for one key"));
        }
    }
    Ok(found)
}
