//! Pages of lists: `?limit=&after=`, `next` in the body and as a `Link` (RFC 8288).

use axum::http::header::LINK;
use axum::http::{HeaderValue, Uri};
use axum::response::Response;
use broker::{Listed, Page};
use model::Id;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer;
use crate::problem::Problem;

/// Items of a page if none are asked for.
const USUAL: u32 = 50;

/// Most items of a page.
pub(crate) const MOST: u32 = 200;

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub(crate) struct PageOf<T> {
    /// The items, oldest first.
    pub(crate) items: Vec<T>,
    /// `after` of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<Id>,
}

/// The page that a request asks for.
pub(crate) fn page(limit: Option<u32>, after: Option<Id>) -> Result<Page, Problem> {
    Ok(Page { after, limit: size(limit)? })
}

/// The number of items that a request asks for.
pub(crate) fn size(limit: Option<u32>) -> Result<u32, Problem> {
    match limit.unwrap_or(USUAL) {
        limit @ 1..=MOST => Ok(limit),
        _ => Err(Problem::invalid_query("limit")),
    }
}

/// A page as an answer.
pub(crate) fn answer<T: Serialize>(uri: &Uri, listed: Listed<T>) -> Response {
    let Listed { items, next } = listed;
    let mut response = answer::json(&PageOf { items, next });
    if let Some(link) = next.and_then(|next| link(uri, next)) {
        response.headers_mut().insert(LINK, link);
    }
    response
}

/// The same request for the next page.
fn link(uri: &Uri, next: Id) -> Option<HeaderValue> {
    let others = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let others = others.filter(|pair| !pair.starts_with("after="));
    let query = others.fold(String::new(), |all, pair| all + pair + "&");
    HeaderValue::from_str(&format!("<{}?{query}after={next}>; rel=\"next\"", uri.path())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_keeps_every_other_parameter() {
        let uri: Uri = "/api/v1/cases?limit=2&after=x&status=open".parse().unwrap();
        let link = link(&uri, Id::nil()).unwrap();
        let next = "00000000-0000-0000-0000-000000000000";
        assert_eq!(link, format!("</api/v1/cases?limit=2&status=open&after={next}>; rel=\"next\""));
    }
}
