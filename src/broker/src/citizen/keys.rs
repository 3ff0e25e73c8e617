//! What citizens hold, none of which is kept: numbers of cases with a check digit (ISO/IEC 7064, MOD 11,10), secrets of 100 bits in
//! Crockford's base 32, tokens of sessions and links. Everything is a MAC under the key of the tenant, each for one use.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use model::{Id, RecordKind, Timestamp};
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

    /// Kind of what a link is made for.
    pub(super) fn kind(self) -> RecordKind {
        match self {
            Use::Documents => RecordKind::Task,
            Use::Payment => RecordKind::Claim,
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
        let groups: Vec<String> =
            plain.chunks(5).map(|it| String::from_utf8_lossy(it).into_owned()).collect();
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

    /// The token of a session.
    pub(super) fn session(&self, facts: &SessionFacts) -> Result<String, Error> {
        let facts = facts.written();
        let mac = self.mac(b"session", &[facts.as_bytes()])?;
        let encoded = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        Ok(format!("{}.{}", encoded(facts.as_bytes()), encoded(&mac)))
    }

    pub(super) fn is_session(&self, facts: &str, mac: &[u8]) -> Result<bool, Error> {
        Ok(is_same(&self.mac(b"session", &[facts.as_bytes()])?, mac))
    }

    /// What forms of a session carry, so that no other site can send them. A renewed session has the same, so that what is open in another
    /// window can still be sent.
    pub(super) fn form_token(&self, facts: &SessionFacts) -> Result<String, Error> {
        let SessionFacts { case, generation, begun, tenant, .. } = facts;
        let (generation, begun) = (generation.to_be_bytes(), begun.micros().to_be_bytes());
        let parts: [&[u8]; 4] = [case.as_bytes(), &generation, &begun, tenant.as_bytes()];
        Ok(BASE64_URL_SAFE_NO_PAD.encode(self.mac(b"form", &parts)?))
    }

    /// The token of a link, of the generation of its case.
    pub(super) fn link(&self, of: Use, id: Id, generation: u64) -> Result<String, Error> {
        let mac = self.mac(of.label(), &[id.as_bytes(), &generation.to_be_bytes()])?;
        let bytes: Vec<u8> = id.as_bytes().iter().chain(mac.iter().take(LINK_MAC)).copied().collect();
        Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Whether a token is that of a link to this.
    pub(super) fn is_link(&self, of: Use, id: Id, generation: u64, token: &str) -> Result<bool, Error> {
        Ok(is_same(self.link(of, id, generation)?.as_bytes(), token.as_bytes()))
    }
}

/// What the token of a session says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionFacts {
    pub(super) case: Id,
    pub(super) generation: u64,
    pub(super) begun: Timestamp,
    pub(super) ends: Timestamp,
    pub(super) tenant: String,
}

impl SessionFacts {
    fn written(&self) -> String {
        let SessionFacts { case, generation, begun, ends, tenant } = self;
        format!("{case}.{generation}.{}.{}.{tenant}", begun.micros(), ends.micros())
    }

    /// What was signed, which may be anybody's.
    pub(super) fn read(signed: &str) -> Option<Self> {
        let mut parts = signed.splitn(5, '.');
        let case = parts.next()?.parse().ok()?;
        let generation = parts.next()?.parse().ok()?;
        let begun = Timestamp::from_micros(parts.next()?.parse().ok()?);
        let ends = Timestamp::from_micros(parts.next()?.parse().ok()?);
        Some(SessionFacts { case, generation, begun, ends, tenant: parts.next()?.to_owned() })
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
            assert_eq!(
                read_number(&format!(" {} {}-{}", &number[..4], &number[4..8], &number[8..])),
                Some(number.clone())
            );
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
    fn a_token_is_good_for_one_use_and_one_generation() {
        let (key, id) = (key(), Id::from_u128(11));
        let token = key.link(Use::Documents, id, 1).unwrap();
        assert_eq!((token.len(), id_in_link(&token)), (43, Some(id)));
        let is = |of, id, generation, token: &str| key.is_link(of, id, generation, token).unwrap();
        assert!(is(Use::Documents, id, 1, &token));
        assert!(!is(Use::Documents, id, 2, &token));
        assert!(!is(Use::Payment, id, 1, &token));
        assert!(!is(Use::Documents, Id::from_u128(12), 1, &token));
        assert!(!is(Use::Documents, id, 1, &format!("{token}A")));
        for wrong in ["", "x", &"ä".repeat(43), &"A".repeat(42)] {
            assert_eq!(id_in_link(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_renewed_session_has_another_token_and_the_same_forms() {
        let at = Timestamp::from_micros;
        let case = Id::from_u128(7);
        let first = SessionFacts { case, generation: 1, begun: at(5), ends: at(9), tenant: "a.b".into() };
        let renewed = SessionFacts { ends: at(10), ..first.clone() };
        let key = key();
        assert_ne!(key.session(&first).unwrap(), key.session(&renewed).unwrap());
        assert_eq!(key.form_token(&first).unwrap(), key.form_token(&renewed).unwrap());
        let other = SessionFacts { begun: at(6), ..first.clone() };
        assert_ne!(key.form_token(&first).unwrap(), key.form_token(&other).unwrap());
        let token = key.session(&first).unwrap();
        let (signed, mac) = session_parts(&token).unwrap();
        assert_eq!(SessionFacts::read(&signed), Some(first));
        assert!(key.is_session(&signed, &mac).unwrap() && !key.is_session(&signed, &mac[1..]).unwrap());
        for wrong in ["", "x", "a.b.c.d.e", &signed[1..]] {
            assert_eq!(SessionFacts::read(wrong), None, "{wrong}");
        }
    }
}
