//! `[osci]`: the intermediary of OSCI-Transport 1.2, with the keys and certificates that it is known by and trusts.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use broker::house::{KeyPair, Signature};
use broker::{RelayLimits, RelayQuota};
use model::Authority;
use seal::algorithm::{DigestMethod, Policy, Scheme, SignatureMethod};
use seal::identity::Identity;
use seal::x509::{Certificate, Crl, MAX_CRL, Trust, WithoutRevocation};
use serde::{Deserialize, Serialize};
use transport::Judging;

use crate::check::Check;
use crate::party::OsciTrust;
use crate::{Config, Error, Place, resolve};

/// Begins every PEM.
const PEM: &[u8] = b"-----BEGIN ";

/// `[osci]`. Without it there is no intermediary.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Osci {
    /// The authority of the house that runs it, and keeps the mailboxes of those who are no authority here.
    pub authority: Authority,
    /// Key pairs for which orders are encrypted: the present one first, then those before it.
    pub cipher: Vec<KeyPair>,
    /// The key pair that signs answers.
    pub signer: KeyPair,
    /// How it signs.
    #[serde(default)]
    pub signature: Signature,
    /// References to files of the certificates that everything must go back to.
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
    /// Whether orders must be signed.
    #[serde(default = "yes")]
    pub must_be_signed: bool,
    /// Whether orders must be encrypted: only then is it proven whose mailbox is asked for.
    #[serde(default = "yes")]
    pub must_be_encrypted: bool,
    /// Whether SHA-1 signatures, 3DES, RSA-1_5 and short keys are taken.
    #[serde(default)]
    pub legacy: bool,
    /// Whether anybody with a certificate has a mailbox, and not only the authorities of the house.
    #[serde(default)]
    pub open_mailboxes: bool,
    /// Addresses of passive recipients that deliveries may be passed on to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passive_recipients: Vec<String>,
    /// References to files of the certificates by which alone they sign their answers, by their addresses.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recipient_signers: BTreeMap<String, String>,
    /// Megabytes (MiB) of a package.
    #[serde(default = "package_mb")]
    pub package_mb: u64,
    /// Deliveries that may wait in a mailbox.
    #[serde(default = "mailbox_messages")]
    pub mailbox_messages: u64,
    /// Megabytes (MiB) that may wait in a mailbox.
    #[serde(default = "mailbox_mb")]
    pub mailbox_mb: u64,
    /// Minutes without an order after which a dialog is over.
    #[serde(default = "dialog_idle_minutes")]
    pub dialog_idle_minutes: u64,
    /// Days that a message id may be used.
    #[serde(default = "message_id_days")]
    pub message_id_days: u64,
}

/// Whom to trust, by the files that say so. They may be read again while the gateway runs.
pub(crate) struct TrustFiles {
    /// The section that names them.
    section: &'static str,
    anchors: Vec<String>,
    lists: Vec<String>,
    without_revocation: Unlisted,
}

/// What becomes of certificates that no revocation list speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unlisted {
    /// Their check is called incomplete (3501, 3707).
    #[default]
    Warn,
    /// They count as not revoked.
    Accept,
}

/// What `[osci]` refers to, loaded.
pub struct OsciKeys {
    /// Key pairs for which orders are encrypted.
    pub cipher: Vec<Identity>,
    /// The key pair that signs answers.
    pub signer: Identity,
    /// How it signs.
    pub method: SignatureMethod,
    /// Who judges certificates.
    pub judging: Judging,
    /// Which algorithms are taken.
    pub policy: Policy,
    /// Cipher certificates of authorities of the house: each with its tenant and authority.
    pub mailboxes: Vec<(Certificate, String, Authority)>,
    /// The certificates by which alone passive recipients sign their answers, by their addresses.
    pub recipient_signers: HashMap<String, Vec<Certificate>>,
}

fn yes() -> bool {
    true
}

fn package_mb() -> u64 {
    600
}

fn mailbox_messages() -> u64 {
    10_000
}

fn mailbox_mb() -> u64 {
    64 << 10
}

fn dialog_idle_minutes() -> u64 {
    30
}

fn message_id_days() -> u64 {
    7
}

impl Osci {
    /// As the broker wants them.
    pub fn relay(&self) -> RelayLimits {
        RelayLimits {
            idle: Duration::from_secs(60 * self.dialog_idle_minutes),
            ticket: Duration::from_secs(24 * 3_600 * self.message_id_days),
            mailbox: RelayQuota { deliveries: self.mailbox_messages, bytes: self.mailbox_mb << 20 },
            ..RelayLimits::default()
        }
    }

    pub(crate) fn resolve(&mut self, folder: &Path) {
        self.cipher.iter_mut().chain([&mut self.signer]).for_each(|pair| resolve_pair(pair, folder));
        let signers = self.recipient_signers.values_mut();
        let references = self.trust.iter_mut().chain(&mut self.crl).chain(signers);
        references.for_each(|reference| resolve(reference, folder));
    }

    fn load_signers(&self) -> Result<HashMap<String, Vec<Certificate>>, Error> {
        let load = |(url, reference): (&String, &String)| {
            Ok((url.clone(), certificates(reference, "osci.recipient_signers")?))
        };
        self.recipient_signers.iter().map(load).collect()
    }

    /// Who judges certificates for it.
    pub(crate) fn judging(&self) -> Result<Judging, Error> {
        let files = TrustFiles::of("osci", &self.trust, &self.crl, self.without_revocation);
        files.judging(self.ocsp.clone())
    }
}

impl TrustFiles {
    pub(crate) fn of(
        section: &'static str,
        anchors: &[String],
        lists: &[String],
        without_revocation: Unlisted,
    ) -> Self {
        TrustFiles { section, anchors: anchors.to_vec(), lists: lists.to_vec(), without_revocation }
    }

    /// Judges by the files, which may be read again, and by a responder.
    pub(crate) fn judging(self, ocsp: Option<String>) -> Result<Judging, Error> {
        Ok(Judging { trust: self.load()?, reread: Box::new(move || self.load().ok()), ocsp })
    }

    /// Reads the files.
    ///
    /// # Errors
    /// If one cannot be read, or is not what it should be.
    pub(crate) fn load(&self) -> Result<Trust, Error> {
        let mut anchors = Vec::new();
        for (index, reference) in self.anchors.iter().enumerate() {
            anchors.extend(certificates(reference, &format!("{}.trust[{index}]", self.section))?);
        }
        let mut lists = Vec::new();
        for (index, reference) in self.lists.iter().enumerate() {
            let key = format!("{}.crl[{index}]", self.section);
            let list = Crl::read(&read(reference)?);
            lists.push(list.map_err(|reason| refused(&key, reason))?);
        }
        let trust =
            Trust::new(&anchors).map_err(|reason| refused(&format!("{}.trust", self.section), reason))?;
        Ok(trust.with_crls(lists).without_revocation(match self.without_revocation {
            Unlisted::Warn => WithoutRevocation::Incomplete,
            Unlisted::Accept => WithoutRevocation::Accept,
        }))
    }
}

/// Loads a key pair that `key` of the configuration names.
pub(crate) fn identity(pair: &KeyPair, key: &str) -> Result<Identity, Error> {
    Identity::load(&pair.key, pair.password.as_deref()).map_err(|reason| refused(key, reason))
}

/// A way to sign, as the XML signature names it.
pub(crate) fn method(signature: Signature) -> SignatureMethod {
    let (scheme, digest) = match signature {
        Signature::RsaSha256 => (Scheme::RsaPkcs1, DigestMethod::Sha256),
        Signature::RsaSha512 => (Scheme::RsaPkcs1, DigestMethod::Sha512),
        Signature::RsaPssSha256 => (Scheme::RsaPss, DigestMethod::Sha256),
        Signature::RsaPssSha512 => (Scheme::RsaPss, DigestMethod::Sha512),
        Signature::RsaPssSha3 => (Scheme::RsaPss, DigestMethod::Sha3_512),
        Signature::EcdsaSha256 => (Scheme::Ecdsa, DigestMethod::Sha256),
    };
    SignatureMethod { scheme, digest }
}

/// Makes the paths of a key pair absolute.
pub(crate) fn resolve_pair(pair: &mut KeyPair, folder: &Path) {
    [&mut pair.key].into_iter().chain(&mut pair.password).for_each(|reference| resolve(reference, folder));
}

impl Config {
    /// What `[osci]` refers to; nothing if there is no such section.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what it should be.
    pub fn osci_keys(&self) -> Result<Option<OsciKeys>, Error> {
        let Some(osci) = &self.osci else { return Ok(None) };
        let mut cipher = Vec::new();
        for (index, pair) in osci.cipher.iter().enumerate() {
            cipher.push(identity(pair, &format!("osci.cipher[{index}]"))?);
        }
        Ok(Some(OsciKeys {
            cipher,
            signer: identity(&osci.signer, "osci.signer")?,
            method: method(osci.signature),
            judging: osci.judging()?,
            policy: if osci.legacy { Policy::default().with_legacy() } else { Policy::default() },
            mailboxes: self.osci_mailboxes()?,
            recipient_signers: osci.load_signers()?,
        }))
    }

    /// The certificates by which an authority is addressed: those of the configuration, and those of its own keys. Two
    /// authorities with the same certificate would be one mailbox with two owners.
    fn osci_mailboxes(&self) -> Result<Vec<(Certificate, String, Authority)>, Error> {
        let mut mailboxes: Vec<(Certificate, String, Authority)> = Vec::new();
        for (at, tenant) in self.tenants.iter().enumerate() {
            for (index, authority) in tenant.authorities.iter().enumerate() {
                let key = format!("tenant[{at}].authority[{index}].osci_certificates");
                let mut own = Vec::new();
                for reference in &authority.osci_certificates {
                    own.extend(certificates(reference, &key)?);
                }
                let pairs = authority.osci.iter().flat_map(|keys| &keys.cipher);
                for (number, pair) in pairs.enumerate() {
                    let key = format!("tenant[{at}].authority[{index}].osci.cipher[{number}]");
                    let certificate = identity(pair, &key)?.certificate().clone();
                    if !own.contains(&certificate) {
                        own.push(certificate);
                    }
                }
                for certificate in own {
                    if mailboxes.iter().any(|(known, ..)| *known == certificate) {
                        return Err(Error::Duplicate(Place::key(&key)));
                    }
                    mailboxes.push((certificate, tenant.id.clone(), authority.key.clone()));
                }
            }
        }
        Ok(mailboxes)
    }
}

impl Check<'_> {
    pub(crate) fn osci(&self, config: &Config) -> Result<(), Error> {
        for (index, tenant) in config.tenants.iter().enumerate() {
            for (at, authority) in tenant.authorities.iter().enumerate() {
                let key = format!("tenant[{index}].authority[{at}]");
                let certificates = format!("{key}.osci_certificates");
                authority
                    .osci_certificates
                    .iter()
                    .try_for_each(|reference| self.file(&certificates, reference))?;
                self.note(self.osci_authority(&key, authority));
                self.note(self.xta_authority(&key, authority));
            }
        }
        self.note(self.osci_recipient(config));
        if let Some(OsciTrust { trust, crl, ocsp, .. }) = &config.osci_trust {
            self.note(self.trust("osci_trust", trust, crl, ocsp.as_deref()));
        }
        let Some(osci) = &config.osci else { return Ok(()) };
        let authorities = config.tenants.iter().flat_map(|tenant| &tenant.authorities);
        let is_known = authorities.into_iter().any(|known| known.key == osci.authority);
        self.note(self.defined("osci.authority", "authority", is_known));
        self.note(self.osci_files(osci));
        let recipients = osci.passive_recipients.iter().enumerate();
        for (index, url) in recipients {
            self.note(self.url(&format!("osci.passive_recipients[{index}]"), url));
        }
        for (url, reference) in &osci.recipient_signers {
            let is_listed = osci.passive_recipients.contains(url);
            self.note(self.defined("osci.recipient_signers", "passive recipient", is_listed));
            self.note(self.file("osci.recipient_signers", reference));
        }
        for (key, value, least, most) in [
            ("osci.package_mb", osci.package_mb, 1, 1 << 20),
            ("osci.mailbox_messages", osci.mailbox_messages, 1, 100_000_000),
            ("osci.mailbox_mb", osci.mailbox_mb, 1, 1 << 30),
            ("osci.dialog_idle_minutes", osci.dialog_idle_minutes, 1, 24 * 60),
            ("osci.message_id_days", osci.message_id_days, 1, 366),
        ] {
            self.note(self.number(key, value, least, most));
        }
        Ok(())
    }

    fn osci_files(&self, osci: &Osci) -> Result<(), Error> {
        self.note(self.trust("osci", &osci.trust, &osci.crl, osci.ocsp.as_deref()));
        self.key_pairs("osci", &osci.cipher, &osci.signer)
    }

    /// Whom a section trusts, and who is asked for revocation.
    pub(crate) fn trust(
        &self,
        section: &str,
        trust: &[String],
        crl: &[String],
        ocsp: Option<&str>,
    ) -> Result<(), Error> {
        if trust.is_empty() {
            return Err(
                self.value(&format!("{section}.trust"), "at least one certificate to trust is needed")
            );
        }
        for (name, references) in [("trust", trust), ("crl", crl)] {
            for (index, reference) in references.iter().enumerate() {
                self.note(self.file(&format!("{section}.{name}[{index}]"), reference));
            }
        }
        ocsp.map_or(Ok(()), |url| self.url(&format!("{section}.ocsp"), url))
    }

    /// Key pairs for encryption and the one that signs.
    pub(crate) fn key_pairs(&self, key: &str, cipher: &[KeyPair], signer: &KeyPair) -> Result<(), Error> {
        if cipher.is_empty() {
            return Err(self.value(&format!("{key}.cipher"), "at least one key pair is needed"));
        }
        let named = |(index, pair)| (format!("{key}.cipher[{index}]"), pair);
        let mut pairs = cipher.iter().enumerate().map(named).chain([(format!("{key}.signer"), signer)]);
        pairs.try_for_each(|(key, pair)| self.key_pair(&key, pair))
    }

    pub(crate) fn key_pair(&self, key: &str, pair: &KeyPair) -> Result<(), Error> {
        self.note(self.secret(&format!("{key}.key"), &pair.key));
        let mut password = pair.password.iter();
        password.try_for_each(|reference| self.secret(&format!("{key}.password"), reference))
    }

    pub(crate) fn url(&self, key: &str, url: &str) -> Result<(), Error> {
        match url.starts_with("https://") || url.starts_with("http://") {
            true => Ok(()),
            false => Err(self.value(key, "expected https://… or http://…")),
        }
    }

    pub(crate) fn file(&self, key: &str, reference: &str) -> Result<(), Error> {
        match reference.strip_prefix("file:") {
            Some(path) if !path.is_empty() => Ok(()),
            _ => Err(self.value(key, "expected file:PATH")),
        }
    }
}

/// The certificates of a file, PEM or DER; at least one.
pub(crate) fn certificates(reference: &str, key: &str) -> Result<Vec<Certificate>, Error> {
    let bytes = read(reference)?;
    let is_pem = bytes.windows(PEM.len()).any(|window| window == PEM);
    let found = match is_pem {
        true => Certificate::all_from_pem(&bytes),
        false => Certificate::from_der(&bytes).map(|one| vec![one]),
    };
    let found = found.map_err(|reason| refused(key, reason))?;
    if found.is_empty() {
        return Err(refused(key, seal::Error::CertificateMalformed));
    }
    Ok(found)
}

/// The bytes of a file that is no secret.
fn read(reference: &str) -> Result<Vec<u8>, Error> {
    let file = PathBuf::from(reference.strip_prefix("file:").unwrap_or(reference));
    let unreadable = |reason| Error::Unreadable { file: file.clone(), reason };
    if std::fs::metadata(&file).map_err(unreadable)?.len() > MAX_CRL as u64 {
        return Err(Error::Unreadable {
            file: file.clone(),
            reason: std::io::ErrorKind::FileTooLarge.into(),
        });
    }
    std::fs::read(&file).map_err(unreadable)
}

pub(crate) fn refused(key: &str, reason: seal::Error) -> Error {
    Error::Certificate(Place::key(key), reason)
}
