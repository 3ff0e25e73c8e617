//! Process models as far as the simulated engine knows them: one token that goes from step to step, external and user tasks, messages
//! that start or are waited for, errors at the edge of a step.

use std::collections::BTreeMap;

/// A process.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) key: String,
    pub(super) name: Option<String>,
    pub(super) category: String,
    pub(super) history_days: Option<u64>,
    pub(super) nodes: BTreeMap<String, Node>,
    /// From step to step.
    pub(super) flows: BTreeMap<String, String>,
}

/// A step.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) kind: Kind,
}

/// What a step is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Start { message: Option<String> },
    External { topic: String },
    User { assignee: Option<String> },
    Catch { message: String },
    Boundary { of: String, error: String, code_variable: Option<String>, message_variable: Option<String> },
    End,
    Pass(String),
}

impl Kind {
    /// What histories call it.
    pub(super) fn name(&self) -> &str {
        match self {
            Kind::Start { message: None } => "startEvent",
            Kind::Start { message: Some(_) } => "messageStartEvent",
            Kind::External { .. } => "serviceTask",
            Kind::User { .. } => "userTask",
            Kind::Catch { .. } => "intermediateMessageCatch",
            Kind::Boundary { .. } => "boundaryError",
            Kind::End => "noneEndEvent",
            Kind::Pass(name) => name,
        }
    }
}

/// A tag: its name without prefix, its attributes without prefixes, whether it opens.
struct Tag {
    name: String,
    attributes: BTreeMap<String, String>,
    opens: bool,
}

impl Tag {
    fn get(&self, name: &str) -> Option<String> {
        self.attributes.get(name).cloned()
    }
}

/// Reads the processes of a file. It is no parser of XML: models of tests are plain.
pub(super) fn read(text: &str) -> Vec<Model> {
    let tags: Vec<Tag> = text.split('<').skip(1).filter_map(tag).collect();
    let named = |kind: &str, value: &str| -> BTreeMap<String, String> {
        tags.iter()
            .filter(|tag| tag.name == kind && tag.opens)
            .filter_map(|tag| Some((tag.get("id")?, tag.get(value)?)))
            .collect()
    };
    let (messages, errors) = (named("message", "name"), named("error", "errorCode"));
    let (mut models, mut category) = (vec![], String::new());
    let mut last: Option<(usize, String)> = None;
    for tag in tags.iter().filter(|tag| tag.opens) {
        match tag.name.as_str() {
            "definitions" => category = tag.get("targetNamespace").unwrap_or_default(),
            "process" => models.push(process(tag, &category)),
            _ => {}
        }
        let at = models.len().wrapping_sub(1);
        let Some(model) = models.last_mut() else { continue };
        match tag.name.as_str() {
            "sequenceFlow" => {
                model.flows.extend(tag.get("sourceRef").zip(tag.get("targetRef")));
            }
            "messageEventDefinition" => {
                let message = tag.get("messageRef").and_then(|id| messages.get(&id).cloned());
                if let Some(node) =
                    last.as_ref().filter(|(of, _)| *of == at).and_then(|(_, id)| model.nodes.get_mut(id))
                {
                    waits_for(node, message);
                }
            }
            "errorEventDefinition" => {
                let code = tag.get("errorRef").and_then(|id| errors.get(&id).cloned()).unwrap_or_default();
                let node = last.as_ref().and_then(|(_, id)| model.nodes.get_mut(id));
                if let Some(Kind::Boundary { error, code_variable, message_variable, .. }) =
                    node.map(|node| &mut node.kind)
                {
                    *error = code;
                    *code_variable = tag.get("errorCodeVariable");
                    *message_variable = tag.get("errorMessageVariable");
                }
            }
            _ => {
                if let Some(node) = node(tag) {
                    last = Some((at, node.id.clone()));
                    model.nodes.insert(node.id.clone(), node);
                }
            }
        }
    }
    models
}

fn process(tag: &Tag, category: &str) -> Model {
    let days = tag.get("historyTimeToLive");
    Model {
        key: tag.get("id").unwrap_or_default(),
        name: tag.get("name"),
        category: category.to_owned(),
        history_days: days.and_then(|days| days.trim_matches(['P', 'D']).parse().ok()),
        ..Model::default()
    }
}

fn node(tag: &Tag) -> Option<Node> {
    let kind = match tag.name.as_str() {
        "startEvent" => Kind::Start { message: None },
        "endEvent" => Kind::End,
        "serviceTask" if tag.get("type").as_deref() == Some("external") => {
            Kind::External { topic: tag.get("topic")? }
        }
        "userTask" => Kind::User { assignee: tag.get("assignee") },
        "boundaryEvent" => Kind::Boundary {
            of: tag.get("attachedToRef")?,
            error: String::new(),
            code_variable: None,
            message_variable: None,
        },
        "intermediateCatchEvent" => Kind::Catch { message: String::new() },
        name @ ("manualTask" | "task" | "exclusiveGateway") => Kind::Pass(name.to_owned()),
        _ => return None,
    };
    Some(Node { id: tag.get("id")?, name: tag.get("name"), kind })
}

fn waits_for(node: &mut Node, message: Option<String>) {
    match &mut node.kind {
        Kind::Start { message: of } => *of = message,
        Kind::Catch { message: of } => *of = message.unwrap_or_default(),
        _ => {}
    }
}

fn tag(text: &str) -> Option<Tag> {
    let inner = text.split('>').next()?;
    if inner.starts_with(['?', '!']) {
        return None;
    }

    let opens = !inner.starts_with('/');
    let (name, rest) = inner.trim_matches('/').split_once(char::is_whitespace).unwrap_or((inner, ""));
    let mut attributes = BTreeMap::new();
    let mut parts = rest.split('"');
    while let (Some(before), Some(value)) = (parts.next(), parts.next()) {
        let attribute = before.trim().trim_end_matches('=');
        attributes.insert(local(attribute).to_owned(), value.to_owned());
    }
    Some(Tag { name: local(name.trim_matches('/')).to_owned(), attributes, opens })
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}
