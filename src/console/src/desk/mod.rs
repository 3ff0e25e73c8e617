//! The desk of an organisational unit: what waits for a human there, cases and documents.

use crate::route::Route;

/// The pages and acts of clerks.
pub(crate) fn routes() -> Vec<Route> {
    vec![]
}
