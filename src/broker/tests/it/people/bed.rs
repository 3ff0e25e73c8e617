//! A gateway with users.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, Error, Invited, NewUser, Next, PeopleSettings, SignIn, TotpOffer, User};
use model::rights::Within;
use model::{Actor, Caller, Clock, EventKind, Role, Scope};
use seal::mac::{MacDigest, hmac};
use serde_json::Value;

use crate::house::{Gateway, SetClock};

pub const PASSWORD: &str = "sieben Ampeln am Deich";

pub struct Bed {
    pub broker: Broker,
    pub clock: Arc<SetClock>,
    gateway: Gateway,
    settings: PeopleSettings,
}

impl Bed {
    pub async fn new(database: Option<String>, settings: PeopleSettings) -> Self {
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::on(database, clock.clone()).await;
        let broker = gateway.broker.clone().with_people(settings);
        Bed { broker, clock, gateway, settings }
    }

    /// The same store with nothing remembered, as after a restart or on another node.
    pub fn other_node(&self) -> Broker {
        self.gateway.broker.clone().with_people(self.settings)
    }

    pub async fn invites(&self, login: &str, roles: &[Role]) -> Invited {
        self.broker.add_user("soest", new_user(login, roles), &command_line()).await.unwrap()
    }

    /// Somebody with a password, and a session.
    pub async fn clerk(&self, login: &str) -> (User, SignIn) {
        let invited = self.invites(login, &[Role::Clerk]).await;
        let begun = self.broker.begin_set_up(&invited.secret).await.unwrap();
        let (signed_in, codes) = self.broker.set_up(&begun.token, PASSWORD, "").await.unwrap();
        assert!(codes.is_empty() && signed_in.next == Next::Open);
        (invited.user, signed_in)
    }

    /// Somebody with a password and codes, a session, and recovery codes.
    pub async fn with_codes(&self, login: &str, roles: &[Role]) -> (TotpOffer, SignIn, Vec<String>) {
        let invited = self.invites(login, roles).await;
        let begun = self.broker.begin_set_up(&invited.secret).await.unwrap();
        let offer = self.broker.set_up_wanted(&begun.token).await.unwrap().totp.unwrap();
        let (signed_in, codes) =
            self.broker.set_up(&begun.token, PASSWORD, &self.code(&offer)).await.unwrap();
        (offer, signed_in, codes)
    }

    /// All that lies in the files of the store.
    pub fn stored(&self) -> Vec<u8> {
        fn read(folder: &Path, all: &mut Vec<u8>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => read(&path, all),
                    false => all.extend(std::fs::read(&path).unwrap()),
                }
            }
        }
        let mut all = vec![];
        read(self.gateway.folder.path(), &mut all);
        all
    }

    /// The code of now.
    pub fn code(&self, offer: &TotpOffer) -> String {
        code_at(&offer.secret, self.clock.now().micros() / 30_000_000)
    }

    pub fn admin(&self) -> Caller {
        let scope = Scope::tenant("soest");
        Caller { actor: command_line(), roles: vec![Role::Admin], scope, authority: None }
    }

    /// What events of a kind tell.
    pub async fn told(&self, kind: EventKind) -> Vec<Value> {
        self.told_in("soest", kind).await
    }

    pub async fn told_in(&self, tenant: &str, kind: EventKind) -> Vec<Value> {
        // Events are sealed by the workers.
        self.broker.run_due_jobs().await.unwrap();
        let auditor = Caller { roles: vec![Role::Auditor], scope: Scope::tenant(tenant), ..self.admin() };
        let all = self.broker.events(&auditor, 0, 1_000).await.unwrap();
        let told = all.into_iter().map(|it| it.event).filter(|it| it.kind == kind);
        told.map(|it| it.detail.unwrap()).collect()
    }
}

pub fn command_line() -> Actor {
    Actor { kind: "system".into(), id: "command-line".into() }
}

pub fn new_user(login: &str, roles: &[Role]) -> NewUser {
    NewUser {
        login: login.into(),
        name: "Erika Beispiel".into(),
        email: None,
        roles: roles.to_vec(),
        units: Within::one("63"),
        services: Within::All,
        authority: None,
    }
}

pub fn code<T>(outcome: Result<T, Error>) -> String {
    outcome.map_or_else(|error| error.code().to_owned(), |_| "done".to_owned())
}

pub const MINUTE: Duration = Duration::from_secs(60);

/// Bytes that are written in base 32 (RFC 4648).
pub fn base_32(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut bytes, mut bits, mut count) = (vec![], 0_u64, 0);
    for letter in text.chars() {
        bits = bits << 5 | alphabet.find(letter).unwrap() as u64;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

/// RFC 6238, written once more: the code of a step.
fn code_at(secret: &str, step: i64) -> String {
    let mac = hmac(MacDigest::Sha1, &base_32(secret), &step.to_be_bytes()).unwrap();
    let at = usize::from(mac[19] & 15);
    let number = u32::from_be_bytes(mac[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}
