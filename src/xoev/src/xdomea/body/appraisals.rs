//! Appraisals of the archive: BewertetesObjekt (0502), BewerteteAktenplaneinheit (0513).

use model::Id;
use model::exchange::Appraisal;

use super::super::merge::merge;
use super::super::node::{Node, group, leaf};
use super::super::record::{make_disposition, read_disposition};
use crate::Error;

/// Name of the element of one object in messages of this type.
pub(crate) fn name(code: &str) -> &'static str {
    match code {
        "0502" => "BewertetesObjekt",
        _ => "BewerteteAktenplaneinheit",
    }
}

/// Takes an element into the appraisals, and gives it back if the model would write it differently.
pub(crate) fn take(node: Node, appraisals: &mut Vec<(Id, Appraisal)>) -> Result<Option<Node>, Error> {
    let appraisal = read(&node).ok_or(Error::Unreadable)?;
    let is_same = make_one(node.local(), &appraisal).is_ok_and(|made| made == node);
    appraisals.push(appraisal);
    Ok((!is_same).then_some(node))
}

/// The elements of all appraisals, with what was kept of them.
///
/// # Errors
/// [`Error::Unsupported`] if one says nothing.
pub(crate) fn make(code: &str, appraisals: &[(Id, Appraisal)], kept: &[Node]) -> Result<Vec<Node>, Error> {
    let element = name(code);
    let kept: Vec<Node> = kept.iter().filter(|node| node.is(element)).cloned().collect();
    let old: Vec<Node> =
        kept.iter().filter_map(read).map(|one| make_one(element, &one)).collect::<Result<_, _>>()?;
    let new: Vec<Node> = appraisals.iter().map(|one| make_one(element, one)).collect::<Result<_, _>>()?;
    Ok(merge(&kept, &old, &new))
}

/// `None` if its UUID cannot be used.
fn read(node: &Node) -> Option<(Id, Appraisal)> {
    let id = node.text_of("ID")?.trim().parse().ok()?;
    let (disposition, other) = node.child("Aussonderungsart").map(read_disposition).unwrap_or_default();
    Some((id, Appraisal { disposition, other }))
}

fn make_one(element: &str, (id, appraisal): &(Id, Appraisal)) -> Result<Node, Error> {
    let disposition = make_disposition(appraisal.disposition, appraisal.other.as_deref());
    let disposition = disposition.ok_or(Error::Unsupported { what: "an appraisal that decides nothing" })?;
    Ok(group(element, vec![leaf("ID", id.to_string()), disposition]))
}
