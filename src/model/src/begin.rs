//! Tasks and dispatches as they begin: open, with what each must have. Whatever else there is to say of one stands beside it:
//! `Task { due, ..Task::new(…) }`.

use crate::activity::{Dispatch, DispatchKind, DispatchOptions, DispatchStatus, Pile, Task, TaskStatus};
use crate::record::Meta;
use crate::{Id, Timestamp};

impl Task {
    /// An open task, about nothing yet and for nobody in particular.
    pub fn new(meta: Meta, kind: impl Into<String>, title: impl Into<String>) -> Self {
        Task {
            meta,
            case_id: None,
            message_id: None,
            exchange_id: None,
            payment_id: None,
            delivery_id: None,
            task_id: None,
            title: title.into(),
            kind: kind.into(),
            requested_by: None,
            assignee: None,
            due: None,
            overdue: None,
            status: TaskStatus::Open,
            result: None,
        }
    }

    /// The pile that it lies on.
    pub fn pile(&self) -> Pile {
        match self.kind.as_str() {
            "clarification" if self.message_id.is_some() => Pile::Clarification,
            "letter" | "forwarded" | "call-back" if self.case_id.is_some() => Pile::Post,
            _ if self.payment_id.is_some() => Pile::Money,
            _ if self.delivery_id.is_some() => Pile::Delivery,
            _ => Pile::Other,
        }
    }

    /// A text by whose order desks are sorted: what is overdue first, then by the time it is due, then what never is.
    pub fn urgency(&self) -> String {
        let far = Timestamp::from_micros(i64::MAX);
        format!("{}{}", u8::from(self.overdue.is_none()), self.due.unwrap_or(far))
    }
}

impl Dispatch {
    /// A dispatch of a case that goes nowhere yet.
    pub fn new(meta: Meta, case: Id, kind: DispatchKind) -> Self {
        Dispatch {
            meta,
            case_id: case,
            kind,
            documents: vec![],
            notice: None,
            not_before: None,
            otherwise: vec![],
            way: None,
            instead_of: None,
            to: None,
            options: DispatchOptions::default(),
            reference: None,
            status: DispatchStatus::Open,
            steps: vec![],
            proofs: vec![],
            provided: vec![],
        }
    }
}
