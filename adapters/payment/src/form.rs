//! Queries and forms (`application/x-www-form-urlencoded`) as providers send them, read strictly: each name once, nothing that two
//! readers could read differently.

use model::payment::provider::Refusal;

/// Most fields, longest name and longest value, in bytes.
const FIELDS: usize = 64;
const NAME: usize = 64;
const VALUE: usize = 4_096;

/// The fields of a query or form, in their order.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

/// They may hold account numbers and names; they never reach a log.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fields({})", self.0.len())
    }
}

impl Fields {
    /// Reads fields that are still encoded.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] if an escape is broken, a value is no UTF-8, has control characters, or there is too much of
    /// anything; [`Refusal::Repeated`] if a name comes twice.
    pub(crate) fn read(encoded: &[u8]) -> Result<Self, Refusal> {
        if !escapes_are_whole(encoded) {
            return Err(Refusal::Malformed);
        }
        let mut fields: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            let is_sound = !name.is_empty()
                && name.len() <= NAME
                && value.len() <= VALUE
                // What was no UTF-8 has become this character.
                && !name.chars().chain(value.chars()).any(|char| char.is_control() || char == '\u{FFFD}');
            if !is_sound || fields.len() == FIELDS {
                return Err(Refusal::Malformed);
            }
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(Refusal::Repeated);
            }
            fields.push((name.into_owned(), value.into_owned()));
        }
        Ok(Fields(fields))
    }

    /// The value of a field, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a field that has to be there and fit.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] if it is missing or does not.
    pub(crate) fn wanted(&self, name: &str, fits: impl Fn(&str) -> bool) -> Result<&str, Refusal> {
        self.get(name).filter(|value| fits(value)).ok_or(Refusal::Malformed)
    }
}

/// Writes fields as a query or form.
pub(crate) fn write(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Whether each `%` has its two digits. Readers differ on what it means otherwise.
fn escapes_are_whole(encoded: &[u8]) -> bool {
    let mut rest = encoded.split(|byte| *byte == b'%').skip(1);
    rest.all(|piece| matches!(piece, [one, two, ..] if one.is_ascii_hexdigit() && two.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_stands_once_and_what_is_broken_is_refused() {
        let read = |text: &str| Fields::read(text.as_bytes());
        let fields = read("a=1&b=x+y%20z&c=").unwrap();
        assert_eq!([fields.get("a"), fields.get("b"), fields.get("c")], [Some("1"), Some("x y z"), Some("")]);
        assert_eq!(fields.get("d"), None);
        assert_eq!(read("a=1&a=1"), Err(Refusal::Repeated));
        assert_eq!(read("a=1&%61=2"), Err(Refusal::Repeated), "an escape hides no repetition");
        for broken in ["a=%", "a=%4", "a=%zz", "a=%E4", "a=%00", "=1", "a=\u{7}"] {
            assert_eq!(read(broken), Err(Refusal::Malformed), "{broken}");
        }
        let many: Vec<String> = (0..=FIELDS).map(|at| format!("f{at}=1")).collect();
        assert_eq!(read(&many.join("&")), Err(Refusal::Malformed));
        assert_eq!(read(&format!("a={}", "x".repeat(VALUE + 1))), Err(Refusal::Malformed));
        assert_eq!(read(&format!("{}=1", "x".repeat(NAME + 1))), Err(Refusal::Malformed));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(values in prop::collection::vec("[^\\p{Cc}\u{FFFD}]{0,40}", 0..20)) {
            let names: Vec<String> = (0..values.len()).map(|at| format!("name {at} ä&=")).collect();
            let fields: Vec<_> = names.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
            let read = Fields::read(write(&fields).as_bytes()).unwrap();
            for (name, value) in fields {
                prop_assert_eq!(read.get(name), Some(value));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Fields::read(&bytes);
        }
    }
}
