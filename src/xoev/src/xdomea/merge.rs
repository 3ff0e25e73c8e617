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

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

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
    // The first of a name that came stands for the first of that name that is made, and so on.
    let mut made =
        by_name(made).into_iter().map(|(name, nodes)| (name, nodes.into_iter())).collect::<HashMap<_, _>>();
    for node in came {
        match made.get_mut(node.name.as_str()).and_then(Iterator::next) {
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

/// Elements by name. Whoever sends a message decides how many there are, so none is looked for among the others.
fn by_name(nodes: &[Node]) -> HashMap<&str, Vec<&Node>> {
    let mut named: HashMap<&str, Vec<&Node>> = HashMap::new();
    nodes.iter().for_each(|node| named.entry(&node.name).or_default().push(node));
    named
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
    let mut known: HashSet<&str> = HashSet::new();
    for node in new.iter().chain(kept) {
        if known.insert(&node.name) {
            names.push(&node.name);
        }
    }
    let (mut kept, mut old, mut new) = (by_name(kept), by_name(old), by_name(new));
    for name in names {
        let [kept, old, new] =
            [&mut kept, &mut old, &mut new].map(|named| named.remove(name).unwrap_or_default());
        match (&kept[..], &old[..], &new[..]) {
            ([], _, _) => merged.extend(new.into_iter().cloned()),
            (_, [], []) => merged.extend(kept.into_iter().cloned()),
            ([kept], [] | [_], [] | [_]) if !is_list(name) => {
                merged.extend(merge_one(kept, old.first().copied(), new.first().copied()));
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
fn merge_list(kept: &[&Node], old: &[&Node], new: &[&Node]) -> Vec<Node> {
    let mut unused: Vec<Option<(&Node, &Node)>> =
        kept.iter().copied().zip(old.iter().copied()).map(Some).collect();
    let mut equal = queues(&unused, Some);
    let mut taken: Vec<Option<Node>> = new
        .iter()
        .map(|item| {
            let index = equal.get_mut(item)?.pop_front()?;
            unused.get_mut(index)?.take().map(|(kept, _)| kept.clone())
        })
        .collect();
    let mut alike = queues(&unused, identity);
    for (slot, item) in taken.iter_mut().zip(new) {
        if slot.is_some() {
            continue;
        }
        let same = identity(item).and_then(|identity| alike.get_mut(&identity)?.pop_front());
        *slot = match same.and_then(|index| unused.get_mut(index)?.take()) {
            Some((kept, old)) => merge_one(kept, Some(old), Some(item)),
            None => Some((*item).clone()),
        };
    }
    taken.into_iter().flatten().collect()
}

/// Places of items, the first one first, by what `key` says of them.
fn queues<'a, K: Eq + Hash>(
    items: &[Option<(&'a Node, &'a Node)>],
    key: impl Fn(&'a Node) -> Option<K>,
) -> HashMap<K, VecDeque<usize>> {
    let mut queues: HashMap<K, VecDeque<usize>> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        if let Some(key) = item.and_then(|(_, old)| key(old)) {
            queues.entry(key).or_default().push_back(index);
        }
    }
    queues
}

/// What two items of a list have in common that are about the same person, record or version. What was kept beside one must
/// never be given to another, so what names nothing has no identity.
fn identity(item: &Node) -> Option<[Option<&Node>; 5]> {
    let keys = ["Name", "Institution", "SGOKennzeichen", "Nummer", "IDSGO"].map(|key| item.child(key));
    keys.iter().any(Option::is_some).then_some(keys)
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
    #[test]
    fn many_elements_of_one_name_are_each_looked_at_once() {
        // About as many as one record has room for in memory.
        let came = vec![group("Kontakt", vec![]); 100_000];
        assert!(prune(came.clone(), &came).is_empty());
        let contacts = |phone: &str, note: &str| -> Vec<Node> {
            (0..20_000).map(|number| contact(&number.to_string(), phone, note)).collect()
        };
        let (kept, old, mut new) = (contacts("1", "y"), contacts("1", ""), contacts("1", ""));
        new.reverse();
        let mut reversed = kept.clone();
        reversed.reverse();
        assert_eq!(merge(&kept, &old, &new), reversed);
        let merged = merge(&kept, &old, &contacts("2", ""));
        assert!(merged.iter().all(|node| node.child("Taetigkeit").is_some()));
    }
}
