//! One-time codes: TOTP (RFC 6238) over HOTP (RFC 4226) with what all apps know: HMAC-SHA-1, 30 seconds, six digits. And recovery codes,
//! for whoever has lost the device.

use model::Timestamp;
use seal::door::DoorKey;
use seal::mac::{MacDigest, hmac, is_same};
use seal::{random_bytes, sha256};
use zeroize::Zeroizing;

use crate::Error;

/// Seconds of a step.
const STEP: i64 = 30;

/// Bytes of a secret, as RFC 4226 section 4 recommends.
const BYTES: usize = 20;

/// Base 32 of RFC 4648 section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Crockford's base 32: no letter that is taken for another.
const PLAIN: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Recovery codes that are made at once.
const RECOVERY: usize = 10;

/// What codes are made of.
pub(super) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// That of a key of 256 bits, which is kept wrapped.
    pub(super) fn of(key: &DoorKey) -> Result<Self, Error> {
        let key = Zeroizing::new(key.tokens().concat().into_bytes());
        let mut bytes = Zeroizing::new(hmac(MacDigest::Sha256, &key, b"totp")?);
        bytes.truncate(BYTES);
        Ok(Secret(bytes))
    }

    /// In base 32, as apps want it.
    pub(super) fn text(&self) -> String {
        in_base(BASE32, &self.0)
    }

    /// The code of a step, before it is cut to so many digits (RFC 4226 section 5.3).
    fn number(&self, step: u64) -> Result<u32, Error> {
        let mac = hmac(MacDigest::Sha1, &self.0, &step.to_be_bytes())?;
        let at = usize::from(mac.last().copied().unwrap_or_default() & 0x0f);
        let bytes = mac.get(at..at + 4).and_then(|it| <[u8; 4]>::try_from(it).ok()).ok_or(Error::Internal)?;
        Ok(u32::from_be_bytes(bytes) & 0x7fff_ffff)
    }

    /// The step whose code was said: this one, the one before or the next, but none up to `taken`. Takes as long for any answer.
    pub(super) fn step_of(&self, said: &str, now: Timestamp, taken: u64) -> Result<Option<u64>, Error> {
        let said: String = said.chars().filter(|it| !it.is_whitespace()).collect();
        let this = u64::try_from(now.micros().div_euclid(1_000_000 * STEP)).map_err(|_| Error::Internal)?;
        let mut found = None;
        for step in [this.saturating_sub(1), this, this + 1] {
            let code = format!("{:06}", self.number(step)? % 1_000_000);
            let fits = is_same(code.as_bytes(), said.as_bytes());
            found = if fits && step > taken && found.is_none() { Some(step) } else { found };
        }
        Ok(found)
    }
}

/// Recovery codes, and what is kept of them.
pub(super) fn recovery_codes() -> Result<(Vec<String>, Vec<String>), Error> {
    let codes: Vec<String> = (0..RECOVERY).map(|_| recovery_code()).collect::<Result<_, _>>()?;
    let kept = codes.iter().map(|code| recovery_digest(code)).collect();
    Ok((codes, kept))
}

/// 80 random bits: four groups of four characters.
fn recovery_code() -> Result<String, Error> {
    let plain = in_base(PLAIN, &random_bytes::<10>()?);
    let groups: Vec<String> =
        plain.as_bytes().chunks(4).map(|it| String::from_utf8_lossy(it).into_owned()).collect();
    Ok(groups.join("-"))
}

/// What a recovery code is known by: small letters and signs between do not matter.
pub(super) fn recovery_digest(said: &str) -> String {
    let plain: String = said.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_uppercase().replace('O', "0").replace(['I', 'L'], "1");
    sha256(&[b"recovery:", plain.as_bytes()]).to_string()
}

/// Five bits a character; a rest is filled with zeros.
fn in_base(alphabet: &[u8; 32], bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut bits, mut count) = (0_u32, 0_u32);
    let letter = |at: u32| alphabet.get((at & 31) as usize).map_or('?', |it| char::from(*it));
    for byte in bytes {
        bits = (bits << 8 | u32::from(*byte)) & 0xffff;
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(letter(bits >> count));
        }
    }
    if count > 0 {
        text.push(letter(bits << (5 - count)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret(Zeroizing::new(b"12345678901234567890".to_vec()))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    /// RFC 6238 appendix B, the rows of SHA-1.
    #[test]
    fn codes_are_those_of_the_rfc() {
        for (time, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000_u64, 65_353_130),
        ] {
            assert_eq!(secret().number(time / 30).unwrap() % 100_000_000, code, "{time}");
        }
    }

    #[test]
    fn a_code_is_taken_one_step_around_its_own_and_never_again() {
        let step_of = |said: &str, time, taken| secret().step_of(said, at(time), taken).unwrap();
        assert_eq!(step_of("287 082", 59, 0), Some(1));
        assert_eq!(step_of("287082", 89, 0), Some(1));
        assert_eq!(step_of("287082", 0, 0), Some(1));
        assert_eq!(step_of("287082", 59, 1), None);
        assert_eq!(step_of("287082", 90, 0), None);
        for wrong in ["", "28708", "0287082", "287083", "٢٨٧٠٨٢"] {
            assert_eq!(step_of(wrong, 59, 0), None, "{wrong}");
        }
    }

    /// RFC 4648 section 10, without padding.
    #[test]
    fn base_32_is_that_of_the_rfc() {
        for (plain, text) in [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ")] {
            assert_eq!(in_base(BASE32, plain.as_bytes()), text);
        }
        assert_eq!(in_base(BASE32, b"fooba"), "MZXW6YTB");
        assert_eq!(in_base(BASE32, b"foobar"), "MZXW6YTBOI");
    }

    #[test]
    fn recovery_codes_differ_and_are_known_however_they_are_written() {
        let (codes, kept) = recovery_codes().unwrap();
        assert_eq!((codes.len(), codes[0].len()), (10, 19));
        assert_ne!(codes[0], codes[1]);
        let written = codes[0].to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert_eq!(recovery_digest(&written), kept[0]);
    }
}
