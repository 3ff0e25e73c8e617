//! Routes of messages and their repair, uploads, lanes, and of the house: tasks, partners, tokens, subscriptions.

use model::Action::{
    ClearMessages, ManagePartners, ManageTokens, ReadContent, ReadEvents, ReadEvidence, ReadMessages,
    ReadPartners, RepairMessages, SendMessages, Subscribe, WorkTasks,
};
use model::activity::Task;
use model::message::Message;

use crate::paging::PageOf;
use crate::records::{PageQuery, TimelineEntry};
use crate::route::Route;
use crate::{
    checks, clarifications, events, evidence, lanes, messages, openapi, partners, repairs, schemas,
    subscriptions, tasks, tokens, uploads,
};

pub(super) fn message_routes() -> Vec<Route> {
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

pub(super) fn upload_routes() -> Vec<Route> {
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

pub(super) fn clarification_routes() -> Vec<Route> {
    vec![
        Route::post("/messages/{id}/resend", "resendMessage", repairs::resend)
            .says("Tries a parked message again.")
            .needs(ClearMessages)
            .may_take::<repairs::Noted>()
            .gives::<Message>(200),
        Route::post("/messages/{id}/park", "parkMessage", repairs::park)
            .says("Puts a message aside for a human (Klärungsfall).")
            .needs(ClearMessages)
            .may_take::<repairs::Noted>()
            .gives::<Message>(200),
        Route::post("/messages/{id}/return", "returnMessage", repairs::give_back)
            .says("Sends a message back to its sender.")
            .needs(ClearMessages)
            .may_take::<repairs::Returned>()
            .gives::<Message>(200),
        Route::post("/messages/{id}/repair", "repairMessage", repairs::repair)
            .says("Gives a parked incoming message mended bytes and processes it again; the first bytes stay.")
            .needs(ClearMessages)
            .query::<repairs::RepairQuery>()
            .takes_raw(messages::MEDIA_TYPES)
            .gives::<Message>(200),
        Route::post("/messages/{id}/forward", "forwardMessage", repairs::forward)
            .says("Hands an incoming message to the authority that is competent.")
            .needs(ClearMessages)
            .takes::<repairs::NewForward>()
            .gives::<Message>(200)
            .may_ask(),
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

pub(super) fn lane_routes() -> Vec<Route> {
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

pub(super) fn house_routes() -> Vec<Route> {
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
        Route::post("/tasks/{id}/hand-on", "handOnTask", tasks::hand_on)
            .says(
                "Passes a task on to another unit, whose it is from then on. Who passed it on still sees it.",
            )
            .needs(WorkTasks)
            .may_match()
            .takes::<tasks::Unit>()
            .gives::<Task>(200),
        Route::post("/tasks/{id}/complete", "completeTask", tasks::complete)
            .says(
                "Says that a task is done. Refused (model.undecided) while its message, letter or payment waits for a decision, which \
                 ends the task.",
            )
            .needs(WorkTasks)
            .may_match()
            .takes::<tasks::Completion>()
            .gives::<Task>(200),
        Route::post("/tasks/{id}/cancel", "cancelTask", tasks::cancel)
            .says("Says that a task is not needed any more. Refused (model.undecided) as its completion is.")
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
            .gives::<partners::ShownPartner>(200)
            .may_ask(),
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

pub(super) fn subscription_routes() -> Vec<Route> {
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
