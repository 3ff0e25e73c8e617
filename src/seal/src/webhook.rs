//! Standard Webhooks 1.0.0, sections "Signature scheme" and "Webhook headers": secrets and symmetric signatures.
//!
//! A secret has 32 random bytes and is shown as `whsec_` and base64. What is signed is `id.timestamp.body`; a signature is
//! `v1,` and the base64 of HMAC-SHA-256. Secrets are kept like the keys of payloads: wrapped, for their tenant and
//! subscription only.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::keys::{DataKey, KeyWrap};
use crate::mac;
use crate::{Error, Result};

/// The secret that a subscription's webhooks are signed with.
pub struct Secret(DataKey);

impl Secret {
    /// A new random secret.
    pub fn random() -> Result<Self> {
        DataKey::random().map(Secret)
    }

    /// As its receiver needs it: `whsec_` and 44 characters of base64.
    pub fn text(&self) -> String {
        format!("whsec_{}", BASE64_STANDARD.encode(self.0.bytes()))
    }

    /// Wraps it for a subscription of `tenant`.
    pub fn wrap(&self, keys: &dyn KeyWrap, tenant: &str, subscription: Uuid) -> Result<Vec<u8>> {
        keys.wrap(tenant, subscription, &self.0)
    }

    /// Opens what [`Secret::wrap`] made for the same tenant and subscription.
    ///
    /// # Errors
    /// As [`KeyWrap::open`].
    pub fn open(keys: &dyn KeyWrap, tenant: &str, subscription: Uuid, wrapped: &[u8]) -> Result<Self> {
        keys.open(tenant, subscription, wrapped).map(Secret)
    }

    /// The signature of a webhook: `v1,…`. `id` holds no full stop; `timestamp` is in seconds since 1970.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Result<String> {
        sign(self.0.bytes(), id, timestamp, body)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret that both sides were given, such as that of a remote adapter.
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// Reads `whsec_` and the base64 of 24 to 64 bytes; white space around it is left out.
    ///
    /// # Errors
    /// [`Error::KeyFormat`] if it is anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let encoded = text.trim().strip_prefix("whsec_").ok_or(Error::KeyFormat)?;
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(encoded).map_err(|_| Error::KeyFormat)?);
        if (24..=64).contains(&bytes.len()) { Ok(SharedSecret(bytes)) } else { Err(Error::KeyFormat) }
    }

    /// As [`Secret::sign`].
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Result<String> {
        sign(&self.0, id, timestamp, body)
    }

    /// Whether one of the `signatures`, as they stand in `webhook-signature`, is ours. `timestamp` is the text of `webhook-timestamp`.
    pub fn signed(&self, id: &str, timestamp: &str, body: &[u8], signatures: &str) -> bool {
        let Ok(ours) = timestamp.parse().map_err(|_| Error::KeyFormat).and_then(|at| self.sign(id, at, body))
        else {
            return false;
        };
        signatures.split(' ').any(|signature| mac::is_same(signature.as_bytes(), ours.as_bytes()))
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(…)")
    }
}

fn sign(secret: &[u8], id: &str, timestamp: i64, body: &[u8]) -> Result<String> {
    let key = PKey::hmac(secret)?;
    let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
    signer.update(format!("{id}.{timestamp}.").as_bytes())?;
    signer.update(body)?;
    Ok(format!("v1,{}", BASE64_STANDARD.encode(signer.sign_to_vec()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{KeyRing, MasterKey};

    /// The vector that the libraries of the specification are tested with.
    #[test]
    fn the_signature_is_the_one_of_the_specification_s_libraries() {
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_shared_secret_signs_the_same_and_nothing_else_is_taken_for_one() {
        let secret = SharedSecret::parse(" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let body = br#"{"test": 2432232314}"#;
        let is_signed = |id: &str, at: &str, signatures: &str| secret.signed(id, at, body, signatures);
        let (id, at, ours) =
            ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(is_signed(id, at, ours) && is_signed(id, at, &format!("v1a,x {ours}")));
        assert!(
            !is_signed("msg_other", at, ours)
                && !is_signed(id, "1614265331", ours)
                && !is_signed(id, at, "v9,AAAA")
        );
        for wrong in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ", "whsec_!", ""] {
            assert_eq!(SharedSecret::parse(wrong).unwrap_err().code(), Error::KeyFormat.code(), "{wrong}");
        }
    }

    #[test]
    fn a_wrapped_secret_opens_for_its_tenant_and_subscription_only() {
        let keys = KeyRing::new(MasterKey::random().unwrap(), vec![]);
        let (secret, id) = (Secret::random().unwrap(), Uuid::from_u128(9));
        let wrapped = secret.wrap(&keys, "kreis", id).unwrap();
        let opened = Secret::open(&keys, "kreis", id, &wrapped).unwrap();
        assert_eq!(opened.sign("a", 1, b"b").unwrap(), secret.sign("a", 1, b"b").unwrap());
        assert_eq!(Secret::open(&keys, "stadt", id, &wrapped).unwrap_err().code(), "key.wrap");
        assert_eq!(
            Secret::open(&keys, "kreis", Uuid::from_u128(8), &wrapped).unwrap_err().code(),
            "key.wrap"
        );
        let text = secret.text();
        assert!(
            text.starts_with("whsec_") && text.len() == 50 && !format!("{secret:?}").contains(&text[6..])
        );
    }
}
