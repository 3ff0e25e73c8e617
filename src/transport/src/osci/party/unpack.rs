//! Opening a delivery for its recipient: decrypted with the recipient's keys, the signatures of its authors verified
//! (OSCI-Transport 1.2, section 4.1.3). What is wrong with it is told by one rule, of which each has a page.

use ::osci::content::{Part, Reader};
use ::osci::message::Message;
use ::osci::package::Package;
use ::osci::{Error, Result};
use seal::x509::Certificate;
use seal::xmlenc::Plaintext;

use super::Party;
use super::line::Lines;

/// Contents that are looked at in one delivery.
const MOST: usize = 100;

/// A content that somebody may have to read.
pub(super) struct Leaf {
    /// Name of the file, if it has one.
    pub(super) name: Option<String>,
    /// Who signed it. Whether they are known is another question.
    pub(super) authors: Vec<Certificate>,
    /// Its bytes.
    pub(super) bytes: Plaintext,
}

/// Why a delivery cannot be read, by its rule.
pub(super) type Rule = &'static str;

/// Opens everything that is for a party.
///
/// # Errors
/// Only if our own disk fails; what is wrong with the delivery is a rule.
pub(super) fn unpack(
    lines: &Lines,
    party: &Party,
    package: &Package,
    message: &Message,
) -> Result<std::result::Result<Vec<Leaf>, Rule>> {
    let reader =
        Reader { package, message, keys: &party.cipher, policy: &lines.policy, limits: &lines.limits };
    let mut found = Found::default();
    let outcome = reader.read().and_then(|parts| found.gather(&reader, parts, &[]));
    match outcome {
        Err(Error::Io(error)) => Err(Error::Io(error)),
        Err(Error::Security(seal::Error::EncryptionStaging(error))) => Err(Error::Io(error)),
        Err(error) => Ok(Err(rule(&error))),
        Ok(()) if found.leaves.is_empty() && found.locked => Ok(Err("osci-party.not-opened")),
        Ok(()) if found.leaves.is_empty() => Ok(Err("osci-party.no-content")),
        Ok(()) => Ok(Ok(found.leaves)),
    }
}

#[derive(Default)]
struct Found {
    leaves: Vec<Leaf>,
    locked: bool,
}

impl Found {
    /// Goes through parts; those of a container that nobody signed are its outer container's.
    fn gather(&mut self, reader: &Reader<'_>, parts: Vec<Part>, authors: &[Certificate]) -> Result<()> {
        for part in parts {
            let (name, bytes) = match part {
                Part::Locked => {
                    self.locked = true;
                    continue;
                }
                Part::Opened(inner) => {
                    self.gather(reader, inner, authors)?;
                    continue;
                }
                Part::Container(container) => {
                    let own = if container.authors.is_empty() { authors } else { &container.authors };
                    self.gather(reader, container.parts, own)?;
                    continue;
                }
                Part::Inline { bytes, .. } => (None, bytes),
                Part::Attachment(attached) => {
                    (file_name(&attached.content_id), reader.open_attachment(&attached)?)
                }
            };
            if self.leaves.len() == MOST {
                return Err(Error::Malformed("a delivery holds too many contents"));
            }
            self.leaves.push(Leaf { name, authors: authors.to_vec(), bytes });
        }
        Ok(())
    }
}

/// A Content-ID that looks like the name of a file.
fn file_name(content_id: &str) -> Option<String> {
    let (stem, ending) = content_id.rsplit_once('.')?;
    let is_ending = (1..=4).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphanumeric());
    let is_file = is_ending && !stem.is_empty() && !content_id.contains(['/', '\\', '@']);
    is_file.then(|| content_id.to_owned())
}

fn rule(error: &Error) -> Rule {
    match error {
        Error::Security(error) if error.code().starts_with("signature.") => "osci-party.not-verified",
        Error::Security(error) if error.code().starts_with("encryption.") => "osci-party.not-opened",
        Error::Security(seal::Error::AlgorithmForbidden | seal::Error::AlgorithmUnknown) => {
            "osci-party.not-allowed"
        }
        _ => "osci-party.malformed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_file_has_a_name() {
        assert_eq!(file_name("a_Aussonderung.0401.zip").as_deref(), Some("a_Aussonderung.0401.zip"));
        for none in ["attachment1", ".zip", "part1@example.org", "a/b.zip", "1.22222", "x."] {
            assert_eq!(file_name(none), None, "{none}");
        }
    }
}
