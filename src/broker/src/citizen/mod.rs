//! Citizens: what somebody outside sees of one case, brings to it and holds of it, without an account.
//!
//! ```text
//! keys     numbers, secrets, sessions and links: derived, never kept
//! guard    how often may be tried
//! access   clerks give and revoke access; citizens enter with number and secret
//! generation which secret, sessions and links of a case are good
//! session  what a browser holds of somebody who has entered
//! provide  what is dispatched to the pages is fixed with the step by which it is provided
//! view     what a citizen sees: the public state, dates, what was provided, what is owed and what is missing. Nothing else
//! fetch    a provided document is fetched: proved first, then given
//! missing  clerks ask for documents; whoever has the link brings them
//! pay      whoever has the link, or the session, pays
//! reach    how the citizen wants to hear of the case, and where apps are pushed to
//! apply    portals bring applications
//! outstanding  attachments that were announced and did not come
//! ```
//! Number and secret open one case. The secret is a MAC over the case and a generation, so the same request has the same answer though
//! nothing of it is kept, and another generation ends whatever was held before. Whoever guesses meets the same work, the same answer and
//! a limit.

mod access;
mod apply;
mod fetch;
mod generation;
mod guard;
mod keys;
mod missing;
mod outstanding;
mod pay;
mod provide;
mod reach;
mod session;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::case::Case;
use model::citizen::NUMBER;
use model::party::TrustLevel;
use model::rights::{Role, Within};
use model::{Actor, Authority, Caller, Id, Scope};
use seal::door::DoorKey;
use serde_json::json;

use crate::channels::{Channel, Session};
use crate::{Broker, Error};
use guard::Guard;
use keys::CitizenKey;

pub use access::Access;
pub use apply::{Application, Applied, Attachment};
pub(crate) use missing::Request;
pub use missing::{Asked, UploadPage, Uploaded, Wanting};
pub(crate) use outstanding::OUTSTANDING;
pub use pay::PayPage;
pub use reach::PushSubscription;
pub(crate) use reach::{end_apps, keep_link};
pub use session::CitizenSession;
pub use view::{CitizenView, OwedClaim, ProvidedDocument, ProvidedNotice};

/// Where the key and the generations stand, under a name that no adapter can have.
const PLACE: &str = "~citizen";

/// What the key of a tenant is wrapped for.
const KEY_ID: Id = Id::from_u128(0x6369_7469_7a65_6e00_0000_0000_0000_0001);

/// What the citizens' pages are made with.
#[derive(Debug, Clone, Default)]
pub struct Citizens {
    /// Address of the listener for the public, such as `https://buerger.kreis.example`, without a slash at the end.
    pub url: String,
    /// Whose pages these are, as it stands on each of them.
    pub office: String,
    /// Address of the imprint (Impressum).
    pub imprint: String,
    /// Address of the privacy statement (Datenschutzerklärung).
    pub privacy: String,
    /// E-mail address for barriers (Feedback, BITV 2.0 section 12a BGG).
    pub feedback_email: String,
    /// Telephone number for the same.
    pub feedback_phone: Option<String>,
    /// The arbitration body (Schlichtungsstelle): name and address of its page.
    pub arbitration: (String, String),
    /// Day on which the statement of accessibility was made, `YYYY-MM-DD`.
    pub statement_made: String,
    /// Barriers that are known, one sentence each, in German and English; none: the pages meet the rules.
    pub barriers: Vec<(String, String)>,
    /// Public services by their ids.
    pub services: BTreeMap<String, PublicService>,
    /// Ways by which a citizen may want to hear of the case, as dispatches name them.
    pub ways: Vec<String>,
    /// Largest file that a citizen may bring, in bytes.
    pub most_bytes: u64,
}

/// A public service (Leistung) as citizens know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicService {
    /// Its name in German.
    pub name: String,
    /// Its name in English; the German one if absent.
    pub name_en: Option<String>,
    /// Below this level of authentication a clerk has to look at an application.
    pub minimum_level: Option<TrustLevel>,
}

/// What is kept in memory for citizens.
#[derive(Default)]
pub(crate) struct Doors {
    guard: Guard,
    keys: Mutex<BTreeMap<String, Arc<CitizenKey>>>,
}

impl Broker {
    /// The same with pages for citizens. Before it is cloned.
    pub fn with_citizens(self, citizens: Citizens) -> Self {
        Broker { citizens: Some(Arc::new(citizens)), ..self }
    }

    /// What the citizens' pages are made with.
    ///
    /// # Errors
    /// `CitizensNotConfigured` if there are none.
    pub fn citizens(&self) -> Result<&Arc<Citizens>, Error> {
        self.citizens.as_ref().ok_or(Error::CitizensNotConfigured)
    }

    /// The key of a tenant. It is made when it is first needed, and is the same on all nodes.
    async fn citizen_key(&self, tenant: &str) -> Result<Arc<CitizenKey>, Error> {
        let keys = || self.citizen_doors.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = keys().get(tenant) {
            return Ok(Arc::clone(known));
        }
        let notebook = self.notebook(PLACE);
        let kept = match notebook.read(tenant, "key").await? {
            Some(kept) => kept,
            None => {
                let wrapped = self.store().wrap_door(tenant, KEY_ID, &DoorKey::random()?)?;
                notebook.write_first(tenant, "key", &json!(hex(&wrapped))).await?
            }
        };
        let wrapped = kept.as_str().and_then(bytes_of).ok_or(Error::Internal)?;
        let key = Arc::new(CitizenKey::of(&self.store().open_wrapped(tenant, KEY_ID, &wrapped)?));
        keys().insert(tenant.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    /// Wraps the key of a tenant anew, if an older master key wrapped it; returns whether it did.
    pub(crate) async fn rewrap_citizen_key(&self, tenant: &str) -> Result<bool, Error> {
        let notebook = self.notebook(PLACE);
        let Some(kept) = notebook.read(tenant, "key").await? else { return Ok(false) };
        let wrapped = kept.as_str().and_then(bytes_of).ok_or(Error::Internal)?;
        let Some(anew) = self.store().rewrapped(tenant, KEY_ID, &wrapped)? else { return Ok(false) };
        notebook.write(tenant, "key", &json!(hex(&anew))).await?;
        Ok(true)
    }

    /// Id of the master key that wraps the key of a tenant, as hex; nothing if it has none.
    pub(crate) async fn citizen_master_key(&self, tenant: &str) -> Result<Option<String>, Error> {
        let kept = self.notebook(PLACE).read(tenant, "key").await?;
        Ok(kept.as_ref().and_then(|kept| kept.as_str()?.get(2..18)).map(str::to_owned))
    }

    /// A session in the name of the citizen of a case.
    fn citizen_host(&self, case: &Case) -> Session {
        let caller = citizen(case);
        let channel = Channel {
            scope: caller.scope.clone(),
            authority: case.meta.authority.clone(),
            unit: case.meta.unit.clone(),
            from_beginning: false,
            patience: std::time::Duration::ZERO,
        };
        Session::of_caller(self.clone(), caller, channel)
    }
}

/// Somebody outside, as events name them: nobody knows who held the secret.
fn somebody() -> Actor {
    Actor { kind: NUMBER.to_owned(), id: PLACE.to_owned() }
}

/// The citizen of a case as a caller: of the rights of a clerk only this module makes use, within the case's unit and service.
fn citizen(case: &Case) -> Caller {
    let meta = &case.meta;
    Caller {
        actor: somebody(),
        roles: vec![Role::Clerk],
        scope: Scope {
            units: Within::one(&meta.unit),
            services: meta.public_service.as_deref().map_or(Within::All, Within::one),
            ..Scope::tenant(&meta.tenant)
        },
        authority: Some(Authority::clone(&meta.authority)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
