//! Whether certificates that the configuration lists are good today: before anything is encrypted for them, and before a
//! signature by them is believed. Judged as by an intermediary (OSCI-Transport 1.2, section 4.2.6). Listed is not enough: a
//! key may be stolen after the day on which somebody listed its certificate.

use std::sync::Arc;

use ::osci::intermediary::Inspector;
use model::{Clock, Failure};
use seal::x509::{Certificate, Inspection, MathResult, OfflineResult, OnlineResult, Standing};

use super::unpack::Rule;
use crate::revocation::{Revocation, Shared};

/// Looks at certificates.
pub(super) struct Vetting {
    /// Nobody: only their times are looked at.
    inspector: Option<Shared>,
    clock: Arc<dyn Clock>,
}

impl Vetting {
    pub(super) fn new(revocation: Option<Arc<Revocation>>, clock: Arc<dyn Clock>) -> Self {
        Vetting { inspector: revocation.map(Shared), clock }
    }

    /// Why a certificate is not good now; nothing if it is, or nobody can say more. On a thread that may block.
    ///
    /// # Errors
    /// If the judgement itself fails.
    pub(super) fn refuses(&self, certificate: &Certificate) -> seal::Result<Option<Rule>> {
        let at = self.clock.now().micros().div_euclid(1_000_000);
        let Some(inspector) = &self.inspector else {
            return Ok((!certificate.is_valid_at(at)).then_some("osci-party.certificate-outdated"));
        };
        let found = inspector.inspect(certificate, at)?;
        let rule = rule(&found);
        if rule.is_none() && found.issuer.is_none() {
            tracing::warn!(
                certificate = certificate.fingerprint(),
                "its issuer is not known, so nobody says whether it is revoked"
            );
        } else if rule.is_none() && found.standing() == Standing::Incomplete {
            tracing::debug!(certificate = certificate.fingerprint(), "nobody says whether it is revoked");
        }
        Ok(rule)
    }

    /// The same as a failure that waits for a human: trying again does not help.
    pub(super) fn demand(&self, certificate: &Certificate) -> Result<(), Failure> {
        match self.refuses(certificate) {
            Ok(None) => Ok(()),
            Ok(Some(rule)) => Err(Failure::permanent(rule, certificate.fingerprint())),
            Err(error) => Err(Failure::transient("osci-party.failed", error.code())),
        }
    }
}

fn rule(found: &Inspection) -> Option<Rule> {
    if found.online == Some(OnlineResult::Revoked) {
        return Some("osci-party.certificate-revoked");
    }
    if found.math == MathResult::Corrupted {
        return Some("osci-party.certificate-issuer");
    }
    // Also if nobody knows the issuer: the times are said by the certificate itself.
    let is_outdated = found.offline == OfflineResult::Invalid || !found.is_within_validity;
    is_outdated.then_some("osci-party.certificate-outdated")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use model::Timestamp;
    use seal::x509::{Crl, Trust};

    use super::*;

    /// A moment at which the certificates of the samples are valid, or just are not.
    struct Then;

    impl Clock for Then {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(1_795_404_300_000_000)
        }
    }

    fn read(name: &str) -> Vec<u8> {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/osci/TEST-ONLY");
        std::fs::read(keys.join(name)).unwrap()
    }

    fn certificate(name: &str) -> Certificate {
        Certificate::from_der(&read(&format!("{name}.cer"))).unwrap()
    }

    fn said(vetting: &Vetting, name: &str) -> Option<Rule> {
        vetting.refuses(&certificate(name)).unwrap()
    }

    #[tokio::test]
    async fn a_listed_certificate_that_is_revoked_or_outdated_is_refused() {
        let lists = vec![Crl::read(&read("ca.crl")).unwrap()];
        let trust = Trust::new(&[certificate("ca")]).unwrap().with_crls(lists);
        let vetting = Vetting::new(Some(Revocation::new(trust, Box::new(|| None), None)), Arc::new(Then));
        for kind in ["cipher", "signature"] {
            assert_eq!(said(&vetting, &format!("bob_{kind}")), None);
            let revoked = said(&vetting, &format!("revoked_{kind}"));
            assert_eq!(revoked, Some("osci-party.certificate-revoked"));
            let expired = said(&vetting, &format!("expired_{kind}"));
            assert_eq!(expired, Some("osci-party.certificate-outdated"));
        }
        let failure = vetting.demand(&certificate("revoked_cipher")).unwrap_err();
        assert_eq!(failure.kind, model::FailureKind::Permanent);
    }

    #[tokio::test]
    async fn what_nobody_can_say_more_about_is_as_good_as_the_configuration_says() {
        let trust = Trust::new(&[certificate("ca")]).unwrap();
        let without_lists =
            Vetting::new(Some(Revocation::new(trust, Box::new(|| None), None)), Arc::new(Then));
        let without_trust = Vetting::new(None, Arc::new(Then));
        for vetting in [without_lists, without_trust] {
            for name in ["bob_cipher", "revoked_cipher", "mallory_signature"] {
                assert_eq!(said(&vetting, name), None, "{name}");
            }
            assert_eq!(said(&vetting, "expired_cipher"), Some("osci-party.certificate-outdated"));
        }
    }
}
