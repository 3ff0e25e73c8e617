//! A small piece of a message in memory: what stands in one record besides other records. It is kept
//! in the record's extensions as it came, whatever the version of the message.

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};
use xml::{Event, Reader, Start, Writer};

use crate::Error;

/// Holds elements of any namespace; its content is kept as text.
const ANY: &str = "xdomea:AnwendungsspezifischeErweiterungXML";

/// An element. Elements of xdomea have the prefix `xdomea` in whatever version; `code` and `name` of
/// codes have none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Node {
    /// Name with prefix.
    pub(crate) name: String,
    /// Attributes in document order, and the namespaces that they and a foreign name need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attributes: Vec<(String, String)>,
    /// Text, if there are no elements in it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) text: String,
    /// Elements in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) nodes: Vec<Node>,
    /// Elements of other namespaces in it, each as XML that stands by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) foreign: Vec<String>,
}

/// How many bytes may still be kept in memory.
#[derive(Debug)]
pub(crate) struct Budget(pub(crate) usize);

impl Budget {
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Error> {
        self.0 = self.0.checked_sub(bytes).ok_or(Error::TooLarge)?;
        Ok(())
    }
}

/// `xdomea:` before a name.
pub(crate) fn qualified(local: &str) -> String {
    format!("xdomea:{local}")
}

/// An element with text.
pub(crate) fn leaf(local: &str, text: impl Into<String>) -> Node {
    Node { name: qualified(local), text: text.into(), ..Node::default() }
}

/// An element with elements.
pub(crate) fn group(local: &str, nodes: Vec<Node>) -> Node {
    Node { name: qualified(local), nodes, ..Node::default() }
}

/// An element with elements; `None` if there are none.
pub(crate) fn filled(local: &str, nodes: Vec<Node>) -> Option<Node> {
    (!nodes.is_empty()).then(|| group(local, nodes))
}

/// A code of a list.
pub(crate) fn code(local: &str, list: &str, version: &str, code: &str) -> Node {
    let attributes = [("listURI", list), ("listVersionID", version)];
    Node {
        name: qualified(local),
        attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        nodes: vec![Node { name: "code".to_owned(), text: code.to_owned(), ..Node::default() }],
        ..Node::default()
    }
}

impl Node {
    /// Name without prefix.
    pub(crate) fn local(&self) -> &str {
        self.name.rsplit(':').next().unwrap_or_default()
    }

    /// The first child of xdomea with this name.
    pub(crate) fn child(&self, local: &str) -> Option<&Node> {
        self.children(local).next()
    }

    /// All children of xdomea with this name.
    pub(crate) fn children<'a>(&'a self, local: &str) -> impl Iterator<Item = &'a Node> {
        self.nodes.iter().filter(move |node| node.is(local))
    }

    /// Whether it is xdomea's element of this name.
    pub(crate) fn is(&self, local: &str) -> bool {
        self.name.strip_prefix("xdomea:") == Some(local)
    }

    /// Text of a child, if it is not empty.
    pub(crate) fn text_of(&self, local: &str) -> Option<&str> {
        self.child(local).map(|node| node.text.as_str()).filter(|text| !text.is_empty())
    }

    /// The code, if this is one.
    pub(crate) fn code(&self) -> Option<&str> {
        let code = self.nodes.iter().find(|node| node.name == "code")?;
        Some(code.text.trim()).filter(|code| !code.is_empty())
    }

    /// The list that a code says it is of.
    pub(crate) fn list(&self) -> Option<&str> {
        let list = self.attributes.iter().find(|(name, _)| name == "listURI");
        list.map(|(_, list)| list.as_str()).filter(|list| !list.is_empty())
    }

    /// The code of a child.
    pub(crate) fn code_of(&self, local: &str) -> Option<&str> {
        self.child(local).and_then(Node::code)
    }

    /// Reads the element whose start was read last, to its end. `namespace` is that of the message.
    pub(crate) fn read<R: BufRead>(
        reader: &mut Reader<R>,
        namespace: &str,
        budget: &mut Budget,
    ) -> Result<Node, Error> {
        let mut open = vec![Node::begin(&reader.current(), namespace, budget)?];
        loop {
            let is_foreign = open.last().is_some_and(|node| node.name == ANY);
            match reader.next()? {
                Event::Start(_) if is_foreign => {
                    let copy = reader.copy_element(budget.0)?;
                    budget.spend(copy.len())?;
                    open.last_mut().into_iter().for_each(|node| node.foreign.push(copy.clone()));
                }
                Event::Start(start) => open.push(Node::begin(&start, namespace, budget)?),
                Event::Text(text) => {
                    budget.spend(text.len())?;
                    open.last_mut().into_iter().for_each(|node| node.text.push_str(text));
                }
                Event::End => {
                    let Some(mut node) = open.pop() else { return Err(Error::TooLarge) };
                    if !node.nodes.is_empty() || node.name == ANY {
                        node.text.clear();
                    }
                    match open.last_mut() {
                        Some(parent) => parent.nodes.push(node),
                        None => return Ok(node),
                    }
                }
                Event::Eof => return Err(Error::Unreadable),
            }
        }
    }

    fn begin(start: &Start<'_>, namespace: &str, budget: &mut Budget) -> Result<Node, Error> {
        let mut attributes = Vec::new();
        let name = match start.namespace() {
            Some(uri) if uri == namespace => qualified(start.local()),
            None => start.local().to_owned(),
            Some(uri) => {
                let prefix = start.prefix();
                attributes
                    .push((prefix.map_or("xmlns".to_owned(), |p| format!("xmlns:{p}")), uri.to_owned()));
                prefix.map_or(start.local().to_owned(), |p| format!("{p}:{}", start.local()))
            }
        };
        for attribute in start.attributes() {
            let name = match (attribute.prefix, attribute.namespace) {
                (Some(prefix), Some(uri)) => {
                    let declaration = (format!("xmlns:{prefix}"), uri.to_owned());
                    if prefix != "xml" && !attributes.contains(&declaration) {
                        attributes.push(declaration);
                    }
                    format!("{prefix}:{}", attribute.local)
                }
                _ => attribute.local.to_owned(),
            };
            attributes.push((name, attribute.value.to_owned()));
        }
        let bytes: usize = attributes.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
        budget.spend(size_of::<Node>() + name.len() + bytes)?;
        Ok(Node { name, attributes, ..Node::default() })
    }

    /// Bytes that [`Node::read`] spent on it, about.
    pub(crate) fn cost(&self) -> usize {
        let attributes: usize =
            self.attributes.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
        let foreign: usize = self.foreign.iter().map(String::len).sum();
        let nodes: usize = self.nodes.iter().map(Node::cost).sum();
        size_of::<Node>() + self.name.len() + self.text.len() + attributes + foreign + nodes
    }

    /// Writes its start.
    pub(crate) fn start<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), Error> {
        let attributes: Vec<(&str, &str)> =
            self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Ok(writer.start(&self.name, &attributes)?)
    }

    /// Writes it.
    pub(crate) fn write<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), Error> {
        self.start(writer)?;
        writer.text(&self.text)?;
        for node in &self.nodes {
            node.write(writer)?;
        }
        for fragment in &self.foreign {
            writer.fragment(fragment)?;
        }
        Ok(writer.end()?)
    }

    /// Names of files of the container that it mentions.
    pub(crate) fn file_names<'a>(&'a self, found: &mut Vec<&'a str>) {
        if self.is("Dateiname") || self.is("SignaturSiegelDatei") {
            found.push(&self.text);
        }
        self.nodes.iter().for_each(|node| node.file_names(found));
    }
}
