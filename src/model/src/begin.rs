//! Tasks and dispatches as they begin: open, with what each must have. Whatever else there is to say of one stands beside it:
//! `Task { due, ..Task::new(…) }`.

use crate::Id;
use crate::activity::{Dispatch, DispatchKind, DispatchOptions, DispatchStatus, Task, TaskStatus};
use crate::record::Meta;

impl Task {
    /// An open task, about nothing yet and for nobody in particular.
    pub fn new(meta: Meta, kind: impl Into<String>, title: impl Into<String>) -> Self {
        Task {
            meta,
            case_id: None,
            message_id: None,
            exchange_id: None,
            payment_id: None,
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
