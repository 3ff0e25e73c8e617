//! The hash of GiroCheckout: lower-case hexadecimal digits of HMAC-MD5 under the password of the project. It alone proves nothing.

use model::Failure;
use seal::mac::{MacDigest, hmac, is_same};
use zeroize::Zeroizing;

/// The password of a project.
pub(super) struct Password(Zeroizing<String>);

impl Password {
    pub(super) fn new(password: Zeroizing<String>) -> Self {
        Password(password)
    }

    /// The hash of values, one behind the other.
    pub(super) fn hash<'a>(&self, values: impl IntoIterator<Item = &'a str>) -> Result<String, Failure> {
        let mut all = Zeroizing::new(Vec::new());
        for value in values {
            all.extend_from_slice(value.as_bytes());
        }
        self.of(&all)
    }

    /// Whether `hash` is that of `bytes`, written exactly so.
    pub(super) fn is_of(&self, bytes: &[u8], hash: &[u8]) -> bool {
        self.of(bytes).is_ok_and(|ours| is_same(ours.as_bytes(), hash))
    }

    fn of(&self, bytes: &[u8]) -> Result<String, Failure> {
        let code = hmac(MacDigest::Md5, self.0.as_bytes(), bytes);
        let code = code.map_err(|error| Failure::permanent("adapter.signature", error.to_string()))?;
        Ok(hex::encode(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Facts, section 3.2: the published example, and worked ones.
    #[test]
    fn hashes_are_those_of_the_provider_s_examples() {
        let password = Password::new(Zeroizing::new("secure".into()));
        let status = "44138200-e1e1-49d7-b137-8c4dd868817b";
        assert_eq!(password.hash(["1234567", "1234"]).unwrap(), "02f123fdb8b2056596abc0e6ebb1a8c3");
        assert_eq!(password.hash(["1234567", "1234", status]).unwrap(), "ebab1f97439518d48aa0d19ab3f5c763");
        let answer = br#"{"reference":"44138200-e1e1-49d7-b137-8c4dd868817b","redirect":"https://payment.girosolution.de/p/1","rc":0,"msg":""}"#;
        assert!(password.is_of(answer, b"934498bb96a0c68dff88c9dddfa28f44"));
        assert!(!password.is_of(answer, b"934498BB96A0C68DFF88C9DDDFA28F44") && !password.is_of(answer, b""));
    }
}
