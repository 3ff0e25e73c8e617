//! Figures for metrics and health. None of them reads more than what is unfinished.

use std::collections::BTreeMap;

use crate::messages::UNFINISHED;
use crate::sql::Select;
use crate::{Error, Lane, Store};

/// How the store stands, over all tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// `sqlite` or `postgres`.
    pub engine: &'static str,
    /// Messages by state; those confirmed or returned are not counted, there are too many of them.
    pub messages: BTreeMap<String, u64>,
    /// Lanes with unfinished jobs, and all that call outside.
    pub lanes: Vec<Lane>,
    /// What adapters are to be told and do not have yet: by adapter and state (`waiting`, `parked`).
    pub channels: Vec<(String, String, u64)>,
    /// Events without a number.
    pub unsealed_events: u64,
}

impl Store {
    /// Events of a tenant without a number.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn unsealed_events(&self, tenant: &str) -> Result<u64, Error> {
        let select = Select::new("SELECT count(*) FROM unsealed WHERE tenant = ").bind(tenant);
        self.db().read_one(select).await?.map_or(Ok(0), |row| row.number(0))
    }

    /// `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        self.db().name()
    }

    /// See [`Stats`].
    ///
    /// # Errors
    /// If the database fails.
    pub async fn stats(&self) -> Result<Stats, Error> {
        let messages = Select::new("SELECT state, count(*) FROM message WHERE ");
        let messages = messages.sql(UNFINISHED).sql(" GROUP BY state");
        let messages = self.db().read(messages).await?;
        let unsealed = self.db().read_one(Select::new("SELECT count(*) FROM unsealed")).await?;
        let channels =
            Select::new("SELECT adapter, state, count(*) FROM channel_delivery WHERE state <> 'dropped' ");
        let channels =
            self.db().read(channels.sql("GROUP BY adapter, state ORDER BY adapter, state")).await?;
        Ok(Stats {
            engine: self.db().name(),
            messages: messages
                .iter()
                .map(|row| Ok((row.text(0)?, row.number(1)?)))
                .collect::<Result<_, Error>>()?,
            lanes: self.all_lanes().await?,
            channels: channels
                .iter()
                .map(|row| Ok((row.text(0)?, row.text(1)?, row.number(2)?)))
                .collect::<Result<_, Error>>()?,
            unsealed_events: unsealed.map_or(Ok(0), |row| row.number(0))?,
        })
    }
}
