//! The table of rights (`model::rights`, in words in `docs/SECURITY.md`), cell by cell over HTTP: every role, and none, at every route of REST
//! (exports among them) and at every page and act of the console; in one's own tenant, unit and service, and in those of others. What is there is
//! found by those who may, so what others get is about rights alone; they change nothing.
//!
//! | cell | answer |
//! |---|---|
//! | nobody | 401; the console sends to its sign-in |
//! | the role does not allow it | 403, whoever it belongs to |
//! | it allows it, and the thing is one's own | neither |
//! | what it allows depends on what was asked for (`/approvals`) | as `of_approval` says |
//! | it allows it, and the thing belongs to others | 404, the very answer that an id gets which nothing has; lists are without it |

use std::collections::BTreeSet;

use api::{Needs, Route};
use futures::StreamExt;
use model::{Action, Id, Role};
use serde_json::Value;

use crate::cells_console::Pages;
use crate::gateway::{ALL_ROLES, Answer, Call, Gateway};
use crate::isolation::{SECRET, Things, plausible};

/// Requests at once.
const AT_ONCE: usize = 8;

/// Where somebody has a role: a name, tenant, unit, service. The things of this test belong to Soest, unit 63, building permits.
pub(crate) const PLACES: &[(&str, &str, &str, &str)] = &[
    ("own", "soest", "*", "*"),
    ("another tenant", "unna", "*", "*"),
    ("another unit", "soest", "70", "*"),
    ("another service", "soest", "63", "abfall"),
];

/// What a route needs besides the right that it names.
const ALSO: &[(&str, &str, Action)] = &[
    // Mended bytes are content.
    ("POST", "/messages/{id}/repair", Action::ReadContent),
    // Who is sent events must be allowed to read them.
    ("POST", "/subscriptions", Action::ReadEvents),
];

/// Routes at which even a thing of one's own tenant is not found by another token than that which made it.
const OF_ONE_TOKEN: &[&str] = &["/uploads/{id}", "/subscriptions/{id}"];

/// What is answered below `/approvals`: the right that is needed depends on what was asked for, which is here to read a message.
pub(crate) fn of_approval(role: Option<Role>, is_own: bool, method: &str, path: &str) -> &'static [u16] {
    let has = |action| role.is_some_and(|role| role.actions().contains(&action));
    let decides = has(Action::ReleaseContent);
    let sees = decides || has(Action::ReadAudit);
    match (method, path) {
        ("GET", "/approvals") => &[200],
        // The message that is named does not exist.
        ("POST", "/approvals") if has(Action::ReadMessages) => &[404],
        ("POST", "/approvals") => &[403],
        // It is the owner's to withdraw and to read.
        (_, "/approvals/{id}/withdraw" | "/approvals/{id}/content") => &[404],
        _ if !is_own || !sees => &[404],
        ("GET", _) => &[200],
        // 409: another one has decided before.
        _ if decides => &[200, 409],
        _ => &[403],
    }
}

/// Somebody in one role, or in none, at a place.
struct Who {
    role: Option<Role>,
    place: &'static str,
    token: String,
}

impl Who {
    fn is_own(&self) -> bool {
        self.place == "own"
    }

    fn may(&self, route: &Route) -> bool {
        let has = |action: Action| self.role.is_some_and(|role| role.actions().contains(&action));
        let also = ALSO.iter().find(|(method, path, _)| *method == route.method && *path == route.path);
        match route.needs {
            Needs::Nothing | Needs::Token => true,
            Needs::Right(action) => has(action) && also.is_none_or(|(.., action)| has(*action)),
        }
    }
}

/// The id that stands in the path of a route, if its thing is one of the test's.
fn id_of(route: &Route, things: &Things) -> Option<String> {
    let kind = route.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    match kind {
        "evidence" => Some(things.id("case-files").to_owned()),
        "partners" => Some("archiv".to_owned()),
        "capabilities" => Some("bab:05974028".to_owned()),
        kind if route.path.contains("{id}") => Some(things.id(kind).to_owned()),
        _ => None,
    }
}

/// What the owner sees of all that there is: every list, and every thing.
async fn all_of(gateway: &Gateway, owner: &str, things: &Things) -> Vec<(String, Value)> {
    let lists = api::routes();
    let lists = lists.iter().filter(|it| it.method == "GET" && !it.path.contains('{'));
    let lists = lists.filter(|it| matches!(it.needs, Needs::Right(_))).map(|it| it.path.to_owned());
    let each =
        things.ids.iter().filter(|(kind, _)| !matches!(*kind, "inbox" | "tokens" | "channel-deliveries"));
    let each = each.map(|(kind, id)| format!("/{kind}/{id}"));
    let mut seen = vec![];
    for path in lists.chain(each) {
        let answer = gateway.call(owner, Call::get(&path)).await.is(200);
        seen.push((path, answer.json()));
    }
    seen
}

/// Everything of an answer that a client sees, without the id that was asked for.
pub(crate) fn seen(answer: &Answer, id: &str) -> String {
    let body = String::from_utf8_lossy(&answer.body);
    let headers = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}\n"));
    format!("{}\n{}{body}", answer.status, headers.collect::<String>()).replace(id, "ID")
}

/// A gateway with something of every kind, whom it belongs to, and everybody who is somebody.
struct Table {
    gateway: Gateway,
    owner: String,
    things: Things,
    everybody: Vec<Who>,
}

impl Table {
    async fn new() -> Table {
        let gateway = Gateway::start().await;
        let owner = gateway.token("soest", "*", "*", ALL_ROLES).await;
        let there = gateway.token("lippstadt", "*", "*", ALL_ROLES).await;
        let things = Things::make(&gateway, &owner, &there).await;
        let partner = Call::new("PUT", "/partners/archiv").json(serde_json::json!({ "name": "Archiv" }));
        gateway.call(&owner, partner).await.is(201);
        let mut everybody = vec![];
        for (place, tenant, unit, service) in PLACES {
            for role in Role::ALL {
                let token = gateway.token(tenant, unit, service, &[role]).await;
                everybody.push(Who { role: Some(role), place, token });
            }
            let token = gateway.token(tenant, unit, service, &[]).await;
            everybody.push(Who { role: None, place, token });
        }
        Table { gateway, owner, things, everybody }
    }

    /// One cell in which nothing may happen; says what is wrong.
    async fn refused(&self, who: &Who, route: &Route) -> Option<String> {
        let id = id_of(route, &self.things).unwrap_or_default();
        let answer = self.gateway.call(&who.token, plausible(route, &id)).await;
        let told = |what: &str| {
            let cell = format!("{:?} of {}: {} {}", who.role, who.place, route.method, route.path);
            let body = String::from_utf8_lossy(&answer.body);
            Some(format!("{cell}: {what}: {} {body}", answer.status))
        };
        if String::from_utf8_lossy(&answer.body).contains(SECRET) {
            return told("shows what belongs to others");
        }
        if !who.may(route) {
            return if answer.status == 403 { None } else { told("is not forbidden") };
        }
        if is_wrong_for_approval(who, route, &answer) {
            return told("is not what belongs here");
        }
        // Partners and what others can take belong to no unit and no service.
        let belongs_to_tenant = route.path.starts_with("/partners/");
        if !route.path.contains("{id}") || (belongs_to_tenant && who.place != "another tenant") {
            let shown =
                self.things.ids.iter().find(|(_, id)| String::from_utf8_lossy(&answer.body).contains(id));
            return shown.and_then(|(kind, _)| told(&format!("shows one of the {kind} of others")));
        }
        let random = Id::now_v7().to_string();
        let nothing = self.gateway.call(&who.token, plausible(route, &random)).await;
        let same = seen(&nothing, &random) == seen(&answer, &id);
        if same && answer.status == 404 { None } else { told("is not as if there were nothing") }
    }

    /// A partner that is put comes into being in one's own tenant, although another one has one of that name; says what is wrong.
    async fn put_for_oneself(&self, who: &Who, route: &Route) -> Option<String> {
        let id = id_of(route, &self.things).unwrap_or_default();
        let answer = self.gateway.call(&who.token, plausible(route, &id)).await;
        let cell = format!("{:?} of {}: {} {}", who.role, who.place, route.method, route.path);
        (answer.status != 201).then(|| format!("{cell}: is not one's own: {}", answer.status))
    }

    /// One cell in which somebody does what his role allows with what is his own.
    async fn allowed(&self, who: &Who, route: &Route) -> Option<String> {
        let id = id_of(route, &self.things).unwrap_or_default();
        let answer = self.gateway.call(&who.token, plausible(route, &id)).await;
        let may_be_missing = route.method == "DELETE"
            || !route.path.contains("{id}")
            || OF_ONE_TOKEN.iter().any(|it| route.path.starts_with(it));
        let wrong = match answer.status.as_u16() {
            _ if route.path.starts_with("/approvals") => is_wrong_for_approval(who, route, &answer),
            403 if is_changed_by_its_own_token_alone(who, route) => false,
            401 | 403 => true,
            404 => !may_be_missing && !names_another(route),
            status => status >= 500,
        };
        let body = String::from_utf8_lossy(&answer.body);
        wrong.then(|| format!("{:?}: {} {}: {} {body}", who.role, route.method, route.path, answer.status))
    }
}

/// Whether it makes a partner of the name in its path, or changes it.
fn puts_partner(route: &Route) -> bool {
    route.method == "PUT" && route.path == "/partners/{id}"
}

/// Whether an answer below `/approvals` is another one than the table says.
fn is_wrong_for_approval(who: &Who, route: &Route, answer: &Answer) -> bool {
    route.path.starts_with("/approvals")
        && !of_approval(who.role, who.is_own(), route.method.as_str(), route.path)
            .contains(&answer.status.as_u16())
}

/// Whether somebody only sees and ends what others have made.
fn is_changed_by_its_own_token_alone(who: &Who, route: &Route) -> bool {
    let changes = matches!(route.method.as_str(), "PATCH" | "POST");
    who.role == Some(Role::Admin) && changes && route.path.starts_with("/subscriptions/{id}")
}

/// Whether a plausible request names another thing as well, which does not exist, or takes the thing away.
fn names_another(route: &Route) -> bool {
    let steps = [
        "/lock",
        "/clearing",
        "/file",
        "/agreement",
        "/decline",
        "/decision",
        "/content",
        "/girocode",
        "/appraisals",
        "/import-results",
    ];
    steps.iter().any(|it| route.path.ends_with(it))
        || route.path.contains("/statement-lines")
        || (route.path.starts_with("/inbox/") && route.method == "POST")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cell_of_the_table_of_rights_is_as_it_says() {
    let table = Table::new().await;
    let routes = api::routes();
    let before = all_of(&table.gateway, &table.owner, &table.things).await;
    let pages = Pages::new(&table.gateway, &table.things).await;

    let nothing_may_happen = |who: &&Who, route: &&Route| {
        // What somebody makes, he makes at his own place; partners are those of the whole tenant.
        let of_tenant = route.path == "/partners/{id}" && who.place != "another tenant";
        let makes =
            route.method != "GET" && (of_tenant || puts_partner(route) || !route.path.contains("{id}"));
        !who.may(route) || (!who.is_own() && !makes && route.needs != Needs::Nothing)
    };
    let cells: Vec<(&Who, &Route)> =
        table.everybody.iter().flat_map(|who| routes.iter().map(move |route| (who, route))).collect();
    let (refused, others): (Vec<_>, Vec<_>) =
        cells.into_iter().partition(|(who, route)| nothing_may_happen(who, route));
    let walked = refused.len();
    let wrong = futures::stream::iter(refused).map(|(who, route)| table.refused(who, route));
    let mut wrong: Vec<String> =
        wrong.buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
    wrong.extend(pages.refused().await);
    wrong.extend(pages.offered().await);
    // Not beside the others, who would find what was put.
    let puts: Vec<_> =
        others.iter().filter(|(who, route)| who.place == "another tenant" && puts_partner(route)).collect();
    assert!(!puts.is_empty(), "nobody may put a partner");
    for (who, route) in puts {
        wrong.extend(table.put_for_oneself(who, route).await);
    }
    let after = all_of(&table.gateway, &table.owner, &table.things).await;
    let changed: BTreeSet<&str> =
        before.iter().zip(&after).filter(|(was, is)| was != is).map(|(was, _)| was.0.as_str()).collect();
    assert!(wrong.is_empty(), "{} of {walked} cells:\n{}", wrong.len(), wrong.join("\n"));
    assert!(changed.is_empty(), "changed by those who may not: {changed:?}");
    assert!(walked > 3_000, "{walked}");

    // What may happen comes last: the more it takes away, the later.
    let mut own: Vec<(&Who, &Route)> = others.into_iter().filter(|(who, _)| who.is_own()).collect();
    own.sort_by_key(|(_, route)| {
        ["GET", "PUT", "PATCH", "POST"].iter().position(|it| *it == route.method).unwrap_or(9)
    });
    let (looks, acts): (Vec<_>, Vec<_>) = own.into_iter().partition(|(_, route)| route.method == "GET");
    let mut wrong = vec![];
    for (who, route) in looks {
        wrong.extend(table.allowed(who, route).await);
    }
    wrong.extend(pages.allowed().await);
    for (who, route) in acts {
        wrong.extend(table.allowed(who, route).await);
    }
    assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong.join("\n"));
}
