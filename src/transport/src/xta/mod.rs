//! XTA 2, version 3 (web service 2.1.1): those who call, and what they may do.
//!
//! | module | holds |
//! |---|---|
//! | `accounts` | who calls: the account of a certificate, and the party that it speaks for |

mod accounts;

use std::time::Duration;

use crate::Judging;

pub use accounts::AccountEntry;

/// How the server is set up.
pub struct Settings {
    /// Its name in reports and message ids.
    pub server: String,
    /// Who judges the certificates of those who call.
    pub judging: Judging,
    /// Accounts.
    pub accounts: Vec<AccountEntry>,
    /// How long a message id may be used.
    pub message_id: Duration,
    /// Whether contents of the standards of the house are checked before they are taken in.
    pub check: bool,
}
