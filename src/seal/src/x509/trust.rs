//! Whom we trust, and what an inspection finds (RFC 5280 section 6; the results are those of OSCI's InspectionReport).
//!
//! The chain is found and checked by OpenSSL: signatures, basicConstraints, path length, keyCertSign, name constraints,
//! strength of keys and digests. Times are judged apart, since an expired certificate is a warning in OSCI, and a wrong
//! signature is an error. Nothing but the configured anchors is trusted, in particular not the system's.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use openssl::{
    stack::Stack,
    x509::{
        X509StoreContext,
        store::{X509Store, X509StoreBuilder, X509StoreRef},
        verify::{X509VerifyFlags, X509VerifyParam},
    },
};

use super::{Certificate, Crl, crl::Listed, forget_reasons};
use crate::Result;

/// Certificates between a certificate and its anchor.
const MAX_DEPTH: i32 = 8;
/// Certificates that a message may bring along to complete chains.
const MAX_SENT: usize = 64;
/// At least 112 bits of security for every key and digest of a chain: RSA 2048, SHA-224 (SP 800-57).
const SECURITY_LEVEL: i32 = 2;

/// X509_V_ERR_*, which have no names in the binding: (OpenSSL's number, what it means here).
const FAILURES: [(i32, Problem); 14] = [
    (7, Problem::WrongSignature), // CERT_SIGNATURE_FAILURE
    (25, Problem::IssuerIsNoCa),  // PATH_LENGTH_EXCEEDED
    (32, Problem::IssuerIsNoCa),  // KEYUSAGE_NO_CERTSIGN
    (79, Problem::IssuerIsNoCa),  // INVALID_CA
    (47, Problem::IssuerIsNoCa),  // PERMITTED_VIOLATION
    (48, Problem::IssuerIsNoCa),  // EXCLUDED_VIOLATION
    (66, Problem::TooWeak),       // EE_KEY_TOO_SMALL
    (67, Problem::TooWeak),       // CA_KEY_TOO_SMALL
    (68, Problem::TooWeak),       // CA_MD_TOO_WEAK
    (2, Problem::UnknownIssuer),  // UNABLE_TO_GET_ISSUER_CERT
    (18, Problem::UnknownIssuer), // DEPTH_ZERO_SELF_SIGNED_CERT
    (19, Problem::UnknownIssuer), // SELF_SIGNED_CERT_IN_CHAIN
    (20, Problem::UnknownIssuer), // UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    (21, Problem::UnknownIssuer), // UNABLE_TO_VERIFY_LEAF_SIGNATURE
];

/// Whether the issuers' signatures are right (OSCI: `MathResult`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MathResult {
    /// Right, up to a configured anchor.
    Ok,
    /// Wrong, or made by somebody who may not issue certificates.
    Corrupted,
    /// Nobody knows: no chain to an anchor.
    Indeterminate,
}

/// What can be said without asking for revocation (OSCI: `OfflineResult`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfflineResult {
    /// A trusted chain, and all of it within its validity.
    Valid,
    /// Wrongly signed, or outside its validity.
    Invalid,
    /// No trusted chain.
    Indeterminate,
}

/// What a revocation list or a responder says (OSCI: `OnlineResult`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnlineResult {
    /// Not revoked.
    Ok,
    /// The certificate or one of its issuers is revoked.
    Revoked,
}

/// Why the chain is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// A signature in the chain is wrong.
    WrongSignature,
    /// An issuer may not issue this: no CA, too long a path, other names.
    IssuerIsNoCa,
    /// A key or digest of the chain is too weak to mean anything.
    TooWeak,
    /// No chain to a configured anchor.
    UnknownIssuer,
    /// The certificate of an issuer is outside its validity.
    IssuerOutsideValidity,
    /// Something else that OpenSSL refuses, such as a critical extension that nobody knows.
    Other,
}

/// What becomes of certificates for which neither a revocation list nor a responder's answer is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WithoutRevocation {
    /// Their inspection is incomplete.
    #[default]
    Incomplete,
    /// They count as not revoked.
    Accept,
}

/// The findings in one word, the worst first. OSCI's codes for it: client's cipher certificate / signature certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The issuer's signature is wrong (9501 / 9700).
    WrongIssuer,
    /// Revoked (9502 / 9701).
    Revoked,
    /// The check could not be completed: unknown issuer, no revocation information (3501 / 3707).
    Incomplete,
    /// Trusted, but outside its validity (3500 / 3700).
    OutsideValidity,
    /// Good.
    Good,
}

/// The findings about a certificate.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The time for which it was inspected, in seconds since 1970-01-01 UTC.
    pub at: i64,
    /// The issuers' signatures.
    pub math: MathResult,
    /// Chain and times.
    pub offline: OfflineResult,
    /// Revocation; `None` if nothing was at hand.
    pub online: Option<OnlineResult>,
    /// `thisUpdate` of the revocation list that said so, in seconds since 1970-01-01 UTC.
    pub crl: Option<i64>,
    /// The responder's answer (DER) that said so.
    pub ocsp: Option<Vec<u8>>,
    /// Whether the certificate itself is within its validity.
    pub is_within_validity: bool,
    /// Why the chain is not what it should be.
    pub problem: Option<Problem>,
    /// The issuer's certificate, if the chain is good: an OCSP request needs it.
    pub issuer: Option<Certificate>,
    /// Whether revocation must be known for the inspection to be complete.
    needs_online: bool,
}

impl Inspection {
    /// The findings in one word.
    pub fn standing(&self) -> Standing {
        let is_trusted = self.math == MathResult::Ok && self.problem.is_none();
        let is_complete = is_trusted && (self.online.is_some() || !self.needs_online);
        match self.online {
            _ if self.math == MathResult::Corrupted => Standing::WrongIssuer,
            Some(OnlineResult::Revoked) => Standing::Revoked,
            _ if !is_complete => Standing::Incomplete,
            _ if !self.is_within_validity => Standing::OutsideValidity,
            _ => Standing::Good,
        }
    }

    /// Adds what a responder said about the certificate, and its answer (DER); what is known of its issuers stays the
    /// lists' matter. Nothing takes a revocation back.
    #[must_use]
    pub fn with_online(mut self, result: OnlineResult, answer: &[u8]) -> Self {
        if self.math == MathResult::Ok && self.online != Some(OnlineResult::Revoked) {
            self.online = Some(result);
            self.ocsp = Some(answer.to_vec());
        }
        self
    }
}

/// Anchors, intermediates and revocation lists. Without an anchor everything is indeterminate.
pub struct Trust {
    store: X509Store,
    /// The same anchors, with times checked: for the signers of OCSP answers.
    ocsp_store: X509Store,
    anchors: Vec<Certificate>,
    intermediates: Vec<Certificate>,
    crls: Vec<Crl>,
    without_revocation: WithoutRevocation,
    /// Chains that were found good: certificate to anchor. Neither time nor revocation is part of that, and the anchors
    /// never change, so it stays true.
    good: Mutex<HashMap<Certificate, Vec<Certificate>>>,
}

/// Most chains that are remembered.
const MOST_GOOD: usize = 500;

impl Trust {
    /// Trusts these anchors: roots, intermediates, or single certificates of partners.
    pub fn new(anchors: &[Certificate]) -> Result<Self> {
        // An anchor need not be self-signed.
        let flags = X509VerifyFlags::PARTIAL_CHAIN;
        Ok(Trust {
            store: store_of(anchors, flags | X509VerifyFlags::NO_CHECK_TIME)?,
            ocsp_store: store_of(anchors, flags)?,
            anchors: anchors.to_vec(),
            intermediates: Vec::new(),
            crls: Vec::new(),
            without_revocation: WithoutRevocation::default(),
            good: Mutex::default(),
        })
    }

    /// Whom it trusts from the outset.
    pub fn anchors(&self) -> &[Certificate] {
        &self.anchors
    }

    /// Adds certificates of issuers that are not trusted by themselves, but complete chains.
    #[must_use]
    pub fn with_intermediates(mut self, certificates: Vec<Certificate>) -> Self {
        self.intermediates.extend(certificates);
        self
    }

    /// Adds revocation lists.
    #[must_use]
    pub fn with_crls(mut self, crls: Vec<Crl>) -> Self {
        self.crls.extend(crls);
        self
    }

    /// Says what becomes of certificates without revocation information.
    #[must_use]
    pub fn without_revocation(mut self, choice: WithoutRevocation) -> Self {
        self.without_revocation = choice;
        self
    }

    /// Inspects a certificate for a time, in seconds since 1970-01-01 UTC.
    pub fn inspect(&self, certificate: &Certificate, at: i64) -> Result<Inspection> {
        self.inspect_with(certificate, &[], at)
    }

    /// Inspects a certificate with the help of others that came along; of these, 64 at most are looked at.
    pub fn inspect_with(
        &self,
        certificate: &Certificate,
        sent: &[Certificate],
        at: i64,
    ) -> Result<Inspection> {
        let (chain, mut problem) = self.chain(certificate, sent)?;
        let is_within_validity = certificate.is_valid_at(at);
        if problem.is_none() && !chain.iter().skip(1).all(|issuer| issuer.is_valid_at(at)) {
            problem = Some(Problem::IssuerOutsideValidity);
        }
        let math = match problem {
            None | Some(Problem::IssuerOutsideValidity) => MathResult::Ok,
            Some(Problem::WrongSignature | Problem::IssuerIsNoCa) => MathResult::Corrupted,
            Some(_) => MathResult::Indeterminate,
        };
        let offline = match math {
            MathResult::Corrupted => OfflineResult::Invalid,
            MathResult::Ok if problem.is_some() || !is_within_validity => OfflineResult::Invalid,
            MathResult::Ok => OfflineResult::Valid,
            MathResult::Indeterminate => OfflineResult::Indeterminate,
        };
        let mut found = Inspection {
            at,
            math,
            offline,
            online: None,
            crl: None,
            ocsp: None,
            is_within_validity,
            problem,
            issuer: chain.get(1).filter(|_| math == MathResult::Ok).cloned(),
            // Of a certificate that is an anchor itself, nobody else can say that it is revoked.
            needs_online: chain.len() > 1 && self.without_revocation == WithoutRevocation::Incomplete,
        };
        if math == MathResult::Ok {
            self.look_up_revocation(&chain, &mut found)?;
        }
        Ok(found)
    }

    pub(super) fn ocsp_store(&self) -> &X509StoreRef {
        &self.ocsp_store
    }

    /// The chain from the certificate to an anchor, as far as it was found, and what is wrong with it.
    fn chain(
        &self,
        certificate: &Certificate,
        sent: &[Certificate],
    ) -> Result<(Vec<Certificate>, Option<Problem>)> {
        if let Some(chain) = self.remembered().get(certificate) {
            return Ok((chain.clone(), None));
        }
        let mut helpers = Stack::new()?;
        for helper in self.intermediates.iter().chain(sent.iter().take(MAX_SENT)) {
            helpers.push(helper.x509().to_owned())?;
        }
        let mut context = X509StoreContext::new()?;
        let (problem, chain) = context.init(&self.store, certificate.x509(), &helpers, |context| {
            let is_good = context.verify_cert()?;
            forget_reasons();
            let problem = (!is_good).then(|| problem(context.error().as_raw()));
            let chain: Vec<_> = context.chain().into_iter().flatten().map(|x509| x509.to_der()).collect();
            Ok((problem, chain))
        })?;
        let mut certificates = Vec::with_capacity(chain.len());
        // A chain is made of what is at hand; to read it anew would take longer than to check it.
        let at_hand = [certificate].into_iter().chain(&self.anchors).chain(&self.intermediates).chain(sent);
        for der in chain {
            let der = der?;
            let known = at_hand.clone().find(|it| it.der() == der.as_slice());
            certificates.push(known.map_or_else(|| Certificate::from_der(&der), |it| Ok(it.clone()))?);
        }
        if problem.is_none() && sent.is_empty() {
            let mut good = self.remembered();
            if good.len() >= MOST_GOOD {
                good.clear();
            }
            good.insert(certificate.clone(), certificates.clone());
        }
        Ok((certificates, problem))
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<Certificate, Vec<Certificate>>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worst that the lists say about the certificate and its issuers; complete only if each is spoken of.
    fn look_up_revocation(&self, chain: &[Certificate], found: &mut Inspection) -> Result<()> {
        let mut all_known = chain.len() > 1;
        for pair in chain.windows(2) {
            let [certificate, issuer] = pair else { continue };
            let (listed, this_update) = self.listed(certificate, issuer, found.at)?;
            found.crl = found.crl.or(this_update);
            match listed {
                Listed::Revoked => {
                    (found.online, found.crl) = (Some(OnlineResult::Revoked), this_update);
                    return Ok(());
                }
                Listed::NotRevoked => {}
                Listed::Nothing => all_known = false,
            }
        }
        found.online = all_known.then_some(OnlineResult::Ok);
        Ok(())
    }

    fn listed(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        at: i64,
    ) -> Result<(Listed, Option<i64>)> {
        let mut best = (Listed::Nothing, None);
        for crl in &self.crls {
            match crl.status(certificate, issuer, at)? {
                Listed::Revoked => return Ok((Listed::Revoked, Some(crl.this_update()))),
                Listed::NotRevoked => best = (Listed::NotRevoked, Some(crl.this_update())),
                Listed::Nothing => {}
            }
        }
        Ok(best)
    }
}

fn store_of(anchors: &[Certificate], flags: X509VerifyFlags) -> Result<X509Store> {
    let mut store = X509StoreBuilder::new()?;
    for anchor in anchors {
        store.add_cert(anchor.x509().to_owned())?;
    }
    let mut parameters = X509VerifyParam::new()?;
    parameters.set_flags(flags)?;
    parameters.set_depth(MAX_DEPTH);
    parameters.set_auth_level(SECURITY_LEVEL);
    store.set_param(&parameters)?;
    Ok(store.build())
}

fn problem(failure: i32) -> Problem {
    FAILURES.iter().find(|(number, _)| *number == failure).map_or(Problem::Other, |(_, problem)| *problem)
}
