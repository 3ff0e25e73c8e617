//! `kind = "remote"`: a program in any language (`adapters/remote/openapi.yaml`).

use std::collections::BTreeMap;

use model::{EventKind, RecordKind};
use serde::{Deserialize, Serialize};

use super::Refers;

/// A program in any language.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// Where it is called, without a slash at the end.
    pub url: String,
    /// Reference to the secret that both sides were given.
    pub secret: String,
    /// Whether it can be asked what became of a delivery.
    #[serde(default)]
    pub reconciles: bool,
    /// Longest time of one delivery, in seconds.
    #[serde(default = "ten_minutes")]
    pub within_seconds: u32,
    /// What it is told of, by the kind of record.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub follows: BTreeMap<RecordKind, Vec<EventKind>>,
    /// Whether it keeps the records: what it has taken counts as imported.
    #[serde(default)]
    pub keeps_records: bool,
    /// Whether it is asked for changes that it brings.
    #[serde(default)]
    pub brings: bool,
    /// Whether calls from outside to its address are passed on to it.
    #[serde(default)]
    pub takes_calls: bool,
}

fn ten_minutes() -> u32 {
    600
}

impl Remote {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let follows = |event| self.follows.values().any(|events| events.contains(&event));
        let keeps = self.keeps_records && !follows(EventKind::RecordCreated);
        Refers::default()
            .secrets([("secret", &mut self.secret)])
            .url("url", &self.url)
            .numbers([("within_seconds", self.within_seconds.into(), 1, 6 * 3_600)])
            .wrong_if(keeps, "keeps_records", "who keeps records follows record.created")
    }
}
