//! What a server has to remember and to decide. None of it knows the wire. What a function does is durable when it is ready. A refusal is an
//! [`Error::Fault`](crate::Error::Fault).

use std::future::Future;
use std::io::{Read, Write};
use std::pin::Pin;

use xml::value::DateTime;

use crate::model::{Availability, Content, MetaData, Party, Report};
use crate::{Result, Rules};

/// An account's mailboxes and messages.
pub trait Backend: Send + Sync {
    /// Who calls: the account of the connection's certificate, speaking for one party.
    type Caller: Send + Sync;

    /// Who calls. `party` is the header `Author` of the request (for message boxes the reader's own), or the author of the
    /// metadata; absent, the account speaks for the only party that it has.
    ///
    /// # Errors
    /// 9010 to 9014.
    fn caller(&self, party: Option<&Party>) -> Result<Self::Caller>;

    /// How exactly the requests of a caller must follow the schemas.
    fn rules(&self, caller: &Self::Caller) -> Rules;

    /// Issues a message id to the caller.
    ///
    /// # Errors
    /// If nothing is taken in now (9030).
    fn create_message_id(&self, caller: &Self::Caller) -> impl Future<Output = Result<String>> + Send;

    /// Whether a reader offers a service.
    ///
    /// # Errors
    /// 9021, 9031.
    fn lookup(
        &self,
        caller: &Self::Caller,
        reader: &Party,
        service: &str,
    ) -> impl Future<Output = Result<Availability>> + Send;

    /// Begins to take a message in, before any content of it is read: what metadata alone forbid is refused here.
    ///
    /// # Errors
    /// 9013, 9020 to 9024, 9080, 9081.
    fn begin<'a>(
        &'a self,
        caller: &Self::Caller,
        meta: &MetaData,
        way: Way,
    ) -> impl Future<Output = Result<Box<dyn Receiving<'a> + 'a>>> + Send;

    /// Where a message stands that the caller wrote or may read.
    ///
    /// # Errors
    /// 9070.
    fn report(&self, caller: &Self::Caller, message_id: &str) -> impl Future<Output = Result<Report>> + Send;

    /// Takes a message back that is not to be delivered yet.
    ///
    /// # Errors
    /// 9022 if the caller did not send it; 9100, 9101.
    fn cancel(&self, caller: &Self::Caller, message_id: &str) -> impl Future<Output = Result<()>> + Send;

    /// The first entries of the caller's message box that a selector fits, the oldest first.
    ///
    /// # Errors
    /// If the store cannot be read (9030).
    fn list(
        &self,
        caller: &Self::Caller,
        selector: &Selector,
        most: Option<u32>,
    ) -> impl Future<Output = Result<Listed>> + Send;

    /// Those behind them, of the same selector.
    ///
    /// # Errors
    /// As `list`. An iterator that is not known is an empty answer with [`NoMatch::RequestId`].
    fn list_on(&self, caller: &Self::Caller, iterator: &str) -> impl Future<Output = Result<Listed>> + Send;

    /// A message of the caller's box; nothing about it changes but that it was fetched.
    ///
    /// # Errors
    /// 9070 if no message of the box is selected; 9022 if the selector does not name one message.
    fn fetch(
        &self,
        caller: &Self::Caller,
        selector: &Selector,
    ) -> impl Future<Output = Result<Fetched>> + Send;

    /// The next one of the selector of an iterator; `received` were processed and are closed first. With an iterator that is
    /// none, nothing is closed.
    ///
    /// # Errors
    /// 9070 if there is none, or one of `received` is not in the caller's box.
    fn fetch_on(
        &self,
        caller: &Self::Caller,
        iterator: &str,
        received: &[String],
    ) -> impl Future<Output = Result<Fetched>> + Send;

    /// The caller has processed these messages: they are delivered. Closing again changes nothing.
    ///
    /// # Errors
    /// 9070 if one of them is not in the caller's box.
    fn close(
        &self,
        caller: &Self::Caller,
        message_ids: &[String],
        iterator: &str,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// How a message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From its author, who wants it carried so.
    Sent(Wish),
    /// From another server, which hands it over to its reader, for whom this one answers (`deliverMessage`).
    Delivered,
}

/// How a sender wants its message carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// `sendMessage`.
    Asynchronous,
    /// `sendMessageSync`: the reader's answer is the answer.
    Synchronous,
}

/// Takes the contents of a message, one after the other.
pub trait Taking {
    /// The next content begins; the one before is complete. `index` is its place in the container, counted from 0; in
    /// packages contents may come in another order.
    ///
    /// # Errors
    /// 9023 if there is more than is taken; 9030.
    fn content(&mut self, index: usize, content: &Content) -> Result<&mut dyn Write>;
}

/// What becomes of a message that was taken in.
pub type Taken<'a> = Pin<Box<dyn Future<Output = Result<Option<Reply>>> + Send + 'a>>;

/// A message that is being taken in. Dropped before [`finish`](Receiving::finish) is ready, it leaves nothing behind.
pub trait Receiving<'a>: Taking + Send {
    /// All contents are here: the message is checked, taken in, and durable. Of a synchronous one, the reader's answer, if it
    /// gives one.
    ///
    /// # Errors
    /// 9023, 9024, 9050 to 9052, 9060, 9030 to 9032.
    fn finish(self: Box<Self>) -> Taken<'a>;
}

/// What is looked for in a message box (`MsgSelector`). All conditions hold together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selector {
    /// `MessageID`: one of these.
    pub message_ids: Vec<String>,
    /// `RelatesTo`: an answer to one of these.
    pub relates_to: Vec<String>,
    /// `MsgBoxEntryTimeFrom`, inclusive.
    pub from: Option<DateTime>,
    /// `MsgBoxEntryTimeTo`, inclusive.
    pub to: Option<DateTime>,
    /// `newEntry`: only what was not fetched yet.
    pub is_new: Option<bool>,
}

/// Entries of a message box.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Their metadata.
    pub entries: Vec<MetaData>,
    /// How it goes on.
    pub position: Position,
}

/// `MsgBoxResponse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// `MsgBoxRequestID`: the iterator.
    pub iterator: String,
    /// Entries that fit as well and are not in the answer, or why there is nothing.
    pub rest: Rest,
}

/// What is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// `ItemsPending`.
    Pending(u64),
    /// `NoMessageAvailable`.
    Nothing(NoMatch),
}

/// Why nothing is available (`reason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMatch {
    /// `NoMatch`.
    NoMatch,
    /// `SearchArgsInvalid`.
    SearchArgs,
    /// `RequestIdInvalid`.
    RequestId,
}

/// A message that is handed out.
pub struct Fetched {
    /// Its metadata.
    pub meta: MetaData,
    /// How it goes on.
    pub position: Position,
    /// Its contents.
    pub contents: Box<dyn Contents>,
}

/// The reader's answer to a synchronous message.
pub struct Reply {
    /// Its metadata.
    pub meta: MetaData,
    /// Its contents.
    pub contents: Box<dyn Contents>,
}

/// Contents of a message, in the order of the container.
pub trait Contents: Send {
    /// What each says of itself, and its length in bytes.
    fn list(&self) -> &[(Content, u64)];

    /// The bytes of one of them.
    ///
    /// # Errors
    /// If they cannot be read.
    fn open(&self, index: usize) -> Result<Box<dyn Read + '_>>;
}
