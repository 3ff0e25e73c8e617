//! Events and channels of the interface (Asterisk 22, `rest-api/api-docs/events.json` and `channels.json`), as far as they are of use. What
//! is not known is let go.

use model::Timestamp;
use serde::Deserialize;

/// Longest identifier of a channel that is taken.
const LONGEST_ID: usize = 149;

/// A channel: one leg of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Channel {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) caller: Party,
    #[serde(default)]
    pub(crate) dialplan: Dialplan,
    #[serde(default)]
    creationtime: String,
}

/// Who calls, as the caller says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Party {
    pub(crate) name: String,
    pub(crate) number: String,
}

/// Where a channel stands in the dialplan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Dialplan {
    pub(crate) context: String,
    pub(crate) exten: String,
    pub(crate) app_name: String,
    pub(crate) app_data: String,
}

impl Channel {
    /// When it came into being.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        read_time(&self.creationtime)
    }

    /// Whether somebody outside makes this leg: what Asterisk makes itself never rings before it is dialled.
    pub(crate) fn comes_in(&self, contexts: &[String]) -> bool {
        let is_made = self.dialplan.app_name.starts_with("AppDial");
        let is_on = matches!(self.state.as_str(), "Ring" | "Up");
        is_on && !is_made && contexts.contains(&self.dialplan.context)
    }

    /// The words that it waits with in our application: nobody else lets it go on.
    pub(crate) fn waits(&self, application: &str) -> Option<Vec<String>> {
        let mut words = self.dialplan.app_data.split(',');
        let is_ours = self.dialplan.app_name == "Stasis" && words.next() == Some(application);
        is_ours.then(|| words.map(str::to_owned).collect())
    }

    pub(crate) fn is_sound(&self) -> bool {
        let is_mark = |byte: u8| matches!(byte, b'.' | b'-' | b'_');
        let is_name = self.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte));
        (1..=LONGEST_ID).contains(&self.id.len()) && is_name
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    pub(crate) channel: Channel,
    pub(crate) what: What,
}

/// What happened to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// It came into being.
    Created,
    /// It came to our application, with these words.
    Entered(Vec<String>),
    /// Somebody took the call.
    Up,
    /// It is over, by this cause (ITU-T Q.850).
    Over(u32),
}

/// What came by the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Event(Box<Event>),
    /// Another line has taken our application over.
    Replaced,
    /// Nothing of use.
    Nothing,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    timestamp: String,
    #[serde(default)]
    application: String,
    #[serde(default)]
    channel: Option<Channel>,
    #[serde(default)]
    peer: Option<Channel>,
    #[serde(default)]
    dialstatus: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    cause: u32,
}

/// Reads an event for our application.
pub(crate) fn read(text: &str, application: &str) -> Told {
    let Ok(raw) = serde_json::from_str::<Raw>(text) else { return Told::Nothing };
    if raw.kind == "ApplicationReplaced" {
        return Told::Replaced;
    }
    let (what, channel) = match raw.kind.as_str() {
        "ChannelCreated" => (What::Created, raw.channel),
        "StasisStart" if raw.application == application => (What::Entered(raw.args), raw.channel),
        "ChannelStateChange" if raw.channel.as_ref().is_some_and(|it| it.state == "Up") => {
            (What::Up, raw.channel)
        }
        "Dial" if raw.dialstatus == "ANSWER" => (What::Up, raw.peer),
        "ChannelDestroyed" => (What::Over(raw.cause), raw.channel),
        _ => return Told::Nothing,
    };
    let Some((channel, at)) = channel.filter(Channel::is_sound).zip(read_time(&raw.timestamp)) else {
        return Told::Nothing;
    };
    Told::Event(Box::new(Event { at, channel, what }))
}

/// Times have no colon in their zone: `2026-11-23T02:45:55.659+0000`.
pub(crate) fn read_time(text: &str) -> Option<Timestamp> {
    let at = text.len().checked_sub(4)?;
    let (front, back) = (text.get(..at)?, text.get(at..)?);
    let is_zone = front.ends_with(['+', '-']) && back.bytes().all(|byte| byte.is_ascii_digit());
    if !is_zone {
        return Timestamp::parse(text);
    }
    Timestamp::parse(&format!("{front}{}:{}", back.get(..2)?, back.get(2..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_asterisk_writes_them() {
        for text in
            ["2026-11-23T02:45:55.659+0000", "2026-11-23T03:45:55.659+0100", "2026-11-23T02:45:55.659Z"]
        {
            let time = read_time(text).map(|time| time.to_string());
            assert_eq!(time.as_deref(), Some("2026-11-23T02:45:55.659Z"), "{text}");
        }
        for text in ["", "+000", "2026-11-23", "ü+0000", "2026-11-23T02:45:55.659+9900"] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_let_go() {
        let sound =
            r#"{"type":"ChannelCreated","timestamp":"2026-11-23T02:45:55.659+0000","channel":{"id":"1.2"}}"#;
        assert!(matches!(read(sound, "gateway"), Told::Event(_)));
        for text in [
            "",
            "{}",
            "[]",
            r#"{"type":"Neu"}"#,
            r#"{"type":"ChannelCreated"}"#,
            &sound.replace("1.2", "../applications"),
            &sound.replace("1.2", &"1".repeat(200)),
            &sound.replace("+0000", ""),
            r#"{"type":"StasisStart","application":"other","timestamp":"2026-11-23T02:45:55.659+0000","channel":{"id":"1.2"}}"#,
        ] {
            assert_eq!(read(text, "gateway"), Told::Nothing, "{text}");
        }
        assert_eq!(
            read(r#"{"type":"ApplicationReplaced","application":"gateway"}"#, "gateway"),
            Told::Replaced
        );
    }
}
