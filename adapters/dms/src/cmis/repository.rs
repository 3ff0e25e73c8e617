//! The port over a CMIS repository. Found by our identifier with a query (CMIS 1.1, section 2.1.14; escaping 2.1.14.2.1); a new version by
//! check-out and check-in (2.1.13.5), or by replacing the content where the type has no versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use model::adapter::Content;
use model::{Clock, Failure, Timestamp};
use net::Client;
use tokio::sync::OnceCell;

use super::atom::Atom;
use super::browser::{self, Browser};
use super::http::{Exception, Http, Trouble, found};
use super::wire::{Properties, Repository, Set, SetKind, TypeDefinition, Wire};
use super::{Binding, Settings, entry, pump};
use crate::failure;
use crate::mapping::{Mapping, moment};
use crate::port::{Bytes, Changes, Created, Entry, Object, Port, Value, ValueKind};

/// What our versions are marked with in `cmis:checkinComment`, before the id of the payload.
const MARK: &str = "Amtsbote ";

/// Objects with one identifier of ours that are looked at: copies that somebody made have it, too.
const MOST_FOUND: usize = 20;

/// A CMIS repository.
pub struct Cmis {
    pub(super) settings: Settings,
    pub(super) wire: Box<dyn Wire>,
    pub(super) clock: Arc<dyn Clock>,
    http: Arc<Http>,
    /// Properties that are read, with their types.
    read: Vec<(String, ValueKind)>,
    setup: OnceCell<Setup>,
    root: OnceCell<String>,
}

/// What is asked once.
pub(super) struct Setup {
    pub(super) repository: Repository,
    pub(super) folder: TypeDefinition,
    pub(super) document: TypeDefinition,
    secondary: Vec<TypeDefinition>,
}

impl Cmis {
    /// A repository that is called through `client`.
    pub fn new(settings: Settings, mapping: &Mapping, client: Client, clock: Arc<dyn Clock>) -> Self {
        let named = match settings.binding {
            Binding::Browser => browser::exception,
            Binding::AtomPub => entry::exception,
        };
        let http = Arc::new(Http::new(&settings, client, Arc::clone(&clock), named));
        let (url, wanted) = (settings.url.clone(), settings.repository.clone());
        let wire: Box<dyn Wire> = match settings.binding {
            Binding::Browser => {
                Box::new(Browser { http: Arc::clone(&http), url, wanted, known: OnceCell::new() })
            }
            Binding::AtomPub => {
                Box::new(Atom { http: Arc::clone(&http), url, wanted, known: OnceCell::new() })
            }
        };
        let fields = mapping.folders.iter().chain(&mapping.documents);
        let mut read: Vec<_> = fields.map(|field| (field.property.clone(), field.kind)).collect();
        read.extend(mapping.reference.clone().map(|property| (property, ValueKind::Text)));
        Cmis { settings, wire, clock, http, read, setup: OnceCell::new(), root: OnceCell::new() }
    }

    pub(super) async fn setup(&self) -> Result<&Setup, Failure> {
        let ask = async || {
            let mut secondary = vec![];
            for id in &self.settings.secondary_types {
                secondary.push(self.wire.type_definition(id).await?);
            }
            Ok::<_, Trouble>(Setup {
                repository: self.wire.repository().await?,
                folder: self.wire.type_definition(&self.settings.folder_type).await?,
                document: self.wire.type_definition(&self.settings.document_type).await?,
                secondary,
            })
        };
        Ok(self.setup.get_or_try_init(ask).await?)
    }

    /// The query for an identifier of ours.
    fn statement(&self, setup: &Setup, own: &str, is_folder: bool) -> Result<String, Failure> {
        let of = if is_folder { &setup.folder } else { &setup.document };
        let name = &self.settings.own_property;
        if let Some(property) = of.properties.get(name) {
            return Ok(format!(
                "SELECT * FROM {} WHERE {} = '{}'",
                of.query_name,
                property.query_name,
                escaped(own)
            ));
        }
        let secondary = setup.secondary.iter().find_map(|it| Some((it, it.properties.get(name)?)));
        let (aspect, property) = secondary
            .ok_or_else(|| failure::setup("no configured type has the property for our identifier"))?;
        let (aspect, property, own) = (&aspect.query_name, &property.query_name, escaped(own));
        Ok(match setup.repository.can("capabilityJoin") {
            "none" => format!("SELECT * FROM {aspect} WHERE {property} = '{own}'"),
            _ => format!(
                "SELECT t.* FROM {} AS t JOIN {aspect} AS s ON t.cmis:objectId = s.cmis:objectId WHERE s.{property} = '{own}'",
                of.query_name
            ),
        })
    }

    pub(super) fn object(&self, it: &Properties) -> Object {
        let is_folder = it.one("cmis:baseTypeId") == Some("cmis:folder");
        let text = |id: &str| it.one(id).map(str::to_owned);
        let content = || {
            let ids = [
                "cmis:contentStreamHash",
                "cmis:contentStreamId",
                "cmis:contentStreamLength",
                "cmis:versionLabel",
            ];
            let known: Vec<&str> = ids.iter().filter_map(|id| it.one(id)).chain([it.id()]).collect();
            hex::encode(&seal::sha256(&[known.join("\n").as_bytes()]).0[..16])
        };
        let read = self.read.iter().filter_map(|(id, kind)| Some((id.clone(), value(*kind, it.one(id)?))));
        Object {
            reference: it.id().to_owned(),
            series: if is_folder { Some(it.id().to_owned()) } else { text("cmis:versionSeriesId") },
            token: text("cmis:changeToken"),
            own: text(&self.settings.own_property),
            is_folder,
            name: text("cmis:name").unwrap_or_default(),
            version: text("cmis:versionLabel").filter(|_| !is_folder),
            content: (!is_folder).then(content),
            mark: it.one("cmis:checkinComment").and_then(|it| it.strip_prefix(MARK)).map(str::to_owned),
            size: it.one("cmis:contentStreamLength").and_then(|it| it.parse().ok()),
            media_type: text("cmis:contentStreamMimeType"),
            file_name: text("cmis:contentStreamFileName"),
            modified_at: it.one("cmis:lastModificationDate").and_then(time),
            properties: read.collect(),
        }
    }

    /// The latest version that is no private working copy.
    pub(super) async fn latest(&self, id: &str) -> Result<Option<Object>, Failure> {
        let Some(it) = found(self.wire.object(id).await)? else { return Ok(None) };
        let is_document = it.one("cmis:baseTypeId") == Some("cmis:document");
        if !is_document || it.one("cmis:isLatestVersion") != Some("false") {
            return Ok(Some(self.object(&it)));
        }
        let versions = found(self.wire.versions(id).await)?.unwrap_or_default();
        let latest = versions.into_iter().find(|it| !it.is("cmis:isPrivateWorkingCopy"));
        Ok(Some(self.object(&latest.unwrap_or(it))))
    }

    /// What is set when something is made.
    fn set(&self, setup: &Setup, kind: &str, entry: &Entry) -> Vec<Set> {
        let mut set = vec![Set::id("cmis:objectTypeId", kind)];
        if !setup.secondary.is_empty() {
            set.push(self.secondary(&[]));
        }
        set.push(Set::text(&self.settings.own_property, &entry.own));
        set.extend(entry.properties.iter().filter(|(_, it)| it.value.is_some()).map(one));
        set
    }

    fn secondary(&self, has: &[String]) -> Set {
        let mut values = has.to_vec();
        values.extend(self.settings.secondary_types.iter().filter(|it| !has.contains(it)).cloned());
        Set { id: "cmis:secondaryObjectTypeIds".to_owned(), kind: SetKind::Id, values, multi: true }
    }

    /// The private working copy of a document: a new one, or the one that an interrupted attempt of ours left.
    async fn copy_of(&self, of: &Object) -> Result<String, Failure> {
        let trouble = match self.wire.check_out(&of.reference).await {
            Ok(copy) => return Ok(copy.id().to_owned()),
            Err(trouble) => trouble,
        };
        let may_be_out = [Exception::UpdateConflict, Exception::Versioning, Exception::Conflict];
        if !may_be_out.into_iter().any(|exception| trouble.is(exception)) {
            return Err(trouble.into());
        }
        let it = self.wire.object(&of.reference).await?;
        if !it.is("cmis:isVersionSeriesCheckedOut") {
            return Err(failure::conflict());
        }
        let copy = it.one("cmis:versionSeriesCheckedOutId");
        let is_ours = it.one("cmis:versionSeriesCheckedOutBy") == Some(&self.settings.user);
        copy.filter(|_| is_ours).map(str::to_owned).ok_or_else(failure::checked_out)
    }

    async fn make_root(&self) -> Result<String, Failure> {
        let setup = self.setup().await?;
        let mut folder = setup.repository.root.clone();
        let mut path = String::new();
        for name in self.settings.folder.split('/').filter(|name| !name.is_empty()) {
            path = format!("{path}/{name}");
            if let Some(known) = found(self.wire.by_path(&path).await)? {
                folder = known.id().to_owned();
                continue;
            }
            let set = [Set::id("cmis:objectTypeId", "cmis:folder")];
            folder = match self.wire.create_folder(&folder, name, &set).await {
                Ok(made) => made.id().to_owned(),
                // Another node was quicker.
                Err(trouble) if is_taken(&trouble) => self.wire.by_path(&path).await?.id().to_owned(),
                Err(trouble) => return Err(trouble.into()),
            };
        }
        Ok(folder)
    }

    fn created(&self, outcome: Result<Properties, Trouble>) -> Result<Created, Failure> {
        match outcome {
            Ok(it) => Ok(Created::New(self.object(&it))),
            Err(trouble) if is_taken(&trouble) => Ok(Created::NameTaken),
            Err(trouble) => Err(trouble.into()),
        }
    }
}

#[async_trait]
impl Port for Cmis {
    async fn root(&self) -> Result<Object, Failure> {
        let id = self.root.get_or_try_init(|| self.make_root()).await?;
        Ok(Object { reference: id.clone(), is_folder: true, ..Object::default() })
    }

    async fn find(&self, own: &str, is_folder: bool) -> Result<Option<Object>, Failure> {
        let statement = self.statement(self.setup().await?, own, is_folder)?;
        let base = if is_folder { "cmis:folder" } else { "cmis:document" };
        let page = self.wire.query(&statement, 0, MOST_FOUND).await?;
        let fits = |it: &&Properties| it.one("cmis:baseTypeId").is_none_or(|it| it == base);
        // A copy that somebody has made is younger.
        let age = |it: &&Properties| it.one("cmis:creationDate").and_then(time);
        let oldest = page.objects.iter().filter(fits).min_by_key(age);
        match oldest {
            Some(it) => Ok(self.latest(it.id()).await?.filter(|it| it.is_folder == is_folder)),
            None => Ok(None),
        }
    }

    async fn get(&self, reference: &str) -> Result<Option<Object>, Failure> {
        self.latest(reference).await
    }

    async fn child(&self, folder: &str, name: &str) -> Result<Option<Object>, Failure> {
        let Some(folder) = found(self.wire.object(folder).await)? else { return Ok(None) };
        let Some(path) = folder.one("cmis:path") else { return Ok(None) };
        let path = format!("{}/{name}", path.trim_end_matches('/'));
        let child = found(self.wire.by_path(&path).await)?;
        Ok(child.map(|it| self.object(&it)))
    }

    async fn parent(&self, of: &Object) -> Result<Option<Object>, Failure> {
        let parents = match self.wire.parents(&of.reference).await {
            Ok(parents) => parents,
            // The root has none, and some say so.
            Err(Trouble::Said(said, _)) if !said.is_passing() => return Ok(None),
            Err(trouble) => return Err(trouble.into()),
        };
        // A document may lie in several folders; one of them may be ours.
        Ok(parents.iter().map(|it| self.object(it)).max_by_key(|it| it.own.is_some()))
    }

    async fn create_folder(&self, parent: &str, entry: &Entry) -> Result<Created, Failure> {
        let set = self.set(self.setup().await?, &self.settings.folder_type, entry);
        self.created(self.wire.create_folder(parent, &entry.name, &set).await)
    }

    async fn create_document(
        &self,
        folder: &str,
        entry: &Entry,
        bytes: &Bytes<'_>,
    ) -> Result<Created, Failure> {
        let setup = self.setup().await?;
        let set = self.set(setup, &self.settings.document_type, entry);
        let state = if setup.document.versionable { "major" } else { "none" };
        self.created(self.wire.create_document(folder, &entry.name, &set, state, bytes).await)
    }

    async fn new_version(&self, of: &Object, bytes: &Bytes<'_>) -> Result<Object, Failure> {
        if !self.setup().await?.document.versionable {
            let done = self.wire.set_content(&of.reference, of.token.as_deref(), bytes).await?;
            return Ok(self.object(&self.wire.object(done.id()).await?));
        }
        let copy = self.copy_of(of).await?;
        match self.wire.check_in(&copy, &format!("{MARK}{}", bytes.mark), bytes).await {
            Ok(version) => Ok(self.object(&self.wire.object(version.id()).await?)),
            Err(trouble) => {
                if let Trouble::Said(..) = trouble {
                    // Nobody else could work on it otherwise.
                    _ = self.wire.cancel_check_out(&copy).await;
                }
                Err(trouble.into())
            }
        }
    }

    async fn has_version(&self, of: &Object, mark: &str) -> Result<bool, Failure> {
        if !self.setup().await?.document.versionable {
            return Ok(false);
        }
        let versions = found(self.wire.versions(&of.reference).await)?.unwrap_or_default();
        let is_marked = |it: &Properties| {
            let comment = it.one("cmis:checkinComment").and_then(|it| it.strip_prefix(MARK));
            comment == Some(mark) && !it.is("cmis:isPrivateWorkingCopy")
        };
        Ok(versions.iter().any(is_marked))
    }

    async fn set_metadata(
        &self,
        of: &Object,
        own: Option<&str>,
        properties: &BTreeMap<String, Value>,
    ) -> Result<Object, Failure> {
        let mut set = vec![];
        if let Some(own) = own {
            if !self.settings.secondary_types.is_empty() {
                let it = self.wire.object(&of.reference).await?;
                set.push(
                    self.secondary(it.0.get("cmis:secondaryObjectTypeIds").map_or(&[][..], Vec::as_slice)),
                );
            }
            set.push(Set::text(&self.settings.own_property, own));
        }
        set.extend(properties.iter().map(one));
        let updated = self.wire.update(&of.reference, of.token.as_deref(), &set).await?;
        // Some answer with what was there before.
        Ok(self.object(&self.wire.object(updated.id()).await?))
    }

    async fn open(&self, of: &Object) -> Result<Content, Failure> {
        let url = self.wire.content_url(&of.reference).await?;
        let opened = self.http.open(&url, 0).await?;
        Ok(pump::download(Arc::clone(&self.http), url, opened.body))
    }

    async fn changes(&self, since: Option<&str>) -> Result<Option<Changes>, Failure> {
        super::seen::changes(self, since).await
    }

    async fn check(&self) -> Result<String, Failure> {
        let setup = self.setup().await?;
        let own = &self.settings.own_property;
        for (of, kind, base) in
            [(&setup.folder, "folder", "cmis:folder"), (&setup.document, "document", "cmis:document")]
        {
            if of.base != base {
                return Err(failure::setup(format!("the {kind} type is none of {base}")));
            }
            let property = of
                .properties
                .get(own)
                .or_else(|| setup.secondary.iter().find_map(|it| it.properties.get(own)));
            let property = property.ok_or_else(|| {
                failure::setup(format!("the {kind} type has no property {own} for our identifier"))
            })?;
            if !property.queryable || property.updatability == "readonly" {
                return Err(failure::setup(format!("the property {own} cannot be queried or set")));
            }
        }
        if setup.repository.can("capabilityQuery") == "none" {
            return Err(failure::setup("the repository has no queries, so nothing could be found again"));
        }
        self.root().await?;
        let Repository { id, product, version, .. } = &setup.repository;
        let versions =
            if setup.document.versionable { "versions" } else { "no versions: content is replaced" };
        let can = |name: &str| setup.repository.can(name).to_owned();
        Ok(format!(
            "CMIS {version}, repository {id}, {product}; {versions}; query {}, change log {}, join {}",
            can("capabilityQuery"),
            can("capabilityChanges"),
            can("capabilityJoin"),
        ))
    }
}

/// Whether something could not be made because of its name.
fn is_taken(trouble: &Trouble) -> bool {
    let taken = [Exception::NameConstraintViolation, Exception::ContentAlreadyExists, Exception::Conflict];
    taken.into_iter().any(|exception| trouble.is(exception))
}

/// A text within a statement.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

fn one((id, value): (&String, &Value)) -> Set {
    let text = value.value.as_ref().map(|text| match value.kind {
        ValueKind::Date => moment(text).map_or_else(|| text.clone(), |at| at.to_string()),
        _ => text.clone(),
    });
    Set { id: id.clone(), kind: SetKind::Of(value.kind), values: text.into_iter().collect(), multi: false }
}

/// A date as the bindings write it: milliseconds since 1970, or RFC 3339.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(millis) => Some(Timestamp::from_micros(millis.checked_mul(1_000)?)),
        Err(_) => Timestamp::parse(text),
    }
}

fn value(kind: ValueKind, text: &str) -> String {
    match kind {
        ValueKind::Date => time(text).map_or_else(|| text.to_owned(), |at| at.to_string()),
        _ => text.to_owned(),
    }
}
