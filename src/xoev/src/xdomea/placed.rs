//! The files that a message being written needs, by their names in its container.

use std::collections::BTreeMap;

use model::{Id, PayloadRef};

use super::messages::leading_uuid;
use crate::Error;
use crate::container::folded;

/// A payload in little memory: there may be thousands.
#[derive(PartialEq, Eq)]
struct Compact {
    id: Id,
    size: u64,
    sha256: [u8; 32],
    chunk_root: [u8; 32],
    /// The name, if it has capitals.
    name: Option<Box<str>>,
}

/// Files by lower-case name: names that differ by case or composition only would replace each other.
#[derive(Default)]
pub(crate) struct Placed(BTreeMap<Box<str>, Compact>);

impl Placed {
    /// Takes a file and returns the name that it goes under: the one given, or another if that is
    /// taken. `exactly` refuses another name, because something refers to the file by it.
    pub(crate) fn place(&mut self, name: &str, payload: &PayloadRef, exactly: bool) -> Result<String, Error> {
        let mut number = 1;
        let mut candidate = name.to_owned();
        loop {
            let key: Box<str> = folded(&candidate).into();
            let entry = compact(payload, &candidate, &key)?;
            match self.0.get(&key) {
                None => {
                    self.0.insert(key, entry);
                    return Ok(candidate);
                }
                Some(same) if *same == entry => return Ok(candidate),
                Some(_) if exactly => return Err(Error::NameConflict),
                Some(_) => {
                    number += 1;
                    candidate = numbered(name, number);
                }
            }
        }
    }

    /// Names and payloads, sorted by name.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, PayloadRef)> {
        self.0.iter().map(|(key, entry)| {
            let payload = PayloadRef {
                id: entry.id,
                size: entry.size,
                sha256: hex::encode(entry.sha256),
                chunk_root: hex::encode(entry.chunk_root),
            };
            (entry.name.as_deref().unwrap_or(key), payload)
        })
    }
}

fn compact(payload: &PayloadRef, name: &str, key: &str) -> Result<Compact, Error> {
    let digest = |text: &str| {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map(|()| bytes).map_err(|_| Error::Extension)
    };
    Ok(Compact {
        id: payload.id,
        size: payload.size,
        sha256: digest(&payload.sha256)?,
        chunk_root: digest(&payload.chunk_root)?,
        name: (name != key).then(|| name.into()),
    })
}

/// The name with a number behind its UUID, so that it still is one.
fn numbered(name: &str, number: u32) -> String {
    let uuid = leading_uuid(name).unwrap_or_default();
    let rest = name[uuid.len()..].trim_start_matches('_');
    let separator = if rest.starts_with('.') { "" } else { "_" };
    format!("{uuid}_{number}{separator}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(number: u8) -> PayloadRef {
        let digest = hex::encode([number; 32]);
        PayloadRef { id: Id::from_bytes([number; 16]), size: 1, sha256: digest.clone(), chunk_root: digest }
    }

    #[test]
    fn a_name_is_given_once_whatever_its_case() {
        let id = "7bf9473a-b4a7-11ec-a407-005056871b7c";
        let mut placed = Placed::default();
        let mut place = |name: &str, number, exactly| placed.place(name, &payload(number), exactly);
        let name = format!("{id}_Plan.pdf");
        assert_eq!(place(&name, 1, false).unwrap(), name);
        assert_eq!(place(&name, 1, true).unwrap(), name, "the same file again");
        assert_eq!(
            place(&name.to_uppercase(), 2, false).unwrap(),
            format!("{}_2_PLAN.PDF", id.to_uppercase())
        );
        assert!(matches!(place(&name, 3, true), Err(Error::NameConflict)));
        assert_eq!(place(&format!("{id}.pdf"), 4, false).unwrap(), format!("{id}.pdf"));
        assert_eq!(place(&format!("{id}.pdf"), 5, false).unwrap(), format!("{id}_2.pdf"));
        let names: Vec<_> = placed.files().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names.len(), 4);
        assert!(names.contains(&format!("{id}_Plan.pdf")), "{names:?}");
    }
}
