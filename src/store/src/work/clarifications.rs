//! Clarifications, and operations on many messages.

use model::Id;
use model::clarification::Clarification;

use super::Work;
use crate::{Operation, OperationState};

impl Work {
    /// Writes what is told of a parked message. Belongs into the unit that parks it.
    pub fn open_clarification(&mut self, clarification: &Clarification) -> &mut Self {
        let Clarification { message, rule, side, since, task } = clarification;
        self.any(
            "INSERT INTO clarification (message, tenant, rule, side, since, task) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (message) DO UPDATE SET rule = excluded.rule, side = excluded.side, \
             since = excluded.since, task = excluded.task",
            vec![
                message.id.into(),
                message.tenant.as_str().into(),
                rule.as_str().into(),
                side.name().into(),
                (*since).into(),
                (*task).into(),
            ],
        )
    }

    /// Removes it again. Belongs into the unit that moves the message on.
    pub fn close_clarification(&mut self, tenant: &str, message: Id) -> &mut Self {
        self.any(
            "DELETE FROM clarification WHERE message = $1 AND tenant = $2",
            vec![message.into(), tenant.into()],
        )
    }

    /// Adds an operation. Precondition: its id is new.
    pub fn insert_operation(&mut self, operation: &Operation) -> &mut Self {
        let args = vec![
            operation.id.into(),
            operation.tenant.as_str().into(),
            operation.state.name().into(),
            operation.body.to_string().into(),
        ];
        self.one(
            "INSERT INTO operation (id, tenant, state, done, passed, body) VALUES ($1, $2, $3, 0, 0, $4)",
            args,
            "operation",
        )
    }

    /// Counts one message of an operation and remembers that it was looked at. Precondition: the operation goes on
    /// and has not looked at this message before.
    pub fn advance_operation(&mut self, tenant: &str, id: Id, message: Id, done: bool) -> &mut Self {
        let args = vec![id.into(), tenant.into(), message.into(), done.into(), (!done).into()];
        self.one(
            "UPDATE operation SET behind = $3, done = done + $4, passed = passed + $5 \
             WHERE id = $1 AND tenant = $2 AND state = 'running' AND (behind IS NULL OR behind < $3)",
            args,
            "operation",
        )
    }

    /// Ends an operation. Nothing happens if it has ended.
    pub fn end_operation(&mut self, tenant: &str, id: Id, state: OperationState) -> &mut Self {
        self.any(
            "UPDATE operation SET state = $3 WHERE id = $1 AND tenant = $2 AND state = 'running'",
            vec![id.into(), tenant.into(), state.name().into()],
        )
    }
}
