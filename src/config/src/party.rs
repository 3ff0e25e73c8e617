//! The gateway as sender and recipient in OSCI-Transport 1.2: keys of its authorities, their mailboxes at intermediaries,
//! partners that are reached by one, and who may call the passive recipient.

use std::path::Path;
use std::time::Duration;

use broker::house::{AuthorityEntry, OsciMailbox, OsciMode, OsciReach, PartnerEntry};
use model::Authority;
use seal::x509::Certificate;
use serde::{Deserialize, Serialize};
use transport::Judging;
use transport::osci::{Line, MailboxAt, Partner, Party, PartySettings};

use crate::check::Check;
use crate::osci::{TrustFiles, Unlisted, certificates, identity, method, refused, resolve_pair};
use crate::{Config, Error, resolve};

/// `[osci_recipient]`. Without it nobody may call.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OsciRecipient {
    /// Authorities of the house that may be called; each needs its own keys.
    pub authorities: Vec<Authority>,
    /// References to files of the signature certificates of intermediaries that may call.
    pub intermediaries: Vec<String>,
}

/// `[osci_trust]`: by whom the certificates of partners, and of the intermediaries that the house deals with, are judged.
/// Without it the intermediary of this house says so, if there is one.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OsciTrust {
    /// References to files of the certificates of issuers. Of what goes back to none of them only the times count.
    pub trust: Vec<String>,
    /// References to files of revocation lists.
    #[serde(default)]
    pub crl: Vec<String>,
    /// Address of a responder that is asked about every certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocsp: Option<String>,
    /// What becomes of certificates that no list speaks of.
    #[serde(default)]
    pub without_revocation: Unlisted,
}

impl Config {
    /// What the configuration refers to, loaded.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what it should be.
    pub fn osci_parties(&self) -> Result<PartySettings, Error> {
        let (mut own, mut mailboxes, mut partners) = (Vec::new(), Vec::new(), Vec::new());
        for (at, tenant) in self.tenants.iter().enumerate() {
            for (index, authority) in tenant.authorities.iter().enumerate() {
                let key = format!("tenant[{at}].authority[{index}]");
                own.extend(party(&tenant.id, authority, &key)?);
                for (number, mailbox) in authority.osci_mailboxes.iter().enumerate() {
                    mailboxes.push(load_mailbox(
                        authority,
                        mailbox,
                        &format!("{key}.osci_mailbox[{number}]"),
                    )?);
                }
            }
        }
        for (index, entry) in self.partners.iter().enumerate() {
            if let Some(reach) = &entry.osci {
                partners.push(load_partner(entry, reach, &format!("partner[{index}].osci"))?);
            }
        }
        let recipient = self.osci_recipient.as_ref().map(OsciRecipient::load).transpose()?;
        let judging = self.party_judging()?;
        Ok(PartySettings { own, partners, mailboxes, recipient, judging, ..PartySettings::default() })
    }

    fn party_judging(&self) -> Result<Option<Judging>, Error> {
        let Some(it) = &self.osci_trust else {
            return self.osci.as_ref().map(|osci| osci.judging()).transpose();
        };
        let files = TrustFiles::of("osci_trust", &it.trust, &it.crl, it.without_revocation);
        files.judging(it.ocsp.clone()).map(Some)
    }

    pub(crate) fn resolve_parties(&mut self, folder: &Path) {
        for authority in self.tenants.iter_mut().flat_map(|tenant| &mut tenant.authorities) {
            if let Some(keys) = &mut authority.osci {
                let pairs = keys.cipher.iter_mut().chain([&mut keys.signer]);
                pairs.for_each(|pair| resolve_pair(pair, folder));
            }
            for mailbox in &mut authority.osci_mailboxes {
                let references =
                    [&mut mailbox.intermediary_certificate].into_iter().chain(&mut mailbox.answers_by);
                references.for_each(|reference| resolve(reference, folder));
            }
        }
        for reach in self.partners.iter_mut().filter_map(|partner| partner.osci.as_mut()) {
            let references = [&mut reach.intermediary_certificate, &mut reach.recipient_certificate];
            let references = references.into_iter().chain(&mut reach.answers_by).chain(&mut reach.signed_by);
            references.for_each(|reference| resolve(reference, folder));
        }
        let callers = self.osci_recipient.iter_mut().flat_map(|recipient| &mut recipient.intermediaries);
        callers.for_each(|reference| resolve(reference, folder));
        let trusted = self.osci_trust.iter_mut().flat_map(|it| it.trust.iter_mut().chain(&mut it.crl));
        trusted.for_each(|reference| resolve(reference, folder));
    }
}

impl OsciRecipient {
    fn load(&self) -> Result<(Vec<Authority>, Vec<Certificate>), Error> {
        let mut intermediaries = Vec::new();
        for (index, reference) in self.intermediaries.iter().enumerate() {
            intermediaries
                .extend(certificates(reference, &format!("osci_recipient.intermediaries[{index}]"))?);
        }
        Ok((self.authorities.clone(), intermediaries))
    }
}

fn party(tenant: &str, authority: &AuthorityEntry, key: &str) -> Result<Option<Party>, Error> {
    let Some(keys) = &authority.osci else { return Ok(None) };
    let mut cipher = Vec::new();
    for (index, pair) in keys.cipher.iter().enumerate() {
        cipher.push(identity(pair, &format!("{key}.osci.cipher[{index}]"))?);
    }
    Ok(Some(Party {
        tenant: tenant.to_owned(),
        authority: authority.key.clone(),
        cipher,
        signer: identity(&keys.signer, &format!("{key}.osci.signer"))?,
        method: method(keys.signature),
    }))
}

fn load_mailbox(authority: &AuthorityEntry, mailbox: &OsciMailbox, key: &str) -> Result<MailboxAt, Error> {
    let OsciMailbox { intermediary, intermediary_certificate, answers_by, every_seconds } = mailbox;
    Ok(MailboxAt {
        authority: authority.key.clone(),
        line: line(intermediary, intermediary_certificate, answers_by.as_deref(), key)?,
        every: Duration::from_secs(u64::from(*every_seconds)),
    })
}

fn load_partner(entry: &PartnerEntry, reach: &OsciReach, key: &str) -> Result<Partner, Error> {
    let OsciReach { intermediary, intermediary_certificate, answers_by, .. } = reach;
    let mut signed_by = Vec::new();
    for (index, reference) in reach.signed_by.iter().enumerate() {
        signed_by.extend(certificates(reference, &format!("{key}.signed_by[{index}]"))?);
    }
    Ok(Partner {
        authority: entry.authority.clone(),
        line: line(intermediary, intermediary_certificate, answers_by.as_deref(), key)?,
        recipient: one(&reach.recipient_certificate, &format!("{key}.recipient_certificate"))?,
        signed_by,
        mode: reach.mode,
        receiver: reach.receiver.clone().unwrap_or_default(),
    })
}

fn line(url: &str, certificate: &str, answers_by: Option<&str>, key: &str) -> Result<Line, Error> {
    let answers_by = answers_by.map(|reference| one(reference, &format!("{key}.answers_by")));
    Ok(Line {
        url: url.to_owned(),
        certificate: one(certificate, &format!("{key}.intermediary_certificate"))?,
        answers_by: answers_by.transpose()?,
    })
}

/// The first certificate of a file: those of its issuers may stand behind it.
fn one(reference: &str, key: &str) -> Result<Certificate, Error> {
    let first = certificates(reference, key)?.into_iter().next();
    first.ok_or_else(|| refused(key, seal::Error::CertificateMalformed))
}

impl Check<'_> {
    pub(crate) fn osci_authority(&self, key: &str, authority: &AuthorityEntry) -> Result<(), Error> {
        if let Some(keys) = &authority.osci {
            self.note(self.key_pairs(&format!("{key}.osci"), &keys.cipher, &keys.signer));
        }
        for (index, mailbox) in authority.osci_mailboxes.iter().enumerate() {
            let key = format!("{key}.osci_mailbox[{index}]");
            if authority.osci.is_none() {
                return Err(self.value(&key, "who fetches needs keys: osci = { cipher = …, signer = … }"));
            }
            let OsciMailbox { intermediary, intermediary_certificate, answers_by, every_seconds } = mailbox;
            self.note(self.osci_line(&key, intermediary, intermediary_certificate, answers_by.as_deref()));
            self.note(self.number(&format!("{key}.every_seconds"), u64::from(*every_seconds), 1, 24 * 3_600));
        }
        Ok(())
    }

    pub(crate) fn osci_partner(&self, key: &str, reach: &OsciReach) -> Result<(), Error> {
        let OsciReach { intermediary, intermediary_certificate, answers_by, .. } = reach;
        let key = format!("{key}.osci");
        self.note(self.osci_line(&key, intermediary, intermediary_certificate, answers_by.as_deref()));
        self.note(self.file(&format!("{key}.recipient_certificate"), &reach.recipient_certificate));
        for (index, reference) in reach.signed_by.iter().enumerate() {
            self.note(self.file(&format!("{key}.signed_by[{index}]"), reference));
        }
        match (reach.mode, &reach.receiver) {
            (OsciMode::Store, None) => Ok(()),
            (OsciMode::Store, Some(_)) => {
                Err(self
                    .value(&format!("{key}.receiver"), "a mailbox needs no receiver: mode = \"forward\"?"))
            }
            (_, Some(url)) => self.url(&format!("{key}.receiver"), url),
            (_, None) => Err(self.value(&key, "the mode needs the address of a receiver")),
        }
    }

    pub(crate) fn osci_recipient(&self, config: &Config) -> Result<(), Error> {
        let Some(recipient) = &config.osci_recipient else { return Ok(()) };
        if recipient.authorities.is_empty() || recipient.intermediaries.is_empty() {
            return Err(self.value("osci_recipient", "authorities and intermediaries are needed"));
        }
        for (index, key) in recipient.authorities.iter().enumerate() {
            let place = format!("osci_recipient.authorities[{index}]");
            let all = config.tenants.iter().flat_map(|tenant| &tenant.authorities);
            let known = all.into_iter().find(|authority| authority.key == *key);
            self.note(self.defined(&place, "authority", known.is_some()));
            if known.is_some_and(|authority| authority.osci.is_none()) {
                return Err(self.value(&place, "who is called needs keys: osci = { cipher = …, signer = … }"));
            }
        }
        for (index, reference) in recipient.intermediaries.iter().enumerate() {
            self.note(self.file(&format!("osci_recipient.intermediaries[{index}]"), reference));
        }
        Ok(())
    }

    fn osci_line(
        &self,
        key: &str,
        url: &str,
        certificate: &str,
        answers_by: Option<&str>,
    ) -> Result<(), Error> {
        self.note(self.url(&format!("{key}.intermediary"), url));
        self.note(self.file(&format!("{key}.intermediary_certificate"), certificate));
        match answers_by {
            Some(reference) => self.file(&format!("{key}.answers_by"), reference),
            None => Ok(()),
        }
    }
}
