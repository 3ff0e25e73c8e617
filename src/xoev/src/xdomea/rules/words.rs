//! The elements that rules are about, by their names in all versions (2.2.0 to 4.0.0).

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Akte, Teilakte.
    File,
    /// Vorgang, Teilvorgang.
    Case,
    /// Dokument, Schriftstueck, Anlage, Anschreiben.
    Document,
}

/// An element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    NotLookedUp,
    Other,
    /// Content of another standard, which no rule looks at.
    Foreign,
    Record(Kind),
    /// A record, but in 4.0 and directly below the root only what a record stands in.
    RecordOrWrapper,
    Identifikation,
    Number,
    Id,
    Metadata,
    Aussonderungsart,
    Kontextobjekt,
    Verweis,
    SgoKennzeichen,
    Result,
    /// ErfolgOderMisserfolg.
    Whole,
    /// Erfolgreich.
    Successful,
    /// A text of a result.
    Said,
    Format,
    Name,
    SonstigerName,
    Code,
    Kanal,
    Confidentiality,
    Dateiname,
    SignaturSiegelDatei,
    NachrichtenUuid,
    UrsprungUuid,
    Running,
    Total,
}

impl Word {
    pub(super) fn of(local: &str) -> Word {
        match local {
            "Akte" | "Teilakte" => Word::Record(Kind::File),
            "Vorgang" | "Teilvorgang" => Word::Record(Kind::Case),
            "Dokument" | "DokumentMitSchriftstueck" | "Schriftstueck" => Word::Record(Kind::Document),
            "Anlage" | "Anschreiben" => Word::RecordOrWrapper,
            "AnwendungsspezifischeErweiterungXML" => Word::Foreign,
            "Identifikation" => Word::Identifikation,
            "NummerImUebergeordnetenContainer" => Word::Number,
            "ID" | "xdomeaUUID" | "IDSGO" => Word::Id,
            "ArchivspezifischeMetadaten" | "Aussonderungsmetadaten" => Word::Metadata,
            "Aussonderungsart" => Word::Aussonderungsart,
            "Kontextobjekt" => Word::Kontextobjekt,
            "Verweis" => Word::Verweis,
            "SGOKennzeichen" => Word::SgoKennzeichen,
            "AbgegebenesObjekt"
            | "BewertetesObjekt"
            | "BewertetesSGO"
            | "AusgesondertesSGO"
            | "BewerteteAktenplaneinheit"
            | "AusgelagertesObjekt"
            | "RueckuebertragenesObjekt" => Word::Result,
            "ErfolgOderMisserfolg" => Word::Whole,
            "Erfolgreich" => Word::Successful,
            "Fehlermeldung" | "Archivkennung" => Word::Said,
            "Format" => Word::Format,
            "Name" => Word::Name,
            "SonstigerName" => Word::SonstigerName,
            "code" => Word::Code,
            "Kanal" => Word::Kanal,
            "Vertraulichkeitsstufe" | "Geheimhaltungsgrad" => Word::Confidentiality,
            "Dateiname" => Word::Dateiname,
            "SignaturSiegelDatei" => Word::SignaturSiegelDatei,
            "nachrichtenUUID" => Word::NachrichtenUuid,
            "UUIDUrsprungsnachricht" => Word::UrsprungUuid,
            "LfdNrNachrichtProTyp" => Word::Running,
            "GesamtanzahlNachrichtenProTyp" => Word::Total,
            _ => Word::Other,
        }
    }

    /// Whether rules look at its text.
    pub(super) fn has_text(self) -> bool {
        matches!(
            self,
            Word::Id
                | Word::Number
                | Word::Kontextobjekt
                | Word::Successful
                | Word::SgoKennzeichen
                | Word::SonstigerName
                | Word::Code
                | Word::Dateiname
                | Word::SignaturSiegelDatei
                | Word::NachrichtenUuid
                | Word::UrsprungUuid
                | Word::Running
                | Word::Total
        )
    }
}
