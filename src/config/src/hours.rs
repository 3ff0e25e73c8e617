//! `[hours]`: when somebody is there. Times that are promised (115, calling back) count in these hours.

use model::hours::Hours;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::{Config, Error};

/// Hours of service.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceHours {
    /// Such as `mo-fr 08:00-18:00`; Monday to Friday from 8 to 18 if absent.
    #[serde(default = "promised")]
    pub service: Vec<String>,
    /// Days without service, `YYYY-MM-DD`: these alone; absent: the holidays of North Rhine-Westphalia by calculation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holidays: Option<Vec<String>>,
}

fn promised() -> Vec<String> {
    vec!["mo-fr 08:00-18:00".to_owned()]
}

impl Default for ServiceHours {
    fn default() -> Self {
        ServiceHours { service: promised(), holidays: None }
    }
}

impl Config {
    /// The hours of service of the house.
    ///
    /// # Errors
    /// If they are none; what was read from a file was looked at before.
    pub fn service_hours(&self) -> Result<Hours, model::Error> {
        Hours::read(&self.hours.service, self.hours.holidays.as_deref())
    }
}

impl Check<'_> {
    pub(crate) fn hours(&self, config: &Config) -> Result<(), Error> {
        match config.service_hours() {
            Ok(_) => Ok(()),
            Err(model::Error::Invalid { field: "holidays" }) => {
                Err(self.value("hours.holidays", "expected at most 1,000 days such as 2026-12-25"))
            }
            Err(_) => Err(self
                .value("hours.service", "expected hours such as \"mo-fr 08:00-18:00\", none within another")),
        }
    }
}
