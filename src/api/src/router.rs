//! Every route of the interface, once. The router, the OpenAPI document and the tests that walk all routes
//! are made from this list, so none of them can forget one.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use model::Action::{
    ConfirmImport, Exchange as StartExchange, ManagePartners, ManageTokens, ReadCases, ReadContent,
    ReadEvents, ReadEvidence, ReadMessages, ReadPartners, RepairMessages, SendMessages, Subscribe, UseInbox,
    WorkTasks, WriteCases,
};
use model::activity::Task;
use model::case::{Case, CaseFile, Document};
use model::exchange::Exchange;
use model::message::Message;

use crate::answer::Answer;
use crate::case_files::{NewCaseFile, NewLock, NewReference};
use crate::paging::PageOf;
use crate::problem::Problem;
use crate::records::{ListQuery, PageQuery, TimelineEntry};
use crate::route::{Needs, Route};
use crate::{
    Api, BASE, auth, case_files, cases, checks, clarifications, documents, events, evidence, exchanges,
    inbox, lanes, messages, meter, openapi, partners, repairs, schemas, subscriptions, tasks, tokens,
    uploads,
};

/// Every route, in the order of the documentation.
pub fn routes() -> Vec<Route> {
    [
        case_file_routes(),
        case_routes(),
        document_routes(),
        exchange_routes(),
        message_routes(),
        upload_routes(),
        clarification_routes(),
        lane_routes(),
        house_routes(),
        subscription_routes(),
    ]
    .concat()
}

fn case_file_routes() -> Vec<Route> {
    vec![
        Route::post("/case-files", "createCaseFile", case_files::create)
            .says("Creates a case file (Akte).")
            .needs(WriteCases)
            .takes::<NewCaseFile>()
            .gives::<CaseFile>(201),
        Route::get("/case-files", "listCaseFiles", case_files::list)
            .says("Lists the case files that the token sees.")
            .needs(ReadCases)
            .query::<ListQuery>()
            .gives::<PageOf<CaseFile>>(200),
        Route::get("/case-files/{id}", "readCaseFile", case_files::read)
            .says("Gives one case file.")
            .needs(ReadCases)
            .gives::<CaseFile>(200),
        Route::patch("/case-files/{id}", "amendCaseFile", case_files::amend)
            .says("Changes members of a case file by a merge patch.")
            .needs(WriteCases)
            .patches::<CaseFile>()
            .gives::<CaseFile>(200),
        Route::post("/case-files/{id}/case-files", "createCaseFilePart", case_files::create_part)
            .says("Creates a part (Teilakte) of a case file.")
            .needs(WriteCases)
            .takes::<NewCaseFile>()
            .gives::<CaseFile>(201),
        Route::post(
            "/case-files/{id}/record-reference",
            "assignCaseFileReference",
            case_files::assign_reference,
        )
        .says("Assigns the Aktenzeichen of a case file.")
        .needs(WriteCases)
        .takes::<NewReference>()
        .gives::<CaseFile>(200),
        Route::post("/case-files/{id}/close", "closeCaseFile", case_files::close)
            .says("Closes a case file (zu den Akten).")
            .needs(WriteCases)
            .may_match()
            .may_match()
            .gives::<CaseFile>(200),
        Route::post("/case-files/{id}/reopen", "reopenCaseFile", case_files::reopen)
            .says("Reopens a closed case file.")
            .needs(WriteCases)
            .may_match()
            .gives::<CaseFile>(200),
        Route::post("/case-files/{id}/lock", "lockCaseFile", case_files::lock)
            .says("Locks a case file whose import the receiver has confirmed.")
            .needs(StartExchange)
            .takes::<NewLock>()
            .gives::<CaseFile>(200),
        Route::get("/case-files/{id}/timeline", "readCaseFileTimeline", case_files::timeline)
            .says("Tells what happened to a case file, oldest first.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<TimelineEntry>>(200),
        Route::post("/case-files/{id}/documents", "createCaseFileDocument", documents::create_in_case_file)
            .says("Creates a document in a case file.")
            .needs(WriteCases)
            .takes::<documents::NewDocument>()
            .gives::<Document>(201),
        Route::get("/case-files/{id}/documents", "listCaseFileDocuments", case_files::documents)
            .says("Lists the documents directly in a case file.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<Document>>(200),
    ]
}

fn case_routes() -> Vec<Route> {
    vec![
        Route::post("/cases", "createCase", cases::create)
            .says("Creates a case (Vorgang).")
            .needs(WriteCases)
            .takes::<cases::NewCase>()
            .gives::<Case>(201),
        Route::get("/cases", "listCases", cases::list)
            .says("Lists the cases that the token sees.")
            .needs(ReadCases)
            .query::<ListQuery>()
            .gives::<PageOf<Case>>(200),
        Route::get("/cases/{id}", "readCase", cases::read)
            .says("Gives one case.")
            .needs(ReadCases)
            .gives::<Case>(200),
        Route::patch("/cases/{id}", "amendCase", cases::amend)
            .says("Changes members of a case by a merge patch.")
            .needs(WriteCases)
            .patches::<Case>()
            .gives::<Case>(200),
        Route::post("/cases/{id}/record-reference", "assignCaseReference", cases::assign_reference)
            .says("Assigns the Aktenzeichen of a case.")
            .needs(WriteCases)
            .may_match()
            .takes::<NewReference>()
            .gives::<Case>(200),
        Route::post("/cases/{id}/close", "closeCase", cases::close)
            .says("Closes a case (zu den Akten).")
            .needs(WriteCases)
            .may_match()
            .gives::<Case>(200),
        Route::post("/cases/{id}/reopen", "reopenCase", cases::reopen)
            .says("Reopens a closed case.")
            .needs(WriteCases)
            .may_match()
            .gives::<Case>(200),
        Route::post("/cases/{id}/lock", "lockCase", cases::lock)
            .says("Locks a case whose import the receiver has confirmed.")
            .needs(StartExchange)
            .takes::<NewLock>()
            .gives::<Case>(200),
        Route::get("/cases/{id}/timeline", "readCaseTimeline", cases::timeline)
            .says("Tells what happened to a case, oldest first.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<TimelineEntry>>(200),
        Route::post("/cases/{id}/documents", "createCaseDocument", documents::create_in_case)
            .says("Creates a document in a case.")
            .needs(WriteCases)
            .takes::<documents::NewDocument>()
            .gives::<Document>(201),
        Route::get("/cases/{id}/documents", "listCaseDocuments", cases::documents)
            .says("Lists the documents directly in a case.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<Document>>(200),
    ]
}

fn document_routes() -> Vec<Route> {
    vec![
        Route::get("/documents/{id}", "readDocument", documents::read)
            .says("Gives one document.")
            .needs(ReadCases)
            .gives::<Document>(200),
        Route::patch("/documents/{id}", "amendDocument", documents::amend)
            .says("Changes members of a document by a merge patch.")
            .needs(WriteCases)
            .patches::<Document>()
            .gives::<Document>(200),
        Route::post("/documents/{id}/documents", "createEnclosure", documents::create_in_document)
            .says("Creates a document that belongs to another (Anlage).")
            .needs(WriteCases)
            .takes::<documents::NewDocument>()
            .gives::<Document>(201),
        Route::get("/documents/{id}/documents", "listEnclosures", documents::enclosures)
            .says("Lists the documents that belong to a document.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<Document>>(200),
        Route::post("/documents/{id}/lock", "lockDocument", documents::lock)
            .says("Locks a document that was handed over alone and whose import the receiver has confirmed.")
            .needs(StartExchange)
            .takes::<NewLock>()
            .gives::<Document>(200),
        Route::get("/documents/{id}/timeline", "readDocumentTimeline", documents::timeline)
            .says("Tells what happened to a document, oldest first.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<TimelineEntry>>(200),
        Route::put("/documents/{id}/content", "uploadContent", documents::upload)
            .says(
                "Adds a file to a document; answers once it is durable. The same file again changes nothing.",
            )
            .needs(WriteCases)
            .may_match()
            .query::<documents::UploadQuery>()
            .takes_raw(&["*/*"])
            .gives::<Document>(201),
        Route::get("/documents/{id}/content", "readContent", documents::content)
            .says("Gives the bytes of a file of a document, or a range of them.")
            .needs(ReadContent)
            .query::<documents::ContentQuery>()
            .gives_raw("*/*"),
    ]
}

fn exchange_routes() -> Vec<Route> {
    vec![
        Route::post("/exchanges", "startExchange", exchanges::start)
            .says("Starts a hand-over (Abgabe) or submission (Aktenvorlage) to another authority.")
            .needs(StartExchange)
            .takes::<exchanges::Wanted>()
            .gives::<Exchange>(202),
        Route::get("/exchanges", "listExchanges", exchanges::list)
            .says("Lists the exchanges that the token sees.")
            .needs(ReadCases)
            .query::<exchanges::ExchangeQuery>()
            .gives::<PageOf<Exchange>>(200),
        Route::get("/exchanges/{id}", "readExchange", exchanges::read)
            .says("Gives one exchange with its objects, their results and its messages.")
            .needs(ReadCases)
            .gives::<Exchange>(200),
        Route::post("/exchanges/{id}/import-results", "reportImport", exchanges::import_results)
            .says("Reports what the record-keeping system imported, per object.")
            .needs(ConfirmImport)
            .takes::<exchanges::ImportResults>()
            .gives::<Exchange>(200),
        Route::get("/inbox", "listInbox", inbox::list)
            .says("Lists what is in the mailbox of the token's authority.")
            .needs(UseInbox)
            .query::<inbox::InboxQuery>()
            .gives::<PageOf<inbox::InboxEntry>>(200),
        Route::post("/inbox/leases", "leaseInbox", inbox::lease)
            .says("Hands entries of the mailbox out for a time, to nobody else meanwhile.")
            .needs(UseInbox)
            .takes::<inbox::NewLease>()
            .gives::<inbox::Leased>(200),
        Route::post("/inbox/{id}/confirm", "confirmInboxEntry", inbox::confirm)
            .says("Confirms a leased entry: the caller has it durably.")
            .needs(UseInbox)
            .gives::<inbox::InboxEntry>(200),
        Route::post("/inbox/{id}/return", "returnInboxEntry", inbox::give_back)
            .says("Sends a leased entry back to its sender.")
            .needs(UseInbox)
            .takes::<inbox::NewReturn>()
            .gives::<inbox::InboxEntry>(200),
    ]
}

fn message_routes() -> Vec<Route> {
    vec![
        Route::post("/messages", "sendMessage", messages::send)
            .says("Takes a raw message or container in; answers once it is durable.")
            .needs(SendMessages)
            .query::<messages::SendQuery>()
            .takes_raw(messages::MEDIA_TYPES)
            .gives::<Message>(202),
        Route::get("/messages", "listMessages", messages::list)
            .says("Lists the messages that the token sees, each with the first findings of its report.")
            .needs(ReadMessages)
            .query::<messages::MessageQuery>()
            .gives::<PageOf<Message>>(200),
        Route::get("/messages/{id}", "readMessage", messages::read)
            .says("Gives one message with the whole report of its check.")
            .needs(ReadMessages)
            .gives::<Message>(200),
        Route::get("/messages/{id}/content", "readMessageContent", messages::content)
            .says("Gives the bytes of a message, or a range of them.")
            .needs(ReadContent)
            .gives_raw("*/*"),
        Route::get("/messages/{id}/timeline", "readMessageTimeline", messages::timeline)
            .says("Tells what happened to a message, oldest first.")
            .needs(ReadMessages)
            .query::<PageQuery>()
            .gives::<PageOf<TimelineEntry>>(200),
        Route::post("/checks", "checkMessage", checks::run)
            .says("Checks a message or container without any effect.")
            .needs(SendMessages)
            .query::<checks::CheckQuery>()
            .takes_raw(messages::MEDIA_TYPES)
            .gives::<checks::Check>(200),
        Route::get("/events", "readEvents", events::feed)
            .says("Gives the sealed events behind a number, and waits for the next if asked.")
            .needs(ReadEvents)
            .query::<events::EventQuery>()
            .gives::<events::EventFeed>(200),
        Route::get("/evidence/{id}", "exportEvidence", evidence::export)
            .says("Gives the evidence bundle of a case file or case, verifiable without the gateway.")
            .needs(ReadEvidence)
            .query::<evidence::EvidenceQuery>()
            .gives_raw("application/zip"),
    ]
}

fn upload_routes() -> Vec<Route> {
    vec![
        Route::get("/uploads/{id}", "readUpload", uploads::read)
            .says("Tells how far an upload has come (resumable uploads; HEAD does, too).")
            .gives::<uploads::ShownUpload>(200),
        Route::patch("/uploads/{id}", "appendUpload", uploads::append)
            .says("Adds a part to an upload; the last part is answered as its target answers.")
            .takes_raw(&[uploads::PART])
            .gives_nothing(204),
        Route::delete("/uploads/{id}", "cancelUpload", uploads::cancel)
            .says("Gives an upload up.")
            .gives_nothing(204),
    ]
}

fn clarification_routes() -> Vec<Route> {
    vec![
        Route::post("/messages/{id}/resend", "resendMessage", repairs::resend)
            .says("Tries a parked message again.")
            .needs(RepairMessages)
            .may_take::<repairs::Noted>()
            .gives::<Message>(200),
        Route::post("/messages/{id}/park", "parkMessage", repairs::park)
            .says("Puts a message aside for a human (Klärungsfall).")
            .needs(RepairMessages)
            .may_take::<repairs::Noted>()
            .gives::<Message>(200),
        Route::post("/messages/{id}/return", "returnMessage", repairs::give_back)
            .says("Sends a message back to its sender.")
            .needs(RepairMessages)
            .may_take::<repairs::Returned>()
            .gives::<Message>(200),
        Route::post("/messages/{id}/repair", "repairMessage", repairs::repair)
            .says("Gives a parked incoming message mended bytes and processes it again; the first bytes stay.")
            .needs(RepairMessages)
            .query::<repairs::RepairQuery>()
            .takes_raw(messages::MEDIA_TYPES)
            .gives::<Message>(200),
        Route::post("/messages/{id}/forward", "forwardMessage", repairs::forward)
            .says("Hands an incoming message to the authority that is competent.")
            .needs(RepairMessages)
            .takes::<repairs::NewForward>()
            .gives::<Message>(200),
        Route::post("/messages/resend", "resendMessages", repairs::resend_many)
            .says("Tries many parked messages again after an outage, or says how many there are.")
            .needs(RepairMessages)
            .takes::<repairs::NewRedrive>()
            .gives::<repairs::Operation>(202),
        Route::get("/operations/{id}", "readOperation", repairs::operation)
            .says("Tells how far an operation on many messages is.")
            .needs(ReadMessages)
            .gives::<repairs::Operation>(200),
        Route::get("/clarifications", "listClarifications", clarifications::list)
            .says("Lists the messages that wait for a human (Klärungsfälle), each with its rule and who must act.")
            .needs(ReadMessages)
            .query::<clarifications::ClarificationQuery>()
            .gives::<PageOf<clarifications::Clarification>>(200),
        Route::get("/clarifications/summary", "countClarifications", clarifications::summary)
            .says("Counts the messages that wait for a human by rule, the most frequent first.")
            .needs(ReadMessages)
            .query::<clarifications::SummaryQuery>()
            .gives::<clarifications::Summary>(200),
        Route::get("/clarifications/{id}", "readClarification", clarifications::read)
            .says("Explains why a message waits: rule, place, partner, who must act, what was tried and may be done.")
            .needs(ReadMessages)
            .gives::<clarifications::Clarification>(200),
    ]
}

fn lane_routes() -> Vec<Route> {
    vec![
        Route::get("/lanes", "listLanes", lanes::list)
            .says("Lists the lanes to partners and of work: what waits, what failed, whether it is tried.")
            .needs(ReadPartners)
            .gives::<lanes::LaneList>(200),
        Route::post("/lanes/{name}/retry", "retryLane", lanes::retry)
            .says("Tries what waits in a lane again now, one job ahead of the others.")
            .needs(RepairMessages)
            .gives::<lanes::ShownLane>(200),
    ]
}

fn house_routes() -> Vec<Route> {
    vec![
        Route::post("/tasks", "createTask", tasks::create)
            .says("Gives a unit a task (Aufgabe).")
            .needs(WorkTasks)
            .takes::<tasks::NewTask>()
            .gives::<Task>(201),
        Route::get("/tasks", "listTasks", tasks::list)
            .says("Lists the tasks of the token's units.")
            .needs(WorkTasks)
            .query::<tasks::TaskQuery>()
            .gives::<PageOf<Task>>(200),
        Route::get("/tasks/{id}", "readTask", tasks::read)
            .says("Gives one task.")
            .needs(WorkTasks)
            .gives::<Task>(200),
        Route::patch("/tasks/{id}", "amendTask", tasks::amend)
            .says("Changes members of a task by a merge patch.")
            .needs(WorkTasks)
            .patches::<Task>()
            .gives::<Task>(200),
        Route::post("/tasks/{id}/assign", "assignTask", tasks::assign)
            .says("Says who works on a task.")
            .needs(WorkTasks)
            .may_match()
            .takes::<tasks::Assignment>()
            .gives::<Task>(200),
        Route::post("/tasks/{id}/complete", "completeTask", tasks::complete)
            .says("Says that a task is done.")
            .needs(WorkTasks)
            .may_match()
            .takes::<tasks::Completion>()
            .gives::<Task>(200),
        Route::post("/tasks/{id}/cancel", "cancelTask", tasks::cancel)
            .says("Says that a task is not needed any more.")
            .needs(WorkTasks)
            .may_match()
            .gives::<Task>(200),
        Route::get("/partners", "listPartners", partners::list)
            .says("Lists the partners of the tenant.")
            .needs(ReadPartners)
            .gives::<partners::PartnerList>(200),
        Route::get("/partners/{id}", "readPartner", partners::read)
            .says("Gives one partner.")
            .needs(ReadPartners)
            .gives::<partners::ShownPartner>(200),
        Route::put("/partners/{id}", "putPartner", partners::put)
            .says("Creates a partner, or changes the version that If-Match names.")
            .needs(ManagePartners)
            .may_match()
            .takes::<partners::Stated>()
            .gives::<partners::ShownPartner>(200),
        Route::get("/capabilities/{authority}", "readCapabilities", partners::capabilities)
            .says("Tells which standards and sizes an authority takes.")
            .needs(ReadPartners)
            .query::<partners::CapabilityQuery>()
            .gives::<partners::Capabilities>(200),
        Route::get("/tokens", "listTokens", tokens::list)
            .says("Lists the tokens that see no more than the caller's and act for the same authority.")
            .needs(ManageTokens)
            .gives::<tokens::TokenList>(200),
        Route::post("/tokens", "createToken", tokens::create)
            .says("Makes a token that has no more rights than the caller's, and shows it once.")
            .needs(ManageTokens)
            .takes::<tokens::Wanted>()
            .gives::<tokens::ShownToken>(201),
        Route::delete("/tokens/{id}", "revokeToken", tokens::revoke)
            .says("Ends a token: on this node at once, on others within a second.")
            .needs(ManageTokens)
            .gives_nothing(204),
        Route::get("/schemas", "listSchemas", schemas::list)
            .says("Lists the names of the JSON Schemas of the records.")
            .gives::<schemas::SchemaList>(200),
        Route::get("/schemas/{name}", "readSchema", schemas::read)
            .says("Gives one JSON Schema.")
            .gives_raw("application/schema+json"),
        Route::get("/openapi.json", "readOpenapi", openapi::serve)
            .says("Gives this document.")
            .open()
            .gives_raw("application/json"),
    ]
}

fn subscription_routes() -> Vec<Route> {
    vec![
        Route::post("/subscriptions", "createSubscription", subscriptions::create)
            .says("Has events sent to an address by webhooks, and shows the secret that signs them once.")
            .needs(Subscribe)
            .takes::<subscriptions::Wanted>()
            .gives::<subscriptions::ShownSubscription>(201),
        Route::get("/subscriptions", "listSubscriptions", subscriptions::list)
            .says("Lists the token's subscriptions; for whoever manages tokens, also those of their tokens.")
            .needs(Subscribe)
            .gives::<subscriptions::SubscriptionList>(200),
        Route::get("/subscriptions/{id}", "readSubscription", subscriptions::read)
            .says("Gives one subscription, and how far it has got.")
            .needs(Subscribe)
            .gives::<subscriptions::ShownSubscription>(200),
        Route::patch("/subscriptions/{id}", "amendSubscription", subscriptions::amend)
            .says(
                "Changes address, kinds, position or state; what waits for another attempt is tried at once.",
            )
            .needs(Subscribe)
            .patches::<subscriptions::SubscriptionPatch>()
            .gives::<subscriptions::ShownSubscription>(200),
        Route::delete("/subscriptions/{id}", "deleteSubscription", subscriptions::delete)
            .says("Ends a subscription.")
            .needs(Subscribe)
            .gives_nothing(204),
        Route::post("/subscriptions/{id}/rotate-secret", "rotateSubscriptionSecret", subscriptions::rotate)
            .says("Makes a new secret and shows it once; the old one signs beside it for a while.")
            .needs(Subscribe)
            .takes::<subscriptions::SecretRotation>()
            .gives::<subscriptions::ShownSubscription>(200),
        Route::post("/subscriptions/{id}/test", "testSubscription", subscriptions::test)
            .says("Has a test sent, once; how it went stands among the deliveries.")
            .needs(Subscribe)
            .gives::<subscriptions::ShownSubscription>(202),
        Route::get("/subscriptions/{id}/deliveries", "listDeliveries", subscriptions::deliveries)
            .says("Tells how the latest events were delivered, newest first.")
            .needs(Subscribe)
            .gives::<subscriptions::DeliveryList>(200),
    ]
}

/// The interface as a router.
pub fn router(api: Api) -> Router {
    meter::start();
    let (open, closed): (Vec<Route>, Vec<Route>) =
        routes().into_iter().partition(|route| route.needs == Needs::Nothing);
    collect(closed)
        .route_layer(from_fn_with_state(api.clone(), auth::require))
        .merge(collect(open))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn(without_panic))
        .layer(from_fn(meter::around))
        .with_state(api)
}

/// A defect of ours ends one request, with an answer. What the panic says stays inside.
async fn without_panic(request: Request, next: Next) -> Response {
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answer.unwrap_or_else(|_| Problem::from(broker::Error::Internal).into_response())
}

fn collect(routes: Vec<Route>) -> Router<Api> {
    let add = |all: Router<Api>, route: Route| all.route(&format!("{BASE}{}", route.path), route.handler);
    routes.into_iter().fold(Router::new(), add)
}

async fn no_route() -> Answer {
    Err(Problem::new(StatusCode::NOT_FOUND, "api.no-route"))
}

async fn no_method() -> Answer {
    Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "api.no-method"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use futures::StreamExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_and_tells_nothing() {
        async fn fails() -> StatusCode {
            panic!("geheim")
        }
        let router = Router::new().route("/", get(fails)).layer(from_fn(without_panic));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = response.into_body().into_data_stream().next().await.unwrap().unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("broker.internal") && !body.contains("geheim"), "{body}");
    }
}
