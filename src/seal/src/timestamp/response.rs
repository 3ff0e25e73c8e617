//! TimeStampResp (RFC 3161, section 2.4.2) and the CMS SignedData around the token (RFC 5652, section 5).

use super::{MAX_RESPONSE, token::Token};
use crate::{
    Error, Result,
    der::{OCTET_STRING, OID, Reader, SEQUENCE, SET, context},
};

/// Content of the OID 1.2.840.113549.1.7.2.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.16.1.4, id-ct-TSTInfo.
pub(super) const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
/// More certificates than any chain has.
const MAX_CERTIFICATES: usize = 16;

/// The token of a response that grants one.
pub(super) fn token(response: &[u8]) -> Result<Token<'_>> {
    if response.len() > MAX_RESPONSE {
        return Err(Error::TimestampMalformed("response"));
    }
    let mut outer = Reader::new(response, "response");
    let mut fields = outer.enter(SEQUENCE)?;
    outer.end()?;
    // Status texts and failure bits are the authority's words: they are not repeated.
    let status = fields.enter(SEQUENCE)?.small()?;
    if status > 1 {
        return Err(Error::TimestampRejected { status });
    }
    let token = fields.expect(SEQUENCE)?;
    fields.end()?;
    content_info(token.whole)
}

pub(super) fn content_info(whole: &[u8]) -> Result<Token<'_>> {
    let mut fields = Reader::new(whole, "token").enter(SEQUENCE)?;
    if fields.expect(OID)?.content != SIGNED_DATA {
        return Err(fields.malformed());
    }
    let mut explicit = fields.enter(context(0))?;
    fields.end()?;
    let mut data = explicit.enter(SEQUENCE)?;
    explicit.end()?;
    let version = data.small()?;
    data.expect(SET)?;
    let info = tst_info(&mut data)?;
    let certificates = certificates(&mut data)?;
    let has_revocation = data.maybe(context(1))?.is_some_and(|lists| !lists.content.is_empty());
    let mut signers = data.enter(SET)?;
    data.end()?;
    let signer = signers.enter(SEQUENCE)?;
    // RFC 3161, section 2.4.2: the token holds one signature only.
    signers.end()?;
    Ok(Token { whole, info, certificates, version, has_revocation, signer })
}

/// The DER of the TSTInfo.
fn tst_info<'a>(data: &mut Reader<'a>) -> Result<&'a [u8]> {
    let mut content = data.enter(SEQUENCE)?;
    if content.expect(OID)?.content != TST_INFO {
        return Err(content.malformed());
    }
    let mut explicit = content.enter(context(0))?;
    content.end()?;
    let info = explicit.expect(OCTET_STRING)?.content;
    explicit.end()?;
    Ok(info)
}

/// The DER of each certificate; other forms of certificates are passed over.
fn certificates<'a>(data: &mut Reader<'a>) -> Result<Vec<&'a [u8]>> {
    let mut found = Vec::new();
    let Some(set) = data.maybe(context(0))? else { return Ok(found) };
    let mut set = Reader::new(set.content, "certificates");
    while let Some(certificate) = set.any()? {
        if found.len() == MAX_CERTIFICATES {
            return Err(set.malformed());
        }
        if certificate.tag == SEQUENCE {
            found.push(certificate.whole);
        }
    }
    Ok(found)
}
