//! `[[oauth]]`: issuers of access tokens for systems; `[oidc]`: the provider by whom people sign in. What either may do stands here or with the
//! user, never in a token.

use std::collections::{BTreeMap, BTreeSet};

use model::rights::Within;
use model::{Actor, Authority, Caller, Role, Scope};
use seal::jose::Signing;
use serde::{Deserialize, Serialize};

use crate::check::Check;
use crate::places::Place;
use crate::{Config, Error, read_secret, resolve};

/// Stands for all units or services.
const ALL: &str = "*";

/// `[[oauth]]`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth {
    /// Name in events, before that of the client.
    pub id: String,
    /// Its issuer identifier.
    pub issuer: String,
    /// `aud` of tokens for the gateway.
    pub audience: String,
    /// Where its keys are; absent: its metadata says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// Algorithms that it may sign by.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<String>,
    /// The claim that names the client.
    #[serde(default = "client_claim")]
    pub client_claim: String,
    /// Its clients.
    #[serde(default, rename = "client")]
    pub clients: Vec<OAuthClient>,
}

/// `[[oauth.client]]`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OAuthClient {
    /// Its id at the issuer.
    pub id: String,
    /// Its tenant.
    pub tenant: String,
    /// Its roles.
    pub roles: Vec<Role>,
    /// Units that it sees; `*`: all.
    pub units: Vec<String>,
    /// Public services that it sees; `*`: all.
    #[serde(default = "all")]
    pub services: Vec<String>,
    /// Authority that it acts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Authority>,
    /// Whether its tokens have to be bound to a certificate (RFC 8705).
    #[serde(default)]
    pub mtls: bool,
    /// Roles that hold only for tokens with a scope.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, Vec<Role>>,
}

/// `[oidc]`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its issuer identifier.
    pub issuer: String,
    /// What stands on the button.
    pub label: String,
    /// Our id there.
    pub client_id: String,
    /// Reference to our secret there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Scopes that are asked for.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// Address by which browsers reach the console, without a path.
    pub redirect: String,
    /// Algorithms that it may sign by.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<String>,
    /// Whose users they are.
    pub tenant: String,
    /// By what a person who comes first is taken for a user who is there already.
    #[serde(default)]
    pub link: OidcLink,
    /// The claim that lists groups.
    #[serde(default = "groups")]
    pub groups_claim: String,
    /// What members of groups may do: with any entry, people without a user get one.
    #[serde(default, rename = "role", skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<OidcRole>,
}

/// By what a person is taken for a user who is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OidcLink {
    /// By nothing: users are made for the members of groups.
    #[default]
    Never,
    /// By the e-mail address that the provider has verified.
    Email,
    /// By the login name at the provider.
    Login,
}

/// `[[oidc.role]]`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OidcRole {
    /// The group.
    pub group: String,
    /// Roles of its members.
    pub roles: Vec<Role>,
    /// Units that they see; `*`: all.
    pub units: Vec<String>,
    /// Public services that they see; `*`: all.
    #[serde(default = "all")]
    pub services: Vec<String>,
}

fn algorithms() -> Vec<String> {
    vec![Signing::Es256.name().to_owned(), Signing::Ps256.name().to_owned()]
}

fn client_claim() -> String {
    "client_id".to_owned()
}

fn all() -> Vec<String> {
    vec![ALL.to_owned()]
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

fn groups() -> String {
    "groups".to_owned()
}

/// Names as a part of the world.
pub fn within(names: &[String]) -> Within {
    match names.iter().any(|name| name == ALL) {
        true => Within::All,
        false => Within::Only(names.iter().cloned().collect()),
    }
}

/// Algorithms by their names; unknown ones are refused by the check before.
pub fn signing(names: &[String]) -> Vec<Signing> {
    names.iter().filter_map(|name| Signing::named(name)).collect()
}

impl OAuth {
    /// Whom a client of this issuer stands for.
    pub fn caller(&self, client: &OAuthClient) -> Caller {
        Caller {
            actor: Actor { kind: "system".to_owned(), id: format!("{}:{}", self.id, client.id) },
            roles: client.roles.clone(),
            scope: Scope {
                tenant: client.tenant.clone(),
                units: within(&client.units),
                services: within(&client.services),
            },
            authority: client.authority.clone(),
        }
    }
}

impl Config {
    /// The secret of the gateway at the provider of identities.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn oidc_secret(&self) -> Result<Option<String>, Error> {
        let reference = self.oidc.as_ref().and_then(|oidc| oidc.client_secret.as_ref());
        let read = |reference: &String| read_secret(reference, Place::key("oidc.client_secret"));
        let secret = reference.map(read).transpose()?;
        Ok(secret.map(|secret| secret.trim_end_matches(['\r', '\n']).to_owned()))
    }

    pub(crate) fn resolve_identities(&mut self, folder: &std::path::Path) {
        let secrets = self.oidc.iter_mut().filter_map(|oidc| oidc.client_secret.as_mut());
        secrets.for_each(|reference| resolve(reference, folder));
    }
}

impl Check<'_> {
    pub(crate) fn identities(&self, config: &Config) -> Result<(), Error> {
        let (mut ids, mut issuers) = (BTreeSet::new(), BTreeSet::new());
        for (index, issuer) in config.oauth.iter().enumerate() {
            let key = format!("oauth[{index}]");
            self.note(self.name(&format!("{key}.id"), &issuer.id));
            self.note(self.unique(&format!("{key}.id"), ids.insert(&issuer.id)));
            self.note(self.unique(&format!("{key}.issuer"), issuers.insert(&issuer.issuer)));
            self.note(self.issuer(&format!("{key}.issuer"), &issuer.issuer));
            self.note(self.title(&format!("{key}.audience"), &issuer.audience));
            if let Some(url) = &issuer.jwks_url {
                self.note(self.issuer(&format!("{key}.jwks_url"), url));
            }
            self.note(self.algorithms(&format!("{key}.algorithms"), &issuer.algorithms));
            self.note(self.oauth_clients(config, &key, issuer));
        }
        self.note(self.oidc(config));
        self.proxies(config)
    }

    fn oauth_clients(&self, config: &Config, key: &str, issuer: &OAuth) -> Result<(), Error> {
        let mut clients = BTreeSet::new();
        for (at, client) in issuer.clients.iter().enumerate() {
            let key = format!("{key}.client[{at}]");
            self.note(self.title(&format!("{key}.id"), &client.id));
            self.note(self.unique(&format!("{key}.id"), clients.insert(&client.id)));
            self.note(self.rights(config, &key, (&client.tenant, &client.roles, &client.units)));
            let tenant = config.tenants.iter().find(|tenant| tenant.id == client.tenant);
            let known = |authority: &Authority| {
                tenant.is_some_and(|tenant| tenant.authorities.iter().any(|it| it.key == *authority))
            };
            self.defined(
                &format!("{key}.authority"),
                "authority",
                client.authority.as_ref().is_none_or(known),
            )?;
        }
        Ok(())
    }

    fn oidc(&self, config: &Config) -> Result<(), Error> {
        let Some(oidc) = &config.oidc else { return Ok(()) };
        self.note(self.issuer("oidc.issuer", &oidc.issuer));
        self.note(self.title("oidc.label", &oidc.label));
        self.note(self.title("oidc.client_id", &oidc.client_id));
        if let Some(reference) = &oidc.client_secret {
            self.note(self.secret("oidc.client_secret", reference));
        }
        self.note(self.public_url("oidc.redirect", &oidc.redirect));
        self.note(self.algorithms("oidc.algorithms", &oidc.algorithms));
        self.note(self.defined(
            "oidc.tenant",
            "tenant",
            config.tenants.iter().any(|it| it.id == oidc.tenant),
        ));
        if oidc.link == OidcLink::Never && oidc.roles.is_empty() {
            let reason = "nobody could sign in: take email or login, or add an entry [[oidc.role]]";
            self.note(Err(self.value("oidc.link", reason)));
        }
        for (at, role) in oidc.roles.iter().enumerate() {
            let key = format!("oidc.role[{at}]");
            self.note(self.title(&format!("{key}.group"), &role.group));
            self.note(self.rights(config, &key, (&oidc.tenant, &role.roles, &role.units)));
        }
        Ok(())
    }

    fn proxies(&self, config: &Config) -> Result<(), Error> {
        let listen = &config.listen;
        if listen.internal_tls && config.tls.is_none() {
            return Err(self.value("listen.internal_tls", "there is no [tls]"));
        }
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        match !listen.client_cert_header.is_empty() && listen.client_cert_header.bytes().all(is_token) {
            true => Ok(()),
            false => Err(self.value("listen.client_cert_header", "expected the name of a header field")),
        }
    }

    /// Tenant, roles and units that are there.
    fn rights(
        &self,
        config: &Config,
        key: &str,
        (tenant, roles, units): (&str, &[Role], &[String]),
    ) -> Result<(), Error> {
        let found = config.tenants.iter().find(|it| it.id == tenant);
        self.note(self.defined(&format!("{key}.tenant"), "tenant", found.is_some()));
        if roles.is_empty() {
            return Err(self.value(&format!("{key}.roles"), "expected at least one role"));
        }
        let known =
            |unit: &String| unit == ALL || found.is_some_and(|it| it.units.iter().any(|own| own.id == *unit));
        if units.is_empty() {
            return Err(self.value(&format!("{key}.units"), "expected units, or \"*\" for all"));
        }
        self.defined(&format!("{key}.units"), "unit", units.iter().all(known))
    }

    fn algorithms(&self, key: &str, names: &[String]) -> Result<(), Error> {
        match !names.is_empty() && names.iter().all(|name| Signing::named(name).is_some()) {
            true => Ok(()),
            false => {
                let known = Signing::ALL.map(Signing::name).join(", ");
                Err(self.value(key, &format!("expected some of {known}")))
            }
        }
    }

    /// An address without query and fragment; plain HTTP only on this machine.
    fn issuer(&self, key: &str, url: &str) -> Result<(), Error> {
        let is_plain = ["http://127.0.0.1:", "http://[::1]:"].iter().any(|begin| url.starts_with(begin));
        let is_long = url.len() > 300 || url.contains(['?', '#', ' ']);
        match (url.starts_with("https://") || is_plain) && !is_long {
            true => Ok(()),
            false => Err(self.value(key, "expected https://… without query")),
        }
    }
}
