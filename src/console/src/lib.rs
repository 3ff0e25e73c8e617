//! The pages of the house (`/console/…`): the operators' console, the clerks' desk, users and rights. Rendered here, working without
//! scripts, German and English; a script (htmx) only spares reloading.
//!
//! | module | holds |
//! |---|---|
//! | `route`, `router` | every page and act, once, with the right that it needs: the router and the tests are made from this list |
//! | `visit` | who calls: the session of a request, and what is refused before a page sees it |
//! | `page`, `nav` | the frame of all pages, and the way through them |
//! | `asked`, `form`, `file_form` | what is read of addresses, forms and files |
//! | `asking` | what a form asks a second person for |
//! | `workshop` | what lies outside of the broker: partners that are tried, schemas; long work |
//! | `message_acts` | what people do about a message, on either part's page of it |
//! | `operate` | operators: overview, messages, partners, packs, adapters, evidence, audit, figures |
//! | `desk` | clerks: what waits for a human, cases and documents |
//! | `people` | signing in, one's own account, users and their rights |
//!
//! Pages ask the broker with the visitor's own rights, as REST does; there is no other way to the data.

mod asked;
mod asking;
mod desk;
mod file_form;
mod form;
mod message_acts;
mod nav;
mod operate;
mod page;
mod people;
mod route;
mod router;
mod visit;
mod workshop;

use std::net::IpAddr;
use std::sync::Arc;

use broker::Broker;

pub use people::oidc::{Elsewhere, GroupRights};
pub use route::{Needs, Route};
pub use router::{router, routes};
pub use visit::{Recognise, Sessions, Visit};
pub use workshop::{Check, Pack, PackFault, Weakness, Workshop};

/// Path below which all pages lie.
pub const BASE: &str = "/console";

/// What the pages share. Cheap to clone.
#[derive(Clone)]
pub struct Console {
    broker: Broker,
    visitors: Arc<dyn Recognise>,
    settings: Arc<Settings>,
    workshop: Arc<dyn Workshop>,
    tries: workshop::Tries,
    /// A provider by whom people sign in.
    elsewhere: Option<Arc<Elsewhere>>,
}

/// What may be set for the pages.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Name of the house, shown at the top.
    pub office: String,
    /// Origin of the pages as browsers know it (`https://HOST`), if a proxy in front changes the host.
    pub origin: Option<String>,
    /// Proxies on other machines that say for whom they call (`X-Forwarded-For`); one on this machine always does.
    pub proxies: Vec<IpAddr>,
}

impl Console {
    /// The pages of a broker, for whom `visitors` recognises.
    pub fn new(broker: Broker, visitors: Arc<dyn Recognise>, settings: Settings) -> Self {
        let (workshop, tries) = (Arc::new(workshop::NoWorkshop), workshop::Tries::default());
        Console { broker, visitors, settings: Arc::new(settings), workshop, tries, elsewhere: None }
    }

    /// The same with what lies outside of the broker.
    pub fn with_workshop(self, workshop: Arc<dyn Workshop>) -> Self {
        Console { workshop, ..self }
    }

    /// The same where people sign in by a provider, too.
    pub fn with_provider(self, elsewhere: Elsewhere) -> Self {
        Console { elsewhere: Some(Arc::new(elsewhere)), ..self }
    }
}
