//! What an intermediary finds out about the certificates of an order, told as inspections for the process card and as
//! feedback codes: OSCI-Transport 1.2, sections 4.2.6 and 5 (35xx, 37xx, 95xx, 97xx).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use seal::x509::{
    Certificate, Inspection as Finding, MathResult, OfflineResult, OnlineResult, Standing, Trust,
};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::card::{self, CertType, Inspection, OnlineSource, TimeStamp};
use crate::code::Code;
use crate::message::Certificates;
use crate::moment::date_time;

/// Who judges certificates: a [`Trust`] by itself, or somebody who asks others, too.
pub trait Inspector: Send + Sync {
    /// What is found out about a certificate for a moment, in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// If the judgement itself fails, and not if the certificate is bad.
    fn inspect(&self, certificate: &Certificate, at: i64) -> seal::Result<Finding>;
}

impl Inspector for Trust {
    fn inspect(&self, certificate: &Certificate, at: i64) -> seal::Result<Finding> {
        Trust::inspect(self, certificate, at)
    }
}

/// What a certificate is used for in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    ClientCipher,
    ClientSigner,
    AuthorCipher,
    AuthorSigner,
    Addressee,
    Reader,
    AddresseeSigner,
}

/// The findings about one certificate, as they are remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspected {
    /// For which moment, in seconds since 1970-01-01 UTC.
    pub at: i64,
    /// Subject, RFC 2253.
    pub subject: String,
    /// Issuer, RFC 2253.
    pub issuer: String,
    /// Serial number, decimal.
    pub serial: String,
    /// Whether the issuer's signature is right; unknown if absent.
    pub math: Option<bool>,
    /// Whether it is valid; unknown if absent.
    pub offline: Option<bool>,
    /// Whether it is revoked; unknown if absent.
    pub revoked: Option<bool>,
    /// Moment of the list that said so.
    pub crl: Option<i64>,
    /// The responder's answer that said so, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocsp: Option<String>,
}

/// Findings about an order's certificates.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) inspections: Vec<Inspected>,
    /// Codes of what was found, without repetition.
    pub(super) codes: Vec<Code>,
    /// What was found out about each certificate: each is looked at once.
    known: Vec<(Certificate, Standing, Inspected)>,
}

impl Findings {
    /// Nothing is told yet, but what is known of certificates stays known.
    pub(super) fn afresh(&self) -> Findings {
        Findings { known: self.known.clone(), ..Findings::default() }
    }

    /// Looks at one certificate.
    pub(super) fn look(
        &mut self,
        inspector: &dyn Inspector,
        certificate: &Certificate,
        part: Part,
        at: i64,
    ) -> Result<()> {
        let (standing, inspected) = self.find_out(inspector, certificate, at)?;
        if let Some(code) = code(part, standing)
            && !self.codes.contains(&code)
        {
            self.codes.push(code);
        }
        self.inspections.push(inspected);
        Ok(())
    }

    fn find_out(
        &mut self,
        inspector: &dyn Inspector,
        certificate: &Certificate,
        at: i64,
    ) -> Result<(Standing, Inspected)> {
        let known = self.known.iter().find(|(it, _, known)| it == certificate && known.at == at);
        if let Some((_, standing, inspected)) = known {
            return Ok((*standing, inspected.clone()));
        }
        let finding = inspector.inspect(certificate, at)?;
        let found = (finding.standing(), inspected(certificate, &finding)?);
        self.known.push((certificate.clone(), found.0, found.1.clone()));
        Ok(found)
    }

    /// Looks at all certificates that a delivery brings.
    pub(super) fn look_at_all(
        &mut self,
        inspector: &dyn Inspector,
        all: &Certificates,
        at: i64,
    ) -> Result<()> {
        let parts = [
            (Part::ClientCipher, all.cipher_originator.as_slice()),
            (Part::AuthorCipher, &all.cipher_other_authors),
            (Part::Addressee, all.cipher_addressee.as_slice()),
            (Part::Reader, &all.cipher_other_readers),
            (Part::ClientSigner, all.signature_originator.as_slice()),
            (Part::AuthorSigner, &all.signature_other_authors),
            (Part::AddresseeSigner, all.signature_addressee.as_slice()),
        ];
        for (part, certificates) in parts {
            for named in certificates {
                self.look(inspector, &named.certificate, part, at)?;
            }
        }
        Ok(())
    }
}

/// The code for a finding; `None` if all is well.
fn code(part: Part, standing: Standing) -> Option<Code> {
    let [outdated, unchecked, issuer, revoked] = match part {
        Part::ClientCipher => [3500, 3501, 9501, 9502],
        Part::ClientSigner => [3700, 3707, 9700, 9701],
        Part::AuthorSigner => [3701, 3707, 3702, 3703],
        Part::AuthorCipher => [3704, 3707, 9704, 9705],
        Part::Addressee => [3705, 3707, 9706, 9707],
        Part::Reader => [3706, 3707, 9708, 9709],
        Part::AddresseeSigner => [3708, 3707, 9711, 9712],
    };
    let digits: u16 = match standing {
        Standing::Good => return None,
        Standing::OutsideValidity => outdated,
        Standing::Incomplete => unchecked,
        Standing::WrongIssuer => issuer,
        Standing::Revoked => revoked,
    };
    Code::parse(&digits.to_string())
}

fn inspected(certificate: &Certificate, finding: &Finding) -> Result<Inspected> {
    let math = match finding.math {
        MathResult::Ok => Some(true),
        MathResult::Corrupted => Some(false),
        MathResult::Indeterminate => None,
    };
    let offline = match finding.offline {
        OfflineResult::Valid => Some(true),
        OfflineResult::Invalid => Some(false),
        OfflineResult::Indeterminate => None,
    };
    Ok(Inspected {
        at: finding.at,
        subject: certificate.subject()?,
        issuer: certificate.issuer()?,
        serial: certificate.serial()?,
        math,
        offline,
        revoked: finding.online.map(|online| online == OnlineResult::Revoked),
        crl: finding.crl,
        ocsp: finding.ocsp.as_ref().map(|answer| BASE64.encode(answer)),
    })
}

impl Inspected {
    /// As it stands in an inspection report. Which level a certificate has is not looked at.
    pub(super) fn report(&self) -> Result<Inspection> {
        let source = match (&self.ocsp, self.crl) {
            (Some(answer), _) => OnlineSource::Ocsp(answer.clone()),
            (None, Some(moment)) => OnlineSource::Crl(date_time(moment)?),
            (None, None) => OnlineSource::None,
        };
        Ok(Inspection {
            moment: TimeStamp::Plain(date_time(self.at)?),
            subject: self.subject.clone(),
            issuer: self.issuer.clone(),
            serial: self.serial.clone(),
            kind: CertType::Unknown,
            math: match self.math {
                Some(true) => card::MathResult::Ok,
                Some(false) => card::MathResult::Corrupted,
                None => card::MathResult::Indeterminate,
            },
            offline: match self.offline {
                Some(true) => card::OfflineResult::Valid,
                Some(false) => card::OfflineResult::Invalid,
                None => card::OfflineResult::Indeterminate,
            },
            online: self.revoked.map(|revoked| card::OnlineResult { revoked, source }),
        })
    }
}
