//! SOAP faults: SOAP 1.1 section 4.4, SOAP 1.2 Part 1 section 5.4. The form written for SOAP 1.1 is the
//! one that OSCI-Transport asks for: an envelope without schema location, unqualified children of
//! the fault, the code with the envelope's prefix.

use std::io::{BufRead, Write};

use xml::{Event, Reader, Writer, escape_attribute};

use crate::addressing::{ADDRESSING, Problem};
use crate::envelope::{SOAP_12, Version, check_fragment};
use crate::message::{NewBlock, begin_envelope};
use crate::{Error, Result};

/// Longest code, in bytes.
const CODE_BYTES: usize = 1_000;
/// Longest reason, in bytes.
const REASON_BYTES: usize = 16 * 1024;
/// Longest detail, in bytes.
const DETAIL_BYTES: usize = 256 * 1024;

/// Whose fault it is, in the words of SOAP 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The message is wrong: it should not be sent again as it is (`Client` in SOAP 1.1).
    Sender,
    /// The message could not be processed: it may be sent again (`Server` in SOAP 1.1).
    Receiver,
    /// The envelope's namespace is not one that the receiver speaks.
    VersionMismatch,
    /// A header that must be understood was not.
    MustUnderstand,
    /// A code of the sender's own.
    Other,
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whose fault it is.
    pub code: Code,
    /// What went wrong, for people.
    pub reason: String,
    /// Language of the reason, if it is said. SOAP 1.1 has no place for it.
    pub language: Option<String>,
    /// The elements inside the detail, one after the other, each declaring its namespaces itself.
    pub detail: String,
    /// What the code is more precisely, the outer first. Only SOAP 1.2 has them; they are written, not read.
    pub subcodes: Vec<Subcode>,
    /// Header blocks of the envelope. They are written with SOAP 1.2, not read.
    pub headers: Vec<NewBlock>,
}

/// A code within a code (SOAP 1.2 Part 1 section 5.4.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subcode {
    /// Namespace.
    pub namespace: String,
    /// Local name.
    pub local: String,
}

impl Code {
    /// `text` is a qualified name, whose prefix is not looked at; in SOAP 1.1 dots may follow.
    fn read(text: &str) -> Self {
        let local = text.trim().rsplit(':').next().unwrap_or_default();
        match local.split('.').next().unwrap_or_default() {
            "Client" | "Sender" => Code::Sender,
            "Server" | "Receiver" => Code::Receiver,
            "VersionMismatch" => Code::VersionMismatch,
            "MustUnderstand" => Code::MustUnderstand,
            _ => Code::Other,
        }
    }

    fn name(self, version: Version) -> &'static str {
        match (self, version) {
            (Code::Sender, Version::Soap11) => "soap:Client",
            (Code::Sender, Version::Soap12) => "soap:Sender",
            (Code::Receiver | Code::Other, Version::Soap11) => "soap:Server",
            (Code::Receiver | Code::Other, Version::Soap12) => "soap:Receiver",
            (Code::VersionMismatch, _) => "soap:VersionMismatch",
            (Code::MustUnderstand, _) => "soap:MustUnderstand",
        }
    }
}

impl Fault {
    /// A fault without detail.
    pub fn new(code: Code, reason: &str) -> Self {
        let (detail, subcodes, headers) = Default::default();
        Fault { code, reason: reason.to_owned(), language: None, detail, subcodes, headers }
    }

    /// The fault of SOAP 1.2 that answers a message in which this was found wrong.
    pub fn answering(error: &Error) -> Self {
        let reason = error.to_string();
        match error {
            Error::VersionMismatch => {
                Fault { headers: vec![NewBlock(upgrade())], ..Fault::new(Code::VersionMismatch, &reason) }
            }
            Error::MustUnderstand { namespace, local } => {
                let headers = vec![NewBlock(not_understood(namespace, local))];
                Fault { headers, ..Fault::new(Code::MustUnderstand, &reason) }
            }
            Error::Addressing { problem, header } => Self::addressing(*problem, header, &reason),
            Error::Io(_) | Error::Xml(xml::Error::Io(_)) | Error::Write { .. } => {
                Fault::new(Code::Receiver, "the message could not be read or answered")
            }
            _ => Fault::new(Code::Sender, &reason),
        }
    }

    /// WS-Addressing 1.0 SOAP Binding section 6.
    fn addressing(problem: Problem, header: &str, reason: &str) -> Self {
        let subcode = |local: &&str| Subcode { namespace: ADDRESSING.to_owned(), local: (*local).to_owned() };
        Fault {
            subcodes: problem.subcodes().iter().map(subcode).collect(),
            detail: format!(
                "<wsa:ProblemHeaderQName xmlns:wsa=\"{ADDRESSING}\">wsa:{header}</wsa:ProblemHeaderQName>"
            ),
            ..Fault::new(Code::Sender, reason)
        }
    }

    /// Writes the whole envelope as a document. The detail must be well-formed by itself.
    pub fn write<W: Write>(&self, version: Version, sink: W) -> Result<()> {
        check_fragment(&self.detail)?;
        let mut writer = Writer::new(sink)?;
        match version {
            Version::Soap11 => self.write_11(&mut writer)?,
            Version::Soap12 => self.write_12(&mut writer)?,
        }
        for _ in 0..3 {
            writer.end()?;
        }
        writer.finish()?;
        Ok(())
    }

    fn write_11<W: Write>(&self, writer: &mut Writer<W>) -> Result<()> {
        writer.start("soap:Envelope", &[("xmlns:soap", Version::Soap11.namespace())])?;
        writer.start("soap:Body", &[])?;
        writer.start("soap:Fault", &[])?;
        writer.element("faultcode", self.code.name(Version::Soap11))?;
        writer.element("faultstring", &self.reason)?;
        self.write_detail("detail", writer)
    }

    fn write_12<W: Write>(&self, writer: &mut Writer<W>) -> Result<()> {
        begin_envelope(writer, &self.headers)?;
        writer.start("soap:Fault", &[])?;
        writer.start("soap:Code", &[])?;
        writer.element("soap:Value", self.code.name(Version::Soap12))?;
        for subcode in &self.subcodes {
            writer.start("soap:Subcode", &[])?;
            writer.start("soap:Value", &[("xmlns:sub", &subcode.namespace)])?;
            writer.text(&format!("sub:{}", subcode.local))?;
            writer.end()?;
        }
        for _ in 0..=self.subcodes.len() {
            writer.end()?;
        }
        writer.start("soap:Reason", &[])?;
        // The language is not optional here.
        writer.start("soap:Text", &[("xml:lang", self.language.as_deref().unwrap_or("en"))])?;
        writer.text(&self.reason)?;
        writer.end()?;
        writer.end()?;
        self.write_detail("soap:Detail", writer)
    }

    fn write_detail<W: Write>(&self, name: &str, writer: &mut Writer<W>) -> Result<()> {
        if self.detail.is_empty() {
            return Ok(());
        }
        writer.start(name, &[])?;
        writer.fragment(&self.detail)?;
        Ok(writer.end()?)
    }

    /// Reads the Fault element whose start was read last, up to and with its end.
    pub fn read<R: BufRead>(reader: &mut Reader<R>) -> Result<Self> {
        let start = reader.current();
        let version = start.namespace().and_then(Version::of_namespace);
        let version = version.filter(|_| start.local() == "Fault").ok_or(NO_FAULT)?;
        let mut found = Found::default();
        while let Some(child) = next_child(reader)? {
            found.read_child(reader, version, child)?;
        }
        let code = found.code.ok_or(Error::Fault { rule: "it has no code" })?;
        let (reason, language) = found.reason.unwrap_or_default();
        let detail = found.detail.unwrap_or_default();
        Ok(Fault { language, detail, ..Fault::new(code, &reason) })
    }
}

/// The block that says which version is spoken (SOAP 1.2 Part 1 section 5.4.7).
fn upgrade() -> String {
    format!(
        "<soap:Upgrade xmlns:soap=\"{SOAP_12}\"><soap:SupportedEnvelope qname=\"soap:Envelope\"/></soap:Upgrade>"
    )
}

/// The block that names what was not understood (SOAP 1.2 Part 1 section 5.4.8).
fn not_understood(namespace: &str, local: &str) -> String {
    let mut block = format!("<soap:NotUnderstood xmlns:soap=\"{SOAP_12}\" xmlns:it=\"");
    escape_attribute(namespace, &mut block);
    block.push_str("\" qname=\"it:");
    escape_attribute(local, &mut block);
    block.push_str("\"/>");
    block
}

const NO_FAULT: Error = Error::Fault { rule: "the element is no fault of SOAP 1.1 or 1.2" };

/// Children of a fault that are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Child {
    Code,
    Value,
    Reason,
    Text,
    Detail,
    Other,
}

#[derive(Default)]
struct Found {
    code: Option<Code>,
    reason: Option<(String, Option<String>)>,
    detail: Option<String>,
}

impl Found {
    fn read_child<R: BufRead>(
        &mut self,
        reader: &mut Reader<R>,
        version: Version,
        child: Child,
    ) -> Result<()> {
        match (child, version) {
            (Child::Code, Version::Soap11) => set(&mut self.code, Code::read(&reader.read_text(CODE_BYTES)?)),
            (Child::Code, Version::Soap12) => self.read_code_12(reader),
            (Child::Reason, Version::Soap11) => {
                set(&mut self.reason, (reader.read_text(REASON_BYTES)?, None))
            }
            (Child::Reason, Version::Soap12) => self.read_reason_12(reader),
            (Child::Detail, _) => set(&mut self.detail, read_detail(reader)?),
            _ => Ok(reader.skip()?),
        }
    }

    /// The outermost value; subcodes are the business of those who defined them.
    fn read_code_12<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<()> {
        while let Some(child) = next_child(reader)? {
            match child {
                Child::Value => set(&mut self.code, Code::read(&reader.read_text(CODE_BYTES)?))?,
                _ => reader.skip()?,
            }
        }
        Ok(())
    }

    /// The first of the texts, which differ in their language only.
    fn read_reason_12<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<()> {
        while let Some(child) = next_child(reader)? {
            if child != Child::Text || self.reason.is_some() {
                reader.skip()?;
                continue;
            }
            let language = reader.current().attribute_ns(XML, "lang").map(str::to_owned);
            self.reason = Some((reader.read_text(REASON_BYTES)?, language));
        }
        Ok(())
    }
}

const XML: &str = "http://www.w3.org/XML/1998/namespace";

fn set<T>(place: &mut Option<T>, value: T) -> Result<()> {
    match place.replace(value) {
        Some(_) => Err(Error::Fault { rule: "an element stands twice" }),
        None => Ok(()),
    }
}

fn read_detail<R: BufRead>(reader: &mut Reader<R>) -> Result<String> {
    let mut detail = String::new();
    while next_child(reader)?.is_some() {
        let room = DETAIL_BYTES.saturating_sub(detail.len());
        detail.push_str(&reader.copy_element(room)?);
    }
    Ok(detail)
}

/// The next child of the innermost open element; `None` at its end. Text between children is passed over.
fn next_child<R: BufRead>(reader: &mut Reader<R>) -> Result<Option<Child>> {
    loop {
        match reader.next()? {
            Event::Start(start) => return Ok(Some(child(start.namespace(), start.local()))),
            Event::End | Event::Eof => return Ok(None),
            Event::Text(_) => {}
        }
    }
}

/// SOAP 1.1 has unqualified children, SOAP 1.2 has qualified ones.
fn child(namespace: Option<&str>, local: &str) -> Child {
    match (namespace.and_then(Version::of_namespace), local) {
        (None, "faultcode") if namespace.is_none() => Child::Code,
        (None, "faultstring") if namespace.is_none() => Child::Reason,
        (None, "detail") if namespace.is_none() => Child::Detail,
        (Some(Version::Soap12), "Code") => Child::Code,
        (Some(Version::Soap12), "Value") => Child::Value,
        (Some(Version::Soap12), "Reason") => Child::Reason,
        (Some(Version::Soap12), "Text") => Child::Text,
        (Some(Version::Soap12), "Detail") => Child::Detail,
        _ => Child::Other,
    }
}
