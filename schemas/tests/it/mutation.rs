//! Damages documents in many small ways; the same seed gives the same documents.
use xml::{Event, Limits, Reader, Writer};

#[derive(Debug, Clone)]
pub(crate) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Node>,
}

#[derive(Debug, Clone)]
enum Node {
    Element(Element),
    Text(String),
}

/// xorshift64*: good enough to choose places with, and the same everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % sides.max(1)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

pub(crate) fn parse(document: &[u8]) -> Element {
    let mut reader = Reader::new(document, Limits::default());
    let mut stack: Vec<Element> = Vec::new();
    loop {
        match reader.next().unwrap() {
            Event::Start(start) => {
                let qualified = |prefix: Option<&str>, local: &str| match prefix {
                    Some(prefix) => format!("{prefix}:{local}"),
                    None => local.to_owned(),
                };
                let declarations = start.declarations().map(|(prefix, uri)| {
                    (prefix.map_or("xmlns".to_owned(), |prefix| format!("xmlns:{prefix}")), uri.to_owned())
                });
                let attributes =
                    start.attributes().map(|a| (qualified(a.prefix, a.local), a.value.to_owned()));
                let attributes = declarations.chain(attributes).collect();
                let name = qualified(start.prefix(), start.local());
                stack.push(Element { name, attributes, children: Vec::new() });
            }
            Event::Text(text) => stack.last_mut().unwrap().children.push(Node::Text(text.to_owned())),
            Event::End => {
                let element = stack.pop().unwrap();
                match stack.last_mut() {
                    Some(parent) => parent.children.push(Node::Element(element)),
                    None => return element,
                }
            }
            Event::Eof => unreachable!(),
        }
    }
}

pub(crate) fn write(root: &Element) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    write_element(&mut writer, root);
    writer.finish().unwrap()
}

fn write_element(writer: &mut Writer<Vec<u8>>, element: &Element) {
    let attributes: Vec<_> = element.attributes.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    writer.start(&element.name, &attributes).unwrap();
    for child in &element.children {
        match child {
            Node::Element(child) => write_element(writer, child),
            Node::Text(text) => writer.text(text).unwrap(),
        }
    }
    writer.end().unwrap();
}

/// Paths (child indices) of all elements but the root.
fn places(element: &Element, path: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    for (index, child) in element.children.iter().enumerate() {
        if let Node::Element(child) = child {
            path.push(index);
            all.push(path.clone());
            places(child, path, all);
            path.pop();
        }
    }
}

fn at<'a>(root: &'a mut Element, path: &[usize]) -> &'a mut Element {
    path.iter().fold(root, |element, index| match &mut element.children[*index] {
        Node::Element(child) => child,
        Node::Text(_) => unreachable!(),
    })
}

const TEXTS: [&str; 16] = [
    "",
    " ",
    "x",
    "1",
    "0",
    "true",
    " 1 ",
    "-1",
    "4294967296",
    "2024-02-30",
    "2024-02-29",
    "A",
    "001",
    "999",
    "2024-01-01T00:00:00",
    "9fde4e7a-b41b-11ec-9225-005056871b7c",
];

/// Damages a document in one place; some damage does no harm.
pub(crate) fn mutate(root: &Element, dice: &mut Dice) -> Element {
    let mut root = root.clone();
    let mut all = Vec::new();
    places(&root, &mut Vec::new(), &mut all);
    let path = dice.pick(&all).clone();
    let (index, parent) = path.split_last().unwrap();
    match dice.roll(14) {
        0 => drop(at(&mut root, parent).children.remove(*index)),
        1 => {
            let parent = at(&mut root, parent);
            let copy = parent.children[*index].clone();
            parent.children.insert(*index, copy);
        }
        2 => {
            let siblings = &mut at(&mut root, parent).children;
            let other = dice.roll(siblings.len());
            siblings.swap(*index, other);
        }
        3 => {
            let other = dice.pick(&all).clone();
            let name = at(&mut root, &other).name.clone();
            at(&mut root, &path).name = name;
        }
        4 => {
            let other = dice.pick(&all).clone();
            let foreign = at(&mut root, &other).clone();
            at(&mut root, &path).children.push(Node::Element(foreign));
        }
        5 | 6 => set_text(at(&mut root, &path), TEXTS[dice.roll(TEXTS.len())]),
        7 => set_text(at(&mut root, &path), &"\u{E4}".repeat(5_000)),
        8 => at(&mut root, &path).attributes.clear(),
        9 => {
            let element = at(&mut root, &path);
            if let Some((_, value)) = element.attributes.last_mut() {
                *value = TEXTS[dice.roll(TEXTS.len())].to_owned();
            }
        }
        10 => at(&mut root, &path).attributes.push(("unbekannt".into(), "1".into())),
        11 => {
            let codes: Vec<_> =
                all.iter().filter(|path| at(&mut root, path).name == "code").cloned().collect();
            if !codes.is_empty() {
                set_text(
                    at(&mut root, &codes[dice.roll(codes.len())].clone()),
                    TEXTS[dice.roll(TEXTS.len())],
                );
            }
        }
        12 => {
            let element = at(&mut root, &path);
            element.name = match element.name.split_once(':') {
                Some((_, local)) => local.to_owned(),
                None => format!("xdomea:{}", element.name),
            };
            if element.name.starts_with("xdomea:")
                && !root.attributes.iter().any(|(n, _)| n == "xmlns:xdomea")
            {
                at(&mut root, &path).attributes.push(("xmlns:xdomea".into(), "urn:other".into()));
            }
        }
        _ => {
            let element = at(&mut root, &path);
            let prefix = element.name.split_once(':').map(|(prefix, _)| format!("xmlns:{prefix}"));
            let declaration = prefix.unwrap_or("xmlns".to_owned());
            element.attributes.retain(|(name, _)| *name != declaration);
            element.attributes.push((declaration, "urn:other".to_owned()));
        }
    }
    root
}

fn set_text(element: &mut Element, text: &str) {
    element.children.retain(|child| matches!(child, Node::Element(_)));
    element.children.push(Node::Text(text.to_owned()));
}
