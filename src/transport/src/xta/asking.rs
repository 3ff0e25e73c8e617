//! Readers with a server of their own (version 5: `deliverMessage`; version 3: `sendMessageSync`): a message whose sender waits is put to
//! it, once. Its answer is taken in as if the reader had sent it as a message of its own. Version 5 may answer with nothing: then the
//! reader answers by a message, in its time.

use std::io::{self, Write};
use std::time::Duration;

use broker::StoredPayload;
use model::{Authority, Failure};
use xta::client::Sink;
use xta::model::{Content, DeliveryAttributes, MetaData, Party};
use xta::server::backend::{Contents, Fetched, Selector, Way, Wish};
use xta::{Error, Fault, Result};

use super::account::Account;
use super::along::with_original_id;
use super::answering::Asked;
use super::boxes::{Boxes, blocking, failed, member};
use super::contents::opened;
use super::package::Packer;

/// Servers of readers.
pub trait Readers: Send + Sync {
    /// Whether a reader of a tenant has one.
    fn has(&self, tenant: &str, reader: &Authority) -> bool;

    /// Puts a message to the server of a reader. Contents of the answer go into `sink`; nothing does if it is empty.
    ///
    /// # Errors
    /// If no answer came within the time.
    fn ask(&self, question: &Question<'_>, sink: &mut dyn Sink) -> Result<Option<MetaData>, Failure>;
}

/// A message for a reader.
pub struct Question<'a> {
    /// Tenant of the reader.
    pub tenant: &'a str,
    /// The reader.
    pub reader: &'a Authority,
    /// Its metadata.
    pub meta: &'a MetaData,
    /// Its contents.
    pub contents: &'a dyn Contents,
    /// Longest time until the answer is there.
    pub within: Duration,
}

/// The contents of an answer, which go into a container.
struct Answer {
    packer: Packer,
    is_there: bool,
}

impl Sink for Answer {
    fn content(&mut self, index: usize, content: &Content) -> Result<&mut dyn Write> {
        self.is_there = true;
        self.packer.begin(index, content)?;
        Ok(&mut self.packer)
    }
}

impl Boxes {
    /// Puts a message that was taken in to the server of its reader, if that has one, and takes in what it answers.
    ///
    /// # Errors
    /// 9032 if it does not answer, or by something that is not taken; if our own store fails, what it is.
    pub(super) async fn put_to_reader(&self, asked: &Asked, within: Duration) -> Result<()> {
        let readers = self.readers.clone().filter(|it| it.has(&asked.tenant, &asked.reader));
        let Some(readers) = readers else { return Ok(()) };
        let account = self.account_of(asked);
        // It is noted as fetched before it goes out.
        let selector = Selector { message_ids: vec![asked.ticket.clone()], ..Selector::default() };
        let Fetched { meta: question, contents, .. } = match self.fetch(&account, &selector).await {
            Ok(question) => question,
            // It was closed meanwhile, or is not to be delivered yet.
            Err(Error::Fault(Fault::UNKNOWN_ID)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let writer = self.broker.arrival_writer(&account.caller).map_err(|error| failed(&error))?;
        let answer = Answer { packer: Packer::new(writer, account.container_bytes), is_there: false };
        let (tenant, reader, meta) = (asked.tenant.clone(), asked.reader.clone(), question.clone());
        let answered = blocking(move || {
            let put =
                Question { tenant: &tenant, reader: &reader, meta: &meta, contents: &*contents, within };
            ask(&*readers, &put, answer)
        });
        let Some((meta, stored)) = answered.await? else { return Ok(()) };
        let taken = self.take_answer(&account, completed(&question, meta), &stored).await;
        self.broker.discard_arrival(stored).await;
        taken.map_err(|error| not_taken(&asked.reader, &error))
    }

    /// Takes an answer in as a message of the reader.
    async fn take_answer(&self, account: &Account, meta: MetaData, stored: &StoredPayload) -> Result<()> {
        let unpacked = opened(&self.broker, &account.caller, stored)?;
        let author = Party { id: account.party.to_string(), ..meta.author };
        let meta = MetaData { message_id: self.create_message_id(account).await?, author, ..meta };
        let mut receiving = self.begin(account, &meta, Way::Sent(Wish::Asynchronous), false).await?;
        for (index, (content, _)) in unpacked.list().iter().enumerate() {
            io::copy(&mut unpacked.section(index)?, receiving.content(index, content)?)?;
        }
        receiving.finish().await.map(drop)
    }

    /// The reader as somebody who calls.
    fn account_of(&self, asked: &Asked) -> Account {
        let account = Account {
            id: asked.reader.to_string(),
            party: asked.reader.clone(),
            tenant: asked.tenant.clone(),
            caller: asked.member.clone(),
            container_bytes: self.broker.most_bytes(),
            services: vec![],
            delivers: false,
            lenient: false,
        };
        Account { caller: member(&account), ..account }
    }
}

/// An answer that was not taken: that is nothing that the sender of the message has done.
fn not_taken(reader: &Authority, error: &Error) -> Error {
    let number = match error {
        Error::Fault(fault) => Some(fault.code),
        _ => None,
    };
    tracing::warn!(%reader, code = error.code(), number, "the answer of a reader's server was not taken");
    Fault::DELIVERY.into()
}

/// What a server answers, its contents in a container; nothing if its answer is empty.
fn ask(
    readers: &dyn Readers,
    put: &Question<'_>,
    mut answer: Answer,
) -> Result<Option<(Option<MetaData>, StoredPayload)>> {
    let meta = readers.ask(put, &mut answer).map_err(|failure| {
        let (code, detail) = (&failure.code, &failure.detail);
        tracing::warn!(reader = %put.reader, %code, detail, "the server of a reader did not answer");
        Fault::DELIVERY
    })?;
    if !answer.is_there {
        return Ok(None);
    }
    let (stored, _) = answer.packer.finish()?;
    Ok(Some((meta, stored)))
}

/// The metadata of an answer: whom it is from and for, and what it answers, is known here. The id that it had goes along.
fn completed(question: &MetaData, said: Option<MetaData>) -> MetaData {
    let meta = said.unwrap_or_else(|| MetaData {
        scenario: question.scenario.clone(),
        message_type: question.message_type.clone(),
        payload_schema: question.payload_schema.clone(),
        service: question.service.clone(),
        ..MetaData::default()
    });
    let meta = with_original_id(meta);
    let delivery = DeliveryAttributes { not_before: None, obsolete_after: None, ..meta.delivery };
    let (other_readers, cc_readers) = Default::default();
    MetaData {
        delivery,
        author: question.reader.clone(),
        reader: question.author.clone(),
        in_reply_to: vec![question.message_id.clone()],
        message_id: String::new(),
        other_readers,
        cc_readers,
        is_test: question.is_test,
        ..meta
    }
}
