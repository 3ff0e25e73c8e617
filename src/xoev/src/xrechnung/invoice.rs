//! An invoice while it is read: its business terms, and its attachments as they pass. Memory does not grow with its lines or attachments.

use std::collections::BTreeMap;
use std::io::BufRead;

use xml::{Event, Reader, Start};

use super::amounts::{Cents, Lines};
use super::fields::{Field, Syntax};
use super::text64::Text64;
use crate::Error;

/// Longest text of a term, in bytes; what is longer is cut.
const TEXT_BYTES: usize = 1_000;
/// Values of one term that are kept.
const MOST_VALUES: usize = 50;
/// Longest path that is looked at, in bytes.
const PATH_BYTES: usize = 400;

/// What an invoice says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Invoice {
    values: BTreeMap<Field, Vec<String>>,
    /// What its lines add up to.
    pub(crate) lines: Lines,
}

impl Invoice {
    /// The first value of a term.
    pub(crate) fn first(&self, field: Field) -> Option<&str> {
        self.all(field).first().map(String::as_str)
    }

    /// All values of a term that are kept, in order.
    pub(crate) fn all(&self, field: Field) -> &[String] {
        self.values.get(&field).map_or(&[], Vec::as_slice)
    }

    /// An amount.
    pub(crate) fn cents(&self, field: Field) -> Option<Cents> {
        self.first(field).and_then(Cents::parse)
    }

    /// VAT in the currency of the invoice. It may be said in that of the tax office, too.
    pub(crate) fn tax(&self) -> Option<Cents> {
        let currency = self.first(Field::Currency).unwrap_or_default();
        let values = self.all(Field::Tax).iter().filter_map(|value| value.split_once(' '));
        let mut fitting =
            values.filter(|(in_currency, _)| in_currency.is_empty() || *in_currency == currency);
        fitting.next().and_then(|(_, amount)| Cents::parse(amount))
    }

    /// A day as the model writes it: UBL says `2018-04-13`, CII `20180413`.
    pub(crate) fn day(&self, field: Field) -> Option<String> {
        let text = self.first(field)?;
        let is_short = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
        let text = match (is_short, text.get(..4), text.get(4..6), text.get(6..)) {
            (true, Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
            _ => text.to_owned(),
        };
        let date: xml::value::Date = text.parse().ok()?;
        Some(format!("{:04}-{:02}-{:02}", date.year, date.month, date.day))
    }

    fn note(&mut self, field: Field, text: &str) {
        if field == Field::LineNet {
            return self.lines.add(text);
        }
        let values = self.values.entry(field).or_default();
        if !text.is_empty() && values.len() < MOST_VALUES {
            values.push(text.to_owned());
        }
    }
}

/// An attachment that is about to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attached {
    /// What it is called among the documents of the invoice.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) file_name: String,
    pub(crate) media_type: String,
}

/// Takes attachments: their bytes are to be read to the end.
pub(crate) type Take<'a> = dyn FnMut(Attached, &mut dyn std::io::Read) -> Result<(), Error> + 'a;

/// Reads the events of an invoice in order, the root's start first.
pub(crate) struct InvoiceReader {
    syntax: Syntax,
    pub(crate) invoice: Invoice,
    /// Local names of the elements open below the root, with `/` between them.
    path: String,
    depth: usize,
    text: String,
    /// Currency that the element that is read names.
    currency: String,
    attached: Attached,
}

impl InvoiceReader {
    pub(crate) fn new(syntax: Syntax) -> Self {
        InvoiceReader {
            syntax,
            invoice: Invoice::default(),
            path: String::new(),
            depth: 0,
            text: String::new(),
            currency: String::new(),
            attached: Attached::default(),
        }
    }

    /// Takes note of an event. Bytes of attachments are passed over.
    pub(crate) fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(start) => self.start(start),
            Event::Text(piece) if self.text.len() < TEXT_BYTES => self.text.push_str(cut(piece)),
            Event::End => self.end(),
            _ => {}
        }
    }

    /// Reads to the end; `take` is given each attachment.
    pub(crate) fn read<R: BufRead>(
        mut self,
        reader: &mut Reader<R>,
        take: &mut Take<'_>,
    ) -> Result<Invoice, Error> {
        loop {
            let event = reader.next()?;
            if matches!(event, Event::Eof) {
                return Ok(self.invoice);
            }
            let begins = matches!(event, Event::Start(_));
            self.take(&event);
            if begins && self.field() == Some(Field::Attachment) {
                let mut bytes = Text64::new(reader);
                take(std::mem::take(&mut self.attached), &mut bytes)?;
                bytes.finish()?;
                self.end();
            }
        }
    }

    fn field(&self) -> Option<Field> {
        self.syntax.field(&self.path)
    }

    fn start(&mut self, start: &Start<'_>) {
        self.text.clear();
        self.depth += 1;
        if self.depth == 1 {
            return;
        }
        if self.depth > 2 {
            self.path.push('/');
        }
        // What is longer is no path of ours; it is kept to find back.
        let room = PATH_BYTES.saturating_sub(self.path.len());
        self.path.push_str(if start.local().len() <= room { start.local() } else { "" });
        self.currency.clear();
        let attribute = |name| cut(start.attribute(name).unwrap_or_default()).to_owned();
        match self.field() {
            Some(Field::Tax) => self.currency = attribute("currencyID"),
            Some(Field::Attachment) => {
                self.attached.file_name = attribute("filename");
                self.attached.media_type = attribute("mimeCode");
            }
            _ => {}
        }
        if self.path.ends_with("DocumentReference") || self.path.ends_with("ReferencedDocument") {
            self.attached = Attached::default();
        }
    }

    fn end(&mut self) {
        let text = std::mem::take(&mut self.text);
        let text = cut(text.trim());
        match self.field() {
            Some(Field::Attachment) => {}
            Some(Field::AttachmentId) => text.clone_into(&mut self.attached.id),
            Some(Field::AttachmentTitle) => text.clone_into(&mut self.attached.title),
            Some(Field::Tax) => self.invoice.note(Field::Tax, &format!("{} {text}", self.currency)),
            Some(field) => self.invoice.note(field, text),
            None => {}
        }
        self.depth = self.depth.saturating_sub(1);
        let length = if self.depth > 1 { self.path.rfind('/').unwrap_or_default() } else { 0 };
        self.path.truncate(length);
    }
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_BYTES)).unwrap_or_default()
}
