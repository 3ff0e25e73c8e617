//! What the cash office keeps of an account: bank statements, files for the cash system (HKR), and whether the books of both agree.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use broker::{LineDecision, LineState, Once};
use model::payment::{Booking, BookingKind, BookingState};
use model::{Action, Caller, Id, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::body::{MayPost, Plain, Posted, Raw, require_type};
use crate::claims::replayed;
use crate::params::{self, Params, PathName, PathNameId, PathNameNumber};
use crate::problem::Problem;
use crate::{Api, paging, range};

/// Media types of bank statements.
pub(crate) const STATEMENT_TYPES: &[&str] =
    &["application/xml", "text/xml", "application/zip", "application/octet-stream"];

/// Most payments that one line settles, and most entries of an acknowledgement.
const MOST_SETTLED: usize = 1_000;
const MOST_ENTRIES: usize = 5_000;

/// Longest code of a refusal, in characters.
const CODE: usize = 100;

/// What became of a bank statement; for the OpenAPI document.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "names the members of the broker's type")]
pub(crate) struct StatementReport {
    /// The payload that it is kept as.
    statement: Id,
    /// Lines that are new.
    lines: u32,
    /// Lines that were known before: nothing came of them.
    known: u32,
    /// New lines that belong to a claim: money that came by itself, or went back.
    matched: u32,
    /// New lines by which money of online payments arrived.
    settled: u32,
    /// New lines that belong to nothing that is known.
    unmatched: u32,
}

/// A line of a bank statement; for the OpenAPI document.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "names the members that `shown_line` writes")]
pub(crate) struct StatementLine {
    /// Identifier.
    id: Id,
    /// Account.
    account: String,
    /// The bank's own name for it.
    line: String,
    /// The statement that it came in first.
    statement: Id,
    /// Day of the booking, `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    booked_on: Option<String>,
    /// Amount in euro cents, always positive.
    amount_cents: i64,
    /// Whether money came.
    credit: bool,
    /// What became of it.
    state: LineStateName,
    /// The payment that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<Id>,
    /// The claim that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<Id>,
    /// What else is known of it.
    body: Value,
}

/// What became of a line; for the OpenAPI document.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "LineState")]
#[allow(dead_code, reason = "names the states of the store's type")]
pub(crate) enum LineStateName {
    /// It is money towards a claim, or back from one.
    Matched,
    /// By it arrived the money of online payments.
    Settled,
    /// It belongs to nothing that is known.
    Unmatched,
    /// A human said that it is none of ours.
    Ignored,
}

/// What a line is; exactly one of these. Two have to say the same.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewLineDecision {
    /// Money towards this claim.
    #[serde(default)]
    claim: Option<Id>,
    /// By it arrived the money of these payments, 1 to 1,000.
    #[serde(default)]
    settles: Option<Vec<Id>>,
    /// None of ours.
    #[serde(default)]
    ignore: bool,
}

/// Which lines; what is absent does not filter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LineQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Id>,
    /// What became of it.
    #[schemars(with = "Option<LineStateName>")]
    state: Option<LineState>,
    /// The statement that it came in first.
    statement: Option<Id>,
    /// Booked on this day or later, `YYYY-MM-DD`.
    #[schemars(extend("format" = "date"))]
    from: Option<String>,
    /// Booked on this day or before.
    #[schemars(extend("format" = "date"))]
    to: Option<String>,
}

/// A file for the cash system; for the OpenAPI document.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "names the members of the broker's type")]
pub(crate) struct BookingFile {
    /// Account.
    account: String,
    /// Running number of the account's files, from 1.
    number: u64,
    /// Its name, for whoever stores it.
    name: String,
    /// Media type.
    media_type: String,
    /// SHA-256 of its bytes, hex.
    sha256: String,
    /// Its size in bytes.
    bytes: u64,
    /// How many bookings it holds.
    bookings: u32,
    /// When it was made.
    made_at: Timestamp,
    /// When the cash system acknowledged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged_at: Option<Timestamp>,
}

/// Files for the cash system; for the OpenAPI document.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "names the members that `files` writes")]
pub(crate) struct BookingFileList {
    /// The files, newest first; `before` with the last number gives the next ones.
    items: Vec<BookingFile>,
}

/// Which files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FileQuery {
    /// Only those with a smaller number.
    before: Option<u64>,
}

/// What the cash system did with a file. Without anything: it has booked all of it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewAcknowledgement {
    /// Bookings that it refused; all others are booked.
    #[serde(default)]
    refused: Vec<RefusedBooking>,
    /// Kassenzeichen that it gave to claims.
    #[serde(default)]
    cash_references: Vec<GivenReference>,
}

/// A booking that the cash system refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RefusedBooking {
    /// The booking.
    booking: Id,
    /// Why, by a code of the cash system's own: 1 to 100 characters.
    code: String,
}

/// A Kassenzeichen that the cash system gave to a claim.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GivenReference {
    /// The claim.
    claim: Id,
    /// Its Kassenzeichen.
    cash_reference: String,
}

/// Which bookings; what is absent does not filter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BookingQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Id>,
    /// Account.
    account: Option<String>,
    /// Where it stands.
    state: Option<BookingState>,
    /// What happened.
    kind: Option<BookingKind>,
    /// Claim.
    claim: Option<Id>,
    /// Payment.
    payment: Option<Id>,
    /// The account's file of this number. With `account` only.
    file: Option<u64>,
}

/// A period.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PeriodQuery {
    /// Its begin.
    from: Timestamp,
    /// Its end, which is no part of it.
    to: Timestamp,
}

/// Where the books of an account differ; for the OpenAPI document. Each list holds at most 500 entries.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "names the members of the broker's type")]
pub(crate) struct Reconciliation {
    /// Whether nothing is missing: no list is full, and all bookings of the period were looked at.
    complete: bool,
    /// Bookings of money that came or went which the cash system has not acknowledged.
    paid_not_booked: Vec<Booking>,
    /// Bookings that it has acknowledged: receipts of money that is not there any more, and claims that are due and not paid.
    booked_not_paid: Vec<Booking>,
    /// Receipts that it has acknowledged, where what it has booked in all is not what was kept of the payment.
    differing: Vec<Booking>,
    /// Lines of bank statements that belong to nothing.
    unmatched: Vec<StatementLine>,
    /// Online payments whose money has not arrived on the bank account.
    unsettled: Vec<model::payment::Payment>,
}

/// `POST /accounts/{account}/statements`.
pub(crate) async fn take_statement(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathName(account): PathName,
    uri: Uri,
    headers: HeaderMap,
    raw: Raw,
) -> Answer {
    caller.may(Action::KeepCash)?;
    require_type(&headers, STATEMENT_TYPES)?;
    // The broker binds the key to the bytes, too, once it has them.
    let line = format!("POST {uri}\n");
    let key = params::idempotency_key(&headers)?;
    let once = key.map(|key| Once::new(key, seal::sha256(&[line.as_bytes()]).to_string()));
    let replayed = match &once {
        Some(once) => api.broker.knows_key(&caller, &once.key).await?,
        None => false,
    };
    let (body, fault) = raw.split();
    let taken = api.broker.take_statement(&caller, &account, body, once.as_ref()).await;
    let report = taken.map_err(|error| match error {
        broker::Error::NoAccount => Problem::of_account(error),
        error => Raw::explain(&fault, error),
    })?;
    Ok(answer::replayed(answer::json(&report), replayed))
}

/// `GET /accounts/{account}/statement-lines`.
pub(crate) async fn lines(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathName(account): PathName,
    uri: Uri,
    Params(query): Params<LineQuery>,
) -> Answer {
    let filter = broker::LineFilter {
        state: query.state,
        statement: query.statement,
        from: day(query.from, "from")?,
        to: day(query.to, "to")?,
    };
    let page = paging::page(query.limit, query.after)?;
    let listed =
        api.broker.statement_lines(&caller, &account, &filter, &page).await.map_err(Problem::of_account)?;
    let items: Vec<Value> = listed.items.iter().map(shown_line).collect();
    Ok(paging::answer(&uri, broker::Listed { items, next: listed.next }))
}

/// `POST /accounts/{account}/statement-lines/{line}/decision`: the first call asks, that of somebody else carries out.
pub(crate) async fn decide_line(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathNameId(account, line): PathNameId,
    posted: Posted<NewLineDecision>,
) -> Answer {
    let decision = match posted.body {
        NewLineDecision { claim: Some(claim), settles: None, ignore: false } => LineDecision::Claim(claim),
        NewLineDecision { claim: None, settles: Some(payments), ignore: false } => {
            if !(1..=MOST_SETTLED).contains(&payments.len()) {
                return Err(model::Error::Invalid { field: "settles" }.into());
            }
            LineDecision::Settles(payments)
        }
        NewLineDecision { claim: None, settles: None, ignore: true } => LineDecision::Ignore,
        _ => return Err(Problem::invalid_body(String::new())),
    };
    let once = posted.once.as_ref();
    let replayed = replayed(&api, &caller, once).await?;
    let line =
        api.broker.decide_line(&caller, &account, line, decision, once).await.map_err(Problem::of_account)?;
    Ok(answer::replayed(answer::json(&shown_line(&line)), replayed))
}

/// `POST /accounts/{account}/booking-files`: 201 with the file, or 204 if there is nothing to hand over.
pub(crate) async fn export(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathName(account): PathName,
    Plain(once): Plain,
) -> Answer {
    let replayed = replayed(&api, &caller, once.as_ref()).await?;
    let Some(file) =
        api.broker.export_bookings(&caller, &account, once.as_ref()).await.map_err(Problem::of_account)?
    else {
        return Ok(answer::replayed(StatusCode::NO_CONTENT.into_response(), replayed));
    };
    // Names of accounts are names of the configuration, which need no encoding.
    let path = format!("/accounts/{}/booking-files/{}", file.account, file.number);
    let response = answer::created(answer::json(&file), StatusCode::CREATED, &path);
    Ok(answer::replayed(response, replayed))
}

/// `GET /accounts/{account}/booking-files`.
pub(crate) async fn files(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathName(account): PathName,
    Params(query): Params<FileQuery>,
) -> Answer {
    let before = query.before.map(|before| i64::try_from(before).map(|_| before)).transpose();
    let before = before.map_err(|_| Problem::invalid_query("before"))?;
    let items = api.broker.booking_files(&caller, &account, before).await.map_err(Problem::of_account)?;
    Ok(answer::json(&json!({ "items": items })))
}

/// `GET /accounts/{account}/booking-files/{number}`.
pub(crate) async fn file(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathNameNumber(account, number): PathNameNumber,
) -> Answer {
    Ok(answer::json(&api.broker.booking_file(&caller, &account, number).await.map_err(Problem::of_account)?))
}

/// `GET /accounts/{account}/booking-files/{number}/content`.
pub(crate) async fn content(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathNameNumber(account, number): PathNameNumber,
    headers: HeaderMap,
) -> Answer {
    let (file, payload) =
        api.broker.booking_file_content(&caller, &account, number).await.map_err(Problem::of_account)?;
    Ok(range::answer(&headers, &payload, (file.bytes, &file.sha256), &file.media_type, &file.name))
}

/// `POST /accounts/{account}/booking-files/{number}/acknowledgement`. The same again changes nothing.
pub(crate) async fn acknowledge(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathNameNumber(account, number): PathNameNumber,
    posted: MayPost<NewAcknowledgement>,
) -> Answer {
    let given = acknowledgement(posted.body)?;
    let once = posted.once.as_ref();
    let replayed = replayed(&api, &caller, once).await?;
    let file = api
        .broker
        .acknowledge_file(&caller, &account, number, given, once)
        .await
        .map_err(Problem::of_account)?;
    Ok(answer::replayed(answer::json(&file), replayed))
}

fn acknowledgement(given: NewAcknowledgement) -> Result<broker::Acknowledgement, Problem> {
    let NewAcknowledgement { refused, cash_references } = given;
    let is_code =
        |code: &str| (1..=CODE).contains(&code.chars().count()) && !code.chars().any(char::is_control);
    if refused.len() > MOST_ENTRIES || !refused.iter().all(|refused| is_code(&refused.code)) {
        return Err(model::Error::Invalid { field: "refused" }.into());
    }
    if cash_references.len() > MOST_ENTRIES {
        return Err(model::Error::Invalid { field: "cashReferences" }.into());
    }
    Ok(broker::Acknowledgement {
        refused: refused.into_iter().map(|refused| (refused.booking, refused.code)).collect(),
        cash_references: cash_references
            .into_iter()
            .map(|given| (given.claim, given.cash_reference))
            .collect(),
    })
}

/// `GET /bookings`.
pub(crate) async fn bookings(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<BookingQuery>,
) -> Answer {
    let is_wrong = |file: u64| query.account.is_none() || i64::try_from(file).is_err();
    if query.file.is_some_and(is_wrong) {
        return Err(Problem::invalid_query("file"));
    }
    let filter = broker::BookingFilter {
        account: query.account,
        state: query.state,
        kind: query.kind,
        claim: query.claim,
        payment: query.payment,
        file: query.file,
        ..broker::BookingFilter::default()
    };
    let page = paging::page(query.limit, query.after)?;
    Ok(paging::answer(&uri, api.broker.bookings(&caller, &filter, &page).await?))
}

/// `GET /accounts/{account}/reconciliation`.
pub(crate) async fn reconcile(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathName(account): PathName,
    Params(query): Params<PeriodQuery>,
) -> Answer {
    let PeriodQuery { from, to } = query;
    if from > to {
        return Err(Problem::invalid_query("to"));
    }
    let found = api.broker.reconciliation(&caller, &account, from, to).await.map_err(Problem::of_account)?;
    let mut json = json!(found);
    json["unmatched"] = found.unmatched.iter().map(shown_line).collect();
    Ok(answer::json(&json))
}

/// A line without what is the store's own.
fn shown_line(line: &broker::StatementLine) -> Value {
    let mut json = json!(line);
    if let Some(members) = json.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "tenant" | "version"));
    }
    json
}

/// A day of a query.
fn day(text: Option<String>, name: &'static str) -> Result<Option<String>, Problem> {
    let is_day = |text: &String| text.len() == 10 && Timestamp::parse(&format!("{text}T00:00:00Z")).is_some();
    if text.as_ref().is_none_or(is_day) { Ok(text) } else { Err(Problem::invalid_query(name)) }
}
