//! What the AtomPub binding carries, CMIS 1.1, section 3.5: entries, feeds, types and the service document, read into a tree (an answer is
//! bounded); entries that are sent.

use std::collections::BTreeMap;

use net::Answer;
use xml::{Event, Limits, Reader, Writer};

use super::http::Exception;
use super::wire::{
    LogEntry, Outcome, Properties, PropertyDefinition, Repository, Set, SetKind, TypeDefinition,
};
use crate::failure;
use crate::port::ValueKind;

pub(super) const ATOM: &str = "http://www.w3.org/2005/Atom";
const CMIS: &str = "http://docs.oasis-open.org/ns/cmis/core/200908/";
const CMISRA: &str = "http://docs.oasis-open.org/ns/cmis/restatom/200908/";

/// Elements within elements.
const DEPTH: usize = 40;

/// An element with what is in it.
#[derive(Debug, Default)]
pub(super) struct Element {
    namespace: String,
    pub(super) local: String,
    attributes: Vec<(String, String)>,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn all<'a>(&'a self, local: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.local == local)
    }

    pub(super) fn child(&self, local: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.local == local)
    }

    fn text_of(&self, local: &str) -> String {
        self.child(local).map(|child| child.text.trim().to_owned()).unwrap_or_default()
    }

    /// The address of a link; of several the one whose type has `kind` in it.
    pub(super) fn link(&self, rel: &str, kind: &str) -> Option<&str> {
        let fits = |it: &&Element| {
            it.attribute("rel") == Some(rel) && it.attribute("type").is_none_or(|it| it.contains(kind))
        };
        self.all("link").find(fits)?.attribute("href")
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Element> {
        self.all("entry")
    }
}

/// The exception that an answer tells: many servers name it within a page, the standard (section 3.2.3.1) has HTTP codes alone.
pub(super) fn exception(answer: &Answer) -> Option<Exception> {
    if (200..300).contains(&answer.status) {
        return None;
    }
    let page = String::from_utf8_lossy(&answer.body);
    let told = page.split_once("<!--exception-->").and_then(|(_, rest)| rest.split_once("<!--/exception-->"));
    told.and_then(|(name, _)| Exception::named(name.trim())).or(Exception::of_status(answer.status))
}

/// Reads an answer.
pub(super) fn tree(answer: &Answer) -> Outcome<Element> {
    read(&answer.body).ok_or_else(|| failure::not_understood("the answer is no XML").into())
}

fn read(bytes: &[u8]) -> Option<Element> {
    let limits = Limits { depth: DEPTH, ..Limits::default() };
    let mut reader = Reader::new(bytes, limits);
    let mut open: Vec<Element> = vec![];
    let mut root = None;
    loop {
        match reader.next().ok()? {
            Event::Start(start) => open.push(Element {
                namespace: start.namespace().unwrap_or_default().to_owned(),
                local: start.local().to_owned(),
                attributes: start.attributes().map(|it| (it.local.to_owned(), it.value.to_owned())).collect(),
                ..Element::default()
            }),
            Event::Text(text) => open.last_mut()?.text.push_str(text),
            Event::End => {
                let done = open.pop()?;
                match open.last_mut() {
                    Some(above) => above.children.push(done),
                    None => root = Some(done),
                }
            }
            Event::Eof => return root,
        }
    }
}

/// The properties of an entry.
pub(super) fn properties(entry: &Element) -> Outcome<Properties> {
    let object = entry.child("object").filter(|it| it.namespace == CMISRA);
    let given = object.and_then(|it| it.child("properties"));
    let given = given.ok_or_else(|| failure::not_understood("the answer is no object"))?;
    let mut all = BTreeMap::new();
    for property in given.children.iter().filter(|it| it.namespace == CMIS) {
        let Some(id) = property.attribute("propertyDefinitionId") else { continue };
        all.insert(id.to_owned(), property.all("value").map(|it| it.text.clone()).collect());
    }
    let properties = Properties(all);
    match properties.id().is_empty() || properties.id().len() > crate::port::REFERENCE_BYTES {
        true => Err(failure::not_understood("the answer is no object").into()),
        false => Ok(properties),
    }
}

/// An entry of the change log.
pub(super) fn log_entry(entry: &Element) -> Outcome<LogEntry> {
    let info = entry.child("object").and_then(|it| it.child("changeEventInfo"));
    let change = info.map(|it| it.text_of("changeType")).unwrap_or_default();
    Ok(LogEntry { object: properties(entry)?.id().to_owned(), change })
}

/// Where a feed of the change log goes on: Atom has no place for the token, so it stands in an extension, or in the link to the next page.
pub(super) fn log_token(feed: &Element) -> Option<String> {
    let told = Some(feed.text_of("changeLogToken")).filter(|token| !token.is_empty());
    let parameter = || {
        let (_, query) = feed.link("next", "")?.split_once('?')?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, value)| name.eq_ignore_ascii_case("changeLogToken") && !value.is_empty())
    };
    told.or_else(|| parameter().map(|(_, token)| token.into_owned()))
}

/// The definition of a type.
pub(super) fn type_definition(entry: &Element) -> Outcome<TypeDefinition> {
    let it = entry.child("type").ok_or_else(|| failure::not_understood("the answer is no type"))?;
    let mut properties = BTreeMap::new();
    for property in
        it.children.iter().filter(|it| it.local.starts_with("property") && it.local.ends_with("Definition"))
    {
        let definition = PropertyDefinition {
            query_name: property.text_of("queryName"),
            queryable: property.text_of("queryable") == "true",
            updatability: property.text_of("updatability"),
        };
        properties.insert(property.text_of("id"), definition);
    }
    Ok(TypeDefinition {
        query_name: it.text_of("queryName"),
        base: it.text_of("baseId"),
        versionable: it.text_of("versionable") == "true",
        properties,
    })
}

/// A workspace of the service document (section 3.7.1).
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) repository: Repository,
    pub(super) collections: BTreeMap<String, String>,
    pub(super) templates: BTreeMap<String, String>,
    pub(super) changes: Option<String>,
}

/// The workspaces of a service document.
pub(super) fn workspaces(service: &Element) -> Vec<Workspace> {
    service.all("workspace").map(workspace).collect()
}

fn workspace(it: &Element) -> Workspace {
    let nothing = Element::default();
    let info = it.child("repositoryInfo").unwrap_or(&nothing);
    let capabilities = info.child("capabilities").unwrap_or(&nothing).children.iter();
    let latest = Some(info.text_of("latestChangeLogToken")).filter(|token| !token.is_empty());
    let collection = |it: &Element| Some((it.text_of("collectionType"), it.attribute("href")?.to_owned()));
    Workspace {
        repository: Repository {
            id: info.text_of("repositoryId"),
            product: info.text_of("productName"),
            version: info.text_of("cmisVersionSupported"),
            root: info.text_of("rootFolderId"),
            capabilities: capabilities.map(|it| (it.local.clone(), it.text.trim().to_owned())).collect(),
            latest_change: latest,
        },
        collections: it.all("collection").filter_map(collection).collect(),
        templates: it.all("uritemplate").map(|it| (it.text_of("type"), it.text_of("template"))).collect(),
        changes: it.link("http://docs.oasis-open.org/ns/cmis/link/200908/changes", "").map(str::to_owned),
    }
}

/// An entry to be sent, up to where content would stand, and its end. The title is the name: servers let it win.
pub(super) fn entry(title: &str, set: &[Set]) -> Option<String> {
    let mut writer = Writer::new(Vec::new()).ok()?;
    let namespaces = [("xmlns", ATOM), ("xmlns:cmis", CMIS), ("xmlns:cmisra", CMISRA)];
    writer.start("entry", &namespaces).ok()?;
    writer.start("author", &[]).ok()?;
    writer.element("name", "Amtsbote").ok()?;
    writer.end().ok()?;
    writer.element("id", &format!("urn:uuid:{}", model::ids::new_id())).ok()?;
    writer.element("title", title).ok()?;
    // Demanded by Atom; servers set their own.
    writer.element("updated", "2026-01-01T00:00:00Z").ok()?;
    writer.start("cmisra:object", &[]).ok()?;
    writer.start("cmis:properties", &[]).ok()?;
    for property in set {
        let name = format!("cmis:property{}", kind(property.kind));
        writer.start(&name, &[("propertyDefinitionId", &property.id)]).ok()?;
        for value in &property.values {
            writer.element("cmis:value", value).ok()?;
        }
        writer.end().ok()?;
    }
    for _ in 0..3 {
        writer.end().ok()?;
    }
    String::from_utf8(writer.finish().ok()?).ok()
}

/// A query to be sent (section 3.7.4).
pub(super) fn query(statement: &str, skip: usize, most: usize) -> Option<String> {
    let mut writer = Writer::new(Vec::new()).ok()?;
    writer.start("cmis:query", &[("xmlns:cmis", CMIS)]).ok()?;
    writer.element("cmis:statement", statement).ok()?;
    writer.element("cmis:searchAllVersions", "false").ok()?;
    writer.element("cmis:maxItems", &most.to_string()).ok()?;
    writer.element("cmis:skipCount", &skip.to_string()).ok()?;
    writer.end().ok()?;
    String::from_utf8(writer.finish().ok()?).ok()
}

fn kind(kind: SetKind) -> &'static str {
    match kind {
        SetKind::Id => "Id",
        SetKind::Of(ValueKind::Text) => "String",
        SetKind::Of(ValueKind::Date) => "DateTime",
        SetKind::Of(ValueKind::Number) => "Integer",
        SetKind::Of(ValueKind::Flag) => "Boolean",
    }
}
