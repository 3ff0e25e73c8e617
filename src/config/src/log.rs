//! `[log]`: what is worth a line, in which form, and the beginning of it; who is told of spans.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::Error;
use crate::check::Check;

/// Crates of ours that say something. Other people's are heard from warnings on: what they say in detail may quote
/// content.
const OWN: [&str; 10] =
    ["adapter_remote", "amtsbote", "api", "broker", "model", "schemas", "seal", "store", "transport", "xoev"];

/// Whoever hears what is worth a line, or other things.
pub type Listener = Box<dyn Layer<Registry> + Send + Sync>;

/// `[log]`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Form of a line.
    pub format: LogFormat,
    /// What is worth a line.
    pub level: LogLevel,
    /// Address of the collector that is told of spans (OTLP over HTTP), without `/v1/traces`; nobody is told if it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<String>,
    /// Which share of the traces that begin here is told, from 0 to 1.
    pub otlp_share: f64,
    /// Whether callers of `internal` and `machines` may say which trace they go on with (W3C Trace Context).
    pub trust_traceparent: bool,
}

impl Default for Log {
    fn default() -> Self {
        Log {
            format: LogFormat::Text,
            level: LogLevel::Info,
            otlp: None,
            otlp_share: 1.0,
            trust_traceparent: false,
        }
    }
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
        self.start_with(vec![]);
    }

    /// The same; `listeners` hear everything, whatever is worth a line.
    pub fn start_with(&self, mut listeners: Vec<Listener>) {
        let (filter, handle) = reload::Layer::new(self.filter());
        let _ = FILTER.set(handle);
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        listeners.push(match self.format {
            LogFormat::Text => lines.with_ansi(false).with_filter(filter).boxed(),
            LogFormat::Json => lines.json().with_filter(filter).boxed(),
        });
        tracing_subscriber::registry().with(listeners).init();
    }
}

impl Check<'_> {
    pub(crate) fn log(&self, log: &Log) -> Result<(), Error> {
        if !(0.0..=1.0).contains(&log.otlp_share) {
            self.note(Err(self.value("log.otlp_share", "expected a share from 0 to 1")));
        }
        let Some(url) = &log.otlp else { return Ok(()) };
        if !is_collector(url) {
            let rule = "expected https://HOST…, or http://… on this machine, without query and user";
            return Err(self.value("log.otlp", rule));
        }
        if cfg!(not(feature = "otel")) {
            let rule =
                "this program cannot send traces: build it with the cargo feature otel, or remove the key";
            return Err(self.value("log.otlp", rule));
        }
        Ok(())
    }
}

/// Whether spans may be sent there. They say who works how much, so beyond this machine they are encrypted.
fn is_collector(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]/".contains(c);
    let host = rest.split('/').next().unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(name, _)| name);
    let is_here = ["127.0.0.1", "[::1]", "localhost"].contains(&name);
    !name.is_empty() && rest.chars().all(plain) && (scheme == "https" || (scheme == "http" && is_here))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_crates_are_heard_below_warnings() {
        let levels = [LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG];
        let [warn, info, debug] = levels.map(|level| level.into_level().unwrap());
        for level in [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug] {
            let filter = Log { level, ..Log::default() }.filter();
            for foreign in ["hyper", "hyper_util::client", "reqwest::connect", "sqlx::query", "tokio"] {
                assert!(!filter.would_enable(foreign, &info), "{foreign}: {level:?}");
                assert!(!filter.would_enable(foreign, &debug), "{foreign}: {level:?}");
            }
        }
        let all = Log { level: LogLevel::Debug, ..Log::default() }.filter();
        assert!(all.would_enable("broker::worker", &debug) && all.would_enable("sqlx::query", &warn));
    }

    #[test]
    fn spans_leave_this_machine_encrypted_only() {
        for url in [
            "http://127.0.0.1:4318",
            "http://[::1]:4318/",
            "http://localhost",
            "https://otel.kreis.example/in",
        ] {
            assert!(is_collector(url), "{url}");
        }
        for url in [
            "http://otel.kreis.example",
            "https://",
            "https://a@b.example",
            "https://b.example/?x",
            "grpc://[::1]",
        ] {
            assert!(!is_collector(url), "{url}");
        }
    }
}
