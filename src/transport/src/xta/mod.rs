//! XTA 2, version 3 (web service 2.1.1) and version 5.1.1 (core 3.1.1), over the broker: accounts send messages and fetch those of
//! their message boxes.
//!
//! | module | holds |
//! |---|---|
//! | `door` | the paths of the ports of both versions: requests in, answers out, both as streams |
//! | `wsdl`, `wsdl_v5` | the descriptions of the service |
//! | `desk` | one connection's side of the server |
//! | `accounts` | who calls: the account of a certificate, and the party that it speaks for |
//! | `account` | an account that calls |
//! | `boxes` | what an account may have done: message ids, reports, taking back |
//! | `sending` | messages that are taken in |
//! | `contents` | what is in a message: shown to scanner and standards, taken out |
//! | `answering` | messages whose senders wait for the answer |
//! | `asking` | such messages for readers with a server of their own |
//! | `reading` | message boxes that are looked through |
//! | `cursor` | where looking through a message box goes on |
//! | `package` | the contents of a message as they are kept |
//! | `kept` | metadata as they are kept |
//! | `along` | metadata that go along with a message |
//! | `letter` | metadata of messages whose author gave none |
//! | `timeline` | what is told of a message that was handed over or sent on |
//! | [`party`] | the gateway as author and reader at servers elsewhere |

mod account;
mod accounts;
pub(crate) mod along;
mod answering;
mod asking;
mod boxes;
mod contents;
mod cursor;
mod desk;
mod door;
pub(crate) mod kept;
mod letter;
pub(crate) mod package;
pub mod party;
mod reading;
mod sending;
mod timeline;
mod wsdl;
mod wsdl_v5;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use broker::Broker;
use broker::house::XtaReader;
use model::{Authority, Clock};

use crate::Judging;
use crate::revocation::Revocation;
use accounts::Accounts;
use party::{ReaderAt, ReaderServers};

pub use account::Account;
pub use accounts::AccountEntry;
pub use asking::{Question, Readers};
pub use boxes::{BoxSettings, Boxes};
pub use door::{Door, router};

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
    /// Servers of readers.
    pub readers: Vec<ReaderAt>,
}

/// The door to a server over this broker. To be called within the runtime that carries the broker.
///
/// # Errors
/// [`net::Error`] if the address of a responder is none.
pub fn door(broker: &Broker, settings: Settings, clock: Arc<dyn Clock>) -> Result<Door, net::Error> {
    let revocation = Revocation::of(settings.judging, Arc::clone(&clock))?;
    let servers = (!settings.readers.is_empty())
        .then(|| ReaderServers::new(broker, settings.readers, Arc::clone(&clock)));
    let accounts = Accounts::new(settings.accounts, revocation, broker.house(), clock);
    let boxes = BoxSettings {
        server: settings.server,
        check: settings.check,
        message_ids: settings.message_id,
        fetching: fetching(broker),
        readers: readers(broker),
    };
    let mut boxes = Boxes::new(broker, boxes);
    if let Some(servers) = servers {
        boxes = boxes.with_readers(Arc::new(servers));
    }
    Ok(Door::new(accounts, boxes, broker.clone()))
}

/// Authorities whose readers fetch by XTA, each with its tenant.
fn fetching(broker: &Broker) -> BTreeSet<(String, Authority)> {
    let of = |tenant: &broker::house::Tenant| {
        let own = tenant.authorities.iter().filter(|authority| authority.xta_box);
        own.map(|authority| (tenant.id.clone(), authority.key.clone())).collect::<Vec<_>>()
    };
    broker.house().tenants().flat_map(of).collect()
}

/// Authorities whose readers answer at once, each with its tenant.
fn readers(broker: &Broker) -> BTreeMap<(String, Authority), XtaReader> {
    let of = |tenant: &broker::house::Tenant| {
        let own = tenant.authorities.iter().filter_map(|it| Some((it.key.clone(), it.xta_reader.clone()?)));
        own.map(|(key, reader)| ((tenant.id.clone(), key), reader)).collect::<Vec<_>>()
    };
    broker.house().tenants().flat_map(of).collect()
}
