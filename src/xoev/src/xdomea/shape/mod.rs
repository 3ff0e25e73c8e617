//! What the elements of a version look like: children in order, how often, and what text they hold
//! (xdomea 2.3.0 to 4.0.0). Read from our own schema of the version, so that it is written down once.

mod characters;
mod fit;
mod schema;
mod value;

use std::collections::HashMap;
use std::sync::OnceLock;

use super::messages::Version;
use crate::Error;

pub(crate) use value::{Value, split_zone};

/// The types of one version.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    /// Types of the elements that messages begin with, by local name.
    roots: HashMap<String, String>,
    /// Types by name. One that has no name in the schema is called after its place.
    kinds: HashMap<String, Kind>,
}

/// A type: children, or text.
#[derive(Debug, Default)]
pub(crate) struct Kind {
    /// Children in order.
    pub(crate) children: Vec<Child>,
    /// Of each choice between children, whether one of them must be there.
    choices: Vec<bool>,
    attributes: Vec<Attribute>,
    /// Whether it holds elements of any namespace.
    any: bool,
    /// What text it holds, if it is text.
    pub(crate) value: Option<Value>,
}

/// A child of a type.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    /// Name as a [`Node`](super::node::Node) has it.
    pub(crate) name: String,
    /// Name of its type.
    pub(crate) kind: String,
    required: bool,
    many: bool,
    /// The choice that it belongs to.
    choice: Option<usize>,
    fixed: Option<String>,
}

#[derive(Debug, Clone)]
struct Attribute {
    name: String,
    required: bool,
    fixed: Option<String>,
}

impl Shape {
    /// The shape of a version.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there is no schema of ours for it.
    pub(crate) fn of(version: Version) -> Result<&'static Shape, Error> {
        static SHAPES: [OnceLock<Option<Shape>>; Version::ALL.len()] =
            [const { OnceLock::new() }; Version::ALL.len()];
        let place = Version::ALL.into_iter().zip(&SHAPES).find(|(known, _)| *known == version);
        let shape = place.and_then(|(_, cell)| {
            cell.get_or_init(|| schema::read(&schemas::own_text(version.number())?).ok()).as_ref()
        });
        shape.ok_or(Error::Unsupported { what: "the version" })
    }

    /// Name of the type of a root element, such as `Abgabe.Abgabe.0401`.
    pub(crate) fn root(&self, local: &str) -> Option<&str> {
        self.roots.get(local).map(String::as_str)
    }

    /// A type.
    pub(crate) fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.get(name)
    }

    /// Name of the type of a child of xdomea.
    pub(crate) fn kind_of(&self, kind: &str, local: &str) -> Option<&str> {
        let child = self.kind(kind)?.child(local)?;
        Some(&child.kind)
    }
}

impl Kind {
    /// The child of xdomea with this local name.
    pub(crate) fn child(&self, local: &str) -> Option<&Child> {
        self.children.iter().find(|child| child.local() == Some(local))
    }
}

impl Child {
    /// Local name, if it is an element of xdomea.
    pub(crate) fn local(&self) -> Option<&str> {
        self.name.strip_prefix("xdomea:")
    }

    /// Whether there may be several of it.
    pub(crate) fn is_many(&self) -> bool {
        self.many
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_that_is_written_has_a_shape() {
        for version in Version::ALL.into_iter().filter(|version| *version != Version::V2_2_0) {
            let shape = Shape::of(version).unwrap();
            for kind in shape.kinds.values() {
                for child in &kind.children {
                    assert!(shape.kind(&child.kind).is_some(), "{version:?}: {child:?}");
                }
            }
            let root = shape.root("Aussonderung.Aussonderung.0503").unwrap();
            let object = shape.kind_of(root, "Schriftgutobjekt").unwrap();
            let file = shape.kind_of(object, "Akte").unwrap();
            assert!(shape.kind_of(file, "Akteninhalt").is_some());
        }
        assert!(Shape::of(Version::V2_2_0).is_err());
    }

    #[test]
    fn a_type_that_extends_another_has_its_children_first() {
        let shape = Shape::of(Version::V4_0_0).unwrap();
        let kind = shape.kind("DokumentType").unwrap();
        assert_eq!(kind.children.first().and_then(Child::local), Some("Identifikation"));
        assert_eq!(kind.children.last().and_then(Child::local), Some("Version"));
        let names: Vec<&str> =
            shape.kind("KommunikationType").unwrap().children.iter().map(|child| &child.name[..]).collect();
        assert_eq!(names, ["kanal", "kennung", "zusatz", "xdomea:IstDienstlich", "xdomea:IstInstitution"]);
    }
}
