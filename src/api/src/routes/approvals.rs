//! Routes of what a second person has to agree to.

use crate::approvals;
use crate::paging::PageOf;
use crate::route::Route;

pub(super) fn approval_routes() -> Vec<Route> {
    vec![
        Route::get("/approvals", "listApprovals", approvals::list)
            .says("Lists what was asked for: by the token itself, or what it may decide about.")
            .query::<approvals::ApprovalQuery>()
            .gives::<PageOf<approvals::ShownApproval>>(200),
        Route::post("/approvals", "askForApproval", approvals::ask)
            .says("Asks for something that a second person has to agree to (Vier-Augen-Prinzip): the release of a content, an erasure.")
            .takes::<approvals::NewApproval>()
            .gives::<approvals::ShownApproval>(202),
        Route::get("/approvals/{id}", "readApproval", approvals::read)
            .says("Gives one of them, with why it was asked for.")
            .gives::<approvals::ShownApproval>(200),
        Route::post("/approvals/{id}/agree", "agreeToApproval", approvals::agree)
            .says("Agrees, and has it carried out. Never possible for the one who asked.")
            .gives::<approvals::ShownApproval>(200),
        Route::post("/approvals/{id}/refuse", "refuseApproval", approvals::refuse)
            .says("Does not agree.")
            .gives::<approvals::ShownApproval>(200),
        Route::post("/approvals/{id}/withdraw", "withdrawApproval", approvals::withdraw)
            .says("Does not want it any more: for the one who asked.")
            .gives::<approvals::ShownApproval>(200),
        Route::get("/approvals/{id}/content", "readReleasedContent", approvals::content)
            .says("Gives the content that was released to the token, until the time is over. Each reading leaves an event.")
            .gives_raw("*/*"),
    ]
}
