//! The gateway of the tests of REST, and its console; visitors are known by a cookie that names them, others have to sign in.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use broker::{Broker, Quotas};
use console::{Console, Recognise, Sessions, Settings, Visit};
use model::command::Rules;
use model::ids::derived_id;
use model::rights::Within;
use model::{Actor, Caller, Id, Role, Scope};

use crate::gateway::{ALL_ROLES, Answer, Gateway};

/// What every form of every visitor carries.
pub(crate) const FORM: &str = "f";

/// Visitors by name: tenant, unit (`*`: all), roles. A name that is not here is nobody.
const VISITORS: &[(&str, &str, &str, &[Role])] = &[
    ("all", "soest", "*", ALL_ROLES),
    ("operator", "soest", "*", &[Role::Operator]),
    ("clerk", "soest", "63", &[Role::Clerk]),
    ("clerk-70", "soest", "70", &[Role::Clerk]),
    ("clerk-building", "soest", "63", &[Role::Clerk]),
    ("clerk-waste", "soest", "63", &[Role::Clerk]),
    ("clerk-unna", "unna", "*", &[Role::Clerk]),
    ("cashier", "soest", "*", &[Role::Cashier]),
    ("cashier-70", "soest", "70", &[Role::Cashier]),
    ("cashier-unna", "unna", "*", &[Role::Cashier]),
    ("auditor", "soest", "*", &[Role::Auditor]),
    ("records-manager", "soest", "*", &[Role::RecordsManager]),
    ("admin", "soest", "*", &[Role::Admin]),
    ("admin-2", "soest", "*", &[Role::Admin]),
];

/// Those who work for one public service only.
const SERVICES: &[(&str, &str)] = &[("clerk-building", "baugenehmigung"), ("clerk-waste", "abfall")];

/// Recognises them by the cookie `test`, and whoever has signed in.
pub(crate) struct ByName(Sessions);

#[async_trait]
impl Recognise for ByName {
    async fn visit(&self, headers: &HeaderMap) -> Result<Option<Visit>, broker::Error> {
        let name = pages::cookie(headers, "test").unwrap_or_default();
        let known = VISITORS.iter().find(|(known, ..)| *known == name);
        let Some((name, tenant, unit, roles)) = known else { return self.0.visit(headers).await };
        Ok(Some(Visit {
            caller: caller(name, tenant, unit, roles),
            name: format!("Erika {name}"),
            form: FORM.into(),
        }))
    }
}

/// A person of these rights; the id stays the same for a name.
fn caller(name: &str, tenant: &str, unit: &str, roles: &[Role]) -> Caller {
    let units = if unit == "*" { Within::All } else { Within::one(unit) };
    let only = SERVICES.iter().find(|(known, _)| *known == name);
    let services = only.map_or(Within::All, |(_, service)| Within::one(service));
    let id = derived_id(Id::nil(), name).to_string();
    Caller {
        actor: Actor { kind: "person".into(), id },
        roles: roles.to_vec(),
        scope: Scope { units, services, ..Scope::tenant(tenant) },
        authority: Some(crate::gateway::authority(tenant)),
    }
}

/// A gateway with its console.
pub(crate) struct Bed {
    pub(crate) gateway: Gateway,
    pub(crate) pages: Router,
    /// A token of all roles of Soest.
    pub(crate) token: String,
}

impl Bed {
    pub(crate) async fn start() -> Bed {
        Bed::of(Gateway::start().await).await
    }

    /// A house that wants four eyes.
    pub(crate) async fn careful() -> Bed {
        let rules = Rules { four_eyes: true, ..Rules::default() };
        Bed::of(Gateway::ruled(api::Settings::default(), Quotas::default(), rules).await).await
    }

    async fn of(gateway: Gateway) -> Bed {
        let token = gateway.token("soest", "*", "*", ALL_ROLES).await;
        Bed { pages: pages(gateway.broker.clone()), gateway, token }
    }

    /// The same with pages over a broker that was changed.
    pub(crate) fn over(self, broker: Broker) -> Bed {
        Bed { pages: pages(broker), ..self }
    }

    /// What a visitor sees at a path below the console.
    pub(crate) async fn see(&self, visitor: &str, path: &str) -> Answer {
        Gateway::ask(&self.pages, request("GET", visitor, path).body(Body::empty()).unwrap()).await
    }

    /// A form that a visitor sends; that of the session is put in.
    pub(crate) async fn send(&self, visitor: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut text = form_urlencoded::Serializer::new(String::new());
        let text = text.append_pair("form", FORM).extend_pairs(fields).finish();
        let request =
            request("POST", visitor, path).header("content-type", "application/x-www-form-urlencoded");
        Gateway::ask(&self.pages, request.body(Body::from(text)).unwrap()).await
    }
}

fn pages(broker: Broker) -> Router {
    let settings = Settings { office: "Kreis Musterkreis".into(), ..Settings::default() };
    let visitors = Arc::new(ByName(Sessions(broker.clone())));
    console::router(Console::new(broker, visitors, settings))
}

pub(crate) fn request(method: &str, visitor: &str, path: &str) -> axum::http::request::Builder {
    let request = Request::builder().method(method).uri(format!("{}{path}", console::BASE));
    request.header("cookie", format!("test={visitor}")).header("sec-fetch-site", "same-origin")
}
