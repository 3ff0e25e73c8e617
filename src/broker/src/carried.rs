//! What a transport carries with a message beside its bytes: the metadata of its author. Kept with the message in the same
//! transaction and handed to the transport that it goes on by, or to the message box that its reader looks into. The broker
//! does not read it.

use std::time::Duration;

use model::{Id, Message, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Work;

use crate::relay::check_body;
use crate::{Broker, Error};

/// Under this name the store keeps it, by the id of the message. Like all that is kept there it is not removed.
const KEPT: &str = "carried";

/// What was carried with a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Carried {
    /// Metadata of its author, in the form of the transport; at most 64 KiB of JSON. `null`: none.
    pub metadata: Value,
    /// Whether the payload is a container of several contents, in the form of the transport, and not a message as it is.
    pub container: bool,
    /// Its id for author and reader; absent: it has none but ours.
    pub ticket: Option<String>,
    /// Ids of what it answers.
    pub related: Vec<String>,
    /// Not to be processed or delivered before, as its author says; what lies more than a year ahead is not heeded.
    pub not_before: Option<Timestamp>,
    /// Goes back to its author then at the latest, as that says.
    pub obsolete_at: Option<Timestamp>,
}

/// Member of what is kept: whether the author was promised to be told what becomes of the message.
const PROMISED: &str = "promised";

/// How far ahead an author may say that a message begins.
const LONGEST_AHEAD: Duration = Duration::from_secs(366 * 24 * 3_600);

impl Carried {
    /// When a message begins that is taken in now.
    pub(crate) fn begins(&self, now: Timestamp) -> Timestamp {
        self.not_before.filter(|moment| (now..=now.plus(LONGEST_AHEAD)).contains(moment)).unwrap_or(now)
    }

    /// Until when it has to be fetched that may lie there until `in_time`.
    pub(crate) fn ends(&self, in_time: Timestamp) -> Timestamp {
        self.obsolete_at.map_or(in_time, |end| end.min(in_time))
    }

    /// Rows that keep it with a message.
    ///
    /// # Errors
    /// `Invalid` if it is too large.
    pub(crate) fn keep(&self, work: &mut Work, message: &Message) -> Result<(), Error> {
        self.keep_with(work, message, false)
    }

    /// The same for an arrival, and whether its author asks us what becomes of it.
    ///
    /// # Errors
    /// `Invalid` if it is too large.
    pub(crate) fn keep_with(&self, work: &mut Work, message: &Message, promised: bool) -> Result<(), Error> {
        check_body(&self.metadata)?;
        let mut value = serde_json::to_value(self).map_err(|_| Error::Internal)?;
        if promised {
            value[PROMISED] = Value::Bool(true);
        }
        work.add_adapter_state(&message.tenant, KEPT, &message.id.to_string(), &value);
        Ok(())
    }
}

impl Broker {
    /// What was carried with a message, if anything.
    pub(crate) async fn carried(&self, tenant: &str, message: Id) -> Result<Option<Carried>, Error> {
        let found = self.store().adapter_state(tenant, KEPT, &message.to_string()).await?;
        found.map(|value| serde_json::from_value(value).map_err(|_| Error::Internal)).transpose()
    }

    /// Whether the author of an arrival was promised to be told what becomes of it.
    pub(crate) async fn was_promised(&self, message: &Message) -> Result<bool, Error> {
        let found = self.store().adapter_state(&message.tenant, KEPT, &message.id.to_string()).await?;
        Ok(found.is_some_and(|kept| kept[PROMISED] == true))
    }
}
