//! The browser binding, CMIS 1.1, section 5. Addresses come from `repositoryInfo` (5.3.1) and are never made by hand; answers are succinct
//! (5.2.11); unknown members are passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use net::{Answer, Method};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::form::{Form, URLENCODED};
use super::http::{Exception, Http, encoded, with};
use super::wire::{
    Log, LogEntry, Outcome, Page, Properties, PropertyDefinition, Repository, Set, TypeDefinition, Wire,
};
use crate::failure;
use crate::port::Bytes;

/// A repository by the browser binding.
pub(super) struct Browser {
    pub(super) http: Arc<Http>,
    pub(super) url: String,
    pub(super) wanted: Option<String>,
    pub(super) known: OnceCell<Urls>,
}

/// Where a repository is.
pub(super) struct Urls {
    repository: String,
    root: String,
}

/// The exception that an answer tells (section 5.2.10).
pub(super) fn exception(answer: &Answer) -> Option<Exception> {
    // A success is told by an object without it; large ones need not be read twice.
    if answer.status == 200 && !answer.body.starts_with(b"{\"exception\"") {
        return None;
    }
    let said: Value = serde_json::from_slice(&answer.body).ok()?;
    Exception::named(said["exception"].as_str()?)
}

fn json(answer: &Answer) -> Outcome<Value> {
    let wrong = || failure::not_understood("the answer is no JSON");
    Ok(serde_json::from_slice(&answer.body).map_err(|_| wrong())?)
}

impl Browser {
    /// The repositories that there are, asked for anew.
    async fn info(&self) -> Outcome<Value> {
        let all = json(&self.http.get(&self.url).await?)?;
        let all = all.as_object().ok_or_else(|| failure::not_understood("it names no repositories"))?;
        let found = match &self.wanted {
            Some(id) => all.get(id),
            None if all.len() == 1 => all.values().next(),
            None => None,
        };
        let names =
            || failure::setup("there is no repository of this id, or more than one and none is configured");
        Ok(found.cloned().ok_or_else(names)?)
    }

    async fn urls(&self) -> Outcome<&Urls> {
        self.known
            .get_or_try_init(async || {
                let info = self.info().await?;
                let url = |name: &str| {
                    let named = info[name].as_str().map(str::to_owned);
                    named.ok_or_else(|| failure::not_understood("the repository does not say where it is"))
                };
                Ok(Urls { repository: url("repositoryUrl")?, root: url("rootFolderUrl")? })
            })
            .await
    }

    async fn select(&self, id: &str, selector: &str, more: &[(&str, &str)]) -> Outcome<Value> {
        let urls = self.urls().await?;
        let url = with(&urls.root, &[("objectId", id), ("cmisselector", selector), ("succinct", "true")]);
        json(&self.http.get(&with(&url, more)).await?)
    }

    async fn act(&self, form: &Form) -> Outcome<Answer> {
        let urls = self.urls().await?;
        let headers = [("content-type", URLENCODED)];
        self.http.send(Method::POST, &urls.root, &headers, Some(form.urlencoded()), false).await
    }

    async fn act_with(&self, url: &str, form: &Form, bytes: &Bytes<'_>) -> Outcome<Properties> {
        let (content_type, body) = form.multipart(bytes).await?;
        let headers = [("content-type", content_type.as_str())];
        object(&json(&self.http.send(Method::POST, url, &headers, Some(body), true).await?)?)
    }
}

#[async_trait]
impl Wire for Browser {
    async fn repository(&self) -> Outcome<Repository> {
        let info = self.info().await?;
        let text = |name: &str| info[name].as_str().unwrap_or_default().to_owned();
        let capabilities = info["capabilities"].as_object().into_iter().flatten();
        Ok(Repository {
            id: text("repositoryId"),
            product: text("productName"),
            version: text("cmisVersionSupported"),
            root: text("rootFolderId"),
            capabilities: capabilities.filter_map(|(name, it)| Some((name.clone(), scalar(it)?))).collect(),
            latest_change: info["latestChangeLogToken"].as_str().map(str::to_owned),
        })
    }

    async fn type_definition(&self, id: &str) -> Outcome<TypeDefinition> {
        let urls = self.urls().await?;
        let url = with(&urls.repository, &[("cmisselector", "typeDefinition"), ("typeId", id)]);
        let it = json(&self.http.get(&url).await?)?;
        let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
        let properties = it["propertyDefinitions"].as_object().into_iter().flatten();
        let property = |it: &Value| PropertyDefinition {
            query_name: text(it, "queryName"),
            queryable: it["queryable"] == true,
            updatability: text(it, "updatability"),
        };
        Ok(TypeDefinition {
            query_name: text(&it, "queryName"),
            base: text(&it, "baseId"),
            versionable: it["versionable"] == true,
            properties: properties.map(|(id, it)| (id.clone(), property(it))).collect(),
        })
    }

    async fn object(&self, id: &str) -> Outcome<Properties> {
        object(&self.select(id, "object", &[]).await?)
    }

    async fn by_path(&self, path: &str) -> Outcome<Properties> {
        let urls = self.urls().await?;
        let segments = path.split('/').map(encoded).collect::<Vec<_>>().join("/");
        let (base, query) = urls.root.split_once('?').unwrap_or((&urls.root, ""));
        let url = format!("{base}{segments}{}{query}", if query.is_empty() { "" } else { "?" });
        let url = with(&url, &[("cmisselector", "object"), ("succinct", "true")]);
        object(&json(&self.http.get(&url).await?)?)
    }

    async fn parents(&self, id: &str) -> Outcome<Vec<Properties>> {
        let found = self.select(id, "parents", &[]).await?;
        let wrong = || failure::not_understood("the answer is no list of folders");
        found.as_array().ok_or_else(wrong)?.iter().map(|it| object(&it["object"])).collect()
    }

    async fn versions(&self, id: &str) -> Outcome<Vec<Properties>> {
        let found = self.select(id, "versions", &[]).await?;
        let wrong = || failure::not_understood("the answer is no list of versions");
        found.as_array().ok_or_else(wrong)?.iter().map(object).collect()
    }

    async fn query(&self, statement: &str, skip: usize, most: usize) -> Outcome<Page> {
        let urls = self.urls().await?;
        let mut form = Form::of("query");
        form.add("statement", statement).add("searchAllVersions", "false");
        form.add("maxItems", most.to_string()).add("skipCount", skip.to_string());
        let headers = [("content-type", URLENCODED)];
        let body = Some(form.urlencoded());
        let answer = self.http.send(Method::POST, &urls.repository, &headers, body, false).await?;
        let found = json(&answer)?;
        let wrong = || failure::not_understood("the answer is no result of a query");
        let objects =
            found["results"].as_array().ok_or_else(wrong)?.iter().map(object).collect::<Outcome<_>>()?;
        Ok(Page { objects, more: found["hasMoreItems"] == true })
    }

    async fn create_folder(&self, parent: &str, name: &str, set: &[Set]) -> Outcome<Properties> {
        let mut form = Form::of("createFolder");
        form.add("objectId", parent).properties(&[&[Set::text("cmis:name", name)], set].concat());
        object(&json(&self.act(&form).await?)?)
    }

    async fn create_document(
        &self,
        parent: &str,
        name: &str,
        set: &[Set],
        state: &str,
        bytes: &Bytes<'_>,
    ) -> Outcome<Properties> {
        let mut form = Form::of("createDocument");
        form.properties(&[&[Set::text("cmis:name", name)], set].concat()).add("versioningState", state);
        let url = with(&self.urls().await?.root, &[("objectId", parent)]);
        self.act_with(&url, &form, bytes).await
    }

    async fn update(&self, id: &str, token: Option<&str>, set: &[Set]) -> Outcome<Properties> {
        let mut form = Form::of("update");
        form.add("objectId", id).add_some("changeToken", token).properties(set);
        object(&json(&self.act(&form).await?)?)
    }

    async fn set_content(&self, id: &str, token: Option<&str>, bytes: &Bytes<'_>) -> Outcome<Properties> {
        let mut form = Form::of("setContent");
        form.add("objectId", id).add("overwriteFlag", "true").add_some("changeToken", token);
        self.act_with(&self.urls().await?.root, &form, bytes).await
    }

    async fn check_out(&self, id: &str) -> Outcome<Properties> {
        let mut form = Form::of("checkOut");
        form.add("objectId", id);
        object(&json(&self.act(&form).await?)?)
    }

    async fn check_in(&self, copy: &str, comment: &str, bytes: &Bytes<'_>) -> Outcome<Properties> {
        let mut form = Form::of("checkIn");
        form.add("objectId", copy).add("major", "true").add("checkinComment", comment);
        self.act_with(&self.urls().await?.root, &form, bytes).await
    }

    async fn cancel_check_out(&self, copy: &str) -> Outcome<()> {
        let mut form = Form::of("cancelCheckOut");
        form.add("objectId", copy);
        // The answer is empty, and says that it is HTML.
        self.act(&form).await.map(drop)
    }

    async fn content_url(&self, id: &str) -> Outcome<String> {
        Ok(with(&self.urls().await?.root, &[("objectId", id), ("cmisselector", "content")]))
    }

    async fn content_changes(&self, token: Option<&str>, most: usize) -> Outcome<Log> {
        let urls = self.urls().await?;
        let mut url = with(
            &urls.repository,
            &[("cmisselector", "contentChanges"), ("maxItems", &most.to_string()), ("succinct", "true")],
        );
        if let Some(token) = token {
            url = with(&url, &[("changeLogToken", token)]);
        }
        let found = json(&self.http.get(&url).await?)?;
        let wrong = || failure::not_understood("the answer is no change log");
        let entries = found["objects"].as_array().ok_or_else(wrong)?.iter();
        let entry = |it: &Value| {
            let change = it["changeEventInfo"]["changeType"].as_str().unwrap_or_default().to_owned();
            Ok(LogEntry { object: object(it)?.id().to_owned(), change })
        };
        Ok(Log {
            entries: entries.map(entry).collect::<Outcome<_>>()?,
            token: found["changeLogToken"].as_str().map(str::to_owned),
            more: found["hasMoreItems"].as_bool(),
        })
    }
}

/// An object, succinct or not (section 5.2.11): a query's result is never succinct with some servers.
pub(super) fn object(it: &Value) -> Outcome<Properties> {
    let succinct = it["succinctProperties"].as_object();
    let full = it["properties"].as_object();
    let mut properties = BTreeMap::new();
    for (id, value) in succinct.into_iter().flatten() {
        properties.insert(id.clone(), values(value));
    }
    for (name, property) in full.into_iter().flatten() {
        let id = property["id"].as_str().unwrap_or(name);
        properties.insert(id.to_owned(), values(&property["value"]));
    }
    let properties = Properties(properties);
    match properties.id().is_empty() || properties.id().len() > crate::port::REFERENCE_BYTES {
        true => Err(failure::not_understood("the answer is no object").into()),
        false => Ok(properties),
    }
}

fn values(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().filter_map(scalar).collect(),
        one => scalar(one).into_iter().collect(),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
