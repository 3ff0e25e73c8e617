//! Workflow engines: Camunda 7 by its REST API, which Operaton and CIB seven speak, too.
//!
//! The engine decides what has to be done next; the gateway keeps the case. It starts a process for a new case, tells a process what
//! happens to its case, and is the worker of the process's external tasks: one becomes a task of people, or a command.
//!
//! * `settings`: what is configured;
//! * `camunda`: the wire: calls, their answers, and what it means that one fails;
//! * `values`: from records to variables and back;
//! * `engine`: the adapter;
//! * `tell`: what happens to cases gets to the engine;
//! * `work`: the external tasks;
//! * `watch`: what happens in the engine gets onto the time line.

mod camunda;
mod engine;
mod settings;
mod tell;
mod values;
mod watch;
mod work;

pub use engine::Workflow;
pub use settings::{
    Action, Cancelled, Kind, Login, Message, Process, Settings, Text, Topic, Value, Variable, Wait,
};
