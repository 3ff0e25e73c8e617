//! One connection's side of the server: who calls is decided by its certificate, the rest is done by the message boxes.

use std::sync::{Arc, OnceLock};

use ::xta::model::{Availability, MetaData, Party, Report};
use ::xta::server::Backend;
use ::xta::server::backend::{Fetched, Listed, Receiving, Selector, Way};
use ::xta::{Result, Rules};
use model::Caller;
use seal::x509::Certificate;

use super::account::Account;
use super::accounts::Accounts;
use super::boxes::Boxes;

/// Where the requests of a connection are carried out.
pub(super) struct Desk {
    pub(super) accounts: Arc<Accounts>,
    pub(super) boxes: Arc<Boxes>,
    /// What the connection has shown.
    pub(super) certificate: Option<Certificate>,
    /// The request has come whole: nothing is spared by refusing it before its contents are read.
    pub(super) is_whole: bool,
    /// Who calls, once it is known.
    pub(super) caller: OnceLock<Caller>,
}

impl Desk {
    /// Who is told of a refusal: whoever calls, or else the account of the certificate; nobody if there is none.
    pub(super) fn refused(&self) -> Option<Caller> {
        self.caller.get().cloned().or_else(|| self.accounts.bodies_of(self.certificate.as_ref()))
    }
}

impl Backend for Desk {
    type Caller = Account;

    fn caller(&self, party: Option<&Party>) -> Result<Account> {
        let account = self.accounts.caller(self.certificate.as_ref(), party.map(|party| party.id.trim()))?;
        self.caller.get_or_init(|| account.caller.clone());
        Ok(account)
    }

    fn rules(&self, caller: &Account) -> Rules {
        if caller.lenient { Rules::Lenient } else { Rules::Strict }
    }

    async fn create_message_id(&self, caller: &Account) -> Result<String> {
        self.boxes.create_message_id(caller).await
    }

    async fn lookup(&self, caller: &Account, reader: &Party, service: &str) -> Result<Availability> {
        self.boxes.lookup(caller, reader, service).await
    }

    async fn begin<'a>(
        &'a self,
        caller: &Account,
        meta: &MetaData,
        way: Way,
    ) -> Result<Box<dyn Receiving<'a> + 'a>> {
        self.boxes.begin(caller, meta, way, self.is_whole).await
    }

    async fn report(&self, caller: &Account, message_id: &str) -> Result<Report> {
        self.boxes.report(caller, message_id).await
    }

    async fn cancel(&self, caller: &Account, message_id: &str) -> Result<()> {
        self.boxes.cancel(caller, message_id).await
    }

    async fn list(&self, caller: &Account, selector: &Selector, most: Option<u32>) -> Result<Listed> {
        self.boxes.list(caller, selector, most).await
    }

    async fn list_on(&self, caller: &Account, iterator: &str) -> Result<Listed> {
        self.boxes.list_on(caller, iterator).await
    }

    async fn fetch(&self, caller: &Account, selector: &Selector) -> Result<Fetched> {
        self.boxes.fetch(caller, selector).await
    }

    async fn fetch_on(&self, caller: &Account, iterator: &str, received: &[String]) -> Result<Fetched> {
        self.boxes.fetch_on(caller, iterator, received).await
    }

    async fn close(&self, caller: &Account, message_ids: &[String], iterator: &str) -> Result<()> {
        self.boxes.close(caller, message_ids, iterator).await
    }
}
