//! Tokens of doors that anybody outside may knock at: 128 random bits each, shown in an address and kept as digests.
//!
//! The two doors of a payment have their tokens of one secret of 32 bytes, which is kept like the keys of payloads: wrapped, for its
//! tenant and payment only. So the same payment always has the same addresses.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::keys::{DataKey, KeyWrap};
use crate::{Result, sha256};

/// What the tokens of two doors are made of.
pub struct DoorKey(DataKey);

impl DoorKey {
    /// A new random one.
    pub fn random() -> Result<Self> {
        DataKey::random().map(DoorKey)
    }

    /// The tokens, 22 characters of base64url each. Nothing of one is known from the other.
    pub fn tokens(&self) -> [String; 2] {
        let (first, second) = self.0.bytes().split_at(16);
        [BASE64_URL_SAFE_NO_PAD.encode(first), BASE64_URL_SAFE_NO_PAD.encode(second)]
    }

    /// What the tokens are known by ([`token_digest`]).
    pub fn digests(&self) -> [String; 2] {
        self.tokens().map(|token| token_digest(&token))
    }

    /// Wraps it for a payment of `tenant`.
    ///
    /// # Errors
    /// As [`KeyWrap::wrap`].
    pub fn wrap(&self, keys: &dyn KeyWrap, tenant: &str, payment: Uuid) -> Result<Vec<u8>> {
        keys.wrap(tenant, payment, &self.0)
    }

    /// Opens what [`DoorKey::wrap`] made for the same tenant and payment.
    ///
    /// # Errors
    /// As [`KeyWrap::open`].
    pub fn open(keys: &dyn KeyWrap, tenant: &str, payment: Uuid, wrapped: &[u8]) -> Result<Self> {
        keys.open(tenant, payment, wrapped).map(DoorKey)
    }
}

/// Never the secret.
impl fmt::Debug for DoorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DoorKey(…)")
    }
}

/// SHA-256 of a token, hex. Looking it up takes as long for tokens that are nearly right as for any other.
pub fn token_digest(token: &str) -> String {
    sha256(&[token.as_bytes()]).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{KeyRing, MasterKey};

    #[test]
    fn tokens_are_the_same_after_wrapping_and_differ_from_each_other() {
        let keys = KeyRing::new(MasterKey::random().unwrap(), vec![]);
        let (key, payment) = (DoorKey::random().unwrap(), Uuid::from_u128(7));
        let wrapped = key.wrap(&keys, "kreis", payment).unwrap();
        let opened = DoorKey::open(&keys, "kreis", payment, &wrapped).unwrap();
        let [notify, comes_back] = opened.tokens();
        assert_eq!(key.tokens(), [notify.clone(), comes_back.clone()]);
        assert_eq!(key.digests(), [token_digest(&notify), token_digest(&comes_back)]);
        assert_ne!(notify, comes_back);
        assert!([&notify, &comes_back].iter().all(|token| token.len() == 22 && !token.contains('=')));
        assert_eq!(format!("{key:?}"), "DoorKey(…)");
        assert!(DoorKey::open(&keys, "stadt", payment, &wrapped).is_err());
    }
}
