//! Synchronous services (`sendMessageSync`): the message is taken in and waits in the message box of its reader, who answers by a
//! message of their own that says what it answers (`In-Reply-To`). The sender waits for it. Whoever waits looks into the store, so the
//! reader may fetch and answer at any node. A reader with a server of its own is asked there first.

use std::time::Duration;

use broker::house::XtaReader;
use broker::{BoxFilter, RelayDelivery, RelayStage};
use model::{Authority, Caller};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use xta::model::MetaData;
use xta::server::backend::{Reply, Wish};
use xta::{Fault, Result};

use super::account::Account;
use super::boxes::{Boxes, blocking, failed, mailbox, member, meta_of, ticket};
use super::package::Unpacked;
use super::sending::MOST_RELATED;

/// Why a message came to nothing that was not answered in time.
const NOT_ANSWERED: &str = "message.not-answered";
/// How often it is looked whether the answer is there.
const EVERY: Duration = Duration::from_millis(250);
/// Most messages that may answer one.
const MOST_ANSWERS: u32 = 100;
/// What the body of a message holds whose sender waits (`boxes::Noted`).
const SYNCHRONOUS: &str = "synchronous";

/// A message whose sender waits for its answer.
pub(super) struct Asked {
    /// The sender.
    pub(super) member: Caller,
    pub(super) tenant: String,
    pub(super) ticket: String,
    pub(super) reader: Authority,
}

impl Boxes {
    fn answering(&self, tenant: &str, reader: &Authority) -> Option<&XtaReader> {
        self.settings.readers.get(&(tenant.to_owned(), reader.clone()))
    }

    /// Whether a service of a reader is offered in the way that the sender wishes.
    pub(super) fn check_wish(
        &self,
        account: &Account,
        reader: &Authority,
        service: &str,
        wish: Wish,
    ) -> Result<()> {
        let own = self.answering(&account.tenant, reader);
        let names = |services: &[String]| services.iter().any(|it| it == service);
        match wish {
            Wish::Asynchronous if own.is_some_and(|own| names(&own.only_synchronous)) => {
                Err(Fault::ONLY_SYNCHRONOUS.into())
            }
            Wish::Synchronous if own.is_none_or(|own| names(&own.only_asynchronous)) => {
                Err(Fault::ONLY_ASYNCHRONOUS.into())
            }
            _ => Ok(()),
        }
    }

    /// The author of the message that this one answers, if it was sent synchronously and has not come to nothing: its answer
    /// goes into a message box, even if the author is not of this house.
    pub(super) async fn who_waits(&self, account: &Account, meta: &MetaData) -> Result<Option<Authority>> {
        let Ok(author) = meta.reader.id.trim().parse::<Authority>() else { return Ok(None) };
        let reader = member(account);
        for id in meta.in_reply_to.iter().take(MOST_RELATED) {
            let asked = self.relay.of_ticket(&reader, &reader.actor.id, &ticket(id)).await;
            let Some(asked) = asked.map_err(|error| failed(&error))? else { continue };
            if is_open(&asked.delivery, &reader, &author) {
                return Ok(Some(author));
            }
        }
        Ok(None)
    }

    /// Waits for the answer to a message that was taken in. Without one the message has come to nothing, unless its reader
    /// has closed it.
    ///
    /// # Errors
    /// 9032.
    pub(super) async fn answer_to(&self, asked: &Asked) -> Result<Reply> {
        let own = self.answering(&asked.tenant, &asked.reader).ok_or(Fault::ONLY_ASYNCHRONOUS)?;
        let within = Duration::from_secs(own.within_seconds.into());
        match self.answer_within(asked, within).await {
            Ok(Some(reply)) => Ok(reply),
            nothing => {
                self.come_to_nothing(asked).await?;
                Err(nothing.err().unwrap_or_else(|| Fault::DELIVERY.into()))
            }
        }
    }

    /// The answer to a message, as soon as it is there; nothing if it is not in time.
    async fn answer_within(&self, asked: &Asked, within: Duration) -> Result<Option<Reply>> {
        let until = Instant::now() + within;
        self.put_to_reader(asked, within).await?;
        loop {
            let reply = self.answered(asked).await?;
            if reply.is_some() || Instant::now() >= until {
                return Ok(reply);
            }
            sleep(EVERY).await;
        }
    }

    /// Gives a message back that was not answered, unless its reader has closed it.
    async fn come_to_nothing(&self, asked: &Asked) -> Result<()> {
        let sent = self.relay.sent(&asked.member, &asked.ticket).await.map_err(|error| failed(&error))?;
        let Some(sent) = sent else { return Ok(()) };
        match self.relay.give_back(&asked.member, sent.message, NOT_ANSWERED).await {
            Ok(()) | Err(broker::Error::Model(model::Error::WrongState { .. })) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }

    /// The answer, if it is there. It is closed, and what it answers has been received, before any of it is given away: whoever loses
    /// it on the way asks again, gets 9024, and the report tells.
    async fn answered(&self, asked: &Asked) -> Result<Option<Reply>> {
        let (member, related) = (&asked.member, [asked.ticket.clone()]);
        let filter = BoxFilter { mailbox: &member.actor.id, related: &related, ..BoxFilter::default() };
        let found = self.relay.entries(member, &filter, MOST_ANSWERS).await;
        let found = found.map_err(|error| failed(&error))?.into_iter();
        let Some(found) = found.into_iter().find(|it| it.originator == mailbox(&asked.reader)) else {
            return Ok(None);
        };
        let content = self.relay.content(member, found.message).await.map_err(|error| failed(&error))?;
        let contents = Box::new(blocking(move || Unpacked::open(content)).await?);
        match self.relay.take_answer(member, &asked.ticket, found.message).await {
            Ok(answer) => Ok(Some(Reply { meta: meta_of(&answer, self.now())?, contents })),
            // What was asked came to nothing meanwhile: it is too late, and the answer stays where it is.
            Err(broker::Error::Model(model::Error::NotFound { .. })) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// Whether a delivery to this reader is one that its author waits for the answer to.
fn is_open(delivery: &RelayDelivery, reader: &Caller, author: &Authority) -> bool {
    delivery.mailbox == reader.actor.id
        && delivery.originator == mailbox(author)
        && delivery.stage != RelayStage::Returned
        && delivery.body.read().is_some_and(|body: Value| body[SYNCHRONOUS] == true)
}
