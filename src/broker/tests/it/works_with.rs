//! What a node works with: whatever differs from before is on record in every chain by names and digests, and what is the same is not.

use std::sync::Arc;

use broker::{Broker, ConfigurationDigest, PackDigest};
use model::{Caller, EventKind, Scope};
use serde_json::{Value, json};

use crate::engines::on_every_engine;
use crate::house::{Gateway, SetClock, caller};

fn configuration(file: &str, keys: &[(&str, &str)]) -> ConfigurationDigest {
    let keys = keys.iter().map(|(key, digest)| ((*key).to_owned(), (*digest).to_owned())).collect();
    ConfigurationDigest { file: file.to_owned(), keys }
}

fn pack(name: &str, digest: &str) -> PackDigest {
    PackDigest { pack: name.to_owned(), namespaces: vec![format!("urn:{name}")], sha256: digest.to_owned() }
}

/// What sealed events of a kind tell.
async fn told(broker: &Broker, tenant: &str, kind: EventKind) -> Vec<Value> {
    let auditor = Caller { scope: Scope::tenant(tenant), ..caller("soest", "63") };
    let all = broker.events(&auditor, 0, 1_000).await.unwrap();
    all.into_iter().map(|it| it.event).filter(|it| it.kind == kind).filter_map(|it| it.detail).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_configuration_that_differ_are_named_once_in_every_chain() {
    on_every_engine(|database| async move {
        let gateway = Gateway::on(database, Arc::new(SetClock::default())).await;
        let broker = &gateway.broker;
        let first = configuration("f1", &[("limits.calls", "a"), ("oidc.issuer", "b"), ("node", "c")]);
        let second = configuration("f2", &[("limits.calls", "d"), ("policy.four_eyes", "e"), ("node", "c")]);
        for with in [&first, &first, &second, &second] {
            broker.note_works_with(with, &[]).await.unwrap();
        }
        for tenant in ["soest", "unna"] {
            let keys = ["limits.calls", "oidc.issuer", "policy.four_eyes"];
            let changed = [
                json!({ "node": "test", "from": null, "to": "f1", "keys": [] }),
                json!({ "node": "test", "from": "f1", "to": "f2", "keys": keys }),
            ];
            assert_eq!(told(broker, tenant, EventKind::ConfigurationChanged).await, changed);
            assert!(told(broker, tenant, EventKind::SchemasChanged).await.is_empty());
        }
        // Another text that says the same.
        let third = ConfigurationDigest { file: "f3".to_owned(), ..second };
        broker.note_works_with(&third, &[]).await.unwrap();
        let last = told(broker, "soest", EventKind::ConfigurationChanged).await.pop();
        assert_eq!(last, Some(json!({ "node": "test", "from": "f2", "to": "f3", "keys": [] })));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schema_packs_that_came_went_or_changed_places_are_named() {
    on_every_engine(|database| async move {
        let gateway = Gateway::on(database, Arc::new(SetClock::default())).await;
        let broker = &gateway.broker;
        let config = configuration("f", &[]);
        let (old, new, other) = (pack("x", "1"), pack("x", "2"), pack("y", "3"));
        for packs in [
            vec![],
            vec![old.clone()],
            vec![other.clone(), new.clone()],
            vec![other.clone(), new.clone()],
            vec![new.clone(), other.clone()],
        ] {
            broker.note_works_with(&config, &packs).await.unwrap();
        }
        let event = |added: &[&PackDigest], removed: &[&PackDigest], precedence: &[&str]| {
            json!({ "node": "test", "added": added, "removed": removed, "precedence": precedence })
        };
        let changed = [
            event(&[&old], &[], &["x"]),
            event(&[&other, &new], &[&old], &["y", "x"]),
            event(&[], &[], &["x", "y"]),
        ];
        assert_eq!(told(broker, "soest", EventKind::SchemasChanged).await, changed);
        assert_eq!(told(broker, "soest", EventKind::ConfigurationChanged).await.len(), 1);
    })
    .await;
}
