//! Sessions. The application is registered while its line is there, so the line is kept from one session to the next, and what happens in
//! between waits in it. Whenever a line is new, what is on is asked for and compared with what is known to be on: calls that ended while
//! nobody looked are settled, those that began are taken in.

use std::collections::BTreeSet;

use model::activity::{Call, CallState};
use model::adapter::Host;
use model::command::{Change, Command};
use model::{Failure, FailureKind, Id, Record, RecordKind, Timestamp};
use tokio::time::{Instant, timeout_at};

use crate::adapter::Asterisk;
use crate::ari::{UNREACHABLE, ids};
use crate::events::{Channel, Event, Told, What, read};
use crate::live::{self, All, CALL_BACK, Leg, Live};
use crate::socket::{Came, Socket};

/// Key of the adapter's state that holds the calls that are on.
const STATE: &str = "calls";

/// A line with what is known of the calls on it.
pub(crate) struct Listening {
    socket: Socket,
    pub(crate) live: All,
    pub(crate) flood: Flood,
}

/// How many calls began in a minute.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    pub(crate) minute: i64,
    pub(crate) noted: u32,
    /// Those that were not noted each by itself.
    pub(crate) beyond: u32,
    /// Their channels, as far as there is room: they come again when they come to the application.
    pub(crate) left: BTreeSet<String>,
}

impl Asterisk {
    /// Makes a line, and looks at what is on.
    pub(crate) async fn begin(&self, host: &dyn Host) -> Result<Listening, Failure> {
        let login = (self.settings.application.as_str(), self.ari.authorization());
        // First the line, then the look: what happens after the look comes by the line.
        let socket = Socket::connect(self.place()?, login, self.settings.within).await?;
        let known = host.state(STATE).await?.and_then(|state| serde_json::from_value(state).ok());
        let mut line = Listening { socket, live: known.unwrap_or_default(), flood: Flood::default() };
        self.look(&mut line, host).await?;
        Ok(line)
    }

    async fn look(&self, line: &mut Listening, host: &dyn Host) -> Result<(), Failure> {
        let on = self.ari.channels().await?;
        let ids = ids(&on);
        self.add_wanted(line, host).await?;
        let is_gone = |key: &str| match live::ours(key) {
            Some((call, _)) => !ids.contains(key) && !ids.contains(live::citizen(call).as_str()),
            None => !ids.contains(key),
        };
        let gone: Vec<String> = line.live.keys().filter(|key| is_gone(key)).cloned().collect();
        for key in gone {
            // What was spoken at last was spoken until some time that nobody knows.
            self.ends(line, host, &key, (None, 0)).await?;
        }
        let known: BTreeSet<String> = line.live.keys().cloned().collect();
        for channel in on {
            let at = channel.since().unwrap_or_else(|| self.clock.now());
            if !known.contains(&channel.id) && !live::is_ours(&channel.id) {
                self.begins(line, host, &channel, at).await?;
            }
            let now = self.clock.now();
            match live::ours(&channel.id) {
                _ if channel.state != "Up" => {}
                Some((call, Leg::Clerk)) => self.joins(line, host, (call, Leg::Clerk), now).await?,
                _ => self.is_up(line, host, &channel, now).await?,
            }
        }
        Ok(())
    }

    /// Reads events until the session's time is over; whether the line is still good.
    pub(crate) async fn listen(&self, line: &mut Listening, host: &dyn Host) -> Result<bool, Failure> {
        line.socket.ping(self.settings.within).await?;
        let until = Instant::now() + self.settings.listens;
        let (mut is_alive, mut read_so_far) = (false, 0u32);
        while let Ok(came) = timeout_at(until, line.socket.next()).await {
            is_alive = true;
            let Came::Text(text) = came? else { continue };
            read_so_far += 1;
            if read_so_far > self.settings.most_events {
                return Err(Failure::transient("telephone.flood", "more events came than a session reads"));
            }
            match read(&text, &self.settings.application) {
                Told::Event(event) => self.happened(line, host, &event).await?,
                Told::Replaced => return Ok(false),
                Told::Nothing => {}
            }
        }
        self.tell_flood(line, host, i64::MAX).await?;
        if !is_alive {
            return Err(Failure::transient(UNREACHABLE, "nothing came by the line, no sign of life either"));
        }
        Ok(true)
    }

    async fn happened(&self, line: &mut Listening, host: &dyn Host, event: &Event) -> Result<(), Failure> {
        let channel = &event.channel;
        match (&event.what, live::ours(&channel.id)) {
            (What::Entered(_), Some(of)) => self.joins(line, host, of, event.at).await,
            (What::Over(cause), Some((call, leg))) => {
                self.leaves(line, host, (call, leg), (event.at, *cause)).await
            }
            (What::Up, _) => self.is_up(line, host, channel, event.at).await,
            (_, Some(_)) => Ok(()),
            (What::Created, None) => self.begins(line, host, channel, event.at).await,
            (What::Entered(words), None) => self.enters(line, host, (channel, event.at), words).await,
            (What::Over(cause), None) => self.ends(line, host, &channel.id, (Some(event.at), *cause)).await,
        }
    }

    /// Somebody took a call: of one that the gateway makes, the citizen.
    async fn is_up(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        channel: &Channel,
        at: Timestamp,
    ) -> Result<(), Failure> {
        let key = match live::ours(&channel.id) {
            Some((_, Leg::Clerk)) => return Ok(()),
            Some((call, Leg::Citizen)) => live::clerk(call),
            None => channel.id.clone(),
        };
        let Some(live) = line.live.get_mut(&key) else { return Ok(()) };
        if !live.taken(at) {
            return Ok(());
        }
        self.save(line, host).await?;
        self.tell(line, host, &key).await
    }

    /// A call is over: told, with what follows from it, and only then forgotten.
    pub(crate) async fn ends(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        key: &str,
        (at, cause): (Option<Timestamp>, u32),
    ) -> Result<(), Failure> {
        let Some(live) = line.live.get_mut(key) else { return Ok(()) };
        if live.call.state == CallState::CallBack {
            // It was over before, for whoever called was told that it is called back.
            self.tell(line, host, key).await?;
            self.ask_to_call_back(line, host, key).await?;
        } else {
            live.over(at, cause);
            let is_missed = live.call.state == CallState::Missed && live::comes_in(&live.call);
            let calls_back = is_missed && live.call.number.is_some() && self.settings.missed_calls_back;
            count(&self.settings.id, &live.call);
            self.tell(line, host, key).await?;
            if calls_back {
                self.ask_to_call_back(line, host, key).await?;
            }
        }
        line.live.remove(key);
        self.save(line, host).await
    }

    /// Tells the contact of a call how that stands.
    pub(crate) async fn tell(&self, line: &mut Listening, host: &dyn Host, key: &str) -> Result<(), Failure> {
        let Some(live) = line.live.get_mut(key) else { return Ok(()) };
        let interaction = self.contact(live, host, key).await?;
        let change = Change::Call(Box::new(live.call.clone()));
        let command = Command { kind: RecordKind::Interaction, id: interaction, expected: None, change };
        let state = serde_json::to_value(live.call.state).unwrap_or_default();
        let once = format!("call:{interaction}:{}", state.as_str().unwrap_or_default());
        settled(host.submit(&once, command).await.map(drop))
    }

    /// A task of calling back about the call.
    pub(crate) async fn ask_to_call_back(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        key: &str,
    ) -> Result<(), Failure> {
        let Some(live) = line.live.get_mut(key) else { return Ok(()) };
        let interaction = self.contact(live, host, key).await?;
        let Some(contact) = host.record(RecordKind::Interaction, interaction).await? else { return Ok(()) };
        let due = self.settings.hours.plus(live.since, self.settings.call_back_within);
        let task = live::call_back(contact.meta(), due);
        let change = Change::Create(Box::new(task.clone()));
        let command = Command { kind: RecordKind::Task, id: task.meta().id, expected: None, change };
        settled(host.submit(&format!("{CALL_BACK}:{interaction}"), command).await.map(drop))
    }

    /// The contact of a call, which is taken in unless it was.
    pub(crate) async fn contact(&self, live: &mut Live, host: &dyn Host, key: &str) -> Result<Id, Failure> {
        if let Some(known) = live.interaction {
            return Ok(known);
        }
        let taken = host.take_in(self.letter(live, key)).await?;
        live.interaction = Some(taken.interaction);
        Ok(taken.interaction)
    }

    pub(crate) async fn save(&self, line: &Listening, host: &dyn Host) -> Result<(), Failure> {
        host.set_state(STATE, serde_json::to_value(&line.live).unwrap_or_default()).await
    }

    /// The contact of a call that was made here, if it is still to be moved on.
    pub(crate) async fn made(&self, host: &dyn Host, call: Id) -> Result<Option<Live>, Failure> {
        let Some(Record::Interaction(it)) = host.record(RecordKind::Interaction, call).await? else {
            return Ok(None);
        };
        let is_on = |call: &Call| !live::comes_in(call) && !call.state.is_over();
        let since = it.meta.created_at;
        Ok(it.call.filter(|call| is_on(call)).map(|call| Live {
            interaction: Some(it.meta.id),
            from: None,
            call: *call,
            since,
            answered: None,
        }))
    }
}

/// Figures of a call that is over: no numbers, no persons.
fn count(adapter: &str, call: &Call) {
    let word = |value| serde_json::to_value(value).ok().and_then(|it| it.as_str().map(str::to_owned));
    let direction = if live::comes_in(call) { "incoming" } else { "outgoing" };
    let state = word(call.state).unwrap_or_default();
    let labels = [("adapter", adapter.to_owned()), ("direction", direction.to_owned()), ("state", state)];
    metrics::counter!("amtsbote_calls_total", &labels).increment(1);
    if let Some(seconds) = call.wait_seconds.filter(|_| live::comes_in(call)) {
        metrics::histogram!("amtsbote_call_wait_seconds", "adapter" => adapter.to_owned())
            .record(f64::from(seconds));
    }
}

/// What passes is tried again; what is refused stays refused: somebody else has moved the call on, or it is not the adapter's any more.
fn settled(outcome: Result<(), Failure>) -> Result<(), Failure> {
    match outcome {
        Err(failure) if failure.kind == FailureKind::Transient => Err(failure),
        Err(failure) => {
            tracing::warn!(code = %failure.code, "a call could not be moved on");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
