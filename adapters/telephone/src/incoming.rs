//! Calls that come in. The number that a caller shows is what the caller says: it proposes cases, and never files anything by itself.

use model::activity::{Call, CallDirection, CallState};
use model::adapter::Host;
use model::letter::{Hint, HintKind, Letter};
use model::{Failure, Timestamp, phone};
use serde_json::json;

use crate::adapter::Asterisk;
use crate::events::Channel;
use crate::live::{Live, MOST};
use crate::session::Listening;

/// How sure it is that a number belongs to the party that has it: far from what files something by itself.
const BY_NUMBER: u8 = 40;

/// Channels of a minute that are remembered not to be noted.
const MOST_LEFT: usize = 10_000;

/// Longest name and extension that are taken, in characters.
const LONGEST: usize = 80;

/// Word of the dialplan: in hours of service?
const ASKS_HOURS: &str = "inbound";
/// Word of the dialplan: the caller asks to be called back.
const ASKS_CALL_BACK: &str = "callback";
/// Variable that the dialplan is told by.
const VARIABLE: &str = "AMTSBOTE";

impl Asterisk {
    /// A call comes in.
    pub(crate) async fn begins(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        channel: &Channel,
        at: Timestamp,
    ) -> Result<(), Failure> {
        if line.live.contains_key(&channel.id) || !channel.comes_in(&self.settings.contexts) {
            return Ok(());
        }
        let minute = at.micros().div_euclid(60_000_000);
        self.tell_flood(line, host, minute).await?;
        let flood = &mut line.flood;
        if flood.left.contains(&channel.id) {
            return Ok(());
        }
        if flood.noted >= self.settings.calls_a_minute || line.live.len() >= MOST {
            flood.beyond = flood.beyond.saturating_add(1);
            if flood.left.len() < MOST_LEFT {
                flood.left.insert(channel.id.clone());
            }
            return Ok(());
        }
        flood.noted += 1;
        let number =
            phone::e164(&channel.caller.number, &self.settings.country, self.settings.area.as_deref());
        let live = Live {
            interaction: None,
            from: line_of(&channel.caller.name),
            call: Call {
                direction: CallDirection::Incoming,
                number,
                extension: line_of(&channel.dialplan.exten),
                state: CallState::Ringing,
                wait_seconds: None,
                duration_seconds: None,
                reference: Some(channel.id.clone()),
                task: None,
            },
            since: at,
            answered: None,
        };
        line.live.insert(channel.id.clone(), live);
        // First what is on, then the contact: whoever comes after a crash takes it in by the same key.
        self.save(line, host).await?;
        let Some(live) = line.live.get_mut(&channel.id) else { return Ok(()) };
        self.contact(live, host, &channel.id).await.map(drop)
    }

    /// A call came to our application: the dialplan wants to know something, and goes on.
    pub(crate) async fn enters(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        (channel, at): (&Channel, Timestamp),
        words: &[String],
    ) -> Result<(), Failure> {
        let asked = words.first().map_or("", String::as_str);
        if ![ASKS_HOURS, ASKS_CALL_BACK].contains(&asked) {
            return Ok(());
        }
        self.begins(line, host, channel, at).await?;
        let is_open = self.settings.hours.is_open(at);
        let answer = match (asked, is_open) {
            (ASKS_HOURS, true) => "open",
            (ASKS_HOURS, false) => "closed",
            _ => "callback",
        };
        let live = line.live.get_mut(&channel.id);
        if let Some(live) = live.filter(|live| answer != "open" && live.call.number.is_some()) {
            live.call.state = CallState::CallBack;
            self.save(line, host).await?;
            self.tell(line, host, &channel.id).await?;
            self.ask_to_call_back(line, host, &channel.id).await?;
        }
        self.ari.go_on(&channel.id, (VARIABLE, answer)).await
    }

    /// What is taken in of a call that came in.
    pub(crate) fn letter(&self, live: &Live, channel: &str) -> Letter {
        let by_number = |number: &String| Hint {
            kind: HintKind::Phone,
            value: number.clone(),
            confidence: BY_NUMBER,
            place: "caller's number".to_owned(),
        };
        let first = Call {
            state: CallState::Ringing,
            wait_seconds: None,
            duration_seconds: None,
            ..live.call.clone()
        };
        Letter {
            key: format!("call:{channel}"),
            way: "call".to_owned(),
            received_at: live.since,
            from: live.from.clone(),
            call: Some(Box::new(first)),
            hints: live.call.number.iter().map(by_number).collect(),
            proof: json!({ "channel": channel }),
            ..Letter::default()
        }
    }

    /// More calls came than are noted each by itself: how many they were, once their minute is over.
    pub(crate) async fn tell_flood(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        minute: i64,
    ) -> Result<(), Failure> {
        let flood = &mut line.flood;
        if minute == flood.minute {
            return Ok(());
        }
        if flood.beyond > 0 {
            let at = Timestamp::from_micros(flood.minute.saturating_mul(60_000_000));
            let call = Call {
                direction: CallDirection::Incoming,
                number: None,
                extension: None,
                state: CallState::Missed,
                wait_seconds: None,
                duration_seconds: None,
                reference: None,
                task: None,
            };
            host.take_in(Letter {
                key: format!("flood:{}:{}:{}", flood.minute, flood.noted, flood.beyond),
                way: "call".to_owned(),
                received_at: at,
                subject: Some(format!("{} weitere Anrufe in einer Minute", flood.beyond)),
                call: Some(Box::new(call)),
                proof: json!({ "calls": flood.beyond }),
                concerns: vec!["telephone.flood"],
                ..Letter::default()
            })
            .await?;
        }
        flood.beyond = 0;
        // At the end of a session the minute goes on.
        if minute != i64::MAX {
            flood.noted = 0;
            flood.left.clear();
            flood.minute = minute;
        }
        Ok(())
    }
}

/// What others wrote, on one short line.
fn line_of(text: &str) -> Option<String> {
    let line: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}
