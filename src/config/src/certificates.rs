//! All certificates that the configuration names: our own, those of partners, and whom we trust. Whoever watches them wants to know
//! which are too weak.

use seal::identity::Identity;
use seal::x509::Certificate;
use transport::Judging;

use crate::adapters::{AdapterEntry, AdapterKind};
use crate::osci::certificates;
use crate::{Config, Error};

/// A certificate, and where it is named.
#[derive(Debug, Clone)]
pub struct NamedCertificate {
    /// The only tenant that it concerns; absent: the whole house.
    pub tenant: Option<String>,
    /// A key of the configuration, or authority and transport.
    pub name: String,
    /// The certificate.
    pub certificate: Certificate,
    /// Whether it is of a key pair of the house, or stands beside one: when it ends, something here stops.
    pub is_own: bool,
}

/// Those found so far.
#[derive(Default)]
struct Found(Vec<NamedCertificate>);

impl Found {
    fn add<'a>(
        &mut self,
        tenant: Option<&str>,
        name: &str,
        certificates: impl IntoIterator<Item = &'a Certificate>,
    ) {
        for certificate in certificates {
            self.note(tenant, name, certificate, false);
        }
    }

    fn note(&mut self, tenant: Option<&str>, name: &str, certificate: &Certificate, is_own: bool) {
        let is_known = |it: &NamedCertificate| it.name == name && it.certificate == *certificate;
        if !self.0.iter().any(is_known) {
            let (tenant, name) = (tenant.map(str::to_owned), name.to_owned());
            self.0.push(NamedCertificate { tenant, name, certificate: certificate.clone(), is_own });
        }
    }

    /// A key pair, and the certificates that stand beside it.
    fn own(&mut self, tenant: Option<&str>, name: &str, identity: &Identity) {
        for certificate in [identity.certificate()].into_iter().chain(identity.chain()) {
            self.note(tenant, name, certificate, true);
        }
    }

    fn trusted(&mut self, name: &str, judging: &Judging) {
        self.add(None, name, judging.trust.anchors());
    }
}

impl Config {
    /// All that are named, loaded.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what it should be.
    pub fn named_certificates(&self) -> Result<Vec<NamedCertificate>, Error> {
        let mut found = Found::default();
        if let Some(identity) = self.tls_identity()? {
            found.own(None, "tls identity", &identity);
        }
        self.of_intermediary(&mut found)?;
        self.of_xta(&mut found)?;
        self.of_osci_parties(&mut found)?;
        self.of_xta_parties(&mut found)?;
        if let Some(dvdv) = self.dvdv_settings()? {
            found.own(None, "dvdv identity", &dvdv.identity);
            found.add(None, "dvdv trust", dvdv.trust.iter().flatten());
        }
        for (index, provider) in self.payment_providers.iter().enumerate() {
            if let Some((identity, trust)) = self.payment_identity(index)? {
                let name = format!("payment_provider {}", provider.id);
                found.own(provider.tenant.as_deref(), &name, &identity);
                found.add(provider.tenant.as_deref(), &name, trust.iter().flatten());
            }
        }
        if let Some(ca) = &self.evidence.tsa_ca {
            let name = "evidence.tsa_ca";
            found.add(None, name, &certificates(&ca.to_string_lossy(), name)?);
        }
        for entry in &self.adapters {
            self.of_adapter(&mut found, entry)?;
        }
        Ok(found.0)
    }

    fn of_intermediary(&self, found: &mut Found) -> Result<(), Error> {
        let Some(keys) = self.osci_keys()? else { return Ok(()) };
        keys.cipher.iter().for_each(|identity| found.own(None, "osci cipher", identity));
        found.own(None, "osci signer", &keys.signer);
        found.trusted("osci trust", &keys.judging);
        for (certificate, tenant, authority) in &keys.mailboxes {
            found.add(Some(tenant), &format!("{authority} osci"), [certificate]);
        }
        found.add(None, "osci recipient_signers", keys.recipient_signers.values().flatten());
        Ok(())
    }

    fn of_xta(&self, found: &mut Found) -> Result<(), Error> {
        let Some(settings) = self.xta_settings()? else { return Ok(()) };
        found.trusted("xta trust", &settings.judging);
        for account in &settings.accounts {
            found.add(Some(&account.tenant), &format!("xta account {}", account.id), &account.certificates);
        }
        Ok(())
    }

    fn of_osci_parties(&self, found: &mut Found) -> Result<(), Error> {
        let parties = self.osci_parties()?;
        for party in &parties.own {
            let name = format!("{} osci", party.authority);
            for identity in party.cipher.iter().chain([&party.signer]) {
                found.own(Some(&party.tenant), &name, identity);
            }
        }
        let tenants = self.partners.iter().map(|it| (&it.authority, it.tenant.as_deref()));
        let tenants: std::collections::BTreeMap<_, _> = tenants.collect();
        for partner in &parties.partners {
            let tenant = tenants.get(&partner.authority).copied().flatten();
            let certificates = [&partner.line.certificate, &partner.recipient].into_iter();
            let certificates = certificates.chain(&partner.line.answers_by).chain(&partner.signed_by);
            found.add(tenant, &format!("{} osci", partner.authority), certificates);
        }
        for mailbox in &parties.mailboxes {
            let tenant =
                self.tenants.iter().find(|it| it.authorities.iter().any(|it| it.key == mailbox.authority));
            let certificates = [&mailbox.line.certificate].into_iter().chain(&mailbox.line.answers_by);
            found.add(
                tenant.map(|it| it.id.as_str()),
                &format!("{} osci_mailbox", mailbox.authority),
                certificates,
            );
        }
        if let Some((_, intermediaries)) = &parties.recipient {
            found.add(None, "osci_recipient intermediaries", intermediaries);
        }
        if let Some(judging) = &parties.judging {
            let name = if self.osci_trust.is_some() { "osci_trust trust" } else { "osci trust" };
            found.trusted(name, judging);
        }
        Ok(())
    }

    fn of_xta_parties(&self, found: &mut Found) -> Result<(), Error> {
        let parties = self.xta_parties()?;
        for party in &parties.own {
            found.own(Some(&party.tenant), &format!("{} xta", party.authority), &party.identity);
        }
        for partner in &parties.partners {
            let name = format!("{} xta", partner.authority);
            found.add(partner.tenant.as_deref(), &name, partner.server.trust.iter().flatten());
        }
        for mailbox in &parties.mailboxes {
            let tenant =
                self.tenants.iter().find(|it| it.authorities.iter().any(|it| it.key == mailbox.authority));
            let name = format!("{} xta_mailbox", mailbox.authority);
            found.add(tenant.map(|it| it.id.as_str()), &name, mailbox.server.trust.iter().flatten());
        }
        Ok(())
    }

    fn of_adapter(&self, found: &mut Found, entry: &AdapterEntry) -> Result<(), Error> {
        let (pairs, trust) = match &entry.kind {
            AdapterKind::Scan(it) => (it.note.iter().flat_map(|it| &it.identity).collect(), vec![]),
            AdapterKind::Mail(it) => (it.keys.iter().collect(), vec![&it.trust, &it.server.trust]),
            AdapterKind::Smtp(it) => (it.signer.iter().collect(), vec![&it.recipients, &it.server.trust]),
            AdapterKind::FitConnect(it) => (vec![], vec![&it.trust]),
            AdapterKind::FitConnectSender(it) => {
                (it.bridge.iter().map(|it| &it.author).collect(), vec![&it.trust])
            }
            AdapterKind::ArchiveTresor(it) => {
                let stamps = it.target.stamps.iter().map(|it| &it.trust);
                (vec![], stamps.chain([&it.target.trust]).collect())
            }
            _ => return Ok(()),
        };
        let (tenant, name) = (entry.serves.tenant.as_deref(), format!("adapter {}", entry.serves.id));
        for pair in pairs {
            found.own(tenant, &name, &self.adapter_identity(entry, "identity", pair)?);
        }
        for references in trust {
            found.add(tenant, &name, &self.adapter_certificates(entry, "trust", references)?);
        }
        Ok(())
    }
}
