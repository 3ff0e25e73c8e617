//! AtomPub of the simulated repository (CMIS 1.1, section 3), as the recorded server spoke it.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::Value;
use xml::{Event, Limits, Reader, escape_attribute, escape_text};

use super::query::{self, iso};
use super::service::{service, type_entry};
use super::store::{Content, Object, Outcome, Store, refuse};
use super::{Call, Reply, content, types, upload};

pub(super) const ENTRY: &str = "application/atom+xml;type=entry";
pub(super) const FEED: &str = "application/atom+xml;type=feed";
pub(super) const NAMESPACES: &str = "xmlns:atom=\"http://www.w3.org/2005/Atom\" xmlns:cmis=\"http://docs.oasis-open.org/ns/cmis/core/200908/\" xmlns:cmisra=\"http://docs.oasis-open.org/ns/cmis/restatom/200908/\" xmlns:app=\"http://www.w3.org/2007/app\"";
pub(super) const LINKS: &str = "http://docs.oasis-open.org/ns/cmis/link/200908/";

/// Answers a call below the binding's address.
pub(super) async fn answer(call: Call, body: Body) -> Reply {
    let outcome = match call.method {
        Method::GET => call.may_read(call.get("id").unwrap_or_default()).and_then(|()| read(&call)),
        _ => write(&call, body).await,
    };
    outcome.unwrap_or_else(|refusal| {
        let status = super::status(refusal.0);
        if call.is_plain() {
            let page = format!("<html><body>HTTP Status {}</body></html>", status.as_u16());
            return Reply::text(status, "text/html;charset=utf-8", page);
        }
        let page = format!(
            "<html><head><title>{name} error</title></head><body><h1>HTTP Status {} - <!--exception-->{name}<!--/exception--></h1><p><!--message-->{}<!--/message--></p></body></html>",
            status.as_u16(),
            escaped(&refusal.1),
            name = refusal.0,
        );
        Reply::text(status, "text/html;charset=utf-8", page)
    })
}

/// The place within the repository.
fn place(call: &Call) -> Outcome<&str> {
    let path = call.path.trim_start_matches('/');
    let (repository, rest) = path.split_once('/').unwrap_or((path, ""));
    match repository {
        "" => Ok(""),
        super::REPOSITORY => Ok(rest.split('/').next().unwrap_or_default()),
        other => refuse("objectNotFound", format!("Unknown repository id: {other}")),
    }
}

fn read(call: &Call) -> Outcome<Reply> {
    let place = place(call)?;
    let store = call.store();
    let id = call.get("id").unwrap_or_default();
    let ok = |kind: &str, text: String| Ok(Reply::text(StatusCode::OK, kind, text));
    let base = format!("{}/{}", call.base, super::REPOSITORY);
    match place {
        "" => {
            drop(store);
            ok("application/atomsvc+xml", service(call))
        }
        "id" | "entry" => ok(ENTRY, document(&entry(&store, store.get(id)?, &base, true))),
        "path" => {
            let object = store.by_path(call.get("path").unwrap_or_default())?;
            ok(ENTRY, document(&entry(&store, object, &base, true)))
        }
        "parent" | "parents" => {
            let object = store.get(id)?;
            let parents: Vec<&Object> = object.parents.iter().filter_map(|id| store.get(id).ok()).collect();
            match (place, parents.first()) {
                ("parent", Some(parent)) => ok(ENTRY, document(&entry(&store, parent, &base, true))),
                ("parent", None) => refuse("invalidArgument", "The root folder has no parent."),
                _ => ok(FEED, feed(&store, &parents, &base, "", None)),
            }
        }
        "children" => {
            let all = store.children(id);
            ok(FEED, paged(call, &store, &all, &base))
        }
        "versions" => {
            let mut versions = store.versions(store.get(id)?);
            versions.reverse();
            ok(FEED, feed(&store, &versions, &base, &format!("<atom:link rel=\"via\" href=\"{base}/entry?id={id}\" type=\"{ENTRY}\"/>"), None))
        }
        "query" => {
            let all = query::run(&store, call.get("q").unwrap_or_default())?;
            ok(FEED, paged(call, &store, &all, &base))
        }
        "content" => {
            let object = store.get(id)?;
            let (known, modified) = (object.content.clone(), object.modified);
            drop(store);
            let attachment = BTreeMap::from([("download".to_owned(), "attachment".to_owned())]);
            match known {
                Some(known) => Ok(content::reply(&known, modified, &call.with(&attachment))),
                None => refuse("constraint", "Document has no content."),
            }
        }
        "type" => match types::of(id) {
            Some(kind) => ok(ENTRY, document(&type_entry(kind, &base))),
            None => refuse("objectNotFound", format!("Type '{id}' is unknown!")),
        },
        "acl" => ok(
            "application/cmisacl+xml",
            "<?xml version='1.0' encoding='UTF-8'?><cmis:acl xmlns:cmis=\"http://docs.oasis-open.org/ns/cmis/core/200908/\"><cmis:permission><cmis:principal><cmis:principalId>anyone</cmis:principalId></cmis:principal><cmis:permission>cmis:all</cmis:permission><cmis:direct>true</cmis:direct></cmis:permission></cmis:acl>".to_owned(),
        ),
        "changes" => ok(FEED, changes(call, &store, &base)?),
        _ => refuse("notSupported", "Unknown operation"),
    }
}

async fn write(call: &Call, body: Body) -> Outcome<Reply> {
    let place = place(call)?.to_owned();
    let id = call.get("id").unwrap_or_default().to_owned();
    let base = format!("{}/{}", call.base, super::REPOSITORY);
    let action = match (call.method.as_str(), place.as_str()) {
        ("POST", "children") => "create",
        ("POST", "checkedout") => "checkout",
        ("POST", "query") => "query",
        ("PUT", "content") => "setcontent",
        ("PUT", "entry") if call.is("checkin") => "checkin",
        ("PUT", "entry") => "update",
        ("DELETE", "entry") => "delete",
        ("DELETE", "foldertree" | "descendants") => "deletetree",
        _ => return refuse("notSupported", "Unknown operation"),
    };
    if action == "setcontent" {
        call.note(action);
        let name =
            call.disposition.split_once("filename=").map_or("content", |(_, name)| name.trim_matches('"'));
        let name = match call.disposition.split_once("filename*=UTF-8''") {
            Some((_, name)) => super::decoded(name),
            None => name.to_owned(),
        };
        let content = upload::plain(&call.content_type, &name, body).await?;
        call.store().set_content(&id, &call.user, call.get("changetoken"), Some(content), false)?;
        let reply = Reply::text(StatusCode::OK, "text/plain", String::new());
        return Ok(reply
            .with("location", format!("{base}/id?id={id}"))
            .with("content-location", format!("{base}/content?id={id}")));
    }
    let (text, content) = upload::entry(body).await?;
    let sent = sent(&text)?;
    let is_folder = sent
        .properties
        .get("cmis:objectTypeId")
        .and_then(Value::as_str)
        .is_some_and(|id| types::of(id).is_some_and(|it| it.base == "cmis:folder"));
    let action = match (action, is_folder) {
        ("create", true) => "createfolder",
        ("create", false) => "createdocument",
        (action, _) => action,
    };
    call.note(action);
    if call.fault_before(action) {
        return refuse("serviceUnavailable", "try again later");
    }
    let reply = done(call, action, &id, sent, content, &base)?;
    Ok(if call.fault_after(action) { reply.cut() } else { reply })
}

fn done(
    call: &Call,
    action: &str,
    id: &str,
    sent: Sent,
    content: Option<Content>,
    base: &str,
) -> Outcome<Reply> {
    let mut store = call.store();
    let (user, mut properties) = (call.user.as_str(), sent.properties);
    let told = |store: &Store, id: &str, status| {
        let text = document(&entry(store, store.get(id)?, base, true));
        let reply = Reply::text(status, ENTRY, text).with("location", format!("{base}/entry?id={id}"));
        Ok(reply)
    };
    match action {
        "createfolder" | "createdocument" => {
            // The title wins.
            properties.insert("cmis:name".into(), Value::from(sent.title.as_str()));
            let content =
                content.map(|it| Content { name: sent.title.clone(), media_type: sent.media_type, ..it });
            let made = store.create(id, user, &properties, content, action == "createfolder")?;
            told(&store, &made, StatusCode::CREATED)
        }
        "checkout" => {
            let of = properties.get("cmis:objectId").and_then(Value::as_str).unwrap_or_default();
            let copy = store.check_out(of, user)?;
            told(&store, &copy, StatusCode::CREATED)
        }
        "checkin" => {
            let comment = call.get("checkincomment").map(str::to_owned);
            store.check_in(id, user, comment, content, &properties)?;
            told(&store, id, StatusCode::OK)
        }
        "update" => {
            let token = properties.remove("cmis:changeToken");
            store.update(id, user, token.as_ref().and_then(Value::as_str), &properties)?;
            told(&store, id, StatusCode::OK)
        }
        "query" => {
            let all = query::run(&store, &sent.statement)?;
            let fields = BTreeMap::from([("skipcount".into(), sent.skip), ("maxitems".into(), sent.most)]);
            let text = paged(&call.with(&fields), &store, &all, base);
            Ok(Reply::text(StatusCode::CREATED, FEED, text))
        }
        "delete" => {
            match store.get(id)?.is_copy {
                true => store.cancel(id)?,
                false => store.delete(id, call.get("allversions") != Some("false"))?,
            }
            Ok(Reply::text(StatusCode::NO_CONTENT, ENTRY, String::new()))
        }
        _ => {
            store.delete_tree(id)?;
            Ok(Reply::text(StatusCode::NO_CONTENT, ENTRY, String::new()))
        }
    }
}

/// What an entry or a query says.
#[derive(Debug, Default)]
struct Sent {
    title: String,
    media_type: String,
    properties: BTreeMap<String, Value>,
    statement: String,
    skip: String,
    most: String,
}

fn sent(text: &str) -> Outcome<Sent> {
    let wrong = |_| super::store::Refusal("invalidArgument", "the entry is no XML".to_owned());
    let mut sent = Sent::default();
    if text.trim().is_empty() {
        return Ok(sent);
    }
    let mut reader = Reader::new(text.as_bytes(), Limits::default());
    let mut path: Vec<String> = vec![];
    let mut property = None;
    loop {
        match reader.next().map_err(wrong)? {
            Event::Start(start) => {
                if let Some(id) = start.attribute("propertyDefinitionId") {
                    property = Some(id.to_owned());
                    sent.properties.insert(id.to_owned(), Value::Null);
                }
                path.push(start.local().to_owned());
            }
            Event::End => {
                path.pop();
            }
            Event::Text(text) => match (path.last().map(String::as_str), &property) {
                (Some("title"), _) => sent.title.push_str(text),
                (Some("mediatype"), _) => sent.media_type.push_str(text),
                (Some("statement"), _) => sent.statement.push_str(text),
                (Some("skipCount"), _) => sent.skip.push_str(text),
                (Some("maxItems"), _) => sent.most.push_str(text),
                (Some("value"), Some(id)) => add(&mut sent.properties, id, text),
                _ => {}
            },
            Event::Eof => return Ok(sent),
        }
    }
}

/// A second value makes a list.
fn add(properties: &mut BTreeMap<String, Value>, id: &str, text: &str) {
    let value = properties.entry(id.to_owned()).or_default();
    *value = match std::mem::take(value) {
        Value::Null => Value::from(text),
        Value::Array(mut all) => {
            all.push(Value::from(text));
            Value::Array(all)
        }
        one => Value::Array(vec![one, Value::from(text)]),
    };
}

pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    escape_text(text, &mut escaped);
    escaped
}

fn attribute(text: &str) -> String {
    let mut escaped = String::new();
    escape_attribute(text, &mut escaped);
    escaped
}

pub(super) fn document(element: &str) -> String {
    format!("<?xml version='1.0' encoding='UTF-8'?>{element}")
}

pub(super) fn link(rel: &str, href: &str, kind: &str) -> String {
    format!("<atom:link rel=\"{rel}\" href=\"{}\" type=\"{}\"/>", attribute(href), attribute(kind))
}

fn entry(store: &Store, it: &Object, base: &str, is_root: bool) -> String {
    let (id, name) = (&it.id, escaped(&it.name));
    let namespaces = if is_root { format!(" {NAMESPACES}") } else { String::new() };
    let mut text = format!(
        "<atom:entry{namespaces}><atom:author><atom:name>{}</atom:name></atom:author><atom:id>http://chemistry.apache.org/{id}</atom:id><atom:published>{}</atom:published><atom:title>{name}</atom:title><app:edited>{modified}</app:edited><atom:updated>{modified}</atom:updated>",
        escaped(&it.created_by),
        iso(it.created),
        modified = iso(it.modified),
    );
    if let Some(content) = &it.content {
        let kind = attribute(&content.media_type);
        text.push_str(&format!("<atom:content src=\"{base}/content/{id}?id={id}\" type=\"{kind}\"/>"));
    }
    text.push_str("<cmisra:object><cmis:properties>");
    for (property, kind, _, value) in store.properties(it) {
        text.push_str(&shown(property, kind, &value));
    }
    text.push_str("</cmis:properties><cmis:exactACL>true</cmis:exactACL></cmisra:object>");
    for (rel, href, kind) in links(it, base).into_iter().chain(copy_links(store, it, base)) {
        text.push_str(&link(&rel, &href, kind));
    }
    text.push_str("</atom:entry>");
    text
}

fn shown(id: &str, kind: &str, value: &Value) -> String {
    let name = match kind {
        "datetime" => "DateTime".to_owned(),
        kind => format!("{}{}", kind[..1].to_uppercase(), &kind[1..]),
    };
    let text = |value: &Value| match (kind, value) {
        ("datetime", Value::Number(millis)) => iso(millis.as_i64().unwrap_or(0)),
        (_, Value::String(text)) => escaped(text),
        (_, value) => value.to_string(),
    };
    let values: Vec<String> = match value {
        Value::Null => vec![],
        Value::Array(all) => all.iter().map(text).collect(),
        one => vec![text(one)],
    };
    let values: String = values.iter().map(|it| format!("<cmis:value>{it}</cmis:value>")).collect();
    format!(
        "<cmis:property{name} propertyDefinitionId=\"{id}\" displayName=\"{id}\" localName=\"{id}\" queryName=\"{id}\">{values}</cmis:property{name}>"
    )
}

fn links(it: &Object, base: &str) -> Vec<(String, String, &'static str)> {
    let id = &it.id;
    let cmis = |name: &str| format!("{LINKS}{name}");
    let at = |name: &str| format!("{base}/{name}?id={id}");
    let mut links = vec![
        (
            "service".to_owned(),
            format!("{base}?repositoryId={}", super::REPOSITORY),
            "application/atomsvc+xml",
        ),
        ("self".to_owned(), at("entry"), ENTRY),
        ("enclosure".to_owned(), at("entry"), ENTRY),
        ("edit".to_owned(), at("entry"), ENTRY),
        ("describedby".to_owned(), format!("{base}/type?id={}", it.type_id), ENTRY),
        (cmis("allowableactions"), at("allowableactions"), "application/cmisallowableactions+xml"),
    ];
    if it.is_folder() {
        if !it.parents.is_empty() {
            links.push(("up".to_owned(), at("parent"), ENTRY));
        }
        links.push(("down".to_owned(), at("children"), FEED));
        links.push(("down".to_owned(), at("descendants"), "application/cmistree+xml"));
        links.push((cmis("foldertree"), at("foldertree"), FEED));
    } else {
        let series = it.series.as_ref().unwrap_or(id);
        links.push(("up".to_owned(), at("parents"), FEED));
        links.push((
            "version-history".to_owned(),
            format!("{base}/versions?id={id}&versionSeries={series}"),
            FEED,
        ));
        links.push(("edit-media".to_owned(), at("content"), "application/octet-stream"));
    }
    links.push((
        "alternate".to_owned(),
        format!("{base}/content?id={id}&streamId={id}-rendition"),
        "image/png",
    ));
    for name in ["acl", "policies", "relationships"] {
        let kind = if name == "acl" { "application/cmisacl+xml" } else { FEED };
        links.push((cmis(name), at(name), kind));
    }
    links
}

/// Links between the versions of a document that is checked out and its private working copy.
fn copy_links(store: &Store, it: &Object, base: &str) -> Vec<(String, String, &'static str)> {
    let at = |rel: &str, to: &Object| (rel.to_owned(), format!("{base}/entry?id={}", to.id), ENTRY);
    let Some(copy) = store.copy_of(it) else { return vec![] };
    let mut links = vec![at("working-copy", copy)];
    if it.is_copy {
        let versions = store.versions(it);
        links.extend(versions.into_iter().rfind(|version| !version.is_copy).map(|latest| at("via", latest)));
    }
    links
}

fn feed(store: &Store, all: &[&Object], base: &str, links: &str, total: Option<usize>) -> String {
    let entries: String = all.iter().map(|it| entry(store, it, base, false)).collect();
    let total = total.map(|it| format!("<cmisra:numItems>{it}</cmisra:numItems>")).unwrap_or_default();
    let service =
        link("service", &format!("{base}?repositoryId={}", super::REPOSITORY), "application/atomsvc+xml");
    let at = iso(all.iter().map(|it| it.modified).max().unwrap_or(0));
    document(&format!(
        "<atom:feed {NAMESPACES}><atom:author><atom:name>unknown</atom:name></atom:author><atom:id>http://chemistry.apache.org/feed</atom:id><atom:title>Feed</atom:title><app:edited>{at}</app:edited><atom:updated>{at}</atom:updated>{total}{service}{links}{entries}</atom:feed>"
    ))
}

fn paged(call: &Call, store: &Store, all: &[&Object], base: &str) -> String {
    let (skip, most) = (call.number("skipcount", 0), call.number("maxitems", 100));
    let page: Vec<&Object> = all.iter().skip(skip).take(most).copied().collect();
    let next =
        if all.len() > skip + most { link("next", &format!("{base}/next"), FEED) } else { String::new() };
    feed(store, &page, base, &next, Some(all.len()))
}

fn changes(call: &Call, store: &Store, base: &str) -> Outcome<String> {
    let (from, page) = super::log_page(store, call.get("changelogtoken"), call.number("maxitems", 100))?;
    let next = from + page.len();
    let at = iso(page.last().map_or(0, |it| it.at));
    let service =
        link("service", &format!("{base}?repositoryId={}", super::REPOSITORY), "application/atomsvc+xml");
    let more = if next < store.log.len() {
        link("next", &format!("{base}/changes?changeLogToken=token-{next}"), FEED)
    } else {
        String::new()
    };
    let id = |name: &str, value: &str| {
        format!(
            "<cmis:propertyId propertyDefinitionId=\"{name}\"><cmis:value>{}</cmis:value></cmis:propertyId>",
            escaped(value)
        )
    };
    let entries: String = page
        .iter()
        .map(|it| {
            let when = iso(it.at);
            let properties =
                [id("cmis:objectId", &it.object), id("cmis:objectTypeId", it.base), id("cmis:baseTypeId", it.base)].concat();
            format!(
                "<atom:entry><atom:author><atom:name>unknown</atom:name></atom:author><atom:id>http://chemistry.apache.org/{0}</atom:id><atom:published>{when}</atom:published><atom:title>{0}</atom:title><app:edited>{when}</app:edited><atom:updated>{when}</atom:updated><cmisra:object><cmis:properties>{properties}</cmis:properties><cmis:changeEventInfo><cmis:changeType>{1}</cmis:changeType><cmis:changeTime>{when}</cmis:changeTime></cmis:changeEventInfo></cmisra:object>{service}</atom:entry>",
                it.object, it.change,
            )
        })
        .collect();
    let itself = link("self", &format!("{base}/changes"), FEED);
    let extension = match call.is_plain() {
        true => String::new(),
        false => format!(
            "<chemistry:changeLogToken xmlns:chemistry=\"http://chemistry.apache.org/\">token-{next}</chemistry:changeLogToken>"
        ),
    };
    Ok(document(&format!(
        "<atom:feed {NAMESPACES}><atom:author><atom:name></atom:name></atom:author><atom:id>http://chemistry.apache.org/changes</atom:id><atom:title>Content Change</atom:title><app:edited>{at}</app:edited><atom:updated>{at}</atom:updated><cmisra:numItems>{}</cmisra:numItems>{service}{itself}{more}{extension}{entries}</atom:feed>",
        store.log.len() - from,
    )))
}
