//! Certificates that were read lately. The same senders bring the same ones with every message, and to read one takes longer
//! than what is done with it. What is remembered are facts about bytes, found by the digest of all of them; whether a
//! certificate is trusted, valid or revoked is asked anew each time.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::Certificate;
use crate::Digest;

/// Most certificates that are remembered.
const MOST: usize = 256;
/// Longest certificate that is remembered, in bytes of DER; real ones have about 2,000.
const LONGEST: usize = 4 * 1024;

static KNOWN: LazyLock<Mutex<HashMap<Digest, Certificate>>> = LazyLock::new(Mutex::default);

/// The certificate whose DER has this digest.
pub(super) fn find(digest: &Digest) -> Option<Certificate> {
    known().get(digest).cloned()
}

/// Remembers a certificate. Whoever brings ever new ones makes the others be read again, and no more.
pub(super) fn remember(digest: Digest, certificate: &Certificate) {
    if certificate.der().len() > LONGEST {
        return;
    }
    let mut known = known();
    if known.len() >= MOST {
        known.clear();
    }
    known.insert(digest, certificate.clone());
}

fn known() -> MutexGuard<'static, HashMap<Digest, Certificate>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::{PKey, Private};
    use openssl::x509::X509;

    use super::*;

    fn certificate(key: &PKey<Private>, days: u32) -> Vec<u8> {
        let mut builder = X509::builder().unwrap();
        builder.set_pubkey(key).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(i64::from(days) * 86_400).unwrap()).unwrap();
        builder.sign(key, MessageDigest::sha256()).unwrap();
        builder.build().to_der().unwrap()
    }

    #[test]
    fn a_certificate_that_was_read_before_is_the_same_and_another_never_is() {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        // More than are remembered, each of them twice.
        for days in (1..300).flat_map(|days| [days, days]) {
            let der = certificate(&key, days);
            let read = Certificate::from_der(&der).unwrap();
            assert_eq!((read.der(), read.not_after()), (der.as_slice(), i64::from(days) * 86_400));
            assert_eq!(Certificate::from_der(&der).unwrap(), read);
            let mut longer = der;
            longer.push(0);
            assert!(Certificate::from_der(&longer).is_err());
        }
        assert!(known().len() <= MOST);
    }
}
