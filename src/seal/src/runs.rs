//! Text without its white space, as base64 in XML is read (RFC 4648 section 4; XML 1.0 section 2.3).

/// The pieces of a text between its white space; some may be empty.
pub(crate) fn runs(text: &str) -> impl Iterator<Item = &[u8]> {
    // Blanks are rare, but each line has its end.
    split(text.as_bytes(), *b"\n\r").flat_map(|line| split(line, *b" \t"))
}

fn split(bytes: &[u8], [one, other]: [u8; 2]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let end = memchr::memchr2(one, other, bytes);
        let (run, after) = bytes.split_at(end.unwrap_or(bytes.len()));
        rest = end.and_then(|_| after.get(1..));
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_but_white_space_is_left_out(text in "[a-c=\\-äß \t\r\n]{0,60}") {
            let without: String = text.chars().filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')).collect();
            prop_assert_eq!(runs(&text).collect::<Vec<_>>().concat(), without.as_bytes());
        }
    }
}
