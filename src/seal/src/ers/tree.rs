//! Hash trees (RFC 4998, section 4.2): one stamp for many groups of data, and for each group the reduced tree that leads to it.

use crate::Result;
use crate::hash::{Algorithm, digest};

/// A tree over groups of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// What is to be stamped.
    pub root: Vec<u8>,
    /// The reduced tree of each group, in the order of the groups.
    pub reduced: Vec<Vec<Vec<Vec<u8>>>>,
}

/// Makes a binary tree over `groups`, each the digests of the data of one record, in any order. Memory grows with the digests alone.
///
/// # Errors
/// [`crate::Error::TimestampMalformed`] if there is no group, or an empty one.
pub fn tree(algorithm: Algorithm, groups: &[Vec<Vec<u8>>]) -> Result<Tree> {
    if groups.is_empty() || groups.iter().any(Vec::is_empty) {
        return Err(crate::Error::TimestampMalformed("hash tree"));
    }
    let mut reduced: Vec<Vec<Vec<Vec<u8>>>> = groups.iter().map(|group| vec![sorted(group)]).collect();
    // Each node with the groups that lie below it.
    let leaf = |(place, group): (usize, &Vec<Vec<u8>>)| Ok((node(algorithm, group)?, vec![place]));
    let mut level: Vec<(Vec<u8>, Vec<usize>)> = groups.iter().enumerate().map(leaf).collect::<Result<_>>()?;
    while level.len() > 1 {
        let mut above = Vec::with_capacity(level.len().div_ceil(2));
        let mut nodes = level.into_iter();
        while let Some((left, mut below)) = nodes.next() {
            // The last of an odd number moves up as it is.
            let Some((right, below_right)) = nodes.next() else {
                above.push((left, below));
                break;
            };
            below.iter().for_each(|place| reduced[*place].push(vec![right.clone()]));
            below_right.iter().for_each(|place| reduced[*place].push(vec![left.clone()]));
            below.extend(below_right);
            above.push((node(algorithm, &[left, right])?, below));
        }
        level = above;
    }
    let root = level.pop().map(|(root, _)| root).unwrap_or_default();
    Ok(Tree { root, reduced })
}

/// The root that a reduced tree leads to.
pub(super) fn root(algorithm: Algorithm, lists: &[Vec<Vec<u8>>]) -> Result<Vec<u8>> {
    let mut below: Option<Vec<u8>> = None;
    for list in lists {
        let mut list = list.clone();
        list.extend(below);
        below = Some(node(algorithm, &list)?);
    }
    Ok(below.unwrap_or_default())
}

/// One digest stands for itself; several are sorted, concatenated and hashed.
fn node(algorithm: Algorithm, digests: &[Vec<u8>]) -> Result<Vec<u8>> {
    if let [only] = digests {
        return Ok(only.clone());
    }
    let sorted = sorted(digests);
    let parts: Vec<&[u8]> = sorted.iter().map(Vec::as_slice).collect();
    digest(algorithm, &parts)
}

fn sorted(digests: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut sorted = digests.to_vec();
    sorted.sort_unstable();
    sorted
}
