//! What is to be sent of a dispatch: to whom, which documents, what the case is called; and the submission that is remembered with it.

use model::activity::{Addressee, Dispatch, DispatchStatus};
use model::adapter::{About, Delivery, Link, Sources};
use model::case::Case;
use model::{Failure, FailureKind, Id, Record, RecordKind};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use uuid::Uuid;

use super::outgoing::{self, Announced, Data, Piece};
use super::set::uuid;

/// The way.
pub(super) const WAY: &str = "fit-connect";
/// Where the submission of a dispatch is remembered.
const PART: &str = "fit-connect";
/// Most attachments of a submission.
const ATTACHMENTS: usize = 200;
/// Most bytes of data that a dispatch brings itself.
const DATA: u64 = 8 << 20;
/// Reference of a case that the federal mailbox knows it by.
const APPLICATION: &str = "id-bund-application";

/// What is to be sent.
pub(super) struct Order<'a> {
    pub(super) delivery: Id,
    pub(super) dispatch: &'a Dispatch,
    pub(super) to: Option<&'a Addressee>,
    pub(super) about: &'a About,
    pub(super) known: Option<Announced>,
}

/// What is to be sent; `None` if it is none of ours, or somebody has it already.
pub(super) fn order(delivery: &Delivery) -> Result<Option<Order<'_>>, Failure> {
    let Some(about) = delivery.about.as_deref() else { return Ok(None) };
    let Record::Dispatch(dispatch) = &about.record else { return Ok(None) };
    if dispatch.way.as_deref() != Some(WAY) || dispatch.status != DispatchStatus::Open {
        return Ok(None);
    }
    // Half of it is none.
    if about.files.len() < dispatch.documents.len() || (about.files.is_empty() && dispatch.notice.is_none()) {
        return Err(rejected(
            "fit.no-document",
            "the dispatch has a document without content, or nothing to say",
        ));
    }
    let known = announced(&about.links, dispatch.meta.id)?;
    Ok(Some(Order { delivery: delivery.id, dispatch, to: dispatch.to.as_ref(), about, known }))
}

/// The submission of a dispatch, if one was announced.
pub(super) fn announced(links: &[Link], dispatch: Id) -> Result<Option<Announced>, Failure> {
    let Some(link) = links.iter().find(|link| link.record == dispatch && link.part == PART) else {
        return Ok(None);
    };
    // Whoever took it for none would send a second one.
    let read = serde_json::from_value(link.state.clone()).map(Some);
    read.map_err(|_| unclear("what is remembered of the submission cannot be read"))
}

pub(super) fn link(dispatch: Id, at: &Announced) -> Link {
    Link {
        kind: RecordKind::Dispatch,
        record: dispatch,
        part: PART.to_owned(),
        reference: at.submission.to_string(),
        state: json!(at),
    }
}

/// The mailbox that it goes to; none if it names no addressee and goes to the destination of the house. What is for somebody never goes
/// to somebody else.
pub(super) fn mailbox(order: &Order<'_>) -> Result<Option<Uuid>, Failure> {
    let Some(to) = order.to else { return Ok(None) };
    let id = to.mailbox.as_deref().and_then(uuid);
    id.map(Some)
        .ok_or_else(|| rejected("fit.no-mailbox", "the addressee's mailbox is none of the federal mailboxes"))
}

pub(super) fn pieces<'a>(
    order: &Order<'_>,
    sources: Sources<'a>,
    most: u64,
) -> Result<Vec<Piece<'a>>, Failure> {
    let mut pieces = vec![];
    for (number, (file, source)) in order.about.files.iter().zip(sources).enumerate() {
        pieces.push(Piece {
            id: outgoing::attachment_id(order.delivery, number),
            name: file.file.original_name.clone().unwrap_or_else(|| file.file.name.clone()),
            media_type: file.file.media_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
            description: None,
            bytes: file.file.content.as_ref().map_or(0, |content| content.size),
            source: &**source,
        });
    }
    if pieces.len() > ATTACHMENTS || pieces.iter().map(|piece| piece.bytes).sum::<u64>() > most {
        return Err(rejected(
            "fit.too-much",
            "the dispatch has more documents, or larger ones, than may be sent",
        ));
    }
    Ok(pieces)
}

/// The first document that is data: JSON or XML.
pub(super) fn take_data<'a>(pieces: &mut Vec<Piece<'a>>) -> Option<Piece<'a>> {
    let is_data = |piece: &Piece<'_>| data_type(&piece.media_type).is_some();
    pieces.iter().position(is_data).map(|at| pieces.remove(at))
}

fn data_type(media_type: &str) -> Option<&'static str> {
    match media_type {
        "application/json" => Some("application/json"),
        "application/xml" => Some("application/xml"),
        _ => None,
    }
}

pub(super) async fn own_data(piece: &Piece<'_>, schema: String) -> Result<Data, Failure> {
    let mut bytes = vec![];
    let content = piece.source.open().await?;
    let read = content.take(DATA + 1).read_to_end(&mut bytes).await;
    read.map_err(|_| {
        Failure::transient("fit.content", "the content of a document could not be read as a whole")
    })?;
    if bytes.len() as u64 > DATA {
        return Err(rejected("fit.too-much", "the data of the dispatch are larger than may be sent"));
    }
    let media_type = data_type(&piece.media_type).unwrap_or("application/json");
    Ok(Data { bytes, media_type, schema })
}

/// The case that something lies in.
pub(super) fn case_of(about: &About) -> Option<&Case> {
    let mut all = about.above.iter().chain([&about.record]).rev();
    all.find_map(|record| match record {
        Record::Case(case) => Some(case),
        _ => None,
    })
}

/// What the federal mailbox calls its case.
pub(super) fn application_of(about: &About) -> Option<Uuid> {
    let references = &case_of(about)?.description.references;
    references.iter().find(|it| it.kind == APPLICATION).and_then(|it| uuid(&it.value))
}

pub(super) fn reference(about: &About) -> Option<&str> {
    case_of(about)?.description.record_reference.as_deref()
}

pub(super) fn service_name(about: &About) -> Option<&str> {
    case_of(about)?.description.extensions.get("fit-connect")?.get("publicService")?.get("name")?.as_str()
}

/// Nobody knows whether it has arrived, and a human decides.
pub(super) fn unclear(detail: &str) -> Failure {
    Failure::permanent("fit.unclear", detail)
}

pub(super) fn rejected(code: &'static str, detail: &'static str) -> Failure {
    Failure::new(FailureKind::Rejected, code, detail)
}
