//! RSA keys of simulators. To make one takes up to some seconds, far longer than whatever is then done with it; so the primes of the first
//! ones that a process asks for stand here, are known to everybody, and worth nothing. The keys after them are made.

use std::sync::atomic::{AtomicUsize, Ordering};

use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;

static USUAL: Kept = Kept { bits: 3_072, primes: include_str!("keys/3072.txt"), taken: AtomicUsize::new(0) };
static LARGE: Kept = Kept { bits: 4_096, primes: include_str!("keys/4096.txt"), taken: AtomicUsize::new(0) };

/// Keys of one length whose primes were found before, two in each line.
struct Kept {
    bits: u32,
    primes: &'static str,
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
        PKey::from_rsa(match self.primes.lines().nth(at).and_then(|line| line.split_once(' ')) {
            Some((p, q)) => of_primes(p, q)?,
            None => Rsa::generate(self.bits)?,
        })
    }
}

/// The key of two primes in hexadecimal digits, with the usual exponent (RFC 8017, section 3.2).
fn of_primes(p: &str, q: &str) -> Result<Rsa<Private>, ErrorStack> {
    let mut context = BigNumContext::new()?;
    let number = BigNum::new;
    let (p, q) = (BigNum::from_hex_str(p)?, BigNum::from_hex_str(q)?);
    let (e, one) = (BigNum::from_u32(65_537)?, BigNum::from_u32(1)?);
    let (mut n, mut below_p, mut below_q, mut all) = (number()?, number()?, number()?, number()?);
    n.checked_mul(&p, &q, &mut context)?;
    below_p.checked_sub(&p, &one)?;
    below_q.checked_sub(&q, &one)?;
    all.checked_mul(&below_p, &below_q, &mut context)?;
    let (mut d, mut of_p, mut of_q, mut inverse) = (number()?, number()?, number()?, number()?);
    d.mod_inverse(&e, &all, &mut context)?;
    of_p.nnmod(&d, &below_p, &mut context)?;
    of_q.nnmod(&d, &below_q, &mut context)?;
    inverse.mod_inverse(&q, &p, &mut context)?;
    Rsa::from_private_components(n, e, d, p, q, of_p, of_q, inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_these_primes_are_keys() {
        for (kept, count) in [(&USUAL, 12), (&LARGE, 4)] {
            let keys = kept.primes.lines().map(|line| line.split_once(' ').unwrap());
            let sizes: Vec<_> = keys
                .map(|(p, q)| of_primes(p, q).unwrap())
                .map(|key| key.check_key().unwrap().then(|| key.size() * 8))
                .collect();
            assert_eq!(sizes, vec![Some(kept.bits); count]);
        }
    }
}
