//! The way of a message through this gateway as one line of time: its own events, and those of the messages that belong to it (replies, the
//! other messages of its exchange and process, what it answers).

use std::collections::BTreeMap;

use model::rights::Action;
use model::{Caller, Event, Id, Message, Scope};
use store::{MessageFilter, Page, Sought};

use crate::{Broker, Error, notes};

/// Messages of one way.
const MOST_MESSAGES: u32 = 20;
/// Events from each end of each message.
const MOST_STEPS: u32 = 50;

/// A message and everything that belongs to its way.
#[derive(Debug, Clone)]
pub struct MessageWay {
    /// The message.
    pub message: Message,
    /// The others, by the time they came here, at most 20.
    pub others: Vec<Message>,
    /// What happened to all of them, oldest first; of each its first and its last events.
    pub steps: Vec<Event>,
}

impl Broker {
    /// The way of a message. Others are within the caller's scope.
    ///
    /// # Errors
    /// As [`message`](Broker::message).
    pub async fn message_way(&self, caller: &Caller, id: Id) -> Result<MessageWay, Error> {
        let message = self.message(caller, id).await?;
        let scope = caller.may(Action::ReadMessages)?;
        let others = self.beside_of_hops(scope, &message).await?;
        let whole = Scope::tenant(&message.tenant);
        let mut steps = vec![];
        for one in std::iter::once(&message).chain(&others) {
            let mut events = self.store().steps(&whole, one.id, MOST_STEPS).await?;
            if !scope.covers(&one.tenant, &one.unit, one.public_service.as_deref()) {
                // Who only brought the message sees its way, not what it led to nor what operators note.
                events.retain(|event| event.subject.is_none());
                events.iter_mut().for_each(notes::without_note);
            }
            steps.extend(events);
        }
        steps.sort_by_key(|event| (event.at, event.id));
        Ok(MessageWay { message, others, steps })
    }

    async fn beside_of_hops(&self, scope: &Scope, message: &Message) -> Result<Vec<Message>, Error> {
        let page = Page::first(MOST_MESSAGES);
        let mut others = BTreeMap::new();
        if let Some(exchange) = message.exchange {
            let filter = MessageFilter { exchange: Some(exchange), ..MessageFilter::default() };
            let found = self.store().messages(scope, &filter, &page).await?.items;
            others.extend(found.into_iter().map(|it| (it.id, it)));
        }
        if let Some(process) = message.identity.as_ref().and_then(|identity| identity.process_id) {
            let filter = MessageFilter { process_id: Some(process), ..MessageFilter::default() };
            let found = self.store().messages(scope, &filter, &page).await?.items;
            others.extend(found.into_iter().map(|it| (it.id, it)));
        }
        if let Some(related) = message.related
            && let Some(found) = self.store().message(scope, related).await?
        {
            others.insert(found.id, found);
        }
        others.remove(&message.id);
        Ok(others.into_values().take(MOST_MESSAGES as usize).collect())
    }

    /// The newest messages that have to do with an id (of a message, process, exchange or case) or with an Aktenzeichen, at most 50.
    ///
    /// # Errors
    /// If the caller may not read messages.
    pub async fn find_messages(&self, caller: &Caller, text: &str) -> Result<Vec<Message>, Error> {
        let scope = caller.may(Action::ReadMessages)?;
        let sought = match text.parse() {
            Ok(id) => Sought::Id(id),
            Err(_) => Sought::Reference(text.to_owned()),
        };
        Ok(self.store().sought_messages(scope, &sought, 50).await?)
    }
}
