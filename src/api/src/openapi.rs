//! The OpenAPI 3.1 document, built from the list of routes.
//!
//! It is a page of code over `serde_json` instead of utoipa: the types of the model describe themselves by
//! schemars already, and `schemars` puts their schemas where OpenAPI 3.1 wants them (both are JSON Schema
//! 2020-12). Utoipa would need a second derive on every type of the model and an annotation on every
//! handler that repeats its path, and could still not be asked by a test which routes there are.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::approvals::ShownApproval;
use crate::problem::ProblemDocument;
use crate::route::{Gives, IfMatch, Needs, Route, Takes};
use crate::{Api, BASE, Settings, VERSION, paging, routes};

/// `GET /openapi.json`.
pub(crate) async fn serve(State(api): State<Api>) -> Answer {
    let body = document(&api.settings).to_string();
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// The whole document.
pub fn document(settings: &Settings) -> Value {
    let contact = &settings.contact;
    let style = SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut generator = style.into_generator();
    generator.subschema_for::<ProblemDocument>();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in routes::routes() {
        let method = route.method.as_str().to_ascii_lowercase();
        paths.entry(route.path).or_default().insert(method, operation(&route, &mut generator));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Amtsbote",
            "summary": "Interoperability gateway for German local government",
            "description": "Case files, cases, documents, exchanges with other authorities, messages and their \
                evidence, claims and payments. Every answer but this one needs a token.",
            "version": VERSION,
            "contact": { "name": contact.name, "url": contact.url, "email": contact.email },
            "license": { "name": "EUPL-1.2", "identifier": "EUPL-1.2" },
        },
        "servers": [{ "url": BASE, "description": "This gateway" }],
        "security": [{ "token": [] }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "securitySchemes": { "token": {
                "type": "http", "scheme": "bearer", "bearerFormat": "amt_… or an access token (RFC 9068)",
            } },
            "schemas": schemas(&mut generator),
            "responses": { "Problem": problem() },
            "headers": { "ApiVersion": {
                "description": "Full version of the interface.",
                "schema": { "type": "string", "examples": [VERSION] },
            } },
        },
    })
}

/// What texts hold: what XML 1.0 and both databases can carry (`pages::is_plain`).
const PLAIN: &str = r"^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]*$";

/// Key of an authority (`model::Authority`).
const AUTHORITY: &str = "^[A-Za-z0-9-][A-Za-z0-9.-]{0,79}:[A-Za-z0-9-][A-Za-z0-9.-]{0,79}$";

/// Says of every text below a schema, of which nothing narrower is said, what it may hold.
fn say_plain(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(say_plain),
        Value::Object(members) => {
            let is_text = match members.get("type") {
                Some(Value::Array(types)) => types.iter().any(|it| it == "string"),
                Some(name) => name == "string",
                None => false,
            };
            let is_narrow = ["format", "pattern", "enum", "const"].iter().any(|it| members.contains_key(*it));
            if is_text && !is_narrow {
                members.insert("pattern".to_owned(), PLAIN.into());
            }
            members.values_mut().for_each(say_plain);
        }
        _ => {}
    }
}

/// Schemas of all types that occur. A finding is sent with its sentences and who has to act beside it.
fn schemas(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut all = generator.take_definitions(true);
    all.values_mut().for_each(say_plain);
    if let Some(authority) = all.get_mut("Authority") {
        authority["pattern"] = AUTHORITY.into();
    }
    if let Some(properties) = all.get_mut("Finding").and_then(|finding| finding.get_mut("properties")) {
        let sentence =
            |language: &str| json!({ "type": "string", "readOnly": true, "description": language });
        properties["en"] = sentence("What is wrong and what to do, in English.");
        properties["de"] = sentence("The same in German.");
        properties["side"] = sentence("Who has to act: `sender`, `recipient` or `us`.");
    }
    all
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "tags": [tag(route.path)],
        "parameters": parameters(route, generator),
        "responses": responses(route, generator),
    });
    if let Some(roles) = route.needs.roles() {
        operation["description"] =
            format!("For tokens with one of the roles {}.", words(&json!(roles))).into();
    }
    if route.needs == Needs::Nothing {
        operation["security"] = json!([]);
    }
    if let Some(content) = body(route, generator) {
        let required = !matches!(route.takes, Takes::MayJson(_));
        operation["requestBody"] = json!({ "required": required, "content": content });
    }
    operation
}

fn words(names: &Value) -> String {
    let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn parameters(route: &Route, generator: &mut SchemaGenerator) -> Vec<Value> {
    let mut all = vec![];
    for name in route.path.split('/').filter_map(|step| step.strip_prefix('{')?.strip_suffix('}')) {
        let schema = match name {
            "id" if route.path.starts_with("/partners") => json!({ "type": "string" }),
            "id" | "refund" | "line" => json!({ "type": "string", "format": "uuid" }),
            "number" => json!({ "type": "integer", "minimum": 1 }),
            _ => json!({ "type": "string" }),
        };
        all.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    }
    if let Some(query) = route.query {
        all.extend(query_parameters(&query(generator)));
    }
    let header = |name: &str, required: bool, pattern: &str, description: &str| {
        let schema = json!({ "type": "string", "pattern": pattern });
        json!({ "name": name, "in": "header", "required": required, "description": description, "schema": schema })
    };
    if (route.method.as_str(), route.path) == ("PATCH", "/uploads/{id}") {
        all.push(header("Upload-Complete", true, r"^\?[01]$", "`?1` with the last part, `?0` before."));
        all.push(header("Upload-Offset", true, "^[0-9]{1,15}$", "Bytes that are kept already."));
    }
    if route.method == "POST" {
        all.push(header(
            "Idempotency-Key",
            route.path == "/applications",
            "^[!-~]{1,255}$",
            "1 to 255 characters; a repetition gets the first answer.",
        ));
    }
    if let Some(if_match) = route.if_match {
        let required = if_match == IfMatch::Required;
        let pattern = r#"^(\*|"[^"]*")$"#;
        all.push(header("If-Match", required, pattern, "`ETag` of the version that is changed, or `*`."));
    }
    if matches!(route.takes, Takes::Raw(_)) {
        all.push(header(
            "Repr-Digest",
            false,
            ".*",
            "`sha-256=:…:` of the body (RFC 9530); refused if it differs.",
        ));
    }
    if matches!(route.gives, Gives::Raw("*/*")) {
        all.push(header("Range", false, ".*", "One range of bytes (RFC 9110)."));
    }
    all
}

/// The members of a query's type, each as a parameter.
fn query_parameters(schema: &Schema) -> Vec<Value> {
    let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        say_plain(&mut schema);
        if name == "limit" {
            schema["minimum"] = 1.into();
            schema["maximum"] = paging::MOST.into();
        }
        json!({
            "name": name,
            "in": "query",
            "required": required.contains(&json!(name)),
            "description": description,
            "schema": schema,
        })
    };
    members.map(parameter).collect()
}

fn body(route: &Route, generator: &mut SchemaGenerator) -> Option<Value> {
    match route.takes {
        Takes::Nothing => None,
        Takes::Json(schema) | Takes::MayJson(schema) => {
            Some(json!({ "application/json": { "schema": schema(generator) } }))
        }
        Takes::Patch(schema) => {
            let members = schema(generator);
            let description = "The members to change; null removes one.";
            let patch = json!({ "type": "object", "description": description, "x-merge-patch-of": members });
            Some(json!({ "application/merge-patch+json": { "schema": patch } }))
        }
        Takes::Raw(types) => Some(types.iter().map(|name| ((*name).to_owned(), json!({}))).collect()),
    }
}

fn responses(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let content = match route.gives {
        Gives::Nothing => None,
        Gives::Json(schema) => Some(json!({ "application/json": { "schema": schema(generator) } })),
        Gives::Raw(media_type) => Some(json!({ media_type: {} })),
        Gives::OneOf(types) => Some(types.iter().map(|name| ((*name).to_owned(), json!({}))).collect()),
    };
    let mut good = outcome("It was done.");
    if let Some(content) = content {
        good["content"] = content;
    }
    let mut all = Map::from_iter([(route.status.to_string(), good.clone())]);
    if matches!(route.gives, Gives::Raw("*/*")) {
        all.insert("206".to_owned(), good);
    } else if route.method == "PUT" {
        let other = if route.status == 201 { "200" } else { "201" };
        all.insert(other.to_owned(), good);
    }
    if route.may_ask {
        let mut asked = outcome("The house wants four eyes: somebody else has to agree first.");
        let schema = generator.subschema_for::<ShownApproval>();
        asked["content"] = json!({ "application/json": { "schema": schema } });
        all.insert("202".to_owned(), asked);
    }
    if route.or_nothing {
        all.insert("204".to_owned(), outcome("There is nothing to give."));
    }
    for status in problems_of(route) {
        all.insert(status.to_string(), json!({ "$ref": "#/components/responses/Problem" }));
    }
    all.into()
}

fn outcome(description: &str) -> Value {
    json!({
        "description": description,
        "headers": { "API-Version": { "$ref": "#/components/headers/ApiVersion" } },
    })
}

/// Statuses of problems that the route may answer with.
fn problems_of(route: &Route) -> Vec<u16> {
    let mut all = vec![400, 431, 500, 503];
    match route.needs {
        Needs::Nothing => {}
        // What an approval is about says which right it needs.
        Needs::Token | Needs::Right(_) => all.extend([401, 403]),
    }
    // What a query names may not be there either.
    if route.path.contains('{') || route.query.is_some() {
        all.push(404);
    }
    match route.method.as_str() {
        "POST" => all.extend([404, 409, 413, 415, 422]),
        "PUT" | "PATCH" => all.extend([409, 413, 415, 422]),
        _ => {}
    }
    if route.by_state {
        all.push(409);
    }
    if route.if_match.is_some() {
        all.extend([412, 428]);
    }
    if matches!(route.takes, Takes::Raw(_)) {
        all.push(408);
    }
    if matches!(route.gives, Gives::Raw("*/*")) {
        all.extend([409, 410, 416]);
    }
    all
}

fn problem() -> Value {
    json!({
        "description": "Why it was not done.",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

fn tag(path: &str) -> &str {
    path.trim_start_matches('/').split(['/', '.']).next().unwrap_or_default()
}

fn tags() -> Vec<Value> {
    let mut names: Vec<&str> = vec![];
    for route in routes::routes() {
        if !names.contains(&tag(route.path)) {
            names.push(tag(route.path));
        }
    }
    names.into_iter().map(|name| json!({ "name": name })).collect()
}
