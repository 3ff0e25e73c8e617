//! Signature values over a digest: RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 8017 section 8), ECDSA with r and s
//! one behind the other (RFC 9231 section 2.3.6).

use crate::algorithm::{DigestMethod, Scheme, SignatureMethod};
use crate::{Error, Result};
use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::md::{Md, MdRef};
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKeyRef, Private, Public};
use openssl::pkey_ctx::{PkeyCtx, PkeyCtxRef};
use openssl::rsa::Padding;
use openssl::sign::RsaPssSaltlen;

/// Curves of TR-03111 and FIPS 186 that may sign.
const CURVES: [Nid; 6] = [
    Nid::X9_62_PRIME256V1,
    Nid::SECP384R1,
    Nid::SECP521R1,
    Nid::BRAINPOOL_P256R1,
    Nid::BRAINPOOL_P384R1,
    Nid::BRAINPOOL_P512R1,
];

/// Length of the key in bits; [`Error::AlgorithmForbidden`] if it is not one for this scheme.
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

/// Checks a value over the digest of `SignedInfo`.
pub(crate) fn verify(
    key: &PKeyRef<Public>,
    method: SignatureMethod,
    digest: &[u8],
    value: &[u8],
) -> Result<()> {
    let is_right = match method.scheme {
        Scheme::Ecdsa => verify_ecdsa(key, digest, value)?,
        Scheme::RsaPkcs1 | Scheme::RsaPss => {
            let mut context = PkeyCtx::new(key)?;
            context.verify_init()?;
            set_up(&mut context, method)?;
            // A value of a wrong form is an error to OpenSSL; to us it is a wrong value.
            context.verify(digest, value).unwrap_or(false)
        }
    };
    if is_right { Ok(()) } else { Err(Error::SignatureValue) }
}

fn verify_ecdsa(key: &PKeyRef<Public>, digest: &[u8], value: &[u8]) -> Result<bool> {
    let key = key.ec_key()?;
    let size = key.group().order_bits().div_ceil(8) as usize;
    let Some((r, s)) = value.split_at_checked(size).filter(|(_, s)| s.len() == size) else {
        return Ok(false);
    };
    let signature = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
    Ok(signature.verify(digest, &key).unwrap_or(false))
}

/// Makes a value over the digest of `SignedInfo`.
pub(crate) fn sign(key: &PKeyRef<Private>, method: SignatureMethod, digest: &[u8]) -> Result<Vec<u8>> {
    if method.scheme == Scheme::Ecdsa {
        let key = key.ec_key()?;
        let size = key.group().order_bits().div_ceil(8) as i32;
        let signature = EcdsaSig::sign(digest, &key)?;
        let mut value = signature.r().to_vec_padded(size)?;
        value.extend(signature.s().to_vec_padded(size)?);
        return Ok(value);
    }
    let mut context = PkeyCtx::new(key)?;
    context.sign_init()?;
    set_up(&mut context, method)?;
    let mut value = Vec::new();
    context.sign_to_vec(digest, &mut value)?;
    Ok(value)
}

fn set_up<T>(context: &mut PkeyCtxRef<T>, method: SignatureMethod) -> Result<()> {
    let digest = digest_of(method.digest);
    if method.scheme == Scheme::RsaPss {
        context.set_rsa_padding(Padding::PKCS1_PSS)?;
        context.set_signature_md(digest)?;
        context.set_rsa_mgf1_md(digest)?;
        context.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    } else {
        context.set_rsa_padding(Padding::PKCS1)?;
        context.set_signature_md(digest)?;
    }
    Ok(())
}

fn digest_of(method: DigestMethod) -> &'static MdRef {
    match method {
        DigestMethod::Sha1 => Md::sha1(),
        DigestMethod::Sha256 => Md::sha256(),
        DigestMethod::Sha384 => Md::sha384(),
        DigestMethod::Sha512 => Md::sha512(),
        DigestMethod::Sha3_256 => Md::sha3_256(),
        DigestMethod::Sha3_384 => Md::sha3_384(),
        DigestMethod::Sha3_512 => Md::sha3_512(),
    }
}
