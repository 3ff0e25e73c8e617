//! Calls that a clerk wants. First the clerk's telephone rings; once that is taken, the citizen's. Each leg has an identifier that
//! follows from the contact, so that whatever is done again finds what is there.

use std::collections::BTreeSet;
use std::time::Duration;

use model::activity::{Call, CallState, Interaction};
use model::adapter::{Delivery, Host, Receipt, Wanted};
use model::command::{Change, Command};
use model::record::wanted_call;
use model::{Failure, FailureKind, Id, Record, RecordKind, Timestamp};
use serde_json::json;

use crate::adapter::Asterisk;
use crate::ari::Leg as Rings;
use crate::dial::may_be_called;
use crate::live::{self, Leg, Live};
use crate::session::Listening;

/// A call that somebody wanted longer ago than that is not made any more: they do other things meanwhile.
const FRESH: Duration = Duration::from_secs(120);

/// Calls that are looked at at once of those that are wanted still.
const AT_ONCE: u32 = 200;

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
            return Ok(failed(id, call, receipt, "telephone.refused"));
        };
        if !may_be_called(&self.settings, number) {
            return Ok(failed(id, call, receipt, "telephone.barred"));
        }
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
            Err(failure) if failure.kind == FailureKind::Permanent => {
                Ok(failed(id, call, receipt, &failure.code))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Whether the clerk's telephone rings already.
    pub(crate) async fn rings_already(&self, delivery: &Delivery) -> Result<Option<Receipt>, Failure> {
        let Some((contact, call)) = wanted(delivery) else { return Ok(Some(Receipt::nothing())) };
        let reference = live::clerk(contact.meta.id);
        let is_known = call.state != CallState::Wanted || self.ari.is_on(&reference).await?;
        Ok(is_known.then(|| Receipt { reference: Some(reference), ..Receipt::default() }))
    }

    /// A leg of ours was taken, and came to our application. Whatever of it was done before is found done.
    pub(crate) async fn joins(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        (call, leg): (Id, Leg),
        at: Timestamp,
    ) -> Result<(), Failure> {
        let (clerk, bridge) = (live::clerk(call), live::bridge(call));
        if !line.live.contains_key(&clerk) {
            let Some(made) = self.made(host, call).await? else { return self.clear(call).await };
            line.live.insert(clerk.clone(), made);
        }
        if leg == Leg::Citizen {
            return self.ari.join(&bridge, &live::citizen(call)).await;
        }
        let Some(live) = line.live.get_mut(&clerk) else { return Ok(()) };
        if live.call.state == CallState::Wanted {
            live.call.state = CallState::Ringing;
            live.call.reference = Some(live::citizen(call));
            live.since = at;
            self.save(line, host).await?;
        }
        self.ari.bridge(&bridge).await?;
        self.ari.join(&bridge, &clerk).await?;
        self.ring_citizen(line, host, call).await
    }

    /// The clerk is there: the citizen's telephone rings, unless it did.
    async fn ring_citizen(&self, line: &mut Listening, host: &dyn Host, call: Id) -> Result<(), Failure> {
        let clerk = live::clerk(call);
        let is_to_ring = |live: &&mut Live| !live.rung && live.call.state == CallState::Ringing;
        let Some(live) = line.live.get_mut(&clerk).filter(is_to_ring) else { return Ok(()) };
        let number = live.call.number.clone().unwrap_or_default();
        self.tell(line, host, &clerk).await?;
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
            Ok(()) => {
                if let Some(live) = line.live.get_mut(&clerk) {
                    live.rung = true;
                }
                self.save(line, host).await
            }
            Err(failure) if failure.kind == FailureKind::Permanent => {
                // 38: the network is out of order, as far as we can reach it.
                self.ends(line, host, &clerk, Some((self.clock.now(), 38))).await?;
                self.ari.hang_up(&clerk).await
            }
            Err(failure) => Err(failure),
        }
    }

    /// Nothing of a call is left on.
    pub(crate) async fn clear(&self, call: Id) -> Result<(), Failure> {
        self.ari.hang_up(&live::clerk(call)).await?;
        self.ari.hang_up(&live::citizen(call)).await?;
        self.ari.unbridge(&live::bridge(call)).await
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
        self.ends(line, host, &clerk, Some((at, cause))).await?;
        if was_on {
            self.ari.hang_up(&other).await?;
            self.ari.unbridge(&live::bridge(call)).await?;
        }
        Ok(())
    }

    /// Calls that are wanted still, whose clerk's telephone does not ring any more: whatever became of them, nobody heard it.
    pub(crate) async fn settle_wanted(
        &self,
        line: &mut Listening,
        host: &dyn Host,
        on: &BTreeSet<&str>,
    ) -> Result<(), Failure> {
        // What is younger is on its way.
        let fresh = i64::try_from(FRESH.as_micros()).unwrap_or(0);
        let before = Timestamp::from_micros(host.now().micros().saturating_sub(fresh));
        let mut wanted = Wanted {
            name: Some(wanted_call()),
            before: Some(before),
            limit: AT_ONCE,
            ..Wanted::of(RecordKind::Interaction)
        };
        loop {
            let found = host.records(&wanted).await?;
            for id in found.iter().map(|record| record.meta().id) {
                let clerk = live::clerk(id);
                if on.contains(clerk.as_str()) || line.live.contains_key(&clerk) {
                    continue;
                }
                let Some(made) = self.made(host, id).await? else { continue };
                line.live.insert(clerk.clone(), made);
                self.ends(line, host, &clerk, None).await?;
            }
            let is_last = found.len() < AT_ONCE as usize;
            let Some(last) = found.last().filter(|_| !is_last) else { return Ok(()) };
            wanted.after = Some(last.meta().id);
        }
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

/// The call cannot be made, for this reason (code).
fn failed(id: Id, call: &Call, receipt: Receipt, because: &str) -> Receipt {
    let over = Call { state: CallState::Failed, ..call.clone() };
    let change = Change::Call(Box::new(over));
    let command = Command { kind: RecordKind::Interaction, id, expected: None, change };
    Receipt { commands: vec![command], data: json!({ "call": "failed", "because": because }), ..receipt }
}

/// Whether it is an extension, and nothing that an endpoint could read otherwise.
fn is_extension(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
