//! Applications that come in online: FIT-Connect as subscriber, and what forms become.

use std::sync::Arc;
use std::time::Duration;

use adapter_online::fit::{Access, Desk, Hosts, Names, Settings, adapter};
use adapter_online::mapping::{Mapping, Raw, Wrong};
use config::{FitConnect, FormMapping};
use model::adapter::Adapter;
use model::rights::Within;
use seal::jose::{Algorithm, PrivateKey};
use seal::x509::{Trust, WithoutRevocation};

use super::{Build, minutes, seconds};
use crate::error::Error;

const DAY: Duration = Duration::from_secs(86_400);

impl Build<'_> {
    pub(super) fn fit_connect(&self, it: &FitConnect) -> Result<Arc<dyn Adapter>, Error> {
        let decryption = it.decryption_keys.iter().enumerate().map(|(at, reference)| {
            self.jwk(&format!("decryption_keys[{at}]"), reference, Algorithm::RsaOaep256)
        });
        let channel = self.entry.channel().ok_or_else(|| self.refused("tenant", "expected a tenant"))?;
        let megabytes = |it: u64| usize::try_from(it << 20).unwrap_or(usize::MAX);
        let secret = it.callback_secret.as_ref();
        let mappings = it.mapping.iter().enumerate().map(|(at, raw)| {
            mapping(raw).map_err(|wrong| self.refused(&format!("mapping[{at}].{}", wrong.key), &wrong.rule))
        });
        let service = match &channel.scope.services {
            Within::Only(names) => names.first().cloned(),
            Within::All => None,
        };
        let settings = Settings {
            id: self.id(),
            destination: it.destination,
            signing: self.jwk("signing_key", &it.signing_key, Algorithm::Ps512)?,
            decryption: decryption.collect::<Result<Vec<_>, _>>()?.into(),
            issuer: it.issuer.clone(),
            trust: self.fit_trust(&it.trust)?,
            set_schema: it.set_schema.clone(),
            names: self.problem_names(it)?,
            mappings: mappings.collect::<Result<_, _>>()?,
            desk: Desk {
                tenant: channel.scope.tenant,
                authority: channel.authority,
                unit: channel.unit,
                service,
            },
            pause: seconds(it.pause_seconds),
            callback_secret: secret.map(|it| self.secret("callback_secret", it)).transpose()?,
            most_data: megabytes(it.max_data_mb),
            most_attachment: it.max_attachment_mb << 20,
            most_submission: it.most_submission_mb() << 20,
            told_after: DAY * it.told_after_days,
            deadline: DAY * it.deadline_days,
        };
        let hosts = Hosts { token: it.token_url.clone(), submission: it.submission_url.clone() };
        let credentials = (it.client_id.clone(), self.secret("client_secret", &it.client_secret)?);
        let times = (seconds(it.within_seconds), minutes(it.transfer_minutes));
        let access = Access::new(self.client(), self.clock(), hosts, credentials, times);
        Ok(adapter(settings, access)?)
    }

    /// By whom certificates of keys are judged. Revocation is not asked for.
    pub(super) fn fit_trust(&self, references: &[String]) -> Result<Option<Trust>, Error> {
        let anchors = self.config.adapter_certificates(self.entry, "trust", references)?;
        if anchors.is_empty() {
            return Ok(None);
        }
        Ok(Some(Trust::new(&anchors)?.without_revocation(WithoutRevocation::Accept)))
    }

    fn problem_names(&self, it: &FitConnect) -> Result<Names, Error> {
        if let Some(name) = it.problem_names.keys().find(|name| !Names::is_known(name)) {
            return Err(
                self.refused(&format!("problem_names.{name}"), "expected the usual name of a problem")
            );
        }
        let usual = Names::default();
        let prefix = it.problem_prefix.clone().unwrap_or(usual.prefix);
        Ok(Names { prefix, other: it.problem_names.clone() })
    }

    /// A private JWK for this algorithm.
    fn jwk(&self, key: &str, reference: &str, algorithm: Algorithm) -> Result<PrivateKey, Error> {
        let json = self.secret(key, reference)?;
        let jwk =
            PrivateKey::from_json(json.as_bytes()).map_err(|error| self.refused(key, &error.to_string()))?;
        match jwk.algorithm() == algorithm {
            true => Ok(jwk),
            false => Err(self.refused(key, &format!("expected a private JWK for {}", algorithm.name()))),
        }
    }
}

/// What a form becomes, as it is configured.
pub(crate) fn mapping(it: &FormMapping) -> Result<Mapping, Wrong> {
    Mapping::new(Raw {
        id: it.id.clone(),
        service: it.service.clone(),
        title: it.title.clone(),
        unit: it.unit.clone(),
        public_service: it.public_service.clone(),
        note: it.note.clone(),
        references: it.references.clone(),
        parties: it.party.clone(),
        location: it.location.clone(),
        minimum_level: it.minimum_level,
        levels: it.levels.clone(),
        required: it.required.clone(),
    })
}
