//! Code lists (XÖV-Codelistenhandbuch; OASIS Genericode 1.0 as the XÖV repository publishes it).
//! Lists of type 1 are enumerated in the schemas; this is for the others, where list and version
//! come with the message.

use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use xml::{Event, Limits, Reader};

pub(crate) const GENERICODE: &str = "http://docs.oasis-open.org/codelist/ns/genericode/1.0/";
const OWN: &str = include_str!("../own/codelists/lists.txt");
/// Longest code or URI that is read.
const VALUE_BYTES: usize = 4_096;

/// What is known about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// The list has it.
    Known,
    /// The list does not have it.
    UnknownCode,
    /// The list is known, this version of it is not.
    UnknownVersion,
    /// The list is not known.
    UnknownList,
}

/// One version of one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeList {
    /// The list, such as `urn:de:xoev:codeliste:erreichbarkeit`.
    pub uri: String,
    /// The version, such as `3`.
    pub version: String,
    /// The codes.
    pub codes: HashSet<String>,
}

/// All known lists.
#[derive(Debug, Clone, Default)]
pub struct CodeLists {
    lists: BTreeMap<String, BTreeMap<String, HashSet<String>>>,
}

impl CodeLists {
    /// Our own lists.
    pub fn own() -> Self {
        let mut lists = CodeLists::default();
        for line in OWN.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ').map(str::to_owned);
            if let (Some(uri), Some(version)) = (words.next(), words.next()) {
                lists.add(CodeList { uri, version, codes: words.collect() });
            }
        }
        lists
    }

    /// Adds a list; it replaces one of the same version.
    pub fn add(&mut self, list: CodeList) {
        self.lists.entry(list.uri).or_default().insert(list.version, list.codes);
    }

    /// Whether a list has a code. White space around the code counts (`xs:token` has none left).
    pub fn check(&self, list_uri: &str, version: &str, code: &str) -> Verdict {
        let Some(versions) = self.lists.get(list_uri) else { return Verdict::UnknownList };
        match versions.get(version) {
            None => Verdict::UnknownVersion,
            Some(codes) if codes.contains(code) => Verdict::Known,
            Some(_) => Verdict::UnknownCode,
        }
    }

    /// List and version of every list, sorted.
    pub fn list(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lists
            .iter()
            .flat_map(|(uri, versions)| versions.keys().map(|version| (uri.as_str(), version.as_str())))
    }
}

/// Reads a Genericode file.
pub fn parse(bytes: &[u8]) -> Result<CodeList, crate::Error> {
    let mut reader = Reader::new(bytes, Limits::default());
    let is_list = match reader.next() {
        Ok(Event::Start(root)) => root.is(GENERICODE, "CodeList"),
        _ => false,
    };
    let list = if is_list { read(&mut reader) } else { Ok(None) };
    list.ok().flatten().ok_or(crate::Error::CodeList)
}

/// Reads behind the root's start; `None` if it lacks its name, version or key column.
pub(crate) fn read(reader: &mut Reader<&[u8]>) -> Result<Option<CodeList>, xml::Error> {
    let (mut uri, mut version, mut key) = (None, None, None);
    let mut codes = HashSet::new();
    let mut column = String::new();
    loop {
        let local = match reader.next()? {
            Event::Start(start) => start.local().to_owned(),
            Event::Eof => break,
            _ => continue,
        };
        match local.as_str() {
            "Annotation" => reader.skip()?,
            "CanonicalUri" if uri.is_none() => uri = Some(reader.read_text(VALUE_BYTES)?),
            "Version" if version.is_none() => version = Some(reader.read_text(VALUE_BYTES)?),
            // The first key names the column of the codes.
            "ColumnRef" if key.is_none() => key = Some(reference(reader, "Ref")),
            "Value" => column = reference(reader, "ColumnRef"),
            "SimpleValue" => {
                let value = reader.read_text(1 << 20)?;
                if key.as_deref() == Some(&column) {
                    codes.insert(value.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
                }
            }
            _ => {}
        }
    }
    let named = uri.zip(version).filter(|_| key.is_some());
    Ok(named.map(|(uri, version)| CodeList {
        uri: uri.trim().to_owned(),
        version: version.trim().to_owned(),
        codes,
    }))
}

fn reference(reader: &Reader<&[u8]>, attribute: &str) -> String {
    reader.current().attribute(attribute).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"<c:CodeList xmlns:c="http://docs.oasis-open.org/codelist/ns/genericode/1.0/">
      <Identification><Version>2</Version><CanonicalUri>urn:x</CanonicalUri></Identification>
      <ColumnSet><Column Id="text"/><Column Id="k"/><Key Id="key"><ColumnRef Ref="k"/></Key></ColumnSet>
      <SimpleCodeList><Row><Value ColumnRef="text"><SimpleValue>A</SimpleValue></Value>
        <Value ColumnRef="k"><SimpleValue> 1 </SimpleValue></Value></Row></SimpleCodeList></c:CodeList>"#;

    #[test]
    fn genericode_is_read_by_its_key_column() {
        let mut lists = CodeLists::default();
        lists.add(parse(LIST.as_bytes()).unwrap());
        assert_eq!(lists.check("urn:x", "2", "1"), Verdict::Known);
        assert_eq!(lists.check("urn:x", "2", "A"), Verdict::UnknownCode);
        assert_eq!(lists.check("urn:x", "3", "1"), Verdict::UnknownVersion);
        assert_eq!(lists.check("urn:y", "2", "1"), Verdict::UnknownList);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", "<a/>", "<CodeList/>", &LIST.replace("<Version>2</Version>", ""), &LIST[..300]] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn own_lists_are_there() {
        let lists = CodeLists::own();
        assert_eq!(lists.check("urn:xoev-de:xdomea:codeliste:dateiformat", "1.0", "100"), Verdict::Known);
        assert_eq!(lists.check("urn:de:xoev:codeliste:erreichbarkeit", "3", "10"), Verdict::UnknownCode);
        assert_eq!(lists.list().count(), 6);
    }
}
