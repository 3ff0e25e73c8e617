//! S.4 of TR-ESOR 1.3 (SOAP 1.1, document/literal, `tr-esor-S-4-v1.3.wsdl`): ArchiveSubmission, ArchiveRetrieval, ArchiveEvidence,
//! ArchiveDeletion, RetrieveInfo. Packages are sent and fetched as streams; every answer is read by a strict reader, and what it means is
//! its result code's matter:
//!
//! | ResultMinor | failure |
//! |---|---|
//! | `noPermission` | unauthorised |
//! | `internalError` | uncertain for a submission or deletion, else transient |
//! | `noSpaceError` | transient |
//! | `existingAOID` | none: the package is there already |
//! | `unknownAOID` | none: it is not there |
//! | any other, and faults | rejected, with the code's name |

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use model::{Clock, Failure};
use net::{Client, Method, Upload};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;
use xml::{Event, Form, Limits, Reader};

use super::http::{Call, Http, MOST_ANSWER};
use crate::TrEsor;
use crate::adapter::nameless;
use crate::codes::{garbage, io_failed, refused, unauthorised, unclear, unreachable};
use crate::xaip::outline::{Budget, Evidence, evidence_alone};
use crate::xaip::{DSS, XAIP};

const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const API: &str = "http://www.bsi.bund.de/tr-esor/api/1.3";
const ACTION: &str = "http://www.bsi.bund.de/tr-esor/";
const MAJOR: &str = "http://www.bsi.bund.de/tr-esor/api/1.3/resultmajor#";
const MINOR: &str = "http://www.bsi.bund.de/tr-esor/api/1.3/resultminor";
const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// RFC 4998.
const ERS: &str = "urn:ietf:rfc:4998";
/// Longest text of an answer that is kept, in bytes.
const MOST_TEXT: usize = 500;
/// Evidence records of an answer.
const MOST_RECORDS: usize = 1_000;
/// Largest evidence record in an answer, as XML.
const MOST_RECORD: usize = 24 << 20;
/// The largest package that is fetched, in bytes of its answer.
const MOST_PACKAGE: usize = 64 << 30;
/// Bytes sent at once.
const PIECE: usize = 64 * 1024;

/// An archive.
pub struct S4 {
    http: Http,
    url: String,
    /// Where packages that are fetched lie meanwhile.
    work: Option<PathBuf>,
}

/// What an operation answered.
#[derive(Debug, Default)]
struct Answer {
    /// Name of the answer, such as `ArchiveSubmissionResponse`; `Fault` for a fault.
    operation: String,
    major: String,
    minor: String,
    aoid: Option<String>,
    evidence: Vec<Evidence>,
    has_package: bool,
}

impl S4 {
    /// The archive of these settings. `work` is where answers lie while they are read; the system's own folder if absent.
    pub fn new(settings: &TrEsor, work: Option<PathBuf>, client: Client, clock: Arc<dyn Clock>) -> Self {
        let http = Http { client, clock, login: settings.login.clone(), within: settings.within };
        S4 { http, url: settings.url.clone(), work }
    }

    /// Submits a package (a XAIP that begins with an XML declaration of one line) under an id that is ours to choose; what the
    /// archive calls it. `aoid` holds letters, digits and hyphens.
    ///
    /// # Errors
    /// As the table of this module says; uncertain if it may have arrived.
    pub async fn submit(&self, package: File, aoid: &str) -> Result<String, Failure> {
        let before = format!(
            "<s:Envelope xmlns:s=\"{ENVELOPE}\"><s:Body><tr:ArchiveSubmissionRequest xmlns:tr=\"{API}\" xmlns:dss=\"{DSS}\">\
             <dss:OptionalInputs><tr:AOID>{aoid}</tr:AOID></dss:OptionalInputs>"
        );
        let after = "</tr:ArchiveSubmissionRequest></s:Body></s:Envelope>";
        let body = enclosed(before, package, after).await?;
        let answer = self.call("ArchiveSubmission", body, true, None).await?;
        match self.judged(&answer, true)? {
            Told::Done => Ok(answer.aoid.unwrap_or_else(|| aoid.to_owned())),
            Told::ThereAlready => Ok(aoid.to_owned()),
            Told::NotThere => Err(garbage(true)),
        }
    }

    /// The evidence records over a package; `None` if the archive does not know it.
    ///
    /// # Errors
    /// As the table of this module says.
    pub async fn evidence(&self, aoid: &str) -> Result<Option<Vec<Evidence>>, Failure> {
        let inputs = format!("<dss:OptionalInputs><tr:ERSFormat>{ERS}</tr:ERSFormat></dss:OptionalInputs>");
        let answer =
            self.call("ArchiveEvidence", request("ArchiveEvidence", &inputs, aoid), false, None).await?;
        match self.judged(&answer, false)? {
            Told::NotThere => Ok(None),
            _ => Ok(Some(answer.evidence)),
        }
    }

    /// A package as it lies in the archive, with its evidence, in a file without a name; `None` if the archive does not know it.
    ///
    /// # Errors
    /// As the table of this module says.
    pub async fn retrieve(&self, aoid: &str) -> Result<Option<File>, Failure> {
        let mut package = self.temporary()?;
        let inputs = format!("<dss:OptionalInputs><tr:IncludeERS>{ERS}</tr:IncludeERS></dss:OptionalInputs>");
        let body = request("ArchiveRetrieval", &inputs, aoid);
        let copy = package.try_clone().map_err(io_failed)?;
        let answer = self.call("ArchiveRetrieval", body, false, Some(copy)).await?;
        match self.judged(&answer, false)? {
            Told::NotThere => return Ok(None),
            _ if !answer.has_package => return Err(garbage(false)),
            _ => {}
        }
        package.seek(SeekFrom::Start(0)).map_err(io_failed)?;
        Ok(Some(package))
    }

    /// Deletes a package. The reason is demanded while its retention lasts. `false` if the archive did not know it.
    ///
    /// # Errors
    /// As the table of this module says; uncertain if it may have been done.
    pub async fn delete(&self, aoid: &str, requestor: &str, reason: &str) -> Result<bool, Failure> {
        let (mut by, mut why) = (String::new(), String::new());
        xml::escape_text(requestor, &mut by);
        xml::escape_text(reason, &mut why);
        let inputs = format!(
            "<dss:OptionalInputs><tr:ReasonOfDeletion><tr:RequestorName xmlns:saml=\"{SAML}\">{by}</tr:RequestorName>\
             <tr:RequestInfo>{why}</tr:RequestInfo></tr:ReasonOfDeletion></dss:OptionalInputs>"
        );
        let answer =
            self.call("ArchiveDeletion", request("ArchiveDeletion", &inputs, aoid), true, None).await?;
        Ok(!matches!(self.judged(&answer, true)?, Told::NotThere))
    }

    /// Whether the archive answers at all.
    ///
    /// # Errors
    /// As the table of this module says.
    pub async fn info(&self) -> Result<(), Failure> {
        let body = format!(
            "<s:Envelope xmlns:s=\"{ENVELOPE}\"><s:Body><tr:RetrieveInfoRequest xmlns:tr=\"{API}\"/></s:Body></s:Envelope>"
        );
        let answer = self.call("RetrieveInfo", body.into_bytes().into(), false, None).await?;
        self.judged(&answer, false).map(|_| ())
    }

    async fn call(
        &self,
        operation: &str,
        body: Upload,
        acting: bool,
        package: Option<File>,
    ) -> Result<Answer, Failure> {
        let headers = vec![
            ("content-type".to_owned(), "text/xml; charset=utf-8".to_owned()),
            ("soapaction".to_owned(), format!("\"{ACTION}{operation}\"")),
        ];
        let most_answer = if package.is_some() { MOST_PACKAGE } else { MOST_ANSWER };
        let call =
            Call { method: Method::POST, url: &self.url, headers, body: Some(body), acting, most_answer };
        let answered = self.temporary()?;
        let mut sink = BufWriter::with_capacity(PIECE, answered);
        let status = self.http.send(call, &mut sink).await?;
        let mut answered = sink.into_inner().map_err(|error| io_failed(error.into_error()))?;
        answered.seek(SeekFrom::Start(0)).map_err(io_failed)?;
        // A fault comes with 500 (SOAP 1.1, section 6.2).
        if !matches!(status.status, 200 | 500) {
            return Err(self.http.refusal(&status, acting));
        }
        let read = tokio::task::spawn_blocking(move || read(answered, package)).await;
        let answer = read.map_err(|_| garbage(acting))?;
        match (answer, status.status) {
            (Ok(answer), 200) if answer.operation == format!("{operation}Response") => Ok(answer),
            (Ok(answer), _) if answer.operation == "Fault" => Ok(answer),
            (_, 500) => Err(self.http.refusal(&status, acting)),
            _ => Err(garbage(acting)),
        }
    }

    fn judged(&self, answer: &Answer, acting: bool) -> Result<Told, Failure> {
        if answer.operation == "Fault" {
            // The client's fault is an answer; any other may have come in the middle of it.
            return Err(match answer.minor.as_str() {
                "Client" | "VersionMismatch" | "MustUnderstand" => {
                    refused("the archive answered with a fault")
                }
                _ if acting => unclear("the archive answered with a fault"),
                _ => unreachable("the archive answered with a fault"),
            });
        }
        let minor = answer.minor.strip_prefix(MINOR).unwrap_or(&answer.minor);
        let name: String = minor
            .rsplit(['#', '/'])
            .next()
            .unwrap_or_default()
            .chars()
            .filter(char::is_ascii_graphic)
            .take(60)
            .collect();
        match (answer.major.strip_prefix(MAJOR), name.as_str()) {
            (Some("ok" | "warning"), _) => Ok(Told::Done),
            (Some("error"), "existingAOID") => Ok(Told::ThereAlready),
            (Some("error"), "unknownAOID") => Ok(Told::NotThere),
            (Some("error"), "noPermission") => Err(unauthorised("the archive answered with noPermission")),
            (Some("error"), "noSpaceError") => Err(unreachable("the archive has no space")),
            (Some("error"), "internalError") if acting => {
                Err(unclear("the archive answered with internalError"))
            }
            (Some("error"), "internalError") => Err(unreachable("the archive answered with internalError")),
            (Some("error"), name) => Err(refused(format!("the archive answered with {name}"))),
            _ => Err(garbage(acting)),
        }
    }

    fn temporary(&self) -> Result<File, Failure> {
        nameless(self.work.as_deref())
    }
}

/// What an answer tells.
enum Told {
    Done,
    ThereAlready,
    NotThere,
}

fn request(operation: &str, inputs: &str, aoid: &str) -> Upload {
    let mut id = String::new();
    xml::escape_text(aoid, &mut id);
    let body = format!(
        "<s:Envelope xmlns:s=\"{ENVELOPE}\"><s:Body><tr:{operation}Request xmlns:tr=\"{API}\" xmlns:dss=\"{DSS}\">{inputs}\
         <tr:AOID>{id}</tr:AOID></tr:{operation}Request></s:Body></s:Envelope>"
    );
    body.into_bytes().into()
}

/// A document within an envelope: its XML declaration is passed over.
async fn enclosed(before: String, mut document: File, after: &'static str) -> Result<Upload, Failure> {
    document.seek(SeekFrom::Start(0)).map_err(io_failed)?;
    let length = document.metadata().map_err(io_failed)?.len();
    let mut document = tokio::fs::File::from_std(document);
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".len() as u64;
    tokio::io::AsyncSeekExt::seek(&mut document, SeekFrom::Start(declaration)).await.map_err(io_failed)?;
    let inner = length.saturating_sub(declaration);
    let total = before.len() as u64 + inner + after.len() as u64;
    let whole = std::io::Cursor::new(before.into_bytes()).chain(document.take(inner)).chain(after.as_bytes());
    Ok(Upload::new(ReaderStream::with_capacity(whole, PIECE), Some(total)))
}

/// Reads an answer; a package in it is copied into `package` as a document of its own.
fn read(answered: File, package: Option<File>) -> Result<Answer, ()> {
    let limits = Limits { attribute_bytes: 1 << 20, ..Limits::default() };
    let mut reader = Reader::new(BufReader::with_capacity(PIECE, answered), limits);
    match reader.next().map_err(|_| ())? {
        Event::Start(start) if start.is(ENVELOPE, "Envelope") => {}
        _ => return Err(()),
    }
    let mut answer = None;
    loop {
        let is_body = match reader.next().map_err(|_| ())? {
            Event::Start(start) => start.is(ENVELOPE, "Body"),
            Event::Text(_) => continue,
            Event::End | Event::Eof => break,
        };
        if !is_body {
            reader.skip().map_err(|_| ())?;
        } else if answer.is_some() {
            return Err(());
        } else {
            answer = Some(read_body(&mut reader, package.as_ref())?);
        }
    }
    while !matches!(reader.next().map_err(|_| ())?, Event::Eof) {}
    answer.ok_or(())
}

fn read_body<R: std::io::BufRead>(reader: &mut Reader<R>, package: Option<&File>) -> Result<Answer, ()> {
    let mut answer = Answer::default();
    let mut budget = Budget::default();
    let depth = reader.depth();
    loop {
        let begun = match reader.next().map_err(|_| ())? {
            Event::Start(start) => {
                Some((start.namespace().unwrap_or_default().to_owned(), start.local().to_owned()))
            }
            Event::Eof => return Err(()),
            _ => None,
        };
        if reader.depth() < depth {
            return Ok(answer);
        }
        let Some((namespace, local)) = begun else { continue };
        let text = |reader: &mut Reader<R>| {
            reader.read_text(MOST_TEXT).map(|text| text.trim().to_owned()).map_err(|_| ())
        };
        match (namespace.as_str(), local.as_str()) {
            (_, operation) if reader.depth() == depth + 1 => {
                let is_ours = matches!(namespace.as_str(), API | ENVELOPE | DSS);
                if !is_ours || !answer.operation.is_empty() {
                    return Err(());
                }
                operation.clone_into(&mut answer.operation);
            }
            (DSS, "ResultMajor") => answer.major = text(reader)?,
            (DSS, "ResultMinor") => answer.minor = text(reader)?,
            // SOAP 1.1, section 4.4: without a namespace, a qualified name.
            ("", "faultcode") => {
                answer.minor = text(reader)?.rsplit(':').next().unwrap_or_default().to_owned()
            }
            (API, "AOID") => answer.aoid = Some(text(reader)?).filter(|id| !id.is_empty()),
            // Of a package, what lies inside it counts.
            (XAIP, "evidenceRecord") if package.is_some() => reader.skip().map_err(|_| ())?,
            (XAIP, "evidenceRecord") if answer.evidence.len() < MOST_RECORDS => {
                let copy = reader.copy_element(MOST_RECORD).map_err(|_| ())?;
                let evidence = evidence_alone(copy.as_bytes()).map_err(|_| ())?;
                budget.take_evidence(evidence.bytes()).map_err(|_| ())?;
                answer.evidence.push(evidence);
            }
            (XAIP, "evidenceRecord") => return Err(()),
            (XAIP, "XAIP") => {
                let Some(mut sink) = package.filter(|_| !answer.has_package) else { return Err(()) };
                answer.has_package = true;
                // With all that it inherits, so that it stands alone; what is hashed in it stays the same.
                let form = Form { comments: true, ..Form::default() };
                let mut copy =
                    reader.canonicalise(form, BufWriter::with_capacity(PIECE, &mut sink)).map_err(|_| ())?;
                copy.flush().map_err(|_| ())?;
            }
            ("", "detail") | (DSS, "ResultMessage") => reader.skip().map_err(|_| ())?,
            _ => {}
        }
    }
}
