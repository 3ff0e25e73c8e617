//! The Merkle tree of RFC 6962 section 2.1 (RFC 9162 section 2.1) with SHA-256.
//!
//! Leaf = SHA-256(0x00 ‖ data), node = SHA-256(0x01 ‖ left ‖ right), the empty tree = SHA-256 of nothing. A tree of n
//! leaves splits at the largest power of two below n; pairing neighbours level by level and carrying an odd last one
//! up unchanged builds the same tree.

use crate::{Digest, sha256};

/// The hash of a leaf with this data.
pub fn leaf_hash(data: &[u8]) -> Digest {
    sha256(&[&[0], data])
}

/// The hash of an inner node.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    sha256(&[&[1], &left.0, &right.0])
}

/// Computes a root from leaf hashes that pass by; holds one hash per level.
#[derive(Clone, Debug, Default)]
pub struct RootBuilder {
    /// Roots of complete subtrees, the largest first; their sizes are the set bits of `count`.
    peaks: Vec<Digest>,
    count: u64,
}

impl RootBuilder {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a leaf by its hash (see [`leaf_hash`]).
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        // Each trailing one-bit of the count is a complete subtree of the same size as `node`.
        for _ in 0..self.count.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.count += 1;
    }

    /// The number of leaves.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The root over all leaves pushed so far.
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let Some(&last) = peaks.next() else {
            return sha256(&[]);
        };
        peaks.fold(last, |right, left| node_hash(left, &right))
    }
}

/// A tree in memory, for inclusion proofs: 64 bytes per leaf.
#[derive(Clone, Debug)]
pub struct Tree {
    /// `levels[0]` holds the leaf hashes, the last level the root alone.
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    /// Builds the tree over these leaf hashes (see [`leaf_hash`]).
    pub fn new(leaves: Vec<Digest>) -> Self {
        let mut levels = vec![leaves];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            let next = level
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => node_hash(left, right),
                    single => single[0],
                })
                .collect();
            levels.push(next);
        }
        Self { levels }
    }

    /// The root.
    pub fn root(&self) -> Digest {
        match self.levels.last().and_then(|level| level.first()) {
            Some(root) => *root,
            None => sha256(&[]),
        }
    }

    /// The audit path of the leaf at `index`, from the bottom up; `None` if there is no such leaf.
    pub fn proof(&self, index: u64) -> Option<Vec<Digest>> {
        let mut index = usize::try_from(index).ok()?;
        if index >= self.levels[0].len() {
            return None;
        }
        let mut path = Vec::new();
        for level in &self.levels {
            // An odd last node has no sibling on its level: it was carried up unchanged.
            path.extend(level.get(index ^ 1));
            index /= 2;
        }
        Some(path)
    }
}

/// Whether `path` proves that the leaf hash stands at `index` of the tree with `size` leaves and this root (RFC 9162
/// section 2.1.3.2).
pub fn proves(leaf: &Digest, index: u64, size: u64, path: &[Digest], root: &Digest) -> bool {
    if index >= size {
        return false;
    }
    let (mut position, mut last) = (index, size - 1);
    let mut node = *leaf;
    for sibling in path {
        if last == 0 {
            return false;
        }
        if position & 1 == 1 || position == last {
            node = node_hash(sibling, &node);
            // Skip the levels on which this node was carried up without a sibling.
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            node = node_hash(&node, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    last == 0 && node == *root
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MTH and PATH literally as RFC 6962 section 2.1 defines them.
    fn rfc_root(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => sha256(&[]),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                node_hash(&rfc_root(left), &rfc_root(right))
            }
        }
    }

    fn rfc_path(index: usize, leaves: &[Digest]) -> Vec<Digest> {
        if leaves.len() < 2 {
            return Vec::new();
        }
        let at = split(leaves.len());
        let (left, right) = leaves.split_at(at);
        let (mut path, sibling) = match index < at {
            true => (rfc_path(index, left), rfc_root(right)),
            false => (rfc_path(index - at, right), rfc_root(left)),
        };
        path.push(sibling);
        path
    }

    fn split(length: usize) -> usize {
        length.next_power_of_two() / 2
    }

    fn leaves(count: u32) -> Vec<Digest> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    #[test]
    fn roots_and_proofs_follow_the_rfc_for_every_size() {
        for count in 1..200 {
            let leaves = leaves(count);
            let tree = Tree::new(leaves.clone());
            let mut builder = RootBuilder::new();
            leaves.iter().for_each(|leaf| builder.push(*leaf));
            let root = rfc_root(&leaves);
            assert_eq!((tree.root(), builder.root()), (root, root), "{count}");
            for (index, leaf) in leaves.iter().enumerate() {
                let path = tree.proof(index as u64).unwrap();
                assert_eq!(path, rfc_path(index, &leaves));
                assert!(proves(leaf, index as u64, u64::from(count), &path, &root));
            }
            assert_eq!(tree.proof(u64::from(count)), None);
        }
    }

    #[test]
    fn a_proof_holds_for_its_own_place_only() {
        for count in 1..40 {
            let leaves = leaves(count);
            let (tree, size) = (Tree::new(leaves.clone()), u64::from(count));
            for index in 0..size {
                let path = tree.proof(index).unwrap();
                let leaf = &leaves[index as usize];
                for other in (0..=size).filter(|other| *other != index) {
                    assert!(!proves(leaf, other, size, &path, &tree.root()));
                }
                let mut longer = path.clone();
                longer.push(Digest::ZERO);
                assert!(!proves(leaf, index, size, &longer, &tree.root()));
                if let Some((_, shorter)) = path.split_last() {
                    assert!(!proves(leaf, index, size, shorter, &tree.root()));
                }
                for step in 0..path.len() {
                    let mut changed = path.clone();
                    changed[step].0[31] ^= 1;
                    assert!(!proves(leaf, index, size, &changed, &tree.root()));
                }
            }
        }
    }

    /// The test tree of the Certificate Transparency project.
    #[test]
    fn the_well_known_roots_come_out() {
        let data = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut builder = RootBuilder::new();
        assert_eq!(builder.root().to_string(), roots[0]);
        for (data, root) in data.iter().zip(&roots[1..]) {
            builder.push(leaf_hash(&hex::decode(data).unwrap()));
            assert_eq!(builder.root().to_string(), *root, "{} leaves", builder.count());
        }
    }
}
