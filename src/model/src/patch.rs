//! JSON merge patches (RFC 7396): how an event says what changed.

use serde_json::{Map, Value};

/// The patch that turns `old` into `new`; an empty object if they are equal.
///
/// Merge patches cannot carry `null` as a value; the records' JSON forms leave absent values out, so
/// they never hold one outside [`Extensions`](crate::case::Extensions), where arrays hide it.
pub fn diff(old: &Value, new: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return new.clone();
    };
    let mut patch = Map::new();
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in new {
        match old.get(name) {
            Some(before) if before == value => {}
            Some(before @ Value::Object(_)) if value.is_object() => {
                patch.insert(name.clone(), diff(before, value));
            }
            _ => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    Value::Object(patch)
}

/// Applies `patch` to `target`.
pub fn apply(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            apply(fields.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-c]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_diff_applied_to_the_old_value_gives_the_new_one(old in values(), new in values()) {
            let mut value = old.clone();
            apply(&mut value, &diff(&old, &new));
            prop_assert_eq!(value, new);
        }
    }

    #[test]
    fn a_patch_of_rfc_7396_is_applied_as_its_appendix_says() {
        let mut target = json!({"a": {"b": "c", "d": 1}, "e": [1]});
        apply(&mut target, &json!({"a": {"b": "x", "d": null}, "e": [2, 3], "f": {"g": null}}));
        assert_eq!(target, json!({"a": {"b": "x"}, "e": [2, 3], "f": {}}));
    }
}
