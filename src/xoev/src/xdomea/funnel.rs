//! From the form of a version to that of 3.1.0, in which everything is kept, and back.

use model::Report;

use super::messages::Version;
use super::node::Node;
use crate::Error;

/// An element of a version in the form of 3.1.0. `parent` is the root element or type of that version in which it stands.
pub(crate) fn raise(_: Version, _parent: &str, node: Node) -> Result<Node, Error> {
    Ok(node)
}

/// An element in the form of a version; what that has no place for goes into `report`.
pub(crate) fn lower(_: Version, _parent: &str, node: Node, _report: &mut Report) -> Result<Node, Error> {
    Ok(node)
}
