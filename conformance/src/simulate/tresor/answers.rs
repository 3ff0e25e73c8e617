//! What is answered, as text.

use std::path::Path;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use tokio::io::AsyncReadExt;

const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const API: &str = "http://www.bsi.bund.de/tr-esor/api/1.3";
const XAIP: &str = "http://www.bsi.bund.de/tr-esor/xaip";
const TYPE: [(&str, &str); 1] = [("content-type", "text/xml; charset=utf-8")];

pub(super) fn fault(who: &str) -> Response {
    let body = format!(
        "<S:Envelope xmlns:S=\"{ENVELOPE}\"><S:Body><S:Fault><faultcode>S:{who}</faultcode><faultstring>nicht verarbeitet</faultstring>\
         </S:Fault></S:Body></S:Envelope>"
    );
    (StatusCode::INTERNAL_SERVER_ERROR, TYPE, body).into_response()
}

fn head(operation: &str, major: &str, minor: &str) -> String {
    let response = operation.replace("Request", "Response");
    let minor = match minor {
        "" => String::new(),
        minor => format!("<dss:ResultMinor>{API}/resultminor{minor}</dss:ResultMinor>"),
    };
    format!(
        "<S:Envelope xmlns:S=\"{ENVELOPE}\"><S:Body><tr:{response} xmlns:tr=\"{API}\" xmlns:dss=\"urn:oasis:names:tc:dss:1.0:core:schema\">\
         <dss:Result><dss:ResultMajor>{API}/resultmajor#{major}</dss:ResultMajor>{minor}</dss:Result>"
    )
}

fn tail(operation: &str) -> String {
    format!("</tr:{}></S:Body></S:Envelope>", operation.replace("Request", "Response"))
}

pub(super) fn result(operation: &str, major: &str, minor: &str, content: &str) -> Response {
    let body = format!("{}{content}{}", head(operation, major, minor), tail(operation));
    (StatusCode::OK, TYPE, body).into_response()
}

pub(super) fn evidence(aoid: &str, records: &[(String, String)]) -> String {
    let one = |(version, record): &(String, String)| {
        format!(
            "<xaip:evidenceRecord xmlns:xaip=\"{XAIP}\" AOID=\"{aoid}\" VersionID=\"{version}\"><xaip:asn1EvidenceRecord>{record}\
             </xaip:asn1EvidenceRecord></xaip:evidenceRecord>"
        )
    };
    records.iter().map(one).collect()
}

/// A package, whose file has no XML declaration; what the archive calls it stands in the evidence alone.
pub(super) async fn package(path: &Path) -> Response {
    let Ok(file) = tokio::fs::File::open(path).await else { return fault("Server") };
    let operation = "ArchiveRetrievalRequest";
    let pieces = stream::unfold(file, |mut file| async move {
        let mut piece = vec![0; 64 * 1024];
        match file.read(&mut piece).await {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some((Ok(piece), file))
            }
            Err(error) => Some((Err(error), file)),
        }
    });
    let around = |text: String| stream::iter([Ok(text.into_bytes())]);
    let whole = around(head(operation, "ok", "")).chain(pieces).chain(around(tail(operation)));
    (StatusCode::OK, TYPE, Body::from_stream(whole)).into_response()
}
