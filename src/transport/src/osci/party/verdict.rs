//! What a code (OSCI-Transport 1.2, section 5), or the lack of an answer, means for the message that was to be sent. A
//! fault is signed by nobody, so it decides nothing once the message may have left; feedback is signed and does.

use ::osci::Error;
use ::osci::code::Code;
use model::{Failure, FailureKind};

use super::line::Trouble;

/// Trouble before the message has left.
pub(super) fn before(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::NotReached => not_reached(),
        Trouble::NoAnswer => Failure::transient("osci-party.no-answer", "the intermediary did not answer"),
        Trouble::Fault(code) => match refused(code) {
            // Nothing has happened yet that anybody would have to be asked about.
            Failure { kind: FailureKind::Uncertain, detail, .. } => unavailable(detail),
            failure => failure,
        },
        Trouble::Answer(error) => Failure::transient("osci-party.bad-answer", error.code()),
        Trouble::Order(error) => ours(&error),
        Trouble::Certificate(failure) => failure,
    }
}

/// Trouble with the order that carries the message: only what certainly never left can be sent again blindly.
pub(super) fn after(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::NotReached => not_reached(),
        Trouble::NoAnswer => unclear("no answer".to_owned()),
        Trouble::Fault(code) => unclear(code.to_string()),
        Trouble::Answer(error) => unclear(error.code().to_owned()),
        Trouble::Order(error) => ours(&error),
        Trouble::Certificate(failure) => failure,
    }
}

/// What the intermediary says in its feedback.
pub(super) fn refused(code: Code) -> Failure {
    let digits = code.to_string();
    match code {
        Code::INTERNAL | Code::FORWARDED_THEN_FAILED | Code::ANSWER_SIGNATURE => unclear(digits),
        Code::DIALOG
        | Code::CIPHER_CERTIFICATE_INTERNAL
        | Code::SIGNATURE_INTERNAL
        | Code::CERTIFICATE_INTERNAL
        | Code::RECIPIENT_INTERNAL
        | Code::NOT_FORWARDED
        | Code::ORDER_INTERNAL => unavailable(digits),
        Code::NOT_ACCEPTED | Code::MESSAGE_TOO_LARGE => {
            Failure::new(FailureKind::Rejected, "osci-party.not-accepted", digits)
        }
        Code::NOT_OUR_KEY
        | Code::OUR_CERTIFICATE_REVOKED
        | Code::NO_CIPHER_CERTIFICATE
        | Code::CIPHER_CERTIFICATE_ISSUER
        | Code::CIPHER_CERTIFICATE_REVOKED
        | Code::SIGNER_ISSUER
        | Code::SIGNER_REVOKED
        | Code::AUTHOR_CIPHER_ISSUER
        | Code::AUTHOR_CIPHER_REVOKED
        | Code::ADDRESSEE_ISSUER
        | Code::ADDRESSEE_REVOKED
        | Code::READER_ISSUER
        | Code::READER_REVOKED
        | Code::ADDRESSEE_SIGNER_ISSUER
        | Code::ADDRESSEE_SIGNER_REVOKED => {
            Failure::new(FailureKind::Unauthorised, "osci-party.not-trusted", digits)
        }
        _ => Failure::permanent("osci-party.refused", digits),
    }
}

/// Nobody knows whether the message has arrived; the intermediary can be asked.
pub(super) fn unclear(detail: String) -> Failure {
    Failure::new(FailureKind::Uncertain, "osci-party.unclear", detail)
}

/// Our own store failed, or something else of ours.
pub(super) fn broker(error: &broker::Error) -> Failure {
    Failure::transient("osci-party.failed", error.code())
}

/// An order could not be made: keys and certificates do not fit, or our disk is full.
pub(super) fn ours(error: &Error) -> Failure {
    match error {
        Error::Io(_) => Failure::transient("osci-party.failed", error.code()),
        _ => Failure::new(FailureKind::Unauthorised, "osci-party.keys", error.code()),
    }
}

fn not_reached() -> Failure {
    Failure::transient("osci-party.unreachable", "the intermediary cannot be reached")
}

fn unavailable(digits: String) -> Failure {
    Failure::transient("osci-party.unavailable", digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(digits: &str) -> FailureKind {
        refused(Code::parse(digits).unwrap()).kind
    }

    #[test]
    fn each_code_has_one_treatment() {
        for digits in ["9503", "9603", "9710", "9808", "9809", "9811", "9400"] {
            assert_eq!(kind(digits), FailureKind::Transient, "{digits}");
        }
        for digits in ["9500", "9502", "9700", "9701", "9707", "9200"] {
            assert_eq!(kind(digits), FailureKind::Unauthorised, "{digits}");
        }
        for digits in ["9000", "9807", "9810"] {
            assert_eq!(kind(digits), FailureKind::Uncertain, "{digits}");
        }
        assert_eq!(kind("9805"), FailureKind::Rejected);
        for digits in ["9100", "9300", "9600", "9601", "9801"] {
            assert_eq!(kind(digits), FailureKind::Permanent, "{digits}");
        }
    }

    #[test]
    fn a_fault_decides_nothing_once_the_message_may_have_left() {
        let fault = || Trouble::Fault(Code::NO_MESSAGE);
        assert_eq!(before(fault()).kind, FailureKind::Permanent);
        assert_eq!(after(fault()).kind, FailureKind::Uncertain);
        assert_eq!(after(Trouble::NotReached).kind, FailureKind::Transient);
        assert_eq!(after(Trouble::NoAnswer).kind, FailureKind::Uncertain);
        assert_eq!(before(Trouble::NoAnswer).kind, FailureKind::Transient);
        assert_eq!(before(Trouble::Fault(Code::INTERNAL)).kind, FailureKind::Transient);
    }
}
