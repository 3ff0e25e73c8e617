//! `amtsbote adapter …`: adapters and payment providers of the configuration, listed or asked how they are.

use std::collections::BTreeMap;
use std::time::Duration;

use cli::AdapterCommand;
use futures::{StreamExt, stream};
use model::adapter::Health;
use output::{print, table};
use serde_json::{Value, json};

use crate::commands::{OnStore, Outcome};
use crate::payments;

/// How many are asked at the same time.
const AT_ONCE: usize = 8;
/// Longest time that one may take to say how it is.
const LONGEST: Duration = Duration::from_secs(30);

impl OnStore {
    /// `amtsbote adapter …`
    pub(crate) async fn adapter(&self, command: AdapterCommand) -> Outcome {
        match command {
            AdapterCommand::List => {
                let items: Vec<Value> = self.described().into_iter().map(|(shown, _)| shown).collect();
                print(self.as_json, &json!({ "items": items }), |list| {
                    table(&list["items"], &["id", "kind", "tenant", "channel", "way", "capabilities"])
                });
                Ok(0.into())
            }
            AdapterCommand::Check => self.check_adapters().await,
        }
    }

    async fn check_adapters(&self) -> Outcome {
        let asked = self.described().into_iter().map(|(mut shown, check)| async move {
            let health = tokio::time::timeout(LONGEST, check).await.unwrap_or_else(|_| Health {
                ok: false,
                detail: format!("adapter.unavailable: no answer within {} seconds", LONGEST.as_secs()),
            });
            shown["ok"] = json!(health.ok);
            shown["detail"] = json!(health.detail);
            shown
        });
        let items: Vec<Value> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        let all_well = items.iter().all(|shown| shown["ok"] == true);
        print(self.as_json, &json!({ "items": items }), |list| {
            table(&list["items"], &["id", "kind", "tenant", "ok", "detail"])
        });
        Ok(u8::from(!all_well).into())
    }

    /// Everybody outside, as it is listed, with the question how it is.
    fn described(&self) -> Vec<(Value, futures::future::BoxFuture<'_, Health>)> {
        let broker = &self.gateway.broker;
        let known: BTreeMap<_, _> =
            self.config.adapters.iter().map(|it| (it.serves.id.as_str(), it)).collect();
        let mut all = vec![];
        for adapter in broker.adapters() {
            let mut shown = json!(adapter.descriptor());
            if let Some(entry) = known.get(adapter.descriptor().id.as_str()) {
                shown["kind"] = json!(entry.kind.name());
                shown["tenant"] = json!(entry.serves.tenant);
            }
            let check: futures::future::BoxFuture<'_, Health> = Box::pin(adapter.check());
            all.push((shown, check));
        }
        for provider in broker.payments().into_iter().flat_map(|payments| payments.providers.values()) {
            let shown = payments::described(provider.as_ref());
            all.push((shown, Box::pin(provider.check())));
        }
        all
    }
}
