//! Reads a [`Shape`] from the text of a schema (XML Schema 1.0 part 1, as far as our own schemas use it:
//! one file; sequences, choices, extensions and restrictions; types with and without names).

use xml::{Event, Limits, Reader};

use super::super::node::{Budget, Node};
use super::{Attribute, Child, Kind, Shape, Value};
use crate::Error;

/// Bytes that a schema may take in memory; the text is ours.
const BYTES: usize = 64 << 20;

/// Reads the types and root elements of a schema.
pub(super) fn read(text: &str) -> Result<Shape, Error> {
    let mut reader = Reader::new(text.as_bytes(), Limits::default());
    let Event::Start(_) = reader.next()? else { return Err(Error::Unreadable) };
    let schema = Node::read(&mut reader, "", &mut Budget(BYTES))?;
    let mut shape = Shape::default();
    let bases = Bases(&schema);
    for node in &schema.nodes {
        let Some(name) = attribute(node, "name") else { continue };
        match node.local() {
            "element" => {
                let kind = bases.kind_of(node, name, &mut shape);
                shape.roots.insert(name.to_owned(), kind);
            }
            "complexType" => {
                let kind = bases.complex(node, name, &mut shape);
                shape.kinds.insert(name.to_owned(), kind);
            }
            "simpleType" => {
                shape.kinds.insert(name.to_owned(), simple(node));
            }
            _ => {}
        }
    }
    Ok(shape)
}

fn attribute<'a>(node: &'a Node, name: &str) -> Option<&'a str> {
    node.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The name of a type without the prefix of the schema's own namespace.
fn plain(name: &str) -> &str {
    name.strip_prefix("xdomea:").unwrap_or(name)
}

fn simple(node: &Node) -> Kind {
    let empty = Node::default();
    let restriction = node.nodes.iter().find(|child| child.local() == "restriction").unwrap_or(&empty);
    let values = |local: &str| -> Vec<&str> {
        let facets = restriction.nodes.iter().filter(|facet| facet.local() == local);
        facets.filter_map(|facet| attribute(facet, "value")).collect()
    };
    let base = attribute(restriction, "base").unwrap_or_default();
    let value = Value::of(base, &values("enumeration"), values("pattern").first().copied());
    Kind { value: Some(value), ..Kind::default() }
}

/// The schema, for types that build on others.
struct Bases<'a>(&'a Node);

impl Bases<'_> {
    /// The name of an element's type; one without a name is read and called `place`.
    fn kind_of(&self, element: &Node, place: &str, shape: &mut Shape) -> String {
        if let Some(name) = attribute(element, "type") {
            let kind = || Kind { value: Some(Value::of(name, &[], None)), ..Kind::default() };
            if name.starts_with("xs:") {
                shape.kinds.entry(name.to_owned()).or_insert_with(kind);
            }
            return plain(name).to_owned();
        }
        let kind = match element.nodes.first() {
            Some(node) if node.local() == "simpleType" => simple(node),
            Some(node) => self.complex(node, place, shape),
            None => Kind::default(),
        };
        shape.kinds.insert(place.to_owned(), kind);
        place.to_owned()
    }

    fn complex(&self, node: &Node, place: &str, shape: &mut Shape) -> Kind {
        let mut kind = Kind::default();
        self.add(node, place, None, &mut kind, shape);
        kind
    }

    /// Adds what stands in a part of a type's definition.
    fn add(&self, node: &Node, place: &str, choice: Option<usize>, kind: &mut Kind, shape: &mut Shape) {
        for part in &node.nodes {
            match part.local() {
                "element" => self.add_child(part, place, choice, kind, shape),
                "choice" => {
                    let is_required = |node: &Node| attribute(node, "minOccurs") != Some("0");
                    kind.choices.push(is_required(part) && part.nodes.iter().all(is_required));
                    self.add(part, place, Some(kind.choices.len() - 1), kind, shape);
                }
                "extension" => {
                    let base = plain(attribute(part, "base").unwrap_or_default());
                    let named =
                        |node: &&Node| node.local() == "complexType" && attribute(node, "name") == Some(base);
                    if let Some(base) = self.0.nodes.iter().find(named) {
                        self.add(base, place, None, kind, shape);
                    }
                    self.add(part, place, None, kind, shape);
                }
                "attribute" => kind.attributes.extend(attribute(part, "name").map(|name| Attribute {
                    name: name.to_owned(),
                    required: attribute(part, "use") == Some("required"),
                    fixed: attribute(part, "fixed").map(str::to_owned),
                })),
                "any" => kind.any = true,
                _ => self.add(part, place, choice, kind, shape),
            }
        }
    }

    fn add_child(&self, part: &Node, place: &str, choice: Option<usize>, kind: &mut Kind, shape: &mut Shape) {
        let Some(local) = attribute(part, "name") else { return };
        let is_qualified = attribute(part, "form") != Some("unqualified");
        kind.children.push(Child {
            name: if is_qualified { super::super::node::qualified(local) } else { local.to_owned() },
            kind: self.kind_of(part, &format!("{place}/{local}"), shape),
            required: choice.is_none() && attribute(part, "minOccurs") != Some("0"),
            many: attribute(part, "maxOccurs") == Some("unbounded"),
            choice,
            fixed: attribute(part, "fixed").map(str::to_owned),
        });
    }
}
