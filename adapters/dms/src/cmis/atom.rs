//! The AtomPub binding, CMIS 1.1, section 3: everything is reached by the templates and collections of the service document and by the links
//! of entries.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes as Piece, BytesMut};
use net::{Method, Upload};
use tokio::sync::OnceCell;

use super::entry::{self, Element, Workspace, properties, tree};
use super::form::{around, media_type, plain};
use super::http::{Exception, Http, encoded, found, with};
use super::wire::{Log, Outcome, Page, Properties, Repository, Set, TypeDefinition, Wire};
use crate::failure;
use crate::port::Bytes;

const ENTRY: &str = "application/atom+xml;type=entry";
const QUERY: &str = "application/cmisquery+xml";
const CHECKED_OUT: &str = "checkedout";

/// A repository by the AtomPub binding.
pub(super) struct Atom {
    pub(super) http: Arc<Http>,
    pub(super) url: String,
    pub(super) wanted: Option<String>,
    pub(super) known: OnceCell<Workspace>,
}

fn no_link() -> super::http::Trouble {
    // An entry offers links for what may be done with it.
    super::http::Trouble::Said(Exception::NotSupported, None)
}

/// Anything else, such as a page that a proxy answers with, must not be read as "nothing found".
fn named(answer: Element, local: &str) -> Outcome<Element> {
    match answer.local == local {
        true => Ok(answer),
        false => {
            Err(failure::not_understood("the answer is no Atom document of the kind that was asked for")
                .into())
        }
    }
}

fn unwritable() -> super::http::Trouble {
    failure::refused("a value has characters that XML cannot carry").into()
}

impl Atom {
    async fn service(&self) -> Outcome<Workspace> {
        let answer = found(self.http.get(&self.url).await)?;
        let answer = answer.ok_or_else(|| failure::setup("there is no service document at the address"))?;
        let service = named(tree(&answer)?, "service")?;
        let mut all = entry::workspaces(&service);
        let place = match &self.wanted {
            Some(id) => all.iter().position(|it| it.repository.id == *id),
            None => (all.len() == 1).then_some(0),
        };
        let names =
            || failure::setup("there is no repository of this id, or more than one and none is configured");
        Ok(all.swap_remove(place.ok_or_else(names)?))
    }

    async fn workspace(&self) -> Outcome<&Workspace> {
        self.known.get_or_try_init(|| self.service()).await
    }

    /// A template with its values; what is not given is empty (section 3.7.1.3).
    async fn template(&self, name: &str, values: &[(&str, &str)]) -> Outcome<String> {
        let template = self.workspace().await?.templates.get(name);
        let mut rest =
            template.ok_or_else(|| failure::setup("the service document lacks a template"))?.as_str();
        let mut url = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            let (variable, after) = after.split_once('}').unwrap_or((after, ""));
            let value = values.iter().find(|(known, _)| *known == variable).map_or("", |(_, value)| value);
            url.push_str(before);
            url.push_str(&encoded(value));
            rest = after;
        }
        url.push_str(rest);
        // Parameters without a value are wrong for some servers, and "not given" for all.
        let Some((path, query)) = url.split_once('?') else { return Ok(url) };
        let given: Vec<&str> = query.split('&').filter(|it| !it.ends_with('=')).collect();
        Ok(format!("{path}?{}", given.join("&")))
    }

    async fn entry(&self, id: &str) -> Outcome<Element> {
        let url = self.template("objectbyid", &[("id", id)]).await?;
        tree(&self.http.get(&url).await?)
    }

    async fn linked(&self, id: &str, rel: &str, kind: &str) -> Outcome<String> {
        let entry = self.entry(id).await?;
        entry.link(rel, kind).map(str::to_owned).ok_or_else(no_link)
    }

    async fn feed(&self, url: &str) -> Outcome<Vec<Properties>> {
        let answer = tree(&self.http.get(url).await?)?;
        match answer.local.as_str() {
            "entry" => Ok(vec![properties(&answer)?]),
            _ => named(answer, "feed")?.entries().map(properties).collect(),
        }
    }

    async fn post(&self, url: &str, body: Upload, carries_bytes: bool) -> Outcome<Properties> {
        let headers = [("content-type", ENTRY)];
        let answer = self.http.send(Method::POST, url, &headers, Some(body), carries_bytes).await?;
        properties(&tree(&answer)?)
    }

    async fn log(&self, token: Option<&str>, most: usize) -> Outcome<Log> {
        let url = self.workspace().await?.changes.as_ref().ok_or_else(no_link)?;
        let mut url = with(url, &[("maxItems", &most.to_string())]);
        if let Some(token) = token {
            url = with(&url, &[("changeLogToken", token)]);
        }
        let feed = named(tree(&self.http.get(&url).await?)?, "feed")?;
        let token = entry::log_token(&feed);
        let entries = feed.entries().map(entry::log_entry).collect::<Outcome<_>>()?;
        // The feed of some ends without a token but has a link to the next page, and that has one.
        Ok(Log { entries, token, more: Some(feed.link("next", "").is_some()) })
    }

    async fn put_content(&self, url: &str, token: Option<&str>, bytes: &Bytes<'_>) -> Outcome<()> {
        let mut url = with(url, &[("overwriteFlag", "true")]);
        if let Some(token) = token {
            url = with(&url, &[("changeToken", token)]);
        }
        let name = format!("attachment; filename*=UTF-8''{}", encoded(bytes.file_name));
        let headers = [("content-type", media_type(bytes)), ("content-disposition", name.as_str())];
        self.http.send(Method::PUT, &url, &headers, Some(plain(bytes).await?), true).await.map(drop)
    }
}

#[async_trait]
impl Wire for Atom {
    async fn repository(&self) -> Outcome<Repository> {
        Ok(self.service().await?.repository)
    }

    async fn type_definition(&self, id: &str) -> Outcome<TypeDefinition> {
        let url = self.template("typebyid", &[("id", id)]).await?;
        entry::type_definition(&tree(&self.http.get(&url).await?)?)
    }

    async fn object(&self, id: &str) -> Outcome<Properties> {
        properties(&self.entry(id).await?)
    }

    async fn by_path(&self, path: &str) -> Outcome<Properties> {
        let url = self.template("objectbypath", &[("path", path)]).await?;
        properties(&tree(&self.http.get(&url).await?)?)
    }

    async fn parents(&self, id: &str) -> Outcome<Vec<Properties>> {
        let entry = self.entry(id).await?;
        match entry.link("up", "atom+xml") {
            Some(url) => self.feed(url).await,
            None => Ok(vec![]),
        }
    }

    async fn versions(&self, id: &str) -> Outcome<Vec<Properties>> {
        self.feed(&self.linked(id, "version-history", "").await?).await
    }

    async fn query(&self, statement: &str, skip: usize, most: usize) -> Outcome<Page> {
        let collections = &self.workspace().await?.collections;
        let url = collections.get("query").ok_or_else(|| failure::setup("the repository has no queries"))?;
        let body = entry::query(statement, skip, most).ok_or_else(unwritable)?.into_bytes().into();
        let headers = [("content-type", QUERY)];
        let feed = tree(&self.http.send(Method::POST, url, &headers, Some(body), false).await?)?;
        let feed = named(feed, "feed")?;
        let objects = feed.entries().map(properties).collect::<Outcome<_>>()?;
        Ok(Page { objects, more: feed.link("next", "").is_some() })
    }

    async fn create_folder(&self, parent: &str, name: &str, set: &[Set]) -> Outcome<Properties> {
        let url = self.linked(parent, "down", "type=feed").await?;
        let set = [&[Set::text("cmis:name", name)], set].concat();
        let entry = entry::entry(name, &set).ok_or_else(unwritable)?;
        self.post(&url, entry.into_bytes().into(), false).await
    }

    async fn create_document(
        &self,
        parent: &str,
        name: &str,
        set: &[Set],
        state: &str,
        bytes: &Bytes<'_>,
    ) -> Outcome<Properties> {
        let url = with(&self.linked(parent, "down", "type=feed").await?, &[("versioningState", state)]);
        let set = [&[Set::text("cmis:name", name)], set].concat();
        let entry = entry::entry(name, &set).ok_or_else(unwritable)?;
        let end = entry.rfind("<cmisra:object").ok_or_else(unwritable)?;
        let (head, tail) = entry.split_at(end);
        let mut kind = String::new();
        xml::escape_text(media_type(bytes), &mut kind);
        let head =
            format!("{head}<cmisra:content><cmisra:mediatype>{kind}</cmisra:mediatype><cmisra:base64>");
        let tail = format!("</cmisra:base64></cmisra:content>{tail}");
        let length = (head.len() + tail.len()) as u64 + bytes.size.div_ceil(3) * 4;
        let body = around(head, bytes, tail, base64_pieces(bytes.size), length).await?;
        self.post(&url, body, true).await
    }

    async fn update(&self, id: &str, token: Option<&str>, set: &[Set]) -> Outcome<Properties> {
        let entry = self.entry(id).await?;
        let title = properties(&entry)?.one("cmis:name").unwrap_or_default().to_owned();
        let url = entry.link("edit", "").or(entry.link("self", "")).ok_or_else(no_link)?;
        let token: Vec<Set> = token.map(|token| Set::text("cmis:changeToken", token)).into_iter().collect();
        let body = entry::entry(&title, &[&token, set].concat()).ok_or_else(unwritable)?;
        let headers = [("content-type", ENTRY)];
        let answer =
            self.http.send(Method::PUT, url, &headers, Some(body.into_bytes().into()), false).await?;
        properties(&tree(&answer)?)
    }

    async fn set_content(&self, id: &str, token: Option<&str>, bytes: &Bytes<'_>) -> Outcome<Properties> {
        let url = self.linked(id, "edit-media", "").await?;
        self.put_content(&url, token, bytes).await?;
        self.object(id).await
    }

    async fn check_out(&self, id: &str) -> Outcome<Properties> {
        let url = self.workspace().await?.collections.get(CHECKED_OUT).ok_or_else(no_link)?;
        let entry = entry::entry(id, &[Set::id("cmis:objectId", id)]).ok_or_else(unwritable)?;
        self.post(url, entry.into_bytes().into(), false).await
    }

    async fn check_in(&self, copy: &str, comment: &str, bytes: &Bytes<'_>) -> Outcome<Properties> {
        let it = self.entry(copy).await?;
        let media = it.link("edit-media", "").ok_or_else(no_link)?;
        self.put_content(media, None, bytes).await?;
        let url = it.link("edit", "").or(it.link("self", "")).ok_or_else(no_link)?;
        let url = with(url, &[("checkin", "true"), ("major", "true"), ("checkinComment", comment)]);
        let title = properties(&it)?.one("cmis:name").unwrap_or_default().to_owned();
        let body = entry::entry(&title, &[]).ok_or_else(unwritable)?;
        let headers = [("content-type", ENTRY)];
        let answer =
            self.http.send(Method::PUT, &url, &headers, Some(body.into_bytes().into()), false).await?;
        properties(&tree(&answer)?)
    }

    async fn cancel_check_out(&self, copy: &str) -> Outcome<()> {
        let entry = self.entry(copy).await?;
        let url = entry.link("working-copy", "").or(entry.link("self", "")).ok_or_else(no_link)?;
        self.http.send(Method::DELETE, url, &[], None, false).await.map(drop)
    }

    async fn content_url(&self, id: &str) -> Outcome<String> {
        let entry = self.entry(id).await?;
        let content = entry.child("content").and_then(|it| it.attribute("src"));
        content.map(str::to_owned).ok_or_else(no_link)
    }

    async fn content_changes(&self, token: Option<&str>, most: usize) -> Outcome<Log> {
        let log = self.log(token, most).await?;
        if log.token.is_some() || log.entries.is_empty() {
            return Ok(log);
        }
        // At its end the standard has the token in the service document alone. Before another look, so that nothing comes between.
        let latest = self.service().await?.repository.latest_change;
        let log = self.log(token, most).await?;
        let token = log.token.clone().or(latest.filter(|_| log.more == Some(false)));
        Ok(Log { token, ..log })
    }
}

/// Base64 (RFC 4648, section 4) of pieces of any size, of so many bytes in all.
fn base64_pieces(size: u64) -> impl FnMut(Piece) -> std::io::Result<Piece> + Send + Sync + 'static {
    let mut left = size;
    let mut rest = BytesMut::new();
    move |piece| {
        left = left.saturating_sub(piece.len() as u64);
        rest.extend_from_slice(&piece);
        let whole = if left == 0 { rest.len() } else { rest.len() / 3 * 3 };
        let ready = rest.split_to(whole);
        Ok(Piece::from(BASE64_STANDARD.encode(&ready)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_make_the_same_base64() {
        let bytes: Vec<u8> = (0..=255).collect();
        for size in [1, 2, 3, 7, 64, 256] {
            let mut encode = base64_pieces(bytes.len() as u64);
            let pieces = bytes.chunks(size).map(|piece| encode(Piece::copy_from_slice(piece)).unwrap());
            let text: Vec<u8> = pieces.flatten().collect();
            assert_eq!(text, BASE64_STANDARD.encode(&bytes).into_bytes(), "{size}");
        }
    }
}
