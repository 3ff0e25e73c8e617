//! Signature values over digests, as XML Signature 1.1 section 6.4 and RFC 9231 write them: RSASSA-PKCS1-v1_5,
//! RSASSA-PSS (MGF1 with the same digest, salt of the digest's length), ECDSA (r and s of the curve's length, one
//! behind the other).

use openssl::{
    bn::BigNum,
    ecdsa::EcdsaSig,
    hash::{Hasher, MessageDigest},
    nid::Nid,
    pkey::{HasPrivate, HasPublic, Id, PKeyRef},
    pkey_ctx::{PkeyCtx, PkeyCtxRef},
    rsa::Padding,
    sign::RsaPssSaltlen,
};

use crate::{
    Error, Result,
    algorithm::{DigestMethod, Scheme, SignatureMethod},
};

/// Curves of TR-03111 and FIPS 186 that may sign.
const CURVES: [Nid; 6] = [
    Nid::X9_62_PRIME256V1,
    Nid::SECP384R1,
    Nid::SECP521R1,
    Nid::BRAINPOOL_P256R1,
    Nid::BRAINPOOL_P384R1,
    Nid::BRAINPOOL_P512R1,
];

/// Length of the key in bits: of the modulus, or of the curve's order.
///
/// # Errors
/// [`Error::AlgorithmForbidden`] if it is no key for this scheme, or on an unusual curve.
pub(crate) fn key_bits<T: HasPublic>(key: &PKeyRef<T>, scheme: Scheme) -> Result<u32> {
    match (scheme, key.id()) {
        (Scheme::RsaPkcs1 | Scheme::RsaPss, Id::RSA) | (Scheme::RsaPss, Id::RSA_PSS) => Ok(key.bits()),
        (Scheme::Ecdsa, Id::EC) => {
            let key = key.ec_key()?;
            let is_known = key.group().curve_name().is_some_and(|name| CURVES.contains(&name));
            if is_known { Ok(key.group().order_bits()) } else { Err(Error::AlgorithmForbidden) }
        }
        _ => Err(Error::AlgorithmForbidden),
    }
}

/// The digest of `data`.
pub(crate) fn digest(method: DigestMethod, data: &[u8]) -> Result<Vec<u8>> {
    let known = MessageDigest::from_nid(method.md().type_()).ok_or(Error::AlgorithmUnknown)?;
    let mut hasher = Hasher::new(known)?;
    hasher.update(data)?;
    Ok(hasher.finish()?.to_vec())
}

/// Signs a digest.
///
/// # Errors
/// [`Error::AlgorithmForbidden`] if the key cannot sign so, or the digest does not have its length.
pub(crate) fn sign<T: HasPrivate>(
    key: &PKeyRef<T>,
    method: SignatureMethod,
    digest: &[u8],
) -> Result<Vec<u8>> {
    key_bits(key, method.scheme)?;
    if digest.len() != method.digest.bytes() {
        return Err(Error::AlgorithmForbidden);
    }
    let mut context = PkeyCtx::new(key)?;
    context.sign_init()?;
    prepare(&mut context, method)?;
    let mut value = Vec::new();
    context.sign_to_vec(digest, &mut value)?;
    if method.scheme != Scheme::Ecdsa {
        return Ok(value);
    }
    let pair = EcdsaSig::from_der(&value)?;
    let length = half_bytes(key)?;
    let mut raw = pair.r().to_vec_padded(length)?;
    raw.extend(pair.s().to_vec_padded(length)?);
    Ok(raw)
}

/// Whether this is the key's signature over the digest. A key of another kind, and a value of another length, make
/// none.
pub(crate) fn verify<T: HasPublic>(
    key: &PKeyRef<T>,
    method: SignatureMethod,
    digest: &[u8],
    value: &[u8],
) -> Result<bool> {
    if key_bits(key, method.scheme).is_err() || digest.len() != method.digest.bytes() {
        return Ok(false);
    }
    let mut context = PkeyCtx::new(key)?;
    context.verify_init()?;
    prepare(&mut context, method)?;
    if method.scheme != Scheme::Ecdsa {
        // RFC 8017, sections 8.1.2 and 8.2.2. OpenSSL takes a PSS value whose leading zeros are left out.
        if value.len() != key.size() {
            return Ok(false);
        }
        // A wrong value is an error or false, depending on where OpenSSL sees it.
        return Ok(context.verify(digest, value).unwrap_or(false));
    }
    let length = usize::try_from(half_bytes(key)?).unwrap_or(usize::MAX);
    if value.len() != length.saturating_mul(2) {
        return Ok(false);
    }
    let (r, s) = value.split_at(length);
    let pair = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
    Ok(context.verify(digest, &pair.to_der()?).unwrap_or(false))
}

fn prepare<T>(context: &mut PkeyCtxRef<T>, method: SignatureMethod) -> Result<()> {
    match method.scheme {
        Scheme::RsaPkcs1 => context.set_rsa_padding(Padding::PKCS1)?,
        Scheme::RsaPss => context.set_rsa_padding(Padding::PKCS1_PSS)?,
        Scheme::Ecdsa => {}
    }
    context.set_signature_md(method.digest.md())?;
    if method.scheme == Scheme::RsaPss {
        context.set_rsa_mgf1_md(method.digest.md())?;
        context.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    }
    Ok(())
}

/// Length of r and of s: that of the curve's order.
fn half_bytes<T: HasPublic>(key: &PKeyRef<T>) -> Result<i32> {
    Ok(key.ec_key()?.group().order_bits().div_ceil(8) as i32)
}
