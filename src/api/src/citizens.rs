//! What clerks and portals do for citizens: applications are brought in, access is given and revoked, documents are asked for, links for
//! payments are made. What citizens themselves see and do stands behind the public doors (`doors::citizen`).

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use broker::{Access, Application, Asked, Attachment};
use model::activity::Task;
use model::case::{Description, Location, Reference};
use model::party::Party;
use model::{Caller, Id, Timestamp, ids};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Api;
use crate::answer::{self, Answer};
use crate::body::{Plain, Posted};
use crate::params::PathId;
use crate::problem::Problem;

/// Longest text of a payment, and of what the data is made by, in characters.
const TEXT_CHARS: usize = 500;

/// An application (Antrag) that a portal brings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewApplication {
    /// Public service (Leistung) that is applied for.
    public_service: String,
    /// Unit that works on it; absent: that of the authority.
    #[serde(default)]
    unit: Option<String>,
    /// Title of the case, at most 2,000 characters.
    title: String,
    /// Remark.
    #[serde(default)]
    note: Option<String>,
    /// Who applies, with how they proved who they are, whom they act for, mailbox, and the way by which they want to hear of it.
    applicant: Party,
    /// Others whom it concerns.
    #[serde(default)]
    parties: Vec<Party>,
    /// Identifiers of the application at the portal; none of the kind `citizen`, which is the gateway's own.
    #[serde(default)]
    references: Vec<Reference>,
    /// Places that it is about.
    #[serde(default)]
    locations: Vec<Location>,
    /// When the portal had it, if it can prove that: at most half a year ago; up to five minutes ahead of the gateway's clock is now.
    #[serde(default)]
    received_at: Option<Timestamp>,
    /// The form's data, at most 200 KiB: JSON, or any text such as XML as a string. Kept as a document.
    #[serde(default)]
    data: Option<Value>,
    /// Media type of the data; absent: that of JSON, or of XML if the data is a string.
    #[serde(default)]
    data_type: Option<String>,
    /// What the data is made by, such as the address of its schema.
    #[serde(default)]
    schema: Option<String>,
    /// What comes with it. Their bytes are brought afterwards by `PUT /documents/{id}/content`, also in parts.
    #[serde(default)]
    attachments: Vec<NewAttachment>,
    /// What the portal says of a payment, with the members of FIT-Connect's metadata.
    #[serde(default)]
    payment: Option<PaymentInformation>,
}

/// Something that comes with an application.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewAttachment {
    /// Title.
    title: String,
    /// Kind of document (Dokumenttyp).
    #[serde(default)]
    kind: Option<String>,
}

/// What a portal says of a payment (FIT-Connect metadata 2.1.0, `paymentInformation`). Nothing is booked because of it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PaymentInformation {
    /// The portal's identifier of the payment.
    transaction_id: String,
    /// The reference by which the payer finds it.
    transaction_reference: String,
    /// `GIROPAY`, `PAYDIRECT`, `CREDITCARD`, `PAYPAL`, `INVOICE` or `OTHER`.
    payment_method: String,
    /// `INITIAL`, `BOOKED`, `FAILED` or `CANCELED`.
    status: String,
    /// Where it is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transaction_url: Option<String>,
    /// When it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transaction_timestamp: Option<Timestamp>,
    /// More about the method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payment_method_detail: Option<String>,
    /// Amount in euro cents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gross_amount_cents: Option<i64>,
}

/// What became of an application.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Applied {
    /// The case.
    case: Id,
    /// The contact that it is.
    interaction: Id,
    /// When the authority had it.
    received_at: Timestamp,
    /// What the applicant enters at `statusUrl`.
    number: String,
    /// The same; for the applicant alone.
    secret: String,
    /// Where the applicant sees how it stands.
    status_url: String,
    /// The documents of the attachments, in their order.
    documents: Vec<Id>,
}

/// What opens a case for its citizen.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CitizenAccess {
    /// What the citizen enters at `statusUrl`.
    number: String,
    /// The same; for the citizen alone.
    secret: String,
    /// Where the citizen sees how the case stands.
    status_url: String,
}

/// A document that is missing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewDocumentRequest {
    /// What is missing, in words for the citizen and without personal data: 1 to 200 characters.
    what: String,
    /// Days that the citizen has, 1 to 366.
    due_days: u32,
}

/// A request for a document.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DocumentRequest {
    /// The task that waits for it.
    task: Task,
    /// Where it is brought, for the citizen alone; over with the task.
    link: String,
}

/// Where a claim is paid.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentLink {
    /// The address, for whoever owes it; over when nothing is owed any more.
    link: String,
}

/// `POST /applications`.
pub(crate) async fn apply(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    posted: Posted<NewApplication>,
) -> Answer {
    let once = posted.once.ok_or_else(|| Problem::invalid_header("Idempotency-Key"))?;
    let application = application_of(posted.body)?;
    let applied = api.broker.take_application(&caller, application, &once).await?;
    let Access { case, number, secret, status_url } = applied.access;
    let path = format!("/cases/{case}");
    let response = answer::json(&Applied {
        case,
        interaction: applied.interaction,
        received_at: applied.received_at,
        number,
        secret,
        status_url,
        documents: applied.documents,
    });
    Ok(answer::replayed(answer::created(response, StatusCode::CREATED, &path), applied.again))
}

fn application_of(new: NewApplication) -> Result<Application, Problem> {
    let invalid = |field| Problem::from(model::Error::Invalid { field });
    if !ids::is_name(&new.public_service) {
        return Err(invalid("publicService"));
    }
    let is_long = |text: &str| text.chars().count() > TEXT_CHARS;
    if new.schema.as_deref().is_some_and(is_long) || new.data_type.as_deref().is_some_and(is_long) {
        return Err(invalid("schema"));
    }
    if new.payment.as_ref().is_some_and(|payment| !payment.is_good()) {
        return Err(invalid("payment"));
    }
    let form = new.data.map(|data| form_of(data, new.data_type));
    let parties = std::iter::once(applicant(new.applicant)).chain(new.parties).collect();
    Ok(Application {
        unit: new.unit,
        service: Some(new.public_service),
        description: Description {
            title: new.title,
            note: new.note,
            parties,
            references: new.references,
            ..Description::default()
        },
        locations: new.locations,
        received_at: new.received_at,
        form,
        schema: new.schema,
        attachments: new
            .attachments
            .into_iter()
            .map(|it| Attachment { title: it.title, kind: it.kind })
            .collect(),
        payment: new.payment.map(|payment| json!(payment)),
    })
}

fn applicant(party: Party) -> Party {
    Party { role: party.role.or_else(|| Some("applicant".to_owned())), ..party }
}

/// Media type and bytes of the form's data.
fn form_of(data: Value, media_type: Option<String>) -> (String, Vec<u8>) {
    match data {
        Value::String(text) => {
            (media_type.unwrap_or_else(|| "application/xml".to_owned()), text.into_bytes())
        }
        data => (media_type.unwrap_or_else(|| "application/json".to_owned()), data.to_string().into_bytes()),
    }
}

impl PaymentInformation {
    fn is_good(&self) -> bool {
        const METHODS: [&str; 6] = ["GIROPAY", "PAYDIRECT", "CREDITCARD", "PAYPAL", "INVOICE", "OTHER"];
        const STATES: [&str; 4] = ["INITIAL", "BOOKED", "FAILED", "CANCELED"];
        let texts = [&self.transaction_id, &self.transaction_reference].into_iter();
        let mut texts = texts.chain(&self.transaction_url).chain(&self.payment_method_detail);
        let is_short = texts.all(|text| text.chars().count() <= TEXT_CHARS);
        is_short && METHODS.contains(&self.payment_method.as_str()) && STATES.contains(&self.status.as_str())
    }
}

/// `POST /cases/{id}/citizen-access`. The same again gives the same, as long as it is not revoked.
pub(crate) async fn give(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    Plain(_): Plain,
) -> Answer {
    let Access { number, secret, status_url, .. } = api.broker.give_access(&caller, id).await?;
    Ok(answer::json(&CitizenAccess { number, secret, status_url }))
}

/// `DELETE /cases/{id}/citizen-access`.
pub(crate) async fn revoke(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    api.broker.revoke_access(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /cases/{id}/document-requests`.
pub(crate) async fn ask(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
    posted: Posted<NewDocumentRequest>,
) -> Answer {
    let replayed = api.first_answer(&caller, posted.once.as_ref()).await?.is_some();
    let NewDocumentRequest { what, due_days } = posted.body;
    let asked = Asked { what, due_days };
    let wanting = api.broker.ask_for_document(&caller, id, asked, posted.once.as_ref()).await?;
    let path = format!("/tasks/{}", wanting.task.meta.id);
    let response: Response = answer::json(&DocumentRequest { task: wanting.task, link: wanting.link });
    Ok(answer::replayed(answer::created(response, StatusCode::CREATED, &path), replayed))
}

/// `GET /claims/{id}/payment-link`.
pub(crate) async fn payment_link(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> Answer {
    let link = api.broker.payment_link(&caller, id).await?;
    Ok(answer::json(&PaymentLink { link }))
}
