//! The subscriber: fetches what waits at the delivery service, takes it in, and only then accepts it. What does not pass is rejected.
//!
//! A submission is known by its id: it is one letter, however often it is fetched. One that cannot be taken keeps no other waiting: what
//! failed before is tried after the others, that of the longest time ago first, and what failed for good is left alone for an hour.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use model::adapter::{Adapter, CallbackRequest, Capability, Descriptor, Health, Host, Reply};
use model::{Failure, FailureKind};
use seal::jose::PrivateKey;
use seal::x509::Trust;
use serde::Deserialize;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::answer::Pending;
use super::client::{Access, Call};
use super::fetch::{Destination, Stop, Waiting, destination};
use super::keys::Keys;
use super::problems::{Kind, Names};
use super::set::uuid;
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
    /// Whom certificates of keys that events are signed with must go back to; absent: nobody is asked who issued them.
    pub trust: Option<Trust>,
    /// Most bytes of a form's data.
    pub most_data: usize,
    /// Most bytes of an attachment.
    pub most_attachment: u64,
    /// Most bytes of a submission with all that is in it.
    pub most_submission: u64,
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
pub fn adapter(mut settings: Settings, access: Access) -> seal::Result<Arc<dyn Adapter>> {
    let mut capabilities = vec![Capability::Run];
    if settings.callback_secret.is_some() {
        capabilities.push(Capability::Callback);
    }
    let descriptor = Descriptor::new(settings.id.clone(), "online", capabilities);
    let access = Arc::new(access);
    let own = vec![(settings.destination, settings.signing.public()?)];
    let trust = settings.trust.take().map(Arc::new);
    let keys = Keys::new(Arc::clone(&access), settings.issuer.clone(), own).with_trust(trust);
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
        let looked = async {
            let listed = self.waiting().await?;
            let destination =
                if listed.is_empty() { Destination::default() } else { self.destination().await? };
            Ok((listed, destination))
        };
        let (mut listed, destination) = match looked.await {
            Ok(looked) => looked,
            Err(failure) => {
                watch.failed(SERVICE, &failure, now);
                return Err(failure);
            }
        };
        watch.forget(SERVICE);
        let mut pending = Pending::load(host).await?;
        let waits: BTreeSet<String> = listed.iter().map(|at| at.submission_id.to_string()).collect();
        watch.keep_only(|name| waits.contains(name) || uuid(name).is_some_and(|id| pending.has(id)));
        let mut failures = Failures::default();
        self.settle(host, watch, &mut pending, &mut failures).await?;
        // Answers that are not taken say nothing of what waits.
        failures.in_a_row = 0;
        listed.retain(|at| !pending.has(at.submission_id));
        listed.sort_by_key(|at| watch.tried(&at.submission_id.to_string()));
        for at in listed {
            let name = at.submission_id.to_string();
            if failures.are_of_the_line() {
                break;
            }
            if begun.elapsed() > SESSION {
                return Ok(Duration::ZERO);
            }
            if watch.rests(&name, now) {
                continue;
            }
            let taken = self.take(host, at, &destination, &mut pending).await;
            match &taken {
                Ok(()) => watch.forget(&name),
                Err(failure) => watch.failed(&name, failure, now),
            }
            failures.note(taken);
        }
        failures.first.map_or(Ok(self.settings.pause), Err)
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

    /// Takes one submission in and accepts it, or rejects it.
    async fn take(
        &self,
        host: &dyn Host,
        at: Waiting,
        destination: &Destination,
        pending: &mut Pending,
    ) -> Result<(), Failure> {
        if let Some(link) = host.linked(&at.submission_id.to_string()).await? {
            return self.answer_again(host, at.submission_id, &link, pending).await;
        }
        let fetched = match self.fetch(host, at, destination).await {
            Ok(fetched) => fetched,
            // A key that is new at the destination and not configured here yet says nothing of who wrote.
            Err(Stop::Rejected(problem)) if problem.kind == Kind::Encryption && !self.opens(destination) => {
                return Err(no_key());
            }
            Err(Stop::Rejected(problem)) => return self.reject(host, at, problem, pending).await,
            Err(Stop::Failed(failure)) => return Err(failure),
        };
        let own = self.acceptance(at, &fetched.tags, fetched.set.schema.as_deref(), host.now())?;
        let mapping = for_service(&self.settings.mappings, &fetched.service.identifier);
        let letter = application::letter(host, &fetched, mapping, &own.token).await?;
        let taken = host.take_in(letter).await?;
        self.accept(host, at, (taken.interaction, !taken.again), own, pending).await
    }

    /// Whether the destination's present key is one of ours.
    fn opens(&self, destination: &Destination) -> bool {
        self.settings.decryption.iter().any(|key| key.kid() == destination.encryption_kid)
    }

    async fn looked_at(&self) -> Result<String, Failure> {
        let destination = self.destination().await?;
        let waiting = self.waiting().await?.len();
        if destination.status != "active" {
            let why = format!("the destination is not active, but {:.20}", harmless(&destination.status));
            return Err(Failure::permanent("fit.destination", why));
        }
        if !self.opens(&destination) {
            return Err(no_key());
        }
        Ok(format!("it answers; {waiting} submissions wait"))
    }
}

/// What went wrong in a session.
#[derive(Default)]
pub(super) struct Failures {
    first: Option<Failure>,
    /// Those one after the other that may be the line's.
    in_a_row: u32,
}

impl Failures {
    /// What became of one submission.
    pub(super) fn note(&mut self, outcome: Result<(), Failure>) {
        match outcome {
            Ok(()) => self.in_a_row = 0,
            Err(failure) => {
                self.in_a_row = if is_of_line(&failure) { self.in_a_row + 1 } else { 0 };
                self.first.get_or_insert(failure);
            }
        }
    }

    /// One that cannot be served keeps no other waiting; several in a row mean the service itself.
    pub(super) fn are_of_the_line(&self) -> bool {
        self.in_a_row >= IN_A_ROW
    }
}

fn no_key() -> Failure {
    let detail = "the destination has submissions encrypted for a key that is not configured";
    Failure::transient("fit.no-key", detail)
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
