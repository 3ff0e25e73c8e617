//! `amtsbote notice …`: for whoever writes templates.

use std::path::Path;
use std::process::ExitCode;

use adapter_notify::template::{Filling, Language, Template};
use cli::NoticeCommand;
use config::{AdapterKind, Config};
use output::print;
use serde_json::{Value, json};

use crate::commands::Outcome;
use crate::error::Error;

/// `amtsbote notice …`
pub(crate) fn notice(command: NoticeCommand, config: &Path, as_json: bool) -> Outcome {
    let NoticeCommand::Test { template, adapter } = command;
    let config = Config::load(config)?;
    let found = config.adapters.iter().find_map(|entry| match &entry.kind {
        AdapterKind::Notify(it) if adapter.as_ref().is_none_or(|id| *id == entry.serves.id) => {
            Some((entry, it))
        }
        _ => None,
    });
    let none = || Error::Usage("the configuration has no such adapter of kind notify".to_owned());
    let (entry, it) = found.ok_or_else(none)?;
    let loaded = Template::load(&it.templates, &template, it.link.is_some());
    let loaded = loaded.map_err(|why| Error::from(config.adapter_refused(entry, "templates", &why)))?;
    let sample = Filling::sample(it.link.as_deref());
    let shown = |language| json!(loaded.notice(language, &sample));
    let all = json!({ "template": template, "de": shown(Language::German), "en": shown(Language::English) });
    print(as_json, &all, |all| {
        let text = |it: &Value| {
            format!(
                "{}\n\n{}\n",
                it["subject"].as_str().unwrap_or_default(),
                it["text"].as_str().unwrap_or_default()
            )
        };
        format!("{}\n--\n\n{}", text(&all["de"]), text(&all["en"]))
    });
    Ok(ExitCode::SUCCESS)
}
