//! Deliveries that wait until somebody picks them up: one row beside the message of each. What is in them is not for
//! the gateway, so the row holds only who sent it to whom, the moments of its way, and what its protocol has to
//! remember.

use model::{Id, JsonText, Scope, Timestamp};
use serde_json::Value as Json;

use crate::sql::{Row, Select, Table};
use crate::{Error, Store};

/// How far a delivery has come. In the store it is a number, because that is the order in which deliveries are
/// picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RelayStage {
    /// Waits and was never handed out.
    Waiting,
    /// Was handed out; whether it has arrived is not known.
    HandedOut,
    /// Its recipient has it.
    Received,
    /// Went back to its sender.
    Returned,
}

impl RelayStage {
    const ALL: [RelayStage; 4] =
        [RelayStage::Waiting, RelayStage::HandedOut, RelayStage::Received, RelayStage::Returned];

    pub(crate) fn number(self) -> i64 {
        self as i64
    }

    /// Whether it still waits for its reception, and counts for the mailbox's quota.
    pub fn waits(self) -> bool {
        matches!(self, RelayStage::Waiting | RelayStage::HandedOut)
    }
}

/// A delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct RelayDelivery {
    /// The message that it is.
    pub message: Id,
    /// Tenant.
    pub tenant: String,
    /// Unit that it is for.
    pub unit: String,
    /// Public service that it is for.
    pub public_service: Option<String>,
    /// The id that its sender knows it by, unique within the tenant.
    pub ticket: String,
    /// Whose mailbox it is in: an authority, or the fingerprint of a certificate.
    pub mailbox: String,
    /// Who sent it: the fingerprint of a certificate.
    pub originator: String,
    /// Fingerprint of the certificate that it was encrypted for.
    pub addressee: String,
    /// What its sender says that it is about.
    pub subject: Option<String>,
    /// Bytes of its payload.
    pub size: u64,
    /// How far it has come.
    pub stage: RelayStage,
    /// When it was taken in.
    pub created_at: Timestamp,
    /// When it was handed out first.
    pub forwarded_at: Option<Timestamp>,
    /// When it was known that its recipient has it.
    pub received_at: Option<Timestamp>,
    /// The latest of these moments.
    pub modified_at: Timestamp,
    /// Until when it must have been received.
    pub expires_at: Timestamp,
    /// What its protocol has to remember.
    pub body: JsonText,
    /// When it enters its mailbox, for those who look through message boxes.
    pub enters_at: Timestamp,
    /// Ids of what it answers, as its sender knows them.
    pub related: Vec<String>,
}

impl RelayDelivery {
    /// The same handed out at `now`, and kept until `held` at least, so that its reception can still be noted. The
    /// first hand-out is the one that counts.
    pub fn handed_out(mut self, now: Timestamp, held: Timestamp) -> Self {
        if self.stage == RelayStage::Waiting {
            self.stage = RelayStage::HandedOut;
            self.forwarded_at = Some(now);
            self.modified_at = self.modified_at.max(now);
        }
        self.expires_at = self.expires_at.max(held);
        self
    }

    /// The same received at `now`; handed out then, too, if it was not before. To be called while it waits.
    pub fn received(mut self, now: Timestamp) -> Self {
        self.stage = RelayStage::Received;
        self.forwarded_at.get_or_insert(now);
        self.received_at = Some(now);
        self.modified_at = self.modified_at.max(now);
        self
    }

    /// The same gone back to its sender. To be called while it waits.
    pub fn returned(mut self) -> Self {
        self.stage = RelayStage::Returned;
        self
    }
}

/// How much may wait in one mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayQuota {
    /// Most deliveries.
    pub deliveries: u64,
    /// Most bytes of their payloads.
    pub bytes: u64,
}

/// Which delivery is wanted. Never one that was returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick<'a> {
    /// The one of this ticket, received or not.
    Ticket(&'a str),
    /// One that was taken in then or later: such that wait before those received.
    Since(Timestamp),
    /// The next that waits.
    Next,
}

/// Which deliveries cards are wanted of.
#[derive(Debug, Clone)]
pub struct CardFilter<'a> {
    /// Those to this mailbox.
    pub mailbox: Option<&'a str>,
    /// Those sent by this originator: with a mailbox, both.
    pub originator: Option<&'a str>,
    /// Which of them.
    pub rule: CardRule,
    /// Only those without reception.
    pub unreceived: bool,
    /// Most cards; at most [`Cards::MOST`] are given.
    pub limit: u32,
}

/// A rule that selects cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardRule {
    /// Those of these tickets.
    Tickets(Vec<String>),
    /// Those of deliveries taken in then or later, by that moment.
    CreatedSince(Timestamp),
    /// Those changed then or later, by that moment.
    ModifiedSince(Timestamp),
}

/// Cards: deliveries without their payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Cards {
    /// In the order of their moments.
    pub items: Vec<RelayDelivery>,
    /// Whether there are more than the limit.
    pub more: bool,
}

impl Cards {
    /// Most cards at once: each may hold a body of some KB.
    pub const MOST: u32 = 100;
}

pub(crate) fn select() -> Select {
    Select::new(
        "SELECT message, tenant, unit, public_service, ticket, mailbox, originator, addressee, subject, size, stage, \
         created_at, forwarded_at, received_at, modified_at, expires_at, body, enters_at, related \
         FROM relay_delivery WHERE ",
    )
}

impl Store {
    /// The delivery that a message is.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn relay_delivery(&self, scope: &Scope, message: Id) -> Result<Option<RelayDelivery>, Error> {
        let select = select().within(scope, Table::Relay).and("message =", message);
        self.db().read_one(select).await?.as_ref().map(delivery).transpose()
    }

    /// The delivery of a mailbox that a rule picks, and whether it picks more. Of several: such that were never
    /// handed out first, so that one which its recipient cannot read does not keep back those behind it; then the
    /// oldest. Those in `except` are not looked at.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn pick_delivery(
        &self,
        scope: &Scope,
        mailbox: &str,
        pick: Pick<'_>,
        except: &[Id],
    ) -> Result<Option<(RelayDelivery, bool)>, Error> {
        use RelayStage::{HandedOut, Received, Waiting};
        let (stages, since) = match pick {
            Pick::Ticket(ticket) => {
                return Ok(self.by_ticket(scope, mailbox, ticket).await?.map(|it| (it, false)));
            }
            Pick::Since(since) => (&[Waiting, HandedOut, Received][..], since),
            Pick::Next => (&[Waiting, HandedOut][..], Timestamp::from_micros(i64::MIN)),
        };
        let except = serde_json::to_string(except)?;
        let mut found: Vec<RelayDelivery> = Vec::new();
        for stage in stages {
            let of_stage = select()
                .within(scope, Table::Relay)
                .and("mailbox =", mailbox)
                .and("stage =", stage.number())
                .and("created_at >=", since)
                .sql(" AND message NOT IN ");
            let of_stage = self.db().texts_of(of_stage, except.clone());
            for row in self.db().read(of_stage.sql(" ORDER BY created_at, message LIMIT 2")).await? {
                let one = delivery(&row)?;
                // It may have been seen one stage before.
                if found.iter().all(|seen| seen.message != one.message) {
                    found.push(one);
                }
            }
            if found.len() > 1 {
                break;
            }
        }
        let more = found.len() > 1;
        Ok(found.into_iter().next().map(|first| (first, more)))
    }

    async fn by_ticket(
        &self,
        scope: &Scope,
        mailbox: &str,
        ticket: &str,
    ) -> Result<Option<RelayDelivery>, Error> {
        let select = select()
            .within(scope, Table::Relay)
            .and("ticket =", ticket)
            .and("mailbox =", mailbox)
            .and("stage <>", RelayStage::Returned.number());
        self.db().read_one(select).await?.as_ref().map(delivery).transpose()
    }

    /// Cards of deliveries to a mailbox within the scope, and of those an originator sent, into whichever unit.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn relay_cards(&self, scope: &Scope, filter: &CardFilter<'_>) -> Result<Cards, Error> {
        let most = filter.limit.clamp(1, Cards::MOST);
        let whole = Scope::tenant(&scope.tenant);
        let [mailbox, originator] = match filter.rule {
            // Keeps SQLite from going through the whole mailbox instead of looking the tickets up.
            CardRule::Tickets(_) => ["COALESCE(mailbox, '') =", "COALESCE(originator, '') ="],
            CardRule::CreatedSince(_) | CardRule::ModifiedSince(_) => ["mailbox =", "originator ="],
        };
        let sides = [(mailbox, filter.mailbox, scope), (originator, filter.originator, &whole)];
        let mut items = Vec::new();
        for (column, who, scope) in sides {
            let Some(who) = who else { continue };
            let select = select().within(scope, Table::Relay).and(column, who);
            let select = self.cards(select, filter).bind(most + 1);
            for row in self.db().read(select).await? {
                items.push(delivery(&row)?);
            }
        }
        let by_change = matches!(filter.rule, CardRule::ModifiedSince(_));
        items.sort_by_key(|it| (if by_change { it.modified_at } else { it.created_at }, it.message));
        items.dedup_by_key(|it| it.message);
        let more = items.len() > most as usize;
        items.truncate(most as usize);
        Ok(Cards { items, more })
    }

    /// Confines a select to the filter's rule, up to its limit.
    fn cards(&self, select: Select, filter: &CardFilter<'_>) -> Select {
        let select = if filter.unreceived { select.sql(" AND received_at IS NULL") } else { select };
        let by_creation = " ORDER BY created_at, message LIMIT ";
        match &filter.rule {
            CardRule::Tickets(tickets) => {
                let tickets = Json::from(tickets.as_slice()).to_string();
                self.db().texts_of(select.sql(" AND ticket IN "), tickets).sql(by_creation)
            }
            // No change is earlier than the creation: the index is by changes.
            CardRule::CreatedSince(since) => {
                select.and("modified_at >=", *since).and("created_at >=", *since).sql(by_creation)
            }
            CardRule::ModifiedSince(since) => {
                select.and("modified_at >=", *since).sql(" ORDER BY modified_at, message LIMIT ")
            }
        }
    }

    /// Deliveries that were not received in time, the longest expired first, over all tenants.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn expired_deliveries(&self, now: Timestamp, limit: u32) -> Result<Vec<RelayDelivery>, Error> {
        let select = select().sql("expires_at <= ").bind(now);
        let select = select.sql(" AND stage < 2 ORDER BY expires_at LIMIT ").bind(limit);
        self.db().read(select).await?.iter().map(delivery).collect()
    }
}

pub(crate) fn delivery(row: &Row) -> Result<RelayDelivery, Error> {
    let stage = row.int(10)?;
    let stage = RelayStage::ALL.into_iter().find(|known| known.number() == stage);
    Ok(RelayDelivery {
        message: row.id(0)?,
        tenant: row.text(1)?,
        unit: row.text(2)?,
        public_service: row.opt_text(3)?,
        ticket: row.text(4)?,
        mailbox: row.text(5)?,
        originator: row.text(6)?,
        addressee: row.text(7)?,
        subject: row.opt_text(8)?,
        size: row.number(9)?,
        stage: stage.ok_or(Error::Corrupt { what: "relay delivery" })?,
        created_at: row.time(11)?,
        forwarded_at: row.opt_time(12)?,
        received_at: row.opt_time(13)?,
        modified_at: row.time(14)?,
        expires_at: row.time(15)?,
        body: JsonText::kept(row.text(16)?),
        enters_at: row.opt_time(17)?.unwrap_or(row.time(11)?),
        related: row.opt_text(18)?.map_or(Ok(Vec::new()), |_| row.json(18))?,
    })
}
