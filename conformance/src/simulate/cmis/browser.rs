//! The browser binding of the simulated repository (CMIS 1.1, section 5), as the recorded server spoke it.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::store::{Content, Object, Outcome, ROOT, Store, refuse};
use super::{Call, Reply, content, query, types, upload};

/// Rights and duties are not simulated.
fn acl() -> Value {
    json!({ "aces": [{ "principal": { "principalId": "anyone" }, "permissions": ["cmis:all"], "isDirect": true }] })
}

/// Answers a call below the binding's address.
pub(super) async fn answer(call: Call, body: Body) -> Reply {
    let parameters = call.query.clone();
    let get = |name: &str| parameters.get(name).cloned();
    let outcome = match call.method {
        Method::GET => select(&call).await,
        Method::POST => act(&call, body).await,
        _ => refuse("notSupported", "Unknown operation"),
    };
    let reply = outcome.unwrap_or_else(|refusal| {
        let told = json!({ "exception": refusal.0, "message": refusal.1 });
        Reply::json(super::status(refusal.0), &told)
    });
    let reply = match get("callback") {
        Some(callback) => reply.map_text(|text| format!("{callback}({text});")),
        None => reply,
    };
    if get("suppressresponsecodes").as_deref() == Some("true") {
        reply.with_status(StatusCode::OK)
    } else {
        reply
    }
}

/// Where a call goes: the repository, or the path below its root folder.
fn place(call: &Call) -> Outcome<Option<&str>> {
    let path = call.path.trim_start_matches('/');
    let (repository, rest) = path.split_once('/').unwrap_or((path, ""));
    if repository != super::REPOSITORY {
        return refuse("invalidArgument", format!("Unknown repository id: {repository}"));
    }
    match rest.strip_prefix("root") {
        Some(path) => Ok(Some(path)),
        None if rest.is_empty() => Ok(None),
        None => refuse("notSupported", "Unknown operation"),
    }
}

async fn select(call: &Call) -> Outcome<Reply> {
    let ok = |value: Value| Ok(Reply::json(StatusCode::OK, &value));
    if call.path.trim_matches('/').is_empty() {
        return ok(json!({ super::REPOSITORY: info(call) }));
    }
    let place = place(call)?;
    call.may_read(call.get("objectid").unwrap_or_default())?;
    let selector = call.get("cmisselector").unwrap_or_default().to_lowercase();
    let store = call.store();
    let Some(path) = place else {
        return match selector.as_str() {
            "repositoryinfo" => {
                drop(store);
                ok(json!({ super::REPOSITORY: info(call) }))
            }
            "typechildren" => ok(json!({
                "types": types::TYPES.iter().filter(|it| it.id == it.base).map(|it| it.json(false)).collect::<Vec<_>>(),
                "hasMoreItems": false, "numItems": 5,
            })),
            "typedefinition" => {
                let id = call.get("typeid").unwrap_or_default();
                match types::of(id) {
                    Some(kind) => ok(kind.json(true)),
                    None => refuse("objectNotFound", format!("Type '{id}' is unknown!")),
                }
            }
            "query" => ok(found(call, &store, call.get("q").unwrap_or_default(), &call.query)?),
            "contentchanges" => ok(changes(call, &store)?),
            _ => refuse("notSupported", "Unknown operation"),
        };
    };
    let object = match call.get("objectid") {
        Some(id) => store.get(id)?,
        None => store.by_path(path)?,
    };
    let succinct = call.is("succinct");
    let one = |it: &Object| shown(&store, it, succinct);
    match selector.as_str() {
        "content" => {
            let (known, modified) = (object.content.clone(), object.modified);
            drop(store);
            match known {
                Some(known) => Ok(content::reply(&known, modified, call)),
                None => refuse("constraint", "Document has no content."),
            }
        }
        "properties" => ok(one(object)["succinctProperties"].clone()),
        "allowableactions" => ok(allowed(object)),
        "acl" => ok(acl()),
        "versions" => {
            let versions: Vec<Value> =
                store.versions(object).into_iter().rev().map(with_extension(&one)).collect();
            ok(Value::Array(versions))
        }
        "parents" => {
            let parents = object.parents.iter().filter_map(|id| store.get(id).ok());
            let parents = parents.map(|it| json!({ "object": one(it), "relativePathSegment": object.name }));
            ok(Value::Array(parents.collect()))
        }
        "children" => {
            let all = store.children(&object.id);
            let (skip, most) = (call.number("skipcount", 0), call.number("maxitems", 100));
            let page = all.iter().skip(skip).take(most);
            let page =
                page.map(|it| json!({ "object": one(it), "pathSegment": it.name })).collect::<Vec<_>>();
            ok(json!({ "objects": page, "hasMoreItems": all.len() > skip + most, "numItems": all.len() }))
        }
        "object" | "" => ok(with_extension(&one)(object)),
        _ => refuse("notSupported", "Unknown operation"),
    }
}

fn with_extension(one: &impl Fn(&Object) -> Value) -> impl Fn(&Object) -> Value {
    move |it| {
        let mut value = one(it);
        // Something that no standard knows, as the recorded server adds it.
        value["exampleExtension"] = json!({ "objectId": it.id, "name": it.name });
        value
    }
}

fn info(call: &Call) -> Value {
    let mut info: Value = serde_json::from_str(super::INFO).unwrap_or_default();
    info["repositoryUrl"] = json!(format!("{}/{}", call.base, super::REPOSITORY));
    info["rootFolderUrl"] = json!(format!("{}/{}/root", call.base, super::REPOSITORY));
    info["latestChangeLogToken"] = json!(format!("token-{}", call.store().log.len()));
    info
}

pub(super) fn shown(store: &Store, it: &Object, succinct: bool) -> Value {
    let properties = store.properties(it);
    if succinct {
        let all: Map<String, Value> =
            properties.into_iter().map(|(id, .., value)| (id.to_owned(), value)).collect();
        return json!({ "succinctProperties": all, "exactACL": true });
    }
    let full = |(id, kind, multi, value): (&str, &str, bool, Value)| {
        let cardinality = if multi { "multi" } else { "single" };
        let it = json!({
            "id": id, "localName": id, "displayName": id, "queryName": id, "type": kind, "cardinality": cardinality,
            "value": value,
        });
        (id.to_owned(), it)
    };
    let all: Map<String, Value> = properties.into_iter().map(full).collect();
    json!({ "properties": all, "exactACL": true })
}

fn found(call: &Call, store: &Store, statement: &str, given: &BTreeMap<String, String>) -> Outcome<Value> {
    let all = query::run(store, statement)?;
    let number = |name: &str, otherwise| given.get(name).and_then(|it| it.parse().ok()).unwrap_or(otherwise);
    let (skip, most) = (number("skipcount", 0), number("maxitems", 100));
    let succinct = call.is("succinct");
    let page: Vec<Value> = all.iter().skip(skip).take(most).map(|it| shown(store, it, succinct)).collect();
    Ok(json!({ "results": page, "hasMoreItems": all.len() > skip + most, "numItems": all.len() }))
}

fn changes(call: &Call, store: &Store) -> Outcome<Value> {
    let (from, page) = super::log_page(store, call.get("changelogtoken"), call.number("maxitems", 100))?;
    let objects: Vec<Value> = page
        .iter()
        .map(|it| {
            let properties = json!({ "cmis:objectId": it.object, "cmis:objectTypeId": it.base, "cmis:baseTypeId": it.base });
            json!({ "succinctProperties": properties, "changeEventInfo": { "changeType": it.change, "changeTime": it.at } })
        })
        .collect();
    let next = from + objects.len();
    Ok(json!({
        "objects": objects, "hasMoreItems": next < store.log.len(), "numItems": store.log.len() - from,
        "changeLogToken": format!("token-{next}"),
    }))
}

fn allowed(it: &Object) -> Value {
    const ALL: [&str; 30] = [
        "canDeleteObject",
        "canUpdateProperties",
        "canGetFolderTree",
        "canGetProperties",
        "canGetObjectRelationships",
        "canGetObjectParents",
        "canGetFolderParent",
        "canGetDescendants",
        "canMoveObject",
        "canDeleteContentStream",
        "canCheckOut",
        "canCancelCheckOut",
        "canCheckIn",
        "canSetContentStream",
        "canGetAllVersions",
        "canAddObjectToFolder",
        "canRemoveObjectFromFolder",
        "canGetContentStream",
        "canApplyPolicy",
        "canGetAppliedPolicies",
        "canRemovePolicy",
        "canGetChildren",
        "canCreateDocument",
        "canCreateFolder",
        "canCreateRelationship",
        "canCreateItem",
        "canDeleteTree",
        "canGetRenditions",
        "canGetACL",
        "canApplyACL",
    ];
    let of_folders = [
        "canGetFolderTree",
        "canGetDescendants",
        "canGetChildren",
        "canCreateDocument",
        "canCreateFolder",
        "canDeleteTree",
    ];
    let of_copies = ["canCancelCheckOut", "canCheckIn", "canSetContentStream"];
    let may = |name: &&str| match *name {
        name if of_folders.contains(&name) => it.is_folder(),
        name if of_copies.contains(&name) => it.is_copy,
        "canGetObjectRelationships"
        | "canGetFolderParent"
        | "canRemovePolicy"
        | "canCreateRelationship"
        | "canCreateItem"
        | "canGetRenditions" => false,
        _ => true,
    };
    Value::Object(ALL.iter().map(|name| ((*name).to_owned(), Value::from(may(name)))).collect())
}

/// Properties of a form: places from 0 without gaps.
fn properties(fields: &BTreeMap<String, String>) -> Outcome<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    let most = fields.keys().filter(|name| name.starts_with("propertyid[")).count();
    for place in 0..most {
        let Some(id) = fields.get(&format!("propertyid[{place}]")) else {
            return refuse("invalidArgument", "propertyId has gaps!");
        };
        let name = format!("propertyvalue[{place}]");
        let many: Vec<Value> = (0..)
            .map_while(|at| fields.get(&format!("{name}[{at}]")))
            .map(|value| Value::from(value.as_str()))
            .collect();
        let value = match fields.get(&name) {
            Some(one) => Value::from(one.as_str()),
            None if many.is_empty() => Value::Null,
            None => Value::Array(many),
        };
        found.insert(id.clone(), value);
    }
    Ok(found)
}

async fn act(call: &Call, body: Body) -> Outcome<Reply> {
    let sent = upload::form(&call.content_type, body).await?;
    let place = place(call)?;
    let field = |name: &str| sent.fields.get(name).map(String::as_str).or(call.get(name));
    let action = field("cmisaction").unwrap_or_default().to_lowercase();
    call.note(&action);
    if call.fault_before(&action) {
        return refuse("serviceUnavailable", "try again later");
    }
    let properties = properties(&sent.fields)?;
    let mut store = call.store();
    if place.is_none() {
        return match action.as_str() {
            "query" => {
                let statement = field("statement").or(field("q")).unwrap_or_default();
                let call = call.with(&sent.fields);
                Ok(Reply::json(StatusCode::OK, &found(&call, &store, statement, &sent.fields)?))
            }
            "bulkupdate" => {
                let mut done = vec![];
                for at in 0.. {
                    let Some(id) = field(&format!("objectid[{at}]")).map(str::to_owned) else { break };
                    store.update(&id, &call.user, field(&format!("changetoken[{at}]")), &properties)?;
                    done.push(json!({ "id": id, "changeToken": store.get(&id)?.token() }));
                }
                Ok(Reply::json(StatusCode::OK, &Value::Array(done)))
            }
            _ => refuse("notSupported", "Unknown operation"),
        };
    }
    let id = match field("objectid") {
        Some(id) => id.to_owned(),
        None => store.by_path(place.unwrap_or_default()).map_or(ROOT.to_owned(), |it| it.id.clone()),
    };
    let done = run(&mut store, call, &action, &id, &field, &properties, sent.content.clone())?;
    let succinct = field("succinct") == Some("true");
    let reply = match done {
        Done::Nothing => Reply::empty_html(),
        Done::Acl => Reply::json(StatusCode::CREATED, &acl()),
        Done::Object(id, status) => {
            let it = store.get(&id)?;
            let one = |it: &Object| shown(&store, it, succinct);
            let location = format!("{}/{}/root?objectId={id}", call.base, super::REPOSITORY);
            let reply = Reply::json(status, &with_extension(&one)(it));
            if action.starts_with("create") { reply } else { reply.with("location", location) }
        }
    };
    Ok(if call.fault_after(&action) { reply.cut() } else { reply })
}

/// What an action comes to.
enum Done {
    Nothing,
    Acl,
    Object(String, StatusCode),
}

fn run<'a>(
    store: &mut Store,
    call: &Call,
    action: &str,
    id: &str,
    field: &impl Fn(&str) -> Option<&'a str>,
    properties: &BTreeMap<String, Value>,
    content: Option<Content>,
) -> Outcome<Done> {
    let (user, token) = (call.user.as_str(), field("changetoken"));
    let created = |id: String| Ok(Done::Object(id, StatusCode::CREATED));
    let same = |status| Ok(Done::Object(id.to_owned(), status));
    match action {
        "createfolder" => created(store.create(id, user, properties, None, true)?),
        "createdocument" => created(store.create(id, user, properties, content, false)?),
        "update" => {
            store.update(id, user, token, properties)?;
            same(StatusCode::OK)
        }
        "setcontent" | "appendcontent" => {
            store.set_content(id, user, token, content, action == "appendcontent")?;
            same(StatusCode::CREATED)
        }
        "deletecontent" => {
            if token != Some(&store.get(id)?.token()) {
                return refuse("updateConflict", "deleteContentStream failed, ChangeToken does not match.");
            }
            store.set_content(id, user, token, None, false)?;
            same(StatusCode::OK)
        }
        "checkout" => created(store.check_out(id, user)?),
        "checkin" => {
            let comment = field("checkincomment").map(str::to_owned);
            store.check_in(id, user, comment, content, properties)?;
            same(StatusCode::CREATED)
        }
        "cancelcheckout" => {
            store.cancel(id)?;
            Ok(Done::Nothing)
        }
        "delete" => {
            store.delete(id, field("allversions") != Some("false"))?;
            Ok(Done::Nothing)
        }
        "deletetree" => {
            store.delete_tree(id)?;
            Ok(Done::Nothing)
        }
        "move" => {
            store.refile(id, field("sourcefolderid"), field("targetfolderid"))?;
            same(StatusCode::CREATED)
        }
        "addobjecttofolder" => {
            store.refile(id, None, field("folderid"))?;
            same(StatusCode::CREATED)
        }
        "removeobjectfromfolder" => {
            store.refile(id, field("folderid"), None)?;
            same(StatusCode::CREATED)
        }
        "applyacl" => Ok(Done::Acl),
        _ => refuse("notSupported", "Unknown operation"),
    }
}
