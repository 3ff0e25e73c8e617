//! `[virus]`: the check of what comes in by ClamAV's daemon.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::{Config, Error};

/// Name of the section.
const KEY: &str = "virus";

/// `[virus]`. Without it nothing is checked.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Virus {
    /// Where the daemon listens: `unix:PATH` or `tcp:ADDRESS:PORT`.
    pub clamd: String,
    /// Megabytes (MiB) of the largest content that is shown to it.
    #[serde(default = "max_mb")]
    pub max_mb: u64,
    /// What becomes of content that nobody could look at.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Longest silence of the daemon, in seconds.
    #[serde(default = "silence_seconds")]
    pub silence_seconds: u32,
}

/// What becomes of content that nobody could look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// It is not taken in.
    #[default]
    Refuse,
    /// It is taken in unseen.
    Take,
}

fn max_mb() -> u64 {
    100
}

fn silence_seconds() -> u32 {
    60
}

impl Check<'_> {
    pub(crate) fn virus(&self, config: &Config) -> Result<(), Error> {
        let Some(virus) = &config.virus else { return Ok(()) };
        let is_path = virus.clamd.strip_prefix("unix:").is_some_and(|path| path.starts_with('/'));
        let port = virus.clamd.strip_prefix("tcp:");
        if !is_path && port.is_none_or(|port| port.parse::<SocketAddr>().is_err()) {
            return Err(self.value(&format!("{KEY}.clamd"), "expected unix:/PATH or tcp:ADDRESS:PORT"));
        }
        self.note(self.number("virus.max_mb", virus.max_mb, 1, 1 << 20));
        self.number("virus.silence_seconds", virus.silence_seconds.into(), 1, 3_600)
    }
}
