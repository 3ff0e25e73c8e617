//! Signing in and out, one's own account, users and their rights, approvals.

mod approvals;
pub(crate) mod oidc;

use crate::route::Route;

/// The pages and acts around people.
pub(crate) fn routes() -> Vec<Route> {
    [approvals::routes(), oidc::routes()].concat()
}
