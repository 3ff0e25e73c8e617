//! Evidence records of our own: a time stamp (RFC 3161 over HTTP, section 3.4) over the root of a package's hash tree.

use std::sync::Arc;

use model::{Clock, Failure};
use net::{Client, Method};
use seal::ers::renew::begin;
use seal::hash::Algorithm;
use seal::timestamp::{MAX_RESPONSE, QUERY_TYPE, Request, token_of, with_revocation};

use super::http::{Call, Http};
use crate::Stamps;
use crate::codes::unreachable;

/// Longest revocation list, in bytes.
const MOST_LIST: usize = 1 << 20;

/// The DER of an evidence record over data with these digests.
pub(crate) async fn evidence_record(
    stamps: &Stamps,
    client: &Client,
    clock: &Arc<dyn Clock>,
    digests: Vec<Vec<u8>>,
) -> Result<Vec<u8>, Failure> {
    let within = std::time::Duration::from_secs(60);
    let http = Http { client: client.clone(), clock: Arc::clone(clock), login: None, within };
    let begun = begin(Algorithm::Sha256, &[digests]).map_err(failed)?;
    let (algorithm, root) = begun.to_stamp();
    let request = Request::for_digest(algorithm, root, stamps.policy.clone()).map_err(failed)?;
    let call = Call {
        method: Method::POST,
        url: &stamps.url,
        headers: vec![("content-type".to_owned(), QUERY_TYPE.to_owned())],
        body: Some(request.to_der().into()),
        acting: false,
        most_answer: MAX_RESPONSE,
    };
    let mut answer = Vec::new();
    let status = http.send(call, &mut answer).await?.status;
    if status != 200 {
        return Err(unreachable(format!("the time stamp authority answered with {status}")));
    }
    request.check(&answer, Some(&stamps.trust)).map_err(failed)?;
    let mut token = token_of(&answer).map_err(failed)?.to_vec();
    if let Some(url) = &stamps.revocation_url {
        let call = Call {
            method: Method::GET,
            url,
            headers: vec![],
            body: None,
            acting: false,
            most_answer: MOST_LIST,
        };
        let mut list = Vec::new();
        let status = http.send(call, &mut list).await?.status;
        if status != 200 {
            return Err(unreachable(format!("the revocation list was answered with {status}")));
        }
        token = with_revocation(&token, &[list]).map_err(failed)?;
    }
    let records = begun.finish(&token);
    Ok(records.first().map(seal::ers::Record::to_der).unwrap_or_default())
}

/// What the authority answers wrongly today it may answer rightly tomorrow.
fn failed(error: seal::Error) -> Failure {
    Failure::transient(error.code(), error.to_string())
}
