//! What operators ask for that lies outside of the broker: whether a partner answers, which schemas there are, which old algorithms are taken.
//! And long work, which goes on by itself while its page shows how far it is.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use broker::{AdapterState, AlertSent, ChainReport, Error};
use model::rights::Action;
use model::{Authority, Caller, Id, Scope, Timestamp, ids};
use tokio::sync::Semaphore;

/// Tries that are remembered; of those that have ended the oldest goes first.
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
    /// Somebody was told of an alert, as a test.
    Alert(Vec<AlertSent>),
    /// It failed, with this code.
    Failed(String),
}

/// What long work is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// The connection to a partner, by the part of its address and its name, from an authority of the house.
    Partner { id: String, name: String, from: Option<Authority> },
    /// All schemas.
    Packs,
    /// All adapters.
    Adapters,
    /// The chain of evidence.
    Chain,
    /// Whether those are reached whom the rule of this name tells.
    Alert(String),
}

impl About {
    /// Who may begin it and see what came of it.
    pub(crate) fn needs(&self) -> Action {
        match self {
            About::Chain => Action::ReadEvidence,
            _ => Action::Operate,
        }
    }
}

/// Long work within one scope.
#[derive(Debug, Clone)]
pub(crate) struct Try {
    pub(crate) id: Id,
    scope: Scope,
    pub(crate) about: About,
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
    /// Begins work and goes on without it. The same work that still goes on is not begun again.
    ///
    /// # Errors
    /// `Forbidden` if the caller may not; `TooManyRequests` if as much goes on as is remembered.
    pub(crate) fn begin(
        &self,
        caller: &Caller,
        about: About,
        now: Timestamp,
        work: impl Future<Output = Found> + Send + 'static,
    ) -> Result<Id, Error> {
        let scope = caller.may(about.needs())?.clone();
        let id = ids::new_id();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = |one: &Try| matches!(one.found, Found::Running);
        if let Some(one) = kept.iter().find(|one| runs(one) && one.about == about && one.scope == scope) {
            return Ok(one.id);
        }
        if kept.len() >= MOST_KEPT {
            let ended = kept.iter().position(|one| !runs(one)).ok_or(Error::TooManyRequests)?;
            kept.remove(ended);
        }
        kept.push_back(Try { id, scope, about, since: now, found: Found::Running });
        drop(kept);
        let tries = self.clone();
        tokio::spawn(async move {
            let _place = tries.places.acquire().await;
            // On its own, so that the page is told if it breaks.
            let found = tokio::spawn(work).await.unwrap_or(Found::Failed(Error::Internal.code().to_owned()));
            let mut kept = tries.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(one) = kept.iter_mut().find(|one| one.id == id) {
                one.found = found;
            }
        });
        Ok(id)
    }

    /// One of the caller's scope that the caller might have begun.
    pub(crate) fn get(&self, caller: &Caller, id: Id) -> Option<Try> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let one = kept.iter().find(|one| one.id == id)?;
        caller.may(one.about.needs()).is_ok_and(|scope| *scope == one.scope).then(|| one.clone())
    }
}

#[cfg(test)]
mod tests {
    use model::{Actor, Role};

    use super::*;

    fn caller(role: Role, tenant: &str) -> Caller {
        let actor = Actor { kind: "person".into(), id: "1".into() };
        Caller { actor, roles: vec![role], scope: Scope::tenant(tenant), authority: None }
    }

    async fn breaks() -> Found {
        panic!("within a try")
    }

    async fn found(tries: &Tries, caller: &Caller, id: Id) -> Found {
        loop {
            match tries.get(caller, id).unwrap().found {
                Found::Running => tokio::task::yield_now().await,
                found => return found,
            }
        }
    }

    #[tokio::test]
    async fn the_same_work_is_begun_once_and_shown_to_whoever_may_begin_it() {
        let (tries, now) = (Tries::default(), Timestamp::default());
        let (operator, auditor) = (caller(Role::Operator, "soest"), caller(Role::Auditor, "soest"));
        let begin = |caller: &Caller, about| tries.begin(caller, about, now, std::future::pending());
        let id = begin(&operator, About::Packs).unwrap();
        assert_eq!(begin(&operator, About::Packs).unwrap(), id);
        assert_ne!(begin(&operator, About::Adapters).unwrap(), id);
        assert!(begin(&auditor, About::Packs).is_err() && begin(&operator, About::Chain).is_err());
        assert!(tries.get(&operator, id).is_some());
        assert!(tries.get(&auditor, id).is_none());
        assert!(tries.get(&caller(Role::Operator, "unna"), id).is_none());
    }

    #[tokio::test]
    async fn as_much_goes_on_as_is_remembered_and_what_breaks_says_so() {
        let (tries, now, operator) =
            (Tries::default(), Timestamp::default(), caller(Role::Operator, "soest"));
        let about = |at: usize| About::Partner { id: at.to_string(), name: String::new(), from: None };
        let broken = tries.begin(&operator, about(0), now, breaks()).unwrap();
        let Found::Failed(code) = found(&tries, &operator, broken).await else { panic!("told as ended") };
        assert_eq!(code, Error::Internal.code());
        for at in 1..=MOST_KEPT {
            tries.begin(&operator, about(at), now, std::future::pending()).unwrap();
        }
        assert!(tries.get(&operator, broken).is_none(), "the oldest that has ended makes room");
        assert!(tries.begin(&operator, about(MOST_KEPT + 1), now, std::future::pending()).is_err());
    }
}
