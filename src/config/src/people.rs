//! `[people]`: how long users of the console stay signed in, and whose sign-in needs codes.

use std::time::Duration;

use broker::{PeopleSettings, TotpPolicy};
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::{Config, Error};

/// `[people]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct People {
    /// Minutes after which a session ends in which nothing is done.
    pub idle_minutes: u64,
    /// Hours after which any session ends.
    pub longest_hours: u64,
    /// Hours that an initial secret holds.
    pub invite_hours: u64,
    /// Whose sign-in needs codes (TOTP).
    pub totp: Totp,
}

/// Whose sign-in needs codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Totp {
    /// That of operators, auditors and administrators.
    #[default]
    Privileged,
    /// Everybody's.
    All,
    /// Nobody's; everybody may have them.
    Optional,
}

impl Default for People {
    fn default() -> Self {
        People { idle_minutes: 30, longest_hours: 10, invite_hours: 72, totp: Totp::default() }
    }
}

impl Config {
    /// What is set for people, as the broker wants it.
    pub fn people(&self) -> PeopleSettings {
        let People { idle_minutes, longest_hours, invite_hours, totp } = &self.people;
        PeopleSettings {
            idle: Duration::from_secs(idle_minutes * 60),
            longest: Duration::from_secs(longest_hours * 3_600),
            invite: Duration::from_secs(invite_hours * 3_600),
            totp: match totp {
                Totp::Privileged => TotpPolicy::Privileged,
                Totp::All => TotpPolicy::All,
                Totp::Optional => TotpPolicy::Optional,
            },
            four_eyes: self.policy.four_eyes,
        }
    }
}

impl Check<'_> {
    pub(crate) fn people(&self, config: &Config) -> Result<(), Error> {
        let people = &config.people;
        self.note(self.number("people.idle_minutes", people.idle_minutes, 2, 24 * 60));
        self.note(self.number("people.longest_hours", people.longest_hours, 1, 24 * 7));
        self.number("people.invite_hours", people.invite_hours, 1, 24 * 30)
    }
}
