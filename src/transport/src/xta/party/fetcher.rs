//! Fetching what lies in a message box at a server of XTA (`getStatusList`, `getMessage`, `close`). A message is closed once it is
//! durably taken in: until then it stays there. Several nodes may fetch from one box, and a message may come again after a crash:
//! what comes twice is known by its id.
//!
//! A message that cannot be had stays at the server and is set aside here for a while, so that it does not keep the others from
//! coming.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use model::{Authority, Failure, FailureKind, MessageState};
use xta::client::Call;
use xta::server::backend::{Listed, Selector};
use xta::{Error, Exception, Fault};

use super::arrivals::{Arrivals, Incoming};
use super::courier::blocking;
use super::line::{Line, Trouble};
use super::looking::{MessageBox, go_through};
use super::{MailboxAt, Parties, Party, verdict};
use crate::fetching::{Fetch, Fetched};

/// Entries that are asked for at once, beside those that are set aside.
const ENTRIES: usize = 100;
/// How long a message that could not be had is left alone.
const ASIDE: Duration = Duration::from_secs(15 * 60);

/// Messages that are set aside at most. What is more is tried again in the next round.
const MOST_ASIDE: usize = 1_000;

/// Fetches from one message box. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher(Arc<Inner>);

struct Inner {
    parties: Parties,
    mailbox: usize,
    party: Arc<Party>,
    aside: Aside,
}

/// Ids of messages that could not be had, and when.
#[derive(Default)]
struct Aside(Mutex<HashMap<String, Instant>>);

/// Why a message was not taken in.
enum Stop {
    /// The server or our own store fails: nothing more is to be had now.
    Round(Failure),
    /// This message alone cannot be had.
    Message(String),
}

impl Fetcher {
    /// Whoever fetches from a message box of the settings; `None` if its owner has no keys.
    pub(super) fn new(parties: Parties, mailbox: usize) -> Option<Self> {
        let owner = &parties.0.mailboxes.get(mailbox)?.authority;
        let party = Arc::clone(parties.0.own.get(owner)?);
        Some(Fetcher(Arc::new(Inner { parties, mailbox, party, aside: Aside::default() })))
    }
}

#[async_trait]
impl Fetch for Fetcher {
    fn authority(&self) -> &Authority {
        &self.0.party.authority
    }

    fn every(&self) -> Duration {
        self.0.mailbox().map_or(ASIDE, |mailbox| mailbox.every)
    }

    async fn once(&self) -> Result<Fetched, Failure> {
        let inner = Arc::clone(&self.0);
        blocking(move || inner.round()).await
    }
}

impl Inner {
    fn mailbox(&self) -> Option<&MailboxAt> {
        self.parties.0.mailboxes.get(self.mailbox)
    }

    fn round(&self) -> Result<Fetched, Failure> {
        let Some(mailbox) = self.mailbox() else { return Ok(Fetched::default()) };
        let line = self.parties.0.lines.to(&self.party, &mailbox.server).map_err(verdict::before)?;
        let mut round = Round { inner: self, line, mailbox, fetched: Fetched::default() };
        go_through(&mut round, mailbox.server.version)?;
        Ok(round.fetched)
    }
}

impl Aside {
    /// What is set aside still.
    fn still(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        let mut aside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        aside.retain(|_, since| since.elapsed() < ASIDE);
        aside
    }

    fn put(&self, id: &str) {
        let mut aside = self.still();
        if aside.len() < MOST_ASIDE {
            aside.insert(id.to_owned(), Instant::now());
        }
    }
}

/// One look into the message box.
struct Round<'a> {
    inner: &'a Inner,
    line: Line<'a>,
    mailbox: &'a MailboxAt,
    fetched: Fetched,
}

impl MessageBox for Round<'_> {
    fn list(&self, selector: &Selector) -> Result<Listed, Failure> {
        let set_aside = self.inner.aside.still().len();
        let most = u32::try_from(ENTRIES.saturating_add(set_aside)).unwrap_or(u32::MAX);
        let call = Call::StatusList(selector, most);
        self.line.ask(&call, |reply| reply.list()).map_err(verdict::before)
    }

    fn is_aside(&self, id: &str) -> bool {
        self.inner.aside.still().contains_key(id)
    }

    fn take(&mut self, id: &str, iterator: &str) -> Result<(), Failure> {
        match self.fetch(id) {
            Ok(state) => {
                self.fetched.taken += u64::from(state.is_some());
                self.fetched.parked += u64::from(state == Some(MessageState::Parked));
                self.close(id, iterator)
            }
            Err(Stop::Round(failure)) => Err(failure),
            Err(Stop::Message(code)) => {
                let authority = &self.inner.party.authority;
                tracing::error!(%authority, code, "a message could not be had");
                self.inner.aside.put(id);
                self.fetched.aside += 1;
                Ok(())
            }
        }
    }
}

impl Round<'_> {
    /// Takes one message in; `None` if it was before, or somebody else was faster.
    fn fetch(&self, id: &str) -> Result<Option<MessageState>, Stop> {
        let Inner { parties, party, .. } = self.inner;
        let arrivals = Arrivals { parties, party, server: &self.mailbox.server };
        if arrivals.came_before(id).map_err(|error| of_broker(&error))? {
            return Ok(None);
        }
        let mut incoming = arrivals.begin().map_err(|error| of_broker(&error))?;
        let meta = match self.line.ask(&Call::Message(id), |reply| reply.message(&mut incoming)) {
            Ok(meta) => meta,
            Err(trouble) => return of_trouble(trouble).map_or(Ok(None), Err),
        };
        let Incoming(packer) = incoming;
        let (stored, _) = packer.finish().map_err(|error| Stop::Round(verdict::ours(&error)))?;
        let taken = arrivals.take(id, meta.as_ref(), stored);
        taken.map(|message| Some(message.state)).map_err(|error| of_broker(&error))
    }

    /// Closes a message that is taken in here, now or before.
    fn close(&self, id: &str, iterator: &str) -> Result<(), Failure> {
        match self.line.ask(&Call::Close(id, iterator), |reply| reply.nothing()) {
            Ok(()) | Err(Trouble::Answer(Error::Fault(Fault::UNKNOWN_ID))) => Ok(()),
            Err(trouble) => Err(verdict::before(trouble)),
        }
    }
}

/// What trouble with one message means; nothing if it is not there any more.
fn of_trouble(trouble: Trouble) -> Option<Stop> {
    match trouble {
        Trouble::Answer(Error::Fault(Fault::UNKNOWN_ID)) => None,
        Trouble::Answer(Error::Fault(fault)) if fault.exception == Exception::PermissionDenied => {
            Some(Stop::Round(verdict::refused(fault)))
        }
        Trouble::Answer(error @ (Error::Io(_) | Error::Seal(_))) => Some(Stop::Round(verdict::ours(&error))),
        Trouble::Answer(error) => Some(Stop::Message(error.code().to_owned())),
        Trouble::NoAnswer(error) => Some(Stop::Message(error.code().to_owned())),
        trouble => Some(Stop::Round(verdict::before(trouble))),
    }
}

fn of_broker(error: &broker::Error) -> Stop {
    match error {
        broker::Error::TooLarge { .. } | broker::Error::UnknownAuthority => {
            Stop::Message(error.code().to_owned())
        }
        // It alone, such as a content that is larger than what the scanner takes.
        broker::Error::Failure(failure) if failure.kind == FailureKind::Permanent => {
            Stop::Message(error.code().to_owned())
        }
        error => Stop::Round(verdict::broker(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_set_aside_than_can_be_asked_for_beside_it() {
        let aside = Aside::default();
        (0..MOST_ASIDE + 5).for_each(|number| aside.put(&number.to_string()));
        assert_eq!(aside.still().len(), MOST_ASIDE);
        assert!(aside.still().contains_key("0"));
    }
}
