//! Damages documents in many small ways; the same seed gives the same documents.
use xml::{Event, Limits, Reader, Writer};

#[derive(Debug, Clone)]
pub(crate) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Node>,
}

impl Element {
    fn empty() -> Self {
        Element { name: String::new(), attributes: Vec::new(), children: Vec::new() }
    }
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

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
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

/// Elements whose declared fixed value is the boolean `1`, which libxml2 compares by its characters.
const FIXED_BOOLEANS: [&str; 5] =
    ["Importbestaetigung", "Unbefristet", "SignaturSiegelEingebettet", "Neu", "Uebersprungen"];

/// Writes fixed booleans as the schemas declare them. There we know better than libxml2.
pub(crate) fn normalise(mut element: Element) -> Element {
    let is_fixed = FIXED_BOOLEANS.contains(&element.name.rsplit(':').next().unwrap());
    let text = element.children.iter().map(|child| match child {
        Node::Text(text) => text.trim(),
        Node::Element(_) => "",
    });
    let text: String = text.collect();
    let has_elements = element.children.iter().any(|child| matches!(child, Node::Element(_)));
    if is_fixed && !has_elements && (text == "true" || text == "1") {
        set_text(&mut element, "1");
    }
    for child in &mut element.children {
        if let Node::Element(child) = child {
            *child = normalise(std::mem::replace(child, Element::empty()));
        }
    }
    element
}

const TEXTS: [&str; 36] = [
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
    "9FDE4E7A-B41B-11EC-9225-005056871B7C",
    "9fde4e7a-b41b-11ec-9225-00505687|b7c",
    " 9fde4e7a-b41b-11ec-9225-005056871b7c ",
    "9fde4e7a-b41b-11ec-9225-005056871b7c.pdf",
    "9fde4e7a-b41b-11ec-9225-005056871b7c_.",
    "2024",
    "2024Z",
    "24:00:00",
    "10:00",
    "2024-02-29+14:01",
    "+5",
    "1.0",
    "65536",
    "QUJD",
    "QUJ",
    "\u{416}",
    "\u{1F4C4}",
    "M\u{302}n\u{302}J\u{30C}",
    "o\u{302}A\u{30B}k\u{35F}h",
    "a\r\n\tb\u{A0}\u{AD}",
];
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// Those of the schemas that have no type of 06xx beneath them in one judge alone.
const TYPES: [&str; 8] = [
    "xdomea:DokumentType",
    "xdomea:AnlageDokumentType",
    "xdomea:AkteType",
    "xdomea:KontaktType",
    "xdomea:NkAbgabeType",
    "xdomea:Unbekannt",
    "DokumentType",
    "",
];

/// Damages a document in one place; some damage does no harm.
pub(crate) fn mutate(root: &Element, dice: &mut Dice) -> Element {
    let mut root = root.clone();
    let mut all = Vec::new();
    places(&root, &mut Vec::new(), &mut all);
    let path = dice.pick(&all).clone();
    let (index, parent) = path.split_last().unwrap();
    match dice.roll(17) {
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
        13 => damage_root(&mut root, dice),
        14 => {
            let element = at(&mut root, &path);
            let (name, value) = match dice.roll(3) {
                0 => ("xsi:nil", "true"),
                _ => ("xsi:type", *dice.pick(&TYPES)),
            };
            element.attributes.retain(|(name, _)| name != "xmlns:xsi");
            element
                .attributes
                .extend([("xmlns:xsi", XSI), (name, value)].map(|(n, v)| (n.to_owned(), v.to_owned())));
        }
        15 => {
            let other = mutate(&root, dice);
            root = mutate(&other, dice);
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

/// Takes an attribute of the root away, or changes it; not its namespaces.
fn damage_root(root: &mut Element, dice: &mut Dice) {
    let is_plain = |(name, _): &&(String, String)| !name.starts_with("xmlns");
    let names: Vec<String> = root.attributes.iter().filter(is_plain).map(|(name, _)| name.clone()).collect();
    if names.is_empty() {
        return root.attributes.push(("test".into(), "1".into()));
    }
    let name = dice.pick(&names).clone();
    if dice.roll(2) == 0 {
        return root.attributes.retain(|(other, _)| *other != name);
    }
    let text = dice.pick(&TEXTS).to_string();
    root.attributes
        .iter_mut()
        .filter(|(other, _)| *other == name)
        .for_each(|(_, value)| text.clone_into(value));
}

fn set_text(element: &mut Element, text: &str) {
    element.children.retain(|child| matches!(child, Node::Element(_)));
    element.children.push(Node::Text(text.to_owned()));
}
