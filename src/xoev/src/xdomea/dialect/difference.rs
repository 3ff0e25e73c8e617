//! What an element says otherwise, or no more, once it was written for a version and read again. One
//! walk: its time grows with the elements, whoever made them.

use unicode_normalization::UnicodeNormalization;

use super::super::node::Node;
use super::carried::Fact;

/// Elements that a version demands, whose defaults say no more than their absence did.
const DEFAULTS: [&str; 5] = [
    "Kontextobjekt",
    "SendendesSystem",
    "Empfangsbestaetigung",
    "Importbestaetigung",
    "RueckmeldungArchivkennung",
];
/// Elements that hold facts of a record. If all of them are lost, each is told.
const METADATA: [&str; 2] = ["AllgemeineMetadaten", "ArchivspezifischeMetadaten"];

/// What became of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is not there.
    Lost,
    /// It is not there, but rides in an extension of ours.
    Carried,
    /// It is there with another value.
    Changed,
    /// Nobody said it.
    FilledIn,
}

/// Children of one name that are lost, changed or new.
#[derive(Debug)]
pub(super) struct Difference {
    /// Where they are, for a reader.
    pub(super) place: String,
    pub(super) fate: Fate,
    /// What is lost, if it may ride in our extension.
    pub(super) fact: Option<Fact>,
}

/// What of `was` is not in `is` or is otherwise there, and what `is` says that nobody said.
pub(super) fn differences(was: &Node, is: &Node) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(was, is, &mut Vec::new(), &mut found);
    found
}

/// Names of the elements that lead to a parent, each with its number among its like, from 1.
type Path = Vec<(String, usize)>;

fn compare(was: &Node, is: &Node, at: &mut Path, found: &mut Vec<Difference>) {
    let mut seen: Vec<&str> = Vec::new();
    for child in &was.nodes {
        if seen.contains(&child.name.as_str()) {
            continue;
        }
        seen.push(&child.name);
        let (before, after) = (named(was, &child.name), named(is, &child.name));
        let nothing = Node::default();
        let pairs: Vec<(&Node, &Node)> = match (&before[..], &after[..]) {
            ([one], []) if is_group(one) && METADATA.contains(&one.local()) => vec![(one, &nothing)],
            _ if before.len() != after.len() => Vec::new(),
            _ => before.iter().copied().zip(after.iter().copied()).collect(),
        };
        let is_looked_into =
            |one: &Node, other: &Node| is_group(one) && (is_group(other) || after.is_empty());
        // Either into the children or over the whole, never both: each element is looked at once.
        if !pairs.is_empty() && pairs.iter().all(|(one, other)| is_looked_into(one, other)) {
            for (index, (one, other)) in pairs.into_iter().enumerate() {
                at.push((child.local().to_owned(), index + 1));
                compare(one, other, at, found);
                at.pop();
            }
        } else if pairs.is_empty() || !pairs.iter().all(|(one, other)| is_same(one, other)) {
            found.push(lost(was, child, at, &before, &after));
        }
    }
    for child in &is.nodes {
        let is_said = seen.contains(&child.name.as_str()) || DEFAULTS.iter().any(|name| child.is(name));
        // Names of codes have no place of their own.
        if !is_said && was.code().is_none() {
            seen.push(&child.name);
            found.push(Difference { place: place(at, child), fate: Fate::FilledIn, fact: None });
        }
    }
}

fn lost(parent: &Node, child: &Node, at: &Path, before: &[&Node], after: &[&Node]) -> Difference {
    let is_value = |node: &&Node| node.code().is_some() || node.nodes.is_empty() && node.foreign.is_empty();
    let is_changed = before.len() == after.len() && before.iter().chain(after).all(is_value);
    let fact = match (before, after) {
        ([one], []) => {
            let names: Vec<&str> = at.iter().map(|(name, _)| name.as_str()).collect();
            Fact::of(&names.join("/"), parent, one)
        }
        _ => None,
    };
    let fate = if is_changed { Fate::Changed } else { Fate::Lost };
    Difference { place: place(at, child), fate, fact }
}

fn place(at: &Path, child: &Node) -> String {
    let mut place = String::new();
    for (name, number) in at {
        place.push_str(name);
        if *number > 1 {
            place.push_str(&format!("[{number}]"));
        }
        place.push('/');
    }
    place + child.local()
}

fn named<'a>(node: &'a Node, name: &str) -> Vec<&'a Node> {
    node.nodes.iter().filter(|child| child.name == name).collect()
}

/// Whether its children can be looked at one by one.
fn is_group(node: &Node) -> bool {
    !node.nodes.is_empty() && node.code().is_none() && node.foreign.is_empty()
}

/// Whether nothing of the one is lost in the other. Lists and names of codes follow the version.
fn is_same(was: &Node, is: &Node) -> bool {
    if was.name != is.name || was.foreign != is.foreign {
        return false;
    }
    match (was.code(), is.code()) {
        (Some(one), Some(other)) => one == other,
        (None, None) if was.nodes.is_empty() => is.nodes.is_empty() && is_same_text(&was.text, &is.text),
        (None, None) => differences(was, is).is_empty(),
        _ => false,
    }
}

/// White space alone stands between elements, a truth that is fixed is written as a digit, and a composed
/// text is the same text (Unicode, canonical equivalence).
fn is_same_text(was: &str, is: &str) -> bool {
    was == is
        || (was.trim().is_empty() && is.is_empty())
        || (was.trim() == "true" && is == "1")
        || was.nfc().eq(is.nfc())
}

#[cfg(test)]
mod tests {
    use super::super::super::node::{group, leaf};
    use super::*;

    #[test]
    fn elements_in_each_other_are_compared_in_one_walk() {
        let nest =
            |text: &str| (0..150).fold(leaf("Bemerkung", text), |inner, _| group("Einheit", vec![inner]));
        // Beside a text, groups are compared as a whole.
        let mixed = |text: &str| group("Akte", vec![leaf("Einheit", "x"), nest(text)]);
        assert_eq!(differences(&group("Akte", vec![nest("a")]), &group("Akte", vec![nest("b")])).len(), 1);
        assert_eq!(differences(&mixed("a"), &mixed("b")).len(), 1);
        assert!(differences(&mixed("a"), &mixed("a")).is_empty());
    }

    #[test]
    fn a_part_is_lost_changed_or_filled_in() {
        let fates = |was: Vec<Node>, is: Vec<Node>| -> Vec<Fate> {
            differences(&group("Akte", was), &group("Akte", is)).iter().map(|found| found.fate).collect()
        };
        let text = |text: &str| vec![leaf("Betreff", text)];
        assert_eq!(fates(text("a"), vec![]), [Fate::Lost]);
        assert_eq!(fates(text("\u{2602}"), text("?")), [Fate::Changed]);
        assert_eq!(fates(vec![], text("a")), [Fate::FilledIn]);
        assert!(fates(text("A\u{308}"), text("\u{c4}")).is_empty());
        let two = vec![leaf("Betreff", "a"), leaf("Betreff", "b")];
        assert_eq!(fates(two, text("a")), [Fate::Lost]);
    }
}
