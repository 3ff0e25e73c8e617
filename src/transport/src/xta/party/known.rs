//! Partners: those of the configuration, and those that entries of the directory tell how to reach.

use std::sync::Arc;

use broker::directory::{EntryWay, EntryXta};
use broker::house::Kind;
use model::{Authority, Failure};
use seal::x509::Certificate;

use super::{Parties, Partner, Server, verdict};

impl Parties {
    /// How a partner of a tenant is reached with messages of a public service; nothing if it is not reached by a server. The
    /// configuration comes before any entry. On a thread that may block.
    ///
    /// # Errors
    /// If the directory cannot be asked.
    pub(super) fn partner(
        &self,
        tenant: &str,
        to: &Authority,
        service: Option<&str>,
    ) -> Result<Option<Arc<Partner>>, Failure> {
        if let Some(partner) = self.0.partners.get(to) {
            return Ok(Some(Arc::clone(partner)));
        }
        let found = self.0.lines.runtime.block_on(self.0.broker.entry(tenant, to));
        let Some((_, entry)) = found.map_err(|error| verdict::broker(&error))? else { return Ok(None) };
        let way = entry.way(Kind::Xta, service);
        let Some((way, xta)) = way.and_then(|way| Some((way, way.xta.as_ref()?))) else { return Ok(None) };
        let partner = of_entry(to, way, xta);
        let partner = partner.map_err(|error| Failure::permanent("directory.document", error.code()))?;
        Ok(Some(Arc::new(partner)))
    }
}

fn of_entry(authority: &Authority, way: &EntryWay, xta: &EntryXta) -> seal::Result<Partner> {
    let mut trust = vec![];
    for pem in &xta.trust {
        trust.extend(Certificate::all_from_pem(pem.as_bytes())?);
    }
    let server = Server {
        version: xta.version,
        management: xta.management.clone(),
        send: Some(xta.send.clone()),
        message_box: None,
        trust: (!trust.is_empty()).then_some(trust),
        container_bytes: xta.container_mb.saturating_mul(1 << 20),
        as_packages: xta.mtom,
    };
    Ok(Partner {
        authority: authority.clone(),
        server,
        party: xta.party.clone(),
        scheme: xta.scheme.clone(),
        profile: xta.profile,
        most_bytes: way.most_bytes,
    })
}
