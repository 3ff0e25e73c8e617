//! The adapter, whatever the system is: tells it of records and takes back what happens there.

use std::time::Duration;

use crate::mapping::Mapping;

/// What all systems are configured with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Id of the adapter, as configured.
    pub id: String,
    /// What is mapped.
    pub mapping: Mapping,
    /// Pause between two looks for changes.
    pub poll: Duration,
}
