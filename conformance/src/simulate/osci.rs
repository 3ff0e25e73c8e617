//! Two gateways that reach each other by OSCI-Transport alone: the county's, and the town's with the intermediary. Keys and
//! certificates are made here, for these two and for one run.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, KeyUsage};
use openssl::x509::{X509, X509Name};

use crate::gateway::{ABSENT_KEY, COUNTY_KEY, Engine, Gateway, TOWN_KEY, free_port};
use crate::{Error, keys};

/// Days that the certificates are valid.
const DAYS: u32 = 2;
/// Who has a key pair for encryption and one for signing.
const OWNERS: [&str; 3] = ["county", "town", "intermediary"];

/// Lays both gateways out; the town's is to be started first. Returns the county's and the town's.
///
/// # Errors
/// If keys, folders or configurations cannot be made.
pub async fn two_gateways(binary: &Path, engine: &Engine) -> Result<(Gateway, Gateway), Error> {
    let county = Gateway::prepare(binary, engine).await?;
    let town = Gateway::prepare(binary, engine).await?;
    make_keys(&[&county, &town]).map_err(|_| Error::Tool {
        tool: "openssl",
        detail: "keys and certificates could not be made".to_owned(),
    })??;
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/osci");
    edit(&county, COUNTY_KEY, &authority(COUNTY_KEY, "county", &url), TOWN_KEY, "[listen]")?;
    county.configure(&partner(TOWN_KEY, "town", &url))?;
    let listen = format!("[listen]\nosci_plain = \"127.0.0.1:{port}\"");
    edit(&town, TOWN_KEY, &authority(TOWN_KEY, "town", &url), COUNTY_KEY, &listen)?;
    town.configure(&format!("{}{}", intermediary(), partner(COUNTY_KEY, "county", &url)))?;
    Ok((county, town))
}

/// Gives the authority its keys, takes the other one away, and sets the addresses.
fn edit(gateway: &Gateway, own: &str, with_keys: &str, other: &str, listen: &str) -> Result<(), Error> {
    gateway.reconfigure(&[
        (&format!("key = \"{own}\""), with_keys),
        (&format!("key = \"{other}\""), &format!("key = \"{ABSENT_KEY}\"")),
        ("[listen]", listen),
    ])
}

/// An authority with keys, and a mailbox that is looked into every second.
fn authority(key: &str, who: &str, url: &str) -> String {
    format!(
        "key = \"{key}\"\n  \
         osci = {{ cipher = [{{ key = \"file:{who}_cipher.pem\" }}], signer = {{ key = \"file:{who}_signature.pem\" }} }}\n  \
         osci_mailbox = [{{ intermediary = \"{url}\", intermediary_certificate = \"file:intermediary_cipher.cer\", \
         answers_by = \"file:intermediary_signature.cer\", every_seconds = 1 }}]"
    )
}

/// A partner that is reached by the intermediary at `url`.
fn partner(key: &str, who: &str, url: &str) -> String {
    format!(
        "[[partner]]\nauthority = \"{key}\"\nname = \"Bauaufsicht\"\nreads = [[\"xdomea\", \"3.1.0\"]]\n\
         most_bytes = 2_000_000_000\n[partner.osci]\nintermediary = \"{url}\"\n\
         intermediary_certificate = \"file:intermediary_cipher.cer\"\nanswers_by = \"file:intermediary_signature.cer\"\n\
         recipient_certificate = \"file:{who}_cipher.cer\"\nsigned_by = [\"file:{who}_signature.cer\"]\n"
    )
}

/// The intermediary, which keeps the mailbox of the county, too.
fn intermediary() -> String {
    format!(
        "[osci]\nauthority = \"{TOWN_KEY}\"\ncipher = [{{ key = \"file:intermediary_cipher.pem\" }}]\n\
         signer = {{ key = \"file:intermediary_signature.pem\" }}\ntrust = [\"file:ca.cer\"]\n\
         without_revocation = \"accept\"\nopen_mailboxes = true\npackage_mb = 4_000\n\n"
    )
}

/// A certification authority with a certificate for each key pair. Everybody gets all certificates, and the keys that are theirs:
/// the first folder the county's, the second the others.
fn make_keys(gateways: &[&Gateway; 2]) -> Result<Result<(), Error>, ErrorStack> {
    let root = keys::usual()?;
    let ca = certificate("ca", 1, &root, None)?;
    let mut files = vec![("ca.cer".to_owned(), ca.to_pem()?, [true, true])];
    let pairs = OWNERS.iter().flat_map(|owner| [(*owner, "cipher"), (*owner, "signature")]);
    for (serial, (owner, kind)) in (2..).zip(pairs) {
        let own = keys::usual()?;
        let certificate = certificate(&format!("{owner}_{kind}"), serial, &own, Some((&ca, &root)))?;
        let mut pem = own.private_key_to_pem_pkcs8()?;
        pem.extend(certificate.to_pem()?);
        let is_county = owner == "county";
        files.push((format!("{owner}_{kind}.pem"), pem, [is_county, !is_county]));
        files.push((format!("{owner}_{kind}.cer"), certificate.to_pem()?, [true, true]));
    }
    let mut kept = files.iter().flat_map(|(name, bytes, whose)| {
        gateways.iter().zip(whose).filter(|(_, is_theirs)| **is_theirs).map(move |(at, _)| (at, name, bytes))
    });
    Ok(kept.try_for_each(|(at, name, bytes)| keep(&at.folder().join(name), bytes)))
}

/// A certificate for a key; without an issuer, that of a certification authority.
fn certificate(
    name: &str,
    serial: u32,
    key: &PKey<Private>,
    issuer: Option<(&X509, &PKey<Private>)>,
) -> Result<X509, ErrorStack> {
    let mut subject = X509Name::builder()?;
    subject.append_entry_by_text("CN", name)?;
    let subject = subject.build();
    let mut made = X509::builder()?;
    made.set_version(2)?;
    made.set_serial_number(BigNum::from_u32(serial)?.to_asn1_integer()?.as_ref())?;
    made.set_subject_name(&subject)?;
    made.set_issuer_name(issuer.map_or(&*subject, |(issuer, _)| issuer.subject_name()))?;
    made.set_not_before(Asn1Time::days_from_now(0)?.as_ref())?;
    made.set_not_after(Asn1Time::days_from_now(DAYS)?.as_ref())?;
    made.set_pubkey(key)?;
    let mut usage = KeyUsage::new();
    usage.critical();
    match issuer {
        None => {
            made.append_extension(BasicConstraints::new().critical().ca().build()?)?;
            usage.key_cert_sign().crl_sign();
        }
        Some(_) if name.ends_with("_cipher") => drop(usage.key_encipherment().data_encipherment()),
        Some(_) => drop(usage.digital_signature().non_repudiation()),
    }
    made.append_extension(usage.build()?)?;
    made.sign(issuer.map_or(key, |(_, key)| key), MessageDigest::sha256())?;
    Ok(made.build())
}

/// For the gateway's eyes only.
fn keep(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    Ok(OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(bytes)?)
}
