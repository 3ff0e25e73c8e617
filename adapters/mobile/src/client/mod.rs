//! The client: new cases of some public services are reported to the Open311 server of somebody else (the state's roads office, a utility), and what
//! becomes of them there is told on the case. What the case knows of citizens (name, telephone, e-mail) never leaves the house; what somebody has written
//! (note, and the place in words) only as `text` says: never, which is the default, once a clerk has published it, or at once. Place and title do.
//!
//! | what happens | what follows |
//! |---|---|
//! | 200 with an id, or a token | the case has a link with it |
//! | 200 without either; no answer after it was sent; 5xx | nobody knows: a human decides, since Open311 knows no repetition |
//! | 401, 403, also within a 500 (Klarschiff) | unauthorised |
//! | 408, 429, 503, no connection | tried again |
//! | anything else | a human decides |
//! | a report that was made is refused when it is asked for, and the server is well | noted once, asked for again the next day |

mod read;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::adapter::{
    Adapter, Capability, Delivery, Descriptor, Health, Host, Interest, Link, Receipt, Sources, Wanted,
};
use model::case::Case;
use model::command::{Change, Command};
use model::outbound::ChosenBy;
use model::{Clock, EventKind, Failure, FailureKind, Id, Record, RecordKind, Timestamp};
use net::{Answer, Client, Method, Request};
use serde_json::json;

use self::read::{Item, items};
use crate::geo::degrees;
use crate::settings::{ClientSettings, Publish};

/// Most bytes of an answer that are read.
const MOST_ANSWER: usize = 4 * 1024 * 1024;

/// Longest text of a report, in characters.
const DESCRIPTION: usize = 4_000;

/// Reports that are asked for at once, and cases that are looked at in a session.
const AT_ONCE: usize = 20;
const LOOKED_AT: usize = 10_000;

/// What stands before a token in the reference of a link.
const TOKEN: &str = "token:";

/// What stands before the delivery that a report was begun by, in the reference of a link without an answer yet.
const BEGUN: &str = "begun:";

/// Code of what the server refuses for good.
const REFUSED: &str = "open311.refused";

/// The reference of a case by which clerks publish it.
const PUBLISHED: &str = "published";

/// After what time a report is asked for again that the server did not know.
const GONE: Duration = Duration::from_secs(24 * 3_600);

/// The client.
pub struct OpenClient {
    settings: ClientSettings,
    descriptor: Descriptor,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl OpenClient {
    /// A client of the server of the settings, whose address is the administrator's choice.
    pub fn new(settings: ClientSettings, client: Client, clock: Arc<dyn Clock>) -> Self {
        let capabilities = vec![Capability::Deliver, Capability::Run];
        let mut descriptor = Descriptor::new(settings.id.clone(), "mobile", capabilities);
        descriptor.follows = vec![Interest { event: EventKind::RecordCreated, record: RecordKind::Case }];
        if settings.text == Publish::AfterCheck {
            let changed = Interest { event: EventKind::RecordChanged, record: RecordKind::Case };
            descriptor.follows.push(changed);
        }
        // Of several changes of a case only one may report it.
        descriptor.in_order = settings.text == Publish::AfterCheck;
        descriptor.takes_bytes = false;
        OpenClient { settings, descriptor, client, clock }
    }

    fn address(&self, path: &str) -> String {
        let ending = if self.settings.json { "json" } else { "xml" };
        format!("{}/{path}.{ending}", self.settings.url)
    }

    /// The code there of the service of a case, if such cases are reported.
    fn code(&self, case: &Case) -> Option<&str> {
        let service = case.meta.public_service.as_deref()?;
        let known = self.settings.services.iter().find(|(ours, _)| ours == service);
        known.map(|(_, theirs)| theirs.as_str())
    }

    async fn send(&self, method: Method, url: String, body: Option<String>) -> Result<Answer, Failure> {
        let kind = ("content-type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned());
        let request = Request {
            method,
            url,
            chosen_by: ChosenBy::Administrator,
            headers: body.iter().map(|_| kind.clone()).collect(),
            body: body.map(|body| body.into_bytes().into()),
            within: self.settings.within,
            most_answer: MOST_ANSWER,
        };
        Ok(self.client.send(request).await?)
    }

    /// Asks; what is wrong is told by its kind.
    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Item>, Failure> {
        let jurisdiction = self.settings.jurisdiction.as_deref().map(|it| ("jurisdiction_id", it));
        let query = query.iter().copied().chain(jurisdiction);
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let answer = self.send(Method::GET, format!("{}?{query}", self.address(path)), None).await?;
        let told = items(&answer.body);
        if answer.status == 200 {
            return told.ok_or_else(|| Failure::transient("open311.answer", "the answer cannot be read"));
        }
        Err(self.refused(&answer, told, FailureKind::Transient))
    }

    /// What it means that a call was not answered with 200.
    fn refused(&self, answer: &Answer, told: Option<Vec<Item>>, broken: FailureKind) -> Failure {
        let told = told.unwrap_or_default().iter().find_map(Item::code);
        let detail = format!("the server answers with {}", answer.status);
        match (answer.status, told) {
            (401 | 403, _) | (500.., Some(401 | 403)) => {
                Failure::new(FailureKind::Unauthorised, "open311.forbidden", detail)
            }
            (408 | 425 | 429 | 503, _) => {
                Failure::transient("open311.unavailable", detail).after(answer.retry_after(self.clock.now()))
            }
            (500.., _) => Failure::new(broken, "open311.unclear", detail),
            _ => Failure::permanent(REFUSED, detail),
        }
    }

    /// A report of a case, as a form.
    fn report(&self, case: &Case, code: &str) -> String {
        let settings = &self.settings;
        let place = case.locations.first();
        let point = place.and_then(|it| it.latitude_micro.zip(it.longitude_micro));
        let lat_long = point.map(|(lat, long)| [("lat", degrees(lat)), ("long", degrees(long))]);
        let says = settings.text != Publish::Never;
        let note = case.description.note.as_deref().map(str::trim).filter(|note| says && !note.is_empty());
        let address = place.and_then(|place| place.description.as_deref()).filter(|_| says);
        let text: String = note.unwrap_or(&case.description.title).chars().take(DESCRIPTION).collect();
        let key = settings.key.as_deref().map(String::as_str);
        let known = [
            ("service_code", Some(code)),
            ("api_key", key),
            ("jurisdiction_id", settings.jurisdiction.as_deref()),
            ("email", settings.email.as_deref()),
            ("address_string", address),
            ("description", Some(text.as_str())),
        ];
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(lat_long.into_iter().flatten());
        form.extend_pairs(known.into_iter().filter_map(|(name, value)| Some((name, value?))));
        form.finish()
    }

    async fn post(&self, case: &Case, code: &str) -> Result<String, Failure> {
        let report = self.report(case, code);
        let answer = self.send(Method::POST, self.address("requests"), Some(report)).await?;
        let told = items(&answer.body);
        if !matches!(answer.status, 200 | 201) {
            return Err(self.refused(&answer, told, FailureKind::Uncertain));
        }
        let named = told.unwrap_or_default().into_iter().find_map(|item| {
            let token = || item.token().map(|token| format!("{TOKEN}{token}"));
            item.id().map(str::to_owned).or_else(token)
        });
        let named = named.filter(|reference| reference.len() <= 200);
        let unclear = "the server took something, but gave neither an id nor a token";
        named.ok_or_else(|| Failure::new(FailureKind::Uncertain, "open311.unclear", unclear))
    }

    /// The case that is to be reported now, and its code there.
    fn reported<'a>(&self, delivery: &'a Delivery) -> Option<(&'a Case, &str)> {
        let Record::Case(case) = &delivery.about.as_deref()?.record else { return None };
        let code = self.code(case)?;
        let is_due = match (case.description.reference(PUBLISHED), self.settings.text) {
            (Some("no"), _) => false,
            (published, Publish::AfterCheck) => published == Some("yes"),
            _ => true,
        };
        is_due.then_some((case, code))
    }

    /// Whether a report is asked for.
    fn is_asked(&self, link: &Link) -> bool {
        let gone = link.state["gone"].as_str().and_then(Timestamp::parse);
        !link.reference.starts_with(BEGUN) && gone.is_none_or(|at| at.plus(GONE) <= self.clock.now())
    }

    /// What the server refuses of one report, if it is well otherwise: it does not know that report any more, which hinders no other.
    async fn gone(&self, refused: Failure, link: &Link, host: &dyn Host) -> Result<(), Failure> {
        if refused.code != REFUSED {
            return Err(refused);
        }
        self.ask("services", &[]).await?;
        let detail = json!({ "report": link.reference, "status": "gone" });
        host.note(&format!("{}:gone", link.record), RecordKind::Case, link.record, detail).await?;
        let mut state = link.state.clone();
        state["gone"] = json!(self.clock.now());
        host.link(Link { state, ..link.clone() }).await
    }

    /// Looks at reports together, and at each alone if the server refuses that.
    async fn look_at(&self, links: &[Link], host: &dyn Host) -> Result<(), Failure> {
        match self.look(links, host).await {
            Err(failure) if failure.code == REFUSED => {}
            outcome => return outcome,
        }
        for link in links {
            if let Err(failure) = self.look(std::slice::from_ref(link), host).await {
                self.gone(failure, link, host).await?;
            }
        }
        Ok(())
    }

    /// The id that a token was given for.
    async fn named(&self, link: Link, host: &dyn Host) -> Result<Option<Link>, Failure> {
        let Some(token) = link.reference.strip_prefix(TOKEN) else { return Ok(Some(link)) };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !token.chars().all(is_plain) {
            return Ok(None);
        }
        let told = match self.ask(&format!("tokens/{token}"), &[]).await {
            Ok(told) => told,
            Err(failure) => return self.gone(failure, &link, host).await.map(|()| None),
        };
        let Some(id) = told.iter().find_map(Item::id) else { return Ok(None) };
        let link = Link { reference: id.to_owned(), ..link };
        host.link(link.clone()).await?;
        Ok(Some(link))
    }

    /// Tells on cases what became of their reports.
    async fn look(&self, links: &[Link], host: &dyn Host) -> Result<(), Failure> {
        let ids: Vec<&str> = links.iter().map(|link| link.reference.as_str()).collect();
        // Klarschiff gives open ones alone unless it is told otherwise.
        let query = [("service_request_id", ids.join(",")), ("status", "open,closed".to_owned())];
        let told =
            self.ask("requests", &query.each_ref().map(|(name, value)| (*name, value.as_str()))).await?;
        for item in &told {
            let link = links.iter().find(|link| Some(link.reference.as_str()) == item.id());
            let Some((link, status)) = link.zip(item.status()) else { continue };
            if !matches!(status.as_str(), "open" | "closed") {
                continue;
            }
            if link.state["status"].as_str() != Some(status.as_str()) {
                self.changed(link, &status, item.updated(), host).await?;
            }
        }
        Ok(())
    }

    async fn changed(
        &self,
        link: &Link,
        status: &str,
        updated: Option<&str>,
        host: &dyn Host,
    ) -> Result<(), Failure> {
        let updated = updated.and_then(Timestamp::parse);
        // Counted here: the server need not say when it changed, and it may change to the same more than once.
        let changes = link.state["changes"].as_u64().unwrap_or(0) + 1;
        let key = format!("{}:{status}:{changes}", link.record);
        let detail = json!({ "report": link.reference, "status": status, "updated": updated });
        host.note(&key, RecordKind::Case, link.record, detail).await?;
        if status == "closed" && self.settings.closes {
            self.close(link.record, changes, host).await?;
        }
        host.link(Link { state: json!({ "status": status, "changes": changes }), ..link.clone() }).await
    }

    /// Closes a case; a clerk may have done so before, or have reasons not to.
    async fn close(&self, case: Id, changes: u64, host: &dyn Host) -> Result<(), Failure> {
        let command = Command { kind: RecordKind::Case, id: case, expected: None, change: Change::Close };
        match host.submit(&format!("close:{case}:{changes}"), command).await {
            Err(failure) if failure.kind != FailureKind::Permanent || !failure.code.starts_with("model.") => {
                Err(failure)
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Adapter for OpenClient {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn deliver_noting(
        &self,
        delivery: &Delivery,
        _: Sources<'_>,
        host: Arc<dyn Host>,
    ) -> Result<Receipt, Failure> {
        let Some((case, code)) = self.reported(delivery) else { return Ok(Receipt::nothing()) };
        let begun = Link {
            kind: RecordKind::Case,
            record: case.meta.id,
            part: String::new(),
            reference: format!("{BEGUN}{}", delivery.id),
            state: json!({ "status": "open" }),
        };
        let links = delivery.about.as_deref().map(|about| about.links.as_slice()).unwrap_or_default();
        // Whoever began it ends it, or a human does: another change of the case must not report it again.
        if links.iter().any(|link| link.record == begun.record && link.reference != begun.reference) {
            return Ok(Receipt::nothing());
        }
        host.link(begun.clone()).await?;
        let reference = self.post(case, code).await?;
        let link = Link { reference: reference.clone(), ..begun };
        Ok(Receipt { reference: Some(reference), links: vec![link], ..Receipt::default() })
    }

    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        let services = self.settings.services.iter().map(|(ours, _)| ours.clone()).collect();
        let mut wanted =
            Wanted { services, status: Some("open".to_owned()), limit: 200, ..Wanted::of(RecordKind::Case) };
        let (mut looked_at, mut waiting) = (0, vec![]);
        while looked_at < LOOKED_AT {
            let cases = host.records(&wanted).await?;
            looked_at += cases.len();
            wanted.after = cases.last().map(|case| case.meta().id);
            for case in &cases {
                let link = host.links(case.meta().id).await?.into_iter().next();
                let Some(link) = link.filter(|link| self.is_asked(link)) else { continue };
                waiting.extend(self.named(link, &*host).await?);
                if waiting.len() >= AT_ONCE {
                    self.look_at(&std::mem::take(&mut waiting), &*host).await?;
                }
            }
            if cases.len() < 200 {
                break;
            }
        }
        if !waiting.is_empty() {
            self.look_at(&waiting, &*host).await?;
        }
        Ok(self.settings.pause)
    }

    async fn check(&self) -> Health {
        match self.ask("services", &[]).await {
            Ok(_) => Health { ok: true, detail: "the server lists its services".to_owned() },
            Err(failure) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
        }
    }
}
