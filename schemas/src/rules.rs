//! libxml2's violations in our own words: the rule's number (`XML_SCHEMAV_*`) stays, its text goes,
//! since it quotes values. Only names of elements and attributes are taken over from it.

use crate::ffi::Violation;

/// Longest list of expected elements that is taken over.
const EXPECTED: usize = 12;

/// Rule and sentence for a violation at an element.
pub(crate) fn describe(violation: &Violation, local: &str) -> (String, String) {
    let number = if explanation(violation.code).is_some() { violation.code } else { 1879 };
    let rule = format!("xsd.{number}");
    let what = explanation(number).unwrap_or("breaks a rule of the schema");
    let subject = match attribute(violation) {
        Some(name) => format!("Attribute {name} of {local}"),
        None => format!("Element {local}"),
    };
    let incomplete = violation.text.contains("Missing child element");
    let what = if number == 1871 && incomplete { "lacks an element" } else { what };
    let expected = expected(&violation.text);
    match expected.is_empty() {
        true => (rule, format!("{subject} {what}.")),
        false => (rule, format!("{subject} {what}; expected: {}.", expected.join(", "))),
    }
}

fn explanation(number: i32) -> Option<&'static str> {
    Some(match number {
        1824 => "has a value that its type does not allow",
        1825 => "has an item in its list that its type does not allow",
        1826 => "has a value that none of the allowed types takes",
        1827 => "must not have attributes",
        1828 => "is not allowed here: the element around it holds a value",
        1829 => "has a value outside the allowed range",
        1830 => "has a value of the wrong length",
        1831 => "has a value that is too short",
        1832 => "has a value that is too long",
        1833 | 1835 => "has a value that is too small",
        1834 | 1836 => "has a value that is too large",
        1837 => "has a number with too many digits",
        1838 => "has a number with too many decimal places",
        1839 => "has a value that does not have the required form",
        1840 => "has a value that is not one of those listed",
        1841 => "must be empty",
        1842 => "must not contain elements",
        1843 => "must not contain text",
        1845 => "is not known to the schema as the root of a message",
        1846 => "is abstract and must not be used",
        1848 => "must not be nil",
        1849..=1852 => "names a type that is not allowed here",
        1857 | 1858 => "does not have the one value that is allowed",
        1861 => "is not known",
        1863 | 1864 | 1874 => "does not have the one value that is allowed",
        1866 | 1867 => "is not allowed here",
        1868 => "is required and missing",
        1871 => "is not expected here",
        1872 => "is missing: there is no root element",
        1877 => "breaks a rule of uniqueness or reference",
        1878 => "is not known and not allowed here",
        1879 => "breaks a rule of the schema",
        _ => return None,
    })
}

/// The attribute concerned: libxml2 writes `attribute 'name':` behind the element, or, where an
/// attribute is missing or too much, `The attribute 'name' is`.
fn attribute(violation: &Violation) -> Option<&str> {
    let text = &violation.text;
    let after = match violation.code {
        1866..=1868 => text.split_once("The attribute '")?.1,
        _ => text.strip_prefix("Element '")?.split_once("', attribute '")?.1,
    };
    let name = after.split_once('\'')?.0;
    Some(local_name(name)).filter(|name| is_name(name))
}

/// The local names in `Expected is one of ( {urn:x}a, {urn:x}b ).`
fn expected(text: &str) -> Vec<&str> {
    let Some((_, list)) = text.split_once("Expected is ") else { return Vec::new() };
    let list = list.trim_start_matches("one of").trim_start().trim_start_matches('(');
    let list = list.split_once(" ).").map_or(list, |(list, _)| list);
    let names = list.split(',').map(|name| local_name(name.trim())).filter(|name| is_name(name));
    names.take(EXPECTED).collect()
}

/// `{urn:x}a` without its namespace.
fn local_name(name: &str) -> &str {
    name.rsplit_once('}').map_or(name, |(_, local)| local)
}

/// Whether it is a name and not something that libxml2 quoted.
fn is_name(name: &str) -> bool {
    let is_name_character = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name.len() <= 100 && name.chars().all(is_name_character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe_text(code: i32, text: &str) -> (String, String) {
        describe(&Violation { code, text: text.to_owned() }, "b")
    }

    #[test]
    fn expected_elements_are_named_without_their_namespace() {
        let text = "Element '{urn:x}b': This element is not expected. Expected is one of ( {urn:x}c, d, ##other{urn:x}* ).\n";
        let (rule, message) = describe_text(1871, text);
        assert_eq!(rule, "xsd.1871");
        assert_eq!(message, "Element b is not expected here; expected: c, d.");
        let text = "Element '{urn:x}b': Missing child element(s). Expected is ( {urn:x}c ).\n";
        assert_eq!(describe_text(1871, text).1, "Element b lacks an element; expected: c.");
    }

    #[test]
    fn values_are_never_repeated() {
        let text =
            "Element '{urn:x}b': 'Erika Mustermann' is not a valid value of the atomic type 'xs:date'.\n";
        let (_, message) = describe_text(1824, text);
        assert_eq!(message, "Element b has a value that its type does not allow.");
        let text = "Element 'b', attribute 'c': [facet 'pattern'] The value 'x' is not accepted by the pattern 'y'.\n";
        assert_eq!(
            describe_text(1839, text).1,
            "Attribute c of b has a value that does not have the required form."
        );
    }

    #[test]
    fn unknown_numbers_are_one_rule() {
        assert_eq!(describe_text(1817, "anything 'x'").0, "xsd.1879");
    }
}
