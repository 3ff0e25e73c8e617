//! Partners: those of the configuration, and those that entries of the directory tell how to reach.

use std::sync::Arc;

use broker::directory::EntryXta;
use broker::house::{Kind, XtaProfile, XtaVersion};
use model::{Authority, Failure};
use seal::x509::Certificate;

use super::{Parties, Partner, Server, verdict};

impl Parties {
    /// How a partner of a tenant is reached with messages of a public service; nothing if it is not reached by XTA. The
    /// configuration comes before any entry.
    ///
    /// # Errors
    /// If the directory cannot be asked.
    pub async fn partner(
        &self,
        tenant: &str,
        to: &Authority,
        service: Option<&str>,
    ) -> Result<Option<Arc<Partner>>, Failure> {
        if let Some(partner) = self.0.partners.get(to) {
            return Ok(Some(Arc::clone(partner)));
        }
        let found = self.0.broker.entry(tenant, to).await.map_err(|error| verdict::broker(&error))?;
        let Some((_, entry)) = found else { return Ok(None) };
        let Some(way) = entry.way(Kind::Xta, service) else { return Ok(None) };
        let Some(xta) = &way.xta else { return Ok(None) };
        if xta.version != XtaVersion::V3 || xta.profile != XtaProfile::Plain {
            return Err(Failure::permanent("xta-party.not-spoken", "version 5, or the profile of courts"));
        }
        let partner = of_entry(to, xta, way.most_bytes);
        partner
            .map(|it| Some(Arc::new(it)))
            .map_err(|error| Failure::permanent("xta-party.failed", error.code()))
    }
}

fn of_entry(authority: &Authority, xta: &EntryXta, most_bytes: u64) -> seal::Result<Partner> {
    let mut trust = Vec::new();
    for pem in &xta.trust {
        trust.extend(Certificate::all_from_pem(pem.as_bytes())?);
    }
    let server = Server {
        management: xta.management.clone(),
        send: Some(xta.send.clone()),
        message_box: None,
        trust: Some(trust).filter(|trust| !trust.is_empty()),
        container_bytes: xta.container_mb.saturating_mul(1 << 20),
        as_packages: xta.mtom,
    };
    Ok(Partner {
        authority: authority.clone(),
        server,
        party: xta.party.clone(),
        scheme: xta.scheme.clone(),
        most_bytes,
        court: None,
    })
}
