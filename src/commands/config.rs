//! `amtsbote config …`: all that is wrong with a configuration, and what holds.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use cli::Language;
use config::Config;
use output::print;
use serde_json::{Value, json};

use crate::commands::Outcome;
use crate::error::Error;
use crate::gateway::stamping;
use crate::{adapters, identities, payments, watch};

/// `amtsbote config check`: the file, and whatever it refers to.
pub(crate) fn check(file: &Path, as_json: bool, language: Option<Language>) -> Outcome {
    let (config, found) = match Config::examine(file) {
        Ok(config) => {
            let found = references(&config);
            (Some(config), found)
        }
        Err(found) => (None, found.into_iter().map(Error::Config).collect()),
    };
    if let (Some(config), true) = (&config, found.is_empty()) {
        let authorities: usize = config.tenants.iter().map(|tenant| tenant.authorities.len()).sum();
        let shown = json!({ "valid": true, "tenants": config.tenants.len(), "authorities": authorities });
        print(as_json, &shown, |_| {
            format!("valid: {} tenants, {authorities} authorities", config.tenants.len())
        });
        return Ok(ExitCode::SUCCESS);
    }
    let mut err = io::stderr().lock();
    // With standard error closed there is nobody left to tell.
    let _ = match as_json {
        true => writeln!(
            err,
            "{}",
            json!({ "valid": false, "errors": found.iter().map(shown).collect::<Vec<_>>() })
        ),
        false => found.iter().try_for_each(|error| writeln!(err, "{}", told(file, error, language))),
    };
    Ok(ExitCode::from(3))
}

/// What the configuration refers to: each is looked at, whatever is wrong with others.
pub(crate) fn references(config: &Config) -> Vec<Error> {
    let looked: [Result<(), Error>; 14] = [
        keys(&config.store),
        stamping(&config.evidence).map(drop),
        net::Egress::new(&config.egress.allow).map(drop).map_err(Error::from),
        config.osci_keys().map(drop).map_err(Error::from),
        config.osci_parties().map(drop).map_err(Error::from),
        config.tls_identity().map(drop).map_err(Error::from),
        config.xta_settings().map(drop).map_err(Error::from),
        config.dvdv_settings().map(drop).map_err(Error::from),
        config.xta_parties().map(drop).map_err(Error::from),
        payments::check(config),
        adapters::check(config),
        identities::issuers(config).map(drop),
        identities::elsewhere(config).map(drop),
        watch::alerts(config, None).map(drop),
    ];
    let mut found: Vec<Error> = looked.into_iter().filter_map(Result::err).collect();
    // What several of them need is wrong once.
    let mut seen = BTreeSet::new();
    found.retain(|error| seen.insert(error.to_string()));
    found
}

/// Keys that the first start does not make have to be there.
fn keys(store: &config::Store) -> Result<(), Error> {
    store.older_evidence_keys()?;
    if !store.create_keys {
        store.master_keys()?;
        store.evidence_key()?;
    }
    Ok(())
}

/// An error for programs.
fn shown(error: &Error) -> Value {
    let place = place(error);
    let sentence = model::catalog::sentence(error.code());
    json!({
        "code": error.code(),
        "line": place.map(|place| place.line).filter(|line| *line > 0),
        "column": place.map(|place| place.column).filter(|column| *column > 0),
        "key": place.map(|place| &place.key).filter(|key| !key.is_empty()),
        "detail": error.to_string(),
        "en": sentence.as_ref().map(|it| &it.en),
        "de": sentence.as_ref().map(|it| &it.de),
    })
}

/// An error for people: where, what, and what to do.
fn told(file: &Path, error: &Error, language: Option<Language>) -> String {
    let sentence = model::catalog::sentence(error.code());
    let sentence = sentence.map_or(String::new(), |it| match language {
        Some(Language::De) => format!("\n  {}", it.de),
        Some(Language::En) => format!("\n  {}", it.en),
        None => format!("\n  {}\n  {}", it.de, it.en),
    });
    output::harmless(&format!("{}: {error} [{}]", file.display(), error.code())) + &sentence
}

fn place(error: &Error) -> Option<&config::Place> {
    match error {
        Error::Config(error) => error.place(),
        _ => None,
    }
}

/// `amtsbote config show`.
pub(crate) fn show(config: &Config, as_json: bool) -> Outcome {
    print(as_json, &json!(config), |_| toml::to_string(config).unwrap_or_default().trim_end().to_owned());
    Ok(ExitCode::SUCCESS)
}
