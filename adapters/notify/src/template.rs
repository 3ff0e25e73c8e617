//! Templates of notices: for each name a file in German and one in English, `NAME.de.txt` and `NAME.en.txt`, UTF-8. The first line is the subject, the
//! second is empty, the rest is the text. Placeholders stand in braces and are few: what a case is about never stands in a notice.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use model::activity::Notice;

/// Placeholders.
const PLACEHOLDERS: [&str; 5] = ["number", "state", "service", "date", "link"];
/// Largest file, in bytes.
const FILE_BYTES: u64 = 16 * 1024;
/// Longest subject and text of a notice, in characters; both languages together.
const SUBJECT_CHARS: usize = 200;
const TEXT_CHARS: usize = 4_000;

/// In which language citizens are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// German.
    #[default]
    German,
    /// English.
    English,
    /// German, and English below it.
    Both,
}

/// What is told at one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    german: Words,
    english: Words,
}

/// Subject and text of one language, with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Words {
    subject: String,
    text: String,
}

/// What takes the place of placeholders, German and English where they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filling {
    /// The number by which the citizen knows the case.
    pub number: String,
    /// Where it stands.
    pub state: [String; 2],
    /// What it is about: the name of the public service.
    pub service: [String; 2],
    /// The day on which it happened.
    pub date: [String; 2],
    /// Where more is to be read.
    pub link: Option<String>,
}

impl Filling {
    /// A sample, for tests of templates.
    pub fn sample(link: Option<&str>) -> Self {
        let pair = |de: &str, en: &str| [de.to_owned(), en.to_owned()];
        Filling {
            number: "63-2026-0017".into(),
            state: pair("in Bearbeitung", "being processed"),
            service: pair("Baugenehmigung", "Building permit"),
            date: pair("30.11.2026", "2026-11-30"),
            link: link.map(str::to_owned),
        }
    }

    fn value(&self, placeholder: &str, is_german: bool) -> String {
        let [state, service, date] = [&self.state, &self.service, &self.date]
            .map(|[german, english]| if is_german { german } else { english });
        match placeholder {
            "number" => self.number.clone(),
            "state" => state.clone(),
            "service" => service.clone(),
            "date" => date.clone(),
            _ => self.link.clone().unwrap_or_default(),
        }
    }
}

impl Template {
    /// Reads both languages of a template, and tries them with a sample. `has_link` says whether there is something that `{link}` stands for.
    ///
    /// # Errors
    /// What is wrong, and with which file.
    pub fn load(folder: &Path, name: &str, has_link: bool) -> Result<Self, String> {
        if !model::ids::is_name(name) {
            return Err("expected a name of letters, digits, `-` and `.`".to_owned());
        }
        let read = |language: &str| {
            let file = format!("{name}.{language}.txt");
            let text = content(&folder.join(&file)).map_err(|why| format!("{file}: {why}"))?;
            words(&text, has_link).map_err(|why| format!("{file}: {why}"))
        };
        let template = Template { german: read("de")?, english: read("en")? };
        let link = has_link.then_some("https://buerger.kreis.example/citizen/");
        for language in [Language::German, Language::English, Language::Both] {
            let (subject, text) = template.said(language, &Filling::sample(link));
            if subject.chars().count() > SUBJECT_CHARS || text.chars().count() > TEXT_CHARS {
                return Err(format!(
                    "{name}: longer than 200 characters of subject or 4,000 of text, both languages together"
                ));
            }
        }
        Ok(template)
    }

    /// The notice.
    pub fn notice(&self, language: Language, filling: &Filling) -> Notice {
        let (subject, text) = self.said(language, filling);
        let subject = subject.replace(char::is_control, " ").chars().take(SUBJECT_CHARS).collect();
        let text = text.chars().take(TEXT_CHARS).collect();
        Notice { subject, text, link: filling.link.clone() }
    }

    /// Subject and text, however long.
    fn said(&self, language: Language, filling: &Filling) -> (String, String) {
        let german = |text: &str| fill(text, |name| filling.value(name, true));
        let english = |text: &str| fill(text, |name| filling.value(name, false));
        let (de, en) = (&self.german, &self.english);
        match language {
            Language::German => (german(&de.subject), german(&de.text)),
            Language::English => (english(&en.subject), english(&en.text)),
            Language::Both => (
                format!("{} / {}", german(&de.subject), english(&en.subject)),
                format!("{}\n\n{}\n\n{}", german(&de.text), "-".repeat(20), english(&en.text)),
            ),
        }
    }
}

fn content(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            "there is no such file: each template needs German and English".to_owned()
        }
        _ => "cannot be read".to_owned(),
    })?;
    let mut text = String::new();
    let read = file.take(FILE_BYTES + 1).read_to_string(&mut text);
    match read {
        Ok(length) if length as u64 > FILE_BYTES => Err("has more than 16 KiB".to_owned()),
        Ok(_) => Ok(text),
        Err(_) => Err("is not text in UTF-8".to_owned()),
    }
}

fn words(text: &str, has_link: bool) -> Result<Words, String> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut parts = text.splitn(3, '\n');
    let (subject, between, rest) = (parts.next(), parts.next(), parts.next());
    let (Some(subject), Some(""), Some(rest)) = (subject, between, rest) else {
        return Err("expected the subject on the first line, an empty line, and the text".to_owned());
    };
    let (subject, rest) = (subject.trim(), rest.trim_end());
    if subject.is_empty() || rest.trim().is_empty() {
        return Err("expected a subject and a text".to_owned());
    }
    if format!("{subject}{rest}").chars().any(|it| it != '\n' && it.is_control()) {
        return Err("has characters that are no text".to_owned());
    }
    for name in placeholders(subject)?.into_iter().chain(placeholders(rest)?) {
        if !PLACEHOLDERS.contains(&name) {
            let known = PLACEHOLDERS.join(", ");
            return Err(format!("there is no placeholder {{{name}}}; there are {known}"));
        }
        if name == "link" && !has_link {
            return Err("{link} stands for nothing: the adapter has no `link`".to_owned());
        }
    }
    Ok(Words { subject: subject.to_owned(), text: rest.to_owned() })
}

/// The names in braces, in their order.
fn placeholders(text: &str) -> Result<Vec<&str>, String> {
    let unbalanced = || "a brace stands alone".to_owned();
    let (mut names, mut rest) = (vec![], text);
    while let Some(at) = rest.find(['{', '}']) {
        let (_, from) = rest.split_at(at);
        let inner = from.strip_prefix('{').ok_or_else(unbalanced)?;
        let (name, after) = inner.split_once('}').ok_or_else(unbalanced)?;
        names.push(name);
        rest = after;
    }
    Ok(names)
}

/// The text with every placeholder replaced. What is filled in is not looked at again.
fn fill(text: &str, value: impl Fn(&str) -> String) -> String {
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, inner)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = inner.split_once('}') else { break };
        filled.push_str(&value(name));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// `YYYY-MM-DD` as it is written in German.
pub(crate) fn german_date(day: &str) -> String {
    match day.split('-').collect::<Vec<_>>().as_slice() {
        [year, month, day] => format!("{day}.{month}.{year}"),
        _ => day.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GERMAN: &str = "Ihr Vorgang {number}\n\nStand am {date}: {state} ({service}).\n{link}\n";
    const ENGLISH: &str = "Your case {number}\n\nAs of {date}: {state} ({service}).\n{link}\n";

    fn folder(german: Option<&str>, english: Option<&str>) -> tempfile::TempDir {
        let folder = tempfile::TempDir::new().unwrap();
        for (language, text) in [("de", german), ("en", english)] {
            let path = folder.path().join(format!("neues.{language}.txt"));
            text.into_iter().for_each(|text| std::fs::write(&path, text).unwrap());
        }
        folder
    }

    fn loaded(german: Option<&str>, english: Option<&str>, has_link: bool) -> Result<Template, String> {
        Template::load(folder(german, english).path(), "neues", has_link)
    }

    #[test]
    fn a_template_says_the_same_in_german_english_or_both() {
        let template = loaded(Some(GERMAN), Some(ENGLISH), true).unwrap();
        let sample = Filling::sample(Some("https://a.example/"));
        let german = template.notice(Language::German, &sample);
        assert_eq!(german.subject, "Ihr Vorgang 63-2026-0017");
        assert_eq!(german.text, "Stand am 30.11.2026: in Bearbeitung (Baugenehmigung).\nhttps://a.example/");
        let both = template.notice(Language::Both, &sample);
        assert_eq!(both.subject, "Ihr Vorgang 63-2026-0017 / Your case 63-2026-0017");
        assert!(both.text.contains("being processed") && both.text.contains("in Bearbeitung"), "{both:?}");
    }

    #[test]
    fn an_unknown_placeholder_or_a_missing_language_is_refused() {
        let refused = |german: &str, has_link| loaded(Some(german), Some(ENGLISH), has_link).unwrap_err();
        assert!(
            refused("Betreff\n\n{title}", true).contains("neues.de.txt: there is no placeholder {title}")
        );
        assert!(refused("Betreff\n\n{number", true).contains("brace"));
        assert!(refused("Betreff\n\nnumber}", true).contains("brace"));
        assert!(refused("Betreff\nText\nmehr", true).contains("empty line"));
        assert!(refused("Betreff\n\n \n", true).contains("a text"));
        assert!(refused("Betreff\n\na\u{7}", true).contains("no text"));
        assert!(refused(GERMAN, false).contains("neues.de.txt: {link} stands for nothing"));
        assert!(refused(&format!("Betreff\n\n{}", "ü".repeat(4_001)), true).contains("longer than"));
        assert!(refused(&"x".repeat(20_000), true).contains("16 KiB"));
        let missing = loaded(Some(GERMAN), None, true).unwrap_err();
        assert!(missing.starts_with("neues.en.txt: there is no such file"), "{missing}");
    }

    #[test]
    fn what_is_filled_in_is_not_looked_at_again() {
        let template = loaded(Some(GERMAN), Some(ENGLISH), true).unwrap();
        let sample = Filling { number: "{link}\n".into(), ..Filling::sample(Some("https://a.example/")) };
        assert_eq!(template.notice(Language::German, &sample).subject, "Ihr Vorgang {link} ");
    }
}
