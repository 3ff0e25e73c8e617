//! Attachments of containers: decrypted, and digested as their authors saw them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use seal::algorithm::{BlockCipher, DigestMethod};
use seal::xmldsig::{Hasher, OutsideDigests};
use seal::xmlenc::{ContentKey, Decryptor, Plaintext};

use super::draft::Sink;
use super::{Attached, Reader};
use crate::{Error, Result};

/// What is wanted of an attachment: digests, after decrypting it if there is a key.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) methods: Vec<DigestMethod>,
    pub(super) key: Option<(BlockCipher, usize, ContentKey)>,
}

/// The bytes of one attachment.
pub(super) fn open(reader: &Reader<'_>, attached: &Attached) -> Result<Plaintext> {
    let bytes = reader.package.attachment(&attached.content_id);
    let mut bytes = bytes.ok_or(Error::Malformed("an attachment is missing"))?;
    plain(reader, attached.key.as_ref(), &mut *bytes)
}

/// Digests of the plaintext of attachments, as far as they are there.
pub(super) fn digests(reader: &Reader<'_>, wanted: &BTreeMap<String, Wanted>) -> Result<OutsideDigests> {
    let mut digests = OutsideDigests::new();
    for (id, wanted) in wanted {
        let Some(mut bytes) = reader.package.attachment(id) else { continue };
        let plain = plain(reader, wanted.key.as_ref(), &mut *bytes)?;
        for method in &wanted.methods {
            let mut hasher = Hasher::new(*method)?;
            io::copy(&mut plain.open(), &mut hasher)?;
            digests.insert(&format!("cid:{id}"), *method, hasher.finish()?);
        }
    }
    Ok(digests)
}

fn plain(
    reader: &Reader<'_>,
    key: Option<&(BlockCipher, usize, ContentKey)>,
    part: &mut dyn io::Read,
) -> Result<Plaintext> {
    let Some((cipher, iv_bytes, key)) = key else {
        let mut staging = reader.limits.staging();
        io::copy(part, &mut staging)?;
        return Ok(staging.finish());
    };
    let staging = reader.limits.staging();
    let mut sink = Sink(Decryptor::new(reader.policy, *cipher, *iv_bytes, key.clone(), staging)?);
    io::copy(part, &mut sink)?;
    sink.flush()?;
    Ok(sink.0.finish()?)
}
