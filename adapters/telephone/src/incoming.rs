//! Calls that come in. The number that a caller shows is what the caller says: it proposes cases, and never files anything by itself.

use model::activity::{Call, CallDirection, CallState};
use model::adapter::Host;
use model::letter::{Hint, HintKind, Letter};
use model::{Failure, Timestamp, phone};
use serde_json::json;

use crate::adapter::Asterisk;
use crate::events::Channel;
use crate::flood::Beyond;
use crate::live::{Live, MOST};
use crate::session::Listening;

/// How sure it is that a number belongs to the party that has it: far from what files something by itself.
const BY_NUMBER: u8 = 40;

/// Longest name and extension that are taken, in characters.
const LONGEST: usize = 80;

/// Word of the dialplan: in hours of service?
const ASKS_HOURS: &str = "inbound";
/// Word of the dialplan: the caller asks to be called back.
const ASKS_CALL_BACK: &str = "callback";
/// Variable that the dialplan is told by.
const VARIABLE: &str = "AMTSBOTE";

/// What the dialplan is told: somebody is there.
const OPEN: &str = "open";
/// Nobody is there; it is written that the caller is called back.
const CLOSED: &str = "closed";
/// It is written that the caller is called back.
const CALL_BACK: &str = "callback";
/// Nothing is written: the caller has to call again.
const AGAIN: &str = "again";

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
        let bounds = (self.settings.calls_a_minute, line.live.len() < MOST);
        if !self.flood().admits(&channel.id, at.micros(), bounds) {
            return Ok(());
        }
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
            rung: false,
        };
        line.live.insert(channel.id.clone(), live);
        // First what is on, then the contact: whoever comes after a crash takes it in by the same key.
        self.save(line, host).await?;
        let Some(live) = line.live.get_mut(&channel.id) else { return Ok(()) };
        self.contact(live, host, &channel.id).await.map(drop)
    }

    /// A call came to our application: the dialplan wants to know something, and goes on, for the caller hears nothing until then. Nothing
    /// is promised but what is written.
    pub(crate) async fn enters(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        (channel, at): (&Channel, Timestamp),
        words: &[String],
    ) -> Result<(), Failure> {
        let asked = words.first().map_or("", String::as_str);
        let (promise, otherwise) = match (asked, self.settings.hours.is_open(at)) {
            (ASKS_HOURS, true) => (None, OPEN),
            (ASKS_HOURS, false) => (Some(CLOSED), AGAIN),
            (ASKS_CALL_BACK, _) => (Some(CALL_BACK), AGAIN),
            // What nobody knows here nobody waits for.
            _ => (None, ""),
        };
        let mut written = self.begins(line, host, channel, at).await.map(|()| false);
        if promise.is_some() && written.is_ok() {
            written = self.promises(line, host, &channel.id).await;
        }
        let answer = promise.filter(|_| matches!(written, Ok(true))).unwrap_or(otherwise);
        self.ari.go_on(&channel.id, (VARIABLE, answer)).await?;
        written.map(drop)
    }

    /// Notes that a caller is to be called back; whether the task of it is there.
    async fn promises(&self, line: &mut Listening, host: &dyn Host, key: &str) -> Result<bool, Failure> {
        let Some(live) = line.live.get_mut(key).filter(|live| live.call.number.is_some()) else {
            return Ok(false);
        };
        live.call.state = CallState::CallBack;
        self.save(line, host).await?;
        self.tell(line, host, key).await?;
        self.follow_up(line, host, key).await
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
    pub(crate) async fn tell_flood(&self, host: &dyn Host) -> Result<(), Failure> {
        let untold = self.flood().untold(self.clock.now().micros());
        for beyond in untold {
            host.take_in(flood_letter(beyond)).await?;
            self.flood().told(beyond);
        }
        Ok(())
    }
}

fn flood_letter(beyond: Beyond) -> Letter {
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
    Letter {
        key: format!("flood:{}:{}", beyond.began, beyond.all),
        way: "call".to_owned(),
        received_at: Timestamp::from_micros(beyond.began),
        subject: Some(format!("{} weitere Anrufe in einer Minute", beyond.calls)),
        call: Some(Box::new(call)),
        proof: json!({ "calls": beyond.calls }),
        concerns: vec!["telephone.flood"],
        ..Letter::default()
    }
}

/// What others wrote, on one short line.
fn line_of(text: &str) -> Option<String> {
    let line: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}
