//! Bank statements: camt.052 (report), camt.053 (statement) and camt.054 (notification) of ISO 20022, versions 02, 04, 06 and 08,
//! as XML or as ZIP with XML files in it, as German banks deliver them (DK Anlage 3, order types C52, C53, C54).
//!
//! * `walk`: the children of an element, and what is wrong with a statement;
//! * `entry`: one booked entry (`Ntry`) and its transactions (`TxDtls`), and the lines that they make;
//! * this file: container, message, statement, account.
//!
//! Memory holds one entry at a time, never the statement.

mod entry;
mod walk;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use model::payment::statement::{Line, Statements};
use model::{Failure, FailureKind, Report};
use xml::{Event, Limits, Reader};
use xoev::container::{self, Container};

use self::walk::{Fault, Input, children, text};

/// Largest statement, in bytes: one XML document, or a ZIP before it is inflated.
const MOST_BYTES: u64 = 1 << 30;

/// What a ZIP may hold.
const CONTAINER: container::Limits = container::Limits {
    entries: 5_000,
    name_bytes: 1_000_000,
    total_bytes: 4 << 30,
    ratio: 200,
    ratio_free_bytes: 1 << 20,
};

/// Namespaces but for the message and its version.
const FAMILY: &str = "urn:iso:std:iso:20022:tech:xsd:camt.";

/// Versions that are understood.
const VERSIONS: [&str; 4] = ["001.02", "001.04", "001.06", "001.08"];

/// Reads statements of ISO 20022.
#[derive(Debug, Clone, Copy, Default)]
pub struct Camt;

/// Names of the elements of a message.
struct Message {
    namespace: String,
    body: &'static str,
    statement: &'static str,
}

/// What all entries of a statement share.
#[derive(Default)]
struct Statement {
    /// The bank's own name for it, with its pages.
    name: String,
    account: Option<String>,
    /// Entries so far.
    entries: u64,
}

impl Statements for Camt {
    fn read(
        &self,
        input: &mut dyn Read,
        each: &mut dyn FnMut(Line) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut head = [0; 4];
        let filled = fill(input, &mut head).map_err(unreadable)?;
        let mut whole = head[..filled].chain(input);
        match &head[..filled] {
            b"PK\x03\x04" | b"PK\x05\x06" => packed(&mut whole, each),
            _ => document(&mut whole, each).map_err(|fault| fault.failure(None)),
        }
    }
}

/// The directory of a ZIP stands at its end, so it is laid into a file without a name first.
fn packed(input: &mut dyn Read, each: &mut dyn FnMut(Line) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut file = spooled(input)?;
    let mut report = Report::default();
    let container = Container::open(&mut file, &CONTAINER, &mut report).map_err(unreadable)?;
    let Some(container) = container else {
        // Names of files may hold account numbers.
        report.findings.iter_mut().for_each(|finding| finding.file = None);
        let failure = walk::rejected("payment.statement-broken", "the ZIP cannot be used");
        return Err(failure.finding(report.findings));
    };
    let names = container.entries().iter().map(|entry| entry.name().to_ascii_lowercase());
    if container.entries().is_empty() || names.into_iter().any(|name| !name.ends_with(".xml")) {
        return Err(walk::rejected(
            "payment.statement-unknown",
            "the ZIP holds something else than XML files",
        ));
    }
    for index in 0..container.entries().len() {
        let mut entry = container.read(&mut file, index).map_err(unreadable)?;
        document(&mut entry, each).map_err(|fault| fault.failure(Some(index + 1)))?;
    }
    Ok(())
}

fn spooled(input: &mut dyn Read) -> Result<File, Failure> {
    let mut file = tempfile::tempfile().map_err(unreadable)?;
    let copied = io::copy(&mut input.take(MOST_BYTES + 1), &mut file).map_err(unreadable)?;
    if copied > MOST_BYTES {
        return Err(walk::rejected("payment.statement-broken", "the ZIP is too large"));
    }
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    Ok(file)
}

/// One XML document.
fn document(input: &mut dyn Read, each: &mut dyn FnMut(Line) -> Result<(), Failure>) -> Result<(), Fault> {
    let limits = Limits { depth: 40, total_bytes: MOST_BYTES, ..Limits::default() };
    let mut reader = Reader::new(BufReader::new(input), limits);
    let message = loop {
        match reader.next()? {
            Event::Start(start) if start.local() == "Document" => {
                break Message::of(start.namespace().unwrap_or_default()).ok_or(Fault::Unknown)?;
            }
            Event::Start(_) | Event::End | Event::Eof => return Err(Fault::Unknown),
            Event::Text(_) => {}
        }
    };
    let mut statements = 0;
    children(&mut reader, &message.namespace, &mut |reader, name| {
        if name != message.body {
            return Ok(());
        }
        children(reader, &message.namespace, &mut |reader, name| {
            if name != message.statement {
                return Ok(());
            }
            statements += 1;
            statement(reader, &message.namespace, each)
        })
    })?;
    // The end of the document is a part of it: what is cut off behind the last entry is no statement.
    while !matches!(reader.next()?, Event::Eof) {}
    if statements == 0 { Err(Fault::Unknown) } else { Ok(()) }
}

impl Message {
    fn of(namespace: &str) -> Option<Message> {
        let (kind, version) = namespace.strip_prefix(FAMILY)?.split_once('.')?;
        if !VERSIONS.contains(&version) {
            return None;
        }
        let (body, statement) = match kind {
            "052" => ("BkToCstmrAcctRpt", "Rpt"),
            "053" => ("BkToCstmrStmt", "Stmt"),
            "054" => ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
            _ => return None,
        };
        Some(Message { namespace: namespace.to_owned(), body, statement })
    }
}

fn statement(
    reader: &mut Input<'_>,
    namespace: &str,
    each: &mut dyn FnMut(Line) -> Result<(), Failure>,
) -> Result<(), Fault> {
    let mut statement = Statement::default();
    children(reader, namespace, &mut |reader, name| {
        match name {
            "Id" | "ElctrncSeqNb" => statement.add_name(&text(reader)?),
            "StmtPgntn" | "RptPgntn" | "NtfctnPgntn" => {
                let page = only(reader, namespace, "PgNb")?;
                statement.add_name(&page.unwrap_or_default());
            }
            "Acct" => statement.account = account(reader, namespace)?,
            "Ntry" => {
                let line = reader.position().line;
                let missing = Fault::Value { line, what: "Acct/Id" };
                let account = statement.account.as_deref().ok_or(missing)?;
                statement.entries += 1;
                let entry = entry::read(reader, namespace)?;
                let place = format!("{}\n{}", statement.name, statement.entries);
                entry.lines(account, &place, each).map_err(Fault::Each)?;
            }
            _ => {}
        }
        Ok(())
    })
}

impl Statement {
    fn add_name(&mut self, part: &str) {
        self.name.push_str(part);
        self.name.push('\n');
    }
}

/// The number of the account: an IBAN, or the bank's own number.
fn account(reader: &mut Input<'_>, namespace: &str) -> Result<Option<String>, Fault> {
    let mut found = None;
    children(reader, namespace, &mut |reader, name| {
        if name != "Id" {
            return Ok(());
        }
        children(reader, namespace, &mut |reader, name| {
            found = match name {
                "IBAN" => Some(text(reader)?),
                "Othr" => only(reader, namespace, "Id")?,
                _ => None,
            };
            Ok(())
        })
    })?;
    let plain = found.map(|number| number.split_whitespace().collect::<String>().to_ascii_uppercase());
    Ok(plain.filter(|number| !number.is_empty()))
}

/// The text of the child `wanted`.
fn only(reader: &mut Input<'_>, namespace: &str, wanted: &str) -> Result<Option<String>, Fault> {
    let mut found = None;
    children(reader, namespace, &mut |reader, name| {
        if name == wanted {
            found = Some(text(reader)?);
        }
        Ok(())
    })?;
    Ok(found)
}

fn fill(input: &mut dyn Read, target: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < target.len() {
        match input.read(&mut target[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The bytes could not be had; they may be the next time.
fn unreadable(error: io::Error) -> Failure {
    Failure::new(FailureKind::Transient, "broker.storage", error.kind().to_string())
}

#[cfg(test)]
mod tests;
