//! Calls that a clerk wants. First the clerk's telephone rings; once that is taken, the citizen's. Each leg has an identifier that
//! follows from the contact, so that whatever is done again finds what is there.

use std::time::Duration;

use model::activity::{Call, CallState, Interaction};
use model::adapter::{Delivery, Host, Receipt, Wanted};
use model::command::{Change, Command};
use model::{Failure, FailureKind, Id, Record, RecordKind, Timestamp};
use serde_json::json;

use crate::adapter::Asterisk;
use crate::ari::Leg as Rings;
use crate::live::{self, Leg};
use crate::session::Listening;

/// A call that somebody wanted longer ago than that is not made any more: they do other things meanwhile.
const FRESH: Duration = Duration::from_secs(120);

/// How far back is looked for calls that were wanted while nobody listened.
const LOOKS_BACK: Duration = Duration::from_secs(3_600);

impl Asterisk {
    /// A contact came into being: a call that somebody wants?
    pub(crate) async fn wanted(&self, delivery: &Delivery) -> Result<Receipt, Failure> {
        let Some((contact, call)) = wanted(delivery) else { return Ok(Receipt::nothing()) };
        let id = contact.meta.id;
        let receipt = Receipt { reference: Some(live::clerk(id)), ..Receipt::default() };
        if call.state != CallState::Wanted {
            return Ok(receipt);
        }
        let is_old = self.clock.now() > contact.meta.created_at.plus(FRESH);
        let extension = call.extension.as_deref().filter(|it| is_extension(it));
        let (Some(extension), Some(number), false) = (extension, &call.number, is_old) else {
            return Ok(failed(id, call, receipt));
        };
        let words = format!("clerk,{id}");
        let leg = Rings {
            id: &live::clerk(id),
            endpoint: &self.settings.agents.replace("{}", extension),
            caller_id: number,
            words: &words,
            rings: self.settings.rings,
            of: None,
        };
        match self.ari.ring(&leg).await {
            Ok(()) => Ok(receipt),
            Err(failure) if failure.kind == FailureKind::Permanent => Ok(failed(id, call, receipt)),
            Err(failure) => Err(failure),
        }
    }

    /// Whether the clerk's telephone rings already.
    pub(crate) async fn rings_already(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        let Some((contact, call)) = wanted(delivery) else { return Ok(None) };
        let reference = live::clerk(contact.meta.id);
        let is_known = call.state != CallState::Wanted || self.ari.is_on(&reference).await?;
        Ok(is_known.then(|| Receipt { reference: Some(reference), ..Receipt::default() }))
    }

    /// A leg of ours was taken, and came to our application.
    pub(crate) async fn joins(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        (call, leg): (Id, Leg),
        at: Timestamp,
    ) -> Result<(), Failure> {
        let (clerk, bridge) = (live::clerk(call), live::bridge(call));
        if leg == Leg::Citizen {
            return self.ari.join(&bridge, &live::citizen(call)).await;
        }
        if !line.live.contains_key(&clerk) {
            let Some(made) = self.made(host, call).await? else { return self.ari.hang_up(&clerk).await };
            line.live.insert(clerk.clone(), made);
        }
        let Some(live) = line.live.get_mut(&clerk).filter(|live| live.call.state == CallState::Wanted) else {
            return Ok(());
        };
        live.call.state = CallState::Ringing;
        live.call.reference = Some(live::citizen(call));
        live.since = at;
        let number = live.call.number.clone().unwrap_or_default();
        self.save(line, host).await?;
        self.ari.bridge(&bridge).await?;
        self.ari.join(&bridge, &clerk).await?;
        let words = format!("citizen,{call}");
        let rings = Rings {
            id: &live::citizen(call),
            endpoint: &self.settings.outside.replace("{}", number.trim_start_matches('+')),
            caller_id: &self.settings.caller_id,
            words: &words,
            rings: self.settings.rings,
            of: Some(&clerk),
        };
        match self.ari.ring(&rings).await {
            Ok(()) => self.tell(line, host, &clerk).await,
            Err(failure) if failure.kind == FailureKind::Permanent => {
                // 38: the network is out of order, as far as we can reach it.
                self.ends(line, host, &clerk, (None, 38)).await?;
                self.ari.hang_up(&clerk).await
            }
            Err(failure) => Err(failure),
        }
    }

    /// A leg of ours is over, and with it the call.
    pub(crate) async fn leaves(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        (call, leg): (Id, Leg),
        (at, cause): (Timestamp, u32),
    ) -> Result<(), Failure> {
        let clerk = live::clerk(call);
        if !line.live.contains_key(&clerk)
            && let Some(made) = self.made(host, call).await?
        {
            line.live.insert(clerk.clone(), made);
        }
        let other = match leg {
            Leg::Clerk => live::citizen(call),
            Leg::Citizen => clerk.clone(),
        };
        let was_on = line.live.contains_key(&clerk);
        self.ends(line, host, &clerk, (Some(at), cause)).await?;
        if was_on {
            self.ari.hang_up(&other).await?;
            self.ari.unbridge(&live::bridge(call)).await?;
        }
        Ok(())
    }

    /// Calls that were wanted and that no event has told of yet: they may have rung while nobody listened.
    pub(crate) async fn add_wanted(&self, line: &mut Listening, host: &dyn Host) -> Result<(), Failure> {
        let now = host.now().micros();
        let since = |back: Duration| {
            Timestamp::from_micros(now.saturating_sub(i64::try_from(back.as_micros()).unwrap_or(0)))
        };
        let recent = Wanted {
            since: Some(since(LOOKS_BACK)),
            // What is younger is on its way.
            before: Some(since(FRESH)),
            limit: 1_000,
            ..Wanted::of(RecordKind::Interaction)
        };
        for record in host.records(&recent).await? {
            let Record::Interaction(it) = &record else { continue };
            let is_wanted = it.call.as_ref().is_some_and(|call| call.state == CallState::Wanted);
            if !is_wanted {
                continue;
            }
            if let Some(made) = self.made(host, it.meta.id).await? {
                line.live.entry(live::clerk(it.meta.id)).or_insert(made);
            }
        }
        Ok(())
    }
}

/// The contact of a delivery, if it is a call that the house makes.
fn wanted(delivery: &Delivery) -> Option<(&Interaction, &Call)> {
    let Record::Interaction(contact) = &delivery.about.as_ref()?.record else { return None };
    let call = contact.call.as_deref().filter(|call| !live::comes_in(call))?;
    // Those of other telephone systems are noted when they are over.
    let is_made_here =
        call.state == CallState::Wanted || call.reference.as_deref().is_some_and(live::is_ours);
    is_made_here.then_some((contact, call))
}

/// The call cannot be made.
fn failed(id: Id, call: &Call, receipt: Receipt) -> Receipt {
    let over = Call { state: CallState::Failed, ..call.clone() };
    let change = Change::Call(Box::new(over));
    let command = Command { kind: RecordKind::Interaction, id, expected: None, change };
    Receipt { commands: vec![command], data: json!({ "call": "failed" }), ..receipt }
}

/// Whether it is an extension, and nothing that an endpoint could read otherwise.
fn is_extension(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
