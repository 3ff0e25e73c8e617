//! The server of Open311 GeoReport v2. A report opens a case; its `service_request_id` is the id of that case. Nothing is remembered here but how
//! often somebody called, and for an hour what nobody was answered: what is answered is made of the case.
//!
//! | module | holds |
//! |---|---|
//! | `answer` | XML and JSON |
//! | `coming` | forms as they come, and the memory that there is for them |
//! | `form` | what callers say, and their photographs |
//! | `keys` | who calls, and how often |
//! | `places` | places for what takes memory or time |
//! | `services` | discovery, services, definitions |
//! | `report` | a report as it is judged |
//! | `create` | a report becomes a case |
//! | `photos` | photographs of a report, and those that are published |
//! | `unheard` | reports whose answer nobody may have heard |
//! | `list` | reports as everybody may see them |
//! | `pages` | the cases that a list looks at |
//! | `updates` | `servicerequestupdates` of FixMyStreet |

mod answer;
mod coming;
mod create;
mod form;
mod keys;
mod list;
mod pages;
mod photos;
mod places;
mod report;
mod services;
mod shown;
mod unheard;
mod updates;

use std::sync::Arc;

use async_trait::async_trait;
use model::adapter::{Adapter, CallbackRequest, Capability, Descriptor, Health, Host, Reply};
use model::letter::{Letter, TakenIn};
use model::{Failure, FailureKind, Id, Record, RecordKind};
use net::Client;

use self::answer::{Format, Node};
use self::coming::{Coming, Forms};
use self::form::Form;
use self::keys::Keys;
use self::places::Places;
use self::unheard::Unheard;
use crate::photo::Studio;
use crate::settings::{Service, Settings};

/// The door of the adapter.
const DOOR: &str = "open311/v2";

/// Lists that may look at more than a page of cases at the same time: of callers whose key is known, and of all others.
const LONG_LISTS: u32 = 2;

/// Calls for which photographs are fetched at the same time; each has one in memory.
const FETCHING: u32 = 2;

/// What a caller is told who asked for something wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// HTTP status: 400, 403, 404, 408, 422, 429 or 503.
    pub(crate) status: u16,
    /// All that is wrong.
    pub(crate) wrong: Vec<String>,
}

impl Refusal {
    fn new(status: u16, wrong: &str) -> Self {
        Refusal { status, wrong: vec![wrong.to_owned()] }
    }

    fn bad(wrong: &str) -> Self {
        Refusal::new(400, wrong)
    }

    fn busy() -> Self {
        Refusal::new(503, "too many reports at once: try again in a minute")
    }

    fn not_there(what: &str) -> Self {
        Refusal { status: 404, wrong: vec![format!("{what} was not found")] }
    }
}

/// Why there is no answer.
enum Trouble {
    /// The caller asked for something wrong.
    Refused(Refusal),
    /// It is ours.
    Failed(Failure),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Trouble::Refused(refusal)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Failed(failure)
    }
}

/// An answer: status, name of the root in XML, and what it says.
struct Said {
    root: &'static str,
    node: Node,
}

fn said(root: &'static str, node: Node) -> Result<Said, Trouble> {
    Ok(Said { root, node })
}

/// A call about to be answered.
struct Call<'a> {
    method: &'a str,
    query: &'a str,
    headers: &'a [(String, String)],
    host: &'a dyn Host,
    /// The same, for what outlives the call.
    shared: &'a Arc<dyn Host>,
}

impl Call<'_> {
    /// Takes a letter in, to the end, even if the caller does not wait for it.
    async fn take_in(&self, letter: Letter) -> Result<TakenIn, Failure> {
        let host = Arc::clone(self.shared);
        let taking = tokio::spawn(async move { host.take_in(letter).await });
        taking.await.unwrap_or_else(|_| Err(Failure::transient("adapter.unavailable", "a letter broke off")))
    }
}

/// The server.
pub struct Open311 {
    settings: Settings,
    descriptor: Descriptor,
    client: Client,
    keys: Keys,
    forms: Forms,
    long_lists: Places,
    fetching: Places,
    studio: Studio,
    unheard: Unheard,
}

impl Open311 {
    /// A server; photographs are fetched by `client`.
    pub fn new(mut settings: Settings, client: Client) -> Self {
        let capabilities = vec![Capability::Callback];
        let mut descriptor = Descriptor::new(settings.id.clone(), "mobile", capabilities);
        descriptor.door = Some(DOOR.to_owned());
        let keys = Keys::new(std::mem::take(&mut settings.keys), settings.reads_per_minute);
        let forms = Forms::new(settings.photo_bytes);
        let studio = Studio::new(settings.photo_bytes, settings.photo_pixels);
        let (long_lists, fetching) = (Places::new(LONG_LISTS), Places::new(FETCHING));
        let unheard = Unheard::default();
        Open311 { settings, descriptor, client, keys, forms, long_lists, fetching, studio, unheard }
    }

    fn service(&self, code: &str) -> Option<&Service> {
        self.settings.services.iter().find(|service| service.code == code)
    }

    /// Answers a call to a resource of one of the two formats.
    async fn answer(
        &self,
        path: &str,
        call: &Call<'_>,
        body: model::adapter::Content,
    ) -> Result<Said, Trouble> {
        let parts: Vec<&str> = path.split('/').collect();
        match (call.method, parts.as_slice()) {
            ("GET", _) => {
                let form = Form::query(call.query)?;
                self.jurisdiction(&form)?;
                self.read(&parts, &form, call).await
            }
            ("POST", ["requests" | "servicerequestupdates"]) => {
                let (app, form) = self.said_by(call, body).await?;
                self.jurisdiction(&form)?;
                match parts.first() {
                    Some(&"requests") => self.create(app, form, call).await,
                    _ => self.update(app, form, call).await,
                }
            }
            _ => Err(Refusal::not_there("the resource").into()),
        }
    }

    /// The app that calls, and what it says. Whoever says the key first is known, or refused, before the rest is read.
    async fn said_by(&self, call: &Call<'_>, body: model::adapter::Content) -> Result<(&str, Form), Refusal> {
        let now = call.host.now();
        let coming = Coming::begin(call.query, call.headers, body).await?;
        let key = coming.key().await;
        if key.is_some() || coming.is_whole() {
            let (app, _) = self.keys.known(key.as_deref(), now)?;
            return Ok((app, self.forms.read(coming, true).await?));
        }
        self.keys.reads(None, now)?;
        let form = self.forms.read(coming, false).await?;
        let (app, _) = self.keys.known(form.get("api_key"), now)?;
        Ok((app, form))
    }

    async fn read(&self, parts: &[&str], form: &Form, call: &Call<'_>) -> Result<Said, Trouble> {
        let (key, now) = (form.get("api_key"), call.host.now());
        if parts == ["servicerequestupdates"] {
            let (_, counter) = self.keys.known(key, now)?;
            return self.updates(form, counter, call.host).await;
        }
        let counter = self.keys.reads(key, now)?;
        match parts {
            ["discovery"] => said("discovery", services::discovery(&self.settings)),
            ["services"] => said("services", services::services(&self.settings)),
            ["services", code] => {
                let service = self.service(&plain(code)).filter(|it| !it.attributes.is_empty());
                let service = service.ok_or_else(|| Refusal::not_there("the service"))?;
                said("service_definition", services::definition(service))
            }
            ["requests"] => self.list(form, counter, call.host).await,
            ["requests", id] => self.one(id, form, call.host).await,
            ["tokens", token] => self.token(token, call.host).await,
            _ => Err(Refusal::not_there("the resource").into()),
        }
    }

    /// `GET tokens/{token}`: what became of a report of a service of type `batch`.
    async fn token(&self, token: &str, host: &dyn Host) -> Result<Said, Trouble> {
        let not_there = || Refusal::not_there("the token");
        let id: Id = token.parse().map_err(|_| not_there())?;
        let record = host.record(RecordKind::Interaction, id).await?;
        let case = match record {
            Some(Record::Interaction(contact)) if contact.kind == create::WAY => contact.case_id,
            _ => None,
        };
        let case = case.ok_or_else(not_there)?;
        let one = Node::Object(vec![
            ("service_request_id", Node::text(case.to_string())),
            ("token", Node::text(token)),
        ]);
        said("service_requests", Node::List("request", vec![one]))
    }

    /// Whoever names another jurisdiction is wrong here.
    fn jurisdiction(&self, form: &Form) -> Result<(), Refusal> {
        let ours = self.settings.jurisdiction.as_deref();
        match (form.get("jurisdiction_id"), ours) {
            (Some(named), Some(ours)) if named != ours => Err(Refusal::not_there("the jurisdiction_id")),
            _ => Ok(()),
        }
    }
}

/// A part of a path without its percent signs.
fn plain(part: &str) -> String {
    form_urlencoded::parse(part.replace('+', "%2B").as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

#[async_trait]
impl Adapter for Open311 {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn callback(&self, request: CallbackRequest, host: Arc<dyn Host>) -> Result<Reply, Failure> {
        let CallbackRequest { method, path, headers, body } = request;
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let method = if method == "HEAD" { "GET" } else { method.as_str() };
        let call = Call { method, query, headers: &headers, host: &*host, shared: &host };
        if let Some(name) = path.strip_prefix("media/") {
            return self.photograph(name, &call).await;
        }
        let (path, format) = match path.rsplit_once('.') {
            Some((path, "json")) => (path, Format::Json),
            Some((path, "xml")) => (path, Format::Xml),
            _ => return Ok(Format::Xml.refused(404, &["expected .xml or .json".to_owned()])),
        };
        match self.answer(path, &call, body).await {
            Ok(said) => Ok(format.reply(200, said.root, &said.node)),
            Err(Trouble::Refused(refusal)) => Ok(format.refused(refusal.status, &refusal.wrong)),
            // What the rules of records refuse is the caller's; all else is ours, and may be well when it calls again.
            Err(Trouble::Failed(failure)) if failure.code == "model.invalid" => {
                Ok(format.refused(400, &["a value is not one that a case may have".to_owned()]))
            }
            Err(Trouble::Failed(failure)) => Err(Failure { kind: FailureKind::Transient, ..failure }),
        }
    }

    async fn check(&self) -> Health {
        Health { ok: true, detail: "it is called, and calls nobody".to_owned() }
    }
}
