//! JSON Schemas of the records, for those who generate code or check what they send.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use model::schema;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{self, Answer};
use crate::params::PathName;
use crate::problem::Problem;

/// Names of the schemas.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SchemaList {
    /// Names, such as `CaseFile`.
    items: Vec<&'static str>,
}

/// `GET /schemas`.
pub(crate) async fn list() -> Answer {
    Ok(answer::json(&SchemaList { items: schema::all().into_iter().map(|(name, _)| name).collect() }))
}

/// `GET /schemas/{name}`.
pub(crate) async fn read(PathName(name): PathName) -> Answer {
    let found = schema::all().into_iter().find(|(known, _)| *known == name);
    let (_, schema) = found.ok_or_else(Problem::not_found)?;
    Ok(([(CONTENT_TYPE, "application/schema+json")], schema.as_value().to_string()).into_response())
}
