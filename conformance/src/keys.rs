//! RSA keys of simulators. To make one takes up to some seconds, far longer than whatever is then done with it; so the first ones that a
//! process asks for were made once, are known to everybody, and worth nothing. Those after them are made.

use std::sync::atomic::{AtomicUsize, Ordering};

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;

/// Last line of a key.
const END: &str = "-----END PRIVATE KEY-----\n";

static USUAL: Kept = Kept { bits: 3_072, pem: include_str!("keys/3072.pem"), taken: AtomicUsize::new(0) };
static LARGE: Kept = Kept { bits: 4_096, pem: include_str!("keys/4096.pem"), taken: AtomicUsize::new(0) };

/// Keys of one length that were made before.
struct Kept {
    bits: u32,
    pem: &'static str,
    taken: AtomicUsize,
}

/// One of 3,072 bits, as OSCI-Transport demands since 2024; another one each time.
pub(crate) fn usual() -> Result<PKey<Private>, ErrorStack> {
    USUAL.next()
}

/// One of 4,096 bits, as FIT-Connect demands; another one each time.
pub(crate) fn large() -> Result<PKey<Private>, ErrorStack> {
    LARGE.next()
}

impl Kept {
    fn next(&self) -> Result<PKey<Private>, ErrorStack> {
        let at = self.taken.fetch_add(1, Ordering::Relaxed);
        match self.pem.split_inclusive(END).nth(at) {
            Some(pem) => PKey::private_key_from_pem(pem.as_bytes()),
            None => PKey::from_rsa(Rsa::generate(self.bits)?),
        }
    }
}
