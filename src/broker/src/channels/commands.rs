//! What an adapter may want of records, and what follows from what it was told: in the transaction that notes that it was.

use std::collections::BTreeMap;

use model::case::RecordStatus;
use model::command::{Change, Command};
use model::{Id, Record, RecordKind, Scope};
use store::{ChannelDelivery, Work};

use super::{Channel, actor};
use crate::records::{named_by, write_action};
use crate::{Broker, Error, notes};

impl Broker {
    /// Adds what follows for records; gives the codes of what is refused. An adapter may here what it may in its sessions.
    pub(super) async fn follow_commands(
        &self,
        work: &mut Work,
        row: &ChannelDelivery,
        channel: &Channel,
        commands: &[Command],
    ) -> Result<Vec<String>, Error> {
        let mut changed: BTreeMap<Id, Record> = BTreeMap::new();
        let mut refused = vec![];
        for command in commands {
            match self.follow_command(work, row, channel, (command, &changed)).await {
                Ok(after) => _ = changed.insert(command.id, after),
                Err(Error::Model(error)) => refused.push(Error::from(error).code().to_owned()),
                Err(
                    error @ (Error::UnknownUnit
                    | Error::UnknownAuthority
                    | Error::UnknownWay
                    | Error::NoLetter),
                ) => refused.push(error.code().to_owned()),
                Err(error) => return Err(error),
            }
        }
        Ok(refused)
    }

    async fn follow_command(
        &self,
        work: &mut Work,
        row: &ChannelDelivery,
        channel: &Channel,
        (command, changed): (&Command, &BTreeMap<Id, Record>),
    ) -> Result<Record, Error> {
        let caller = channel.caller(&row.adapter);
        let scope = caller.may(write_action(command))?;
        check_offered(command)?;
        // No bytes were kept that a command could name.
        if !named_by(&command.change).is_empty() {
            return Err(model::Error::Invalid { field: "content" }.into());
        }
        self.check_new(&row.tenant, command, changed).await?;
        let current = match (&command.change, changed.get(&command.id)) {
            (Change::Create(_), _) => None,
            (_, Some(record)) => Some(record.clone()),
            _ => Some(self.owned(scope, command.kind, command.id).await?),
        };
        self.check_place(scope, command).await?;
        let place = current.as_ref().or(match &command.change {
            Change::Create(record) => Some(&**record),
            _ => None,
        });
        // Decided before anything is added: what is refused leaves nothing.
        let command = &*self.as_provided(current.as_ref(), command).await?;
        let decided = model::decide(current.as_ref(), command, self.parts.rules, self.now())?;
        self.check_decided(&caller, current.as_ref(), &command.change).await?;
        if let Some(place) = place.filter(|place| place.kind() != RecordKind::Task) {
            let mut above = self.above(place).await?;
            for above in &mut above {
                if let Some(newer) = changed.get(&above.meta().id) {
                    *above = newer.clone();
                }
            }
            self.check_above(work, current.as_ref(), &above, &caller, &command.change).await?;
        }
        work.put_record(&decided.record, None);
        let event = notes::of_record(&decided, &actor(&row.adapter), self.now(), None);
        work.insert_event(&event);
        self.what_follows(work, current.as_ref(), &decided.record, &actor(&row.adapter)).await?;
        Ok(decided.record)
    }

    /// What is to come into being is not there yet.
    async fn check_new(
        &self,
        tenant: &str,
        command: &Command,
        changed: &BTreeMap<Id, Record>,
    ) -> Result<(), Error> {
        if !matches!(command.change, Change::Create(_)) {
            return Ok(());
        }
        let whole = Scope::tenant(tenant);
        let is_there =
            changed.contains_key(&command.id) || self.store().record_any(&whole, command.id).await?.is_some();
        if is_there { Err(model::Error::Exists.into()) } else { Ok(()) }
    }
}

/// What an adapter may want of a record is what the interface offers to those who work on cases. Everything else (locked, destroyed, appraised,
/// imported) follows from a process, which looks at what speaks against it.
pub(super) fn check_offered(command: &Command) -> Result<(), Error> {
    let is_offered = match &command.change {
        Change::Create(record) => is_begun(record),
        Change::HandOn(_) => command.kind == RecordKind::Task,
        Change::Amend(_)
        | Change::AssignReference(_)
        | Change::AddContent { .. }
        | Change::Close
        | Change::Reopen
        | Change::AssignTask(_)
        | Change::CompleteTask(_)
        | Change::CancelTask
        | Change::DispatchStep(..)
        | Change::ProvenStep(_)
        | Change::Call(_) => !is_money_or_exchange(command.kind),
        _ => false,
    };
    if is_offered { Ok(()) } else { Err(model::Error::Forbidden.into()) }
}

fn is_money_or_exchange(kind: RecordKind) -> bool {
    matches!(kind, RecordKind::Claim | RecordKind::Payment | RecordKind::Exchange)
}

/// Whether a record may come into being by itself, and as something that is worked on.
fn is_begun(record: &Record) -> bool {
    let is_file = matches!(record.kind(), RecordKind::CaseFile | RecordKind::Case | RecordKind::Document);
    !is_money_or_exchange(record.kind()) && (!is_file || record.status() == RecordStatus::Open.name())
}
