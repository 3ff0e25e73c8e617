//! The console's part of the table of rights: every page and act of `console::routes`, for every role, and nobody, at every place.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use broker::{Broker, NewUser, User};
use console::{BASE, Console, Needs, Recognise, Route, Settings, Visit};
use futures::StreamExt;
use model::ids::derived_id;
use model::rights::Within;
use model::{Action, Actor, Caller, Id, Role, Scope};

use crate::cells::{PLACES, of_approval, seen};
use crate::gateway::{Answer, Gateway, authority};
use crate::isolation::{SECRET, Things};

/// What stands in the fields of forms, whatever they are; those that name things are added.
const FIELDS: &[(&str, &str)] = &[
    ("form", "f"),
    ("unit", "63"),
    ("note", "Plausibel"),
    ("reason", "Plausibel"),
    ("title", "Plausibel"),
    ("name", "Plausibel"),
    ("to", "bab:05974028"),
    ("minutes", "10"),
    ("decision", "keep"),
    ("amount", "1,00"),
    ("version", "1"),
    ("state", "locked"),
];

/// Acts of forms that name a thing in a field alone.
const IN_FIELDS: &[&str] = &["/approvals/release", "/evidence/export"];

/// Names of fields and of places in paths, and the kind of thing that each is about.
const NAMES: &[(&str, &str)] = &[
    ("message", "messages"),
    ("case", "cases"),
    ("document", "documents"),
    ("task", "tasks"),
    ("claim", "claims"),
    ("payment", "payments"),
    ("exchange", "exchanges"),
    ("interaction", "interactions"),
    ("dispatch", "dispatches"),
    ("token", "tokens"),
    ("root", "case-files"),
];

/// Somebody in one role, or in none, at a place; `None` is nobody.
#[derive(Debug, Clone, Copy)]
struct Visitor {
    role: Option<Role>,
    place: usize,
}

impl Visitor {
    fn everybody() -> Vec<Visitor> {
        let roles = || Role::ALL.into_iter().map(Some).chain([None]);
        (0..PLACES.len()).flat_map(|place| roles().map(move |role| Visitor { role, place })).collect()
    }

    fn place(&self) -> &'static str {
        PLACES.get(self.place).unwrap().0
    }

    fn may(&self, route: &Route) -> bool {
        let has = |action: &Action| self.role.is_some_and(|role| role.actions().contains(action));
        match route.needs {
            Needs::Nothing | Needs::Visit => true,
            Needs::Right(action) => has(&action),
            Needs::AnyOf(actions) => actions.iter().any(has),
            Needs::Whole(action) => has(&action) && matches!(PLACES.get(self.place), Some((.., "*", "*"))),
        }
    }
}

/// Recognises them by a cookie that says which of the eight roles, at which place.
struct ByCookie;

#[async_trait]
impl Recognise for ByCookie {
    async fn visit(&self, headers: &HeaderMap) -> Result<Option<Visit>, broker::Error> {
        let Some((role, place)) = pages::cookie(headers, "test").and_then(|it| it.split_once('.')) else {
            return Ok(None);
        };
        let (_, tenant, unit, service) = PLACES.get(place.parse::<usize>().unwrap()).unwrap();
        let within = |name: &str| if name == "*" { Within::All } else { Within::one(name) };
        let scope = Scope { tenant: (*tenant).into(), units: within(unit), services: within(service) };
        let actor = Actor {
            kind: "person".into(),
            id: derived_id(Id::nil(), &format!("{role}.{place}")).to_string(),
        };
        let roles = Role::ALL.get(role.parse::<usize>().unwrap()).copied().into_iter().collect();
        let caller = Caller { actor, roles, scope, authority: Some(authority(tenant)) };
        Ok(Some(Visit { caller, name: "Erika Mustermann".into(), form: "f".into() }))
    }
}

/// The pages, and the things that they show.
pub(crate) struct Pages<'a> {
    router: Router,
    things: &'a Things,
    broker: Broker,
    /// A user of the unit to whom the things belong.
    user: User,
    user_id: String,
}

impl<'a> Pages<'a> {
    pub(crate) async fn new(gateway: &Gateway, things: &'a Things) -> Self {
        let console = Console::new(gateway.broker.clone(), Arc::new(ByCookie), Settings::default());
        let user = NewUser {
            login: "e.beispiel".into(),
            name: SECRET.into(),
            email: None,
            authority: Some(authority("soest")),
            roles: vec![Role::Clerk],
            units: Within::one("63"),
            services: Within::one("baugenehmigung"),
        };
        let by = Actor { kind: "system".into(), id: "cells".into() };
        let user = gateway.broker.add_user("soest", user, &by).await.unwrap().user;
        let user_id = user.id.to_string();
        Pages { router: console::router(console), things, broker: gateway.broker.clone(), user, user_id }
    }

    /// The id of the thing of a kind; `None` if the test has none.
    fn known(&self, kind: &str) -> Option<&str> {
        if kind == "users" {
            return Some(&self.user_id);
        }
        self.things.ids.iter().find(|(it, _)| *it == kind).map(|(_, id)| id.as_str())
    }

    /// The ids that are put into a path and the fields: those of the things, or `random` for all.
    fn ids(&self, route: &Route, random: Option<&str>) -> Vec<(String, String)> {
        let id = |kind: &str| {
            let known = random.or_else(|| self.known(kind));
            known.unwrap_or("0190b8a0-0000-7000-8000-000000000001").to_owned()
        };
        let mut ids: Vec<_> = NAMES.iter().map(|(name, kind)| ((*name).to_owned(), id(kind))).collect();
        ids.push(("id".to_owned(), id(kind_of(route))));
        ids
    }

    /// Whether the thing that a page or form is about is one of the test's.
    fn is_known(&self, route: &Route) -> bool {
        IN_FIELDS.contains(&route.path)
            || (route.path.contains("{id}") && self.known(kind_of(route)).is_some())
    }

    /// Asks for a page, or sends a form; with a file, if `file` is set.
    async fn ask(
        &self,
        cookie: Option<String>,
        route: &Route,
        ids: &[(String, String)],
        file: bool,
    ) -> Answer {
        let mut path = route.path.to_owned();
        for (name, id) in ids {
            path = path.replace(&format!("{{{name}}}"), id);
        }
        let path = path.replace(['{', '}'], "");
        let request = Request::builder().method(&route.method).uri(format!("{BASE}{path}?lang=en"));
        let mut request = request.header("sec-fetch-site", "same-origin");
        if let Some(cookie) = cookie {
            request = request.header("cookie", format!("test={cookie}"));
        }
        let fields = FIELDS.iter().copied();
        let fields = fields.chain(ids.iter().map(|(name, id)| (name.as_str(), id.as_str())));
        let (kind, body) = match file {
            // A form with a file has no more fields than that.
            true => ("multipart/form-data; boundary=xyz", multipart(fields.take(20))),
            false => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                ("application/x-www-form-urlencoded", form.extend_pairs(fields).finish())
            }
        };
        let body = if route.method == "GET" { Body::empty() } else { Body::from(body) };
        Gateway::ask(&self.router, request.header("content-type", kind).body(body).unwrap()).await
    }

    async fn of(&self, who: Visitor, route: &Route, ids: &[(String, String)]) -> Answer {
        let role = who.role.and_then(|role| Role::ALL.iter().position(|it| *it == role)).unwrap_or(99);
        let cookie = || Some(format!("{role}.{}", who.place));
        let answer = self.ask(cookie(), route, ids, false).await;
        // A form that wants a file takes no other.
        let wants_file = route.method == "POST" && answer.status == 403 && who.may(route);
        if wants_file { self.ask(cookie(), route, ids, true).await } else { answer }
    }

    /// All cells in which nothing may happen; what is wrong.
    pub(crate) async fn refused(&self) -> Vec<String> {
        let routes = console::routes();
        let closed: Vec<&Route> = routes.iter().filter(|it| it.needs != Needs::Nothing).collect();
        let mut wrong = vec![];
        for route in &closed {
            let answer = self.ask(None, route, &self.ids(route, None), false).await;
            let to = answer.headers.get("location").map_or("", |it| it.to_str().unwrap());
            if !answer.status.is_redirection() || !to.starts_with("/console/sign-in") {
                wrong.push(format!("nobody: {} {}: {}", route.method, route.path, answer.status));
            }
        }
        let cells =
            Visitor::everybody().into_iter().flat_map(|who| closed.iter().map(move |route| (who, *route)));
        let cells = cells.filter(|(who, route)| {
            let names = route.path.contains('{') || IN_FIELDS.contains(&route.path);
            let is_foreign = who.place != 0 && (route.method == "GET" || names);
            !who.may(route) || is_foreign
        });
        let cells: Vec<_> = cells.collect();
        let found =
            futures::stream::iter(cells).map(|(who, route)| self.cell(who, route)).buffer_unordered(8);
        wrong.extend(found.filter_map(std::future::ready).collect::<Vec<String>>().await);
        let user = self.broker.user_by_login(&self.user.tenant, &self.user.login).await.unwrap();
        if user != self.user {
            wrong.push(format!("a user was changed by those who may not: {user:?}"));
        }
        wrong
    }

    async fn cell(&self, who: Visitor, route: &Route) -> Option<String> {
        let ids = self.ids(route, None);
        let answer = self.of(who, route, &ids).await;
        let cell =
            format!("{:?} of {}: {} {}: {}", who.role, who.place(), route.method, route.path, answer.status);
        if !who.may(route) {
            return (answer.status != 403).then(|| format!("{cell}: is not forbidden"));
        }
        let body = String::from_utf8_lossy(&answer.body);
        if body.contains(SECRET) {
            return Some(format!("{cell}: shows what belongs to others"));
        }
        if answer.status.is_server_error() {
            return Some(format!("{cell}: fails"));
        }
        if !route.path.contains('{') && !self.is_known(route) {
            let shown = self.things.ids.iter().find(|(_, id)| body.contains(id.as_str()));
            return shown.map(|(kind, _)| format!("{cell}: shows one of the {kind} of others"));
        }
        let random = Id::now_v7().to_string();
        let of_nothing = self.ids(route, Some(&random));
        let nothing = seen(&self.of(who, route, &of_nothing).await, &random);
        let mine = ids.iter().fold(seen(&answer, "no id"), |text, (_, id)| text.replace(id.as_str(), "ID"));
        let same = nothing == mine && (!self.is_known(route) || answer.status == 404);
        (!same).then(|| format!("{cell}: is not as if there were nothing"))
    }

    /// Places of the navigation that are offered to somebody whom their page does not let in, or not to somebody whom it does.
    pub(crate) async fn offered(&self) -> Vec<String> {
        let routes = console::routes();
        let page = |path: &str| routes.iter().find(|it| it.method == "GET" && it.path == path).unwrap();
        let mut offered = vec![];
        for who in Visitor::everybody() {
            offered.push((who, places(&self.of(who, page("/account"), &[]).await)));
        }
        let all: BTreeSet<&String> = offered.iter().flat_map(|(_, places)| places).collect();
        assert!(all.len() > 15, "{all:?}");
        let mut wrong = vec![];
        for (who, own) in &offered {
            for path in &all {
                let answer = self.of(*who, page(path), &[]).await;
                if own.contains(*path) != (answer.status == 200) {
                    let cell = format!("{:?} of {}: {path}: {}", who.role, who.place(), answer.status);
                    wrong.push(format!("{cell}, offered: {}", own.contains(*path)));
                }
            }
        }
        wrong
    }

    /// All cells in which somebody looks at his own, or does something with it; what is wrong.
    pub(crate) async fn allowed(&self) -> Vec<String> {
        let mut routes: Vec<Route> =
            console::routes().into_iter().filter(|it| it.needs != Needs::Nothing).collect();
        routes.sort_by_key(|route| route.method != "GET");
        let mut wrong = vec![];
        for route in &routes {
            for who in Visitor::everybody().into_iter().filter(|who| who.place == 0 && who.may(route)) {
                let answer = self.of(who, route, &self.ids(route, None)).await;
                let to = answer.headers.get("location").map_or("", |it| it.to_str().unwrap());
                let status = if answer.status.is_redirection() { 200 } else { answer.status.as_u16() };
                let bad = match answer.status.as_u16() {
                    _ if route.path.starts_with("/approvals") && route.needs == Needs::Visit => {
                        !of_approval(who.role, true, route.method.as_str(), route.path).contains(&status)
                    }
                    // Whoever mends has to read what is mended.
                    403 if route.path.ends_with("/mend") => {
                        who.role.is_some_and(|it| it.actions().contains(&model::Action::ReadContent))
                    }
                    403 => true,
                    // Only PDF and pictures are shown; the document of the table holds neither.
                    404 if route.path == "/documents/{id}/shown" => false,
                    404 => route.method == "GET" && self.is_known(route),
                    status => status >= 500 || (to.contains("/sign-in") && !route.path.contains("sign-")),
                };
                if bad {
                    wrong.push(format!("{:?}: {} {}: {}", who.role, route.method, route.path, answer.status));
                }
            }
        }
        wrong
    }
}

/// Paths of the places that stand in the navigation of a page.
fn places(answer: &Answer) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(&answer.body);
    let (_, rest) = text.split_once("<nav class=\"places\"").unwrap();
    let (places, _) = rest.split_once("</nav>").unwrap();
    let links = places.split("href=\"/console").skip(1);
    links.map(|link| link.split(['?', '"']).next().unwrap().to_owned()).collect()
}

/// The kind of thing that a path is about.
fn kind_of(route: &Route) -> &'static str {
    match route.path.trim_start_matches('/').split('/').next().unwrap_or_default() {
        "desk" => "tasks",
        "post" => "interactions",
        "evidence" => "case-files",
        "adapters" => "channel-deliveries",
        kind => kind,
    }
}

/// The fields and a small file, as browsers send them (RFC 7578).
fn multipart<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let part = |(name, value): (&str, &str)| {
        format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let fields: String = fields.map(part).collect();
    let file = "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.xml\"\r\n\
        Content-Type: application/xml\r\n\r\n<a/>\r\n--xyz--\r\n";
    fields + file
}
