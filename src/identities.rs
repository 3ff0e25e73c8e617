//! Who calls, as others say it: issuers of access tokens for systems, and the provider by whom people sign in, as they are configured.

use std::sync::Arc;

use async_trait::async_trait;
use broker::LinkBy;
use identity::{Issuer, IssuerSettings, Issuers, Pauses, Provider, ProviderSettings, SystemClient};
use model::{Caller, Clock, SystemClock};
use net::{Client, Egress};

use crate::error::Error;
use config::{Config, OidcLink, signing, within};

/// What the gateway is called at a provider, behind its address.
const BACK: &str = "/console/oidc/back";
/// Where people go who have signed out.
const AFTER: &str = "/console/sign-in";

/// Access tokens, as the interface asks for them.
struct Tokens(Issuers);

#[async_trait]
impl api::Recognise for Tokens {
    async fn recognise(&self, token: &str, certificate: Option<&[u8]>) -> Option<Caller> {
        match self.0.caller(token, certificate).await {
            Ok(caller) => Some(caller),
            Err(error) => {
                tracing::info!(code = error.code(), "an access token was refused");
                None
            }
        }
    }
}

/// Those who issue tokens for systems; `None` if there is none.
pub(crate) fn issuers(config: &Config) -> Result<Option<Arc<dyn api::Recognise>>, Error> {
    if config.oauth.is_empty() {
        return Ok(None);
    }
    let client = client(config)?;
    let issuer = |it: &config::OAuth| {
        let of_client = |client: &config::OAuthClient| SystemClient {
            id: client.id.clone(),
            caller: it.caller(client),
            mtls: client.mtls,
            scopes: client.scopes.clone(),
        };
        let settings = IssuerSettings {
            issuer: it.issuer.clone(),
            audience: it.audience.clone(),
            jwks_url: it.jwks_url.clone(),
            algorithms: signing(&it.algorithms),
            client_claim: it.client_claim.clone(),
            clients: it.clients.iter().map(of_client).collect(),
        };
        Issuer::new(settings, client.clone(), Pauses::default())
    };
    let all = config.oauth.iter().map(issuer).collect();
    Ok(Some(Arc::new(Tokens(Issuers::new(all, Arc::new(SystemClock))))))
}

/// The provider by whom people sign in.
fn provider(config: &Config) -> Result<Option<Arc<Provider>>, Error> {
    let Some(oidc) = &config.oidc else { return Ok(None) };
    let settings = ProviderSettings {
        issuer: oidc.issuer.clone(),
        client_id: oidc.client_id.clone(),
        client_secret: config.oidc_secret()?,
        scopes: oidc.scopes.clone(),
        redirect: format!("{}{BACK}", oidc.redirect),
        after_sign_out: format!("{}{AFTER}", oidc.redirect),
        algorithms: signing(&oidc.algorithms),
        groups_claim: oidc.groups_claim.clone(),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Ok(Some(Arc::new(Provider::new(settings, client(config)?, clock, Pauses::default()))))
}

/// How people sign in elsewhere.
pub(crate) fn elsewhere(config: &Config) -> Result<Option<console::Elsewhere>, Error> {
    let (Some(oidc), Some(provider)) = (&config.oidc, provider(config)?) else { return Ok(None) };
    let group = |it: &config::OidcRole| console::GroupRights {
        group: it.group.clone(),
        roles: it.roles.clone(),
        units: within(&it.units),
        services: within(&it.services),
    };
    Ok(Some(console::Elsewhere {
        provider,
        label: oidc.label.clone(),
        tenant: oidc.tenant.clone(),
        link: match oidc.link {
            OidcLink::Never => LinkBy::Nothing,
            OidcLink::Email => LinkBy::Email,
            OidcLink::Login => LinkBy::Login,
        },
        groups: oidc.roles.iter().map(group).collect(),
    }))
}

/// Proxies in front of the internal address.
pub(crate) fn proxies(config: &Config) -> api::Proxies {
    let known = api::Proxies::default();
    let field = config.listen.client_cert_header.to_ascii_lowercase().parse();
    api::Proxies { addresses: config.listen.trusted_proxies.clone(), field: field.unwrap_or(known.field) }
}

/// Plain HTTP is spoken with whom the check of the configuration lets through: this machine.
fn client(config: &Config) -> Result<Client, Error> {
    let egress = Egress::new(&config.egress.allow)?.with_plain_http();
    Ok(Client::new(egress, net::Settings::default(), Arc::new(SystemClock)))
}
