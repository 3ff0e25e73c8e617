//! d.velop documents (dmsApp REST, HAL), as far as it is publicly known: objects of a repository, whose properties are addressed through
//! the repository's own source. Not tested against a real system.
//!
//! | of the port | here |
//! |---|---|
//! | folder, document | objects of the two categories of the settings; a folder has no file |
//! | our identifier, the mark of a version, the name | properties of the settings |
//! | lies in | a link of the object that it lies in (`linkDmsObject`), and a property, if the settings name one |
//! | change token | version and time of change, as the system tells them in properties of its own |
//! | changes | are not told |
//!
//! Links are followed, templates (RFC 6570) filled in; none leads to another host.

mod hal;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::adapter::Content;
use model::{Clock, Failure};
use net::Answer;
use serde_json::{Value as Json, json};
use tokio::sync::OnceCell;

use crate::failure;
use crate::port::{Bytes, Changes, Created, Entry, Object, Port, REFERENCE_BYTES, Value};
use crate::rest::{self, Login, Rest};
use hal::{Base, Dto, Links};

/// What the system says of an object itself.
const VARIANT: &str = "property_variant_number";
const CHANGED: &str = "property_last_modified_date";
const FILE_NAME: &str = "property_filename";

/// Reference of the place above all folders, if the settings name no object.
const NOWHERE: &str = "/";

/// How a repository is reached, and what is called how there.
#[derive(Clone)]
pub struct Settings {
    /// Address of the system, `https://…`, without a path.
    pub url: String,
    /// The API key, as a bearer.
    pub login: Login,
    /// Id of the repository.
    pub repository: String,
    /// Category of the objects that are folders (Akten), and of those that are documents.
    pub folder_category: String,
    /// See above.
    pub document_category: String,
    /// Property of both categories that holds our identifier.
    pub own_property: String,
    /// Property of documents that holds the mark of the latest version.
    pub mark_property: String,
    /// Property of both categories that holds the name, if there is one.
    pub name_property: Option<String>,
    /// Property of both categories that holds our identifier of what it lies in, if there is one.
    pub parent_property: Option<String>,
    /// Object that everything is put under, if there is one.
    pub root: Option<String>,
    /// Longest time of a call without content.
    pub within: Duration,
    /// Longest time of a call with content.
    pub transfer: Duration,
}

/// A repository.
pub struct Repository {
    rest: Rest,
    base: Base,
    settings: Settings,
    links: OnceCell<Links>,
}

/// The repository as a document management system. `None` if the address is none.
pub fn repository(settings: Settings, client: net::Client, clock: Arc<dyn Clock>) -> Option<Repository> {
    let base = Base::new(&settings.url)?;
    let rest = Rest::new(client, clock, settings.login.clone(), settings.within, settings.transfer);
    Some(Repository { rest, base, settings, links: OnceCell::new() })
}

impl Repository {
    async fn ask(&self, url: &str) -> Result<Answer, Failure> {
        self.rest.send("GET", url, &[("accept", "application/hal+json")], None).await
    }

    /// The links of the repository; asked for once.
    async fn links(&self) -> Result<&Links, Failure> {
        let asked = async {
            let path = format!("/dms/r/{}", hal::encoded(&self.settings.repository));
            let answer = self.ask(&self.base.url(&path)).await?;
            match answer.status {
                200 => rest::json::<Dto>(&answer).map(|repository| repository.links),
                404 => Err(failure::setup("there is no such repository")),
                _ => Err(self.rest.refusal(&answer)),
            }
        };
        self.links.get_or_try_init(|| asked).await
    }

    fn source(&self) -> String {
        format!("/dms/r/{}/source", self.settings.repository)
    }

    fn category(&self, is_folder: bool) -> &str {
        if is_folder { &self.settings.folder_category } else { &self.settings.document_category }
    }

    async fn url(&self, link: &str, values: &[(&str, &str)]) -> Result<String, Failure> {
        let href = self
            .links()
            .await?
            .href(link)
            .ok_or_else(|| failure::setup(format!("the repository offers no {link}")))?;
        self.base.expanded(href, values).ok_or_else(rest::garbage)
    }

    async fn dto(&self, id: &str) -> Result<Option<Dto>, Failure> {
        let source = self.source();
        let url = self.url("dmsobjectwithmapping", &[("dmsobjectid", id), ("sourceid", &source)]).await?;
        let answer = self.ask(&url).await?;
        match answer.status {
            200 => rest::json(&answer).map(Some),
            404 | 410 => Ok(None),
            _ => Err(self.rest.refusal(&answer)),
        }
    }

    fn object(&self, dto: &Dto) -> Result<Object, Failure> {
        let id = dto.id.clone().filter(|id| (1..=REFERENCE_BYTES).contains(&id.len()));
        let mut properties: BTreeMap<String, String> = dto.values();
        let is_folder = dto.source_categories.contains(&self.settings.folder_category);
        let mut take = |name: &str| properties.remove(name).filter(|value| !value.is_empty());
        let (variant, changed, file_name) = (take(VARIANT), take(CHANGED), take(FILE_NAME));
        let (own, mark) = (take(&self.settings.own_property), take(&self.settings.mark_property));
        let name = self.settings.name_property.as_deref().and_then(&mut take).unwrap_or_default();
        let token =
            format!("{}/{}", variant.as_deref().unwrap_or_default(), changed.as_deref().unwrap_or_default());
        Ok(Object {
            series: id.clone(),
            reference: id.ok_or_else(rest::garbage)?,
            token: Some(token).filter(|token| token != "/"),
            own,
            is_folder,
            name,
            // The mark is a property, which stays when somebody makes a version.
            content: variant.clone().or_else(|| mark.clone()).filter(|_| !is_folder),
            mark,
            version: variant.filter(|_| !is_folder),
            file_name,
            properties,
            ..Object::default()
        })
    }

    /// The same object, as it was when `of` was seen. Nothing but this look stands between two who change it at the same time: the
    /// system takes no condition.
    async fn unchanged(&self, of: &Object) -> Result<Dto, Failure> {
        let dto = self.dto(&of.reference).await?.ok_or_else(failure::gone)?;
        match self.object(&dto)?.token == of.token {
            true => Ok(dto),
            false => Err(failure::conflict()),
        }
    }

    /// Brings bytes into the system, where they wait for an object; gives where they are.
    async fn upload(&self, bytes: &Bytes<'_>) -> Result<String, Failure> {
        let url = self.url("chunkedupload", &[]).await?;
        let body = rest::body(vec![], bytes.source.open().await?, bytes.size, vec![]);
        let headers = [("content-type", "application/octet-stream")];
        let answer = self.rest.upload("POST", &url, &headers, body).await?;
        match (answer.status, rest::header(&answer, "location")) {
            (201, Some(location)) if self.base.is_ours(location) => Ok(location.to_owned()),
            (201, _) => Err(rest::garbage()),
            _ => Err(self.rest.refusal(&answer)),
        }
    }

    async fn create(
        &self,
        parent: &str,
        entry: &Entry,
        bytes: Option<&Bytes<'_>>,
    ) -> Result<Created, Failure> {
        let above = match parent {
            NOWHERE => None,
            parent => Some(self.dto(parent).await?.ok_or_else(failure::gone)?),
        };
        let mut all = changed(&entry.properties);
        all.push(property(&self.settings.own_property, Some(&entry.own)));
        all.extend(self.settings.name_property.as_deref().map(|name| property(name, Some(&entry.name))));
        let above_own = above.as_ref().and_then(|above| above.values().remove(&self.settings.own_property));
        if let (Some(name), Some(own)) = (&self.settings.parent_property, &above_own) {
            all.push(property(name, Some(own)));
        }
        let mut body = json!({ "sourceId": self.source(), "sourceCategory": self.category(bytes.is_none()) });
        if let Some(bytes) = bytes {
            all.push(property(&self.settings.mark_property, Some(bytes.mark)));
            body["filename"] = Json::from(bytes.file_name);
            body["contentLocationUri"] = Json::from(self.upload(bytes).await?);
        }
        body["sourceProperties"] = json!({ "properties": all });
        let url = self.base.url(&format!("/dms/r/{}/o2m", hal::encoded(&self.settings.repository)));
        let headers = [("content-type", "application/json"), ("accept", "application/hal+json")];
        let answer = self.rest.send("POST", &url, &headers, Some(body.to_string())).await?;
        let id = match (answer.status, rest::header(&answer, "location")) {
            (201, Some(location)) => hal::last_part(location).ok_or_else(rest::garbage)?,
            (201, None) => return Err(rest::garbage()),
            _ => return Err(self.rest.refusal(&answer)),
        };
        if let Some(above) = &above {
            self.link(above, &id).await?;
        }
        let dto = self.dto(&id).await?.ok_or_else(rest::garbage)?;
        Ok(Created::New(self.object(&dto)?))
    }

    /// Puts an object into another one. Doing it again changes nothing.
    async fn link(&self, above: &Dto, id: &str) -> Result<(), Failure> {
        let Some(href) = above.links.href("linkDmsObject") else { return Ok(()) };
        let url = self.base.expanded(href, &[]).ok_or_else(rest::garbage)?;
        let body = json!({ "dmsObjectIds": [id] }).to_string();
        let answer =
            self.rest.send("POST", &url, &[("content-type", "application/json")], Some(body)).await?;
        match answer.status {
            200 | 201 | 204 => Ok(()),
            _ => Err(self.rest.refusal(&answer)),
        }
    }

    async fn update(
        &self,
        dto: &Dto,
        properties: Vec<Json>,
        bytes: Option<&Bytes<'_>>,
    ) -> Result<Object, Failure> {
        let href =
            dto.links.href("update").ok_or_else(|| failure::refused("the object may not be changed"))?;
        let url = self.base.expanded(href, &[]).ok_or_else(rest::garbage)?;
        let mut body = json!({
            "sourceId": self.source(),
            "alterationText": "Amtsbote",
            "sourceProperties": { "properties": properties },
        });
        if let Some(bytes) = bytes {
            body["filename"] = Json::from(bytes.file_name);
            body["contentLocationUri"] = Json::from(self.upload(bytes).await?);
        }
        let headers = [("content-type", "application/json")];
        let answer = self.rest.send("PUT", &url, &headers, Some(body.to_string())).await?;
        match answer.status {
            200 | 204 => {}
            _ => return Err(self.rest.refusal(&answer)),
        }
        let id = dto.id.as_deref().ok_or_else(rest::garbage)?;
        let now = self.dto(id).await?.ok_or_else(failure::gone)?;
        self.object(&now)
    }
}

#[async_trait]
impl Port for Repository {
    async fn root(&self) -> Result<Object, Failure> {
        if let Some(id) = &self.settings.root {
            let dto = self.dto(id).await?;
            let dto =
                dto.ok_or_else(|| failure::setup("the object that everything is put under is not there"))?;
            return self.object(&dto);
        }
        Ok(Object { reference: NOWHERE.to_owned(), is_folder: true, ..Object::default() })
    }

    async fn find(&self, own: &str, is_folder: bool) -> Result<Option<Object>, Failure> {
        let wanted = json!({ self.settings.own_property.clone(): [own] }).to_string();
        let categories = json!([self.category(is_folder)]).to_string();
        let source = self.source();
        let values = [
            ("sourceid", source.as_str()),
            ("sourceproperties", &wanted),
            ("sourcecategories", &categories),
            ("page", "1"),
            ("pagesize", "10"),
        ];
        let answer = self.ask(&self.url("searchresultwithmapping", &values).await?).await?;
        if answer.status != 200 {
            return Err(self.rest.refusal(&answer));
        }
        let found: hal::Found = rest::json(&answer)?;
        for dto in &found.items {
            let object = self.object(dto)?;
            // A search may find what only resembles.
            if object.own.as_deref() == Some(own) && object.is_folder == is_folder {
                return self.get(&object.reference).await;
            }
        }
        Ok(None)
    }

    async fn get(&self, reference: &str) -> Result<Option<Object>, Failure> {
        let dto = self.dto(reference).await?;
        dto.map(|dto| self.object(&dto)).transpose()
    }

    async fn child(&self, _: &str, _: &str) -> Result<Option<Object>, Failure> {
        Ok(None)
    }

    async fn parent(&self, _: &Object) -> Result<Option<Object>, Failure> {
        Ok(None)
    }

    fn marks_versions(&self) -> bool {
        false
    }

    async fn create_folder(&self, parent: &str, entry: &Entry) -> Result<Created, Failure> {
        self.create(parent, entry, None).await
    }

    async fn create_document(
        &self,
        folder: &str,
        entry: &Entry,
        bytes: &Bytes<'_>,
    ) -> Result<Created, Failure> {
        self.create(folder, entry, Some(bytes)).await
    }

    async fn new_version(&self, of: &Object, bytes: &Bytes<'_>) -> Result<Object, Failure> {
        let dto = self.unchanged(of).await?;
        let mark = property(&self.settings.mark_property, Some(bytes.mark));
        self.update(&dto, vec![mark], Some(bytes)).await
    }

    async fn has_version(&self, of: &Object, mark: &str) -> Result<bool, Failure> {
        Ok(of.mark.as_deref() == Some(mark))
    }

    async fn set_metadata(
        &self,
        of: &Object,
        own: Option<&str>,
        properties: &BTreeMap<String, Value>,
    ) -> Result<Object, Failure> {
        let dto = self.unchanged(of).await?;
        let mut all = changed(properties);
        all.extend(own.map(|own| property(&self.settings.own_property, Some(own))));
        self.update(&dto, all, None).await
    }

    async fn open(&self, of: &Object) -> Result<Content, Failure> {
        let dto = self.unchanged(of).await?;
        let href =
            dto.links.href("mainblobcontent").ok_or_else(|| failure::refused("the object has no file"))?;
        let url = self.base.expanded(href, &[]).ok_or_else(rest::garbage)?;
        let opened = self.rest.open(&url, &[("accept", "application/octet-stream")]).await?;
        let kind = opened.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_page = kind.starts_with("text/html");
        let may_be_page = of.file_name.as_deref().is_some_and(|name| name.contains(".htm"));
        match opened.status {
            200 if is_page && !may_be_page => Err(rest::garbage()),
            200 => Ok(opened.body),
            _ => Err(self.rest.refusal_of(&opened)),
        }
    }

    async fn changes(&self, _: Option<&str>) -> Result<Option<Changes>, Failure> {
        Ok(None)
    }

    async fn check(&self) -> Result<String, Failure> {
        let links = self.links().await?;
        let needed = ["dmsobjectwithmapping", "searchresultwithmapping", "chunkedupload"];
        if let Some(missing) = needed.into_iter().find(|link| links.href(link).is_none()) {
            return Err(failure::setup(format!("the repository offers no {missing}")));
        }
        self.find("check", false).await?;
        Ok("d.velop documents (untested live): the repository answers and searches by our identifier"
            .to_owned())
    }
}

/// Properties as they are sent; without values they are cleared.
fn changed(properties: &BTreeMap<String, Value>) -> Vec<Json> {
    properties.iter().map(|(name, value)| property(name, value.value.as_deref())).collect()
}

fn property(key: &str, value: Option<&str>) -> Json {
    json!({ "key": key, "values": value.into_iter().collect::<Vec<_>>() })
}
