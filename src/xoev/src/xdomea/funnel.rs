//! From the form of a version to that of 3.1.0, in which everything is kept, and back.

use model::Report;

use super::dialect::Dialect;
use super::messages::Version;
use super::node::Node;
use crate::Error;

/// An element of a version in the form of 3.1.0.
pub(crate) fn raise(version: Version, node: Node) -> Result<Node, Error> {
    Ok(Dialect::of(version)?.raise(node))
}

/// An element in the form of a version, if it can hold it; what it has no place for goes into `report`.
/// `parent` is the root element or type of the version in which it stands.
pub(crate) fn lower(
    version: Version,
    parent: &str,
    node: Node,
    report: &mut Report,
) -> Result<Option<Node>, Error> {
    let dialect = Dialect::of(version)?;
    let lowered = match kind_of(&dialect, parent, &node) {
        Some(kind) => dialect.lower(&node, kind)?,
        None => Dialect::unknown(&node),
    };
    lowered.report(node.local(), "", report);
    Ok(lowered.node)
}

/// An element that is in the form of a version but for values that it cannot hold.
pub(crate) fn fit(version: Version, parent: &str, node: &Node, report: &mut Report) -> Result<Node, Error> {
    let dialect = Dialect::of(version)?;
    let kind = kind_of(&dialect, parent, node);
    let fitted = kind.and_then(|kind| dialect.shape().fit(node, kind));
    let fitted = fitted.ok_or(Error::Unsupported { what: "what the version cannot say" })?;
    dialect.compare(node, &fitted).report(node.local(), "", report);
    Ok(fitted)
}

fn kind_of(dialect: &Dialect, parent: &str, node: &Node) -> Option<&'static str> {
    let shape = dialect.shape();
    shape.kind_of(shape.root(parent).unwrap_or(parent), node.local())
}
