//! Makes messages from the outline of the schemas: with everything that can stand in them, or with
//! whatever a seed picks.

use std::collections::HashMap;
use std::path::Path;

/// A line of the outline.
enum Item {
    Extends(String),
    Choice(Vec<Item>),
    Any,
    Child { name: String, required: bool, many: bool, fixed: bool, kind: Kind },
}

/// What an element holds.
enum Kind {
    Named(String),
    Children(Vec<Item>),
}

struct Code {
    named: bool,
    uri: Option<String>,
    version: Option<String>,
    values: Vec<String>,
}

/// The outline of one version.
pub(crate) struct Outline {
    namespace: String,
    types: HashMap<String, Vec<Item>>,
    codes: HashMap<String, Code>,
}

impl Outline {
    pub(crate) fn read(annex: &Path, version: &str) -> Outline {
        let text = std::fs::read_to_string(annex.join(format!("xdomea-{version}-structure.txt"))).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let mut types = HashMap::new();
        for (index, line) in lines.iter().enumerate() {
            let name = line.strip_prefix("TYPE ").or_else(|| line.strip_prefix("ELEMENT "));
            if let Some(name) = name {
                types.insert(name.trim().to_owned(), parse(&lines[index + 1..], 2).0);
            }
        }
        let codes = codes(&std::fs::read_to_string(annex.join("xdomea-codetypes.txt")).unwrap(), version);
        Outline { namespace: format!("urn:xoev-de:xdomea:schema:{version}"), types, codes }
    }
}

/// The lines with at least this indent.
fn parse(lines: &[&str], indent: usize) -> (Vec<Item>, usize) {
    let mut items = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if line.len() - line.trim_start().len() < indent || line.starts_with('#') {
            break;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let (children, used) = parse(&lines[at + 1..], indent + 2);
        at += 1 + used;
        items.push(match words[0] {
            "(extension" => Item::Extends(words[2].trim_end_matches(')').rsplit(':').next().unwrap().into()),
            "(restriction" => continue,
            "CHOICE" => Item::Choice(children),
            "ANY" => Item::Any,
            name => Item::Child {
                name: name.into(),
                required: words[1].starts_with("[1"),
                many: words[1].ends_with("n]"),
                fixed: words.last().unwrap().starts_with("fixed"),
                kind: match words.get(2) {
                    Some(kind) => Kind::Named((*kind).into()),
                    None => Kind::Children(children),
                },
            },
        });
    }
    (items, at)
}

fn codes(text: &str, version: &str) -> HashMap<String, Code> {
    let section = text.split("### ").find(|part| part.starts_with(&format!("xdomea/{version}/"))).unwrap();
    let mut codes: HashMap<String, Code> = HashMap::new();
    let mut last = String::new();
    for line in section.lines().skip(1) {
        if line.starts_with(' ') {
            let values =
                line.split(';').map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
            codes.get_mut(&last).unwrap().values = values.take(3).collect();
            continue;
        }
        let Some((name, rest)) = line.split_once(": ") else { continue };
        let attribute = |key: &str| {
            let value = rest.split_once(&format!("{key}=('"))?.1.split_once("', ")?.1.split_once(')')?.0;
            value.strip_prefix('\'').map(|value| value.trim_end_matches('\'').to_owned())
        };
        last = name.to_owned();
        let code = Code {
            named: rest.starts_with("name=0"),
            uri: attribute("listURI"),
            version: attribute("listVersionID"),
            values: vec![],
        };
        codes.insert(last.clone(), code);
    }
    codes
}

/// Makes one message.
pub(crate) struct Maker<'a> {
    outline: &'a Outline,
    /// `None`: everything.
    seed: Option<u64>,
    state: u64,
    out: String,
    number: u32,
    open: Vec<String>,
    code: &'static str,
    process: &'a str,
}

impl<'a> Maker<'a> {
    /// A message of the type with this root, such as `Abgabe.Abgabe.0401`.
    pub(crate) fn make(
        outline: &'a Outline,
        root: &'static str,
        process: &'a str,
        seed: Option<u64>,
    ) -> String {
        let state = seed.unwrap_or(7).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let code = &root[root.len() - 4..];
        let out = format!("<?xml version=\"1.0\"?>\n<xdomea:{root} xmlns:xdomea=\"{}\">", outline.namespace);
        let mut maker = Maker { outline, seed, state, out, number: 0, open: vec![], code, process };
        maker.items(&outline.types[root]);
        maker.out.push_str(&format!("</xdomea:{root}>"));
        maker.out
    }

    fn pick(&mut self, count: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % count
    }

    fn items(&mut self, items: &'a [Item]) {
        for item in items {
            match item {
                Item::Extends(base) => self.items(&self.outline.types[base]),
                Item::Any => self.out.push_str(
                    "<f:x xmlns:f=\"urn:f\" f:a=\"1\" b=\"&quot;\">t<y xmlns=\"urn:g\"/> <f:z>&amp;</f:z></f:x><n/>",
                ),
                Item::Choice(branches) => {
                    let branch = self.pick(branches.len() as u64) as usize;
                    self.items(&branches[branch..=branch]);
                }
                Item::Child { name, required, many, fixed, kind } => {
                    let count = self.count(*required, *many, kind);
                    (0..count).for_each(|_| self.element(name, *fixed, kind));
                }
            }
        }
    }

    fn count(&mut self, required: bool, many: bool, kind: &Kind) -> u64 {
        let depth = self.open.len();
        let again = match kind {
            Kind::Named(kind) => self.open.iter().filter(|open| *open == kind).count(),
            Kind::Children(_) => 0,
        };
        let goes_on = match self.seed {
            None => again < 2 && depth < 12,
            Some(_) => again < 3 && self.pick(10) < if depth < 9 { 6 } else { 2 },
        };
        let most = if many && depth < if self.seed.is_none() { 3 } else { 5 } { 2 } else { 1 };
        match (required, goes_on) {
            (true, false) => 1,
            (false, false) => 0,
            (_, true) if self.seed.is_none() => most,
            (_, true) => 1 + self.pick(most),
        }
    }

    fn element(&mut self, name: &str, fixed: bool, kind: &'a Kind) {
        let kind = match kind {
            Kind::Named(kind) => kind.as_str(),
            Kind::Children(children) => {
                self.out.push_str(&format!("<xdomea:{name}>"));
                self.open.push(String::new());
                self.items(children);
                self.open.pop();
                self.out.push_str(&format!("</xdomea:{name}>"));
                return;
            }
        };
        let local = kind.rsplit(':').next().unwrap();
        if let Some(code) = self.outline.codes.get(local) {
            return self.code(name, code);
        }
        if local == "Code" {
            let attributes =
                ["", " listURI=\"urn:x\" listVersionID=\"1\"", " listURI=\"\" listVersionID=\"\""];
            let attributes = attributes[self.pick(3) as usize];
            let value = ["bab", "05974000", "x y", "sender"][self.pick(4) as usize];
            self.out.push_str(&format!("<xdomea:{name}{attributes}><code>{value}</code></xdomea:{name}>"));
            return;
        }
        self.out.push_str(&format!("<xdomea:{name}>"));
        match self.outline.types.get(local) {
            Some(items) => {
                self.open.push(kind.to_owned());
                self.items(items);
                self.open.pop();
            }
            None => {
                let value = if fixed { "1".to_owned() } else { self.value(name, local) };
                self.out.push_str(&value);
            }
        }
        self.out.push_str(&format!("</xdomea:{name}>"));
    }

    fn code(&mut self, name: &str, code: &Code) {
        let value = match name {
            "Nachrichtentyp" => self.code.to_owned(),
            // Anything else is classified.
            "Vertraulichkeitsstufe" => "003".to_owned(),
            _ if !code.values.is_empty() => code.values[self.pick(code.values.len() as u64) as usize].clone(),
            "Name" => ["018", "044", "023", "045"][self.pick(4) as usize].to_owned(),
            "Kanal" => ["01", "05", "09"][self.pick(3) as usize].to_owned(),
            _ => ["DE", "276"][self.pick(2) as usize].to_owned(),
        };
        let mut attributes = String::new();
        let is_open = code.version.is_none();
        if is_open || self.pick(2) == 0 {
            let version = code.version.as_deref().unwrap_or(["1.0", "3"][self.pick(2) as usize]);
            let uri = code.uri.as_deref().unwrap_or("urn:x");
            attributes = format!(" listURI=\"{uri}\" listVersionID=\"{version}\"");
            if self.pick(4) == 0 {
                attributes = format!(" listVersionID=\"{version}\" listURI=\"{uri}\"");
            }
        }
        let text = if code.named && self.pick(2) == 0 { "<name>Name &amp; mehr</name>" } else { "" };
        self.out.push_str(&format!("<xdomea:{name}{attributes}><code>{value}</code>{text}</xdomea:{name}>"));
    }

    fn value(&mut self, name: &str, kind: &str) -> String {
        self.number += 1;
        let number = self.number;
        let of = |values: &[&str], picked: u64| values[picked as usize % values.len()].to_owned();
        let picked = self.pick(60);
        match kind {
            "stringUUIDType" if name == "ProzessID" => self.process.to_owned(),
            "stringUUIDType" => self.uuid(number),
            "stringDateinameType" => {
                let uuid = self.uuid(number);
                uuid + &of(&["", ".pdf", "_Text mit Leerzeichen.pdf", "_Prüfung.PDF", "-x"], picked)
            }
            "boolean" => of(&["1", "0", "true", "false"], picked),
            "date" => of(&["2026-02-28", "2026-02-28Z", "2026-02-28+01:00", "2024-02-29"], picked),
            "time" => of(&["10:00:00", "10:00:00.5Z"], picked),
            "dateTime" => {
                let times = ["2026-02-28T10:00:00Z", "2026-02-28T10:00:00", "2026-02-28T10:00:00.500+01:00"];
                of(&times, picked)
            }
            "unsignedShort" => of(&["10", "010", "0"], picked),
            "unsignedInt" if picked < 20 => format!("{number:09}"),
            "unsignedInt" => number.to_string(),
            "string" => of(
                &[
                    "Text",
                    "Text &amp; &lt;mehr&gt; &quot;ÄÖÜß€&quot;",
                    "  Rand  ",
                    "Zeile 1\nZeile 2\tTab",
                    "a&#13;\nb",
                    "",
                    "\u{1F4C4} \u{10FFFD}",
                    "video/mp4",
                ],
                picked,
            ),
            other => panic!("no value for {other}"),
        }
    }

    fn uuid(&mut self, number: u32) -> String {
        let high = self.seed.unwrap_or(0) as u16;
        let uuid = format!("{number:08x}-abcd-4abc-8abc-{high:04x}{:08x}", number ^ 0xffff);
        if self.pick(3) == 0 { uuid.to_uppercase() } else { uuid }
    }
}
