//! enaio (OPTIMAL SYSTEMS) by its AppConnector (osrest), as far as it is publicly known. Not tested against a real system.
//!
//! | of the port | here |
//! |---|---|
//! | folder | an object of the cabinet's type (Ordner) at the top, of the register's type below |
//! | document | an object of the document's type |
//! | our identifier, the mark of a version, the name | fields of the settings, by their internal names |
//! | change token | a digest of what the system says of the object |
//! | reading bytes, changes | are not publicly described, so not offered |

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::adapter::Content;
use model::{Clock, Failure};
use net::{Answer, Upload};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::failure;
use crate::port::{Bytes, Changes, Created, Entry, Object, Port, Value};
use crate::rest::{self, Login, Rest};

/// The place above all cabinets.
const TOP: &str = "0";

/// How the AppConnector is reached, and what is called how there.
#[derive(Clone)]
pub struct Settings {
    /// Address of its interface, `https://…/osrest/api`.
    pub url: String,
    /// Who the gateway is there.
    pub login: Login,
    /// Type of folders at the top.
    pub cabinet: ObjectType,
    /// Type of folders within others.
    pub register: ObjectType,
    /// Type of documents.
    pub document: ObjectType,
    /// Field of documents that holds the mark of the latest version.
    pub mark_field: String,
    /// Folder that everything is put under; absent: at the top.
    pub root: Option<u64>,
    /// Longest time of a call without content.
    pub within: Duration,
    /// Longest time of a call with content.
    pub transfer: Duration,
}

/// A type of objects.
#[derive(Debug, Clone)]
pub struct ObjectType {
    /// Its id.
    pub id: String,
    /// Field that holds our identifier.
    pub own_field: String,
    /// Field that holds the name, if there is one.
    pub name_field: Option<String>,
}

/// The AppConnector.
pub struct Enaio {
    rest: Rest,
    settings: Settings,
}

/// An object, as the system tells it; what is not needed only counts for the token.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dto {
    osid: Json,
    #[serde(default)]
    object_type: String,
    #[serde(default)]
    object_type_id: Json,
    #[serde(default)]
    ecm_simple_fields: Vec<Field>,
    #[serde(default)]
    system_fields: Json,
    #[serde(default)]
    file_properties: Json,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Field {
    internal_name: String,
    #[serde(default)]
    value: Json,
}

/// The AppConnector as a document management system. `None` if the address is none.
pub fn enaio(settings: Settings, client: net::Client, clock: Arc<dyn Clock>) -> Option<Enaio> {
    let url = settings.url.trim_end_matches('/').to_owned();
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    if host.is_empty() || host.contains(['@', '?', '#']) {
        return None;
    }
    let rest = Rest::new(client, clock, settings.login.clone(), settings.within, settings.transfer);
    Some(Enaio { rest, settings: Settings { url, ..settings } })
}

impl Enaio {
    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.settings.url)
    }

    fn types(&self, is_folder: bool) -> Vec<&ObjectType> {
        match is_folder {
            true => vec![&self.settings.cabinet, &self.settings.register],
            false => vec![&self.settings.document],
        }
    }

    /// The type of an object, by what the system says of it.
    fn type_of(&self, dto: &Dto) -> &ObjectType {
        let id = text(&dto.object_type_id).unwrap_or_default();
        let all = [&self.settings.cabinet, &self.settings.register, &self.settings.document];
        all.into_iter().find(|it| it.id == id).unwrap_or(&self.settings.document)
    }

    fn object(&self, dto: &Dto) -> Result<Object, Failure> {
        let kind = self.type_of(dto);
        let mut properties: BTreeMap<String, String> = dto
            .ecm_simple_fields
            .iter()
            .filter_map(|it| Some((it.internal_name.clone(), text(&it.value)?)))
            .collect();
        let told = format!("{properties:?}{}{}", dto.system_fields, dto.file_properties);
        let mut take = |name: &str| properties.remove(name).filter(|value| !value.is_empty());
        let (own, mark) = (take(&kind.own_field), take(&self.settings.mark_field));
        let name = kind.name_field.as_deref().and_then(&mut take).unwrap_or_default();
        let is_folder = match dto.object_type.as_str() {
            "FOLDER" | "REGISTER" => true,
            "DOCUMENT" => false,
            _ => kind.id != self.settings.document.id,
        };
        Ok(Object {
            reference: reference(&dto.osid).ok_or_else(rest::garbage)?,
            token: Some(digest(&told)),
            own,
            is_folder,
            name,
            content: (!is_folder).then(|| digest(&dto.file_properties.to_string())),
            mark: mark.filter(|_| !is_folder),
            properties,
            ..Object::default()
        })
    }

    async fn unchanged(&self, of: &Object) -> Result<Object, Failure> {
        let now = self.get(&of.reference).await?.ok_or_else(failure::gone)?;
        match now.token == of.token {
            true => Ok(now),
            false => Err(failure::conflict()),
        }
    }

    async fn create(
        &self,
        parent: &str,
        entry: &Entry,
        bytes: Option<&Bytes<'_>>,
    ) -> Result<Created, Failure> {
        let kind = match bytes {
            Some(_) => &self.settings.document,
            None if parent == TOP => &self.settings.cabinet,
            None => &self.settings.register,
        };
        let mut fields = fields(&entry.properties);
        fields.insert(kind.own_field.clone(), json!({ "value": entry.own }));
        if let Some(name) = &kind.name_field {
            fields.insert(name.clone(), json!({ "value": entry.name }));
        }
        if let Some(bytes) = bytes {
            fields.insert(self.settings.mark_field.clone(), json!({ "value": bytes.mark }));
        }
        let data = json!({ "objectTypeId": kind.id, "fields": fields });
        let location =
            number(parent).ok_or_else(|| failure::refused("the reference is none of this system"))?;
        let path = if location == 0 {
            "documents/insert".to_owned()
        } else {
            format!("documents/insert/{location}")
        };
        let answer = self.send_form(&path, &data, bytes).await?;
        if answer.status != 200 {
            return Err(self.rest.refusal(&answer));
        }
        let id = std::str::from_utf8(&answer.body).ok().and_then(|text| number(text.trim()));
        let id = id.filter(|id| *id > 0).ok_or_else(rest::garbage)?;
        let made = self.get(&id.to_string()).await?.ok_or_else(rest::garbage)?;
        Ok(Created::New(made))
    }

    async fn update(
        &self,
        of: &Object,
        fields: serde_json::Map<String, Json>,
        bytes: Option<&Bytes<'_>>,
    ) -> Result<Object, Failure> {
        let data = json!({ "osid": of.reference, "fields": fields });
        let replace = if bytes.is_some() { "?replacefiles=true" } else { "" };
        let path = format!("documents/update/{}{replace}", of.reference);
        let answer = self.send_form(&path, &data, bytes).await?;
        match answer.status {
            200 | 204 if !is_page(&answer) => self.get(&of.reference).await?.ok_or_else(failure::gone),
            _ => Err(self.rest.refusal(&answer)),
        }
    }

    /// A form of the index data and, if there is one, the file.
    async fn send_form(&self, path: &str, data: &Json, bytes: Option<&Bytes<'_>>) -> Result<Answer, Failure> {
        let boundary = format!(
            "amtsbote-{}",
            hex::encode(seal::random_bytes::<16>().map_err(|_| failure::unavailable())?)
        );
        let data = serde_json::to_string_pretty(data).unwrap_or_default();
        let mut head = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"data\"\r\ncontent-type: application/json; charset=utf-8\r\n\r\n{data}\r\n"
        );
        let body: Upload = match bytes {
            None => {
                head.push_str(&format!("--{boundary}--\r\n"));
                head.into_bytes().into()
            }
            Some(bytes) => {
                let name = quoted(bytes.file_name);
                let kind = bytes.media_type.filter(|kind| kind.bytes().all(|b| b.is_ascii_graphic()));
                let kind = kind.unwrap_or("application/octet-stream");
                head.push_str(&format!(
                    "--{boundary}\r\ncontent-disposition: form-data; name=\"path\"; filename=\"{name}\"\r\ncontent-type: {kind}\r\n\r\n"
                ));
                let tail = format!("\r\n--{boundary}--\r\n").into_bytes();
                rest::body(head.into_bytes(), bytes.source.open().await?, bytes.size, tail)
            }
        };
        let content_type = format!("multipart/form-data; boundary={boundary}");
        self.rest.upload("POST", &self.url(path), &[("content-type", &content_type)], body).await
    }
}

#[async_trait]
impl Port for Enaio {
    async fn root(&self) -> Result<Object, Failure> {
        if let Some(id) = self.settings.root {
            let found = self.get(&id.to_string()).await?;
            return found
                .ok_or_else(|| failure::setup("the folder that everything is put under is not there"));
        }
        Ok(Object { reference: TOP.to_owned(), is_folder: true, ..Object::default() })
    }

    async fn find(&self, own: &str, is_folder: bool) -> Result<Option<Object>, Failure> {
        for kind in self.types(is_folder) {
            let field = json!({ kind.own_field.clone(): { "value": own } });
            let body = json!({ "query": { "objectTypeId": kind.id, "fields": field } }).to_string();
            let headers = [("content-type", "application/json"), ("accept", "application/json")];
            let answer = self.rest.send("POST", &self.url("documents/search"), &headers, Some(body)).await?;
            match answer.status {
                200 => {}
                404 => continue,
                _ => return Err(self.rest.refusal(&answer)),
            }
            for dto in rest::json::<Vec<Dto>>(&answer)? {
                let object = self.object(&dto)?;
                // Stars in a value are wildcards of the search; what is found may only resemble.
                if object.own.as_deref() == Some(own) {
                    return self.get(&object.reference).await;
                }
            }
        }
        Ok(None)
    }

    async fn get(&self, reference: &str) -> Result<Option<Object>, Failure> {
        let id = number(reference).ok_or_else(|| failure::refused("the reference is none of this system"))?;
        let url = self.url(&format!("documents/search/{id}"));
        let answer = self.rest.send("GET", &url, &[("accept", "application/json")], None).await?;
        match answer.status {
            200 => self.object(&rest::json(&answer)?).map(Some),
            404 => Ok(None),
            _ => Err(self.rest.refusal(&answer)),
        }
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
        self.unchanged(of).await?;
        let mark = json!({ "value": bytes.mark, "internalName": self.settings.mark_field });
        let fields = serde_json::Map::from_iter([(self.settings.mark_field.clone(), mark)]);
        self.update(of, fields, Some(bytes)).await
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
        self.unchanged(of).await?;
        let mut fields = fields(properties);
        if let Some(own) = own {
            let field = if of.is_folder {
                &self.settings.register.own_field
            } else {
                &self.settings.document.own_field
            };
            fields.insert(field.clone(), json!({ "value": own, "internalName": field }));
        }
        self.update(of, fields, None).await
    }

    async fn open(&self, _: &Object) -> Result<Content, Failure> {
        Err(Failure::permanent("dms.not-offered", "how its bytes are read is not known of this system"))
    }

    async fn changes(&self, _: Option<&str>) -> Result<Option<Changes>, Failure> {
        Ok(None)
    }

    async fn check(&self) -> Result<String, Failure> {
        let answer =
            self.rest.send("GET", &self.url("serviceinfo"), &[("accept", "application/json")], None).await?;
        if answer.status != 200 {
            return Err(self.rest.refusal(&answer));
        }
        rest::json::<Json>(&answer)?;
        self.find("check", false).await?;
        Ok("enaio (untested live): the AppConnector answers and searches by our identifier".to_owned())
    }
}

fn fields(properties: &BTreeMap<String, Value>) -> serde_json::Map<String, Json> {
    let field = |(name, value): (&String, &Value)| {
        (name.clone(), json!({ "value": value.value.as_deref().unwrap_or_default(), "internalName": name }))
    };
    properties.iter().map(field).collect()
}

fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// An id, from a number or text of digits alone.
fn reference(osid: &Json) -> Option<String> {
    number(&text(osid)?).filter(|id| *id > 0).map(|id| id.to_string())
}

fn number(text: &str) -> Option<u64> {
    let is_plain = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

fn digest(text: &str) -> String {
    seal::sha256(&[text.as_bytes()]).to_string()
}

/// A name within quotation marks, as browsers write it (WHATWG HTML, multipart/form-data).
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

fn is_page(answer: &Answer) -> bool {
    rest::header(answer, "content-type").is_some_and(|kind| kind.starts_with("text/html"))
}
