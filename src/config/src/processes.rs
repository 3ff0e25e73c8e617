//! `[policy]` and `[processes]`: decisions of the house, and how long the steps of exchanges may take.

use model::command::Rules;
use serde::{Deserialize, Serialize};

use crate::Config;

/// `[policy]`.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Whether "VS - Nur für den Dienstgebrauch" may be carried.
    pub allow_restricted: bool,
    /// Whether a second one has to agree before records are destroyed.
    pub four_eyes: bool,
}

impl Config {
    /// The rules of the case model.
    pub fn rules(&self) -> Rules {
        Rules {
            allow_restricted: self.policy.allow_restricted,
            deadlines: self.processes,
            four_eyes: self.policy.four_eyes,
        }
    }
}

#[cfg(test)]
mod tests {
    use model::exchange::ExchangeKind;
    use model::process::{Awaited, Deadlines};

    #[test]
    fn a_house_says_only_the_days_that_it_wants_otherwise() {
        let text = "reminder = 3\n[disposition]\nappraisal = 365\n";
        let deadlines: Deadlines = toml::from_str(text).unwrap();
        let days = |kind, what| deadlines.of(kind, what).as_secs() / 86_400;
        assert_eq!(days(ExchangeKind::Disposition, Awaited::Appraisal), 365);
        assert_eq!(days(ExchangeKind::Disposition, Awaited::Receipt), 3);
        assert_eq!(days(ExchangeKind::Handover, Awaited::Outcome), 30);
        assert_eq!(deadlines.pause().as_secs() / 86_400, 3);
        assert!(toml::from_str::<Deadlines>("[disposition]\nappraisals = 1\n").is_err());
    }
}
