//! Every route of the interface, once. The router, the OpenAPI document and the tests that walk all routes
//! are made from this list, so none of them can forget one.

mod approvals;
mod citizens;
mod house;
mod money;
mod office;
mod records;

use crate::route::Route;

/// Every route, in the order of the documentation.
pub fn routes() -> Vec<Route> {
    [
        records::case_file_routes(),
        records::case_routes(),
        records::document_routes(),
        records::exchange_routes(),
        house::message_routes(),
        house::upload_routes(),
        house::clarification_routes(),
        house::lane_routes(),
        house::house_routes(),
        house::subscription_routes(),
        approvals::approval_routes(),
        money::claim_routes(),
        money::payment_routes(),
        money::account_routes(),
        citizens::citizen_routes(),
        office::interaction_routes(),
        office::telephony_routes(),
        office::dispatch_routes(),
        office::channel_routes(),
    ]
    .concat()
}
