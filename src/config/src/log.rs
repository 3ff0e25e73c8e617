//! `[log]`: what is worth a line, in which form, and the beginning of it.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;

/// Crates of ours that say something. Other people's are heard from warnings on: what they say in detail may quote
/// content.
const OWN: [&str; 10] =
    ["adapter_remote", "amtsbote", "api", "broker", "model", "schemas", "seal", "store", "transport", "xoev"];

/// `[log]`.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Form of a line.
    pub format: LogFormat,
    /// What is worth a line.
    pub level: LogLevel,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is worth a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is odd.
    Warn,
    /// Something happened.
    #[default]
    Info,
    /// Everything.
    Debug,
}

/// What decides about lines, once logging was started.
static FILTER: OnceLock<Handle<Targets, Registry>> = OnceLock::new();

impl Log {
    fn filter(&self) -> Targets {
        let own = match self.level {
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
        };
        Targets::new()
            .with_default(own.min(LevelFilter::WARN))
            .with_targets(OWN.into_iter().map(|name| (name, own)))
    }

    /// Has the level of this section hold from now on, in a process that logs already. The form stays.
    pub fn change_level(&self) {
        if let Some(filter) = FILTER.get() {
            // It fails only if nobody logs any more.
            let _ = filter.reload(self.filter());
        }
    }

    /// Sends log lines to standard error from now on.
    pub fn start(&self) {
        let (filter, handle) = reload::Layer::new(self.filter());
        let _ = FILTER.set(handle);
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let registry = tracing_subscriber::registry().with(filter);
        match self.format {
            LogFormat::Text => registry.with(lines.with_ansi(false)).init(),
            LogFormat::Json => registry.with(lines.json()).init(),
        }
    }
}
