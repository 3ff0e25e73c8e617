//! Partners: those of the configuration, and those that entries of the directory tell how to reach.

use std::sync::Arc;

use broker::Wanted;
use broker::directory::EntryXta;
use broker::house::{Kind, XtaProfile, XtaVersion};
use model::outbound::ChosenBy;
use model::{Authority, Failure};
use seal::x509::Certificate;

use super::{Parties, Partner, Server, Version, verdict};

impl Parties {
    /// How a partner of a tenant is reached with what is to be sent; nothing if it is not reached by XTA. The
    /// configuration comes before any entry.
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
        let Some(way) = entry.way(Kind::Xta, wanted) else { return Ok(None) };
        let Some(xta) = &way.xta else { return Ok(None) };
        if xta.profile != XtaProfile::Plain {
            return Err(Failure::permanent("xta-party.not-spoken", "the profile of courts"));
        }
        let partner = of_entry(to, xta, way.most_bytes)
            .map_err(|error| Failure::permanent("xta-party.failed", error.code()))?;
        self.0.lines.permits(&partner.server)?;
        Ok(Some(Arc::new(partner)))
    }
}

/// The version as the wire knows it.
pub fn version(version: XtaVersion) -> Version {
    match version {
        XtaVersion::V3 => Version::V3,
        XtaVersion::V5 => Version::V5,
    }
}

fn of_entry(authority: &Authority, xta: &EntryXta, most_bytes: u64) -> seal::Result<Partner> {
    let mut trust = Vec::new();
    for pem in &xta.trust {
        trust.extend(Certificate::all_from_pem(pem.as_bytes())?);
    }
    let server = Server {
        version: version(xta.version),
        management: xta.management.clone(),
        send: Some(xta.send.clone()),
        message_box: None,
        trust: Some(trust).filter(|trust| !trust.is_empty()),
        container_bytes: xta.container_mb.saturating_mul(1 << 20),
        as_packages: xta.mtom,
        chosen_by: ChosenBy::System,
    };
    Ok(Partner {
        tenant: None,
        authority: authority.clone(),
        server,
        party: xta.party.clone(),
        scheme: xta.scheme.clone(),
        most_bytes,
        court: None,
    })
}
