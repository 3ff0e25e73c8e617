//! Versions of the standard as dialects of one form: the canonical form has the names and shapes of
//! 3.1.0. What a version has and 3.1.0 has not stands in it under the version's own name.
//!
//! [`Dialect::raise`] reads an element of a version into that form, [`Dialect::lower`] writes it for one.
//! What the version cannot hold is found by reading again what was written (see [`difference`]), and is
//! reported. Some facts of records ride in an extension of ours (see [`carried`]).

mod carried;
mod difference;
mod v2;
mod v4;

use model::{Finding, Report, Severity};

use super::messages::Version;
use super::node::Node;
use super::shape::{Shape, Value};
use super::text::truth;
use crate::Error;
use difference::{Fate, differences};

/// Children that 4.0 wraps documents in, and what says in the canonical form which one it was.
pub(crate) const WITH_PARTS: &str = "DokumentMitSchriftstueck";
/// Says in the canonical form that an Anlage is one of the documents of a [`WITH_PARTS`].
pub(crate) const PART: &str = "Schriftstueck";
/// An element that holds a document in 4.0.
pub(crate) const EITHER: &str = "DokumentOderDokumentMitSchriftstueck";

/// A version as it differs from the canonical form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    version: Version,
    shape: &'static Shape,
}

/// An element as a version has it.
#[derive(Debug)]
pub(crate) struct Lowered {
    /// The element; `None` if the version cannot hold it at all.
    pub(crate) node: Option<Node>,
    /// Places of what was lost or is otherwise there.
    lost: Vec<(String, Fate)>,
}

impl Dialect {
    /// The dialect of a version.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for one that is not translated.
    pub(crate) fn of(version: Version) -> Result<Dialect, Error> {
        Ok(Dialect { version, shape: Shape::of(version)? })
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn shape(&self) -> &'static Shape {
        self.shape
    }

    /// Whether a file in the container may have this name.
    pub(crate) fn holds_file_name(&self, name: &str) -> bool {
        let value = self.shape.kind("stringDateinameType").and_then(|kind| kind.value.as_ref());
        value.is_none_or(|value: &Value| value.hold(name).is_some())
    }

    /// An element of this version in the canonical form, with what rode in our extension at its place.
    pub(crate) fn raise(&self, mut node: Node) -> Node {
        self.raise_names(&mut node);
        carried::restore(&mut node);
        node
    }

    fn raise_names(&self, node: &mut Node) {
        match self.version {
            Version::V2_3_0 | Version::V2_4_0 => each(node, &v2::raise),
            Version::V4_0_0 => each(node, &v4::raise),
            _ => {}
        }
    }

    /// An element of the canonical form as this version has it. `kind` is the name of its type.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if it would be taken for something else without what the version cannot say.
    pub(crate) fn lower(&self, node: &Node, kind: &str) -> Result<Lowered, Error> {
        if self.version < Version::V4_0_0 {
            before_4(node)?;
        }
        let Some(plain) = self.lower_plain(node, kind) else {
            return Ok(Dialect::unknown(node));
        };
        let canonical = self.canonical(&plain);
        let mut found = differences(node, &canonical);
        let places = carried::Places::of(&canonical);
        for difference in &mut found {
            difference.fact.take_if(|fact| !places.have(fact));
        }
        let facts: Vec<_> = found.iter().filter_map(|difference| difference.fact.clone()).collect();
        let loaded = self.load(node, kind, &facts);
        let fate = |one: &difference::Difference| match one.fact {
            Some(_) if loaded.is_some() => Fate::Carried,
            _ => one.fate,
        };
        let lost = found.iter().map(|one| (one.place.clone(), fate(one))).collect();
        Ok(Lowered { node: Some(loaded.unwrap_or(plain)), lost })
    }

    /// The element of this version with an extension of ours that holds facts, if it has a place for it.
    fn load(&self, node: &Node, kind: &str, facts: &[carried::Fact]) -> Option<Node> {
        if facts.is_empty() {
            return None;
        }
        let loaded = carried::attach(node, facts, self.version >= Version::V3_0_0)?;
        let lowered = self.lower_plain(&loaded, kind)?;
        carried::rides(&self.canonical(&lowered), facts).then_some(lowered)
    }

    fn lower_plain(&self, node: &Node, kind: &str) -> Option<Node> {
        let mut node = node.clone();
        match self.version {
            Version::V2_3_0 | Version::V2_4_0 => each(&mut node, &v2::lower),
            Version::V4_0_0 => each_outside_in(&mut node, &v4::lower),
            _ => {}
        }
        self.shape.fit(&node, kind)
    }

    fn canonical(&self, lowered: &Node) -> Node {
        let mut node = lowered.clone();
        self.raise_names(&mut node);
        node
    }
}

impl Dialect {
    /// What of an element is lost in another that stands for it.
    pub(crate) fn compare(&self, was: &Node, is: &Node) -> Lowered {
        let lost = differences(was, is).into_iter().map(|one| (one.place, one.fate)).collect();
        Lowered { node: None, lost }
    }

    /// An element that a message of this version does not have.
    pub(crate) fn unknown(node: &Node) -> Lowered {
        Lowered { node: None, lost: vec![(node.local().to_owned(), Fate::Lost)] }
    }

    /// Reports a document that is written beside the records that it lay in.
    pub(crate) fn moved(document: model::Id, report: &mut Report) {
        report.add(Finding::warning("xdomea.moved").with("object", document.to_string()));
    }
}

impl Lowered {
    /// Reports what was lost or is otherwise there. `object` is the UUID of the record that it belongs to, if it does.
    pub(crate) fn report(&self, element: &str, object: &str, report: &mut Report) {
        for (place, fate) in &self.lost {
            let mut finding = match fate {
                Fate::Lost => Finding::warning("xdomea.not-carried"),
                Fate::Carried => Finding::new("xdomea.carried-in-extension", Severity::Info),
                Fate::Changed => Finding::warning("xdomea.changed"),
                Fate::FilledIn => Finding::warning("xdomea.filled-in"),
            };
            finding.path = Some(format!("{element}/{place}"));
            if !object.is_empty() {
                finding = finding.with("object", object);
            }
            report.add(finding);
        }
    }
}

/// Refuses what would be taken for an ordinary record before 4.0: one that is only context, and one of a
/// degree of secrecy that only 4.0 can name.
fn before_4(node: &Node) -> Result<(), Error> {
    if node.is("Geheimhaltungsgrad") {
        return Err(Error::Unsupported { what: "a degree of secrecy that the version cannot name" });
    }
    if node.is("Kontextobjekt") && truth(node.text.trim()) == Some(true) {
        return Err(Error::Unsupported { what: "a record that is only context" });
    }
    node.nodes.iter().try_for_each(before_4)
}

/// Takes every element through a rule, inner ones first.
fn each(node: &mut Node, rule: &dyn Fn(&mut Node)) {
    node.nodes.iter_mut().for_each(|child| each(child, rule));
    rule(node);
}

/// Takes every element through a rule, outer ones first.
fn each_outside_in(node: &mut Node, rule: &dyn Fn(&mut Node)) {
    rule(node);
    node.nodes.iter_mut().for_each(|child| each_outside_in(child, rule));
}

/// Gives the children of xdomea that are called one way the other name, by pairs of local names.
fn rename(node: &mut Node, pairs: &[(&str, &str)]) {
    for child in &mut node.nodes {
        if let Some((_, name)) = pairs.iter().find(|(from, _)| child.is(from)) {
            child.name = super::node::qualified(name);
        }
    }
}

/// The same pairs the other way round.
fn rename_back(node: &mut Node, pairs: &[(&str, &str)]) {
    for child in &mut node.nodes {
        if let Some((name, _)) = pairs.iter().find(|(_, to)| child.is(to)) {
            child.name = super::node::qualified(name);
        }
    }
}

/// Sets an attribute if it is there.
fn replace_attribute(node: &mut Node, name: &str, value: &str) {
    for (known, old) in &mut node.attributes {
        if known == name {
            value.clone_into(old);
        }
    }
}
