//! Applications that come in online: `kind = "fit-connect"`. Details: docs/online.md.

use std::collections::BTreeMap;

use model::Id;
use model::party::TrustLevel;
use serde::{Deserialize, Serialize};

use super::Refers;

/// A destination (Zustellpunkt) of FIT-Connect whose submissions are fetched.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FitConnect {
    /// Where access tokens are.
    pub token_url: String,
    /// The Submission API, without `/v2`.
    pub submission_url: String,
    /// Id of the API client.
    pub client_id: String,
    /// Reference to its secret.
    pub client_secret: String,
    /// Id of the destination.
    pub destination: Id,
    /// Reference to the private JWK that signs events.
    pub signing_key: String,
    /// References to the private JWKs that submissions are encrypted for, the current one first.
    pub decryption_keys: Vec<String>,
    /// Reference to the secret of callbacks; without one none are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_secret: Option<String>,
    /// What the delivery service calls itself in its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// References to files of certificates that keys which sign events must go back to; empty: nobody is asked who issued them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<String>,
    /// Schema of our events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_schema: Option<String>,
    /// Where types of problems begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem_prefix: Option<String>,
    /// Other names of problems, by the usual ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub problem_names: BTreeMap<String, String>,
    /// What forms become.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mapping: Vec<FormMapping>,
    /// Pause between two sessions, in seconds.
    #[serde(default = "sixty")]
    pub pause_seconds: u32,
    /// Longest time of a call without content, in seconds.
    #[serde(default = "thirty")]
    pub within_seconds: u32,
    /// Longest time of a call with content, in minutes.
    #[serde(default = "sixty")]
    pub transfer_minutes: u32,
    /// Largest data of a form (MiB).
    #[serde(default = "eight")]
    pub max_data_mb: u64,
    /// Largest attachment (MiB).
    #[serde(default = "thousand")]
    pub max_attachment_mb: u64,
    /// Largest submission with all that is in it (MiB); [`FitConnect::most_submission_mb`] says what holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_submission_mb: Option<u64>,
    /// Days after which a clerk is told of what could not be taken.
    #[serde(default = "three")]
    pub told_after_days: u32,
    /// Days after which the delivery service rejects what was not fetched.
    #[serde(default = "fourteen")]
    pub deadline_days: u32,
}

/// What the data of a form become in the case.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FormMapping {
    /// Name, for `amtsbote check`.
    pub id: String,
    /// Identifier of the public service; absent: every one that has no mapping of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Template of the title.
    pub title: String,
    /// Unit of the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The house's own name of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_service: Option<String>,
    /// Template of the note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Templates of references, by their kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub references: BTreeMap<String, String>,
    /// Templates of a place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub location: BTreeMap<String, String>,
    /// Templates of parties, whoever applies first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub party: Vec<BTreeMap<String, String>>,
    /// How far whoever applies must have proved who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_level: Option<TrustLevel>,
    /// Words of the data for levels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: BTreeMap<String, TrustLevel>,
    /// What must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
}

fn three() -> u32 {
    3
}

fn fourteen() -> u32 {
    14
}

fn thirty() -> u32 {
    30
}

fn sixty() -> u32 {
    60
}

fn eight() -> u64 {
    8
}

fn thousand() -> u64 {
    1_024
}

impl FitConnect {
    /// Largest submission with all that is in it (MiB): 4,096 unless it is set, and never less than the largest attachment.
    pub fn most_submission_mb(&self) -> u64 {
        self.max_submission_mb.unwrap_or_else(|| self.max_attachment_mb.max(4_096))
    }

    pub(super) fn refers(&mut self) -> Refers<'_> {
        let twice = |key: fn(&FormMapping) -> Option<&str>| {
            let all: Vec<Option<&str>> = self.mapping.iter().map(key).collect();
            all.iter().enumerate().any(|(at, name)| all.get(..at).is_some_and(|before| before.contains(name)))
        };
        let same_id = twice(|mapping| Some(mapping.id.as_str()));
        let same_service = twice(|mapping| mapping.service.as_deref());
        let small = self.most_submission_mb() < self.max_attachment_mb;
        let late = self.told_after_days >= self.deadline_days;
        let no_key = self.decryption_keys.is_empty();
        let most = self.most_submission_mb();
        let mut refers = Refers::default()
            .secrets([("client_secret", &mut self.client_secret), ("signing_key", &mut self.signing_key)])
            .secrets(self.callback_secret.iter_mut().map(|it| ("callback_secret", it)))
            .url("token_url", &self.token_url)
            .url("submission_url", &self.submission_url)
            .texts([("client_id", self.client_id.as_str())])
            .numbers([
                ("pause_seconds", self.pause_seconds.into(), 5, 3_600),
                ("within_seconds", self.within_seconds.into(), 1, 600),
                ("transfer_minutes", self.transfer_minutes.into(), 1, 300),
                ("max_data_mb", self.max_data_mb, 1, 64),
                ("max_attachment_mb", self.max_attachment_mb, 1, 16_384),
                ("max_submission_mb", most, 1, 65_536),
                ("told_after_days", self.told_after_days.into(), 1, 30),
                ("deadline_days", self.deadline_days.into(), 1, 60),
            ])
            .wrong_if(no_key, "decryption_keys", "expected at least one key")
            .listed("trust", &mut self.trust)
            .wrong_if(small, "max_submission_mb", "expected at least max_attachment_mb")
            .wrong_if(late, "told_after_days", "expected less than deadline_days")
            .wrong_if(same_id, "mapping", "another mapping has this id")
            .wrong_if(same_service, "mapping", "another mapping is for this service");
        let keys = self.decryption_keys.iter_mut().enumerate();
        refers.secrets.extend(keys.map(|(at, it)| (format!("decryption_keys[{at}]"), it)));
        refers
    }
}
