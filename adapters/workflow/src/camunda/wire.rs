//! What the engine answers. Members that nobody needs are not read, and more of them never disturb.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

/// A variable: `{"value": …, "type": "String", "valueInfo": {…}}`. The engine's own name of a type begins with a capital letter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    pub(crate) value: Value,
    #[serde(default, rename = "type")]
    pub(crate) kind: Option<String>,
}

impl Typed {
    /// Its JSON form.
    pub(crate) fn json(&self) -> Value {
        json!({ "value": self.value, "type": self.kind })
    }
}

/// Variables by name.
pub(crate) type Variables = BTreeMap<String, Typed>;

/// An instance of a process, running or not.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Instance {
    pub(crate) id: String,
}

/// A number of things.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Count {
    pub(crate) count: u64,
}

/// What a message met.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Correlated {
    #[serde(default)]
    pub(crate) execution: Option<Execution>,
    #[serde(default)]
    pub(crate) process_instance: Option<Instance>,
}

impl Correlated {
    /// The instance that it met, or that it started.
    pub(crate) fn instance(&self) -> Option<&str> {
        let waiting = self.execution.as_ref().map(|execution| execution.process_instance_id.as_str());
        waiting.or(self.process_instance.as_ref().map(|instance| instance.id.as_str()))
    }
}

/// Where an instance waited.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Execution {
    pub(crate) process_instance_id: String,
}

/// A variable as it is found.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Found {
    #[serde(default)]
    pub(crate) process_instance_id: Option<String>,
}

/// An external task.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExternalTask {
    pub(crate) id: String,
    pub(crate) topic_name: String,
    pub(crate) activity_id: String,
    pub(crate) activity_instance_id: String,
    pub(crate) process_instance_id: String,
    #[serde(default)]
    pub(crate) process_definition_key: Option<String>,
    #[serde(default)]
    pub(crate) business_key: Option<String>,
    #[serde(default)]
    pub(crate) create_time: Option<String>,
    #[serde(default)]
    pub(crate) variables: Variables,
}

/// A step of an instance that has ended.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Activity {
    pub(crate) id: String,
    pub(crate) activity_id: String,
    pub(crate) activity_type: String,
    pub(crate) process_instance_id: String,
    #[serde(default)]
    pub(crate) process_definition_key: Option<String>,
    #[serde(default)]
    pub(crate) start_time: Option<String>,
    #[serde(default)]
    pub(crate) end_time: Option<String>,
    #[serde(default)]
    pub(crate) canceled: bool,
}

/// Something that went wrong in an instance and waits for the engine's administrator.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Incident {
    pub(crate) id: String,
    pub(crate) incident_type: String,
    #[serde(default)]
    pub(crate) activity_id: Option<String>,
    #[serde(default)]
    pub(crate) process_instance_id: Option<String>,
    #[serde(default)]
    pub(crate) process_definition_key: Option<String>,
    #[serde(default)]
    pub(crate) create_time: Option<String>,
}
