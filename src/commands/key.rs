//! `amtsbote key …`: which master keys are needed, and a change of them.

use std::process::ExitCode;

use broker::KeysInUse;
use cli::KeyCommand;
use model::Actor;
use output::{print, table};
use serde_json::{Value, json};

use crate::commands::{OnStore, Outcome};

impl OnStore {
    /// `amtsbote key …`
    pub(crate) async fn key(&self, command: &KeyCommand) -> Outcome {
        let broker = &self.gateway.broker;
        let mut rewrapped = None;
        if let KeyCommand::Rewrap = command {
            let bar = output::count(broker.keys_in_use().await?.outdated());
            let by = Actor { kind: "system".to_owned(), id: "cli".to_owned() };
            rewrapped = Some(broker.rewrap_keys(&by, |done| bar.set_position(done)).await?);
            bar.finish_and_clear();
        }
        let keys = broker.keys_in_use().await?;
        let outdated = keys.outdated();
        let shown = json!({ "items": items(&keys), "outdated": outdated, "rewrapped": rewrapped });
        print(self.as_json, &shown, |shown| {
            let mut text = table(&shown["items"], &["key", "state", "uses"]);
            if let Some(done) = rewrapped {
                text += &format!("\n{done} wrapped anew");
            }
            match outdated {
                0 => text + "\nno older key is needed",
                some => {
                    text + &format!("\n{some} need another key than the current one: amtsbote key rewrap")
                }
            }
        });
        let left = rewrapped.is_some() && outdated > 0;
        Ok(ExitCode::from(u8::from(left)))
    }
}

/// Keys at hand, then those that are needed and missing.
fn items(keys: &KeysInUse) -> Vec<Value> {
    let uses = |key: &str| keys.uses.iter().find(|it| it.key == key).map_or(0, |it| it.uses);
    let at_hand = keys.at_hand.iter().enumerate().map(|(at, key)| {
        let state = if at == 0 { "current" } else { "older" };
        json!({ "key": key, "state": state, "uses": uses(key) })
    });
    let missing = keys.uses.iter().filter(|it| !keys.at_hand.contains(&it.key));
    at_hand.chain(missing.map(|it| json!({ "key": it.key, "state": "missing", "uses": it.uses }))).collect()
}
