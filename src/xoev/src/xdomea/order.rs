//! Order of the children, as the schemas 3.0.0 and 3.1.0 demand it, of every element that is put
//! together from what came and what the model says.

/// Names of the children of an element in the order of the schema; empty if it is never put together.
pub(crate) fn order_of(element: &str) -> &'static [&'static str] {
    match element {
        "Kopf" => KOPF,
        "Akte" | "Teilakte" => AKTE,
        "Vorgang" | "Teilvorgang" => VORGANG,
        "Dokument" | "Anlage" => DOKUMENT,
        "Identifikation" => &["ID", "NummerImUebergeordnetenContainer"],
        "AllgemeineMetadaten" => ALLGEMEINE_METADATEN,
        "ArchivspezifischeMetadaten" => ARCHIVSPEZIFISCHE_METADATEN,
        "Aktenplaneinheit" => &["Kennzeichen", "Inhaltsangabe", "BetreffKurz"],
        "Laufzeit" => &["Beginn", "Ende"],
        "Verweis" => &["ID", "SGOTyp", "SGOKennzeichen", "Bemerkung"],
        "Format" => &["Name", "SonstigerName", "Version", "Primaerdokument"],
        "Primaerdokument" => {
            &["Dateiname", "DateinameOriginal", "Ersteller", "DatumUhrzeit", "SignaturSiegel"]
        }
        "Absender" | "Empfaenger" | "Kontakt" | "WeitererKontakt" | "Ersteller" | "Adressat"
        | "Bearbeiter" => KONTAKT,
        "Behoerdenkennung" => &["Behoerdenschluessel", "Praefix"],
        "Institution" => &["Name", "Kurzbezeichnung"],
        "Name" => &["Anrede", "Titel", "Familienname", "Vorname"],
        "Anschrift" => ANSCHRIFT,
        "Kommunikation" => &["IstDienstlich", "Kanal", "Kennung", "Zusatz", "IstInstitution"],
        "AbgegebenesObjekt" | "AusgesondertesSGO" | "BewerteteAktenplaneinheit" | "ErfolgOderMisserfolg" => {
            &["IDSGO", "ID", "Erfolgreich", "Fehlermeldung", "FehlermeldungCode", "Archivkennung"]
        }
        "ExternerGeschaeftsgang" => &["Identifikation", "Beteiligungsschritt"],
        "Beteiligungsschritt" => &["Nummer", "Status", "Verfuegung", "Bearbeitung"],
        "Verfuegung" => VERFUEGUNG,
        "Bearbeitung" => &["Bearbeiter", "Datum", "Uhrzeit", "Vermerk", "Notiz", "Anlage"],
        "Aktenplan" => AKTENPLAN,
        "Einheit" => EINHEIT,
        "Gueltigkeit" => &["Beginn", "Ende"],
        _ => &[],
    }
}

const KOPF: &[&str] = &[
    "ProzessID",
    "Nachrichtentyp",
    "Erstellungszeitpunkt",
    "Absender",
    "Empfaenger",
    "SendendesSystem",
    "Hinweis",
    "AnwendungsspezifischeErweiterung",
    "AnwendungsspezifischeErweiterungXML",
    "WeitererEmpfaenger",
    "EmpfangsbestaetigungAnInitiator",
    "EmpfangsbestaetigungAnVorgaenger",
    "Importbestaetigung",
    "RueckmeldungArchivkennung",
    "Empfangsbestaetigung",
];

const VERFUEGUNG: &[&str] = &[
    "Ersteller",
    "Adressat",
    "Erstellungsdatum",
    "Erstellungsuhrzeit",
    "Verfuegung",
    "TerminDatum",
    "TerminUhrzeit",
    "Notiz",
];

const AKTENPLAN: &[&str] =
    &["ID", "Bezeichnung", "Typ", "Version", "Einheit", "Gueltigkeit", "Aktenplandatei"];

const EINHEIT: &[&str] = &[
    "Kennzeichen",
    "Inhaltsangabe",
    "BetreffKurz",
    "ID",
    "Aussonderungsart",
    "Gueltigkeit",
    "Stillgelegt",
    "Aufbewahrungsdauer",
    "Einheit",
    "VerweisAktenplaneinheit",
    "AnwendungsspezifischeErweiterung",
    "AnwendungsspezifischeErweiterungXML",
];

const AKTE: &[&str] = &[
    "Identifikation",
    "AllgemeineMetadaten",
    "ArchivspezifischeMetadaten",
    "Standort",
    "Typ",
    "Laufzeit",
    "HistorienProtokollInformation",
    "InternerGeschaeftsgang",
    "Akteninhalt",
    "Verweis",
    "Kontakt",
    "ZdA",
    "ZdADatum",
    "AnwendungsspezifischeErweiterung",
    "AnwendungsspezifischeErweiterungXML",
];

const VORGANG: &[&str] = &[
    "Identifikation",
    "AllgemeineMetadaten",
    "ArchivspezifischeMetadaten",
    "Aktenbetreff",
    "Typ",
    "ZdA",
    "ZdADatum",
    "Laufzeit",
    "HistorienProtokollInformation",
    "InternerGeschaeftsgang",
    "Dokument",
    "Verweis",
    "Kontakt",
    "Teilvorgang",
    "AnwendungsspezifischeErweiterung",
    "AnwendungsspezifischeErweiterungXML",
];

const DOKUMENT: &[&str] = &[
    "Identifikation",
    "AllgemeineMetadaten",
    "FremdesGeschaeftszeichen",
    "Posteingangsdatum",
    "Postausgangsdatum",
    "DatumDesSchreibens",
    "Bezug",
    "Hier",
    "Bearbeiter",
    "Typ",
    "HistorienProtokollInformation",
    "InternerGeschaeftsgang",
    "Version",
    "Verweis",
    "Anlage",
    "Absender",
    "Empfaenger",
    "WeitererKontakt",
    "AnwendungsspezifischeErweiterung",
    "AnwendungsspezifischeErweiterungXML",
    "Nummer",
];

const ALLGEMEINE_METADATEN: &[&str] = &[
    "Betreff",
    "Kennzeichen",
    "Federfuehrung",
    "Aktenfuehrung",
    "Vertraulichkeitsstufe",
    "Bemerkung",
    "Medium",
    "Aktenplaneinheit",
];

const ARCHIVSPEZIFISCHE_METADATEN: &[&str] =
    &["Aufbewahrungsdauer", "Aussonderungsart", "Kennung", "Bewertungsvorschlag", "Aufbewahrungsende"];

const KONTAKT: &[&str] = &[
    "Behoerdenkennung",
    "Institution",
    "Organisationseinheit",
    "Name",
    "Taetigkeit",
    "Zustaendigkeit",
    "Anschrift",
    "Kommunikation",
    "Rolle",
    "UnstrukturierteAnschrift",
    "Geburt",
];

const ANSCHRIFT: &[&str] =
    &["Staat", "Strasse", "Hausnummer", "Postfach", "Postleitzahl", "Ort", "Zusatz", "Typ"];
