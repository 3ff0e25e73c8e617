//! Results of an import: AbgegebenesObjekt (0402), AusgesondertesSGO (0506), BewerteteAktenplaneinheit (0514). 3.x says them object by
//! object; 2.x says one of everything, 4.0 both: theirs stands before the objects as ErfolgOderMisserfolg, and an object of which
//! nothing more is said has no Erfolgreich.

use model::Id;
use model::exchange::{ImportResult, ImportResults};

use super::super::merge::merge;
use super::super::node::{Node, group, leaf};
use super::super::text::{digit, truth};
use crate::Error;

/// The result of everything.
pub(crate) const WHOLE: &str = "ErfolgOderMisserfolg";

/// Names of the element of one object, and of its id, in messages of this type.
pub(crate) fn names(code: &str) -> (&'static str, &'static str) {
    match code {
        "0402" => ("AbgegebenesObjekt", "IDSGO"),
        "0506" => ("AusgesondertesSGO", "IDSGO"),
        _ => ("BewerteteAktenplaneinheit", "ID"),
    }
}

/// Bytes in memory of one result without its texts.
pub(crate) const RESULT_BYTES: usize = size_of::<(Id, ImportResult)>();
/// Bytes in memory of one text of a result without its letters.
pub(crate) const TEXT_BYTES: usize = size_of::<String>();

/// Bytes in memory that the model holds of one result, about.
pub(crate) fn cost(result: &ImportResult) -> usize {
    let texts = result.messages.iter().chain(&result.archive_reference);
    RESULT_BYTES + texts.map(|text| TEXT_BYTES + text.len()).sum::<usize>()
}

/// Takes an element into the results, and gives back what of it the model would write differently.
pub(crate) fn take(code: &str, node: Node, results: &mut ImportResults) -> Result<Option<Node>, Error> {
    let made = if node.is(WHOLE) {
        let made = make_whole(results.whole.insert(read(&node, false)));
        Some(made)
    } else {
        let holds = results.whole.as_ref().is_some_and(|whole| whole.successful);
        let result = read_object(code, &node, holds).ok_or(Error::Unreadable)?;
        let made = make_object(code, &result);
        results.objects.push(result);
        Some(made)
    };
    Ok((made.as_ref() != Some(&node)).then_some(node))
}

/// The elements of all results, with what was kept of them.
pub(crate) fn make(code: &str, results: &ImportResults, kept: &[Node]) -> Vec<Node> {
    let whole = kept.iter().find(|node| node.is(WHOLE));
    let mut nodes = merge(
        whole.map(std::slice::from_ref).unwrap_or_default(),
        &whole.map(|node| make_whole(&read(node, false))).into_iter().collect::<Vec<_>>(),
        &results.whole.iter().map(make_whole).collect::<Vec<_>>(),
    );
    let holds = results.whole.as_ref().is_some_and(|whole| whole.successful);
    let kept: Vec<Node> = kept.iter().filter(|node| node.is(names(code).0)).cloned().collect();
    let old: Vec<Node> = kept
        .iter()
        .filter_map(|node| read_object(code, node, holds))
        .map(|result| make_object(code, &result))
        .collect();
    let new: Vec<Node> = results.objects.iter().map(|result| make_object(code, result)).collect();
    nodes.extend(merge(&kept, &old, &new));
    nodes
}

fn read(node: &Node, holds: bool) -> ImportResult {
    ImportResult {
        successful: node.text_of("Erfolgreich").and_then(truth).unwrap_or(holds),
        messages: node.children("Fehlermeldung").map(|node| node.text.clone()).collect(),
        archive_reference: node.text_of("Archivkennung").map(str::to_owned),
        ..ImportResult::default()
    }
}

/// `None` if its UUID cannot be used. `holds` is what is said of everything.
fn read_object(code: &str, node: &Node, holds: bool) -> Option<(Id, ImportResult)> {
    let id = node.text_of(names(code).1)?.trim().parse().ok()?;
    Some((id, read(node, holds)))
}

fn make_whole(result: &ImportResult) -> Node {
    group(WHOLE, make_parts(result))
}

fn make_object(code: &str, (id, result): &(Id, ImportResult)) -> Node {
    let (element, id_element) = names(code);
    let mut nodes = vec![leaf(id_element, id.to_string())];
    nodes.extend(make_parts(result));
    if code == "0506" {
        nodes.extend(result.archive_reference.as_ref().map(|text| leaf("Archivkennung", text)));
    }
    group(element, nodes)
}

fn make_parts(result: &ImportResult) -> Vec<Node> {
    let mut nodes = vec![leaf("Erfolgreich", digit(result.successful))];
    nodes.extend(result.messages.iter().map(|text| leaf("Fehlermeldung", text)));
    nodes
}
