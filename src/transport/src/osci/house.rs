//! Whose mailbox a certificate is. Authorities of the house are known by the certificates of the configuration, and each
//! has one mailbox for all of them. Anybody else may have a mailbox by the fingerprint of its certificate, if the house
//! keeps such mailboxes.

use std::collections::{BTreeSet, HashMap};

use model::{Actor, Authority, Caller, Role, Scope};
use seal::x509::Certificate;

/// Who an order comes from that names no certificate.
const ANONYMOUS: &str = "anonymous";

/// A mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mailbox {
    /// The tenant that it lies in.
    pub(super) tenant: String,
    /// The authority of the house that it belongs to, or that keeps it.
    pub(super) authority: Authority,
    /// Its key: the authority, or the fingerprint of a certificate.
    pub(super) key: String,
}

/// Mailboxes and their owners.
pub(super) struct House {
    /// Tenant and authority, by the fingerprints of their certificates.
    owners: HashMap<String, (String, Authority)>,
    /// Tenant and authority that keep what nobody else does.
    home: (String, Authority),
    is_open: bool,
    tenants: Vec<String>,
}

impl House {
    pub(super) fn new(
        mailboxes: Vec<(Certificate, String, Authority)>,
        home: (String, Authority),
        is_open: bool,
    ) -> Self {
        let owners: HashMap<_, _> = mailboxes
            .into_iter()
            .map(|(certificate, tenant, authority)| {
                (certificate.fingerprint().to_owned(), (tenant, authority))
            })
            .collect();
        let tenants = owners.values().map(|(tenant, _)| tenant).chain([&home.0]).cloned();
        let tenants = tenants.collect::<BTreeSet<_>>().into_iter().collect();
        House { owners, home, is_open, tenants }
    }

    /// Tenants in which there may be something for or from a client.
    pub(super) fn tenants(&self) -> &[String] {
        &self.tenants
    }

    /// The intermediary itself: it issues message ids.
    pub(super) fn door(&self) -> Caller {
        Caller {
            actor: Actor { kind: "gateway".to_owned(), id: "osci".to_owned() },
            roles: vec![Role::System],
            scope: Scope::tenant(&self.home.0),
            authority: None,
        }
    }

    /// Whoever owns a certificate: where its own mailbox lies.
    pub(super) fn client(&self, certificate: &Certificate) -> Caller {
        let owner = self.owners.get(certificate.fingerprint());
        let (tenant, _) = owner.unwrap_or(&self.home);
        let authority = owner.map(|(_, authority)| authority.clone());
        Caller { authority, ..self.originator(Some(certificate), tenant) }
    }

    /// Whoever an order claims to come from, in a tenant that it brings something to.
    pub(super) fn originator(&self, certificate: Option<&Certificate>, tenant: &str) -> Caller {
        let id = certificate.map_or(ANONYMOUS, Certificate::fingerprint).to_owned();
        Caller {
            actor: Actor { kind: "partner".to_owned(), id },
            roles: vec![Role::System],
            scope: Scope::tenant(tenant),
            authority: None,
        }
    }

    /// Name of an originator as messages name partners: its authority, or else the fingerprint.
    pub(super) fn partner(&self, certificate: Option<&Certificate>) -> String {
        let Some(certificate) = certificate else { return ANONYMOUS.to_owned() };
        let owner = self.owners.get(certificate.fingerprint());
        owner.map_or_else(|| certificate.fingerprint().to_owned(), |(_, authority)| authority.to_string())
    }

    /// The mailbox that a certificate's owner fetches from; none if it has none here.
    pub(super) fn mailbox(&self, certificate: &Certificate) -> Option<Mailbox> {
        match self.owners.get(certificate.fingerprint()) {
            Some((tenant, authority)) => {
                let key = authority.to_string();
                Some(Mailbox { tenant: tenant.clone(), authority: authority.clone(), key })
            }
            None if self.is_open => Some(self.passing(certificate)),
            None => None,
        }
    }

    /// Where a delivery is kept that is passed on, and that an authority does not fetch.
    pub(super) fn passing(&self, certificate: &Certificate) -> Mailbox {
        let (tenant, authority) = self.owners.get(certificate.fingerprint()).unwrap_or(&self.home).clone();
        Mailbox { tenant, authority, key: certificate.fingerprint().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn certificate(name: &str) -> Certificate {
        let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/osci/TEST-ONLY");
        Certificate::from_der(&std::fs::read(keys.join(format!("{name}_cipher.cer"))).unwrap()).unwrap()
    }

    fn house(is_open: bool) -> House {
        let (town, county): (Authority, Authority) = ("bab:2".parse().unwrap(), "kv:1".parse().unwrap());
        let owner = |who: &str| (certificate(who), "town".to_owned(), town.clone());
        House::new(vec![owner("bob"), owner("carol")], ("county".to_owned(), county), is_open)
    }

    #[test]
    fn an_authority_has_one_mailbox_for_all_its_certificates() {
        let house = house(false);
        let own = house.mailbox(&certificate("bob")).unwrap();
        assert_eq!((own.tenant.as_str(), own.key.as_str()), ("town", "bab:2"));
        assert_eq!(house.mailbox(&certificate("carol")), Some(own));
        let client = house.client(&certificate("bob"));
        assert_eq!((client.scope.tenant.as_str(), client.authority.unwrap().as_str()), ("town", "bab:2"));
        assert_eq!(house.partner(Some(&certificate("bob"))), "bab:2");
        assert_eq!(house.tenants(), ["county", "town"]);
    }

    #[test]
    fn anybody_else_has_a_mailbox_by_its_fingerprint_if_the_house_is_open() {
        let alice = certificate("alice");
        assert_eq!(house(false).mailbox(&alice), None);
        let kept = house(true).mailbox(&alice).unwrap();
        assert_eq!((kept.tenant.as_str(), kept.authority.as_str()), ("county", "kv:1"));
        assert_eq!(kept.key, alice.fingerprint());
        assert_eq!(house(true).client(&alice).authority, None);
    }

    #[test]
    fn what_is_passed_on_lies_in_no_authority_s_mailbox() {
        let bob = certificate("bob");
        let passing = house(false).passing(&bob);
        assert_eq!((passing.tenant.as_str(), passing.key.as_str()), ("town", bob.fingerprint()));
        assert_eq!(house(false).partner(None), "anonymous");
    }
}
