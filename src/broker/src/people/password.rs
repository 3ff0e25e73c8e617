//! Passwords: argon2id (RFC 9106) with 19 MiB, two passes and one lane, as the OWASP Password Storage Cheat Sheet recommends; kept in PHC
//! format, so that the parameters may change. And what makes a good one (BSI ORP.4, NIST SP 800-63B section 3.1.1): length, and being
//! neither common nor personal.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};

use crate::Error;

/// Fewest characters, and how many different ones.
const SHORTEST: usize = 12;
const DIFFERENT: usize = 5;

/// Longest password that is looked at, in bytes.
const LONGEST: usize = 1_024;

/// What is checked when there is nothing to check: it takes as long, and no password has this hash.
pub(super) const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// What is kept of a password. Blocks for some ten milliseconds, and takes 19 MiB.
pub(super) fn hash(password: &str) -> Result<String, Error> {
    let salt = SaltString::encode_b64(&seal::random_bytes::<16>()?).map_err(|_| Error::Internal)?;
    let hashed = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(|_| Error::Internal)?;
    Ok(hashed.to_string())
}

/// Whether a password is the one that this was kept of. Blocks likewise.
pub(super) fn is_right(kept: &str, said: &str) -> bool {
    let said = if said.len() > LONGEST { "" } else { said };
    PasswordHash::new(kept)
        .is_ok_and(|kept| Argon2::default().verify_password(said.as_bytes(), &kept).is_ok())
}

/// What speaks against a password of somebody.
///
/// # Errors
/// `PasswordShort`, `PasswordPersonal` or `PasswordCommon`.
pub(super) fn check(password: &str, login: &str, name: &str) -> Result<(), Error> {
    let folded = password.to_lowercase();
    let mut different: Vec<char> = folded.chars().collect();
    different.sort_unstable();
    different.dedup();
    if password.chars().count() < SHORTEST || different.len() < DIFFERENT || password.len() > LONGEST {
        return Err(Error::PasswordShort);
    }
    let (login, name) = (login.to_lowercase(), name.to_lowercase());
    let parts = login.split(|c: char| !c.is_alphanumeric()).chain(name.split(|c: char| !c.is_alphanumeric()));
    if parts.filter(|part| part.chars().count() >= 4).any(|part| folded.contains(part)) {
        return Err(Error::PasswordPersonal);
    }
    if is_common(&folded) { Err(Error::PasswordCommon) } else { Ok(()) }
}

/// Whether it is a common password, with signs for letters or with others around.
fn is_common(folded: &str) -> bool {
    let only = |text: String| text.chars().filter(|it| it.is_alphanumeric()).collect::<String>();
    [folded.chars().map(plain).collect(), folded.to_owned()].map(only).iter().any(|it| is_of_common(it))
}

/// Whether it is put together from common passwords and digits alone.
fn is_of_common(letters: &str) -> bool {
    let mut rest = letters;
    let mut known = 0;
    while !rest.is_empty() {
        let all = COMMON.iter().filter_map(|word| rest.strip_prefix(word));
        match all.min_by_key(|rest| rest.len()) {
            Some(shorter) => (rest, known) = (shorter, known + 1),
            None => match rest.strip_prefix(|c: char| c.is_ascii_digit()) {
                Some(shorter) => rest = shorter,
                None => return false,
            },
        }
    }
    known > 0 || letters.chars().all(|it| it.is_ascii_digit())
}

/// Signs that stand for letters.
fn plain(letter: char) -> char {
    match letter {
        '@' => 'a',
        '$' => 's',
        '!' => 'i',
        '€' => 'e',
        letter => letter,
    }
}

/// The most common passwords, and the words that they are put together from, in small letters. Longer ones of the same beginning first
/// does not matter: the longest that fits is taken.
const COMMON: &[&str] = &[
    "password",
    "passwort",
    "passw0rd",
    "passwor",
    "kennwort",
    "qwertz",
    "qwertzuiop",
    "qwerty",
    "qwertyuiop",
    "asdfghjkl",
    "asdfgh",
    "asdf",
    "yxcvbnm",
    "zxcvbnm",
    "qazwsx",
    "qaywsx",
    "edc",
    "rfv",
    "abc",
    "abcd",
    "abcdef",
    "abcdefghijkl",
    "iloveyou",
    "ichliebedich",
    "hallo",
    "hello",
    "welt",
    "world",
    "schatz",
    "sommer",
    "winter",
    "herbst",
    "fruehling",
    "frühling",
    "summer",
    "autumn",
    "spring",
    "welcome",
    "willkommen",
    "admin",
    "administrator",
    "root",
    "test",
    "tester",
    "testtest",
    "geheim",
    "secret",
    "letmein",
    "master",
    "monkey",
    "dragon",
    "football",
    "fussball",
    "fußball",
    "baseball",
    "sunshine",
    "princess",
    "login",
    "start",
    "changeme",
    "aendern",
    "ändern",
    "default",
    "user",
    "benutzer",
    "guest",
    "gast",
    "amtsbote",
    "verwaltung",
    "behoerde",
    "behörde",
    "rathaus",
    "kreis",
    "stadt",
    "montag",
    "dienstag",
    "mittwoch",
    "donnerstag",
    "freitag",
    "januar",
    "februar",
    "maerz",
    "märz",
    "april",
    "mai",
    "juni",
    "juli",
    "august",
    "september",
    "oktober",
    "november",
    "dezember",
    "deutschland",
    "berlin",
    "schalke",
    "borussia",
    "bayern",
    "computer",
    "internet",
    "superman",
    "batman",
    "starwars",
    "pokemon",
    "trustno",
    "whatever",
    "michael",
    "daniel",
    "thomas",
    "andreas",
    "stefan",
    "hase",
    "maus",
    "ficken",
    "arschloch",
    "killer",
    "sicher",
    "sicherheit",
    "security",
    "und",
    "mein",
    "meinpasswort",
    "das",
    "ist",
    "my",
    "is",
    "the",
    "p4ssw0rt",
    "pa55word",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_as_owasp_recommends_and_known_again() {
        let kept = hash("sieben Ampeln am Deich").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(is_right(&kept, "sieben Ampeln am Deich") && !is_right(&kept, "sieben Ampeln am Deich "));
        assert_ne!(kept, hash("sieben Ampeln am Deich").unwrap());
    }

    #[test]
    fn nobody_has_the_password_of_nobody_though_it_is_checked() {
        assert!(PasswordHash::new(NOBODY).is_ok_and(|it| it.hash.is_some()));
        for said in ["", "a", "AAAAAAAAAAAAAAAA"] {
            assert!(!is_right(NOBODY, said));
        }
    }

    #[test]
    fn what_speaks_against_a_password_is_named() {
        let code = |password: &str| {
            check(password, "e.sonnenschein", "Erika Nadel").map_err(|it| it.code().to_owned())
        };
        for good in ["sieben Ampeln am Deich", "Korrekt-Pferd-Batterie", "x7#Qp!2vLm9&"] {
            assert_eq!(code(good), Ok(()), "{good}");
        }
        let long = "lang und breit ".repeat(70);
        for short in ["", "x7#Qp!2vLm9", "aaaaaaaaaaaaaaaa", "abababababab", long.as_str()] {
            assert_eq!(code(short), Err("user.password-short".to_owned()), "{short}");
        }
        for personal in ["Sonnenschein im Mai", "vier Nadeln im Heu", "x-ERIKA-1234567"] {
            assert_eq!(code(personal), Err("user.password-personal".to_owned()), "{personal}");
        }
        for common in [
            "Passwort2026!",
            "123456789012",
            "Qwertzuiop123",
            "P@ssword1234",
            "sommerwinter26",
            "Willkommen-2026",
        ] {
            assert_eq!(code(common), Err("user.password-common".to_owned()), "{common}");
        }
    }
}
