//! Systems with access tokens of a real provider, also bound to certificates.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use identity::{Error, Issuer, IssuerSettings, Issuers, Pauses, Signing, SystemClient};
use model::{Actor, Caller, Role, Scope, SystemClock};

use crate::bed::{AUDIENCE, Bed, client};

pub fn system(id: &str, mtls: bool) -> SystemClient {
    let caller = Caller {
        actor: Actor { kind: "system".into(), id: format!("sso:{id}") },
        roles: vec![Role::System, Role::Operator],
        scope: Scope::tenant("soest"),
        authority: None,
    };
    SystemClient { id: id.into(), caller, mtls, scopes: BTreeMap::new() }
}

pub fn issuers(
    issuer: &str,
    jwks_url: Option<String>,
    clients: Vec<SystemClient>,
    pauses: Pauses,
) -> Issuers {
    let settings = IssuerSettings {
        issuer: issuer.into(),
        audience: AUDIENCE.into(),
        jwks_url,
        algorithms: vec![Signing::Es256],
        client_claim: "client_id".into(),
        clients,
    };
    Issuers::new(vec![Issuer::new(settings, client(), pauses)], Arc::new(SystemClock))
}

#[tokio::test]
async fn a_system_is_what_its_entry_says_and_scopes_only_narrow_it() {
    let bed = Bed::start().await;
    let mut narrowed = system("bound", false);
    narrowed.scopes = BTreeMap::from([
        ("send".into(), vec![Role::System, Role::Admin]),
        ("read".into(), vec![Role::Operator]),
    ]);
    let clients = vec![system("portal", false), narrowed];
    let issuers = issuers(&bed.issuer, None, clients, Pauses::default());

    let portal = bed.token("portal", "send", None).await;
    let caller = issuers.caller(&portal, None).await.unwrap();
    assert_eq!((caller.actor.id.as_str(), caller.scope.tenant.as_str()), ("sso:portal", "soest"));
    assert_eq!(caller.roles, [Role::System, Role::Operator]);

    let unknown = bed.token("stranger", "send", None).await;
    assert_eq!(issuers.caller(&unknown, None).await.unwrap_err(), Error::Client);

    let (der, other) = (b"ein Zertifikat".to_vec(), b"ein anderes".to_vec());
    let certificate = b"das Zertifikat der Verbindung".to_vec();
    let bound = bed.token("bound", "send", Some(&BASE64_STANDARD.encode(&certificate))).await;
    let caller = issuers.caller(&bound, Some(&certificate)).await.unwrap();
    assert_eq!(caller.roles, [Role::System], "a scope never gives a role that the entry does not have");
    for shown in [None, Some(der.as_slice()), Some(other.as_slice())] {
        assert_eq!(issuers.caller(&bound, shown).await.unwrap_err(), Error::Binding);
    }
}

#[tokio::test]
async fn a_client_that_has_to_be_bound_is_nobody_without() {
    let bed = Bed::start().await;
    let issuers = issuers(&bed.issuer, None, vec![system("portal", true)], Pauses::default());
    let loose = bed.token("portal", "send", None).await;
    assert_eq!(issuers.caller(&loose, Some(b"x")).await.unwrap_err(), Error::Binding);
}
