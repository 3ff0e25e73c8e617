//! What adapters are told of records and what they call them, as far as it can be read.

use std::collections::BTreeSet;

use model::adapter::Link;
use model::{EventKind, Id, RecordKind, Scope, Timestamp};
use serde_json::Value;

use crate::sql::{Row, Select, Table};
use crate::{Error, Listed, Page, Store};

/// Something that an adapter is to be told and does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelDelivery {
    /// Identifier of the delivery.
    pub id: Id,
    /// Tenant.
    pub tenant: String,
    /// The adapter.
    pub adapter: String,
    /// Unit of the record.
    pub unit: String,
    /// Public service of the record.
    pub public_service: Option<String>,
    /// Number of the event that it is told of.
    pub number: u64,
    /// Kind of the event.
    pub event: EventKind,
    /// Kind of the record.
    pub kind: RecordKind,
    /// The record.
    pub record: Id,
    /// Topmost record of its tree.
    pub root: Id,
    /// The bytes that go with it.
    pub payload: Option<Id>,
    /// The message that brought the record.
    pub message: Option<Id>,
    /// Whether what lies in the record comes after it, since no event tells of each.
    pub whole: bool,
    /// Why it waits for a human; absent: it waits for its turn.
    pub parked: Option<String>,
    /// What was in the way of its last attempt; absent: it is parked, or nothing was.
    pub failed: Option<String>,
    /// Task of whoever has to see to that.
    pub task: Option<Id>,
    /// When the event was seen.
    pub created_at: Timestamp,
}

/// Which of them.
#[derive(Debug, Clone, Default)]
pub struct ChannelFilter {
    /// Of this adapter.
    pub adapter: Option<String>,
    /// Whether a human is waited for.
    pub parked: Option<bool>,
    /// Of the tree of this topmost record.
    pub root: Option<Id>,
}

/// What an adapter does not have of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelLeft {
    /// Deliveries that wait for their turn.
    pub waiting: u64,
    /// Deliveries that wait for a human.
    pub parked: u64,
    /// Deliveries that a human has dropped.
    pub dropped: u64,
    /// Why one of these had waited for a human.
    pub code: Option<String>,
}

/// What was dropped is nobody's work any more.
const DROPPED_APART: &str = " AND state <> 'dropped'";

/// State as it counts for what is left: what lies in a dropped record is still to come.
const LEFT: &str = "SELECT CASE WHEN state = 'dropped' AND whole = 1 THEN 'waiting' ELSE state END AS counts, count(*), min(code) \
     FROM channel_delivery WHERE tenant = ";

const DELIVERY: &str = "SELECT id, tenant, adapter, unit, public_service, number, event, record_kind, record, root, payload, \
     message, whole, state, code, task, created_at FROM channel_delivery WHERE ";

impl Store {
    /// How far an adapter has been told: number of an event. `None` if it was never asked for.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn channel_reached(&self, tenant: &str, adapter: &str) -> Result<Option<u64>, Error> {
        let select =
            Select::new("SELECT reached FROM channel WHERE tenant = ").bind(tenant).and("adapter =", adapter);
        self.db().read_one(select).await?.map(|row| row.number(0)).transpose()
    }

    /// What adapters do not have yet, by id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn channel_deliveries(
        &self,
        scope: &Scope,
        filter: &ChannelFilter,
        page: &Page,
    ) -> Result<Listed<ChannelDelivery>, Error> {
        let state = filter.parked.map(|parked| if parked { "parked" } else { "waiting" });
        let select = Select::new(DELIVERY)
            .within(scope, Table::ChannelDelivery)
            .sql(DROPPED_APART)
            .and_if("adapter =", filter.adapter.as_deref())
            .and_if("state =", state)
            .and_if("root =", filter.root);
        let rows = self.db().read(page.apply(select, "id >", " ORDER BY id LIMIT ")).await?;
        page.listed(rows.iter().map(|row| Ok((row.id(0)?, delivery(row)?))))
    }

    /// Those of these deliveries that wait for a human; at most some hundreds at once.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn parked_deliveries(&self, tenant: &str, ids: &[Id]) -> Result<BTreeSet<Id>, Error> {
        let select = Select::new("SELECT id FROM channel_delivery WHERE tenant = ").bind(tenant);
        let mut select = select.sql(" AND state = 'parked' AND id IN (NULL");
        for id in ids {
            select = select.sql(", ").bind(*id);
        }
        self.db().read(select.sql(")")).await?.iter().map(|row| row.id(0)).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn channel_delivery(&self, scope: &Scope, id: Id) -> Result<Option<ChannelDelivery>, Error> {
        let select =
            Select::new(DELIVERY).within(scope, Table::ChannelDelivery).sql(DROPPED_APART).and("id =", id);
        self.db().read_one(select).await?.as_ref().map(delivery).transpose()
    }

    /// One that a human has dropped and that is still remembered.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn dropped_delivery(&self, tenant: &str, id: Id) -> Result<Option<ChannelDelivery>, Error> {
        let select = Select::new(DELIVERY).sql("tenant = ").bind(tenant).and("id =", id);
        self.db().read_one(select.and("state =", "dropped")).await?.as_ref().map(delivery).transpose()
    }

    /// Whether something waits for its turn that happened to the tree of this delivery before it; what happened to records of the kind
    /// `apart` is not looked at.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn waits_before(&self, it: &ChannelDelivery, apart: Option<RecordKind>) -> Result<bool, Error> {
        let select = Select::new("SELECT id FROM channel_delivery WHERE tenant = ")
            .bind(it.tenant.as_str())
            .and("root =", it.root)
            .and("adapter =", it.adapter.as_str())
            .and("state =", "waiting")
            .and("number <", it.number)
            .and_if("record_kind <>", apart.map(RecordKind::name));
        Ok(self.db().read_one(select.sql(" LIMIT 1")).await?.is_some())
    }

    /// How much of the tree of a topmost record an adapter does not have yet.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn channel_left(&self, tenant: &str, adapter: &str, root: Id) -> Result<ChannelLeft, Error> {
        let select = Select::new(LEFT).bind(tenant).and("adapter =", adapter).and("root =", root);
        let mut left = ChannelLeft::default();
        for row in self.db().read(select.sql(" GROUP BY counts")).await? {
            let count = row.number(1)?;
            match row.text(0)?.as_str() {
                "waiting" => left.waiting = count,
                "parked" => left.parked = count,
                _ => (left.dropped, left.code) = (count, row.opt_text(2)?),
            }
        }
        Ok(left)
    }

    /// What an adapter calls records, by record and part; at most ten thousand.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn links(&self, tenant: &str, adapter: &str, record: Id) -> Result<Vec<Link>, Error> {
        let select = Select::new(LINK).bind(tenant).and("adapter =", adapter).and("record =", record);
        let select = select.sql(" ORDER BY part LIMIT ").bind(10_000_u32);
        self.db().read(select).await?.iter().map(link).collect()
    }

    /// What all adapters call a record, with their ids.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn links_of(&self, tenant: &str, record: Id) -> Result<Vec<(String, Link)>, Error> {
        let select = Select::new(LINK).bind(tenant).and("record =", record);
        let select = select.sql(" ORDER BY adapter, part LIMIT ").bind(1_000_u32);
        self.db().read(select).await?.iter().map(|row| Ok((row.text(5)?, link(row)?))).collect()
    }

    /// The link by what the other side calls a record; the first one if several are called so.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn linked(&self, tenant: &str, adapter: &str, reference: &str) -> Result<Option<Link>, Error> {
        let select = Select::new(LINK).bind(tenant).and("adapter =", adapter).and("reference =", reference);
        let select = select.sql(" ORDER BY record, part LIMIT 1");
        self.db().read_one(select).await?.as_ref().map(link).transpose()
    }
}

const LINK: &str = "SELECT record, part, kind, reference, state, adapter FROM record_link WHERE tenant = ";

fn link(row: &Row) -> Result<Link, Error> {
    Ok(Link {
        record: row.id(0)?,
        part: row.text(1)?,
        kind: named(row.text(2)?)?,
        reference: row.text(3)?,
        state: row.json(4)?,
    })
}

fn delivery(row: &Row) -> Result<ChannelDelivery, Error> {
    let id = |column| -> Result<Option<Id>, Error> {
        let text = row.opt_text(column)?;
        text.map(|id| id.parse()).transpose().map_err(|_| Error::Corrupt { what: "channel" })
    };
    let state = row.text(13)?;
    let code = row.opt_text(14)?;
    Ok(ChannelDelivery {
        id: row.id(0)?,
        tenant: row.text(1)?,
        adapter: row.text(2)?,
        unit: row.text(3)?,
        public_service: row.opt_text(4)?,
        number: row.number(5)?,
        event: named(row.text(6)?)?,
        kind: named(row.text(7)?)?,
        record: row.id(8)?,
        root: row.id(9)?,
        payload: id(10)?,
        message: id(11)?,
        whole: row.number(12)? == 1,
        parked: if state == "parked" { Some(code.clone().unwrap_or_default()) } else { None },
        failed: if state == "waiting" { code } else { None },
        task: id(15)?,
        created_at: row.time(16)?,
    })
}

fn named<T: serde::de::DeserializeOwned>(name: String) -> Result<T, Error> {
    serde_json::from_value(Value::String(name)).map_err(|_| Error::Corrupt { what: "channel" })
}
