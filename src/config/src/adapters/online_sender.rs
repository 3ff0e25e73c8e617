//! What is sent online: `kind = "fit-connect-sender"`. Details: docs/online.md.

use broker::house::KeyPair;
use model::Id;
use serde::{Deserialize, Serialize};

use super::Refers;

/// The way `fit-connect` of dispatches.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FitConnectSender {
    /// Where access tokens are.
    pub token_url: String,
    /// The Submission API, without `/v2`.
    pub submission_url: String,
    /// Id of the API client.
    pub client_id: String,
    /// Reference to its secret.
    pub client_secret: String,
    /// What the delivery service calls itself in its events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// References to files of certificates that keys of destinations must go back to; empty: nobody is asked who issued them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<String>,
    /// Where the delivery service calls when an event log has grown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    /// Reference to the secret of these calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_secret: Option<String>,
    /// Where dispatches go that are for no mailbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<FitTarget>,
    /// The way to the federal mailboxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<FitBridge>,
    /// Subject of what has none of its own.
    #[serde(default = "subject")]
    pub subject: String,
    /// Text of what has none of its own.
    #[serde(default = "text")]
    pub text: String,
    /// Most bytes of all documents of a dispatch (MiB).
    #[serde(default = "thousand")]
    pub max_mb: u64,
    /// Pause between two looks at event logs, in seconds.
    #[serde(default = "sixty")]
    pub pause_seconds: u32,
    /// Days that a submission is followed.
    #[serde(default = "sixty")]
    pub followed_days: u32,
    /// Longest time of a call without content, in seconds.
    #[serde(default = "thirty")]
    pub within_seconds: u32,
    /// Longest time of a call with content, in minutes.
    #[serde(default = "sixty")]
    pub transfer_minutes: u32,
}

/// A destination, or where the responsible one is asked for.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FitTarget {
    /// Id of the destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Id>,
    /// The Routing API, without `/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_url: Option<String>,
    /// Amtlicher Regionalschlüssel of the area.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ars: Option<String>,
    /// Reference to the JWK set that routes are signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_keys: Option<String>,
    /// Identifier of the service.
    pub service: String,
    /// Its name.
    pub service_name: String,
    /// Schema of the data.
    pub schema: String,
}

/// The bridge to the federal mailboxes.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FitBridge {
    /// Id of its destination.
    pub destination: Id,
    /// Whose certificate signs.
    pub author: KeyPair,
    /// The office as citizens read it.
    pub sender: String,
    /// How far whoever reads must have proved who they are, 1 to 4.
    #[serde(default = "one")]
    pub level: u8,
    /// Whether the status monitor is told where cases stand.
    #[serde(default)]
    pub tells_state: bool,
    /// Identifier that messages are submitted as.
    #[serde(default = "message")]
    pub message_service: String,
    /// Identifier that states are submitted as.
    #[serde(default = "status")]
    pub status_service: String,
    /// Schema of both.
    #[serde(default = "schema")]
    pub schema: String,
}

fn subject() -> String {
    "Nachricht Ihrer Verwaltung".to_owned()
}

fn text() -> String {
    "Zu Ihrem Anliegen erhalten Sie anbei Unterlagen.".to_owned()
}

fn message() -> String {
    "urn:schema-fitko-de:fit-connect:id.bund.de:message_v6".to_owned()
}

fn status() -> String {
    "urn:schema-fitko-de:fit-connect:id.bund.de:status_v6".to_owned()
}

fn schema() -> String {
    "https://schema.fitko.de/fit-connect/id.bund.de/message_v6/1.0.0/zbp-message.schema.json".to_owned()
}

fn one() -> u8 {
    1
}

fn thirty() -> u32 {
    30
}

fn sixty() -> u32 {
    60
}

fn thousand() -> u64 {
    1_024
}

impl FitTarget {
    /// The LeiKa key that routes are asked for by: the digits of the service.
    pub fn leika(&self) -> Option<&str> {
        let key = self.service.strip_prefix("urn:de:fim:leika:leistung:")?;
        (key.len() == 14 && is_number(key)).then_some(key)
    }

    fn is_whole(&self) -> bool {
        let is_route = self.routing_url.is_some()
            && self.routing_keys.is_some()
            && self.ars.as_deref().is_some_and(|ars| (1..=12).contains(&ars.len()) && is_number(ars))
            && self.leika().is_some();
        let asks_for_none = self.routing_url.is_none() && self.ars.is_none() && self.routing_keys.is_none();
        if self.destination.is_some() { asks_for_none } else { is_route }
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

impl FitConnectSender {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let nothing = self.target.is_none() && self.bridge.is_none();
        let half = self.target.as_ref().is_some_and(|it| !it.is_whole());
        let unpaired = self.callback_url.is_some() != self.callback_secret.is_some();
        let level = self.bridge.as_ref().map_or(1, |it| it.level);
        let mut refers = Refers::default()
            .secrets([("client_secret", &mut self.client_secret)])
            .secrets(self.callback_secret.iter_mut().map(|it| ("callback_secret", it)))
            .url("token_url", &self.token_url)
            .url("submission_url", &self.submission_url)
            .texts([
                ("client_id", self.client_id.as_str()),
                ("subject", self.subject.as_str()),
                ("text", self.text.as_str()),
            ])
            .numbers([
                ("max_mb", self.max_mb, 1, 16_384),
                ("pause_seconds", self.pause_seconds.into(), 5, 3_600),
                ("followed_days", self.followed_days.into(), 1, 366),
                ("within_seconds", self.within_seconds.into(), 1, 600),
                ("transfer_minutes", self.transfer_minutes.into(), 1, 300),
                ("bridge.level", level.into(), 1, 4),
            ])
            .listed("trust", &mut self.trust)
            .wrong_if(unpaired, "callback_url", "expected `callback_secret` beside it, or neither")
            .wrong_if(nothing, "target", "expected this, or `bridge`, or both")
            .wrong_if(
                half,
                "target",
                "expected `destination`, or `routing_url`, `routing_keys` and `ars` for a service with a LeiKa key",
            );
        if let Some(url) = &self.callback_url {
            refers = refers.url("callback_url", url);
        }
        if let Some(target) = &mut self.target {
            refers = refers.texts([
                ("target.service", target.service.as_str()),
                ("target.service_name", target.service_name.as_str()),
                ("target.schema", target.schema.as_str()),
            ]);
            if let Some(url) = &target.routing_url {
                refers = refers.url("target.routing_url", url);
            }
            refers = refers.secrets(target.routing_keys.iter_mut().map(|it| ("target.routing_keys", it)));
        }
        if let Some(bridge) = &mut self.bridge {
            refers = refers
                .texts([("bridge.sender", bridge.sender.as_str()), ("bridge.schema", bridge.schema.as_str())])
                .pairs("bridge.author", [&mut bridge.author]);
        }
        refers
    }
}
