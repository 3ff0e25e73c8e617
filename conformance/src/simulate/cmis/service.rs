//! What the simulated repository says of itself and its types by AtomPub (CMIS 1.1, sections 3.7.1 and 3.6).

use serde_json::Value;

use super::atom::{ENTRY, FEED, LINKS, NAMESPACES, document, escaped, link};
use super::{Call, types};

/// The entry of a type.
pub(super) fn type_entry(kind: &types::Type, base: &str) -> String {
    let json = kind.json(true);
    let mut text = String::new();
    fields(&mut text, &json);
    for definition in json["propertyDefinitions"].as_object().into_iter().flatten() {
        let name = match definition.1["propertyType"].as_str().unwrap_or_default() {
            "datetime" => "DateTime".to_owned(),
            kind => format!("{}{}", kind[..1].to_uppercase(), &kind[1..]),
        };
        text.push_str(&format!("<cmis:property{name}Definition>"));
        fields(&mut text, definition.1);
        text.push_str(&format!("<cmis:defaultValue/></cmis:property{name}Definition>"));
    }
    let this = format!("{base}/type?id={}", kind.id);
    let links = [
        link("service", &format!("{base}?repositoryId={}", super::REPOSITORY), "application/atomsvc+xml"),
        link("self", &this, ENTRY),
        link("enclosure", &this, ENTRY),
        link("down", &format!("{base}/types?typeId={}", kind.id), FEED),
        link("down", &format!("{base}/typedesc?typeId={}", kind.id), "application/cmistree+xml"),
        link("describedby", &this, ENTRY),
    ]
    .concat();
    format!(
        "<atom:entry {NAMESPACES}><atom:author><atom:name>unknown</atom:name></atom:author><atom:id>http://chemistry.apache.org/type</atom:id><atom:title>{0}</atom:title><app:edited>2026-01-01T00:00:00Z</app:edited><atom:updated>2026-01-01T00:00:00Z</atom:updated>{links}<cmisra:type>{text}</cmisra:type></atom:entry>",
        kind.id
    )
}

/// The simple members of an object as elements.
fn fields(text: &mut String, json: &Value) {
    for (name, value) in json.as_object().into_iter().flatten() {
        match value {
            Value::String(value) => text.push_str(&format!("<cmis:{name}>{}</cmis:{name}>", escaped(value))),
            Value::Bool(value) => text.push_str(&format!("<cmis:{name}>{value}</cmis:{name}>")),
            Value::Object(_) if name == "typeMutability" => {
                text.push_str("<cmis:typeMutability>");
                fields(text, value);
                text.push_str("</cmis:typeMutability>");
            }
            _ => {}
        }
    }
}

/// The service document.
pub(super) fn service(call: &Call) -> String {
    let base = format!("{}/{}", call.base, super::REPOSITORY);
    let info: Value = serde_json::from_str(super::INFO).unwrap_or_default();
    let text = |name: &str| {
        format!("<cmis:{name}>{}</cmis:{name}>", escaped(info[name].as_str().unwrap_or_default()))
    };
    let named = [
        "repositoryId",
        "repositoryName",
        "repositoryDescription",
        "vendorName",
        "productName",
        "productVersion",
        "rootFolderId",
    ];
    let mut repository: String = named.iter().map(|name| text(name)).collect();
    repository.push_str(&format!(
        "<cmis:latestChangeLogToken>token-{}</cmis:latestChangeLogToken><cmis:capabilities>",
        call.store().log.len()
    ));
    for (name, value) in info["capabilities"].as_object().into_iter().flatten() {
        match value {
            Value::String(value) => repository.push_str(&format!("<cmis:{name}>{value}</cmis:{name}>")),
            Value::Bool(value) => repository.push_str(&format!("<cmis:{name}>{value}</cmis:{name}>")),
            _ => {}
        }
    }
    repository.push_str("</cmis:capabilities>");
    repository.push_str(&text("cmisVersionSupported"));
    repository.push_str(&text("thinClientURI"));
    // Other names than in JSON.
    for (name, value) in [("principalAnonymous", "anonymous"), ("principalAnyone", "anyone")] {
        repository.push_str(&format!("<cmis:{name}>{value}</cmis:{name}>"));
    }
    repository.push_str("<cmis:changesIncomplete>true</cmis:changesIncomplete>");
    for base in ["cmis:document", "cmis:folder"] {
        repository.push_str(&format!("<cmis:changesOnType>{base}</cmis:changesOnType>"));
    }
    let collection = |kind: &str, path: &str| {
        format!(
            "<app:collection href=\"{base}/{path}\"><cmisra:collectionType>{kind}</cmisra:collectionType><atom:title type=\"text\">{kind}</atom:title><app:accept>application/cmisatom+xml</app:accept></app:collection>"
        )
    };
    let collections = [
        ("root", "children?id=100"),
        ("types", "types"),
        ("query", "query"),
        ("checkedout", "checkedout"),
        ("unfiled", "unfiled"),
        ("update", "update"),
    ];
    let collections: String = collections.iter().map(|(kind, path)| collection(kind, path)).collect();
    let more = "&amp;filter={filter}&amp;includeAllowableActions={includeAllowableActions}&amp;includeACL={includeACL}&amp;includePolicyIds={includePolicyIds}&amp;includeRelationships={includeRelationships}&amp;renditionFilter={renditionFilter}";
    let template = |kind: &str, path: String, media: &str| {
        format!(
            "<cmisra:uritemplate><cmisra:template>{base}/{path}</cmisra:template><cmisra:type>{kind}</cmisra:type><cmisra:mediatype>{media}</cmisra:mediatype></cmisra:uritemplate>"
        )
    };
    let templates = [
        template("objectbyid", format!("id?id={{id}}{more}"), ENTRY),
        template("objectbypath", format!("path?path={{path}}{more}"), ENTRY),
        template("typebyid", "type?id={id}".to_owned(), ENTRY),
        template("query", "query?q={q}&amp;searchAllVersions={searchAllVersions}&amp;maxItems={maxItems}&amp;skipCount={skipCount}".to_owned(), FEED),
    ]
    .concat();
    let links = [
        ("typedescendants", "typedesc"),
        ("foldertree", "foldertree?id=100"),
        ("rootdescendants", "descendants?id=100"),
        ("changes", "changes"),
    ];
    let links: String = links
        .iter()
        .map(|(name, path)| link(&format!("{LINKS}{name}"), &format!("{base}/{path}"), FEED))
        .collect();
    document(&format!(
        "<app:service {NAMESPACES}><app:workspace><atom:title>{0}</atom:title>{collections}<cmisra:repositoryInfo>{repository}</cmisra:repositoryInfo>{links}{templates}</app:workspace></app:service>",
        super::REPOSITORY
    ))
}
