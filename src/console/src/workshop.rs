//! What operators ask for that lies outside of the broker: whether a partner answers, which schemas there are, which old algorithms are taken.
//! And long work, which goes on by itself while its page shows how far it is.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use broker::{AdapterState, ChainReport};
use model::{Authority, Caller, Id, Timestamp, ids};
use tokio::sync::Semaphore;

/// Tries that are remembered; the oldest goes first.
const MOST_KEPT: usize = 64;
/// Tries that go on at once.
const AT_ONCE: usize = 4;

/// One thing that was looked at.
#[derive(Debug, Clone)]
pub struct Check {
    /// What: `way`, `certificate`, `dialog` or `account`.
    pub what: &'static str,
    /// Which one, such as the transport or the subject of a certificate.
    pub name: String,
    /// Whether all is well with it.
    pub ok: bool,
    /// When it ends.
    pub until: Option<Timestamp>,
    /// Stable code of what is wrong.
    pub code: Option<String>,
    /// What was found, for the operator.
    pub detail: String,
}

/// A set of schemas.
#[derive(Debug, Clone)]
pub struct Pack {
    /// Name under which it is kept.
    pub name: String,
    /// Whether it is part of the program; else it was imported.
    pub own: bool,
    /// Namespaces of the messages that it describes.
    pub namespaces: Vec<String>,
    /// Schema files.
    pub schemas: usize,
    /// Code lists.
    pub code_lists: usize,
}

/// A schema file that cannot be used.
#[derive(Debug, Clone)]
pub struct PackFault {
    /// The set.
    pub pack: String,
    /// The file.
    pub file: String,
    /// Stable code.
    pub code: String,
    /// What is wrong.
    pub detail: String,
}

/// An exception from the algorithms that are taken.
#[derive(Debug, Clone)]
pub struct Weakness {
    /// Where it is allowed: `osci` for the intermediary, else a partner.
    pub place: String,
    /// Which algorithms.
    pub algorithms: String,
}

/// What lies outside of the broker.
#[async_trait]
pub trait Workshop: Send + Sync {
    /// Whether messages can go to an authority now: the ways, certificates, a dialog or an account at the other side. Calls outside; takes
    /// seconds.
    async fn try_partner(&self, caller: &Caller, from: Option<&Authority>, to: &Authority) -> Vec<Check>;

    /// All sets of schemas in order of precedence.
    fn packs(&self) -> Vec<Pack>;

    /// Compiles everything; on a thread that may block.
    fn pack_faults(&self) -> Vec<PackFault>;

    /// Where old algorithms are taken.
    fn weaknesses(&self, tenant: &str) -> Vec<Weakness>;
}

/// Where nothing lies outside: what it would be asked for is not there.
pub(crate) struct NoWorkshop;

#[async_trait]
impl Workshop for NoWorkshop {
    async fn try_partner(&self, _: &Caller, _: Option<&Authority>, _: &Authority) -> Vec<Check> {
        vec![]
    }

    fn packs(&self) -> Vec<Pack> {
        vec![]
    }

    fn pack_faults(&self) -> Vec<PackFault> {
        vec![]
    }

    fn weaknesses(&self, _: &str) -> Vec<Weakness> {
        vec![]
    }
}

/// What came of long work.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// It goes on.
    Running,
    /// A partner was tried.
    Partner(Vec<Check>),
    /// Schemas were compiled.
    Packs(Vec<PackFault>),
    /// Adapters were asked.
    Adapters(Vec<AdapterState>),
    /// The chain was checked.
    Chain(ChainReport),
    /// It failed, with this code.
    Failed(String),
}

/// Long work of one tenant.
#[derive(Debug, Clone)]
pub(crate) struct Try {
    pub(crate) id: Id,
    tenant: String,
    /// What it is about, such as the name of a partner.
    pub(crate) about: String,
    pub(crate) since: Timestamp,
    pub(crate) found: Found,
}

/// Long work that was begun here. It is remembered by this node and forgotten with it: beginning it again costs nothing.
#[derive(Clone)]
pub(crate) struct Tries {
    kept: Arc<Mutex<VecDeque<Try>>>,
    places: Arc<Semaphore>,
}

impl Default for Tries {
    fn default() -> Self {
        Tries { kept: Arc::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Tries {
    /// Begins work and goes on without it.
    pub(crate) fn begin(
        &self,
        caller: &Caller,
        about: &str,
        now: Timestamp,
        work: impl Future<Output = Found> + Send + 'static,
    ) -> Id {
        let id = ids::new_id();
        let (tenant, about) = (caller.scope.tenant.clone(), about.to_owned());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Try { id, tenant, about, since: now, found: Found::Running });
        while kept.len() > MOST_KEPT {
            kept.pop_front();
        }
        drop(kept);
        let tries = self.clone();
        tokio::spawn(async move {
            let _place = tries.places.acquire().await;
            let found = work.await;
            let mut kept = tries.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(one) = kept.iter_mut().find(|one| one.id == id) {
                one.found = found;
            }
        });
        id
    }

    /// One of the caller's tenant.
    pub(crate) fn get(&self, caller: &Caller, id: Id) -> Option<Try> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|one| one.id == id && one.tenant == caller.scope.tenant).cloned()
    }
}
