//! Who calls (XTA 2, version 3: `PermissionDeniedException`, codes 9010 to 9014). Callers are known by the certificates of
//! their connections. A certificate belongs to one account or more, each of which speaks for its own parties.

use std::collections::HashSet;
use std::sync::Arc;

use ::osci::intermediary::Inspector;
use ::xta::{Fault, Result};
use broker::house::House;
use model::{Actor, Authority, Caller, Clock, Role, Scope};
use seal::x509::{Certificate, MathResult, OnlineResult, Standing};

use super::account::Account;
use crate::revocation::{Revocation, Shared};

/// An account, as the configuration has it.
#[derive(Debug, Clone)]
pub struct AccountEntry {
    /// Name in logs and audit.
    pub id: String,
    /// The tenant that it deals with.
    pub tenant: String,
    /// The certificates that it may show.
    pub certificates: Vec<Certificate>,
    /// Whom it speaks for.
    pub parties: Vec<String>,
    /// Whether it is shut out.
    pub locked: bool,
    /// Services that it may use; empty: all.
    pub services: Vec<String>,
    /// Largest container, in bytes.
    pub container_bytes: u64,
    /// Whether what the schema does not allow is taken if it can be understood.
    pub lenient: bool,
    /// Whether it is a server of XTA that delivers messages of other authors to readers (`deliverMessage`).
    pub delivers: bool,
}

/// All accounts.
pub(super) struct Accounts {
    entries: Vec<AccountEntry>,
    inspector: Shared,
    clock: Arc<dyn Clock>,
    /// Tenants and authorities of the house.
    house: HashSet<(String, Authority)>,
}

impl AccountEntry {
    /// Whether a caller could be both: with the same certificate for the same party.
    pub fn is_ambiguous_with(&self, other: &AccountEntry) -> bool {
        self.certificates.iter().any(|it| other.certificates.contains(it))
            && self.parties.iter().any(|it| other.parties.contains(it))
    }

    fn caller(&self, authority: Option<Authority>) -> Caller {
        Caller {
            actor: Actor { kind: "partner".to_owned(), id: self.id.clone() },
            roles: vec![Role::System],
            scope: Scope::tenant(&self.tenant),
            authority,
        }
    }
}

impl Accounts {
    pub(super) fn new(
        entries: Vec<AccountEntry>,
        revocation: Arc<Revocation>,
        house: &House,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let of = |tenant: &broker::house::Tenant| {
            let id = tenant.id.clone();
            let keys = tenant.authorities.iter().map(|it| it.key.clone());
            keys.map(|key| (id.clone(), key)).collect::<Vec<_>>()
        };
        let house = house.tenants().flat_map(of).collect();
        Accounts { entries, inspector: Shared(revocation), clock, house }
    }

    /// The account of a certificate that speaks for `party`; without a party for the only one that there is. If it
    /// [may wait](Self::may_wait) it must not be called on a thread of the runtime: a responder is asked.
    ///
    /// # Errors
    /// 9010, 9011, 9012, 9014; what is wrong with the certificate comes first.
    pub(super) fn caller(&self, certificate: Option<&Certificate>, party: Option<&str>) -> Result<Account> {
        let certificate = certificate.ok_or_else(|| refused(Fault::CERTIFICATE, "none"))?;
        self.demand(certificate)?;
        let own: Vec<_> = self.of(certificate).collect();
        let (entry, party) = match (party, own.as_slice()) {
            (_, []) => return Err(refused(Fault::NO_ACCOUNT, certificate.fingerprint())),
            (Some(party), _) => {
                let speaks = |entry: &&AccountEntry| entry.parties.iter().any(|it| it == party);
                (own.iter().copied().find(speaks), party)
            }
            (None, [only]) if only.parties.len() == 1 => (Some(*only), only.parties[0].as_str()),
            (None, _) => (None, ""),
        };
        let entry = entry.ok_or_else(|| refused(Fault::NOT_THE_SENDER, &own[0].id))?;
        if entry.locked {
            return Err(refused(Fault::LOCKED, &entry.id));
        }
        let party: Authority = party.parse().map_err(|_| refused(Fault::NOT_THE_SENDER, &entry.id))?;
        Ok(self.account(entry, party))
    }

    /// Whose bodies those of a connection are; nothing if its certificate is that of no account.
    pub(super) fn bodies_of(&self, certificate: Option<&Certificate>) -> Option<Caller> {
        certificate.and_then(|certificate| self.of(certificate).next()).map(|entry| entry.caller(None))
    }

    /// The certificates of all accounts.
    pub(super) fn certificates(&self) -> Vec<Certificate> {
        self.entries.iter().flat_map(|entry| entry.certificates.iter().cloned()).collect()
    }

    /// Whether it may take long to judge a certificate: a responder is asked.
    pub(super) fn may_wait(&self) -> bool {
        self.inspector.0.asks()
    }

    /// The largest container of any account, in bytes.
    pub(super) fn most_container_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.container_bytes).max().unwrap_or_default()
    }

    fn of<'a>(&'a self, certificate: &Certificate) -> impl Iterator<Item = &'a AccountEntry> {
        self.entries.iter().filter(move |entry| entry.certificates.contains(certificate))
    }

    fn account(&self, entry: &AccountEntry, party: Authority) -> Account {
        let is_ours = self.house.contains(&(entry.tenant.clone(), party.clone()));
        Account {
            id: entry.id.clone(),
            tenant: entry.tenant.clone(),
            caller: entry.caller(is_ours.then(|| party.clone())),
            party,
            container_bytes: entry.container_bytes,
            services: entry.services.clone(),
            delivers: entry.delivers,
            lenient: entry.lenient,
        }
    }

    /// Refuses certificates that do not count now.
    fn demand(&self, certificate: &Certificate) -> Result<()> {
        let at = self.clock.now().micros().div_euclid(1_000_000);
        let found = self.inspector.inspect(certificate, at)?;
        let is_trusted = found.math == MathResult::Ok && found.problem.is_none();
        if !is_trusted || !found.is_within_validity || found.online == Some(OnlineResult::Revoked) {
            return Err(refused(Fault::CERTIFICATE, certificate.fingerprint()));
        }
        if found.standing() == Standing::Incomplete {
            tracing::warn!(certificate = certificate.fingerprint(), "nobody says whether it is revoked");
        }
        Ok(())
    }
}

/// A refusal, with a line in the log: a partner whose certificate has ended will ask.
fn refused(fault: Fault, who: &str) -> ::xta::Error {
    tracing::warn!(code = fault.code, who, "a call of XTA was refused");
    fault.into()
}

#[cfg(test)]
mod tests {
    use broker::house::{AuthorityEntry, Tenant};
    use model::{SystemClock, Timestamp};
    use tokio::task::spawn_blocking;

    use super::*;
    use crate::test_ca::TestCa;

    /// A moment when no certificate of the tests is valid any more.
    struct Later;

    impl Clock for Later {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(SystemClock.now().micros() + 10 * 86_400 * 1_000_000)
        }
    }

    fn house() -> House {
        let authority = AuthorityEntry {
            key: "bab:1".parse().unwrap(),
            name: "Bauaufsicht".into(),
            unit: "63".into(),
            osci_certificates: vec![],
            osci: None,
            osci_mailboxes: vec![],
            xta: None,
            xta_mailboxes: vec![],
            xta_box: true,
            xta_reader: None,
            xta_services: vec![],
        };
        let tenant = Tenant {
            id: "kreis".into(),
            name: "Kreis".into(),
            authorities: vec![authority],
            units: vec![],
            routes: vec![],
            services: vec![],
        };
        House::new(vec![tenant], vec![], 1_000)
    }

    fn entry(id: &str, certificates: Vec<Certificate>, parties: &[&str]) -> AccountEntry {
        AccountEntry {
            id: id.into(),
            tenant: "kreis".into(),
            certificates,
            parties: parties.iter().map(|party| (*party).to_owned()).collect(),
            locked: false,
            services: vec!["urn:dienst".into()],
            container_bytes: 5,
            lenient: true,
            delivers: false,
        }
    }

    fn accounts(ca: &TestCa, entries: Vec<AccountEntry>, clock: Arc<dyn Clock>) -> Arc<Accounts> {
        let trust = ca.trust().with_crls(vec![ca.list()]);
        let revocation = Revocation::new(trust, Box::new(|| None), None);
        Arc::new(Accounts::new(entries, revocation, &house(), clock))
    }

    /// The account that calls, or the code that refuses it.
    async fn caller(
        accounts: &Arc<Accounts>,
        certificate: Option<Certificate>,
        party: Option<&'static str>,
    ) -> std::result::Result<Account, u16> {
        let accounts = Arc::clone(accounts);
        let called = spawn_blocking(move || accounts.caller(certificate.as_ref(), party)).await.unwrap();
        called.map_err(|error| match error {
            ::xta::Error::Fault(fault) => fault.code,
            other => panic!("{other}"),
        })
    }

    #[tokio::test]
    async fn a_certificate_speaks_for_the_parties_of_its_accounts() {
        let ca = TestCa::build();
        let (good, other) = (ca.certificate("good"), ca.certificate("other"));
        let entries = vec![
            entry("land", vec![other.clone(), good.clone()], &["bab:1", "bab:9"]),
            AccountEntry { lenient: false, ..entry("zweit", vec![good.clone()], &["bab:7"]) },
            AccountEntry { locked: true, ..entry("zu", vec![good.clone()], &["gesperrt", "bab:8"]) },
        ];
        let accounts = accounts(&ca, entries, Arc::new(SystemClock));
        let ours = caller(&accounts, Some(good.clone()), Some("bab:1")).await.unwrap();
        assert_eq!((ours.id.as_str(), ours.tenant.as_str(), ours.party.as_str()), ("land", "kreis", "bab:1"));
        assert_eq!(ours.caller.authority, Some(ours.party.clone()), "its mailbox is in the house");
        assert_eq!((ours.caller.actor.kind.as_str(), ours.caller.actor.id.as_str()), ("partner", "land"));
        assert_eq!((ours.container_bytes, ours.services.len()), (5, 1));
        let foreign = caller(&accounts, Some(other.clone()), Some("bab:9")).await.unwrap();
        assert_eq!((foreign.party.as_str(), foreign.caller.authority), ("bab:9", None));
        let second = caller(&accounts, Some(good.clone()), Some("bab:7")).await.unwrap();
        assert_eq!((second.id.as_str(), second.lenient, ours.lenient), ("zweit", false, true));
        for (certificate, party, code) in [
            (Some(good.clone()), Some("gesperrt"), 9011),
            (Some(good.clone()), Some("bab:8"), 9011),
            (Some(other.clone()), Some("bab:7"), 9014),
            (Some(other.clone()), Some("BAB:1"), 9014),
            (Some(other.clone()), Some(""), 9014),
            (Some(good.clone()), None, 9014),
            (Some(other.clone()), None, 9014),
        ] {
            assert_eq!(caller(&accounts, certificate, party).await.unwrap_err(), code, "{party:?}");
        }
    }

    #[tokio::test]
    async fn who_speaks_for_one_party_need_not_name_it() {
        let ca = TestCa::build();
        let good = ca.certificate("good");
        let accounts =
            accounts(&ca, vec![entry("land", vec![good.clone()], &["bab:9"])], Arc::new(SystemClock));
        assert_eq!(caller(&accounts, Some(good), None).await.unwrap().party.as_str(), "bab:9");
    }

    #[tokio::test]
    async fn a_certificate_that_does_not_count_is_refused_before_anything_is_said_of_accounts() {
        let ca = TestCa::build();
        ca.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout own.key -out own.pem -subj /CN=good -days 9",
        );
        let all = ["good", "bad", "own"].map(|name| ca.certificate(name));
        let entries = || vec![entry("land", all.to_vec(), &["bab:1"])];
        let today = accounts(&ca, entries(), Arc::new(SystemClock));
        assert_eq!(caller(&today, None, Some("bab:1")).await.unwrap_err(), 9010);
        for name in ["bad", "own"] {
            let refused = caller(&today, Some(ca.certificate(name)), Some("bab:1")).await.unwrap_err();
            assert_eq!(refused, 9010, "{name}");
        }
        assert_eq!(caller(&today, Some(ca.certificate("other")), None).await.unwrap_err(), 9012);
        assert!(caller(&today, Some(ca.certificate("good")), None).await.is_ok());
        let later = accounts(&ca, entries(), Arc::new(Later));
        assert_eq!(caller(&later, Some(ca.certificate("good")), None).await.unwrap_err(), 9010, "expired");
        assert_eq!(caller(&later, Some(ca.certificate("other")), None).await.unwrap_err(), 9010);
    }

    #[tokio::test]
    async fn who_is_spoken_of_by_no_list_gets_in() {
        let ca = TestCa::build();
        let good = ca.certificate("good");
        let revocation = Revocation::new(ca.trust(), Box::new(|| None), None);
        let entries = vec![entry("land", vec![good.clone()], &["bab:1"])];
        let accounts = Arc::new(Accounts::new(entries, revocation, &house(), Arc::new(SystemClock)));
        assert!(caller(&accounts, Some(good.clone()), None).await.is_ok());
        assert_eq!(accounts.bodies_of(Some(&good)).unwrap().actor.id, "land");
        assert!(accounts.bodies_of(None).is_none());
    }
}
