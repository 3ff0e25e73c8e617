//! Places in a WebDAV folder: names of parts, as a person reads them, and the addresses (RFC 3986) that they have. Whatever a server
//! says is a place below the folder or nothing.

use std::fmt::Write as _;

/// Longest name of a part, in bytes: what ext4, NTFS and every share take.
const NAME_BYTES: usize = 180;

/// Most parts of a place, and the longest address that is read.
const MOST_PARTS: usize = 40;
const HREF_BYTES: usize = 8 * 1024;

/// A place below the folder of the settings; the folder itself has no parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place(Vec<String>);

impl Place {
    /// The folder of the settings.
    pub(crate) fn root() -> Self {
        Place(vec![])
    }

    /// What lies in it under a name.
    pub(crate) fn child(&self, name: &str) -> Self {
        let mut parts = self.0.clone();
        parts.push(name.to_owned());
        Place(parts)
    }

    /// What it lies in.
    pub(crate) fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Place(above.to_vec()))
    }

    /// Its last part; empty for the folder of the settings.
    pub(crate) fn name(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// Its parts, outermost first.
    pub(crate) fn parts(&self) -> &[String] {
        &self.0
    }

    /// Whether it lies in `other`, at any depth.
    pub(crate) fn is_below(&self, other: &Place) -> bool {
        self.0.len() > other.0.len() && self.0.starts_with(&other.0)
    }

    /// How it is written down: percent-encoded parts between slashes.
    pub(crate) fn written(&self) -> String {
        let parts: Vec<String> = self.0.iter().map(|part| encoded(part)).collect();
        parts.join("/")
    }

    /// How it is told to people and kept: parts between slashes.
    pub(crate) fn plain(&self) -> String {
        self.0.join("/")
    }

    /// Reads what [`plain`](Place::plain) wrote. `None` if a part is no name.
    pub(crate) fn from_plain(text: &str) -> Option<Self> {
        let parts: Vec<String> = text.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        (parts.len() <= MOST_PARTS && parts.iter().all(|part| is_part(part))).then_some(Place(parts))
    }

    /// Reads what [`written`](Place::written) wrote, or part of an address. `None` if a part is no name.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.len() > HREF_BYTES {
            return None;
        }
        let parts = text.split('/').filter(|part| !part.is_empty());
        let parts: Vec<String> =
            parts.map(|part| decoded(part).filter(|part| is_part(part))).collect::<Option<_>>()?;
        (parts.len() <= MOST_PARTS).then_some(Place(parts))
    }
}

/// The address of the folder that everything lies in.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// `https://host:port`.
    origin: String,
    /// Its path.
    path: Place,
}

impl Base {
    /// `None` if it is no address of a folder, or has a query or fragment.
    pub(crate) fn new(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = !host.is_empty() && !host.contains(['@', '?', '#']) && !path.contains(['?', '#']);
        let path = Place::read(path).filter(|_| is_plain && matches!(scheme, "http" | "https"))?;
        Some(Base { origin: format!("{scheme}://{host}"), path })
    }

    /// The address of a place; folders end with a slash, as servers want it.
    pub(crate) fn url(&self, place: &Place, is_folder: bool) -> String {
        let all: Vec<String> = self.path.0.iter().chain(&place.0).map(|part| encoded(part)).collect();
        let mut url = format!("{}/{}", self.origin, all.join("/"));
        if is_folder && !all.is_empty() {
            url.push('/');
        }
        url
    }

    /// The place that a server names by a path or a whole address. `None` if it does not lie in the folder: a server must not lead us
    /// elsewhere. The host of a whole address is not looked at: behind a proxy servers know themselves by other names.
    pub(crate) fn place(&self, href: &str) -> Option<Place> {
        let path = match href.split_once("://") {
            Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
            None => href.strip_prefix('/')?,
        };
        let whole = Place::read(path)?;
        let rest = whole.0.strip_prefix(self.path.0.as_slice())?;
        Some(Place(rest.to_vec()))
    }
}

/// A name that every file system and server takes, made of words: never empty, never hidden, never a path.
pub(crate) fn safe_name(words: &str) -> String {
    let is_bad = |c: char| {
        c.is_control() || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\u{feff}')
    };
    let mut name = String::with_capacity(words.len());
    let mut was_blank = true;
    for c in words.chars() {
        let is_blank = c.is_whitespace();
        let c = match c {
            _ if is_blank => ' ',
            c if is_bad(c) => '_',
            c => c,
        };
        if !(is_blank && was_blank) {
            name.push(c);
        }
        was_blank = is_blank;
    }
    let mut name =
        cut(&name, NAME_BYTES).trim_start_matches(['.', ' ', '~']).trim_end_matches(['.', ' ']).to_owned();
    if is_reserved(&name) {
        name.insert(0, '_');
    }
    if name.is_empty() { "unbenannt".to_owned() } else { name }
}

/// The same name, or one made of it, with its ending, that every file system takes.
pub(crate) fn fitting(name: &str) -> String {
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && (1..=10).contains(&ending.len()) => {
            (stem, format!(".{ending}"))
        }
        _ => (name, String::new()),
    };
    if name.len() <= NAME_BYTES {
        return safe_name(name);
    }
    safe_name(&format!("{}{ending}", cut(stem, NAME_BYTES - ending.len()).trim_end()))
}

/// Device names of Windows.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = |word: &str| {
        stem.strip_prefix(word)
            .is_some_and(|rest| rest.len() == 1 && matches!(rest.as_bytes(), [b'1'..=b'9']))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

fn is_part(part: &str) -> bool {
    !matches!(part, "." | "..")
        && part.len() <= 1_000
        && !part.contains(['/', '\\'])
        && !part.chars().any(char::is_control)
}

/// At most so many bytes, in whole characters.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes.min(text.len()))]
}

/// Everything but the unreserved characters of RFC 3986 in percent.
fn encoded(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(byte.into()),
            // Writing into a string never fails.
            byte => _ = write!(text, "%{byte:02X}"),
        }
    }
    text
}

fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digit =
                    |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(high)? * 16 + digit(low)?);
                tail
            }
            (b'%', _) => return None,
            _ => {
                bytes.push(*first);
                tail
            }
        };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(parts: &[&str]) -> Place {
        Place(parts.iter().map(|part| (*part).to_owned()).collect())
    }

    #[test]
    fn a_server_names_places_below_the_folder_or_none() {
        let base = Base::new("https://dms.example:8443/dav/Akten%20Bau/").unwrap();
        assert_eq!(base.place("/dav/Akten%20Bau/63/Pl%C3%A4ne.pdf"), Some(place(&["63", "Pläne.pdf"])));
        assert_eq!(base.place("http://intern/dav/Akten%20Bau/63/"), Some(place(&["63"])));
        assert_eq!(base.place("/dav/Akten%20Bau"), Some(Place::root()));
        for wrong in [
            "/dav/Akten%20Bau/../x",
            "/dav/Akten%20Bau/%2e%2e/x",
            "/dav/andere/x",
            "/dav/Akten%20Bau/a%2Fb",
            "/dav/Akten%20Bau/a%5Cb",
            "/dav/Akten%20Bau/a%00",
            "/dav/Akten%20Bau/%ff",
            "/dav/Akten%20Bau/%zz",
            "/dav/Akten%20Bau/%+1",
            "x",
            "",
        ] {
            assert_eq!(base.place(wrong), None, "{wrong}");
        }
        assert_eq!(
            base.url(&place(&["63", "Pläne #1.pdf"]), false),
            "https://dms.example:8443/dav/Akten%20Bau/63/Pl%C3%A4ne%20%231.pdf"
        );
        assert_eq!(base.url(&Place::root(), true), "https://dms.example:8443/dav/Akten%20Bau/");
        for wrong in
            ["dms.example/", "ftp://a/", "https://u:p@a/", "https://a/?x", "https://a/#x", "https:///x"]
        {
            assert!(Base::new(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn names_are_taken_by_every_file_system() {
        for (words, name) in [
            ("Bauantrag Müller", "Bauantrag Müller"),
            ("  a \t b\n", "a b"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("a/b\\c:d*e?f\"g<h>i|j", "a_b_c_d_e_f_g_h_i_j"),
            ("...", "unbenannt"),
            ("", "unbenannt"),
            ("Plan.", "Plan"),
            ("con", "_con"),
            ("LPT1.txt", "_LPT1.txt"),
            ("Lpten", "Lpten"),
            (".htaccess", "htaccess"),
        ] {
            assert_eq!(safe_name(words), name, "{words:?}");
        }
        assert_eq!(fitting("Plan.pdf"), "Plan.pdf");
        let long = fitting(&format!("{}.pdf", "ä".repeat(200)));
        assert!(long.len() <= NAME_BYTES && long.ends_with("ä.pdf"), "{long}");
    }

    proptest! {
        #[test]
        fn any_words_make_a_name_that_comes_back(words in "\\PC{0,300}") {
            let name = safe_name(&words);
            prop_assert!(!name.is_empty() && name.len() <= NAME_BYTES + 1);
            prop_assert!(fitting(&words).len() <= NAME_BYTES + 1);
            let base = Base::new("https://a/b").unwrap();
            let there = Place::root().child(&name);
            let url = base.url(&there, false);
            prop_assert!(url.is_ascii());
            prop_assert_eq!(base.place(&url), Some(there.clone()));
            prop_assert_eq!(Place::read(&there.written()), Some(there.clone()));
            prop_assert_eq!(Place::from_plain(&there.plain()), Some(there));
        }
    }
}
