//! Where an authority is reached (Verzeichnisdienst).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::message::Door;
use crate::{Authority, Failure, Timestamp};

/// It is another tenant that may reach the authority this way.
pub const OTHER_TENANT: &str = "directory.other-tenant";
/// The message is larger than the way takes.
pub const TOO_LARGE: &str = "message.too-large-for-recipient";
/// The authority that sends has no keys for this transport.
pub const NO_KEYS: &str = "directory.no-keys";
/// A certificate that the way needs has ended.
pub const CERTIFICATE_ENDED: &str = "directory.certificate-ended";
/// The authority does not take messages of this public service this way.
pub const NOT_OFFERED: &str = "directory.not-offered";

/// How an authority is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reach {
    /// The authority.
    pub authority: Authority,
    /// Its name.
    pub name: String,
    /// Transport by which it is reached.
    pub transport: Transport,
    /// Standards and versions that it reads, newest first, such as `("xdomea", "3.1.0")`.
    pub reads: Vec<(String, String)>,
    /// Largest message it takes, in bytes. Checked before anything is sent.
    pub most_bytes: u64,
    /// The only tenant that may reach it this way; absent: any.
    pub tenant: Option<String>,
    /// Who says so.
    pub source: Source,
}

/// Who knows a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Source {
    /// It is an authority of the house.
    House,
    /// A partner of the configuration.
    Configuration,
    /// An entry that was imported.
    Imported,
    /// The German directory of public offices (DVDV).
    Dvdv,
}

impl Source {
    /// Name as in the JSON form.
    pub fn name(self) -> &'static str {
        match self {
            Source::House => "house",
            Source::Configuration => "configuration",
            Source::Imported => "imported",
            Source::Dvdv => "dvdv",
        }
    }
}

/// Transport to an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Transport {
    /// It has a mailbox in this gateway.
    Local {
        /// Its tenant.
        tenant: String,
        /// Unit that receives what names none.
        unit: String,
    },
    /// A channel of ours carries messages to it.
    Adapter {
        /// The adapter, as configured.
        id: String,
        /// Whether the other side knows a delivery by its id, so that the same one may be sent twice.
        may_repeat: bool,
    },
    /// By OSCI-Transport, as the configuration or a directory says.
    Osci,
    /// By XTA, as the configuration or a directory says.
    Xta,
}

impl Transport {
    /// Name as in the JSON form. What lies behind it (tenant, unit) is nobody else's business.
    pub fn name(&self) -> &'static str {
        match self {
            Transport::Local { .. } => "local",
            Transport::Adapter { .. } => "adapter",
            Transport::Osci => "osci",
            Transport::Xta => "xta",
        }
    }

    /// The door by which a message leaves this way.
    pub fn door(&self) -> Door {
        match self {
            Transport::Local { .. } => Door::Local,
            Transport::Adapter { .. } => Door::Adapter,
            Transport::Osci => Door::Osci,
            Transport::Xta => Door::Xta,
        }
    }
}

/// What is to be sent to whom, as far as it is known already.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The tenant that sends.
    pub tenant: &'a str,
    /// The authority that is to be reached.
    pub to: &'a Authority,
    /// Authority of the house that sends.
    pub from: Option<&'a Authority>,
    /// Public service that it is about.
    pub service: Option<&'a str>,
    /// Size of the message.
    pub bytes: Option<u64>,
    /// The present moment.
    pub now: Timestamp,
}

/// One of the ways to an authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The way.
    pub reach: Reach,
    /// When the first certificate that it needs ends.
    pub until: Option<Timestamp>,
    /// Why it cannot be used now: the code of the rule.
    pub obstacle: Option<&'static str>,
}

impl Way {
    /// A way, looked at for what is to be sent. What holds for every transport is looked at here.
    pub fn new(reach: Reach, until: Option<Timestamp>, asked: &Asked<'_>) -> Self {
        let is_foreign = reach.tenant.as_deref().is_some_and(|only| only != asked.tenant);
        let obstacle = if is_foreign {
            Some(OTHER_TENANT)
        } else if until.is_some_and(|end| end <= asked.now) {
            Some(CERTIFICATE_ENDED)
        } else {
            None
        };
        let most_bytes = reach.most_bytes;
        Way { reach, until, obstacle }.at_most(most_bytes, asked.bytes)
    }

    /// The same if there is no obstacle yet and the condition does not hold.
    pub fn demand(self, is_fulfilled: bool, rule: &'static str) -> Self {
        let obstacle = self.obstacle.or((!is_fulfilled).then_some(rule));
        Way { obstacle, ..self }
    }

    /// The same with a limit in bytes.
    pub fn at_most(mut self, limit: u64, bytes: Option<u64>) -> Self {
        let limit = self.reach.most_bytes.min(limit);
        self.reach.most_bytes = limit;
        self.demand(bytes.is_none_or(|bytes| bytes <= limit), TOO_LARGE)
    }

    /// Whether it can be used now.
    pub fn is_usable(&self) -> bool {
        self.obstacle.is_none()
    }
}

/// A directory of authorities.
#[async_trait]
pub trait Directory: Send + Sync {
    /// All ways to an authority, the preferred one first; none if it is unknown.
    ///
    /// # Errors
    /// If the directory cannot be asked.
    async fn ways(&self, asked: &Asked<'_>) -> Result<Vec<Way>, Failure>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_tells_the_first_rule_that_keeps_it_from_being_used() {
        let to: Authority = "bab:1".parse().unwrap();
        let reach = Reach {
            authority: to.clone(),
            name: "Bauaufsicht".into(),
            transport: Transport::Osci,
            reads: vec![],
            most_bytes: 10,
            tenant: Some("kreis".into()),
            source: Source::Imported,
        };
        let now = Timestamp::from_micros(5);
        let asked = Asked { tenant: "kreis", to: &to, from: None, service: None, bytes: Some(10), now };
        let obstacle = |until: Option<i64>, asked: Asked<'_>| {
            Way::new(reach.clone(), until.map(Timestamp::from_micros), &asked).obstacle
        };
        assert_eq!(obstacle(None, asked), None);
        assert_eq!(obstacle(Some(6), asked), None);
        assert_eq!(obstacle(Some(5), asked), Some(CERTIFICATE_ENDED));
        assert_eq!(obstacle(Some(5), Asked { tenant: "x", ..asked }), Some(OTHER_TENANT));
        assert_eq!(obstacle(None, Asked { bytes: Some(11), ..asked }), Some(TOO_LARGE));
        let way = Way::new(reach.clone(), None, &asked);
        assert_eq!(way.clone().at_most(20, Some(10)).reach.most_bytes, 10);
        let lowered = way.at_most(9, Some(10)).demand(false, NO_KEYS);
        assert_eq!((lowered.reach.most_bytes, lowered.obstacle), (9, Some(TOO_LARGE)));
    }
}
