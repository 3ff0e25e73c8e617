//! How 2.x and 4.0 say results and appraisals, and the form in which 3.1.0 says them: 2.x has one result of everything with the
//! archive's names of objects in it, and bare codes; 4.0 has a result of everything and of each object, and other names of ids.

use model::{Finding, Report};

use super::body::appraisals;
use super::body::results::{self, WHOLE};
use super::messages::Version;
use super::node::{Node, group, leaf, qualified};
use super::text::{digit, truth};
use crate::Error;

/// Name of an id in 4.0.
const UUID_4: &str = "xdomeaUUID";
/// Longest text that several are put together to.
const TEXT_CHARACTERS: usize = 2_000;

fn is_2(version: Version) -> bool {
    version < Version::V3_0_0
}

fn renamed(node: Node, local: &str) -> Node {
    Node { name: qualified(local), ..node }
}

/// The elements of 3.1.0 that say what an element of `version` says.
pub(crate) fn raise(version: Version, code: &str, node: Node) -> Vec<Node> {
    match (code, node.local()) {
        ("0402" | "0506", WHOLE) if is_2(version) => raise_whole_2(node),
        ("0502", "BewertetesObjekt") if is_2(version) => vec![raise_appraisal_2(node)],
        ("0502" | "0513", "BewertetesSGO" | "BewerteteAktenplaneinheit") if version == Version::V4_0_0 => {
            let nodes = node.nodes.iter().cloned().map(|child| rename_child(child, UUID_4, "ID")).collect();
            vec![Node { nodes, ..renamed(node, appraisals::name(code)) }]
        }
        ("0506" | "0514", "AusgesondertesSGO" | "BewerteteAktenplaneinheit")
            if version == Version::V4_0_0 =>
        {
            vec![raise_object_4(code, node)]
        }
        _ => vec![node],
    }
}

fn rename_child(node: Node, from: &str, to: &str) -> Node {
    if node.is(from) { renamed(node, to) } else { node }
}

fn raise_whole_2(node: Node) -> Vec<Node> {
    let (objects, rest): (Vec<Node>, Vec<Node>) =
        node.nodes.iter().cloned().partition(|child| child.is("Rueckgabeparameter"));
    let mut nodes = vec![Node { nodes: rest, ..node }];
    nodes.extend(objects.into_iter().map(|object| {
        let nodes = object.nodes.iter().cloned().map(|child| rename_child(child, "ID", "IDSGO")).collect();
        Node { nodes, ..renamed(object, "AusgesondertesSGO") }
    }));
    nodes
}

fn raise_appraisal_2(mut node: Node) -> Node {
    for child in node.nodes.iter_mut().filter(|child| child.is("Aussonderungsart")) {
        *child = group("Aussonderungsart", vec![std::mem::take(child)]);
    }
    node
}

fn raise_object_4(code: &str, node: Node) -> Node {
    let mut nodes = Vec::new();
    for child in node.nodes.iter().cloned() {
        match child.local() {
            WHOLE => nodes.extend(child.nodes),
            _ => nodes.push(rename_child(child, UUID_4, results::names(code).1)),
        }
    }
    Node { nodes, ..node }
}

/// The elements of `version` that say what these say; what it has no place for goes into `report`, and what it asks for and a message
/// that came (`is_copy`) did not say.
///
/// # Errors
/// [`Error::Unsupported`] if the version cannot say it at all.
pub(crate) fn lower(
    version: Version,
    code: &str,
    nodes: Vec<Node>,
    is_copy: bool,
    report: &mut Report,
) -> Result<Vec<Node>, Error> {
    match code {
        "0502" | "0513" => nodes.into_iter().map(|node| lower_appraisal(version, code, node)).collect(),
        _ => lower_results(version, code, nodes, is_copy, report),
    }
}

fn lower_appraisal(version: Version, code: &str, mut node: Node) -> Result<Node, Error> {
    if version == Version::V4_0_0 {
        let name = if code == "0502" { "BewertetesSGO" } else { "BewerteteAktenplaneinheit" };
        node.nodes = node.nodes.into_iter().map(|child| rename_child(child, "ID", UUID_4)).collect();
        return Ok(renamed(node, name));
    }
    if is_2(version) {
        for child in node.nodes.iter_mut().filter(|child| child.is("Aussonderungsart")) {
            let bare = child.child("Aussonderungsart").cloned();
            *child = bare
                .ok_or(Error::Unsupported { what: "an appraisal that only both sides know, before 3.0" })?;
        }
    }
    Ok(node)
}

fn lower_results(
    version: Version,
    code: &str,
    nodes: Vec<Node>,
    is_copy: bool,
    report: &mut Report,
) -> Result<Vec<Node>, Error> {
    let (whole, objects): (Vec<Node>, Vec<Node>) = nodes.into_iter().partition(|node| node.is(WHOLE));
    let whole = whole.into_iter().next();
    let asks_whole = is_2(version) || version == Version::V4_0_0;
    if whole.is_none() && asks_whole && is_copy {
        report.add(Finding { path: Some(WHOLE.to_owned()), ..Finding::warning("xdomea.filled-in") });
    }
    if is_2(version) {
        return Ok(vec![lower_whole_2(whole, &objects, report)]);
    }
    if version == Version::V4_0_0 {
        let whole = whole.unwrap_or_else(|| sum_up(&objects));
        let objects = objects.into_iter().map(|object| lower_object_4(code, inherit(object, &whole)));
        let objects: Vec<Node> = objects.collect();
        return Ok(std::iter::once(whole).chain(objects).collect());
    }
    lower_objects_3(whole, objects, report)
}

/// Results of objects alone. That they are everything is not said by them.
fn lower_objects_3(whole: Option<Node>, objects: Vec<Node>, report: &mut Report) -> Result<Vec<Node>, Error> {
    if objects.is_empty() {
        return Err(Error::Unsupported { what: "a result of everything that names no object" });
    }
    let Some(whole) = whole else { return Ok(objects) };
    let objects: Vec<Node> = objects.into_iter().map(|object| inherit(object, &whole)).collect();
    if succeeded(&whole).is_some_and(|all| all != all_succeeded(&objects)) {
        return Err(Error::Unsupported { what: "a result of everything that those of objects do not give" });
    }
    report.add(not_carried(WHOLE));
    Ok(objects)
}

/// The result of everything, from those of objects.
fn sum_up(objects: &[Node]) -> Node {
    group(WHOLE, vec![leaf("Erfolgreich", digit(all_succeeded(objects)))])
}

/// What the version has no place for.
pub(crate) fn not_carried(place: &str) -> Finding {
    Finding { path: Some(place.to_owned()), ..Finding::warning("xdomea.not-carried") }
}

fn succeeded(node: &Node) -> Option<bool> {
    node.text_of("Erfolgreich").and_then(truth)
}

fn all_succeeded(objects: &[Node]) -> bool {
    objects.iter().all(|object| succeeded(object) != Some(false))
}

/// An object of which nothing is said but what it is called has the result of everything.
fn inherit(mut object: Node, whole: &Node) -> Node {
    if object.child("Erfolgreich").is_none() {
        let behind_id = object.nodes.len().min(1);
        object.nodes.splice(behind_id..behind_id, whole.nodes.iter().cloned());
    }
    object
}

fn lower_object_4(code: &str, node: Node) -> Node {
    let id = results::names(code).1;
    let mut nodes = Vec::new();
    let mut result = Vec::new();
    let mut behind = Vec::new();
    for child in node.nodes.iter().cloned() {
        match child.local() {
            local if local == id => nodes.push(renamed(child, UUID_4)),
            "Archivkennung" => behind.push(child),
            _ => result.push(child),
        }
    }
    nodes.push(group(WHOLE, result));
    nodes.extend(behind);
    Node { nodes, ..node }
}

/// One result, one text, and what the archive calls objects. What single objects say besides is put together.
fn lower_whole_2(whole: Option<Node>, objects: &[Node], report: &mut Report) -> Node {
    let has_whole = whole.is_some();
    let whole = whole.unwrap_or_else(|| sum_up(objects));
    let mut texts: Vec<Node> = whole.children("Fehlermeldung").cloned().collect();
    if !has_whole {
        texts.extend(objects.iter().flat_map(|object| object.children("Fehlermeldung").cloned()));
    }
    let is_own = |object: &Node| {
        let differs = succeeded(object).is_some_and(|own| Some(own) != succeeded(&whole));
        differs || object.child("FehlermeldungCode").is_some() || object.child("Fehlermeldung").is_some()
    };
    if whole.child("FehlermeldungCode").is_some() || texts.len() > 1 || objects.iter().any(is_own) {
        report.add(not_carried("Fehlermeldung"));
    }
    let mut nodes: Vec<Node> = whole.child("Erfolgreich").cloned().into_iter().collect();
    nodes.extend(together(texts));
    for object in objects {
        let Some(name) = object.child("Archivkennung") else { continue };
        let id = object.child("IDSGO").cloned().map(|id| renamed(id, "ID"));
        let nodes_2 = id.into_iter().chain([name.clone()]).collect();
        nodes.push(group("Rueckgabeparameter", nodes_2));
    }
    Node { nodes, ..whole }
}

fn together(mut texts: Vec<Node>) -> Option<Node> {
    if texts.len() < 2 {
        return texts.pop();
    }
    let mut all: Vec<String> = texts.into_iter().map(|node| node.text).collect();
    all.dedup();
    Some(leaf("Fehlermeldung", all.join("; ").chars().take(TEXT_CHARACTERS).collect::<String>()))
}
