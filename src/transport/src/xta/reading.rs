//! Message boxes that their readers look through, fetch from, and close messages of. A reader sees nothing but its own:
//! whatever else there is, is as if it were not there.

use broker::{BoxFilter, Payload, RelayDelivery};
use model::{Caller, Id, Timestamp};
use serde_json::Value;
use xta::server::backend::{Contents, Fetched, Listed, NoMatch, Position, Rest, Selector};
use xta::{Fault, Result};

use super::account::Account;
use super::boxes::{Boxes, blocking, failed, member, meta_of, noted, ticket};
use super::cursor::Cursor;
use super::package::{Single, Unpacked};

/// Most entries of one answer, and as many as are given if nothing is said.
const MOST_ENTRIES: u32 = 100;
/// Most messages that a selector or a call names.
const MOST_NAMED: usize = 100;
/// How often the next message is looked for if another request has closed it meanwhile.
const ATTEMPTS: usize = 5;

impl Boxes {
    /// The first entries of the account's message box that a selector fits.
    ///
    /// # Errors
    /// 9030.
    pub async fn list(&self, account: &Account, selector: &Selector, most: Option<u32>) -> Result<Listed> {
        let most = most.unwrap_or(MOST_ENTRIES).clamp(1, MOST_ENTRIES);
        match Cursor::of(selector).filter(is_bounded) {
            Some(cursor) => self.listed(account, Cursor { most: Some(most), ..cursor }).await,
            None => Ok(nothing(Cursor::default().write(), NoMatch::SearchArgs)),
        }
    }

    /// Those behind them.
    ///
    /// # Errors
    /// 9030.
    pub async fn list_on(&self, account: &Account, iterator: &str) -> Result<Listed> {
        match Cursor::read(iterator).filter(is_bounded) {
            Some(cursor) => self.listed(account, cursor).await,
            None => Ok(nothing(iterator.to_owned(), NoMatch::RequestId)),
        }
    }

    async fn listed(&self, account: &Account, cursor: Cursor) -> Result<Listed> {
        let member = member(account);
        let most = cursor.most.unwrap_or(MOST_ENTRIES);
        let entries = self.entries(&member, &cursor, most).await?;
        let Some(last) = entries.last() else {
            return Ok(nothing(cursor.write(), NoMatch::NoMatch));
        };
        let position = self.position(&member, cursor.behind(last.enters_at, last.message)).await?;
        let now = self.now();
        let entries = entries.iter().map(|entry| meta_of(entry, now)).collect::<Result<_>>()?;
        Ok(Listed { entries, position })
    }

    /// The first message of the account's message box that a selector fits. It stays there.
    ///
    /// # Errors
    /// 9022, 9070.
    pub async fn fetch(&self, account: &Account, selector: &Selector) -> Result<Fetched> {
        let cursor = Cursor::of(selector).filter(is_bounded).ok_or(Fault::PARAMETERS)?;
        self.fetched(account, cursor).await
    }

    /// The next one; those in `received` are closed first.
    ///
    /// # Errors
    /// 9070.
    pub async fn fetch_on(&self, account: &Account, iterator: &str, received: &[String]) -> Result<Fetched> {
        let cursor = Cursor::read(iterator).filter(is_bounded).ok_or(Fault::UNKNOWN_ID)?;
        self.close(account, received, iterator).await?;
        self.fetched(account, cursor).await
    }

    async fn fetched(&self, account: &Account, cursor: Cursor) -> Result<Fetched> {
        let member = member(account);
        for _ in 0..ATTEMPTS {
            let found =
                self.entries(&member, &cursor, 1).await?.into_iter().next().ok_or(Fault::UNKNOWN_ID)?;
            let content = self.relay.content(&member, found.message).await;
            let handed_out = self.relay.fetch(&member, found.message).await;
            let (content, delivery) = match (content, handed_out) {
                (Ok(content), Ok(delivery)) => (content, delivery),
                (Err(broker::Error::Model(model::Error::NotFound { .. })), _)
                | (_, Err(broker::Error::Model(model::Error::NotFound { .. }))) => continue,
                (Err(error), _) | (_, Err(error)) => return Err(failed(&error)),
            };
            let position =
                self.position(&member, cursor.behind(delivery.enters_at, delivery.message)).await?;
            let meta = meta_of(&delivery, self.now())?;
            let contents = blocking(move || opened(content, &noted(&delivery)?)).await?;
            return Ok(Fetched { meta, position, contents });
        }
        Err(Fault::UNKNOWN_ID.into())
    }

    /// The account has processed these messages. They are named one by one; the iterator says nothing, since clients of the
    /// field bring any.
    ///
    /// # Errors
    /// 9022 if there are too many, 9070.
    pub async fn close(&self, account: &Account, message_ids: &[String], _iterator: &str) -> Result<()> {
        if message_ids.len() > MOST_NAMED {
            return Err(Fault::PARAMETERS.into());
        }
        let member = member(account);
        let tickets: Vec<String> = message_ids.iter().map(|id| ticket(id)).collect();
        let closed = self.relay.close(&member, &member.actor.id, &tickets).await;
        closed.map_err(|error| failed(&error))
    }

    async fn entries(&self, member: &Caller, cursor: &Cursor, most: u32) -> Result<Vec<RelayDelivery>> {
        let found = self.relay.entries(member, &filter(member, cursor), most).await;
        found.map_err(|error| failed(&error))
    }

    /// Where it goes on behind what was given, and how much there is.
    async fn position(&self, member: &Caller, behind: Cursor) -> Result<Position> {
        let left = self.relay.count(member, &filter(member, &behind)).await;
        let rest = Rest::Pending(left.map_err(|error| failed(&error))?);
        Ok(Position { iterator: behind.write(), rest })
    }
}

/// The contents of a delivery: those of the container, or the one that the payload is.
fn opened(payload: Payload, body: &Value) -> Result<Box<dyn Contents>> {
    if body.get("single").and_then(Value::as_bool) != Some(true) {
        return Ok(Box::new(Unpacked::open(payload)?));
    }
    let file_name = body.get("file").and_then(Value::as_str);
    Ok(Box::new(Single::new(payload, file_name)))
}

/// A selection within the party's own message box.
fn filter<'a>(member: &'a Caller, cursor: &'a Cursor) -> BoxFilter<'a> {
    let moment = |micros: (i64, Id)| (Timestamp::from_micros(micros.0), micros.1);
    BoxFilter {
        mailbox: &member.actor.id,
        tickets: &cursor.ids,
        related: &cursor.related,
        from: cursor.from.map(Timestamp::from_micros),
        until: cursor.until.map(Timestamp::from_micros),
        only_new: cursor.only_new,
        after: cursor.after.map(moment),
    }
}

fn is_bounded(cursor: &Cursor) -> bool {
    cursor.ids.len() <= MOST_NAMED && cursor.related.len() <= MOST_NAMED
}

fn nothing(iterator: String, reason: NoMatch) -> Listed {
    Listed { entries: vec![], position: Position { iterator, rest: Rest::Nothing(reason) } }
}
