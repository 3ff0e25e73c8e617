//! Types of the simulated repository: those of the in-memory server whose traffic was recorded, and two for a gateway.

use serde_json::{Map, Value, json};

/// Folder type with properties for a gateway.
pub const CASE_FOLDER: &str = "amt:akte";
/// Versionable document type with properties for a gateway.
pub const CASE_DOCUMENT: &str = "amt:dokument";
/// Property for the gateway's own identifier.
pub const OWN: &str = "amt:id";

/// A property: id, type, whether it has several values, updatability.
pub(super) type Property = (&'static str, &'static str, bool, &'static str);

const COMMON: [Property; 11] = [
    ("cmis:objectId", "id", false, "readonly"),
    ("cmis:baseTypeId", "id", false, "readonly"),
    ("cmis:objectTypeId", "id", false, "oncreate"),
    ("cmis:secondaryObjectTypeIds", "id", true, "readwrite"),
    ("cmis:name", "string", false, "readwrite"),
    ("cmis:description", "string", false, "readwrite"),
    ("cmis:createdBy", "string", false, "readonly"),
    ("cmis:creationDate", "datetime", false, "readonly"),
    ("cmis:lastModifiedBy", "string", false, "readonly"),
    ("cmis:lastModificationDate", "datetime", false, "readonly"),
    ("cmis:changeToken", "string", false, "readonly"),
];

const FOLDER: [Property; 3] = [
    ("cmis:path", "string", false, "readonly"),
    ("cmis:parentId", "id", false, "readonly"),
    ("cmis:allowedChildObjectTypeIds", "id", true, "readonly"),
];

const DOCUMENT: [Property; 15] = [
    ("cmis:isImmutable", "boolean", false, "readonly"),
    ("cmis:versionLabel", "string", false, "readonly"),
    ("cmis:checkinComment", "string", false, "readonly"),
    ("cmis:isMajorVersion", "boolean", false, "readonly"),
    ("cmis:isLatestVersion", "boolean", false, "readonly"),
    ("cmis:isLatestMajorVersion", "boolean", false, "readonly"),
    ("cmis:isPrivateWorkingCopy", "boolean", false, "readonly"),
    ("cmis:isVersionSeriesCheckedOut", "boolean", false, "readonly"),
    ("cmis:versionSeriesCheckedOutBy", "string", false, "readonly"),
    ("cmis:versionSeriesCheckedOutId", "id", false, "readonly"),
    ("cmis:versionSeriesId", "id", false, "readonly"),
    ("cmis:contentStreamFileName", "string", false, "readonly"),
    ("cmis:contentStreamLength", "integer", false, "readonly"),
    ("cmis:contentStreamMimeType", "string", false, "readonly"),
    ("cmis:contentStreamId", "string", false, "readonly"),
];

const VERSIONED: [Property; 1] = [("VersionedStringProp", "string", false, "readwrite")];
const SECONDARY: [Property; 2] = [
    ("SecondaryStringProp", "string", false, "readwrite"),
    ("SecondaryIntegerProp", "integer", false, "readwrite"),
];
const AMT_FOLDER: [Property; 4] = [
    (OWN, "string", false, "readwrite"),
    ("amt:titel", "string", false, "readwrite"),
    ("amt:aktenzeichen", "string", false, "readwrite"),
    ("amt:frist", "datetime", false, "readwrite"),
];
const AMT_DOCUMENT: [Property; 4] = [
    (OWN, "string", false, "readwrite"),
    ("amt:titel", "string", false, "readwrite"),
    ("amt:eingang", "datetime", false, "readwrite"),
    ("amt:bemerkung", "string", false, "readwrite"),
];

/// A type.
pub(super) struct Type {
    pub(super) id: &'static str,
    pub(super) base: &'static str,
    pub(super) versionable: bool,
    own: &'static [Property],
}

pub(super) const TYPES: [Type; 9] = [
    Type { id: "cmis:secondary", base: "cmis:secondary", versionable: false, own: &[] },
    Type { id: "cmis:item", base: "cmis:item", versionable: false, own: &[] },
    Type { id: "cmis:relationship", base: "cmis:relationship", versionable: false, own: &[] },
    Type { id: "cmis:folder", base: "cmis:folder", versionable: false, own: &[] },
    Type { id: "cmis:document", base: "cmis:document", versionable: false, own: &[] },
    Type { id: "VersionableType", base: "cmis:document", versionable: true, own: &VERSIONED },
    Type { id: "MySecondaryType", base: "cmis:secondary", versionable: false, own: &SECONDARY },
    Type { id: CASE_FOLDER, base: "cmis:folder", versionable: false, own: &AMT_FOLDER },
    Type { id: CASE_DOCUMENT, base: "cmis:document", versionable: true, own: &AMT_DOCUMENT },
];

/// A type by its id.
pub(super) fn of(id: &str) -> Option<&'static Type> {
    TYPES.iter().find(|it| it.id == id)
}

impl Type {
    /// All its properties; those of a secondary type are its own alone.
    pub(super) fn properties(&self) -> impl Iterator<Item = &'static Property> {
        let (common, more): (&[Property], &[Property]) = match self.base {
            "cmis:folder" => (&COMMON, &FOLDER),
            "cmis:document" => (&COMMON, &DOCUMENT),
            "cmis:secondary" => (&[], &[]),
            _ => (&COMMON, &[]),
        };
        common.iter().chain(more).chain(self.own)
    }

    pub(super) fn json(&self, with_properties: bool) -> Value {
        let is_object = self.base == "cmis:document" || self.base == "cmis:folder";
        let mut it = json!({
            "id": self.id, "localName": self.id, "localNamespace": "http://apache.org", "displayName": self.id,
            "queryName": self.id, "description": self.id, "baseId": self.base, "creatable": is_object,
            "fileable": is_object, "queryable": true, "fulltextIndexed": false, "includedInSupertypeQuery": true,
            "controllablePolicy": is_object, "controllableACL": is_object,
            "typeMutability": { "create": true, "update": false, "delete": false },
        });
        if self.base == "cmis:document" {
            it["versionable"] = Value::from(self.versionable);
            it["contentStreamAllowed"] = Value::from("allowed");
        }
        if with_properties {
            it["propertyDefinitions"] =
                Value::Object(self.properties().map(definition).collect::<Map<_, _>>());
        }
        it
    }
}

fn definition(property: &Property) -> (String, Value) {
    let (id, kind, multi, updatability) = *property;
    let it = json!({
        "id": id, "localName": id, "displayName": id, "queryName": id, "description": id, "propertyType": kind,
        "cardinality": if multi { "multi" } else { "single" }, "updatability": updatability, "inherited": false,
        "required": id == "cmis:name", "queryable": true, "orderable": !multi,
    });
    (id.to_owned(), it)
}
