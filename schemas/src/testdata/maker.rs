//! Makes messages from the outline of the schemas: with everything that can stand in them, or with
//! whatever a seed picks. They are valid, except 0203 before 4.0.0, whose code no list has.

use super::outline::{Child, Code, Item, Kind, Outline};

const TEXTS: [&str; 6] = [
    "Text",
    "Text &amp; &lt;mehr&gt; &quot;ÄÖÜß€&quot;",
    "  Rand  ",
    "Zeile 1\nZeile 2\tTab",
    "a&#13;\nb",
    "",
];
/// What String.Latin and DIN 91379 do not have.
const WIDE_TEXTS: [&str; 2] = ["\u{1F4C4} \u{10FFFD}", "Δ Ж"];
const ANY: &str =
    "<f:x xmlns:f=\"urn:f\" f:a=\"1\" b=\"&quot;\">t<y xmlns=\"urn:g\"/> <f:z>&amp;</f:z></f:x><n/>";

/// Makes one message.
pub struct Maker<'a> {
    outline: &'a Outline,
    /// `None`: everything.
    seed: Option<u64>,
    state: u64,
    out: String,
    number: u32,
    /// Types of the elements that are open.
    open: Vec<&'a str>,
    /// The four digits.
    code: &'a str,
    process: &'a str,
}

impl<'a> Maker<'a> {
    /// A message of the type with this root, such as `Abgabe.Abgabe.0401`, of this process (a UUID).
    ///
    /// # Panics
    /// If the outline has no such root.
    pub fn make(outline: &'a Outline, root: &'a str, process: &'a str, seed: Option<u64>) -> String {
        let state = seed.unwrap_or(7).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let code = root.rsplit('.').next().unwrap_or_default();
        let mut maker =
            Maker { outline, seed, state, out: String::new(), number: 0, open: vec![], code, process };
        let namespace = format!("urn:xoev-de:xdomea:schema:{}", outline.version);
        let attributes = maker.root_attributes();
        maker.out =
            format!("<?xml version=\"1.0\"?>\n<xdomea:{root} xmlns:xdomea=\"{namespace}\"{attributes}>");
        maker.items(&outline.types[root]);
        maker.out.push_str(&format!("</xdomea:{root}>"));
        maker.out
    }

    /// Those of 4.0.0; the others have none.
    fn root_attributes(&mut self) -> String {
        if self.outline.version != "4.0.0" {
            return String::new();
        }
        let more = ["", " produktversion=\"1.0\"", " test=\"Test\"", " produktversion=\"\" test=\"1\""];
        let more = more[self.pick(4) as usize];
        format!(" produkt=\"VBS\" produkthersteller=\"Haus\" standard=\"xdomea\" version=\"4.0.0\"{more}")
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
                Item::Any => self.out.push_str(ANY),
                Item::Choice(branches) => {
                    let branch = self.pick(branches.len() as u64) as usize;
                    self.items(&branches[branch..=branch]);
                }
                Item::Child(child) => {
                    let count = self.count(child);
                    (0..count).for_each(|_| self.element(child));
                }
            }
        }
    }

    fn count(&mut self, child: &Child) -> u64 {
        let depth = self.open.len();
        let again = match &child.kind {
            Kind::Named(kind) => self.open.iter().filter(|open| *open == kind).count(),
            Kind::Children(_) => 0,
        };
        let goes_on = match self.seed {
            None => again < 2 && depth < 12,
            Some(_) => again < 3 && self.pick(10) < if depth < 9 { 6 } else { 2 },
        };
        let most = if child.is_many && depth < if self.seed.is_none() { 3 } else { 5 } { 2 } else { 1 };
        match (child.is_required, goes_on) {
            (true, false) => 1,
            (false, false) => 0,
            (_, true) if self.seed.is_none() => most,
            (_, true) => 1 + self.pick(most),
        }
    }

    fn element(&mut self, child: &'a Child) {
        let name = if child.is_qualified { format!("xdomea:{}", child.name) } else { child.name.clone() };
        match &child.kind {
            Kind::Children(children) => self.parent(&name, "", children),
            Kind::Named(kind) => match (self.outline.types.get(kind), self.outline.codes.get(kind)) {
                (Some(children), _) => self.parent(&name, kind, children),
                (None, Some(code)) => self.code(&name, &child.name, code),
                (None, None) if kind == "Code" => self.any_code(&name),
                (None, None) => {
                    let value = if child.is_fixed { "1".to_owned() } else { self.value(&child.name, kind) };
                    self.out.push_str(&format!("<{name}>{value}</{name}>"));
                }
            },
        }
    }

    fn parent(&mut self, name: &str, kind: &'a str, children: &'a [Item]) {
        self.out.push_str(&format!("<{name}>"));
        self.open.push(kind);
        self.items(children);
        self.open.pop();
        self.out.push_str(&format!("</{name}>"));
    }

    /// A code whose list the message names, if it likes.
    fn any_code(&mut self, name: &str) {
        let attributes = ["", " listURI=\"urn:x\" listVersionID=\"1\"", " listURI=\"\" listVersionID=\"\""];
        let attributes = attributes[self.pick(3) as usize];
        let value = ["bab", "05974000", "x y", "sender"][self.pick(4) as usize];
        self.out.push_str(&format!("<{name}{attributes}><code>{value}</code></{name}>"));
    }

    fn code(&mut self, name: &str, local: &str, code: &Code) {
        let value = match local {
            "Nachrichtentyp" | "nachrichtentyp" => self.code.to_owned(),
            // Anything else is classified.
            "Vertraulichkeitsstufe" => "003".to_owned(),
            _ if !code.values.is_empty() => code.values[self.pick(code.values.len() as u64) as usize].clone(),
            "Name" => ["018", "044", "023", "045"][self.pick(4) as usize].to_owned(),
            "Kanal" | "kanal" => ["01", "05", "09"][self.pick(3) as usize].to_owned(),
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
        let text = if code.is_named && self.pick(2) == 0 { "<name>Name &amp; mehr</name>" } else { "" };
        self.out.push_str(&format!("<{name}{attributes}><code>{value}</code>{text}</{name}>"));
    }

    fn value(&mut self, name: &str, kind: &str) -> String {
        self.number += 1;
        let number = self.number;
        let of = |values: &[&str], picked: u64| values[picked as usize % values.len()].to_owned();
        let picked = self.pick(60);
        match kind {
            "stringUUIDType" | "UUID" if name == "ProzessID" => self.process.to_owned(),
            "stringUUIDType" | "UUID" => self.uuid(number),
            "stringDateinameType" => self.file_name(number, picked),
            "boolean" => of(&["1", "0", "true", "false"], picked),
            "date" => of(&["2026-02-28", "2026-02-28Z", "2026-02-28+01:00", "2024-02-29"], picked),
            "time" => of(&["10:00:00", "10:00:00.5Z"], picked),
            "dateTime" => {
                let times = ["2026-02-28T10:00:00Z", "2026-02-28T10:00:00", "2026-02-28T10:00:00.500+01:00"];
                of(&times, picked)
            }
            "gYear" => of(&["2040", "2026"], picked),
            "unsignedShort" | "int" | "integer" => of(&["10", "010", "0"], picked),
            "unsignedInt" if picked < 20 => format!("{number:09}"),
            "unsignedInt" => number.to_string(),
            "NMTOKEN" => "1.2.840.113549.1.7.2".to_owned(),
            "base64Binary" => of(&["AAEC", "", "QW10c2JvdGU="], picked),
            "string" if picked > 45 => of(&WIDE_TEXTS, picked),
            "string" | "String.Latin" | "datatypeC" => of(&TEXTS, picked),
            other => panic!("no value for {other}"),
        }
    }

    /// Before 3.0.0 both an underscore and a dot have to follow the id.
    fn file_name(&mut self, number: u32, picked: u64) -> String {
        let names: &[&str] = match self.outline.version.starts_with('2') {
            true => &["_a.pdf", "_Text mit Leerzeichen.pdf", "_Prüfung.PDF", "_."],
            false => &["", ".pdf", "_Text mit Leerzeichen.pdf", "_Prüfung.PDF", "-x"],
        };
        self.uuid(number) + names[picked as usize % names.len()]
    }

    fn uuid(&mut self, number: u32) -> String {
        let high = self.seed.unwrap_or(0) as u16;
        let uuid = format!("{number:08x}-abcd-4abc-8abc-{high:04x}{:08x}", number ^ 0xffff);
        if self.pick(3) == 0 { uuid.to_uppercase() } else { uuid }
    }
}
