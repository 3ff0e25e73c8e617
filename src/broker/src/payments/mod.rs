//! Money in the broker: claims, payments towards them, and what the cash office keeps of both.
//!
//! ```text
//! claims      somebody owes: numbered, booked, cancelled
//! books       the one place where claims and payments change, with all that follows
//! start       a payment is persisted, then its provider hears of it (job)
//! notice      a provider calls, or the payer comes back: kept, and the provider is asked
//! pull        the provider is asked where a payment stands (job)
//! refund      money goes back, agreed to by two (job); payments that are open are voided
//! clearing    what contradicts is decided by a human
//! cash        files for the cash system; acknowledge: what it did with them
//! statements  bank statements: what came is matched with what is owed (references: what a line names; lines: what it does to the
//!             books); decide_line: what a human says of the rest (line_seen: what they are shown of it); proposals: which payments a
//!             payout may be made of
//! reconcile   whether the books of gateway, cash system and bank agree
//! ```
//! A payment changes in one place ([`books`]), in one transaction with everything that follows: event, bookings, its claim, the task
//! of whoever has to decide. A notice never pays anything: money counts once the provider's own state or the bank statement says it.

mod acknowledge;
mod bank;
mod books;
mod cash;
mod claims;
mod clearing;
mod decide_line;
mod jobs;
mod line_seen;
mod lines;
mod notice;
mod orders;
mod payer;
mod proposals;
mod pull;
mod reconcile;
mod references;
mod refund;
mod start;
mod statements;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::payment::Account;
use model::payment::cash::CashFormat;
use model::payment::provider::Provider;
use model::payment::statement::Statements;

use crate::{Broker, Error};

pub use acknowledge::Acknowledgement;
pub use cash::BookingFile;
pub use claims::NewClaim;
pub use decide_line::LineDecision;
pub(crate) use jobs::is_money;
pub use line_seen::LineSeen;
pub use notice::{NoticeAnswer, NoticeDoor};
pub use payer::PayerSees;
pub use reconcile::Reconciliation;
pub use start::NewPayment;
pub use statements::StatementReport;

/// What the broker is given to take payments.
pub struct Payments {
    /// Address of the listener for providers and payers, such as `https://zahlung.kreis.example`, without a slash at the end.
    pub public_url: String,
    /// Hosts that a payer's browser may be sent on to after a payment, in lower case.
    pub return_hosts: Vec<String>,
    /// Ways by which claims are paid and booked, of all tenants.
    pub accounts: Vec<Account>,
    /// Payment providers by their ids.
    pub providers: BTreeMap<String, Arc<dyn Provider>>,
    /// Reads bank statements.
    pub statements: Arc<dyn Statements>,
    /// Formats of files for the cash system by their names.
    pub formats: BTreeMap<String, Arc<dyn CashFormat>>,
    /// How long a request waits for a provider's answer: eight seconds, where nobody has a reason for another time.
    pub patience: Duration,
}

impl Payments {
    /// An account of a tenant by its name.
    pub fn account(&self, tenant: &str, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.tenant == tenant && account.id == id)
    }
}

impl Broker {
    /// The same, taking payments. Before it is cloned.
    pub fn with_payments(self, payments: Payments) -> Self {
        Broker { payments: Some(Arc::new(payments)), ..self }
    }

    /// What it was given to take payments.
    ///
    /// # Errors
    /// `PaymentsNotConfigured` if it takes none.
    pub fn payments(&self) -> Result<&Arc<Payments>, Error> {
        self.payments.as_ref().ok_or(Error::PaymentsNotConfigured)
    }
}
