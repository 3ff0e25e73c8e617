//! The subscriber: fetches what waits at the delivery service, takes it in, and only then accepts it. What does not pass is rejected.
//!
//! A submission is known by its id: it is one letter, however often it is fetched. The event of acceptance is written before the letter is
//! taken in, since it is kept with it, and sent afterwards; while nobody knows whether it has arrived, its submission stands in the
//! adapter's state, and the event log is asked before it is sent again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use model::adapter::{Adapter, CallbackRequest, Capability, Descriptor, Health, Host, Link, Reply};
use model::{Failure, FailureKind, RecordKind};
use net::Method;
use seal::jose::PrivateKey;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::client::{Access, Call, not_understood};
use super::fetch::{Destination, SUBMITTED, Stop, Waiting, destination};
use super::keys::Keys;
use super::problems::{Names, Problem};
use super::set::{Draft, Set, Subject, Tags, write};
use super::watch::{Desk, SERVICE, Watch};
use super::{application, callback};
use crate::mapping::{Mapping, for_service};

/// Submissions that fail one after the other because of the line, until the session ends.
const IN_A_ROW: u32 = 3;

/// A session begins no further submission after this time.
const SESSION: Duration = Duration::from_secs(90);
/// Submissions that are listed at once, and pages of them.
const LISTED: usize = 500;
const PAGES: usize = 20;
/// Where those stand whose acceptance nobody knows of yet.
const ACCEPTING: &str = "accepting";
/// Longest event that is remembered with its submission; a longer one is written anew.
const REMEMBERED: usize = 12 * 1024;
/// The schema of events where that of the delivery service's own is not known.
const SCHEMA: &str = "https://schema.fitko.de/fit-connect/set-payload/1.2.2/set-payload.schema.json";

/// How it is set up.
pub struct Settings {
    /// Id of the adapter.
    pub id: String,
    /// The destination (Zustellpunkt).
    pub destination: Uuid,
    /// Key that signs our events.
    pub signing: PrivateKey,
    /// Keys that submissions are encrypted for, the current one first.
    pub decryption: Arc<[PrivateKey]>,
    /// What the delivery service calls itself in its events; absent: anything, under its keys.
    pub issuer: Option<String>,
    /// Schema of our events; absent: that of the event which submitted.
    pub set_schema: Option<String>,
    /// Names of problems.
    pub names: Names,
    /// What forms become.
    pub mappings: Vec<Mapping>,
    /// Whose desk tasks lie on.
    pub desk: Desk,
    /// Pause between two sessions.
    pub pause: Duration,
    /// Secret of calls; without one none are taken.
    pub callback_secret: Option<Zeroizing<String>>,
    /// Most bytes of a form's data, and of an attachment.
    pub most_data: usize,
    /// Most bytes of an attachment.
    pub most_attachment: u64,
    /// After which time a clerk is told of what could not be taken.
    pub told_after: Duration,
    /// After which time the delivery service rejects what was not fetched.
    pub deadline: Duration,
}

/// The subscriber as an adapter.
pub struct Subscriber {
    descriptor: Descriptor,
    pub(crate) settings: Settings,
    pub(crate) access: Arc<Access>,
    pub(crate) keys: Keys,
}

/// A page of what waits.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    total_count: usize,
    submissions: Vec<Waiting>,
}

/// The subscriber of a destination.
///
/// # Errors
/// If the public half of the signing key cannot be made.
pub fn adapter(settings: Settings, access: Access) -> seal::Result<Arc<dyn Adapter>> {
    let mut capabilities = vec![Capability::Run];
    if settings.callback_secret.is_some() {
        capabilities.push(Capability::Callback);
    }
    let descriptor = Descriptor::new(settings.id.clone(), "online", capabilities);
    let access = Arc::new(access);
    let own = vec![(settings.destination, settings.signing.public()?)];
    let keys = Keys::new(Arc::clone(&access), settings.issuer.clone(), own);
    Ok(Arc::new(Subscriber { descriptor, settings, access, keys }))
}

#[async_trait]
impl Adapter for Subscriber {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn run(&self, host: Arc<dyn Host>) -> Result<Duration, Failure> {
        let mut watch = Watch::load(&*host).await?;
        let outcome = self.session(&*host, &mut watch).await;
        watch.finish(&*host, &self.settings).await?;
        outcome
    }

    async fn callback(&self, request: CallbackRequest, host: Arc<dyn Host>) -> Result<Reply, Failure> {
        match &self.settings.callback_secret {
            Some(secret) => Ok(callback::answer(request, secret, host.now()).await),
            None => Ok(Reply::text(404, "not found")),
        }
    }

    async fn check(&self) -> Health {
        match self.looked_at().await {
            Ok(detail) => Health { ok: true, detail },
            Err(failure) => Health { ok: false, detail: format!("{}: {}", failure.code, failure.detail) },
        }
    }
}

impl Subscriber {
    async fn session(&self, host: &dyn Host, watch: &mut Watch) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let now = host.now();
        let listed = match self.waiting().await {
            Ok(listed) => listed,
            Err(failure) => {
                watch.failed(SERVICE, &failure, now);
                return Err(failure);
            }
        };
        let destination =
            if listed.is_empty() { Ok(Destination::default()) } else { self.destination().await };
        let destination = match destination {
            Ok(destination) => destination,
            Err(failure) => {
                watch.failed(SERVICE, &failure, now);
                return Err(failure);
            }
        };
        watch.forget(SERVICE);
        let mut accepting = Accepting::load(host).await?;
        let names: BTreeSet<String> = listed.iter().map(|at| at.submission_id.to_string()).collect();
        watch.keep_only(|name| names.contains(name) || accepting.has(name));
        let mut first_failure = self.settle(host, watch, &mut accepting).await.err();
        let mut in_a_row = 0;
        for at in listed {
            if begun.elapsed() > SESSION {
                return Ok(Duration::ZERO);
            }
            if accepting.0.contains(&at.submission_id) {
                continue;
            }
            match self.take(host, at, &destination, &mut accepting).await {
                Ok(()) => {
                    watch.forget(&at.submission_id.to_string());
                    in_a_row = 0;
                }
                Err(failure) => {
                    watch.failed(&at.submission_id.to_string(), &failure, now);
                    in_a_row = if is_of_line(&failure) { in_a_row + 1 } else { 0 };
                    // One that cannot be served keeps no other waiting; several in a row mean the service itself.
                    if failure.kind == FailureKind::Unauthorised || in_a_row == IN_A_ROW {
                        return Err(failure);
                    }
                    first_failure.get_or_insert(failure);
                }
            }
        }
        first_failure.map_or(Ok(self.settings.pause), Err)
    }

    /// What waits for us.
    async fn waiting(&self) -> Result<Vec<Waiting>, Failure> {
        let mut all: Vec<Waiting> = vec![];
        for page in 0..PAGES {
            let offset = page * LISTED;
            let id = self.settings.destination;
            let path = format!("/v2/submissions?destinationId={id}&offset={offset}&limit={LISTED}");
            let found: Page = self.access.json(Call::get(&path)).await?;
            let count = found.submissions.len();
            all.extend(found.submissions.into_iter().filter(|at| at.destination_id == id));
            if count < LISTED || offset + count >= found.total_count {
                break;
            }
        }
        let mut seen = BTreeSet::new();
        all.retain(|at| seen.insert(at.submission_id));
        Ok(all)
    }

    async fn destination(&self) -> Result<Destination, Failure> {
        let path = format!("/v2/destinations/{}", self.settings.destination);
        destination(self.access.json(Call::get(&path)).await?)
    }

    /// Finds out what became of acceptances of which nobody knows.
    async fn settle(
        &self,
        host: &dyn Host,
        watch: &mut Watch,
        accepting: &mut Accepting,
    ) -> Result<(), Failure> {
        let mut first_failure = None;
        for id in accepting.0.clone() {
            let settled = match host.linked(&id.to_string()).await? {
                Some(link) => self.accept_again(host, id, &link, accepting).await,
                None => accepting.done(host, id).await,
            };
            match settled {
                Ok(()) => watch.forget(&id.to_string()),
                Err(failure) => {
                    watch.failed(&id.to_string(), &failure, host.now());
                    if is_of_line(&failure) {
                        return Err(failure);
                    }
                    first_failure.get_or_insert(failure);
                }
            }
        }
        first_failure.map_or(Ok(()), Err)
    }

    /// Takes one submission in and accepts it, or rejects it.
    async fn take(
        &self,
        host: &dyn Host,
        at: Waiting,
        destination: &Destination,
        accepting: &mut Accepting,
    ) -> Result<(), Failure> {
        if let Some(link) = host.linked(&at.submission_id.to_string()).await? {
            return self.accept_again(host, at.submission_id, &link, accepting).await;
        }
        let fetched = match self.fetch(host, at, destination).await {
            Ok(fetched) => fetched,
            Err(Stop::Rejected(problem)) => return self.reject(at, problem).await,
            Err(Stop::Failed(failure)) => return Err(failure),
        };
        let schema = fetched.set.schema.as_deref();
        let (_, token) = self.acceptance(at, &fetched.tags, schema, host)?;
        let mapping = for_service(&self.settings.mappings, &fetched.service.identifier);
        let letter = application::letter(host, &fetched, mapping, &token).await?;
        let taken = host.take_in(letter).await?;
        let remembered = (token.len() <= REMEMBERED).then_some(&token);
        let link = Link {
            kind: RecordKind::Interaction,
            record: taken.interaction,
            part: at.submission_id.to_string(),
            reference: at.submission_id.to_string(),
            state: json!({ "case": at.case_id, "acceptance": remembered }),
        };
        host.link(link.clone()).await?;
        accepting.begin(host, at.submission_id).await?;
        self.send(at.case_id, token).await?;
        self.accepted(host, at.submission_id, &link, accepting).await
    }

    /// Accepts a submission that was taken in before, unless it is accepted already.
    async fn accept_again(
        &self,
        host: &dyn Host,
        id: Uuid,
        link: &Link,
        accepting: &mut Accepting,
    ) -> Result<(), Failure> {
        let case = link.state["case"].as_str().and_then(super::set::uuid).ok_or_else(not_understood)?;
        let at = Waiting { destination_id: self.settings.destination, submission_id: id, case_id: case };
        accepting.begin(host, id).await?;
        let log = match self.events(at).await {
            // The service knows nothing of it any more, so nobody can find out.
            Err(failure) if failure.code == "fit.refused" => {
                return self.ended(host, link, accepting, json!({ "submission": id, "event": null })).await;
            }
            log => log?,
        };
        let (token, tags) = self.own_acceptance(at, link, &log, host).await?;
        if log.iter().any(|set| set.event == "accept-submission" && set.tags().as_ref() == Some(&tags)) {
            return self.accepted(host, id, link, accepting).await;
        }
        let is_end = |set: &&Set| ["reject-submission", "delete-submission"].contains(&set.event.as_str());
        if let Some(end) = log.iter().find(is_end) {
            let detail = json!({ "submission": id, "event": end.event, "set": end.id });
            return self.ended(host, link, accepting, detail).await;
        }
        self.send(case, token).await?;
        self.accepted(host, id, link, accepting).await
    }

    /// The event by which we accept it, with its tags: as it was written when it was taken in; anew where it was too long to be remembered.
    async fn own_acceptance(
        &self,
        at: Waiting,
        link: &Link,
        log: &[Set],
        host: &dyn Host,
    ) -> Result<(String, Tags), Failure> {
        if let Some(token) = link.state["acceptance"].as_str()
            && let Ok(own) = self.keys.verify(token).await?
            && let Some(tags) = own.tags()
        {
            return Ok((token.to_owned(), tags));
        }
        let submitted = log.iter().find(|set| set.event == SUBMITTED).ok_or_else(not_understood)?;
        let tags = submitted.tags().ok_or_else(not_understood)?;
        let (_, token) = self.acceptance(at, &tags, submitted.schema.as_deref(), host)?;
        Ok((token, tags))
    }

    /// It waits no more, and was not accepted: told on the time line of what it became.
    async fn ended(
        &self,
        host: &dyn Host,
        link: &Link,
        accepting: &mut Accepting,
        detail: Value,
    ) -> Result<(), Failure> {
        host.note(&format!("ended:{}", link.reference), link.kind, link.record, detail).await?;
        match super::set::uuid(&link.reference) {
            Some(id) => accepting.done(host, id).await,
            None => Ok(()),
        }
    }

    /// It is accepted: told on the time line of what it became.
    async fn accepted(
        &self,
        host: &dyn Host,
        id: Uuid,
        link: &Link,
        accepting: &mut Accepting,
    ) -> Result<(), Failure> {
        let detail = json!({ "submission": id, "event": "accept-submission" });
        host.note(&format!("accepted:{id}"), link.kind, link.record, detail).await?;
        accepting.done(host, id).await
    }

    fn acceptance(
        &self,
        at: Waiting,
        tags: &Tags,
        schema: Option<&str>,
        host: &dyn Host,
    ) -> Result<(Uuid, String), Failure> {
        let payload = json!({ "authenticationTags": tags });
        self.event(at, "accept-submission", payload, schema, host.now())
    }

    async fn reject(&self, at: Waiting, problem: Problem) -> Result<(), Failure> {
        let payload = json!({ "problems": [self.settings.names.told(problem)] });
        let (set, token) = self.event(at, "reject-submission", payload, None, self.access.now())?;
        self.send(at.case_id, token).await?;
        tracing::warn!(
            adapter = self.settings.id,
            submission = %at.submission_id,
            event = %set,
            problem = problem.kind.name(),
            "a submission was rejected"
        );
        Ok(())
    }

    fn event(
        &self,
        at: Waiting,
        event: &str,
        payload: Value,
        schema: Option<&str>,
        now: model::Timestamp,
    ) -> Result<(Uuid, String), Failure> {
        let draft = Draft {
            destination: self.settings.destination,
            subject: Subject::Submission(at.submission_id),
            case: at.case_id,
            event,
            payload,
            schema: self.settings.set_schema.as_deref().or(schema).unwrap_or(SCHEMA),
            at: now,
        };
        write(&draft, &self.settings.signing)
            .map_err(|error| Failure::permanent(error.code(), "the event cannot be signed"))
    }

    async fn send(&self, case: Uuid, token: String) -> Result<(), Failure> {
        let path = format!("/v2/cases/{case}/events");
        let call = Call::with(Method::POST, &path, "application/jose", token.into_bytes());
        self.access.send(call).await.map(drop)
    }

    async fn looked_at(&self) -> Result<String, Failure> {
        let destination = self.destination().await?;
        let waiting = self.waiting().await?.len();
        if destination.status != "active" {
            let why = format!("the destination is not active, but {:.20}", harmless(&destination.status));
            return Err(Failure::permanent("fit.destination", why));
        }
        let is_ours = |key: &PrivateKey| key.kid() == destination.encryption_kid;
        if !self.settings.decryption.iter().any(is_ours) {
            let why = "the destination has submissions encrypted for a key that is not configured";
            return Err(Failure::permanent("fit.destination", why));
        }
        Ok(format!("it answers; {waiting} submissions wait"))
    }
}

/// Submissions that were taken in and whose acceptance nobody knows of yet.
struct Accepting(Vec<Uuid>);

impl Accepting {
    async fn load(host: &dyn Host) -> Result<Self, Failure> {
        let state = host.state(ACCEPTING).await?.unwrap_or_default();
        Ok(Accepting(Vec::deserialize(state).unwrap_or_default()))
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|id| id.to_string() == name)
    }

    async fn begin(&mut self, host: &dyn Host, id: Uuid) -> Result<(), Failure> {
        if self.0.contains(&id) {
            return Ok(());
        }
        self.0.push(id);
        host.set_state(ACCEPTING, json!(self.0)).await
    }

    async fn done(&mut self, host: &dyn Host, id: Uuid) -> Result<(), Failure> {
        self.0.retain(|known| *known != id);
        let state = if self.0.is_empty() { Value::Null } else { json!(self.0) };
        host.set_state(ACCEPTING, state).await
    }
}

/// Whether it may say something of the delivery service, and not of one submission.
fn is_of_line(failure: &Failure) -> bool {
    failure.kind == FailureKind::Unauthorised
        || ["fit.unreachable", "fit.unavailable"].contains(&failure.code.as_ref())
}

/// A word of the other side as it may be shown.
fn harmless(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).collect()
}
