//! What the console asks for that lies outside of the broker: trying a partner, the schemas, where old algorithms are taken.

use std::sync::Arc;

use async_trait::async_trait;
use broker::{Broker, Wanted};
use config::Config;
use console::{Check, Pack, PackFault, Weakness, Workshop};
use model::directory::Transport;
use model::{Authority, Caller, Failure, Timestamp};
use schemas::{Origin, Schemas};
use seal::x509::Certificate;
use transport::osci::Parties;

/// Old algorithms, as `legacy` of the section of OSCI allows them.
const LEGACY: &str = "SHA-1, 3DES, RSA-1_5, RSA < 2048 bit";

/// The parties of both transports, and the schemas.
pub(crate) struct Tools {
    broker: Broker,
    osci: Parties,
    xta: transport::xta::party::Parties,
    schemas: Arc<Schemas>,
    weak: Vec<Weakness>,
}

impl Tools {
    /// Those of an open gateway.
    pub(crate) fn new(
        broker: Broker,
        osci: Parties,
        xta: transport::xta::party::Parties,
        schemas: Arc<Schemas>,
        config: &Config,
    ) -> Self {
        let legacy = config.osci.as_ref().is_some_and(|osci| osci.legacy);
        let weak = legacy
            .then(|| Weakness { place: "[osci] legacy = true".to_owned(), algorithms: LEGACY.to_owned() });
        Tools { broker, osci, xta, schemas, weak: weak.into_iter().collect() }
    }

    /// Certificates and a dialog with the intermediary.
    async fn osci(&self, from: &Authority, to: &Authority) -> Result<Vec<Check>, Failure> {
        let certificates = self.osci.certificates(from, to).await?;
        if certificates.is_empty() {
            return Ok(vec![]);
        }
        let mut checks = vec![];
        for (key, certificate) in certificates {
            let refused = self.osci.refuses(&certificate).await?;
            checks.push(of_certificate(key, &certificate, refused.map(|code| code.to_string())));
        }
        let tried = self.osci.courier().try_dialog(from.clone(), to.clone()).await;
        checks.push(outcome("dialog", "OSCI-Transport", tried));
        Ok(checks)
    }

    /// Certificates and the account at the server.
    async fn xta(&self, from: &Authority, to: &Authority) -> Result<Vec<Check>, Failure> {
        let wanted = Wanted { from: Some(from), ..Wanted::default() };
        let certificates = self.xta.certificates(from, to, wanted).await?;
        if certificates.is_empty() {
            return Ok(vec![]);
        }
        let now = self.broker.now().micros().div_euclid(1_000_000);
        let ended =
            |it: &Certificate| (!it.is_valid_at(now)).then(|| "directory.certificate-ended".to_owned());
        let mut checks: Vec<Check> =
            certificates.iter().map(|(key, it)| of_certificate(key, it, ended(it))).collect();
        let asked = self.xta.courier().check_account(from, to, wanted).await;
        checks.push(outcome("account", "XTA", asked));
        Ok(checks)
    }
}

#[async_trait]
impl Workshop for Tools {
    async fn try_partner(&self, caller: &Caller, from: Option<&Authority>, to: &Authority) -> Vec<Check> {
        let own = self.broker.house().tenants().filter(|tenant| tenant.id == caller.scope.tenant);
        let own: Vec<&Authority> =
            own.flat_map(|tenant| &tenant.authorities).map(|entry| &entry.key).collect();
        let from = own.iter().find(|key| from.is_none_or(|from| from == **key)).copied();
        let wanted = Wanted { from, ..Wanted::default() };
        let ways = match self.broker.capabilities(caller, to, wanted).await {
            Ok(ways) => ways,
            Err(error) => return vec![failed("way", "", error.code(), String::new())],
        };
        let mut checks = vec![];
        for way in &ways {
            let name = way.reach.transport.name().to_owned();
            let code = way.obstacle.map(str::to_owned);
            checks.push(Check {
                what: "way",
                name,
                ok: code.is_none(),
                until: way.until,
                code,
                detail: String::new(),
            });
            if let Transport::Adapter { id, .. } = &way.reach.transport
                && let Ok(state) = self.broker.adapter_state(caller, id).await
            {
                let detail = state.health.as_ref().map(|health| health.detail.clone()).unwrap_or_default();
                let ok = state.health.is_some_and(|health| health.ok);
                checks.push(Check { what: "adapter", name: id.clone(), ok, until: None, code: None, detail });
            }
        }
        let Some(from) = from else { return checks };
        for found in [self.osci(from, to).await, self.xta(from, to).await] {
            match found {
                Ok(found) => checks.extend(found),
                Err(failure) => checks.push(outcome("way", "", Err(failure))),
            }
        }
        checks
    }

    fn packs(&self) -> Vec<Pack> {
        let pack = |info: schemas::PackInfo| Pack {
            name: info.name,
            own: info.origin == Origin::Own,
            namespaces: info.namespaces,
            schemas: info.schemas,
            code_lists: info.code_lists,
        };
        self.schemas.list().into_iter().map(pack).collect()
    }

    fn pack_faults(&self) -> Vec<PackFault> {
        let fault = |(pack, file, error): (String, String, schemas::Error)| PackFault {
            pack,
            file,
            code: error.code().to_owned(),
            detail: error.to_string(),
        };
        self.schemas.check_all().into_iter().map(fault).collect()
    }

    fn weaknesses(&self, _: &str) -> Vec<Weakness> {
        self.weak.clone()
    }
}

fn of_certificate(key: &str, certificate: &Certificate, refused: Option<String>) -> Check {
    let end = Timestamp::from_micros(certificate.not_after().saturating_mul(1_000_000));
    Check {
        what: "certificate",
        name: key.to_owned(),
        ok: refused.is_none(),
        until: Some(end),
        code: refused,
        detail: certificate.subject().unwrap_or_default(),
    }
}

fn outcome(what: &'static str, name: &str, tried: Result<(), Failure>) -> Check {
    match tried {
        Ok(()) => {
            Check { what, name: name.to_owned(), ok: true, until: None, code: None, detail: String::new() }
        }
        Err(failure) => failed(what, name, &failure.code, failure.detail),
    }
}

fn failed(what: &'static str, name: &str, code: &str, detail: String) -> Check {
    Check { what, name: name.to_owned(), ok: false, until: None, code: Some(code.to_owned()), detail }
}
