//! Systems: JWT access tokens (RFC 9068) by the client credentials grant (RFC 6749 section 4.4), bound to a certificate if the token or
//! the configuration says so (RFC 8705 section 3). What a client may do stands in the configuration; scopes of the token only narrow it.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Caller, Clock, Role};
use net::Client;
use seal::jose::{self, Bearer, Signing};

use crate::Error;
use crate::claims::Claims;
use crate::keys::{Keys, Pauses, Source};

/// Type of access tokens (RFC 9068 section 2.1): an id token is never one.
const TYPE: &str = "at+jwt";

/// An issuer of access tokens, and whom of its clients the house knows.
pub struct IssuerSettings {
    /// `iss` of its tokens.
    pub issuer: String,
    /// `aud` that tokens for the gateway have.
    pub audience: String,
    /// Where its keys are; absent: its metadata says so.
    pub jwks_url: Option<String>,
    /// Algorithms that it signs by.
    pub algorithms: Vec<Signing>,
    /// The claim that names the client; `client_id` as RFC 9068 wants it.
    pub client_claim: String,
    /// Its clients.
    pub clients: Vec<SystemClient>,
}

/// A client that the house knows.
pub struct SystemClient {
    /// Its id at the issuer.
    pub id: String,
    /// What it is here and may do.
    pub caller: Caller,
    /// Whether its tokens have to be bound to a certificate.
    pub mtls: bool,
    /// Roles that hold only for tokens with a scope; all roles hold if this is empty.
    pub scopes: BTreeMap<String, Vec<Role>>,
}

/// One issuer.
pub struct Issuer {
    settings: IssuerSettings,
    keys: Keys,
}

impl Issuer {
    /// An issuer whose keys are fetched by this client.
    pub fn new(settings: IssuerSettings, client: Client, pauses: Pauses) -> Self {
        let source = match &settings.jwks_url {
            Some(url) => Source::Url(url.clone()),
            None => Source::Issuer(settings.issuer.clone()),
        };
        Issuer { settings, keys: Keys::new(client, source, pauses) }
    }

    async fn caller(
        &self,
        token: Bearer,
        certificate: Option<&[u8]>,
        clock: &dyn Clock,
    ) -> Result<Caller, Error> {
        if token.typ().as_deref() != Some(TYPE) {
            return Err(Error::Kind);
        }
        let keys = self.keys.with(token.kid()).await?;
        let claims = Claims::read(&token.verify(&keys)?)?;
        claims.check(&self.settings.issuer, &self.settings.audience, clock.now())?;
        let named = claims.text(&self.settings.client_claim).ok_or(Error::Client)?;
        let client = self.settings.clients.iter().find(|client| client.id == named).ok_or(Error::Client)?;
        bound(&claims, client, certificate)?;
        Ok(Caller { roles: client.roles_of(&claims), ..client.caller.clone() })
    }
}

impl SystemClient {
    fn roles_of(&self, claims: &Claims) -> Vec<Role> {
        let roles = self.caller.roles.iter().copied();
        if self.scopes.is_empty() {
            return roles.collect();
        }
        let scopes = claims.texts("scope");
        let given: Vec<Role> =
            scopes.iter().filter_map(|scope| self.scopes.get(*scope)).flatten().copied().collect();
        roles.filter(|role| given.contains(role)).collect()
    }
}

/// Whether the token is shown by whom it was given to: a bound one needs its certificate, and some have to be bound.
fn bound(claims: &Claims, client: &SystemClient, certificate: Option<&[u8]>) -> Result<(), Error> {
    if !claims.has("cnf") {
        return if client.mtls { Err(Error::Binding) } else { Ok(()) };
    }
    // Another way of binding than this one cannot be looked at here, so it is not passed over.
    let wanted = claims.within("cnf", "x5t#S256").ok_or(Error::Binding)?;
    let shown = certificate.map(|der| jose::base64url_of(&seal::sha256(&[der]).0));
    if shown.as_deref() == Some(wanted) { Ok(()) } else { Err(Error::Binding) }
}

/// All issuers that the house trusts.
pub struct Issuers {
    all: Vec<Issuer>,
    clock: Arc<dyn Clock>,
}

impl Issuers {
    /// These issuers.
    pub fn new(all: Vec<Issuer>, clock: Arc<dyn Clock>) -> Self {
        Issuers { all, clock }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whom a token stands for that came over a connection with this certificate (DER).
    ///
    /// # Errors
    /// Whatever is wrong with it; the caller of the interface is told nothing of that.
    pub async fn caller(&self, token: &str, certificate: Option<&[u8]>) -> Result<Caller, Error> {
        let (issuer, token) = self.read(token)?;
        issuer.caller(token, certificate, &*self.clock).await
    }

    /// The token, and who says to have made it.
    fn read(&self, token: &str) -> Result<(&Issuer, Bearer), Error> {
        let any = Bearer::read(token, &Signing::ALL)?;
        let claims = Claims::read(any.unverified())?;
        let named = claims.text("iss").ok_or(Error::Issuer)?;
        let issuer = self.all.iter().find(|it| it.settings.issuer == named).ok_or(Error::Issuer)?;
        Ok((issuer, Bearer::read(token, &issuer.settings.algorithms)?))
    }
}
