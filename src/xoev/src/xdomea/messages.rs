//! Versions, message types and file names of xdomea (fact tables: xdomea 2.2.0 to 4.0.0, chapter 4;
//! names of files: 3.0.0 p. 11, 4.0.0 p. 10).

use model::Id;

/// A version of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 2.2.0, the first with today's message types.
    V2_2_0,
    /// 2.3.0.
    V2_3_0,
    /// 2.4.0: 2.3.0 in another namespace.
    V2_4_0,
    /// 3.0.0.
    V3_0_0,
    /// 3.1.0: 3.0.0 in another namespace, but for message 0511.
    V3_1_0,
    /// 4.0.0: header of the XÖV basic message.
    V4_0_0,
}

impl Version {
    /// All versions, oldest first.
    pub const ALL: [Version; 6] = [
        Version::V2_2_0,
        Version::V2_3_0,
        Version::V2_4_0,
        Version::V3_0_0,
        Version::V3_1_0,
        Version::V4_0_0,
    ];

    /// Number, such as `3.1.0`.
    pub fn number(self) -> &'static str {
        match self {
            Version::V2_2_0 => "2.2.0",
            Version::V2_3_0 => "2.3.0",
            Version::V2_4_0 => "2.4.0",
            Version::V3_0_0 => "3.0.0",
            Version::V3_1_0 => "3.1.0",
            Version::V4_0_0 => "4.0.0",
        }
    }

    /// Namespace of its elements.
    pub fn namespace(self) -> &'static str {
        match self {
            Version::V2_2_0 => "http://www.xdomea.de/V2.2.0",
            Version::V2_3_0 => "urn:xoev-de:xdomea:schema:2.3.0",
            Version::V2_4_0 => "urn:xoev-de:xdomea:schema:2.4.0",
            Version::V3_0_0 => "urn:xoev-de:xdomea:schema:3.0.0",
            Version::V3_1_0 => "urn:xoev-de:xdomea:schema:3.1.0",
            Version::V4_0_0 => "urn:xoev-de:xdomea:schema:4.0.0",
        }
    }

    /// The version with this number.
    pub fn by_number(number: &str) -> Option<Version> {
        Version::ALL.into_iter().find(|version| version.number() == number)
    }

    /// The version with this namespace.
    pub fn by_namespace(namespace: &str) -> Option<Version> {
        Version::ALL.into_iter().find(|version| version.namespace() == namespace)
    }

    /// Whether its messages are read into the case model and written from it.
    pub fn is_translated(self) -> bool {
        self != Version::V2_2_0
    }
}

/// Whether a namespace is one of xdomea's, known or not.
pub fn is_xdomea(namespace: &str) -> bool {
    namespace.starts_with("urn:xoev-de:xdomea:schema:") || namespace.starts_with("http://www.xdomea.de")
}

/// A message type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageType {
    /// Four digits: group and number.
    pub code: &'static str,
    /// `<Gruppe>.<Name>`.
    pub name: &'static str,
    /// First and last version that has it.
    pub versions: (Version, Version),
}

impl MessageType {
    /// The type with this root element, such as `Abgabe.Abgabe.0401`, in a version.
    pub fn by_root(root: &str, version: Version) -> Option<MessageType> {
        let (name, code) = root.rsplit_once('.')?;
        let in_version = |m: &&MessageType| m.versions.0 <= version && version <= m.versions.1;
        TYPES.iter().find(|m| m.code == code && m.name == name && in_version(m)).copied()
    }

    /// The type with this code in a version.
    pub fn by_code(code: &str, version: Version) -> Option<MessageType> {
        let in_version = |m: &&MessageType| m.versions.0 <= version && version <= m.versions.1;
        TYPES.iter().find(|m| m.code == code && in_version(m)).copied()
    }

    /// Name of the root element, such as `Abgabe.Abgabe.0401`.
    pub fn root(self) -> String {
        format!("{}.{}", self.name, self.code)
    }

    /// Whether it is read into the case model and written from it in a version. 0203 says nothing that the model knows, 0511 of
    /// 3.0.0 has no names in its units, and of 4.0.0 only the schemas of the disposition are public.
    pub fn is_translated_in(self, version: Version) -> bool {
        let is_known = matches!(&self.code[..2], "01" | "02" | "03" | "04" | "05") && self.code != "0203";
        match version {
            Version::V3_0_0 => is_known && self.code != "0511",
            Version::V4_0_0 => is_known && self.code.starts_with("05"),
            _ => is_known,
        }
    }

    /// The type of the receipt, if this type has one in a version.
    pub fn receipt(self, version: Version) -> Option<MessageType> {
        let (_, receipt) = RECEIPTS.iter().find(|(code, _)| *code == self.code)?;
        MessageType::by_code(receipt, version)
    }
}

/// Types and the types of their receipts.
const RECEIPTS: [(&str, &str); 9] = [
    ("0101", "0102"),
    ("0201", "0202"),
    ("0301", "0302"),
    ("0401", "0403"),
    ("0501", "0504"),
    ("0502", "0505"),
    ("0503", "0507"),
    ("0511", "0512"),
    ("0513", "0515"),
];

/// The type that the receipt of this type acknowledges.
pub fn acknowledged_by(receipt: &str) -> Option<&'static str> {
    RECEIPTS.iter().find(|(_, code)| *code == receipt).map(|(code, _)| *code)
}

const fn all(code: &'static str, name: &'static str) -> MessageType {
    MessageType { code, name, versions: (Version::V2_2_0, Version::V4_0_0) }
}

const fn since_3(code: &'static str, name: &'static str) -> MessageType {
    MessageType { code, name, versions: (Version::V3_0_0, Version::V4_0_0) }
}

const fn within(code: &'static str, name: &'static str, first: Version, last: Version) -> MessageType {
    MessageType { code, name, versions: (first, last) }
}

/// Every message type of 2.2.0 to 4.0.0.
pub const TYPES: &[MessageType] = &[
    all("0101", "Information.Information"),
    all("0102", "Information.EmpfangBestaetigen"),
    all("0201", "Geschaeftsgang.Geschaeftsgang"),
    all("0202", "Geschaeftsgang.EmpfangBestaetigen"),
    all("0203", "Geschaeftsgang.GeaendertenLaufwegMitteilen"),
    all("0301", "Aktenplan.Aktenplan"),
    all("0302", "Aktenplan.EmpfangBestaetigen"),
    all("0401", "Abgabe.Abgabe"),
    all("0402", "Abgabe.ImportBestaetigen"),
    since_3("0403", "Abgabe.EmpfangBestaetigen"),
    all("0501", "Aussonderung.Anbieteverzeichnis"),
    all("0502", "Aussonderung.Bewertungsverzeichnis"),
    all("0503", "Aussonderung.Aussonderung"),
    all("0504", "Aussonderung.AnbietungEmpfangBestaetigen"),
    all("0505", "Aussonderung.BewertungEmpfangBestaetigen"),
    all("0506", "Aussonderung.AussonderungImportBestaetigen"),
    since_3("0507", "Aussonderung.AussonderungEmpfangBestaetigen"),
    since_3("0511", "Aussonderung.AktenplanZurBewertung"),
    since_3("0512", "Aussonderung.AktenplanZurBewertungEmpfangBestaetigen"),
    since_3("0513", "Aussonderung.Bewertungskatalog"),
    since_3("0514", "Aussonderung.BewertungskatalogImportBestaetigen"),
    within("0515", "Aussonderung.BewerteterAktenplanEmpfangBestaetigen", Version::V3_0_0, Version::V3_1_0),
    within("0515", "Aussonderung.BewertungskatalogEmpfangBestaetigen", Version::V4_0_0, Version::V4_0_0),
    all("0601", "FVDaten.DokumentAktualisieren"),
    all("0602", "FVDaten.SGOAnsehen"),
    all("0603", "FVDaten.SGOBearbeiten"),
    all("0604", "FVDaten.SGOErstellen"),
    all("0605", "FVDaten.SGOAblegen"),
    all("0606", "FVDaten.SGODrucken"),
    all("0607", "FVDaten.ProtokolleintragErstellen"),
    all("0608", "FVDaten.SGOSuchen"),
    all("0609", "FVDaten.MetadatenAnlegen"),
    all("0610", "FVDaten.MetadatenAktualisieren"),
    all("0611", "FVDaten.MetadatenAnsehen"),
    all("0612", "FVDaten.MetadatenLoeschen"),
    all("0613", "FVDaten.SGOLoeschenMarkieren"),
    all("0614", "FVDaten.SGOLoeschmarkierungAufheben"),
    all("0615", "FVDaten.SGOEndgueltigLoeschen"),
    all("0616", "FVDaten.SGOLoeschstatusAbfragen"),
    all("0617", "FVDaten.SGOUngueltigKennzeichnen"),
    all("0618", "FVDaten.DatensatzLoeschen"),
    all("0619", "FVDaten.BenachrichtigungAbrufen"),
    all("0620", "FVDaten.VertretungAktivierenOderDeaktivieren"),
    all("0621", "FVDaten.VertretungsstatusAbfragen"),
    all("0622", "FVDaten.ZustaendigkeitAendern"),
    all("0623", "FVDaten.GesamtprotokollAblegen"),
    all("0624", "FVDaten.SGOZDAVerfuegen"),
    all("0625", "FVDaten.SystemstatusAbfragen"),
    all("0626", "FVDaten.KonfigurationsparameterErstellen"),
    all("0627", "FVDaten.KonfigurationsparameterAktualisieren"),
    all("0628", "FVDaten.KonfigurationsparameterAbrufen"),
    all("0629", "FVDaten.EmpfangBestaetigen"),
    all("0630", "FVDaten.ImportBestaetigen"),
    all("0631", "FVDaten.PrimaerdokumentExportieren"),
    within("0632", "FVDaten.SGOZDAAufheben", Version::V2_3_0, Version::V4_0_0),
    since_3("0701", "Zwischenarchivierung.Auslagerung"),
    since_3("0702", "Zwischenarchivierung.AuslagerungEmpfangBestaetigen"),
    since_3("0703", "Zwischenarchivierung.AuslagerungImportBestaetigen"),
    since_3("0711", "Zwischenarchivierung.RueckleiheAnforderung"),
    since_3("0712", "Zwischenarchivierung.RueckleiheUebergabe"),
    since_3("0713", "Zwischenarchivierung.RueckleiheEmpfangBestaetigen"),
    since_3("0721", "Zwischenarchivierung.RueckuebertragungAnforderung"),
    since_3("0722", "Zwischenarchivierung.RueckuebertragungUebergabe"),
    since_3("0723", "Zwischenarchivierung.RueckuebertragungImportBestaetigen"),
    since_3("0724", "Zwischenarchivierung.RueckuebertragungEmpfangBestaetigen"),
];

/// What the name of a message file says: `<ProzessID>_<Gruppe>.<Name>.<Code>` up to 3.1,
/// `<ProzessID>_<Code>_<number>` from 4.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName<'a> {
    /// What stands where the ProzessID belongs.
    pub process: &'a str,
    /// Code of the message type.
    pub code: &'a str,
    /// The number among the messages of its type, where the name has one.
    pub number: Option<u64>,
}

impl<'a> FileName<'a> {
    /// Reads the name of a container or message file, without folders; `None` if it follows no rule.
    pub fn parse(name: &'a str) -> Option<FileName<'a>> {
        let (stem, ending) = name.rsplit_once('.')?;
        if !["zip", "xml", "xdomea"].iter().any(|known| known.eq_ignore_ascii_case(ending)) {
            return None;
        }
        let (process, rest) = stem.split_once('_')?;
        let (code, number) = match rest.split_once('_') {
            Some((code, number)) if number.bytes().all(|b| b.is_ascii_digit()) => {
                (code, Some(number.parse().ok()?))
            }
            Some(_) => return None,
            None => (rest.rsplit('.').next()?, None),
        };
        let is_code = code.len() == 4 && code.bytes().all(|b| b.is_ascii_digit());
        is_code.then_some(FileName { process, code, number })
    }
}

/// Stem of the names of container and message. `number` is that of the message among those of its type, which 4.0 names.
pub fn stem(process: Id, message: MessageType, version: Version, number: u32) -> String {
    match version {
        Version::V4_0_0 => format!("{process}_{}_{number}", message.code),
        _ => format!("{process}_{}", message.root()),
    }
}

/// The UUID that a text begins with, whatever follows; as the schemas' pattern allows it.
pub fn leading_uuid(text: &str) -> Option<&str> {
    let head = text.get(..36)?;
    head.parse::<xml::value::Uuid>().ok().map(|_| head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_version_are_understood() {
        let id = "9fde4e7a-b41b-11ec-9225-005056871b7c";
        for (name, number) in [
            (format!("{id}_Aussonderung.Aussonderung.0503.zip"), None),
            (format!("{id}_0503_12.zip"), Some(12)),
            (format!("{id}_0503.xdomea"), None),
        ] {
            let parsed = FileName { process: id, code: "0503", number };
            assert_eq!(FileName::parse(&name), Some(parsed), "{name}");
        }
        let huge = format!("x_0503_{}.zip", "9".repeat(30));
        for name in
            ["a.zip", "x_y.zip", "x_0503_a.zip", "x_0503_.zip", &huge, "x_0503_1.pdf", "x_05031_1.zip", ""]
        {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_type_belongs_to_its_versions() {
        assert!(MessageType::by_root("Abgabe.EmpfangBestaetigen.0403", Version::V2_4_0).is_none());
        assert!(MessageType::by_root("Abgabe.EmpfangBestaetigen.0403", Version::V3_0_0).is_some());
        assert!(MessageType::by_root("Abgabe.Abgabe.0402", Version::V3_0_0).is_none());
        let name = |version| MessageType::by_code("0515", version).map(|message| message.name);
        assert_eq!(name(Version::V2_4_0), None);
        assert_eq!(name(Version::V3_1_0), Some("Aussonderung.BewerteterAktenplanEmpfangBestaetigen"));
        assert_eq!(name(Version::V4_0_0), Some("Aussonderung.BewertungskatalogEmpfangBestaetigen"));
    }

    #[test]
    fn a_receipt_is_there_where_the_version_has_it() {
        let receipt = |code, version| {
            let message = MessageType::by_code(code, version).unwrap();
            message.receipt(version).map(|receipt| receipt.code)
        };
        assert_eq!(receipt("0401", Version::V2_4_0), None);
        assert_eq!(receipt("0401", Version::V3_0_0), Some("0403"));
        assert_eq!(receipt("0503", Version::V2_3_0), None);
        assert_eq!(receipt("0501", Version::V2_3_0), Some("0504"));
        assert_eq!(receipt("0504", Version::V3_1_0), None);
        assert_eq!(acknowledged_by("0515"), Some("0513"));
    }
}
