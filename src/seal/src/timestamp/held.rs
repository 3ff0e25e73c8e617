//! Stamps without the answer that they came in: as records of evidence hold them (RFC 4998, section 3.1).

use super::{Authorities, Timestamp, response, token::read_info};
use crate::der::{OID, Reader, SEQUENCE, SET, context, element};
use crate::hash::Algorithm;
use crate::{Error, Result};

/// The longest token that is looked at, in bytes: revocation lists lie inside.
pub const MAX_TOKEN: usize = 2 << 20;

/// What a token says of itself; nothing of it is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Algorithm of the digest that is stamped.
    pub algorithm: Algorithm,
    /// When.
    pub stamp: Timestamp,
    /// Version of the CMS SignedData: 3, or 5 where answers of OCSP lie inside.
    pub version: u32,
    /// Certificates that lie inside.
    pub certificates: usize,
    /// Whether revocation lists or answers lie inside of the SignedData.
    pub has_revocation: bool,
}

/// The token of an answer that grants one.
///
/// # Errors
/// [`Error::TimestampMalformed`], [`Error::TimestampRejected`].
pub fn token_of(answer: &[u8]) -> Result<&[u8]> {
    Ok(response::token(answer)?.whole)
}

/// What a token says of itself.
///
/// # Errors
/// [`Error::TimestampMalformed`]; [`Error::TimestampDiffers`] if its digest is of an unknown algorithm.
pub fn inspect(token: &[u8]) -> Result<Facts> {
    let token = response::content_info(limited(token)?)?;
    let info = read_info(token.info)?;
    Ok(Facts {
        algorithm: info.algorithm,
        stamp: info.timestamp(),
        version: token.version,
        certificates: token.certificates.len(),
        has_revocation: token.has_revocation,
    })
}

/// Whether a token stamps this digest; see [`super::check`].
///
/// # Errors
/// As [`super::check`].
pub fn check_token(
    token: &[u8],
    digest: (Algorithm, &[u8]),
    authorities: Option<&Authorities>,
) -> Result<Timestamp> {
    Ok(response::content_info(limited(token)?)?.verified(digest, authorities)?.timestamp())
}

/// Whether the certificates of a token's signer are valid at a time, in microseconds since 1970: the chain to an authority, or without any
/// the signer's own. `false` also for a token that names no signer; whether it is right is [`check_token`]'s matter.
pub fn counts_at(token: &[u8], authorities: Option<&Authorities>, at_micros: i64) -> bool {
    let token = limited(token).and_then(response::content_info);
    token.is_ok_and(|token| token.counts_at(authorities, at_micros).unwrap_or(false))
}

/// The same token with revocation lists (CertificateList in DER) in its SignedData. They lie outside of what is signed, so the signature
/// stays what it is. TR-ESOR demands them, and time stamp authorities leave them out.
///
/// # Errors
/// [`Error::TimestampMalformed`] if the token or a list is no DER.
pub fn with_revocation(token: &[u8], lists: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut info = Reader::new(limited(token)?, "token").enter(SEQUENCE)?;
    let kind = info.expect(OID)?;
    let mut explicit = info.enter(context(0))?;
    let mut data = explicit.enter(SEQUENCE)?;
    let head = [data.any()?, data.any()?, data.any()?, data.maybe(context(0))?];
    let before = data.maybe(context(1))?.map_or(&[][..], |old| old.content);
    let signers = data.expect(SET)?;
    data.end()?;
    let mut all = before.to_vec();
    for list in lists {
        let mut reader = Reader::new(list, "revocation list");
        all.extend(reader.expect(SEQUENCE)?.whole);
        reader.end()?;
    }
    let head: Vec<u8> = head.iter().flatten().flat_map(|part| part.whole.to_vec()).collect();
    let data = element(SEQUENCE, &[&head, &element(context(1), &[&all]), signers.whole]);
    Ok(element(SEQUENCE, &[kind.whole, &element(context(0), &[&data])]))
}

fn limited(token: &[u8]) -> Result<&[u8]> {
    if token.len() > MAX_TOKEN { Err(Error::TimestampMalformed("token")) } else { Ok(token) }
}
