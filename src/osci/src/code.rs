//! The feedback codes ("Rückmeldungen") of OSCI-Transport 1.2, section 5, with their kind and our texts in both
//! languages. If the last entry of a feedback is a success or a warning, the order was carried out.

/// How a code is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The order was carried out.
    Success,
    /// The order was carried out, but.
    Warning,
    /// The order was not carried out.
    Error,
    /// Not even an order: a SOAP fault, never encrypted, never signed; the sender has to act.
    ClientFault,
    /// The same, but the fault is on our side.
    ServerFault,
}

/// A code: four digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u16);

#[allow(missing_docs)] // The texts below say what each means.
impl Code {
    pub const DIALOG_CLOSED: Code = Code(800);
    pub const DIALOG_OPEN: Code = Code(801);
    pub const CIPHER_CERTIFICATE_OUTDATED: Code = Code(3500);
    pub const CIPHER_CERTIFICATE_UNCHECKED: Code = Code(3501);
    pub const SIGNER_OUTDATED: Code = Code(3700);
    pub const AUTHOR_SIGNER_OUTDATED: Code = Code(3701);
    pub const AUTHOR_SIGNER_ISSUER: Code = Code(3702);
    pub const AUTHOR_SIGNER_REVOKED: Code = Code(3703);
    pub const AUTHOR_CIPHER_OUTDATED: Code = Code(3704);
    pub const ADDRESSEE_OUTDATED: Code = Code(3705);
    pub const READER_OUTDATED: Code = Code(3706);
    pub const CERTIFICATE_UNCHECKED: Code = Code(3707);
    pub const ADDRESSEE_SIGNER_OUTDATED: Code = Code(3708);
    pub const MORE_DELIVERIES: Code = Code(3800);
    pub const MORE_PROCESS_CARDS: Code = Code(3801);
    pub const ANSWER_UNSIGNED: Code = Code(3802);
    pub const ANSWER_UNENCRYPTED: Code = Code(3803);
    pub const INSIDE_FEEDBACK: Code = Code(3950);
    pub const INSIDE_LATE: Code = Code(3951);
    pub const INSIDE_BUSY: Code = Code(3952);
    pub const INTERNAL: Code = Code(9000);
    pub const NO_MESSAGE: Code = Code(9100);
    pub const NOT_OUR_KEY: Code = Code(9200);
    pub const OUR_CERTIFICATE_REVOKED: Code = Code(9201);
    pub const NOT_DECRYPTED: Code = Code(9202);
    pub const NO_ORDER: Code = Code(9300);
    pub const DIALOG: Code = Code(9400);
    pub const NO_CIPHER_CERTIFICATE: Code = Code(9500);
    pub const CIPHER_CERTIFICATE_ISSUER: Code = Code(9501);
    pub const CIPHER_CERTIFICATE_REVOKED: Code = Code(9502);
    pub const CIPHER_CERTIFICATE_INTERNAL: Code = Code(9503);
    pub const UNSIGNED: Code = Code(9600);
    pub const SIGNATURE: Code = Code(9601);
    pub const NOT_ALL_SIGNED: Code = Code(9602);
    pub const SIGNATURE_INTERNAL: Code = Code(9603);
    pub const SIGNER_ISSUER: Code = Code(9700);
    pub const SIGNER_REVOKED: Code = Code(9701);
    pub const AUTHOR_CIPHER_ISSUER: Code = Code(9704);
    pub const AUTHOR_CIPHER_REVOKED: Code = Code(9705);
    pub const ADDRESSEE_ISSUER: Code = Code(9706);
    pub const ADDRESSEE_REVOKED: Code = Code(9707);
    pub const READER_ISSUER: Code = Code(9708);
    pub const READER_REVOKED: Code = Code(9709);
    pub const CERTIFICATE_INTERNAL: Code = Code(9710);
    pub const ADDRESSEE_SIGNER_ISSUER: Code = Code(9711);
    pub const ADDRESSEE_SIGNER_REVOKED: Code = Code(9712);
    pub const NO_MESSAGE_ID: Code = Code(9800);
    pub const MESSAGE_ID: Code = Code(9801);
    pub const NO_DIALOG: Code = Code(9802);
    pub const NO_DELIVERY: Code = Code(9803);
    pub const NO_PROCESS_CARD: Code = Code(9804);
    pub const NOT_ACCEPTED: Code = Code(9805);
    pub const NO_DELIVERY_IN_ANSWER: Code = Code(9806);
    pub const ANSWER_SIGNATURE: Code = Code(9807);
    pub const RECIPIENT_INTERNAL: Code = Code(9808);
    pub const NOT_FORWARDED: Code = Code(9809);
    pub const FORWARDED_THEN_FAILED: Code = Code(9810);
    pub const ORDER_INTERNAL: Code = Code(9811);
    pub const CHUNK_AGAIN: Code = Code(9900);
    pub const CHUNK_NUMBER: Code = Code(9901);
    pub const CHUNK_TOO_LARGE: Code = Code(9902);
    pub const CHUNK_TOO_SMALL: Code = Code(9903);
    pub const MESSAGE_TOO_LARGE: Code = Code(9904);
    pub const CHUNK_INFORMATION: Code = Code(9905);
    pub const INSIDE_ERROR: Code = Code(9950);

    /// The code with these four digits; `None` if there is no such code.
    pub fn parse(digits: &str) -> Option<Self> {
        let is_code = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let code = Code(digits.parse().ok().filter(|_| is_code)?);
        code.texts().map(|_| code)
    }

    /// How it is told.
    pub fn level(self) -> Level {
        match self.0 {
            0..=2999 => Level::Success,
            3000..=8999 => Level::Warning,
            9000 | 9503 => Level::ServerFault,
            9001..=9599 => Level::ClientFault,
            _ => Level::Error,
        }
    }

    /// What it means in German (`de`) or else English.
    pub fn text(self, language: &str) -> &'static str {
        let (de, en) = self.texts().unwrap_or_default();
        if language == "de" { de } else { en }
    }

    fn texts(self) -> Option<(&'static str, &'static str)> {
        TEXTS.iter().find(|(code, ..)| *code == self).map(|&(_, de, en)| (de, en))
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

/// The language in which texts are given: the first that is wanted and known, German if none is.
pub fn language<'a>(wanted: impl IntoIterator<Item = &'a str>) -> &'static str {
    let known = |tag: &str| match tag.split('-').next() {
        Some("de") => Some("de"),
        Some("en") => Some("en"),
        _ => None,
    };
    wanted.into_iter().find_map(known).unwrap_or("de")
}

#[rustfmt::skip] // A table.
const TEXTS: [(Code, &str, &str); 65] = [
    (Code::DIALOG_CLOSED, "Der Auftrag ist ausgeführt, der Dialog ist beendet.", "The order was carried out, the dialog is closed."),
    (Code::DIALOG_OPEN, "Der Auftrag ist ausgeführt, der Dialog bleibt offen.", "The order was carried out, the dialog stays open."),
    (Code::CIPHER_CERTIFICATE_OUTDATED, "Das Verschlüsselungszertifikat des Auftraggebers ist zeitlich nicht gültig.", "The client's cipher certificate is outside its validity."),
    (Code::CIPHER_CERTIFICATE_UNCHECKED, "Das Verschlüsselungszertifikat des Auftraggebers konnte nicht vollständig geprüft werden.", "The client's cipher certificate could not be checked completely."),
    (Code::SIGNER_OUTDATED, "Das Signaturzertifikat des Auftraggebers ist zeitlich nicht gültig.", "The client's signature certificate is outside its validity."),
    (Code::AUTHOR_SIGNER_OUTDATED, "Ein Signaturzertifikat eines Autors ist zeitlich nicht gültig.", "An author's signature certificate is outside its validity."),
    (Code::AUTHOR_SIGNER_ISSUER, "Die Unterschrift des Ausstellers unter einem Signaturzertifikat eines Autors ist falsch.", "The issuer's signature on an author's signature certificate is wrong."),
    (Code::AUTHOR_SIGNER_REVOKED, "Ein Signaturzertifikat eines Autors ist gesperrt.", "An author's signature certificate is revoked."),
    (Code::AUTHOR_CIPHER_OUTDATED, "Ein Verschlüsselungszertifikat eines Autors ist zeitlich nicht gültig.", "An author's cipher certificate is outside its validity."),
    (Code::ADDRESSEE_OUTDATED, "Das Verschlüsselungszertifikat des Empfängers ist zeitlich nicht gültig.", "The recipient's cipher certificate is outside its validity."),
    (Code::READER_OUTDATED, "Ein Verschlüsselungszertifikat eines Lesers ist zeitlich nicht gültig.", "A reader's cipher certificate is outside its validity."),
    (Code::CERTIFICATE_UNCHECKED, "Ein Zertifikat konnte nicht vollständig geprüft werden.", "A certificate could not be checked completely."),
    (Code::ADDRESSEE_SIGNER_OUTDATED, "Das Signaturzertifikat des Empfängers ist zeitlich nicht gültig.", "The recipient's signature certificate is outside its validity."),
    (Code::MORE_DELIVERIES, "Weitere Zustellungen entsprechen der Auswahl.", "More deliveries match the selection."),
    (Code::MORE_PROCESS_CARDS, "Weitere Laufzettel entsprechen der Auswahl.", "More process cards match the selection."),
    (Code::ANSWER_UNSIGNED, "Die Antwort des Empfängers ist nicht signiert.", "The recipient's answer is not signed."),
    (Code::ANSWER_UNENCRYPTED, "Die Antwort des Empfängers ist nicht verschlüsselt.", "The recipient's answer is not encrypted."),
    (Code::INSIDE_FEEDBACK, "Die Rückmeldung zur gesamten Nachricht liegt bei.", "The feedback on the whole message is enclosed."),
    (Code::INSIDE_LATE, "Die Zeit für die Verarbeitung der gesamten Nachricht ist abgelaufen.", "The time for processing the whole message has passed."),
    (Code::INSIDE_BUSY, "Die gesamte Nachricht wird noch verarbeitet.", "The whole message is still being processed."),
    (Code::INTERNAL, "Interner Fehler. Bitte versuchen Sie es später erneut.", "Internal error. Please try again later."),
    (Code::NO_MESSAGE, "Die Anfrage ist keine gültige OSCI-Nachricht.", "The request is no valid OSCI message."),
    (Code::NOT_OUR_KEY, "Zum Zertifikat des Umschlags gibt es hier keinen privaten Schlüssel.", "There is no private key here for the envelope's certificate."),
    (Code::OUR_CERTIFICATE_REVOKED, "Das Zertifikat des Umschlags ist gesperrt.", "The envelope's certificate is revoked."),
    (Code::NOT_DECRYPTED, "Die Auftragsdaten lassen sich nicht entschlüsseln.", "The order cannot be decrypted."),
    (Code::NO_ORDER, "Die Auftragsdaten sind kein gültiger Auftrag.", "The request is no valid order."),
    (Code::DIALOG, "ConversationId, SequenceNumber oder Response ist falsch.", "ConversationId, SequenceNumber or Response is wrong."),
    (Code::NO_CIPHER_CERTIFICATE, "Das Verschlüsselungszertifikat des Auftraggebers fehlt.", "The client's cipher certificate is missing."),
    (Code::CIPHER_CERTIFICATE_ISSUER, "Die Unterschrift des Ausstellers unter dem Verschlüsselungszertifikat des Auftraggebers ist falsch.", "The issuer's signature on the client's cipher certificate is wrong."),
    (Code::CIPHER_CERTIFICATE_REVOKED, "Das Verschlüsselungszertifikat des Auftraggebers ist gesperrt.", "The client's cipher certificate is revoked."),
    (Code::CIPHER_CERTIFICATE_INTERNAL, "Interner Fehler bei der Prüfung des Verschlüsselungszertifikats.", "Internal error while checking the cipher certificate."),
    (Code::UNSIGNED, "Der Auftrag muss signiert sein.", "The order must be signed."),
    (Code::SIGNATURE, "Die Signatur des Auftrags ist falsch.", "The signature of the order is wrong."),
    (Code::NOT_ALL_SIGNED, "Nicht alle vorgeschriebenen Teile des Auftrags sind signiert.", "Not all required parts of the order are signed."),
    (Code::SIGNATURE_INTERNAL, "Interner Fehler bei der Prüfung der Signatur.", "Internal error while checking the signature."),
    (Code::SIGNER_ISSUER, "Die Unterschrift des Ausstellers unter dem Signaturzertifikat des Auftraggebers ist falsch.", "The issuer's signature on the client's signature certificate is wrong."),
    (Code::SIGNER_REVOKED, "Das Signaturzertifikat des Auftraggebers ist gesperrt.", "The client's signature certificate is revoked."),
    (Code::AUTHOR_CIPHER_ISSUER, "Die Unterschrift des Ausstellers unter dem Verschlüsselungszertifikat eines Autors ist falsch.", "The issuer's signature on an author's cipher certificate is wrong."),
    (Code::AUTHOR_CIPHER_REVOKED, "Das Verschlüsselungszertifikat eines Autors ist gesperrt.", "An author's cipher certificate is revoked."),
    (Code::ADDRESSEE_ISSUER, "Die Unterschrift des Ausstellers unter dem Verschlüsselungszertifikat des Empfängers ist falsch.", "The issuer's signature on the recipient's cipher certificate is wrong."),
    (Code::ADDRESSEE_REVOKED, "Das Verschlüsselungszertifikat des Empfängers ist gesperrt.", "The recipient's cipher certificate is revoked."),
    (Code::READER_ISSUER, "Die Unterschrift des Ausstellers unter dem Verschlüsselungszertifikat eines Lesers ist falsch.", "The issuer's signature on a reader's cipher certificate is wrong."),
    (Code::READER_REVOKED, "Das Verschlüsselungszertifikat eines Lesers ist gesperrt.", "A reader's cipher certificate is revoked."),
    (Code::CERTIFICATE_INTERNAL, "Interner Fehler bei der Prüfung eines Zertifikats.", "Internal error while checking a certificate."),
    (Code::ADDRESSEE_SIGNER_ISSUER, "Die Unterschrift des Ausstellers unter dem Signaturzertifikat des Empfängers ist falsch.", "The issuer's signature on the recipient's signature certificate is wrong."),
    (Code::ADDRESSEE_SIGNER_REVOKED, "Das Signaturzertifikat des Empfängers ist gesperrt.", "The recipient's signature certificate is revoked."),
    (Code::NO_MESSAGE_ID, "Die MessageId fehlt.", "The MessageId is missing."),
    (Code::MESSAGE_ID, "Die MessageId wurde hier nicht vergeben oder schon verwendet.", "The MessageId was not issued here, or has been used."),
    (Code::NO_DIALOG, "Der Auftrag braucht einen expliziten Dialog.", "The order needs an explicit dialog."),
    (Code::NO_DELIVERY, "Keine Zustellung entspricht der Auswahl.", "No delivery matches the selection."),
    (Code::NO_PROCESS_CARD, "Kein Laufzettel entspricht der Auswahl.", "No process card matches the selection."),
    (Code::NOT_ACCEPTED, "Der Empfänger hat die Zustellung nicht angenommen.", "The recipient did not accept the delivery."),
    (Code::NO_DELIVERY_IN_ANSWER, "Der Empfänger hat die Zustellung angenommen, aber nicht mit einer Zustellung geantwortet.", "The recipient accepted the delivery, but did not answer with one."),
    (Code::ANSWER_SIGNATURE, "Die Signatur der Antwort des Empfängers ist falsch.", "The signature of the recipient's answer is wrong."),
    (Code::RECIPIENT_INTERNAL, "Interner Fehler beim Empfänger.", "Internal error of the recipient."),
    (Code::NOT_FORWARDED, "Die Zustellung hat den Empfänger nicht erreicht.", "The delivery did not reach the recipient."),
    (Code::FORWARDED_THEN_FAILED, "Die Zustellung hat den Empfänger erreicht, danach trat ein Fehler auf.", "The delivery reached the recipient, then something failed."),
    (Code::ORDER_INTERNAL, "Interner Fehler beim Ausführen des Auftrags.", "Internal error while carrying out the order."),
    (Code::CHUNK_AGAIN, "Dieses Teil liegt schon vor.", "This chunk is there already."),
    (Code::CHUNK_NUMBER, "Die Nummer des Teils ist falsch.", "The number of the chunk is wrong."),
    (Code::CHUNK_TOO_LARGE, "Das Teil ist zu groß.", "The chunk is too large."),
    (Code::CHUNK_TOO_SMALL, "Das Teil ist zu klein.", "The chunk is too small."),
    (Code::MESSAGE_TOO_LARGE, "Die gesamte Nachricht ist zu groß.", "The whole message is too large."),
    (Code::CHUNK_INFORMATION, "Die Angaben zum Teil sind falsch.", "The information on the chunk is wrong."),
    (Code::INSIDE_ERROR, "Die Rückmeldung zur gesamten Nachricht meldet einen Fehler.", "The feedback on the whole message holds an error."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_four_digits_and_has_both_texts() {
        for (code, de, en) in TEXTS {
            assert_eq!(Code::parse(&code.to_string()), Some(code));
            assert!(de.ends_with('.') && en.ends_with('.') && de != en);
        }
        assert_eq!([Code::parse("0799"), Code::parse("+800"), Code::parse("00800")], [None; 3]);
    }

    #[test]
    fn faults_are_told_from_feedback() {
        let level = |digits| Code::parse(digits).unwrap().level();
        assert_eq!(level("9503"), Level::ServerFault);
        assert_eq!(level("9502"), Level::ClientFault);
        assert_eq!(level("9600"), Level::Error);
        assert_eq!(level("3801"), Level::Warning);
        assert_eq!(level("0801"), Level::Success);
    }

    #[test]
    fn the_first_known_language_is_taken() {
        assert_eq!(language(["fr", "en-GB", "de"]), "en");
        assert_eq!(language([]), "de");
    }
}
