//! What an adapter remembers: small values under keys, durable before the call returns. Unlike the job of a delivery it
//! outlives every attempt, so an attempt finds what an earlier one had begun. Like the keys of repeated messages it is never
//! removed: a message may be sent again by an operator at any time.

use serde_json::Value;
use store::Work;

use crate::{Broker, Error};

/// The notebook of one adapter. Cheap to clone.
#[derive(Clone)]
pub struct Notebook {
    broker: Broker,
    adapter: String,
}

impl Broker {
    /// The notebook of the adapter `id`.
    pub fn notebook(&self, id: &str) -> Notebook {
        Notebook { broker: self.clone(), adapter: id.to_owned() }
    }
}

impl Notebook {
    /// What is remembered under a key.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn read(&self, tenant: &str, key: &str) -> Result<Option<Value>, Error> {
        Ok(self.broker.store().adapter_state(tenant, &self.adapter, key).await?)
    }

    /// Remembers `value`, unless there is something under this key already. Returns what is remembered then: of several
    /// attempts at the same time, all go on with the same.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn write_first(&self, tenant: &str, key: &str, value: &Value) -> Result<Value, Error> {
        let mut work = Work::new();
        work.add_adapter_state(tenant, &self.adapter, key, value);
        self.broker.store().commit(work).await?;
        self.read(tenant, key).await?.ok_or(Error::Internal)
    }

    /// Remembers `value` instead of whatever was there.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn write(&self, tenant: &str, key: &str, value: &Value) -> Result<(), Error> {
        let mut work = Work::new();
        work.set_adapter_state(tenant, &self.adapter, key, value);
        Ok(self.broker.store().commit(work).await?)
    }
}
