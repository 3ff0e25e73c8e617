//! The message boxes as tests use them, on threads that may block: each call waits for its outcome.

use std::io::Write;
use std::sync::Arc;

use broker::Broker;
use tokio::runtime::Handle;
use transport::xta::{Account, BoxSettings, Readers};
use xta::Result;
use xta::model::{Availability, Content, MetaData, Party, Report};
use xta::server::backend::{Fetched, Listed, Receiving, Reply, Selector, Way, Wish};

pub(super) struct Boxes {
    boxes: transport::xta::Boxes,
    runtime: Handle,
}

/// A message that is being taken in.
pub(super) struct Coming<'a> {
    receiving: Box<dyn Receiving<'a> + 'a>,
    runtime: &'a Handle,
}

impl Boxes {
    pub(super) fn new(broker: &Broker, settings: BoxSettings) -> Self {
        Boxes { boxes: transport::xta::Boxes::new(broker, settings), runtime: Handle::current() }
    }

    pub(super) fn with_readers(self, readers: Arc<dyn Readers>) -> Self {
        Boxes { boxes: self.boxes.with_readers(readers), ..self }
    }

    pub(super) fn begin(&self, account: &Account, meta: &MetaData, wish: Wish) -> Result<Coming<'_>> {
        self.coming(account, meta, Way::Sent(wish), false)
    }

    /// A message whose request has come whole.
    pub(super) fn begin_whole(&self, account: &Account, meta: &MetaData) -> Result<Coming<'_>> {
        self.coming(account, meta, Way::Sent(Wish::Asynchronous), true)
    }

    pub(super) fn deliver(&self, account: &Account, meta: &MetaData) -> Result<Coming<'_>> {
        self.coming(account, meta, Way::Delivered, false)
    }

    fn coming(&self, account: &Account, meta: &MetaData, way: Way, is_whole: bool) -> Result<Coming<'_>> {
        let receiving = self.runtime.block_on(self.boxes.begin(account, meta, way, is_whole))?;
        Ok(Coming { receiving, runtime: &self.runtime })
    }

    pub(super) fn create_message_id(&self, account: &Account) -> Result<String> {
        self.runtime.block_on(self.boxes.create_message_id(account))
    }

    pub(super) fn lookup(&self, account: &Account, reader: &Party, service: &str) -> Result<Availability> {
        self.runtime.block_on(self.boxes.lookup(account, reader, service))
    }

    pub(super) fn report(&self, account: &Account, id: &str) -> Result<Report> {
        self.runtime.block_on(self.boxes.report(account, id))
    }

    pub(super) fn cancel(&self, account: &Account, id: &str) -> Result<()> {
        self.runtime.block_on(self.boxes.cancel(account, id))
    }

    pub(super) fn list(&self, account: &Account, selector: &Selector, most: Option<u32>) -> Result<Listed> {
        self.runtime.block_on(self.boxes.list(account, selector, most))
    }

    pub(super) fn list_on(&self, account: &Account, iterator: &str) -> Result<Listed> {
        self.runtime.block_on(self.boxes.list_on(account, iterator))
    }

    pub(super) fn fetch(&self, account: &Account, selector: &Selector) -> Result<Fetched> {
        self.runtime.block_on(self.boxes.fetch(account, selector))
    }

    pub(super) fn fetch_on(&self, account: &Account, iterator: &str, ids: &[String]) -> Result<Fetched> {
        self.runtime.block_on(self.boxes.fetch_on(account, iterator, ids))
    }

    pub(super) fn close(&self, account: &Account, ids: &[String], iterator: &str) -> Result<()> {
        self.runtime.block_on(self.boxes.close(account, ids, iterator))
    }
}

impl Coming<'_> {
    pub(super) fn content(&mut self, index: usize, content: &Content) -> Result<&mut dyn Write> {
        self.receiving.content(index, content)
    }

    pub(super) fn finish(self) -> Result<Option<Reply>> {
        self.runtime.block_on(self.receiving.finish())
    }
}
