//! Routes for citizens: what clerks and portals do for them.

use model::Action::{WriteCases, WriteClaims};

use crate::citizens;
use crate::route::Route;

pub(super) fn citizen_routes() -> Vec<Route> {
    vec![
        Route::post("/applications", "createApplication", citizens::apply)
            .says("Brings an application (Antrag) in; it opens a case. Needs an Idempotency-Key.")
            .needs(WriteCases)
            .takes::<citizens::NewApplication>()
            .gives::<citizens::Applied>(201),
        Route::post("/cases/{id}/citizen-access", "giveCitizenAccess", citizens::give)
            .says("Gives the citizen of a case number and secret of it; the same until it is revoked. Each time leaves an event.")
            .needs(WriteCases)
            .gives::<citizens::CitizenAccess>(200),
        Route::delete("/cases/{id}/citizen-access", "revokeCitizenAccess", citizens::revoke)
            .says("Ends the secret of a case, and all sessions, links and subscriptions of apps; the next one is another.")
            .needs(WriteCases)
            .gives_nothing(204),
        Route::post("/cases/{id}/document-requests", "createDocumentRequest", citizens::ask)
            .says("Asks the citizen of a case for a document: a task, and a link that is over with it.")
            .needs(WriteCases)
            .takes::<citizens::NewDocumentRequest>()
            .gives::<citizens::DocumentRequest>(201),
        Route::get("/claims/{id}/payment-link", "readPaymentLink", citizens::payment_link)
            .says("Gives the address at which whoever owes a claim pays it, until nothing is owed any more.")
            .needs(WriteClaims)
            .gives::<citizens::PaymentLink>(200)
            .by_state(),
    ]
}
