//! Versions of the standard as dialects of one form: the canonical form has the names and shapes of
//! 3.1.0. What a version has and 3.1.0 has not stands in it under the version's own name.
//!
//! [`Dialect::raise`] reads an element of a version into that form, [`Dialect::lower`] writes it for one.
//! What the version cannot hold is found by reading again what was written, rides in an extension of
//! ours where the element has a place for one (see [`carried`]), and is reported.

mod carried;
mod v2;
mod v4;

use model::{Finding, Report, Severity};

use super::messages::Version;
use super::node::Node;
use super::shape::{Shape, Value};
use crate::Error;

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
    /// Places of what was lost, and whether it rides in an extension.
    pub(crate) lost: Vec<(String, bool)>,
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
    pub(crate) fn lower(&self, node: &Node, kind: &str) -> Lowered {
        let Some(plain) = self.lower_plain(node, kind) else {
            return Dialect::unknown(node);
        };
        let parts = carried::differences(node, &self.canonical(&plain));
        if parts.is_empty() {
            return Lowered { node: Some(plain), lost: Vec::new() };
        }
        let places = |is_carried| parts.iter().map(|part| (part.place(), is_carried)).collect();
        let in_xml = self.version >= Version::V3_0_0;
        let lowered = carried::attach(node, &parts, in_xml).and_then(|node| self.lower_plain(&node, kind));
        match lowered {
            Some(lowered) if carried::rides(&self.canonical(&lowered)) => {
                Lowered { node: Some(lowered), lost: places(true) }
            }
            _ => Lowered { node: Some(plain), lost: places(false) },
        }
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
        let lost = carried::differences(was, is).iter().map(|part| (part.place(), false)).collect();
        Lowered { node: None, lost }
    }

    /// An element that a message of this version does not have.
    pub(crate) fn unknown(node: &Node) -> Lowered {
        Lowered { node: None, lost: vec![(node.local().to_owned(), false)] }
    }

    /// Reports a document that is written beside the records that it lay in.
    pub(crate) fn moved(document: model::Id, report: &mut Report) {
        report.add(Finding::warning("xdomea.moved").with("object", document.to_string()));
    }
}

impl Lowered {
    /// Reports what was lost. `object` is the UUID of the record that it belongs to, if it does.
    pub(crate) fn report(&self, element: &str, object: &str, report: &mut Report) {
        for (place, is_carried) in &self.lost {
            let mut finding = match is_carried {
                true => Finding::new("xdomea.carried-in-extension", Severity::Info),
                false => Finding::warning("xdomea.not-carried"),
            };
            finding.path = Some(format!("{element}/{place}"));
            if !object.is_empty() {
                finding = finding.with("object", object);
            }
            report.add(finding);
        }
    }
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
