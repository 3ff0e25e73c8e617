//! What a fault of XTA (code list `Codelist.Fehlernummer` of version 3), or the lack of an answer, means for the message that was to
//! be sent. Over mutual TLS a fault is the server's own word; only of its own failures nobody knows what had happened before.

use std::io::ErrorKind;

use model::{Failure, FailureKind};
use xta::{Error, Exception, Fault};

use super::line::Trouble;

/// Trouble before the message has left.
pub(super) fn before(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::NoAnswer(error) => Failure::transient("xta-party.no-answer", error.code()),
        Trouble::Answer(Error::Fault(fault)) => refused(fault),
        Trouble::Answer(Error::OtherFault(_)) => unavailable("a fault that is none of XTA".to_owned()),
        Trouble::Answer(Error::Status(status)) => by_status(status),
        Trouble::Answer(error) => Failure::transient("xta-party.bad-answer", error.code()),
        trouble => unsent(trouble),
    }
}

/// Trouble with the request that carries the message: only what certainly was not taken can be sent again blindly.
pub(super) fn after(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::NoAnswer(error) => unclear(error.code().to_owned()),
        Trouble::Answer(Error::Fault(fault)) if may_have_it(fault) => unclear(fault.code.to_string()),
        Trouble::Answer(Error::Fault(fault)) => refused(fault),
        Trouble::Answer(Error::Status(status @ (401 | 403 | 404 | 413 | 429 | 503))) => by_status(status),
        Trouble::Answer(error) => unclear(error.code().to_owned()),
        trouble => unsent(trouble),
    }
}

/// Whether a server that says so may have the message all the same: its own failures, and that of handing on.
fn may_have_it(fault: Fault) -> bool {
    fault.exception == Exception::XtaWsTechnicalProblem && fault != Fault::DIRECTORY
}

/// What the server says.
pub(super) fn refused(fault: Fault) -> Failure {
    let digits = fault.code.to_string();
    let rejected = |code: &'static str| Failure::new(FailureKind::Rejected, code, digits.clone());
    match fault.code {
        9010..=9014 => Failure::new(FailureKind::Unauthorised, "xta-party.not-authorised", digits),
        9023 => rejected("xta-party.too-large"),
        9050 => rejected("xta-party.schema"),
        9051 => rejected("xta-party.encoding"),
        9052 => rejected("xta-party.profile"),
        9060 => rejected("xta-party.harmful"),
        9030..=9032 => unavailable(digits),
        _ => match fault.exception {
            Exception::PermissionDenied => {
                Failure::new(FailureKind::Unauthorised, "xta-party.not-authorised", digits)
            }
            Exception::XtaWsTechnicalProblem | Exception::ExternalServiceUnavailable => unavailable(digits),
            Exception::MessageSchemaViolation => rejected("xta-party.schema"),
            Exception::MessageVirusDetection => rejected("xta-party.harmful"),
            _ => Failure::permanent("xta-party.refused", digits),
        },
    }
}

/// A status of HTTP without any message.
fn by_status(status: u16) -> Failure {
    let digits = format!("HTTP {status}");
    match status {
        401 | 403 => Failure::new(FailureKind::Unauthorised, "xta-party.not-authorised", digits),
        404 => Failure::permanent("xta-party.refused", digits),
        413 => too_large(digits),
        _ => unavailable(digits),
    }
}

fn unsent(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::NotReached(error) if error.kind() == FailureKind::Transient => {
            Failure::transient("xta-party.unreachable", error.code())
        }
        Trouble::NotReached(error) => Failure::permanent("xta-party.keys", error.code()),
        Trouble::NoAddress => {
            Failure::permanent("xta-party.no-address", "the server has no address of this port")
        }
        Trouble::Request(error) | Trouble::Answer(error) => ours(&error),
        Trouble::NoAnswer(error) => unclear(error.code().to_owned()),
    }
}

/// Nobody knows whether the message has arrived; the server can be asked.
pub(super) fn unclear(detail: String) -> Failure {
    Failure::new(FailureKind::Uncertain, "xta-party.unclear", detail)
}

/// The message is larger than the server or the partner takes.
pub(super) fn too_large(detail: String) -> Failure {
    Failure::new(FailureKind::Rejected, "xta-party.too-large", detail)
}

/// Our own store failed, or something else of ours.
pub(super) fn broker(error: &broker::Error) -> Failure {
    Failure::transient("xta-party.failed", error.code())
}

/// A request could not be made: our disk is full, or the message is none that can be written, today as well as tomorrow.
pub(super) fn ours(error: &Error) -> Failure {
    match error {
        Error::Io(error) if error.kind() == ErrorKind::InvalidData => unwritable("xta.io"),
        Error::Io(_) | Error::Seal(_) => Failure::transient("xta-party.failed", error.code()),
        error => unwritable(error.code()),
    }
}

fn unwritable(code: &str) -> Failure {
    Failure::permanent("xta-party.unwritable", code)
}

/// Whether a fault may mean that the id of the message was used or is not good any more. Codes of the parameters that say something else
/// do not; what codes version 5 has is not known to us.
pub(super) fn may_be_the_id(fault: Fault) -> bool {
    fault.exception == Exception::ParameterIsNotValid && !matches!(fault.code, 9020 | 9021 | 9023)
}

fn unavailable(detail: String) -> Failure {
    Failure::transient("xta-party.unavailable", detail)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use serde_json::json;
    use xta::client::{Call, Client, Limits};
    use xta::model::{Content, MetaData, Party, Version};
    use xta::server::backend::Contents;

    use super::super::goods::Goods;
    use super::*;

    /// Two messages in one container, which no version has.
    struct Two([(Content, u64); 2]);

    impl Contents for Two {
        fn list(&self) -> &[(Content, u64)] {
            &self.0
        }

        fn open(&self, _: usize) -> xta::Result<Box<dyn Read + '_>> {
            Ok(Box::new(io::empty()))
        }
    }

    #[test]
    fn a_message_that_we_cannot_write_is_not_tried_again() {
        let (meta, two) = (MetaData::default(), Two(Default::default()));
        for version in [Version::V3, Version::V5] {
            let client =
                Client { version, party: Party::default(), as_packages: true, limits: Limits::default() };
            let error = client.request("https://xta.test/", &Call::Send(&meta, &two)).err().unwrap();
            let failure = after(Trouble::Request(error));
            assert_eq!((failure.kind, &*failure.code), (FailureKind::Permanent, "xta-party.unwritable"));
        }
        let damaged = Goods::stage(&b"no package"[..], &json!({ "container": true }), 100).err().unwrap();
        assert_eq!(ours(&damaged).kind, FailureKind::Permanent);
        let full = Error::Io(ErrorKind::StorageFull.into());
        assert_eq!(after(Trouble::Request(full)).kind, FailureKind::Transient);
    }

    #[test]
    fn each_code_has_one_treatment() {
        for (codes, kind) in [
            (&[9010, 9011, 9012, 9013, 9014][..], FailureKind::Unauthorised),
            (&[9030, 9031, 9032, 9000], FailureKind::Transient),
            (&[9023, 9050, 9051, 9052, 9060], FailureKind::Rejected),
            (&[9020, 9021, 9022, 9024, 9070, 9080, 9081], FailureKind::Permanent),
        ] {
            for code in codes {
                assert_eq!(refused(Fault::of(*code)).kind, kind, "{code}");
            }
        }
        let unknown = Fault { code: 9999, exception: Exception::PermissionDenied };
        assert_eq!(refused(unknown).kind, FailureKind::Unauthorised);
    }

    #[test]
    fn a_server_that_fails_may_have_the_message() {
        let fault = |code| Trouble::Answer(Error::Fault(Fault::of(code)));
        for code in [9000, 9030, 9032] {
            assert_eq!(after(fault(code)).kind, FailureKind::Uncertain, "{code}");
            assert_eq!(before(fault(code)).kind, FailureKind::Transient, "{code}");
        }
        assert_eq!(after(fault(9031)).kind, FailureKind::Transient);
        assert_eq!(after(fault(9050)).kind, FailureKind::Rejected);
        assert_eq!(after(Trouble::NoAnswer(net::Error::NoAnswer)).kind, FailureKind::Uncertain);
        assert_eq!(before(Trouble::NoAnswer(net::Error::NoAnswer)).kind, FailureKind::Transient);
        assert_eq!(after(Trouble::NotReached(net::Error::Tls)).kind, FailureKind::Transient);
        assert_eq!(after(Trouble::NotReached(net::Error::Identity)).kind, FailureKind::Permanent);
        for (status, kind) in
            [(403, FailureKind::Unauthorised), (413, FailureKind::Rejected), (500, FailureKind::Uncertain)]
        {
            assert_eq!(after(Trouble::Answer(Error::Status(status))).kind, kind, "{status}");
        }
    }
}
