//! Messages that reject another: `rueckweisung.asynchron.0010` of XInneres (Basismodul 9, rueckweisung/4) and
//! `prozessnachrichten.rueckweisung.G2G.1100` of XBau-Kernmodul 1.3.0. The rejected message goes back in them, without attachments.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::party::{Address, Contact};
use model::standard::{Identity, Rejecting, Source, Written};
use model::{Finding, Report, Severity};
use xml::Writer;

use super::Found;
use super::header::{Code, Header, Office, Style, moment};
use super::known::is_rejection;
use crate::Error;
use crate::head::Root;

/// Bytes encoded at once: a multiple of three.
const PIECE: usize = 48 * 1024;
/// Findings that are told, of each code.
const MOST_TOLD: usize = 20;

const XINNERES: &str = "http://www.osci.de/xinneres/rueckweisung/4";
const XINNERES_NAME: &str = "rueckweisung.asynchron.0010";
const XBAU: &str = "http://www.xleitstelle.de/xbau/kernmodul/1/3/0";
const XBAU_NAME: &str = "prozessnachrichten.rueckweisung.G2G.1100";
/// The version of XBau that the module is part of.
const XBAU_OF_MODULE: &str = "http://www.xleitstelle.de/xbau/2/6";
const G2G: &str = "http://xoev.de/schemata/basisnachricht/g2g/1_1";

/// Code lists and their versions.
const XINNERES_TYPES: [&str; 2] = ["urn:de:xinneres:codeliste:nachrichtentyp", "4"];
const XINNERES_ERRORS: [&str; 2] = ["urn:de:xinneres:codeliste:fehlercodes", "2"];
const XBAU_TYPES: [&str; 2] = ["urn:xoev-de:xbau-kernmodul:codeliste:xbau-kernmodul-nachrichten", "3.0"];
const XBAU_ERRORS: [&str; 2] = ["urn:xoev-de:xbau:codeliste:xbau-fehlerkennzahlen", "2.2"];
const CHANNELS: [&str; 2] = ["urn:de:xoev:codeliste:erreichbarkeit", "1"];

/// Which message says it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    XInneres,
    XBau,
}

impl Form {
    /// The form in which a message may be rejected.
    fn of(root: &Root, header: &Header) -> Option<Form> {
        // What a rejection has to name of the message.
        let is_named = header.own_id().is_some() && moment(&header.created).is_some();
        if is_rejection(root) || !is_named {
            return None;
        }
        match header.style {
            Some(Style::XInneres) if root.namespace.starts_with("http://www.osci.de/x") => {
                Some(Form::XInneres)
            }
            Some(Style::G2g) if [XBAU, XBAU_OF_MODULE].contains(&root.namespace.as_str()) => Some(Form::XBau),
            _ => None,
        }
    }

    /// The code of an error (fehlercodes 2 of XInneres, xbau-fehlerkennzahlen 2.2).
    fn code(self, rule: &str) -> &'static str {
        match (rule, self) {
            ("xml.encoding", Form::XInneres) => "S001",
            _ if rule.starts_with("xml.") => "X000",
            // What the validator finds.
            _ if rule.starts_with("xsd.") => "X001",
            _ => "S999",
        }
    }
}

/// Writes the rejection of a message; `None` if its standard has none for it.
pub(super) fn write(
    rejected: &Found,
    rejecting: &Rejecting,
    report: &Report,
    source: &mut dyn Source,
    out: &mut dyn Write,
) -> Result<Option<Written>, Error> {
    let Some(form) = Form::of(&rejected.root, &rejected.header) else { return Ok(None) };
    let (_, mut content) = rejected.place.bytes(source)?;
    let reasons = reasons(form, report);
    let header = &rejected.header;
    let mut writer = Writer::new(out)?;
    let (root, version) = match form {
        Form::XBau => {
            write_xbau(&mut writer, header, rejecting, &reasons, &mut content)?;
            (Root { namespace: XBAU.to_owned(), local: XBAU_NAME.to_owned() }, "1.3.0")
        }
        Form::XInneres => {
            let Some(sender) = Sender::of(rejecting) else { return Ok(None) };
            if ![&header.reader, &header.author].into_iter().all(has_lists) {
                return Ok(None);
            }
            write_xinneres(&mut writer, header, rejecting, (&sender, &reasons), &mut content)?;
            (Root { namespace: XINNERES.to_owned(), local: XINNERES_NAME.to_owned() }, "4")
        }
    };
    writer.finish()?;
    let identity = identity(header, rejecting, &root, version, &reasons);
    Ok(Some(Written { file_name: format!("{}.xml", root.local), identity, report: Report::default() }))
}

/// Whether an office says what its code lists are, which XInneres asks for since version 5 of its header.
fn has_lists(office: &Office) -> bool {
    let (prefix, key) = (&office.prefix, &office.key);
    [&prefix.code, &prefix.version, &key.code, &key.list, &key.version].into_iter().all(|it| !it.is_empty())
}

fn identity(
    rejected: &Header,
    rejecting: &Rejecting,
    root: &Root,
    version: &str,
    reasons: &Reasons,
) -> Identity {
    let header = Header {
        style: Some(Style::G2g),
        version: version.to_owned(),
        id: rejecting.message_id.to_string(),
        created: rejecting.created_at.to_string(),
        reader: rejected.author.clone(),
        author: rejected.reader.clone(),
        answers: rejected.own_id().filter(|_| root.namespace == XBAU || type_with_list(rejected).is_some()),
        test: rejected.test.clone(),
        refused: reasons.keys().next().map(|code| (*code).to_owned()),
        ..Header::default()
    };
    header.identity(root).unwrap_or_default()
}

/// What is wrong, in words, by code.
type Reasons = BTreeMap<&'static str, Vec<String>>;

fn reasons(form: Form, report: &Report) -> Reasons {
    let mut reasons = Reasons::new();
    for finding in report.findings.iter().filter(|finding| finding.severity == Severity::Error) {
        let words = reasons.entry(form.code(&finding.rule)).or_default();
        if words.len() < MOST_TOLD {
            words.push(in_words(finding));
        }
    }
    if reasons.is_empty() {
        reasons.insert("S999", vec![]);
    }
    reasons
}

/// The rule and the place; no value of the message. Only what DIN 91379 allows everywhere.
fn in_words(finding: &Finding) -> String {
    let mut words = finding.rule.clone();
    if let Some(line) = finding.line {
        words.push_str(&format!(", Zeile {line}"));
    }
    for place in [&finding.file, &finding.path].into_iter().flatten() {
        words.push_str(&format!(", {place}"));
    }
    let is_plain = |c: char| matches!(c, ' '..='~' | 'ä' | 'ö' | 'ü' | 'Ä' | 'Ö' | 'Ü' | 'ß');
    words.chars().map(|c| if is_plain(c) { c } else { '?' }).collect()
}

type Out<'a> = Writer<&'a mut dyn Write>;

fn write_xbau(
    out: &mut Out<'_>,
    rejected: &Header,
    rejecting: &Rejecting,
    reasons: &Reasons,
    content: &mut dyn Read,
) -> Result<(), Error> {
    begin(out, ("xbauk", XBAU, XBAU_NAME), ("XBau-Kernmodul", "1.3.0"), rejected)?;
    out.start("nachrichtenkopf.g2g", &[])?;
    write_identification(out, rejecting, &code("1100", XBAU_TYPES))?;
    for (element, office) in [("leser", &rejected.author), ("autor", &rejected.reader)] {
        out.start(element, &[])?;
        write_code(out, "verzeichnisdienst", &office.directory)?;
        out.element("kennung", &office.key.code)?;
        out.element("name", &office.name)?;
        out.end()?;
    }
    out.end()?;
    out.start("rueckweisungDaten", &[])?;
    for (reason, words) in reasons {
        out.start("rueckweisungsgrund", &[])?;
        write_code(out, "grund", &code(reason, XBAU_ERRORS))?;
        if !words.is_empty() {
            out.element("fehlertext", &words.join("; "))?;
        }
        out.end()?;
    }
    out.start("idNachricht", &[])?;
    write_id_parts(out, "bn-g2g:", &rejected.id, &rejected.message_type, &rejected.created)?;
    out.end()?;
    write_content(out, content)?;
    out.end()?;
    Ok(out.end()?)
}

fn write_xinneres(
    out: &mut Out<'_>,
    rejected: &Header,
    rejecting: &Rejecting,
    (sender, reasons): (&Sender<'_>, &Reasons),
    content: &mut dyn Read,
) -> Result<(), Error> {
    begin(out, ("xirts", XINNERES, XINNERES_NAME), ("XInneres-Rueckweisung", "4"), rejected)?;
    out.start("nachrichtenkopf", &[])?;
    write_identification(out, rejecting, &code("0010", XINNERES_TYPES))?;
    out.start("leser", &[])?;
    write_office_key(out, &rejected.author)?;
    out.element("behoerdenname", &rejected.author.name)?;
    out.end()?;
    out.start("autor", &[])?;
    write_office_key(out, &rejected.reader)?;
    sender.write(out)?;
    out.element("behoerdenname", &rejected.reader.name)?;
    out.end()?;
    out.end()?;
    out.start("rueckweisung", &[])?;
    for (reason, words) in reasons {
        out.start("rueckweisungsgrund", &[])?;
        write_code(out, "grund", &code(reason, XINNERES_ERRORS))?;
        for words in words {
            out.start("grundSpezifisch", &[])?;
            out.element("fehlerbeschreibung", words)?;
            out.end()?;
        }
        out.end()?;
    }
    if let Some(message_type) = type_with_list(rejected) {
        out.start("idNachricht", &[])?;
        write_id_parts(out, "", &rejected.id, &message_type, &rejected.created)?;
        out.end()?;
    }
    write_content(out, content)?;
    out.end()?;
    Ok(out.end()?)
}

fn begin(
    out: &mut Out<'_>,
    (prefix, namespace, name): (&str, &str, &str),
    (standard, version): (&str, &str),
    rejected: &Header,
) -> Result<(), Error> {
    let declaration = format!("xmlns:{prefix}");
    let mut attributes = vec![(declaration.as_str(), namespace)];
    if prefix == "xbauk" {
        attributes.push(("xmlns:bn-g2g", G2G));
    }
    attributes.extend([
        ("produkt", "Amtsbote"),
        ("produkthersteller", "Amtsbote"),
        ("produktversion", env!("CARGO_PKG_VERSION")),
        ("standard", standard),
        ("version", version),
    ]);
    // What answers a test is one.
    if let Some(test) = &rejected.test {
        attributes.push(("test", test));
    }
    Ok(out.start(&format!("{prefix}:{name}"), &attributes)?)
}

fn write_identification(out: &mut Out<'_>, rejecting: &Rejecting, message_type: &Code) -> Result<(), Error> {
    out.start("identifikation.nachricht", &[])?;
    let (id, created) = (rejecting.message_id.to_string(), rejecting.created_at.to_string());
    write_id_parts(out, "", &id, message_type, &created)?;
    Ok(out.end()?)
}

/// The type of a message of XInneres with its list, which has to be named where it is rejected. Messages need not say it where their
/// schema fixes it; for those of other standards it is not known then, and the message is known by itself.
fn type_with_list(rejected: &Header) -> Option<Code> {
    let said = &rejected.message_type;
    if !said.list.is_empty() && !said.version.is_empty() {
        return Some(said.clone());
    }
    let is_own = rejected.standard.starts_with("XInneres-");
    is_own.then(|| code(&said.code, XINNERES_TYPES))
}

fn write_id_parts(
    out: &mut Out<'_>,
    prefix: &str,
    id: &str,
    message_type: &Code,
    created: &str,
) -> Result<(), Error> {
    out.element(&format!("{prefix}nachrichtenUUID"), id)?;
    write_code(out, &format!("{prefix}nachrichtentyp"), message_type)?;
    Ok(out.element(&format!("{prefix}erstellungszeitpunkt"), created)?)
}

fn write_office_key(out: &mut Out<'_>, office: &Office) -> Result<(), Error> {
    out.start("behoerdenkennung", &[])?;
    write_code(out, "praefix", &office.prefix)?;
    write_code(out, "kennung", &office.key)?;
    Ok(out.end()?)
}

fn code(code: &str, [list, version]: [&str; 2]) -> Code {
    Code { code: code.to_owned(), list: list.to_owned(), version: version.to_owned() }
}

fn write_code(out: &mut Out<'_>, element: &str, code: &Code) -> Result<(), Error> {
    let mut attributes = vec![];
    if !code.list.is_empty() {
        attributes.push(("listURI", code.list.as_str()));
    }
    attributes.push(("listVersionID", code.version.as_str()));
    out.start(element, &attributes)?;
    out.element("code", &code.code)?;
    Ok(out.end()?)
}

fn write_content(out: &mut Out<'_>, content: &mut dyn Read) -> Result<(), Error> {
    out.start("nachricht", &[])?;
    let mut piece = Vec::with_capacity(PIECE);
    loop {
        piece.clear();
        content.take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            break;
        }
        out.text(&BASE64.encode(&piece))?;
    }
    Ok(out.end()?)
}

/// Where the authority that rejects is reached, which XInneres asks for.
struct Sender<'a> {
    address: &'a Address,
    contacts: Vec<(&'static str, &'a str)>,
}

impl<'a> Sender<'a> {
    fn of(rejecting: &'a Rejecting) -> Option<Self> {
        let is_whole = |it: &&Address| it.postcode.is_some() && it.town.is_some();
        let address = rejecting.by.addresses.iter().find(is_whole)?;
        let known = |contact: &'a Contact| Some((channel(&contact.channel)?, contact.value.as_str()));
        let contacts: Vec<_> = rejecting.by.contacts.iter().filter_map(known).collect();
        (!contacts.is_empty()).then_some(Sender { address, contacts })
    }

    fn write(&self, out: &mut Out<'_>) -> Result<(), Error> {
        for (channel, value) in &self.contacts {
            out.start("erreichbarkeit", &[])?;
            write_code(out, "kanal", &code(channel, CHANNELS))?;
            out.element("kennung", value)?;
            out.end()?;
        }
        out.start("anschrift", &[])?;
        let text = |value: &'a Option<String>| value.as_deref().unwrap_or_default();
        match &self.address.post_box {
            Some(post_box) => {
                out.start("postfach", &[])?;
                out.element("postfach", post_box)?;
                out.element("wohnort", text(&self.address.town))?;
                out.element("postleitzahl", text(&self.address.postcode))?;
            }
            None => {
                out.start("gebaeude", &[])?;
                let house = text(&self.address.house_number);
                let digits = house.bytes().take_while(u8::is_ascii_digit).count();
                let (number, letter) = house.split_at(digits);
                for (element, value) in
                    [("hausnummer", number), ("hausnummerBuchstabeZusatzziffer", letter.trim())]
                {
                    if !value.is_empty() {
                        out.element(element, value)?;
                    }
                }
                out.element("postleitzahl", text(&self.address.postcode))?;
                out.element("strasse", text(&self.address.street))?;
                out.element("wohnort", text(&self.address.town))?;
            }
        }
        out.end()?;
        Ok(out.end()?)
    }
}

/// The code of a channel (erreichbarkeit 1).
fn channel(channel: &str) -> Option<&'static str> {
    match channel {
        "email" => Some("01"),
        "phone" => Some("02"),
        "mobile" => Some("03"),
        "fax" => Some("04"),
        _ => None,
    }
}
