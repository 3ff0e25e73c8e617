//! `[citizen]`: the citizens' pages, whose they are, and what they offer.

use broker::{Citizens, PublicService};
use model::party::TrustLevel;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::{Config, Error};

/// Name of the section.
const KEY: &str = "citizen";

/// Ways of dispatches that a citizen may choose.
const WAYS: [&str; 8] = ["mail", "push", "print", "hybrid", "letter", "fit-connect", "portal", "call"];

/// `[citizen]`. Without it there are no pages for citizens.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Citizen {
    /// Address by which citizens reach `listen.public`, without a slash at the end.
    pub url: String,
    /// Whose pages they are.
    pub office: String,
    /// Address of the imprint.
    pub imprint: String,
    /// Address of the privacy statement.
    pub privacy: String,
    /// E-mail address that barriers are reported to.
    pub feedback_email: String,
    /// Telephone number for the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback_phone: Option<String>,
    /// The arbitration body.
    pub arbitration: String,
    /// Its page.
    pub arbitration_url: String,
    /// Day on which the statement of accessibility was made, `YYYY-MM-DD`.
    pub statement_made: String,
    /// Ways by which a citizen may want to hear of a case.
    #[serde(default)]
    pub ways: Vec<String>,
    /// Megabytes (MiB) of the largest file that a citizen may bring.
    #[serde(default = "max_mb")]
    pub max_mb: u64,
    /// Public services as citizens know them.
    #[serde(default, rename = "service", skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<CitizenService>,
    /// Barriers that are known.
    #[serde(default, rename = "barrier", skip_serializing_if = "Vec::is_empty")]
    pub barriers: Vec<Barrier>,
}

/// A public service (Leistung) as citizens know it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CitizenService {
    /// Its id, as cases have it.
    pub id: String,
    /// Its name in German.
    pub name: String,
    /// Its name in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_en: Option<String>,
    /// Below this level of authentication a clerk looks at an application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_level: Option<TrustLevel>,
}

/// A barrier that is known.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Barrier {
    /// In German.
    pub de: String,
    /// In English.
    pub en: String,
}

fn max_mb() -> u64 {
    20
}

impl Citizen {
    /// What the pages are made with.
    pub fn citizens(&self) -> Citizens {
        let service = |it: &CitizenService| {
            let (name, name_en) = (it.name.clone(), it.name_en.clone());
            (it.id.clone(), PublicService { name, name_en, minimum_level: it.minimum_level })
        };
        Citizens {
            url: self.url.clone(),
            office: self.office.clone(),
            imprint: self.imprint.clone(),
            privacy: self.privacy.clone(),
            feedback_email: self.feedback_email.clone(),
            feedback_phone: self.feedback_phone.clone(),
            arbitration: (self.arbitration.clone(), self.arbitration_url.clone()),
            statement_made: self.statement_made.clone(),
            barriers: self.barriers.iter().map(|it| (it.de.clone(), it.en.clone())).collect(),
            services: self.services.iter().map(service).collect(),
            ways: self.ways.clone(),
            most_bytes: self.max_mb << 20,
        }
    }
}

impl Check<'_> {
    pub(crate) fn citizen(&self, config: &Config) -> Result<(), Error> {
        let Some(citizen) = &config.citizen else { return Ok(()) };
        if config.listen.public.is_none() {
            return Err(self.value(&format!("{KEY}.url"), "the citizens' pages need listen.public"));
        }
        self.note(self.public_url(&format!("{KEY}.url"), &citizen.url));
        self.note(self.title(&format!("{KEY}.office"), &citizen.office));
        self.note(self.title(&format!("{KEY}.arbitration"), &citizen.arbitration));
        for (name, url) in [
            ("imprint", &citizen.imprint),
            ("privacy", &citizen.privacy),
            ("arbitration_url", &citizen.arbitration_url),
        ] {
            if !url.starts_with("https://") || url.contains(char::is_whitespace) {
                return Err(self.value(&format!("{KEY}.{name}"), "expected https://…"));
            }
        }
        let email = &citizen.feedback_email;
        let is_email =
            email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
        if !is_email || email.contains(|c: char| c.is_whitespace() || c == '?') {
            return Err(self.value(&format!("{KEY}.feedback_email"), "expected an address of e-mail"));
        }
        if !is_day(&citizen.statement_made) {
            return Err(self.value(&format!("{KEY}.statement_made"), "expected YYYY-MM-DD"));
        }
        for (at, way) in citizen.ways.iter().enumerate() {
            let key = format!("{KEY}.ways[{at}]");
            self.note(self.unique(&key, !citizen.ways[..at].contains(way)));
            if !WAYS.contains(&way.as_str()) {
                return Err(self.value(&key, &format!("expected one of {}", WAYS.join(", "))));
            }
        }
        self.note(self.number(&format!("{KEY}.max_mb"), citizen.max_mb, 1, 1_024));
        for (at, service) in citizen.services.iter().enumerate() {
            let key = format!("{KEY}.service[{at}]");
            self.note(self.name(&format!("{key}.id"), &service.id));
            let known = citizen.services[..at].iter().any(|before| before.id == service.id);
            self.note(self.unique(&format!("{key}.id"), !known));
            self.note(self.title(&format!("{key}.name"), &service.name));
        }
        Ok(())
    }
}

fn is_day(text: &str) -> bool {
    let is_digit =
        |(at, byte): (usize, u8)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 10 && text.bytes().enumerate().all(is_digit)
}
