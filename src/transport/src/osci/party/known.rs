//! Partners: those of the configuration, and those that entries of the directory tell how to reach.

use std::sync::Arc;

use broker::Wanted;
use broker::directory::EntryOsci;
use broker::house::Kind;
use model::{Authority, Failure};
use seal::x509::Certificate;

use super::{Line, Parties, Partner, verdict};

impl Parties {
    /// How a partner of a tenant is reached with what is to be sent; nothing if it is not reached by an intermediary.
    /// The configuration comes before any entry.
    ///
    /// # Errors
    /// If the directory cannot be asked.
    pub async fn partner(
        &self,
        tenant: &str,
        to: &Authority,
        wanted: Wanted<'_>,
    ) -> Result<Option<Arc<Partner>>, Failure> {
        if let Some(partner) = self.0.partners.get(to) {
            return Ok(Some(Arc::clone(partner)));
        }
        let found = self.0.broker.entry(tenant, to).await.map_err(|error| verdict::broker(&error))?;
        let Some((_, entry)) = found else { return Ok(None) };
        let Some(osci) = entry.way(Kind::Osci, wanted).and_then(|way| way.osci.as_ref()) else {
            return Ok(None);
        };
        self.0.lines.callee.permits(&osci.intermediary)?;
        let partner =
            of_entry(to, osci).map_err(|error| Failure::permanent("directory.document", error.code()))?;
        Ok(Some(Arc::new(partner)))
    }
}

fn of_entry(authority: &Authority, osci: &EntryOsci) -> seal::Result<Partner> {
    let line = Line {
        url: osci.intermediary.clone(),
        certificate: certificate(&osci.intermediary_certificate)?,
        answers_by: osci.answers_by.as_deref().map(certificate).transpose()?,
    };
    Ok(Partner {
        authority: authority.clone(),
        line,
        recipient: certificate(&osci.recipient_certificate)?,
        signed_by: osci.signed_by.iter().map(|pem| certificate(pem)).collect::<seal::Result<_>>()?,
        mode: osci.mode,
        receiver: osci.receiver.clone().unwrap_or_default(),
    })
}

fn certificate(pem: &str) -> seal::Result<Certificate> {
    let found = Certificate::all_from_pem(pem.as_bytes())?;
    found.into_iter().next().ok_or(seal::Error::CertificateMalformed)
}
