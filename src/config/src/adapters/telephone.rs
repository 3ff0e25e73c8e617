//! `kind = "asterisk"`: a telephone system with the REST interface of Asterisk (ARI). Details: docs/telephone.md.

use serde::{Deserialize, Serialize};

use super::Refers;

/// A telephone system.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Asterisk {
    /// Address of the interface.
    pub url: String,
    /// User.
    pub user: String,
    /// Reference to the password.
    pub password: String,
    /// Name of the gateway's Stasis application.
    #[serde(default = "application")]
    pub application: String,
    /// Contexts of the dialplan that calls from outside come in by.
    pub contexts: Vec<String>,
    /// Endpoint of a clerk's telephone; `{}` is the extension.
    #[serde(default = "agents")]
    pub agents: String,
    /// Endpoint of a number outside; `{}` is the number without `+`.
    pub outside: String,
    /// The number that those outside see.
    pub caller_id: String,
    /// What numbers begin with that may be called; absent: those of `country`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_call: Option<Vec<String>>,
    /// What numbers begin with that may not, beside what costs more than a call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_not_call: Vec<String>,
    /// Country of numbers that name none.
    #[serde(default = "germany")]
    pub country: String,
    /// Area code of numbers that name none, without `0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// Hours of service within which somebody has to call back.
    #[serde(default = "eight")]
    pub call_back_hours: u32,
    /// Whether a call that nobody took becomes a task of calling back.
    #[serde(default = "yes")]
    pub missed_calls_back: bool,
    /// How long a telephone rings, in seconds.
    #[serde(default = "thirty")]
    pub rings_seconds: u32,
    /// Longest time of a call of the interface, in seconds.
    #[serde(default = "ten")]
    pub within_seconds: u32,
    /// Most calls of a minute that are noted each by itself.
    #[serde(default = "six_hundred")]
    pub calls_a_minute: u32,
}

fn application() -> String {
    "amtsbote".to_owned()
}

fn agents() -> String {
    "PJSIP/{}".to_owned()
}

fn germany() -> String {
    "49".to_owned()
}

fn eight() -> u32 {
    8
}

fn yes() -> bool {
    true
}

fn thirty() -> u32 {
    30
}

fn ten() -> u32 {
    10
}

fn six_hundred() -> u32 {
    600
}

/// What an international number may begin with: `+` and at most 15 digits.
fn is_beginning(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

impl Asterisk {
    /// What numbers begin with that may be called.
    pub fn may_call(&self) -> Vec<String> {
        self.may_call.clone().unwrap_or_else(|| vec![format!("+{}", self.country)])
    }

    pub(super) fn refers(&mut self) -> Refers<'_> {
        let has_place =
            |text: &String| text.matches("{}").count() == 1 && !text.contains(char::is_whitespace);
        let digits =
            |text: &str| (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_area = self.area.as_deref().is_none_or(|area| digits(area) && !area.starts_with('0'));
        let is_name =
            |text: &String| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == ',');
        let lines = [&self.user, &self.caller_id].iter().all(|text| !text.trim().is_empty());
        let contexts = !self.contexts.is_empty() && self.contexts.iter().all(is_name);
        let wrong_agents = !has_place(&self.agents);
        let wrong_outside = !has_place(&self.outside);
        let wrong_country = !digits(&self.country) || self.country.starts_with('0');
        let may_call = self.may_call();
        let are_beginnings = may_call.iter().chain(&self.may_not_call).all(|text| is_beginning(text));
        let wrong_both = may_call.iter().any(|it| self.may_not_call.contains(it));
        let wrong_application = !is_name(&self.application);
        let user_has_colon = self.user.contains(':');
        Refers::default()
            .url("url", &self.url)
            .numbers([
                ("call_back_hours", self.call_back_hours.into(), 1, 1_000),
                ("rings_seconds", self.rings_seconds.into(), 5, 120),
                ("within_seconds", self.within_seconds.into(), 1, 60),
                ("calls_a_minute", self.calls_a_minute.into(), 1, 100_000),
            ])
            .wrong_if(!lines || user_has_colon, "user", "expected a user without a colon, and a caller_id")
            .wrong_if(!contexts, "contexts", "expected the contexts that calls from outside come in by")
            .wrong_if(wrong_application, "application", "expected a name without spaces and commas")
            .wrong_if(wrong_agents, "agents", "expected an endpoint with one {} for the extension")
            .wrong_if(wrong_outside, "outside", "expected an endpoint with one {} for the number")
            .wrong_if(!are_beginnings, "may_call", "expected what numbers begin with, such as +49 or +49180")
            .wrong_if(
                wrong_both,
                "may_not_call",
                "expected none of may_call: the longest that fits a number decides",
            )
            .wrong_if(wrong_country, "country", "expected a country code such as 49")
            .wrong_if(!is_area, "area", "expected an area code without its 0")
            .secrets([("password", &mut self.password)])
    }
}
