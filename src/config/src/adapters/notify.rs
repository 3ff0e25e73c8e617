//! `kind = "notify"`: what citizens are told when something happens to their case. Details: docs/dispatch.md.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::{EventKind, RecordKind};
use serde::{Deserialize, Serialize};

use super::Refers;

/// How citizens are told.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// When which notice goes out; the first that fits counts.
    pub notices: Vec<NoticeRule>,
    /// Folder of the templates.
    pub templates: PathBuf,
    /// In which language parties are told that chose none.
    #[serde(default)]
    pub language: NoticeLanguage,
    /// What parties have to be in the case to be told.
    #[serde(default = "applicant")]
    pub roles: Vec<String>,
    /// The ways of those who chose none, and what is tried after the chosen one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<String>,
    /// Where more is to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Names of public services.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub service_names: BTreeMap<String, InTwo>,
    /// Area code of telephone numbers without one, without its 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
}

/// When a notice goes out.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeRule {
    /// What happens.
    pub event: EventKind,
    /// To which records.
    pub record: RecordKind,
    /// Only if that brings the record into this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Only tasks or dispatches of this kind. Written `of`, since `kind` is that of the adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Only for cases of these public services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Name of the template.
    pub template: String,
}

/// Something in German and in English.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InTwo {
    /// German.
    pub de: String,
    /// English.
    pub en: String,
}

/// In which language citizens are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeLanguage {
    /// German.
    #[default]
    De,
    /// English.
    En,
    /// German, and English below it.
    Both,
}

fn applicant() -> Vec<String> {
    vec!["applicant".to_owned()]
}

impl Notify {
    pub(super) fn refers(&mut self) -> Refers<'_> {
        let is_name = |text: &String| model::ids::is_name(text);
        let bad_name = self.notices.iter().any(|it| !is_name(&it.template));
        let paper = |way: &String| matches!(way.as_str(), "print" | "hybrid");
        let is_twice = self.ways.iter().enumerate().any(|(at, way)| self.ways[..at].contains(way));
        let bad_way = is_twice || self.ways.iter().any(|way| !is_name(way) || paper(way));
        let is_link = |link: &String| link.starts_with("https://") || link.starts_with("http://");
        let bad_link = self.link.iter().any(|link| !is_link(link) || link.contains(char::is_whitespace));
        let bad_area = self.area.iter().any(|it| it.is_empty() || !it.bytes().all(|it| it.is_ascii_digit()));
        Refers::default()
            .paths([&mut self.templates])
            .wrong_if(self.notices.is_empty(), "notices", "expected at least one")
            .wrong_if(bad_name, "notices", "expected names of templates: letters, digits, `-` and `.`")
            .wrong_if(
                bad_way,
                "ways",
                "expected ways, each once, and none of print and hybrid: they carry documents",
            )
            .wrong_if(bad_link, "link", "expected an address that begins with https://")
            .wrong_if(bad_area, "area", "expected digits")
    }
}
