//! Payments (Zahlungen): where they stand, money that goes back, and what a human decides about contradictions.

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use broker::{Listed, RecordFilter};
use model::payment::record::Decision;
use model::payment::{Payment, PaymentStatus};
use model::{Caller, Id, Record, RecordKind};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::answer::{self, Answer};
use crate::body::{Plain, Posted};
use crate::claims::replayed;
use crate::params::{Params, PathId, PathIds};
use crate::records::{self, PageQuery};
use crate::{Api, paging};

/// Money that shall be given back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewRefund {
    /// Amount in euro cents, at most what was kept.
    amount_cents: i64,
    /// Why, without personal data: 1 to 200 characters.
    reason: String,
}

/// Why a refund is not wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewDecline {
    /// Why, without personal data: 1 to 200 characters.
    reason: String,
}

/// What a human decides about what contradicts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewDecision {
    /// `keep`: the payment stays as it is, an unclear refund was not carried out; `accept`: what the other side says is so, and is booked.
    decision: Decision,
}

/// Which payments; what is absent does not filter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PaymentQuery {
    /// Most items of the page, 1 to 200; 50 if absent.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<Id>,
    /// Claim it pays.
    claim: Option<Id>,
    /// State.
    status: Option<PaymentStatus>,
    /// Unit that owns it.
    unit: Option<String>,
    /// Public service (Leistung).
    service: Option<String>,
}

/// `GET /payments`.
pub(crate) async fn list(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    Params(query): Params<PaymentQuery>,
) -> Answer {
    let filter = RecordFilter {
        parent: query.claim,
        status: query.status.map(|status| status.name().to_owned()),
        owner_unit: query.unit,
        service: query.service,
        ..RecordFilter::of(RecordKind::Payment)
    };
    let page = paging::page(query.limit, query.after)?;
    let listed = api.broker.records(&caller, &filter, &page).await?;
    let items: Vec<Value> = listed.items.iter().map(Record::to_json).collect();
    Ok(paging::answer(&uri, Listed { items, next: listed.next }))
}

/// `GET /payments/{id}`.
pub(crate) async fn read(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    records::read(&api, &caller, RecordKind::Payment, id).await
}

/// `GET /payments/{id}/timeline`.
pub(crate) async fn timeline(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    uri: Uri,
    Params(query): Params<PageQuery>,
) -> Answer {
    records::timeline(&api, &caller, &uri, (RecordKind::Payment, id), query).await
}

/// `POST /payments/{id}/refunds`: asks; somebody else has to agree.
pub(crate) async fn ask_refund(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewRefund>,
) -> Answer {
    let NewRefund { amount_cents, reason } = posted.body;
    let once = posted.once.as_ref();
    let replayed = replayed(&api, &caller, once).await?;
    done(api.broker.ask_refund(&caller, id, amount_cents, reason, once).await, replayed)
}

/// `POST /payments/{id}/refunds/{refund}/agreement`.
pub(crate) async fn agree_refund(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathIds(id, refund): PathIds,
    Plain(once): Plain,
) -> Answer {
    let replayed = replayed(&api, &caller, once.as_ref()).await?;
    done(api.broker.agree_refund(&caller, id, refund, once.as_ref()).await, replayed)
}

/// `POST /payments/{id}/refunds/{refund}/decline`: of one's own refund, it is withdrawn.
pub(crate) async fn decline_refund(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathIds(id, refund): PathIds,
    posted: Posted<NewDecline>,
) -> Answer {
    let NewDecline { reason } = posted.body;
    let once = posted.once.as_ref();
    let replayed = replayed(&api, &caller, once).await?;
    done(api.broker.decline_refund(&caller, id, refund, reason, once).await, replayed)
}

/// `POST /payments/{id}/void`.
pub(crate) async fn void(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Plain(once): Plain,
) -> Answer {
    let replayed = replayed(&api, &caller, once.as_ref()).await?;
    done(api.broker.void_payment(&caller, id, once.as_ref()).await, replayed)
}

/// `POST /payments/{id}/clearing`: the first call asks, that of somebody else carries out.
pub(crate) async fn clear(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewDecision>,
) -> Answer {
    let once = posted.once.as_ref();
    let replayed = replayed(&api, &caller, once).await?;
    done(api.broker.decide_clearing(&caller, id, posted.body.decision, once).await, replayed)
}

fn done(payment: Result<Payment, broker::Error>, replayed: bool) -> Answer {
    Ok(answer::replayed(answer::record(&Record::Payment(payment?)), replayed))
}
