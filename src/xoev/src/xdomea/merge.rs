//! Keeps what came beside what the model says of it.
//!
//! The model knows a part of what a record says in xdomea. The rest, and the lexical form of what the
//! model does know, is kept in the record's extensions: [`prune`] takes away what the model would be
//! written as anyway. When the record is written, [`merge`] puts both together: `old` is what the kept
//! part means to the model, `new` is what the model says now. Where the two are equal, what came stays
//! as it came; where they differ, the model has changed and wins; what it does not know stays.
//!
//! This asks one thing of the translation: how a child is written must depend only on what was read
//! from that same child.

use super::node::Node;

/// Elements that can occur several times where the model knows them.
const LISTS: [&str; 17] = [
    "Kontakt",
    "Absender",
    "Empfaenger",
    "WeitererEmpfaenger",
    "WeitererKontakt",
    "Verweis",
    "Anschrift",
    "Kommunikation",
    "Version",
    "Format",
    "AbgegebenesObjekt",
    "AusgesondertesSGO",
    "BewertetesObjekt",
    "BewerteteAktenplaneinheit",
    "Fehlermeldung",
    "Beteiligungsschritt",
    "VerweisAktenplaneinheit",
];

/// Elements whose children belong together: a choice, or a code and its name.
fn is_whole(node: &Node) -> bool {
    let is_choice = ["Aussonderungsart", "Aufbewahrungsdauer", "SignaturSiegel", "Staat"];
    node.code().is_some() || is_choice.iter().any(|local| node.is(local)) || !node.foreign.is_empty()
}

fn is_list(name: &str) -> bool {
    name.strip_prefix("xdomea:").is_some_and(|local| LISTS.contains(&local))
}

/// What of `came` the model would not be written as: `made` is what it makes of the same record.
pub(crate) fn prune(came: Vec<Node>, made: &[Node]) -> Vec<Node> {
    let mut kept = Vec::new();
    let mut seen: Vec<(String, usize)> = Vec::new();
    for node in came {
        let index = match seen.iter_mut().find(|(name, _)| *name == node.name) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                seen.push((node.name.clone(), 0));
                0
            }
        };
        match made.iter().filter(|other| other.name == node.name).nth(index) {
            Some(same) if *same == node => {}
            Some(other)
                if !is_list(&node.name) && !is_whole(&node) && node.attributes == other.attributes =>
            {
                kept.push(prune_group(node, other));
            }
            _ => kept.push(node),
        }
    }
    kept
}

fn prune_group(node: Node, made: &Node) -> Node {
    let nodes = prune(node.nodes.clone(), &made.nodes);
    // Without children it would look like an element that came empty.
    if nodes.is_empty() { node } else { Node { nodes, ..node } }
}

/// Puts the children of an element together. Their order is that of the version, and comes when it is written (see
/// [`Shape::fit`](super::shape::Shape::fit)).
pub(crate) fn merge(kept: &[Node], old: &[Node], new: &[Node]) -> Vec<Node> {
    let mut merged: Vec<Node> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for node in new.iter().chain(kept) {
        if !names.contains(&node.name.as_str()) {
            names.push(&node.name);
        }
    }
    for name in names {
        let named =
            |nodes: &[Node]| nodes.iter().filter(|node| node.name == name).cloned().collect::<Vec<_>>();
        let (kept, old, new) = (named(kept), named(old), named(new));
        match (&kept[..], &old[..], &new[..]) {
            ([], _, _) => merged.extend(new),
            (_, [], []) => merged.extend(kept),
            ([kept], [] | [_], [] | [_]) if !is_list(name) => {
                merged.extend(merge_one(kept, old.first(), new.first()));
            }
            _ => merged.extend(merge_list(&kept, &old, &new)),
        }
    }
    merged
}

fn merge_one(kept: &Node, old: Option<&Node>, new: Option<&Node>) -> Option<Node> {
    if old == new {
        return Some(kept.clone());
    }
    let has_parts = !kept.nodes.is_empty() && !is_whole(kept);
    if !has_parts || new.is_some_and(|new| is_whole(new) || !new.text.is_empty()) {
        return new.cloned();
    }
    let nodes = |node: Option<&Node>| node.map(|node| node.nodes.clone()).unwrap_or_default();
    let merged = merge(&kept.nodes, &nodes(old), &nodes(new));
    (!merged.is_empty()).then(|| Node { nodes: merged, ..kept.clone() })
}

/// Takes each item of `new` as it came if it came so, else with what was kept beside an item of the
/// same identity. Items that are not in `new` any more are gone.
fn merge_list(kept: &[Node], old: &[Node], new: &[Node]) -> Vec<Node> {
    let mut unused: Vec<(&Node, &Node)> = kept.iter().zip(old).collect();
    let mut taken: Vec<Option<Node>> = new
        .iter()
        .map(|item| {
            let index = unused.iter().position(|(_, old)| *old == item)?;
            Some(unused.remove(index).0.clone())
        })
        .collect();
    for (slot, item) in taken.iter_mut().zip(new) {
        if slot.is_some() {
            continue;
        }
        let same = unused.iter().position(|(_, old)| is_same(old, item));
        *slot = match same.map(|index| unused.remove(index)) {
            Some((kept, old)) => merge_one(kept, Some(old), Some(item)),
            None => Some(item.clone()),
        };
    }
    taken.into_iter().flatten().collect()
}

/// Whether two items of a list are about the same person, record or version. What was kept beside one
/// must never be given to another.
fn is_same(one: &Node, other: &Node) -> bool {
    let keys = ["Name", "Institution", "SGOKennzeichen", "Nummer", "IDSGO"];
    let mut has_any = false;
    keys.iter().all(|key| {
        has_any |= one.child(key).is_some();
        one.child(key) == other.child(key)
    }) && has_any
}

#[cfg(test)]
mod tests {
    use super::super::node::{code, group, leaf};
    use super::*;

    fn contact(name: &str, phone: &str, note: &str) -> Node {
        let mut nodes = vec![group("Institution", vec![leaf("Name", name)]), leaf("Kommunikation", phone)];
        nodes.push(leaf("Taetigkeit", note));
        nodes.retain(|node| !node.text.is_empty() || !node.nodes.is_empty());
        group("Kontakt", nodes)
    }

    #[test]
    fn what_the_model_says_anyway_is_not_kept() {
        let came = vec![group("Laufzeit", vec![leaf("Beginn", "2026-01-01"), leaf("Ende", "2026-01-02Z")])];
        let made = vec![group("Laufzeit", vec![leaf("Beginn", "2026-01-01"), leaf("Ende", "2026-01-02")])];
        let kept = prune(came, &made);
        assert_eq!(kept, [group("Laufzeit", vec![leaf("Ende", "2026-01-02Z")])]);
        assert!(prune(made.clone(), &made).is_empty());
        let empty = vec![group("Laufzeit", vec![])];
        assert_eq!(prune(empty.clone(), &[]), empty, "that it came empty is kept");
    }

    #[test]
    fn an_unchanged_value_keeps_its_form_and_a_changed_one_does_not() {
        let kept = [group("Laufzeit", vec![leaf("Ende", "2026-01-02Z")])];
        let old = [group("Laufzeit", vec![leaf("Ende", "2026-01-02")])];
        let same = [group("Laufzeit", vec![leaf("Beginn", "2025-01-01"), leaf("Ende", "2026-01-02")])];
        let expected = group("Laufzeit", vec![leaf("Beginn", "2025-01-01"), leaf("Ende", "2026-01-02Z")]);
        assert_eq!(merge(&kept, &old, &same), [expected]);
        let changed = [group("Laufzeit", vec![leaf("Ende", "2027-01-02")])];
        assert_eq!(merge(&kept, &old, &changed), changed);
        assert!(merge(&kept, &old, &[]).is_empty());
    }

    #[test]
    fn a_changed_code_loses_the_name_of_the_old_one() {
        let mut kept = code("Medium", "l", "1", "001");
        kept.nodes.push(Node { name: "name".into(), text: "paper".into(), ..Node::default() });
        let (kept, old) = ([kept], [code("Medium", "l", "1", "001")]);
        let new = [code("Medium", "l", "1", "002")];
        assert_eq!(merge(&kept, &old, &old), kept);
        assert_eq!(merge(&kept, &old, &new), new);
    }

    #[test]
    fn what_was_kept_beside_a_party_stays_with_it_and_goes_with_it() {
        let kept = [contact("a", "1", "x"), contact("b", "2", "y")];
        let old = [contact("a", "1", ""), contact("b", "2", "")];
        let only_b = [contact("b", "2", "")];
        assert_eq!(merge(&kept, &old, &only_b), [contact("b", "2", "y")]);
        let new_number = [contact("b", "3", ""), contact("c", "1", "")];
        assert_eq!(merge(&kept, &old, &new_number), [contact("b", "3", "y"), contact("c", "1", "")]);
    }
}
