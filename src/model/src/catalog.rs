//! What every code means, in English and German: the sentences of the pages under `docs/errors`.
//!
//! A page begins with `# code`, and holds one line `en: …` and one line `de: …`; that of a rule of messages also
//! `side: sender`, `recipient` or `us`, which says who has to act. The prose below is for people. Whoever answers a foreign system (problems of the REST interface, findings of a check) takes
//! the sentence from here, so that it stands in exactly one place.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use crate::clarification::Side;

#[derive(rust_embed::RustEmbed)]
#[folder = "../../docs/errors"]
struct Pages;

/// What a code means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// In English.
    pub en: String,
    /// In German.
    pub de: String,
    /// Who has to act, if it is a rule of messages.
    pub side: Option<Side>,
}

/// The sentence of a code; `None` if no page explains it.
pub fn sentence(code: &str) -> Option<&'static Sentence> {
    catalog().get(code)
}

/// Every code that a page explains.
pub fn codes() -> impl Iterator<Item = &'static str> {
    catalog().keys().map(String::as_str)
}

fn catalog() -> &'static HashMap<String, Sentence> {
    static CATALOG: OnceLock<HashMap<String, Sentence>> = OnceLock::new();
    CATALOG.get_or_init(|| pages().filter_map(|name| read(&name)).collect())
}

/// The pages, without the one that says how they are written.
fn pages() -> impl Iterator<Item = Cow<'static, str>> {
    Pages::iter().filter(|name| name != "README.md")
}

fn read(file_name: &str) -> Option<(String, Sentence)> {
    let page = Pages::get(file_name)?;
    let text = std::str::from_utf8(&page.data).ok()?;
    let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)).map(str::to_owned);
    let code = line("# ")?;
    let side = line("side: ").and_then(|name| Side::of_name(&name));
    Some((code, Sentence { en: line("en: ")?, de: line("de: ")?, side }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_its_code_as_name_and_a_sentence_in_both_languages() {
        for file_name in pages() {
            let (code, sentence) =
                read(&file_name).unwrap_or_else(|| panic!("{file_name} is not well-formed"));
            assert_eq!(format!("{code}.md"), file_name);
            for text in [&sentence.en, &sentence.de] {
                assert!(text.len() > 10 && text.ends_with('.'), "{file_name}: {text}");
            }
        }
    }

    /// Pages of rules that a report of a message may hold.
    const RULES: &[&str] = &["message.", "exchange.", "container.", "xdomea.", "xjustiz.", "xsd.", "xml."];

    #[test]
    fn every_rule_of_messages_says_who_has_to_act_and_says_it_once() {
        for file_name in pages() {
            let page = Pages::get(&file_name).unwrap();
            let text = std::str::from_utf8(&page.data).unwrap();
            let sides: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("side: ")).collect();
            assert!(sides.iter().all(|side| Side::of_name(side).is_some()), "{file_name}: {sides:?}");
            let is_rule = RULES.iter().any(|rule| file_name.starts_with(rule));
            assert!(sides.len() == 1 || (sides.is_empty() && !is_rule), "{file_name}: {sides:?}");
        }
    }

    #[test]
    fn a_code_without_a_page_has_no_sentence() {
        assert_eq!(sentence("no.such-code"), None);
    }
}
