//! A certification authority for one run, thrown away afterwards: RSA with 3072 bits, as certificates of administrations are.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};

use super::failed;
use crate::{Error, keys};

/// Password of the key files; who may read them may read it, too.
const PIN: &str = "nur-zum-Messen";
const DAYS: u32 = 30;

/// A key and its certificate.
#[derive(Clone)]
pub struct Pair {
    /// The private key.
    pub key: PKey<Private>,
    /// The certificate.
    pub certificate: X509,
}

/// A certification authority.
pub struct Pki {
    own: Pair,
}

impl Pki {
    /// Makes one.
    ///
    /// # Errors
    /// If OpenSSL does not do it.
    pub fn make() -> Result<Self, Error> {
        let make = || -> Result<Pair, ErrorStack> {
            let (key, mut builder) = begin("Wegwerf-CA")?;
            builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
            let name = builder_name("Wegwerf-CA")?;
            builder.set_issuer_name(&name.build())?;
            builder.sign(&key, MessageDigest::sha256())?;
            Ok(Pair { certificate: builder.build(), key })
        };
        Ok(Pki { own: make().map_err(failed)? })
    }

    /// Issues a certificate for the loopback, as server and as client.
    ///
    /// # Errors
    /// If OpenSSL does not do it.
    pub fn issue(&self, name: &str) -> Result<Pair, Error> {
        let issue = || -> Result<Pair, ErrorStack> {
            let (key, mut builder) = begin(name)?;
            builder.set_issuer_name(self.own.certificate.subject_name())?;
            builder.append_extension(BasicConstraints::new().build()?)?;
            builder.append_extension(ExtendedKeyUsage::new().server_auth().client_auth().build()?)?;
            let context = builder.x509v3_context(Some(&self.own.certificate), None);
            let names = SubjectAlternativeName::new().dns("localhost").ip("127.0.0.1").build(&context)?;
            builder.append_extension(names)?;
            builder.sign(&self.own.key, MessageDigest::sha256())?;
            Ok(Pair { certificate: builder.build(), key })
        };
        issue().map_err(failed)
    }

    /// Its own certificate.
    pub fn certificate(&self) -> &X509 {
        &self.own.certificate
    }

    /// Writes its certificate as `ca.pem`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        Ok(std::fs::write(folder.join("ca.pem"), self.own.certificate.to_pem().map_err(failed)?)?)
    }
}

impl Pair {
    /// Writes `NAME.pem`, and the pair as `NAME.p12` with its password in `NAME.pin`, for this user's eyes only.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> Result<(), Error> {
        let mut pack = Pkcs12::builder();
        pack.name(name).pkey(&self.key).cert(&self.certificate);
        let pack = pack.build2(PIN).and_then(|pack| pack.to_der()).map_err(failed)?;
        self.write_certificate(folder, name)?;
        secret(&folder.join(format!("{name}.p12")), &pack)?;
        secret(&folder.join(format!("{name}.pin")), PIN.as_bytes())
    }

    /// Writes `NAME.pem` alone, for those who have to know the certificate.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_certificate(&self, folder: &Path, name: &str) -> Result<(), Error> {
        let pem = self.certificate.to_pem().map_err(failed)?;
        Ok(std::fs::write(folder.join(format!("{name}.pem")), pem)?)
    }
}

fn begin(name: &str) -> Result<(PKey<Private>, X509Builder), ErrorStack> {
    let key = keys::usual()?;
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(DAYS)?)?;
    builder.set_pubkey(&key)?;
    builder.set_subject_name(&builder_name(name)?.build())?;
    Ok((key, builder))
}

fn builder_name(name: &str) -> Result<X509NameBuilder, ErrorStack> {
    let mut builder = X509NameBuilder::new()?;
    builder.append_entry_by_text("CN", name)?;
    Ok(builder)
}

/// A file for this user's eyes only.
fn secret(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(bytes)?)
}
