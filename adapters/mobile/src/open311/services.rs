//! What may be reported, and where: discovery, service list, service definition (GeoReport v2).

use super::answer::Node;
use crate::settings::{Attribute, Service, Settings};

/// What the specification is called in a discovery.
const SPECIFICATION: &str = "http://wiki.open311.org/GeoReport_v2";

/// `discovery`.
pub(crate) fn discovery(settings: &Settings) -> Node {
    let formats = ["text/xml", "application/json"].map(Node::text).to_vec();
    let endpoint = Node::Object(vec![
        ("specification", Node::text(SPECIFICATION)),
        ("url", Node::text(settings.url.clone())),
        ("changeset", Node::text(settings.changeset.clone())),
        ("type", Node::text(if settings.test { "test" } else { "production" })),
        ("formats", Node::List("format", formats)),
    ]);
    Node::Object(vec![
        ("changeset", Node::text(settings.changeset.clone())),
        ("contact", Node::maybe(settings.contact.clone())),
        ("key_service", Node::maybe(settings.key_service.clone())),
        ("endpoints", Node::List("endpoint", vec![endpoint])),
    ])
}

/// `services`.
pub(crate) fn services(settings: &Settings) -> Node {
    Node::List("service", settings.services.iter().map(service).collect())
}

fn service(service: &Service) -> Node {
    Node::Object(vec![
        ("service_code", Node::text(service.code.clone())),
        ("service_name", Node::text(service.name.clone())),
        ("description", Node::maybe(service.description.clone())),
        ("metadata", Node::Bool(!service.attributes.is_empty())),
        ("type", Node::text(if service.batch { "batch" } else { "realtime" })),
        ("keywords", Node::text(service.keywords.join(","))),
        ("group", Node::maybe(service.group.clone())),
    ])
}

/// `service_definition`.
pub(crate) fn definition(service: &Service) -> Node {
    let attributes = service.attributes.iter().enumerate();
    Node::Object(vec![
        ("service_code", Node::text(service.code.clone())),
        ("attributes", Node::List("attribute", attributes.map(|(at, it)| attribute(at + 1, it)).collect())),
    ])
}

fn attribute(order: usize, attribute: &Attribute) -> Node {
    let mut parts = vec![
        ("variable", Node::Bool(attribute.variable)),
        ("code", Node::text(attribute.code.clone())),
        ("datatype", Node::text(attribute.datatype.clone())),
        ("required", Node::Bool(attribute.required)),
        ("datatype_description", Node::maybe(attribute.datatype_description.clone())),
        ("order", Node::Number(order.to_string())),
        ("description", Node::text(attribute.description.clone())),
    ];
    if !attribute.values.is_empty() {
        let value = |(key, name): &(String, String)| {
            Node::Object(vec![("key", Node::text(key.clone())), ("name", Node::text(name.clone()))])
        };
        parts.push(("values", Node::List("value", attribute.values.iter().map(value).collect())));
    }
    Node::Object(parts)
}
