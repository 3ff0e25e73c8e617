//! Fetching what lies in a mailbox at an intermediary (OSCI-Transport 1.2, section 4.2.2): its process cards say what
//! waits, and each delivery is fetched by its message id. The next order of a dialog says that a delivery has arrived, so
//! none is given before the delivery is durably taken in; if that fails, the dialog is left as it is.
//!
//! A delivery that cannot be had stays at the intermediary and is set aside here for a while, so that it does not keep the
//! others from coming. Several nodes may fetch from one mailbox: what comes twice is known by its message id.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::osci::Error;
use ::osci::client::NewOrder;
use ::osci::code::Code;
use ::osci::message::{Certificates, Role, SelectionRule, Since};
use async_trait::async_trait;
use model::{Authority, Failure, MessageState};
use seal::identity::Identity;

use super::arrivals::Delivered;
use super::line::{Session, blocking, said};
use super::{MailboxAt, Parties, Party, verdict};
use crate::fetching::{Fetch, Fetched};

/// Process cards that are asked for at once.
const CARDS: u32 = 100;
/// How long a delivery that could not be had is left alone.
const ASIDE: Duration = Duration::from_secs(15 * 60);
/// Before anything was delivered anywhere.
const EVER: &str = "2000-01-01T00:00:00Z";

/// Fetches from one mailbox. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher(Arc<Inner>);

struct Inner {
    parties: Parties,
    mailbox: usize,
    party: Arc<Party>,
    /// Message ids of deliveries that could not be had, and when.
    aside: Mutex<HashMap<String, Instant>>,
}

/// Why a delivery was not taken in.
enum Stop {
    /// The intermediary or our own store fails: nothing more is to be had now.
    Round(Failure),
    /// This delivery alone cannot be had.
    Delivery(String),
}

impl Fetcher {
    /// Whoever fetches from a mailbox of the settings; `None` if its owner has no keys.
    pub(super) fn new(parties: Parties, mailbox: usize) -> Option<Self> {
        let owner = &parties.0.mailboxes.get(mailbox)?.authority;
        let party = Arc::clone(parties.0.own.get(owner)?);
        Some(Fetcher(Arc::new(Inner { parties, mailbox, party, aside: Mutex::default() })))
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
        blocking(move || inner.round()).await.map_err(|error| verdict::ours(&error))?
    }
}

impl Inner {
    fn mailbox(&self) -> Option<&MailboxAt> {
        self.parties.0.mailboxes.get(self.mailbox)
    }

    /// A round with each certificate: what was sent to an older one lies in a mailbox of its own.
    fn round(&self) -> Result<Fetched, Failure> {
        let mut fetched = Fetched::default();
        for cipher in &self.party.cipher {
            self.round_as(cipher, &mut fetched)?;
        }
        Ok(fetched)
    }

    fn round_as(&self, cipher: &Identity, fetched: &mut Fetched) -> Result<(), Failure> {
        let Some(mailbox) = self.mailbox() else { return Ok(()) };
        let mut had = HashSet::new();
        loop {
            let mut session = Session::open(&self.parties.0.lines, &mailbox.line, &self.party, cipher)
                .map_err(verdict::before)?;
            let mut waiting = self.waiting(&mut session)?;
            waiting.retain(|id| !had.contains(id));
            if waiting.is_empty() {
                session.close();
                return Ok(());
            }
            // What one list of cards does not hold, or something stood before, comes with the next dialog.
            self.fetch_all(session, mailbox, waiting, &mut had, fetched)?;
        }
    }

    /// Fetches what waits, until something stands in the way: then the dialog is left as it is.
    fn fetch_all(
        &self,
        mut session: Session<'_>,
        mailbox: &MailboxAt,
        waiting: Vec<String>,
        had: &mut HashSet<String>,
        fetched: &mut Fetched,
    ) -> Result<(), Failure> {
        for id in waiting {
            match self.fetch(&mut session, mailbox, &id) {
                Ok(None) => drop(had.insert(id)),
                Ok(Some(state)) => {
                    had.insert(id);
                    fetched.taken += 1;
                    fetched.parked += u64::from(state == MessageState::Parked);
                }
                Err(Stop::Round(failure)) => return Err(failure),
                Err(Stop::Delivery(code)) => {
                    tracing::error!(authority = %self.party.authority, code, "a delivery could not be had");
                    self.set_aside(id);
                    fetched.aside += 1;
                    return Ok(());
                }
            }
        }
        session.close();
        Ok(())
    }

    /// Message ids of what waits, without what was set aside.
    fn waiting(&self, session: &mut Session<'_>) -> Result<Vec<String>, Failure> {
        let moment = EVER.parse().map_err(|_| verdict::ours(&Error::Malformed("a moment")))?;
        let since = Since { moment, no_reception: true, role: Some(Role::Addressee) };
        let rule = Some(SelectionRule::ReceptionOfDelivery(since));
        let order = NewOrder::Cards { rule, limit: Some(CARDS) };
        let answered = session.order(&order, Certificates::default(), None).map_err(verdict::before)?;
        match said(&answered) {
            (_, Some(Code::NO_PROCESS_CARD)) => Ok(Vec::new()),
            (_, Some(code)) => Err(verdict::refused(code)),
            (None, None) => Ok(Vec::new()),
            (Some(answer), None) => {
                let mut aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
                aside.retain(|_, since| since.elapsed() < ASIDE);
                let waits = answer.cards.iter().filter(|card| card.reception.is_none());
                let ids = waits.map(|card| card.message_id.clone());
                Ok(ids.filter(|id| !aside.contains_key(id)).collect())
            }
        }
    }

    /// Fetches one delivery and takes it in; `None` if somebody else was faster.
    fn fetch(
        &self,
        session: &mut Session<'_>,
        mailbox: &MailboxAt,
        id: &str,
    ) -> Result<Option<MessageState>, Stop> {
        let order = NewOrder::Fetch(Some(SelectionRule::MessageIds(vec![id.to_owned()])));
        let answered = session
            .order(&order, Certificates::default(), None)
            .map_err(|trouble| Stop::Delivery(verdict::after(trouble).detail))?;
        match said(&answered).1 {
            None => {}
            Some(Code::NO_DELIVERY) => return Ok(None),
            Some(code) => return Err(Stop::Delivery(code.to_string())),
        }
        let delivered = Delivered {
            party: &self.party,
            intermediary: mailbox.line.certificate.fingerprint(),
            package: &answered.package,
            message: &answered.message,
            message_id: id.to_owned(),
            answers: None,
            doubt: None,
        };
        match self.parties.0.arrivals.take(&self.parties.0.lines, &delivered) {
            Ok(message) => Ok(Some(message.state)),
            Err(error @ (broker::Error::TooLarge { .. } | broker::Error::UnknownAuthority)) => {
                Err(Stop::Delivery(error.code().to_owned()))
            }
            Err(error) => Err(Stop::Round(verdict::broker(&error))),
        }
    }

    fn set_aside(&self, id: String) {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Instant::now());
    }
}
