//! Small calls to a provider: JSON in, JSON out, limited in time and size; redirects are never followed.

use std::time::Duration;

use model::outbound::ChosenBy;
use net::{Client, Method, Request};
use serde_json::Value;

use crate::Error;

/// Longest time of a call.
const WITHIN: Duration = Duration::from_secs(10);
/// Most bytes of an answer.
const MOST: usize = 256 * 1024;

/// Gets a document.
pub(crate) async fn get(client: &Client, url: &str, bearer: Option<&str>) -> Result<Vec<u8>, Error> {
    let mut headers = vec![("Accept".to_owned(), "application/json".to_owned())];
    headers.extend(bearer.map(|token| ("Authorization".to_owned(), format!("Bearer {token}"))));
    send(client, Method::GET, url, headers, None).await
}

/// Posts a form and gives the JSON that comes back.
pub(crate) async fn post(
    client: &Client,
    url: &str,
    authorization: Option<String>,
    form: String,
) -> Result<Value, Error> {
    let mut headers = vec![
        ("Accept".to_owned(), "application/json".to_owned()),
        ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
    ];
    headers.extend(authorization.map(|it| ("Authorization".to_owned(), it)));
    let answer = send(client, Method::POST, url, headers, Some(form.into_bytes())).await?;
    serde_json::from_slice(&answer).map_err(|_| Error::Unreachable)
}

async fn send(
    client: &Client,
    method: Method,
    url: &str,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
) -> Result<Vec<u8>, Error> {
    let request = Request {
        method,
        url: url.to_owned(),
        chosen_by: ChosenBy::Administrator,
        headers,
        body: body.map(Into::into),
        within: WITHIN,
        most_answer: MOST,
    };
    let answer = client.send(request).await.map_err(|_| Error::Unreachable)?;
    match answer.status {
        200 => Ok(answer.body),
        // The code was not one of ours, or is used up.
        400 | 401 => Err(Error::Refused),
        _ => Err(Error::Unreachable),
    }
}
