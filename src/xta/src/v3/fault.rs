//! Faults of version 3 (`XTA-Webservice-Exceptions.xsd`): the exception's element as the detail, and the code with the name that the
//! standard's list gives it (`Codelist.Fehlernummer`).

use super::answer::block;
use super::names::XTA;
use crate::{Exception, Fault, Result};

/// Code, what it says for people, and its name in the list.
const CODES: [(u16, &str, &str); 23] = [
    (9000, "unspecified error", "Unspezifizierter Fehler, als Freitext beschrieben"),
    (
        9010,
        "the certificate is missing, expired, revoked or not trusted",
        "Authentisierung/Zertifikat ist abgelaufen.",
    ),
    (9011, "the account is locked", "Account ist gesperrt."),
    (9012, "there is no account for this certificate", "Account nicht vorhanden."),
    (9013, "the service is not booked", "Dienst ist nicht gebucht."),
    (
        9014,
        "the certificate does not belong to the party",
        "Authentisierung/Zertifikat passt nicht zur Absenderkennung.",
    ),
    (9020, "parameters are missing", "Keine Parameter vorhanden"),
    (9021, "a URI is not valid", "Keine gültige URI"),
    (9022, "the parameters are not valid together", "Ungültige Parameterkombination"),
    (9023, "the message is too large", "Die Nachricht überschreitet die Größenbeschränkung."),
    (9024, "the message id was used already", "MessageID ist bereits vergeben."),
    (9030, "internal error of the server", "Interner Fehler beim XTA-Server bzw. XTA-Dienstleister"),
    (9031, "the directory of services failed", "Fehler beim externen Verzeichnisdienst"),
    (9032, "the message could not be delivered", "Fehler bei der Zustellung"),
    (9050, "the message does not follow its schema", "Fachnachricht ist nicht schemakonform"),
    (9051, "the message has a wrong encoding", "Fachnachricht trägt ein falsches Encoding."),
    (9052, "the message breaks its service profile", "Nachricht verletzt das entsprechende Service Profil."),
    (9060, "the message holds harmful content", "Es wurde schadhafter Code ermittelt."),
    (9070, "the account has no message with this id", "MessageID für den Account nicht bekannt."),
    (9080, "the service is offered asynchronously only", "Der Dienst wird nur asynchron angeboten."),
    (9081, "the service is offered synchronously only", "Der Dienst wird nur synchron angeboten."),
    (
        9100,
        "the moment of NotBefore has passed",
        "Der durch den Schalter NotBefore gesetzte Termin ist verstrichen.",
    ),
    (9101, "NotBefore was not set", "Der Schalter NotBefore wurde nicht gesetzt."),
];

/// What a fault says for people, in English.
pub(crate) fn meaning(fault: Fault) -> &'static str {
    entry(fault).1
}

/// The element of its exception.
pub(crate) fn detail(fault: Fault) -> Result<String> {
    block(|writer| {
        writer.start(&format!("x:{}", element(fault.exception)), &[("xmlns:x", XTA)])?;
        writer.start("x:errorCode", &[])?;
        writer.element("code", &fault.code.to_string())?;
        writer.element("name", entry(fault).2)?;
        writer.end()?;
        Ok(writer.end()?)
    })
}

/// A code that the list does not have is as good as the unspecified one.
fn entry(fault: Fault) -> (u16, &'static str, &'static str) {
    let known = CODES.into_iter().find(|(code, ..)| *code == fault.code);
    known.unwrap_or(CODES[0])
}

/// Element of an exception. What only version 5 has is told by what comes nearest.
pub(crate) fn element(exception: Exception) -> &'static str {
    match exception {
        Exception::PermissionDenied => "PermissionDeniedException",
        Exception::ParameterIsNotValid
        | Exception::ParameterNotSupported
        | Exception::UnsupportedExtension => "ParameterIsNotValidException",
        Exception::XtaWsTechnicalProblem
        | Exception::NotImplemented
        | Exception::ExternalServiceUnavailable => "XTAWSTechnicalProblemException",
        Exception::MessageSchemaViolation => "MessageSchemaViolationException",
        Exception::MessageVirusDetection => "MessageVirusDetectionException",
        Exception::InvalidMessageId => "InvalidMessageIDException",
        Exception::SyncAsync => "SyncAsyncException",
        Exception::CancelDenied => "CancelDeniedException",
    }
}
