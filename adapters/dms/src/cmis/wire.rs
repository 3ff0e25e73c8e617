//! What both bindings offer, in the words of CMIS 1.1, section 2.2: each operation once, as it is needed here.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::http::Trouble;
use crate::port::{Bytes, ValueKind};

/// The properties of an object by their id: values as text (dates in milliseconds or RFC 3339), none for "not set".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Properties(pub(super) BTreeMap<String, Vec<String>>);

impl Properties {
    /// The first value.
    pub(super) fn one(&self, id: &str) -> Option<&str> {
        self.0.get(id)?.first().map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether it is yes.
    pub(super) fn is(&self, id: &str) -> bool {
        self.one(id) == Some("true")
    }

    /// Its object id.
    pub(super) fn id(&self) -> &str {
        self.one("cmis:objectId").unwrap_or_default()
    }
}

/// What a repository is and can do (section 2.2.2.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Repository {
    pub(super) id: String,
    pub(super) product: String,
    pub(super) version: String,
    pub(super) root: String,
    /// `capabilityQuery`, `capabilityChanges` and so on, as text.
    pub(super) capabilities: BTreeMap<String, String>,
    pub(super) latest_change: Option<String>,
}

impl Repository {
    pub(super) fn can(&self, capability: &str) -> &str {
        self.capabilities.get(capability).map_or("none", String::as_str)
    }
}

/// What is needed of a type definition (section 2.1.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TypeDefinition {
    pub(super) query_name: String,
    pub(super) base: String,
    pub(super) versionable: bool,
    /// By their id.
    pub(super) properties: BTreeMap<String, PropertyDefinition>,
}

/// What is needed of a property's definition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PropertyDefinition {
    pub(super) query_name: String,
    pub(super) queryable: bool,
    pub(super) updatability: String,
}

/// A property to be set; no values clear it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) id: String,
    pub(super) kind: SetKind,
    pub(super) values: Vec<String>,
    /// Whether it may have several values.
    pub(super) multi: bool,
}

/// How a property is typed, as far as AtomPub has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetKind {
    Id,
    Of(ValueKind),
}

impl Set {
    pub(super) fn id(id: &str, value: &str) -> Self {
        Set { id: id.to_owned(), kind: SetKind::Id, values: vec![value.to_owned()], multi: false }
    }

    pub(super) fn text(id: &str, value: &str) -> Self {
        let kind = SetKind::Of(ValueKind::Text);
        Set { id: id.to_owned(), kind, values: vec![value.to_owned()], multi: false }
    }
}

/// An entry of the change log (section 2.1.15).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LogEntry {
    pub(super) object: String,
    pub(super) change: String,
}

/// A part of the change log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) entries: Vec<LogEntry>,
    pub(super) token: Option<String>,
    pub(super) more: Option<bool>,
}

/// A page of a query's result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) objects: Vec<Properties>,
    pub(super) more: bool,
}

pub(super) type Outcome<T> = Result<T, Trouble>;

/// A binding.
#[async_trait]
pub(super) trait Wire: Send + Sync {
    async fn repository(&self) -> Outcome<Repository>;
    async fn type_definition(&self, id: &str) -> Outcome<TypeDefinition>;
    async fn object(&self, id: &str) -> Outcome<Properties>;
    /// By its path, which begins with `/`.
    async fn by_path(&self, path: &str) -> Outcome<Properties>;
    /// The folders that it lies in.
    async fn parents(&self, id: &str) -> Outcome<Vec<Properties>>;
    /// All versions, the latest first.
    async fn versions(&self, id: &str) -> Outcome<Vec<Properties>>;
    async fn query(&self, statement: &str, skip: usize, most: usize) -> Outcome<Page>;
    async fn create_folder(&self, parent: &str, name: &str, set: &[Set]) -> Outcome<Properties>;
    async fn create_document(
        &self,
        parent: &str,
        name: &str,
        set: &[Set],
        state: &str,
        bytes: &Bytes<'_>,
    ) -> Outcome<Properties>;
    async fn update(&self, id: &str, token: Option<&str>, set: &[Set]) -> Outcome<Properties>;
    async fn set_content(&self, id: &str, token: Option<&str>, bytes: &Bytes<'_>) -> Outcome<Properties>;
    /// Gives the private working copy.
    async fn check_out(&self, id: &str) -> Outcome<Properties>;
    async fn check_in(&self, copy: &str, comment: &str, bytes: &Bytes<'_>) -> Outcome<Properties>;
    async fn cancel_check_out(&self, copy: &str) -> Outcome<()>;
    /// The address of an object's content.
    async fn content_url(&self, id: &str) -> Outcome<String>;
    async fn content_changes(&self, token: Option<&str>, most: usize) -> Outcome<Log>;
}
