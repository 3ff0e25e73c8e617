//! What a value is made of: text with places in braces. `{/G1/F2}` is a value of the form's data by its pointer (RFC 6901),
//! `{metadata:/author/name}` one of the metadata; `{/G1/F2|/G3/F4}` is the first of them that is there. Without places it is the text
//! itself. If nothing is found for any place, there is no value.

use serde_json::Value;

use super::data::{Data, text_at};

/// Longest value in characters; longer ones are cut.
const LONGEST: usize = 2_000;

/// A value's template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The first that is there.
    Value(Vec<Source>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Data(String),
    Metadata(String),
}

/// What values are taken from.
pub struct Sources<'a> {
    /// The form's data.
    pub data: &'a Data,
    /// What came beside them.
    pub metadata: &'a Value,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, for whoever wrote it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (mut parts, mut rest) = (vec![], text);
        while let Some((before, after)) = rest.split_once('{') {
            if before.contains('}') {
                return Err("expected { before each }");
            }
            let (inside, behind) = after.split_once('}').ok_or("expected } behind each {")?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Value(inside.split('|').map(Source::parse).collect::<Result<_, _>>()?));
            rest = behind;
        }
        if rest.contains('}') {
            return Err("expected { before each }");
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        match parts.is_empty() {
            true => Err("expected a text, or places such as {/name}"),
            false => Ok(Template { parts }),
        }
    }

    /// The value, if there is one: white space is one blank.
    pub fn value(&self, sources: &Sources<'_>) -> Option<String> {
        let (mut text, mut places, mut found) = (String::new(), 0, 0);
        for part in &self.parts {
            match part {
                Part::Text(words) => text.push_str(words),
                Part::Value(all) => {
                    places += 1;
                    if let Some(value) = all.iter().find_map(|source| source.value(sources)) {
                        found += 1;
                        text.push_str(&value);
                    }
                }
            }
        }
        if places > 0 && found == 0 {
            return None;
        }
        let plain: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
        let joined = plain.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut: String = joined.chars().take(LONGEST).collect();
        (!cut.is_empty()).then_some(cut)
    }
}

impl Source {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let (source, pointer): (fn(String) -> Source, &str) = match text.strip_prefix("metadata:") {
            Some(pointer) => (Source::Metadata, pointer),
            None => (Source::Data, text),
        };
        match pointer.starts_with('/') && pointer.len() > 1 {
            true => Ok(source(pointer.to_owned())),
            false => Err("expected a pointer such as /G1/F2 or metadata:/author/name in braces"),
        }
    }

    fn value(&self, sources: &Sources<'_>) -> Option<String> {
        match self {
            Source::Data(pointer) => sources.data.text(pointer),
            Source::Metadata(pointer) => text_at(sources.metadata, pointer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(template: &str) -> Option<String> {
        let data = Data::Tree(json!({ "a": "Max", "b": { "c": " Soest\n\u{7}" } }));
        let metadata = json!({ "author": { "name": "Portal" } });
        Template::parse(template).unwrap().value(&Sources { data: &data, metadata: &metadata })
    }

    #[test]
    fn a_value_is_text_with_places_and_nothing_if_none_of_them_is_there() {
        for (template, expected) in [
            ("Antrag", Some("Antrag")),
            ("Antrag {/a} in {/b/c}", Some("Antrag Max in Soest")),
            ("{/x|/a}", Some("Max")),
            ("{/x} {/a} {/y}", Some("Max")),
            ("{/x}, {/y}", None),
            ("von {metadata:/author/name}", Some("von Portal")),
        ] {
            assert_eq!(value(template).as_deref(), expected, "{template}");
        }
    }

    #[test]
    fn a_template_that_is_none_is_refused() {
        for wrong in ["", "{", "}", "{a}", "{/a", "/a}", "{/}", "{}", "{/a|}", "{metadata:a}"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }
}
