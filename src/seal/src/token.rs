//! Random values that nobody can guess: secrets that are shown to people and systems, challenges, ids.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use openssl::rand::rand_bytes;
use zeroize::Zeroizing;

use crate::Result;

/// 256 random bits as 43 characters of base64url.
pub fn random_secret() -> Result<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    rand_bytes(&mut *bytes)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(*bytes))
}

/// Random bytes, fit for challenges and ids that nobody may guess.
pub fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    rand_bytes(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_43_characters_and_is_never_the_same() {
        let secret = random_secret().unwrap();
        assert_eq!(secret.len(), 43);
        assert_ne!(secret, random_secret().unwrap());
    }

    #[test]
    fn random_bytes_are_never_the_same() {
        assert_ne!(random_bytes::<24>().unwrap(), random_bytes::<24>().unwrap());
    }
}
