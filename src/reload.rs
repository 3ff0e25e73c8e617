//! SIGHUP: the running gateway gets the configuration as it stands in the file now.
//!
//! Everything that the file says is made anew, on the store that is open: house, partners, adapters, limits, certificates. Only when all of
//! it could be made it takes the place of what was there: jobs in hand end, then routers and certificates are exchanged, then work goes on.
//! Requests and connections that are open end as they began. A file that is wrong changes nothing. What belongs to the process itself
//! (addresses, store, name of the node) stays as it was and is named.

use std::path::Path;

use config::Config;
use model::{Actor, EventKind};
use serde_json::{Value, json};

use crate::commands::config::references;
use crate::error::Error;
use crate::gateway::Gateway;
use crate::serve::{Faces, Running, Work, threads};
use crate::works_with;

impl Running {
    /// Reads the configuration anew.
    ///
    /// # Errors
    /// If work cannot go on, because the store is not there: then nothing does.
    pub(crate) async fn reload(&mut self, file: &Path) -> Result<(), Error> {
        let (config, later) = match self.read(file) {
            Ok(read) => read,
            Err(found) => {
                refuse(&found);
                return Ok(());
            }
        };
        let (store, before) = (self.gateway.whole_store().clone(), Some(&self.gateway.broker));
        let made = Gateway::on(&config, store, before)
            .and_then(|gateway| Ok((Faces::of(&config, &gateway, &self.draining)?, gateway)));
        let (faces, gateway) = match made {
            Ok(made) => made,
            Err(error) => {
                refuse(&[error]);
                return Ok(());
            }
        };
        if let Err(error) = note(&config, &gateway, &later).await {
            refuse(&[error]);
            return Ok(());
        }
        // Two that work under the name of one node would take each other's jobs.
        let idle = Work::none();
        std::mem::replace(&mut self.work, idle).stop().await;
        self.exchange(faces);
        config.log.change_level();
        self.work = Work::start(&config, &gateway).await?;
        self.gateway = gateway;
        self.config = config;
        for key in &later {
            tracing::warn!(key, "counts after a restart");
        }
        tracing::info!("the configuration was read anew");
        Ok(())
    }

    /// The configuration as the file has it, but for what counts after a restart; and what that is.
    fn read(&self, file: &Path) -> Result<(Config, Vec<String>), Vec<Error>> {
        let wrong = |found: Vec<config::Error>| found.into_iter().map(Error::Config).collect::<Vec<_>>();
        let mut config = Config::examine(file).map_err(wrong)?;
        let found = references(&config);
        if !found.is_empty() {
            return Err(found);
        }
        let later = later(&self.config, &config);
        config.listen = self.config.listen.clone();
        config.store = self.config.store.clone();
        config.node = self.config.node.clone();
        Ok((config, later))
    }

    fn exchange(&self, faces: Faces) {
        for ((door, router), tls) in self.doors.iter().zip(faces.routers).zip(faces.tls) {
            door.router.exchange(router);
            if let (Some(shown), Some(tls)) = (&door.shown, tls) {
                shown.exchange(tls);
            }
        }
    }
}

/// Leaves on record that it was read anew, and what differs.
async fn note(config: &Config, gateway: &Gateway, later: &[String]) -> Result<(), Error> {
    let (kind, detail) = (EventKind::ConfigurationReloaded, json!({ "afterRestart": later }));
    gateway.broker.note_upkeep(kind, &Actor::gateway(), &detail).await?;
    works_with::note(config, gateway).await
}

/// What differs and belongs to the process.
fn later(old: &Config, new: &Config) -> Vec<String> {
    let mut later: Vec<String> = vec![];
    let (was, is) = (json!(old), json!(new));
    for section in ["node", "listen", "store"] {
        differing(section, &was[section], &is[section], &mut later);
    }
    for key in ["connections", "slowest_rate", "patience_seconds"] {
        differing(&format!("limits.{key}"), &was["limits"][key], &is["limits"][key], &mut later);
    }
    for key in ["format", "otlp", "otlp_share"] {
        differing(&format!("log.{key}"), &was["log"][key], &is["log"][key], &mut later);
    }
    if old.tls.is_some() != new.tls.is_some() {
        later.push("tls".to_owned());
    }
    if threads(new) > threads(old) {
        later.push("limits.bodies and limits.calls, as far as more threads are needed".to_owned());
    }
    later
}

/// Names the keys below that differ.
fn differing(key: &str, was: &Value, is: &Value, later: &mut Vec<String>) {
    let (Value::Object(old), Value::Object(new)) = (was, is) else {
        if was != is {
            later.push(key.to_owned());
        }
        return;
    };
    let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for name in names {
        differing(&format!("{key}.{name}"), &was[name], &is[name], later);
    }
}

fn refuse(found: &[Error]) {
    for error in found {
        tracing::error!(code = error.code(), "the configuration is wrong: {error}");
    }
    tracing::error!("the configuration was not read anew; the one before goes on");
}
