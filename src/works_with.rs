//! The configuration and the schema packs that a node works with, as they go on record: names and digests.
//!
//! Digests of keys tell only whether a key holds what it held before, and stay in the store; the chain gets the names. What they are of is no
//! secret: the file holds references to secrets alone (`file:PATH`, `env:NAME`), and what those lead to is not looked at.

use std::collections::BTreeMap;

use broker::{ConfigurationDigest, PackDigest};
use config::Config;
use schemas::Schemas;
use seal::sha256;
use serde_json::{Value, json};

use crate::error::Error;
use crate::gateway::Gateway;

/// Notes what a gateway is going to work with, as far as it is other than before.
///
/// # Errors
/// If the store cannot be asked or written.
pub(crate) async fn note(config: &Config, gateway: &Gateway) -> Result<(), Error> {
    let configuration = ConfigurationDigest { file: config.digest.clone(), keys: keys(&json!(config)) };
    Ok(gateway.broker.note_works_with(&configuration, &packs(&gateway.schemas)).await?)
}

/// Keys of a configuration, defaults among them, each with a digest of what it holds. Entries of a list have their keys in common, such as
/// `tenant.unit.id`: one entry more gives those behind it no other names, and no entry is told by what it holds.
fn keys(config: &Value) -> BTreeMap<String, String> {
    let mut held = BTreeMap::new();
    gather("", "", config, &mut held);
    held.into_iter().map(|(key, held)| (key, sha256(&[held.as_bytes()]).to_string())).collect()
}

/// Adds what lies below a key: a line for each place, which tells the entries of lists apart.
fn gather(key: &str, place: &str, value: &Value, held: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                gather(&below(key, name), &below(place, name), value, held);
            }
        }
        Value::Array(entries) if entries.iter().any(Value::is_object) => {
            for (at, entry) in entries.iter().enumerate() {
                gather(key, &format!("{place}[{at}]"), entry, held);
            }
        }
        value => held.entry(key.to_owned()).or_default().push_str(&format!("{place} = {value}\n")),
    }
}

fn below(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}

/// Imported packs in order of precedence. The digest of a pack is that of what `sha256sum` prints of its files.
fn packs(schemas: &Schemas) -> Vec<PackDigest> {
    let packs = schemas.pack_files(|bytes| sha256(&[bytes])).into_iter();
    packs
        .map(|(pack, files)| {
            let lines: String = files.iter().map(|(place, digest)| format!("{digest}  {place}\n")).collect();
            let sha256 = sha256(&[lines.as_bytes()]).to_string();
            PackDigest { pack: pack.name, namespaces: pack.namespaces, sha256 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of keys that differ between a configuration and another.
    fn differing(was: &Value, is: &Value) -> Vec<String> {
        let (was, is) = (keys(was), keys(is));
        let names: std::collections::BTreeSet<_> = was.keys().chain(is.keys()).collect();
        names.into_iter().filter(|name| was.get(*name) != is.get(*name)).cloned().collect()
    }

    #[test]
    fn keys_that_differ_are_named_without_what_they_hold() {
        let units =
            |ids: &[&str]| ids.iter().map(|id| json!({ "id": id, "name": "Amt" })).collect::<Vec<_>>();
        let config = |eyes: bool, allow: &[&str], ids: &[&str]| {
            json!({
                "policy": { "four_eyes": eyes, "rules": {} },
                "egress": { "allow": allow },
                "tenant": [{ "id": "musterkreis", "unit": units(ids) }],
            })
        };
        let was = config(false, &[], &["63", "70"]);
        assert_eq!(differing(&was, &was), [""; 0]);
        assert_eq!(
            differing(&was, &config(true, &["10.0.0.0/8"], &["63", "70"])),
            ["egress.allow", "policy.four_eyes"]
        );
        assert_eq!(
            differing(&was, &config(false, &[], &["61", "63", "70"])),
            ["tenant.unit.id", "tenant.unit.name"]
        );
        assert_eq!(differing(&was, &config(false, &[], &["70", "63"])), ["tenant.unit.id"]);
        let optional = |at: usize| {
            let mut units = units(&["63", "70"]);
            units[at]["parent"] = json!("6");
            json!({ "unit": units })
        };
        assert_eq!(differing(&optional(0), &optional(1)), ["unit.parent"], "the same value, elsewhere");
        let all = keys(&was).into_iter().collect::<Vec<_>>();
        assert!(all.iter().all(|(key, digest)| !key.contains("63") && digest.len() == 64), "{all:?}");
    }
}
