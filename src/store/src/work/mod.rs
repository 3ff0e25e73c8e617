//! A unit of work: rows and preconditions as data, built without touching the database.

mod admin;
mod approvals;
mod cash;
mod channels;
mod clarifications;
mod evidence;
mod hooks;
mod messages;
mod payments;
mod people;
mod pieces;
mod queue;
mod records;
mod relay;
mod retention;

use std::collections::BTreeSet;

use model::Id;

pub(crate) use messages::CLAIM_DEDUP;

use crate::sql::{Expect, Step, Value};
use crate::{Class, Error};

/// Rows to be written together, and what must hold for it. See [`Store::commit`](crate::Store::commit).
///
/// Calls that find their input unusable (an event that canonical JSON refuses) are answered by the commit.
#[derive(Debug, Default)]
pub struct Work {
    steps: Vec<Step>,
    failed: Option<Error>,
    /// Whose workers should look for jobs after the commit.
    wakes: BTreeSet<Class>,
    /// The message whose staged rows this work adds to.
    slice_of: Option<Id>,
}

impl Work {
    /// Nothing yet.
    pub fn new() -> Work {
        Work::default()
    }

    pub(crate) fn wakes(&self) -> &BTreeSet<Class> {
        &self.wakes
    }

    pub(crate) fn into_steps(self) -> Result<Vec<Step>, Error> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.steps),
        }
    }

    fn one(&mut self, sql: &'static str, args: Vec<Value>, what: &'static str) -> &mut Self {
        self.steps.push(Step::new(sql, args, what, Expect::Rows(1)));
        self
    }

    fn none(&mut self, sql: &'static str, args: Vec<Value>, what: &'static str) -> &mut Self {
        self.steps.push(Step::new(sql, args, what, Expect::Rows(0)));
        self
    }

    fn any(&mut self, sql: &'static str, args: Vec<Value>) -> &mut Self {
        self.steps.push(Step::new(sql, args, "row", Expect::Any));
        self
    }

    fn fail(&mut self, error: Error) -> &mut Self {
        self.failed.get_or_insert(error);
        self
    }

    fn json(&mut self, value: &impl serde::Serialize) -> Option<String> {
        match serde_json::to_string(value) {
            Ok(text) => Some(text),
            Err(error) => {
                self.fail(error.into());
                None
            }
        }
    }
}
