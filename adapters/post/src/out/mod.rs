//! What goes out: paper by a print spool or hybrid mail, e-mail by SMTP. Each is an adapter that is told of new dispatches (Versand) and
//! carries those of its way; the others are not its business.
//!
//! | module | way | carries by |
//! |---|---|---|
//! | `print` | `print` | files in a folder of a print centre |
//! | `hybrid` | `hybrid` | E-POSTBUSINESS API v2 |
//! | `mail` | `mail` | SMTP |
//! | `pdf` | | what PDFs are asked before they leave |

mod hybrid;
mod mail;
mod pdf;
mod print;
pub mod settings;

use std::sync::Arc;

use model::activity::{Addressee, Dispatch, DispatchStatus, DispatchStep};
use model::adapter::{Adapter, Delivery, Descriptor, Interest, Receipt};
use model::command::{Change, Command};
use model::{Clock, EventKind, Failure, FailureKind, Id, Record, RecordKind, Timestamp};
use net::Client;

/// The way of e-mails, which alone carries notices without documents.
const MAIL: &str = "mail";

/// Letters to a print spool.
pub fn print(settings: settings::Print, clock: Arc<dyn Clock>) -> Arc<dyn Adapter> {
    Arc::new(print::Print::new(settings, clock))
}

/// Letters to E-POSTBUSINESS, called through `client`.
pub fn hybrid(settings: settings::Hybrid, client: Client, clock: Arc<dyn Clock>) -> Arc<dyn Adapter> {
    Arc::new(hybrid::Hybrid::new(settings, client, clock))
}

/// E-mails by SMTP.
///
/// # Errors
/// `config.value`-like failures: an address of the sender, or a domain, that is none.
pub fn mail(settings: settings::Mail, clock: Arc<dyn Clock>) -> Result<Arc<dyn Adapter>, Failure> {
    Ok(Arc::new(mail::Mail::new(settings, clock)?))
}

pub use mail::Teller;

/// Whoever sends texts of the house's own by SMTP.
///
/// # Errors
/// As for [`mail`].
pub fn teller(settings: settings::Mail, clock: Arc<dyn Clock>) -> Result<Teller, Failure> {
    Teller::new(settings, clock)
}

/// A descriptor of an adapter that is told of new dispatches of a way.
fn descriptor(id: &str, way: &str, capabilities: Vec<model::adapter::Capability>) -> Descriptor {
    let mut descriptor = Descriptor::new(id, "post", capabilities);
    descriptor.follows = vec![Interest { event: EventKind::RecordCreated, record: RecordKind::Dispatch }];
    descriptor.way = Some(way.to_owned());
    descriptor
}

/// A dispatch that is to be carried.
struct Order<'a> {
    delivery: Id,
    tenant: &'a str,
    dispatch: &'a Dispatch,
    to: &'a Addressee,
    /// Aktenzeichen of its case.
    reference: Option<&'a str>,
}

/// The dispatch that a delivery is about, if it goes on this way.
fn dispatch_of<'a>(delivery: &'a Delivery, way: &str) -> Option<&'a Dispatch> {
    match &delivery.about.as_deref()?.record {
        Record::Dispatch(dispatch) => Some(dispatch).filter(|it| it.way.as_deref() == Some(way)),
        _ => None,
    }
}

/// What is to be carried on this way; `None` if it is none of it, or if somebody carries it already: an adapter that is told of what was
/// before its time, or beside another of the same way, posts nothing again.
fn order<'a>(delivery: &'a Delivery, way: &str) -> Result<Option<Order<'a>>, Failure> {
    let Some((about, dispatch)) = delivery.about.as_deref().zip(dispatch_of(delivery, way)) else {
        return Ok(None);
    };
    if dispatch.status != DispatchStatus::Open {
        return Ok(None);
    }
    let to =
        dispatch.to.as_ref().ok_or_else(|| rejected("post.no-address", "the dispatch has no addressee"))?;
    // Half a letter is none; a notice is whole without any.
    let is_notice = way == MAIL && dispatch.notice.is_some() && dispatch.documents.is_empty();
    if (about.files.is_empty() && !is_notice) || about.files.len() < dispatch.documents.len() {
        return Err(rejected(
            "post.no-document",
            "the dispatch has a document without content, or none at all",
        ));
    }
    let reference = about.above.iter().rev().find_map(|record| match record {
        Record::Case(case) => case.description.record_reference.as_deref(),
        Record::CaseFile(file) => file.description.record_reference.as_deref(),
        _ => None,
    });
    Ok(Some(Order { delivery: delivery.id, tenant: &delivery.tenant, dispatch, to, reference }))
}

/// The receipt of a dispatch that stands there now; what its carrier calls it.
fn receipt(dispatch: Id, reference: String, kind: DispatchStatus, at: Timestamp) -> Receipt {
    let change = Change::DispatchStep(DispatchStep { kind, at }, Some(reference.clone()));
    let command = Command { kind: RecordKind::Dispatch, id: dispatch, expected: None, change };
    Receipt { reference: Some(reference), commands: vec![command], ..Receipt::default() }
}

fn rejected(code: &'static str, detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Rejected, code, detail)
}

/// Nobody can be asked, so whoever asks again is told the same: a human decides now.
fn undecided(code: &'static str, detail: impl Into<String>) -> Failure {
    Failure::permanent(code, detail)
}

fn uncertain(code: &'static str, detail: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Uncertain, code, detail)
}
