//! Aktenplan of 0301 (AktenplanType) and 0511 (AktenplanBewertungType) and [`FilePlan`].

use model::PayloadRef;
use model::file_plan::{FilePlan, FilePlanNode};

use super::super::document::{Place, make_file, read_file};
use super::super::merge::{merge, prune};
use super::super::node::{Node, group, leaf};
use super::super::read::Kept;
use super::super::record::{
    make_disposition, make_duration, make_period, make_unit_names, read_disposition, read_duration,
    read_period, read_unit_names,
};
use super::super::text::{digit, truth};
use crate::Error;

/// Levels of units that are read and written.
const DEPTH: usize = 50;

/// Reads a plan. `payload` gives the bytes behind a file's name.
pub(crate) fn read_plan(
    node: Node,
    payload: &mut dyn FnMut(&str) -> Option<PayloadRef>,
) -> Result<FilePlan, Error> {
    let (units, rest) = part(node.nodes, "Einheit");
    let (files, nodes) = part(rest, "Aktenplandatei");
    let mut plan = read_own(&nodes);
    plan.extensions = kept(nodes, &make_own(&plan));
    plan.files = files.iter().map(|file| read_file(file, payload)).collect();
    plan.units = units.into_iter().map(|unit| read_unit(unit, DEPTH)).collect::<Result<_, _>>()?;
    Ok(plan)
}

/// Writes a plan. In one that is to be appraised everything has its id; elsewhere nothing has.
pub(crate) fn make_plan(plan: &FilePlan, with_ids: bool, place: &mut Place<'_>) -> Result<Node, Error> {
    let kept = super::super::extended::<Kept>(&plan.extensions)?.nodes;
    let mut nodes = merge(&kept, &make_own(&read_own(&kept)), &make_own(plan));
    check_id(&mut nodes, with_ids)?;
    nodes.extend(units(&plan.units, with_ids, DEPTH)?);
    for file in &plan.files {
        let format = make_file(file, place)?;
        nodes.push(Node { name: super::super::node::qualified("Aktenplandatei"), ..format });
    }
    Ok(group("Aktenplan", nodes))
}

/// Children of this name, and the others.
fn part(nodes: Vec<Node>, local: &str) -> (Vec<Node>, Vec<Node>) {
    nodes.into_iter().partition(|node| node.is(local))
}

fn kept(came: Vec<Node>, made: &[Node]) -> model::case::Extensions {
    let nodes = prune(came, made);
    if nodes.is_empty() {
        Default::default()
    } else {
        super::super::extension(&Kept { nodes, ..Kept::default() })
    }
}

fn read_own(nodes: &[Node]) -> FilePlan {
    let node = Node { nodes: nodes.to_vec(), ..Node::default() };
    let text = |local| node.text_of(local).map(str::to_owned);
    FilePlan {
        id: node.text_of("ID").and_then(|text| text.trim().parse().ok()),
        name: text("Bezeichnung").unwrap_or_default(),
        kind: text("Typ"),
        version: text("Version").unwrap_or_default(),
        valid: node.child("Gueltigkeit").and_then(read_period),
        ..FilePlan::default()
    }
}

fn make_own(plan: &FilePlan) -> Vec<Node> {
    let mut nodes: Vec<Node> = plan.id.map(|id| leaf("ID", id.to_string())).into_iter().collect();
    nodes.push(leaf("Bezeichnung", &plan.name));
    nodes.extend(plan.kind.as_ref().map(|text| leaf("Typ", text)));
    nodes.push(leaf("Version", &plan.version));
    nodes.extend(plan.valid.as_ref().and_then(|period| make_period(period, "Gueltigkeit")));
    nodes
}

fn read_unit(node: Node, depth: usize) -> Result<FilePlanNode, Error> {
    let depth = depth.checked_sub(1).ok_or(Error::TooDeep)?;
    let (units, nodes) = part(node.nodes, "Einheit");
    let mut unit = read_own_unit(&nodes);
    unit.extensions = kept(nodes, &make_own_unit(&unit));
    unit.units = units.into_iter().map(|unit| read_unit(unit, depth)).collect::<Result<_, _>>()?;
    Ok(unit)
}

fn units(units: &[FilePlanNode], with_ids: bool, depth: usize) -> Result<Vec<Node>, Error> {
    let depth = depth.checked_sub(1).ok_or(Error::TooDeep)?;
    let make = |unit: &FilePlanNode| {
        let kept = super::super::extended::<Kept>(&unit.extensions)?.nodes;
        let old = make_own_unit(&read_own_unit(&kept));
        let mut nodes = merge(&kept, &old, &make_own_unit(unit));
        check_id(&mut nodes, with_ids)?;
        if ["Aussonderungsart", "Aufbewahrungsdauer"]
            .iter()
            .any(|local| !nodes.iter().any(|node| node.is(local)))
        {
            return Err(Error::Unsupported { what: "a unit of a file plan without its retention" });
        }
        nodes.extend(self::units(&unit.units, with_ids, depth)?);
        Ok(group("Einheit", nodes))
    };
    units.iter().map(make).collect()
}

/// An id has its place only in what is appraised, and must be there: whoever gave it keeps it, and nobody else may.
fn check_id(nodes: &mut Vec<Node>, with_ids: bool) -> Result<(), Error> {
    if with_ids && !nodes.iter().any(|node| node.is("ID")) {
        return Err(Error::Unsupported { what: "a file plan to be appraised in which something has no id" });
    }
    nodes.retain(|node| with_ids || !node.is("ID"));
    Ok(())
}

fn read_own_unit(nodes: &[Node]) -> FilePlanNode {
    let node = Node { nodes: nodes.to_vec(), ..Node::default() };
    let (disposition, other_disposition) =
        node.child("Aussonderungsart").map(read_disposition).unwrap_or_default();
    let mut retention = node.child("Aufbewahrungsdauer").map(read_duration).unwrap_or_default();
    retention.disposition = disposition;
    FilePlanNode {
        id: node.text_of("ID").and_then(|text| text.trim().parse().ok()),
        unit: read_unit_names(&node),
        retention,
        other_disposition,
        valid: node.child("Gueltigkeit").and_then(read_period),
        retired: node.text_of("Stillgelegt").and_then(truth).unwrap_or_default(),
        references: node.children("VerweisAktenplaneinheit").map(|node| node.text.clone()).collect(),
        ..FilePlanNode::default()
    }
}

fn make_own_unit(unit: &FilePlanNode) -> Vec<Node> {
    let mut nodes = make_unit_names(&unit.unit);
    nodes.extend(unit.id.map(|id| leaf("ID", id.to_string())));
    nodes.extend(make_disposition(unit.retention.disposition, unit.other_disposition.as_deref()));
    nodes.extend(unit.valid.as_ref().and_then(|period| make_period(period, "Gueltigkeit")));
    nodes.push(leaf("Stillgelegt", digit(unit.retired)));
    nodes.extend(make_duration(&unit.retention));
    nodes.extend(unit.references.iter().map(|text| leaf("VerweisAktenplaneinheit", text)));
    nodes
}
