//! Sessions. The application is registered while its line is there, so the line is kept from one session to the next, and what happens in
//! between waits in it. Whenever a line is new, what is on is asked for and compared with what is known to be on: calls that ended while
//! nobody looked are settled, those that began are taken in, and those that wait in our application are let go on.
//!
//! The newest line is the one that counts, whichever node made it: what an older one knows may be settled long ago.

use std::collections::BTreeSet;

use model::activity::{Call, CallState};
use model::adapter::Host;
use model::command::{Change, Command};
use model::ids::new_id;
use model::{Failure, FailureKind, Id, Record, RecordKind, Timestamp};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::adapter::Asterisk;
use crate::ari::{UNREACHABLE, ids};
use crate::events::{Channel, Event, Told, What, read};
use crate::live::{self, All, CALL_BACK, Leg, Live};
use crate::socket::{Came, Socket};

/// Key of the adapter's state that holds the calls that are on.
const STATE: &str = "calls";
/// Key of the state that says which line is the newest.
const LINE: &str = "line";

/// How many times as long a session goes on while something waits in its line.
const CATCHES_UP: u32 = 3;

/// A line with what is known of the calls on it.
pub(crate) struct Listening {
    socket: Socket,
    id: Id,
    pub(crate) live: All,
}

impl Asterisk {
    /// Whatever breaks off, the line goes with it: the next session makes a new one, and looks at what is on.
    pub(crate) async fn session(&self, host: &dyn Host) -> Result<(), Failure> {
        let mut held = self.held.lock().await;
        let kept = held.take();
        let newest = match &kept {
            Some(_) => host.state(LINE).await?,
            None => None,
        };
        let mut line = match kept.filter(|line| newest == Some(json!(line.id))) {
            Some(line) => line,
            None => self.begin(host).await?,
        };
        if self.listen(&mut line, host).await? {
            *held = Some(line);
        }
        Ok(())
    }

    /// Makes a line, and looks at what is on.
    async fn begin(&self, host: &dyn Host) -> Result<Listening, Failure> {
        let login = (self.settings.application.as_str(), self.ari.authorization());
        // First the line, then the look: what happens after the look comes by the line.
        let socket = Socket::connect(self.place()?, login, self.settings.within).await?;
        let id = new_id();
        host.set_state(LINE, json!(id)).await?;
        let known = host.state(STATE).await?.and_then(|state| serde_json::from_value(state).ok());
        let mut line = Listening { socket, id, live: known.unwrap_or_default() };
        self.look(&mut line, host).await?;
        Ok(line)
    }

    async fn look(&self, line: &mut Listening, host: &dyn Host) -> Result<(), Failure> {
        let on = self.ari.channels().await?;
        self.settle(line, host, &ids(&on)).await?;
        self.settle_wanted(line, host, &ids(&on)).await?;
        for channel in on {
            self.found(line, host, &channel).await?;
        }
        Ok(())
    }

    /// Calls that ended while nobody looked.
    async fn settle(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        on: &BTreeSet<&str>,
    ) -> Result<(), Failure> {
        let is_gone = |(key, live): &(&String, &Live)| match live::ours(key) {
            Some((call, _)) => {
                let has_lost = live.rung && !on.contains(live::citizen(call).as_str());
                !on.contains(key.as_str()) || has_lost
            }
            None => !on.contains(key.as_str()),
        };
        let gone: Vec<String> = line.live.iter().filter(is_gone).map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.ends(line, host, &key, None).await?;
            // One of the two may be left alone with nobody to hear.
            if let Some((call, _)) = live::ours(&key) {
                self.clear(call).await?;
            }
        }
        Ok(())
    }

    /// A channel is on.
    async fn found(&self, line: &mut Listening, host: &dyn Host, channel: &Channel) -> Result<(), Failure> {
        let now = self.clock.now();
        match live::ours(&channel.id) {
            Some(of) if channel.state == "Up" => self.joins(line, host, of, now).await?,
            None if !live::is_ours(&channel.id) => {
                let since = channel.since().unwrap_or(now);
                self.begins(line, host, channel, since).await?;
                // That it came was told once, perhaps when nobody could answer.
                if let Some(words) = channel.waits(&self.settings.application) {
                    self.enters(line, host, (channel, now), &words).await?;
                }
            }
            _ => {}
        }
        match channel.state.as_str() {
            "Up" => self.is_up(line, host, channel, now).await,
            _ => Ok(()),
        }
    }

    /// Reads events until the session's time is over; whether the line is still good.
    async fn listen(&self, line: &mut Listening, host: &dyn Host) -> Result<bool, Failure> {
        line.socket.ping(self.settings.within).await?;
        let until = Instant::now() + self.settings.listens;
        let (mut is_alive, mut read_so_far) = (false, 0u32);
        // What waits may be read for some time longer, so that whoever is behind catches up; where events never end, the time does.
        let last = until + CATCHES_UP * self.settings.listens;
        while Instant::now() < last {
            let Ok(came) = timeout_at(until, line.socket.next()).await else { break };
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
            (What::Over(cause), None) => self.ends(line, host, &channel.id, Some((event.at, *cause))).await,
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
        self.tell(line, host, &key).await.map(drop)
    }

    /// A call is over, as `seen` (when, by which cause) or while nobody looked: told, with what follows from it, and only then forgotten.
    pub(crate) async fn ends(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        key: &str,
        seen: Option<(Timestamp, u32)>,
    ) -> Result<(), Failure> {
        let Some(live) = line.live.get_mut(key) else { return Ok(()) };
        // For whoever was told to be called back it was over before.
        if live.call.state != CallState::CallBack {
            live.over(seen);
        }
        let ended = live.call.clone();
        if self.tell(line, host, key).await? {
            count(&self.settings.id, &ended);
        }
        self.follow_up(line, host, key).await?;
        line.live.remove(key);
        self.save(line, host).await
    }

    /// Tells the contact of a call how that stands; whether it took that. It does not once it is over.
    pub(crate) async fn tell(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        key: &str,
    ) -> Result<bool, Failure> {
        let Some(live) = line.live.get_mut(key) else { return Ok(false) };
        let interaction = self.contact(live, host, key).await?;
        let change = Change::Call(Box::new(live.call.clone()));
        let command = Command { kind: RecordKind::Interaction, id: interaction, expected: None, change };
        let state = serde_json::to_value(live.call.state).unwrap_or_default();
        let once = format!("call:{interaction}:{}", state.as_str().unwrap_or_default());
        settled(host.submit(&once, command).await)
    }

    /// The task that follows from how a call ended, as its contact says: whoever told that first is right. Whether there is one of calling
    /// back.
    pub(crate) async fn follow_up(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        key: &str,
    ) -> Result<bool, Failure> {
        let Some(live) = line.live.get_mut(key) else { return Ok(false) };
        let interaction = self.contact(live, host, key).await?;
        let Some(Record::Interaction(contact)) = host.record(RecordKind::Interaction, interaction).await?
        else {
            return Ok(false);
        };
        let due = self.settings.hours.plus(live.since, self.settings.call_back_within);
        let is_missed_too = self.settings.missed_calls_back;
        let task = contact.call.and_then(|call| live::task(&contact.meta, &call, is_missed_too, due));
        let Some(Record::Task(task)) = task else { return Ok(false) };
        let (id, kind) = (task.meta.id, task.kind.clone());
        let change = Change::Create(Box::new(Record::Task(task)));
        let command = Command { kind: RecordKind::Task, id, expected: None, change };
        let is_there = settled(host.submit(&format!("{kind}:{interaction}"), command).await)?;
        Ok(is_there && kind == CALL_BACK)
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
            rung: false,
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

/// What passes is tried again; what is refused stays refused: somebody else has moved the call on. Whether it was done.
fn settled(outcome: Result<Record, Failure>) -> Result<bool, Failure> {
    match outcome {
        Err(failure) if failure.kind == FailureKind::Transient => Err(failure),
        Err(failure) => {
            tracing::warn!(code = %failure.code, "a call could not be moved on");
            Ok(false)
        }
        Ok(_) => Ok(true),
    }
}
