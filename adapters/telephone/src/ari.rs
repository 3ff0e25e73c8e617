//! Calls of the interface (Asterisk 22, `rest-api/api-docs`). Parameters go in the query. Nothing of an answer gets into a failure but its
//! status.
//!
//! Whatever is made here has an identifier of ours, so that doing it again finds what is there: 409.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::outbound::ChosenBy;
use model::{Failure, FailureKind};
use net::{Answer, Client, Method, Request};
use zeroize::Zeroizing;

use crate::events::Channel;
use crate::settings::Settings;

/// Most bytes of an answer: all channels of a busy system.
const MOST_ANSWER: usize = 8 * 1024 * 1024;

/// Code of a failure that says that nobody answers.
pub(crate) const UNREACHABLE: &str = "telephone.unreachable";

/// The interface.
pub(crate) struct Ari {
    client: Client,
    base: String,
    authorization: Zeroizing<String>,
    application: String,
    within: Duration,
}

/// A telephone that shall ring.
pub(crate) struct Leg<'a> {
    pub(crate) id: &'a str,
    pub(crate) endpoint: &'a str,
    /// What is shown there.
    pub(crate) caller_id: &'a str,
    /// The words that it comes to our application with.
    pub(crate) words: &'a str,
    pub(crate) rings: Duration,
    /// The leg that it belongs to.
    pub(crate) of: Option<&'a str>,
}

impl Ari {
    pub(crate) fn new(settings: &Settings, client: Client) -> Ari {
        let pair = Zeroizing::new(format!("{}:{}", settings.login.user, settings.login.password.as_str()));
        let authorization = Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())));
        let (base, application) = (settings.url.clone(), settings.application.clone());
        Ari { client, base, authorization, application, within: settings.within }
    }

    pub(crate) fn authorization(&self) -> &str {
        &self.authorization
    }

    /// The version of the system.
    pub(crate) async fn version(&self) -> Result<String, Failure> {
        let answer = self.call(Method::GET, "/asterisk/info", &[("only", "system")]).await?;
        let told: serde_json::Value = read(&sound(answer)?)?;
        let version = told["system"]["version"].as_str().unwrap_or("unknown");
        Ok(version.chars().filter(|c| c.is_ascii_graphic()).take(40).collect())
    }

    /// All channels that are on, but those whose identifier could be something else in an address.
    pub(crate) async fn channels(&self) -> Result<Vec<Channel>, Failure> {
        let mut all: Vec<Channel> = read(&sound(self.call(Method::GET, "/channels", &[]).await?)?)?;
        all.retain(Channel::is_sound);
        Ok(all)
    }

    /// Whether a channel is on.
    pub(crate) async fn is_on(&self, id: &str) -> Result<bool, Failure> {
        let answer = self.call(Method::GET, &format!("/channels/{id}"), &[]).await?;
        match answer.status {
            404 => Ok(false),
            _ => sound(answer).map(|_| true),
        }
    }

    /// Lets a telephone ring; does nothing if it does already.
    pub(crate) async fn ring(&self, leg: &Leg<'_>) -> Result<(), Failure> {
        let rings = leg.rings.as_secs().to_string();
        let mut query = vec![
            ("endpoint", leg.endpoint),
            ("app", self.application.as_str()),
            ("appArgs", leg.words),
            ("channelId", leg.id),
            ("callerId", leg.caller_id),
            ("timeout", &rings),
        ];
        query.extend(leg.of.map(|of| ("originator", of)));
        let answer = self.call(Method::POST, "/channels", &query).await?;
        match answer.status {
            409 => Ok(()),
            // It knows no such endpoint, or may not use it.
            400 | 404 | 500 => Err(Failure::permanent("telephone.refused", told(&answer))),
            _ => sound(answer).map(drop),
        }
    }

    /// Joins channels: they hear each other. What is not there any more is let go.
    pub(crate) async fn bridge(&self, id: &str) -> Result<(), Failure> {
        let query = [("type", "mixing"), ("bridgeId", id), ("name", "amtsbote")];
        gone_or_done(self.call(Method::POST, "/bridges", &query).await?)
    }

    pub(crate) async fn join(&self, bridge: &str, channel: &str) -> Result<(), Failure> {
        let path = format!("/bridges/{bridge}/addChannel");
        gone_or_done(self.call(Method::POST, &path, &[("channel", channel)]).await?)
    }

    pub(crate) async fn hang_up(&self, channel: &str) -> Result<(), Failure> {
        let path = format!("/channels/{channel}");
        gone_or_done(self.call(Method::DELETE, &path, &[("reason", "normal")]).await?)
    }

    pub(crate) async fn unbridge(&self, id: &str) -> Result<(), Failure> {
        gone_or_done(self.call(Method::DELETE, &format!("/bridges/{id}"), &[]).await?)
    }

    /// Tells the dialplan something, and lets it go on: in any case, for somebody waits. What it was not told is as if nobody had answered.
    pub(crate) async fn go_on(&self, channel: &str, (name, value): (&str, &str)) -> Result<(), Failure> {
        let path = format!("/channels/{channel}/variable");
        let told = self.call(Method::POST, &path, &[("variable", name), ("value", value)]).await;
        gone_or_done(self.call(Method::POST, &format!("/channels/{channel}/continue"), &[]).await?)?;
        gone_or_done(told?)
    }

    async fn call(&self, method: Method, path: &str, query: &[(&str, &str)]) -> Result<Answer, Failure> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let mark = if query.is_empty() { "" } else { "?" };
        let request = Request {
            method,
            url: format!("{}{path}{mark}{query}", self.base),
            chosen_by: ChosenBy::Administrator,
            headers: vec![
                ("accept".to_owned(), "application/json".to_owned()),
                ("authorization".to_owned(), self.authorization.as_str().to_owned()),
            ],
            body: None,
            within: self.within,
            most_answer: MOST_ANSWER,
        };
        self.client.send(request).await.map_err(|error| match error.kind() {
            FailureKind::Transient => Failure::transient(UNREACHABLE, error.to_string()),
            // Whatever it was, doing it again finds it.
            FailureKind::Uncertain => Failure::transient(UNREACHABLE, "no whole answer came"),
            _ => error.into(),
        })
    }
}

fn told(answer: &Answer) -> String {
    format!("the telephone system answered with {}", answer.status)
}

fn sound(answer: Answer) -> Result<Answer, Failure> {
    match answer.status {
        200..=299 => Ok(answer),
        401 | 403 => Err(unauthorised()),
        408 | 425 | 429 | 500.. => Err(Failure::transient("telephone.busy", told(&answer))),
        _ => Err(Failure::permanent("telephone.refused", told(&answer))),
    }
}

/// What concerns a channel that has hung up meanwhile, is in another application, or was made before.
fn gone_or_done(answer: Answer) -> Result<(), Failure> {
    match answer.status {
        404 | 409 | 412 | 422 => Ok(()),
        _ => sound(answer).map(drop),
    }
}

pub(crate) fn unauthorised() -> Failure {
    Failure::new(
        FailureKind::Unauthorised,
        "telephone.unauthorised",
        "the telephone system refused the login",
    )
}

fn read<T: serde::de::DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    let garbage = |_| Failure::transient("telephone.garbage", "the answer is not what the interface says");
    serde_json::from_slice(&answer.body).map_err(garbage)
}

/// Of these channels those that are ours or known: their identifiers.
pub(crate) fn ids(channels: &[Channel]) -> BTreeSet<&str> {
    channels.iter().map(|channel| channel.id.as_str()).collect()
}
