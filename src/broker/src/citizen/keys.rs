//! What citizens hold, none of which is kept: numbers of cases with a check digit (ISO/IEC 7064, MOD 11,10), secrets of 100 bits in
//! Crockford's base 32, tokens of sessions and links. Everything is a MAC under the key of the tenant, each for one use.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use model::{Id, Timestamp};
use seal::door::DoorKey;
use seal::mac::{MacDigest, hmac, is_same};
use seal::random_bytes;
use zeroize::Zeroizing;

use crate::Error;

/// Digits of a number without and with the one that checks them.
const RANDOM_DIGITS: usize = 10;
const DIGITS: usize = RANDOM_DIGITS + 1;

/// Characters of a secret, five bits each.
const SECRET_CHARS: usize = 20;

/// Crockford's base 32: no letter that is taken for another.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Bytes of the MAC in the token of a link: 128 bits.
const LINK_MAC: usize = 16;

/// What a token was made for; one of one use is none of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// The documents that a task waits for.
    Documents,
    /// The payment of a claim.
    Payment,
}

impl Use {
    fn label(self) -> &'static [u8] {
        match self {
            Use::Documents => b"documents",
            Use::Payment => b"payment",
        }
    }
}

/// The key of one tenant.
pub(crate) struct CitizenKey(Zeroizing<Vec<u8>>);

impl CitizenKey {
    pub(super) fn of(key: &DoorKey) -> Self {
        CitizenKey(Zeroizing::new(key.tokens().concat().into_bytes()))
    }

    fn mac(&self, label: &[u8], parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
        let mut message = vec![];
        for part in [label].iter().chain(parts) {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part);
        }
        Ok(hmac(MacDigest::Sha256, &self.0, &message)?)
    }

    /// The secret of a case in this generation: four groups of five characters.
    pub(super) fn secret(&self, case: Id, generation: u64) -> Result<String, Error> {
        let plain = self.plain_secret(case, generation)?;
        let groups: Vec<String> = plain.chunks(5).map(|it| String::from_utf8_lossy(it).into_owned()).collect();
        Ok(groups.join("-"))
    }

    fn plain_secret(&self, case: Id, generation: u64) -> Result<Vec<u8>, Error> {
        let mac = self.mac(b"secret", &[case.as_bytes(), &generation.to_be_bytes()])?;
        let bits = mac.iter().take(16).fold(0_u128, |all, byte| all << 8 | u128::from(*byte));
        let char_at = |at: usize| {
            let place = usize::try_from((bits >> (123 - 5 * at)) & 31).unwrap_or_default();
            ALPHABET.get(place).copied().unwrap_or_default()
        };
        Ok((0..SECRET_CHARS).map(char_at).collect())
    }

    /// Whether somebody has said the secret. Takes as long for any answer.
    pub(super) fn is_secret(&self, case: Id, generation: u64, said: &str) -> Result<bool, Error> {
        let mut read = read_secret(said);
        read.resize(SECRET_CHARS, b'?');
        Ok(is_same(&self.plain_secret(case, generation)?, &read))
    }

    /// The token of a session with a case, which ends then.
    pub(super) fn session(
        &self,
        tenant: &str,
        case: Id,
        generation: u64,
        ends: Timestamp,
    ) -> Result<String, Error> {
        let seconds = ends.micros() / 1_000_000;
        let facts = format!("{case}.{generation}.{seconds}.{tenant}");
        let mac = self.mac(b"session", &[facts.as_bytes()])?;
        let encoded = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        Ok(format!("{}.{}", encoded(facts.as_bytes()), encoded(&mac)))
    }

    pub(super) fn is_session(&self, facts: &str, mac: &[u8]) -> Result<bool, Error> {
        Ok(is_same(&self.mac(b"session", &[facts.as_bytes()])?, mac))
    }

    /// What forms of a session carry, so that no other site can send them.
    pub(super) fn form_token(&self, session: &str) -> Result<String, Error> {
        Ok(BASE64_URL_SAFE_NO_PAD.encode(self.mac(b"form", &[session.as_bytes()])?))
    }

    /// The token of a link.
    pub(super) fn link(&self, of: Use, id: Id) -> Result<String, Error> {
        let mac = self.mac(of.label(), &[id.as_bytes()])?;
        let bytes: Vec<u8> = id.as_bytes().iter().chain(mac.iter().take(LINK_MAC)).copied().collect();
        Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Whether a token is that of a link to this.
    pub(super) fn is_link(&self, of: Use, id: Id, token: &str) -> Result<bool, Error> {
        Ok(is_same(self.link(of, id)?.as_bytes(), token.as_bytes()))
    }
}

/// The id in the token of a link, which may be anybody's.
pub(super) fn id_in_link(token: &str) -> Option<Id> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.get(..43)?).ok()?;
    Id::from_slice(bytes.get(..16)?).ok()
}

/// Facts and MAC of the token of a session, which may be anybody's.
pub(super) fn session_parts(token: &str) -> Option<(String, Vec<u8>)> {
    let (facts, mac) = token.split_once('.')?;
    let decoded = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    Some((String::from_utf8(decoded(facts)?).ok()?, decoded(mac)?))
}

/// A new random number.
pub(super) fn new_number() -> Result<String, Error> {
    // Twice as many bits as there are numbers for: none is noticeably likelier than another.
    let bits = u128::from_be_bytes(random_bytes::<16>()?) % 10_u128.pow(10);
    let digits = format!("{bits:010}");
    let check = check_digit(&digits);
    Ok(format!("{digits}{check}"))
}

/// A number as somebody has typed it; `None` if it cannot be one.
pub(super) fn read_number(text: &str) -> Option<String> {
    let digits: String = text.chars().take(64).filter(|c| !matches!(c, ' ' | '-' | '\u{a0}')).collect();
    let is_number = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (body, check) = digits.split_at_checked(RANDOM_DIGITS).filter(|_| is_number)?;
    (check.parse() == Ok(check_digit(body))).then_some(digits)
}

/// ISO/IEC 7064, MOD 11,10: finds every wrong digit, and nearly every two that changed places.
fn check_digit(digits: &str) -> u32 {
    let product = digits.chars().filter_map(|digit| digit.to_digit(10)).fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum } * 2) % 11
    });
    (11 - product) % 10
}

/// A secret as somebody has typed it.
fn read_secret(text: &str) -> Vec<u8> {
    let mut read: Vec<u8> = vec![];
    for char in text.chars().take(64).filter(|c| !matches!(c, ' ' | '-' | '\u{a0}')) {
        read.push(match char.to_ascii_uppercase() {
            'O' => b'0',
            'I' | 'L' => b'1',
            char => u8::try_from(char).unwrap_or(b'?'),
        });
    }
    // A longer one is none, whatever it begins with.
    if read.len() == SECRET_CHARS { read } else { vec![] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> CitizenKey {
        CitizenKey::of(&DoorKey::random().unwrap())
    }

    #[test]
    fn a_secret_has_a_hundred_bits_in_groups_and_is_always_the_same() {
        let (key, case) = (key(), Id::from_u128(7));
        let secret = key.secret(case, 1).unwrap();
        assert_eq!(secret, key.secret(case, 1).unwrap());
        let groups: Vec<&str> = secret.split('-').collect();
        assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [5; 4]);
        assert!(secret.bytes().all(|byte| byte == b'-' || ALPHABET.contains(&byte)), "{secret}");
        for other in [key.secret(case, 2), key.secret(Id::from_u128(8), 1), self::key().secret(case, 1)] {
            assert_ne!(secret, other.unwrap());
        }
    }

    #[test]
    fn all_characters_of_a_secret_come_up() {
        let key = key();
        let secrets: String = (0..200).map(|id| key.secret(Id::from_u128(id), 1).unwrap()).collect();
        assert!(ALPHABET.iter().all(|char| secrets.contains(char::from(*char))));
    }

    #[test]
    fn a_secret_is_read_as_people_type_it() {
        let (key, case) = (key(), Id::from_u128(9));
        let secret = key.secret(case, 3).unwrap();
        let is = |said: &str| key.is_secret(case, 3, said).unwrap();
        let loose = secret.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert!(is(&secret) && is(&loose) && is(&secret.replace('-', "")));
        for wrong in ["", "x", &secret[1..], &format!("{secret}A"), &"?".repeat(20), &"ä".repeat(20)] {
            assert!(!is(wrong), "{wrong}");
        }
        assert!(!key.is_secret(case, 4, &secret).unwrap());
    }

    #[test]
    fn a_number_with_a_wrong_digit_is_none() {
        for _ in 0..50 {
            let number = new_number().unwrap();
            assert_eq!(read_number(&format!(" {} {}-{}", &number[..4], &number[4..8], &number[8..])), Some(number.clone()));
            for at in 0..DIGITS {
                let mut wrong = number.clone().into_bytes();
                wrong[at] = b'0' + (wrong[at] - b'0' + 1) % 10;
                assert_eq!(read_number(&String::from_utf8(wrong).unwrap()), None, "{number}");
            }
        }
        for wrong in ["", "1", "１２３４５６７８９０１", "123456789012", "abcdefghijk"] {
            assert_eq!(read_number(wrong), None, "{wrong}");
        }
    }

    /// The example of the German tax id, which has the same check digit.
    #[test]
    fn the_check_digit_is_that_of_iso_7064() {
        assert_eq!(check_digit("8609574271"), 9);
    }

    #[test]
    fn a_token_is_good_for_one_use() {
        let (key, id) = (key(), Id::from_u128(11));
        let token = key.link(Use::Documents, id).unwrap();
        assert_eq!((token.len(), id_in_link(&token)), (43, Some(id)));
        assert!(key.is_link(Use::Documents, id, &token).unwrap());
        assert!(!key.is_link(Use::Payment, id, &token).unwrap());
        assert!(!key.is_link(Use::Documents, Id::from_u128(12), &token).unwrap());
        assert!(!key.is_link(Use::Documents, id, &format!("{token}A")).unwrap());
        for wrong in ["", "x", &"ä".repeat(43), &"A".repeat(42)] {
            assert_eq!(id_in_link(wrong), None, "{wrong}");
        }
    }
}
