//! Claims (Forderungen): what somebody owes of a case, and by which the payments towards it are found.

use axum::Extension;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use broker::{Listed, NewClaim, NewPayment, Once, RecordFilter};
use model::payment::{BookingLine, Claim, ClaimStatus, Payer};
use model::record::CASH_REFERENCE;
use model::{Action, Caller, Id, Record, RecordKind};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::answer::{self, Answer};
use crate::body::{Json, MayPost, Plain, Posted};
use crate::params::{Params, PathId};
use crate::problem::Problem;
use crate::records::{self, PageQuery};
use crate::{Api, paging};

/// The forms that a Girocode is given in.
pub(crate) const GIROCODE_TYPES: &[&str] = &["image/svg+xml", "text/plain"];

/// Smallest picture of a Girocode, in pixels.
const PICTURE: u32 = 240;

/// A claim that shall come into being.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewClaim")]
pub(crate) struct Wanted {
    /// The way by which it is paid and booked; absent: the only one that fits the case's public service.
    #[serde(default)]
    account: Option<String>,
    /// Amount in euro cents, 1 to 99,999,999.
    amount_cents: i64,
    /// What for, in words for the payer, at most 250 characters; banks and providers see the first 27.
    purpose: String,
    /// Day it is due, `YYYY-MM-DD`.
    #[serde(default)]
    due: Option<String>,
    /// What it is made of, at most 99 lines whose amounts add up to its own.
    #[serde(default)]
    lines: Vec<BookingLine>,
    /// Who owes it, as far as providers want to know.
    #[serde(default)]
    payer: Option<Payer>,
    /// Kassenzeichen, where the cash system makes them.
    #[serde(default)]
    cash_reference: Option<String>,
}

/// The Kassenzeichen of a claim.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CashReference {
    /// The Kassenzeichen: 2 to 36 letters, digits, `-`, `.` and `/`.
    cash_reference: String,
}

/// A payment that shall be begun.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NewPayment")]
pub(crate) struct Begun {
    /// Where the payer's browser goes on to in the end: https, and a host that the configuration allows.
    #[serde(default)]
    return_to: Option<String>,
}

/// Which claims; what is absent does not filter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ClaimQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Id>,
    /// Case it arises from.
    case: Option<Id>,
    /// State.
    status: Option<ClaimStatus>,
    /// Kassenzeichen.
    cash_reference: Option<String>,
    /// Unit that owns it.
    unit: Option<String>,
    /// Public service (Leistung).
    service: Option<String>,
}

/// `POST /cases/{id}/claims`.
pub(crate) async fn create(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(case_id): PathId,
    posted: Posted<Wanted>,
) -> Answer {
    let Wanted { account, amount_cents, purpose, due, lines, payer, cash_reference } = posted.body;
    let new = NewClaim { case_id, account, amount_cents, purpose, due, lines, payer, cash_reference };
    let once = posted.once.as_ref();
    let replayed = api.first_answer(&caller, once).await?.is_some();
    let claim = api.broker.create_claim(&caller, new, once).await?;
    let path = format!("/claims/{}", claim.meta.id);
    let response = answer::created(shown(&caller, claim), StatusCode::CREATED, &path);
    Ok(answer::replayed(response, replayed))
}

/// `GET /claims`.
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<ClaimQuery>,
) -> Answer {
    let filter = RecordFilter {
        parent: query.case,
        status: query.status.map(|status| status.name().to_owned()),
        reference: query.cash_reference.map(|reference| (CASH_REFERENCE.to_owned(), reference)),
        owner_unit: query.unit,
        service: query.service,
        ..RecordFilter::of(RecordKind::Claim)
    };
    let page = paging::page(query.limit, query.after)?;
    let listed = api.broker.records(&caller, &filter, &page).await?;
    let items: Vec<Value> = listed.items.iter().map(Record::to_json).collect();
    Ok(paging::answer(&uri, Listed { items, next: listed.next }))
}

/// `GET /claims/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    records::read(&api, &caller, RecordKind::Claim, id).await
}

/// `GET /claims/{id}/timeline`.
pub(crate) async fn timeline(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Answer {
    records::timeline(&api, &caller, &uri, (RecordKind::Claim, id), query).await
}

/// `POST /claims/{id}/cancellation`.
pub(crate) async fn cancel(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Plain(once): Plain,
) -> Answer {
    let replayed = replayed(&api, &caller, once.as_ref()).await?;
    let claim = api.broker.cancel_claim(&caller, id, once.as_ref()).await?;
    Ok(answer::replayed(shown(&caller, claim), replayed))
}

/// `PUT /claims/{id}/cash-reference`. The same again changes nothing.
pub(crate) async fn assign_reference(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Json(body): Json<CashReference>,
) -> Answer {
    let claim = api.broker.assign_cash_reference(&caller, id, body.cash_reference, None).await?;
    Ok(shown(&caller, claim))
}

/// `POST /claims/{id}/payments`: 201 with the payment as it stands; the payer pays at its `paymentUrl`.
pub(crate) async fn pay(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: MayPost<Begun>,
) -> Answer {
    let once = posted.once.as_ref();
    let replayed = replayed(&api, &caller, once).await?;
    let new = NewPayment { return_to: posted.body.return_to };
    let payment = api.broker.start_payment(&caller, id, new, once).await?;
    let path = format!("/payments/{}", payment.meta.id);
    let response = answer::record(&Record::Payment(payment));
    Ok(answer::replayed(answer::created(response, StatusCode::CREATED, &path), replayed))
}

/// `GET /claims/{id}/girocode`: the EPC QR code of what is left to pay, as a picture if one is wanted, else as its text.
pub(crate) async fn girocode(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Answer {
    let text = api.broker.girocode(&caller, id).await?;
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (media_type, body) = match accepted.contains("image/") {
        true => ("image/svg+xml", picture(&text)?),
        false => ("text/plain; charset=utf-8", text),
    };
    Ok(([(CONTENT_TYPE, media_type), (VARY, "Accept")], body).into_response())
}

/// A QR code with error correction M, as EPC069-12 wants it. Its text fits into version 13 by its limits.
fn picture(text: &str) -> Result<String, Problem> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M);
    let code = code.map_err(|_| model::Error::Invalid { field: "purpose" })?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(PICTURE, PICTURE).build())
}

/// A claim as the caller may see it: who owes is personal data.
fn shown(caller: &Caller, claim: Claim) -> Response {
    let payer = claim.payer.clone().filter(|_| caller.may(Action::ReadCases).is_ok());
    answer::record(&Record::Claim(Claim { payer, ..claim }))
}

pub(crate) async fn replayed(api: &Api, caller: &Caller, once: Option<&Once>) -> Result<bool, Problem> {
    Ok(api.first_answer(caller, once).await?.is_some())
}
