//! Who is called back, and who calls, as far as whoever asks may know: looked up by the number alone. The number is what the caller
//! shows, so it is a hint to a person, and nothing that anything is decided by.

use std::time::Duration;

use model::activity::{Call, CallDirection, CallState, Interaction, Task};
use model::record::{CALL, Meta, PHONE};
use model::rights::Action;
use model::{Actor, Caller, Record, ids};
use store::Work;

use super::filing::CALL_BACK;
use super::letter::letter_task;
use crate::{Broker, Error};

/// Title of the task of calling back.
const CALL_BACK_TITLE: &str = "Rückruf";

/// Cases and calls that are given, at most.
const MOST: u32 = 10;

/// What is known of a number within somebody's scope, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownNumber {
    /// Cases and case files with a party who has it.
    pub cases: Vec<Record>,
    /// Calls from it and to it.
    pub calls: Vec<Record>,
}

impl Broker {
    /// What is known of a number, by E.164.
    ///
    /// # Errors
    /// If the caller may not read cases.
    pub async fn known_number(&self, caller: &Caller, number: &str) -> Result<KnownNumber, Error> {
        let scope = caller.may(Action::ReadCases)?;
        let cases = self.store().newest_named(scope, (PHONE, number), MOST).await?;
        let calls = self.store().newest_named(scope, (CALL, number), MOST).await?;
        Ok(KnownNumber { cases, calls })
    }

    /// A contact that is noted when its call is over: whoever asked to be called back, or was not answered, is called back.
    pub(crate) async fn follow_contact(&self, work: &mut Work, contact: &Interaction) -> Result<(), Error> {
        if !contact.call.as_deref().is_some_and(is_to_call_back) {
            return Ok(());
        }
        let within = Duration::from_secs(u64::from(self.sending.call_within_hours) * 3_600);
        let task = letter_task(&contact.meta, contact.meta.id, (CALL_BACK_TITLE, CALL_BACK));
        let meta = Meta { id: ids::derived_id(contact.meta.id, CALL_BACK), ..task.meta };
        let task = Record::Task(Task { meta, due: self.house().hours().plus(contact.at, within), ..task });
        self.begin_record(work, task.clone(), &Actor::gateway(), None)?;
        self.keep_due(work, None, &task, &Actor::gateway()).await
    }
}

fn is_to_call_back(call: &Call) -> bool {
    let is_missed = matches!(call.state, CallState::CallBack | CallState::Missed);
    is_missed && call.direction == CallDirection::Incoming && call.number.is_some()
}
