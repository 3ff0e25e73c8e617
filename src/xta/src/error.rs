//! What can go wrong, and how XTA tells it (version 3: `XTA-Webservice-Exceptions.xsd`, code list `Codelist.Fehlernummer`).

use std::io;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request is not answered as it wishes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is answered with a fault of XTA.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A part of it is not as the schema demands; answered with 9022.
    #[error("no valid XTA message: {0}")]
    Malformed(&'static str),
    /// It is no message that SOAP or WS-Addressing allow.
    #[error(transparent)]
    Soap(soap::Error),
    /// Its XML is not sound.
    #[error(transparent)]
    Xml(xml::Error),
    /// The port has no operation with the action of the request.
    #[error("an action that the port does not have")]
    UnknownAction,
    /// It asks for its answer to go elsewhere, in this header of WS-Addressing.
    #[error("the header {0} of WS-Addressing does not name the anonymous address")]
    NotAnonymous(&'static str),
    /// A server elsewhere answered with a fault that is none of XTA.
    #[error("the server answered with a fault that is none of XTA")]
    OtherFault(soap::fault::Code),
    /// A server elsewhere answered with a status of HTTP and no message.
    #[error("the server answered with the status {0} of HTTP")]
    Status(u16),
    /// What the answer is kept with.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// It could not be read or written.
    #[error("reading or writing failed")]
    Io(#[source] io::Error),
}

impl Error {
    /// The stable code of this error; `docs/errors/<code>.md` explains it.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Fault(_) => "xta.refused",
            Error::Malformed(_) => "xta.malformed",
            Error::Xml(error) => error.code(),
            Error::UnknownAction => "xta.action",
            Error::NotAnonymous(_) => "xta.reply-address",
            Error::Soap(error) => error.code(),
            Error::OtherFault(_) => "xta.fault",
            Error::Status(_) => "xta.status",
            Error::Seal(error) => error.code(),
            Error::Io(_) => "xta.io",
        }
    }
}

/// What our own readers and sinks say comes through `Read` and `Write` unchanged: only what is left is a source or sink
/// that failed.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        let error = match error.downcast::<Error>() {
            Ok(error) => return error,
            Err(error) => error,
        };
        let error = match error.downcast::<Fault>() {
            Ok(fault) => return fault.into(),
            Err(error) => error,
        };
        match error.downcast::<soap::Error>() {
            Ok(error) => error.into(),
            Err(error) => error.downcast::<seal::Error>().map_or_else(Error::Io, Error::Seal),
        }
    }
}

impl From<soap::Error> for Error {
    fn from(error: soap::Error) -> Self {
        match error {
            soap::Error::Io(error) => error.into(),
            soap::Error::Xml(error) => error.into(),
            error => Error::Soap(error),
        }
    }
}

impl From<xml::Error> for Error {
    fn from(error: xml::Error) -> Self {
        match error {
            xml::Error::Io(error) => error.into(),
            error => Error::Xml(error),
        }
    }
}

/// For sinks that refuse, such as that of a content which grows too large.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            error => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}

/// A fault of XTA by its code. The exception that carries it follows from the code, except for 9000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("XTA {code}")]
pub struct Fault {
    /// Code, 9000 to 9101.
    pub code: u16,
    /// The exception whose element carries it.
    pub exception: Exception,
}

impl Fault {
    /// The certificate is missing, expired, revoked or not trusted.
    pub const CERTIFICATE: Fault = Fault::of(9010);
    /// The account is locked.
    pub const LOCKED: Fault = Fault::of(9011);
    /// Nobody has an account with this certificate.
    pub const NO_ACCOUNT: Fault = Fault::of(9012);
    /// The account may not use the service.
    pub const NOT_BOOKED: Fault = Fault::of(9013);
    /// The account does not speak for the party that is named.
    pub const NOT_THE_SENDER: Fault = Fault::of(9014);
    /// Something that must be said is not there.
    pub const NO_PARAMETERS: Fault = Fault::of(9020);
    /// A URI is none.
    pub const NO_URI: Fault = Fault::of(9021);
    /// What is said does not go together.
    pub const PARAMETERS: Fault = Fault::of(9022);
    /// The message is larger than is taken.
    pub const TOO_LARGE: Fault = Fault::of(9023);
    /// The message id was used already.
    pub const USED_ID: Fault = Fault::of(9024);
    /// Our failure.
    pub const INTERNAL: Fault = Fault::of(9030);
    /// The directory of services fails.
    pub const DIRECTORY: Fault = Fault::of(9031);
    /// The message could not be handed on.
    pub const DELIVERY: Fault = Fault::of(9032);
    /// The message breaks its schema.
    pub const SCHEMA: Fault = Fault::of(9050);
    /// The message is not in the character set that it must have.
    pub const ENCODING: Fault = Fault::of(9051);
    /// The message breaks its service profile.
    pub const PROFILE: Fault = Fault::of(9052);
    /// The message is harmful.
    pub const VIRUS: Fault = Fault::of(9060);
    /// The account has no message with this id.
    pub const UNKNOWN_ID: Fault = Fault::of(9070);
    /// The service answers later only.
    pub const ONLY_ASYNCHRONOUS: Fault = Fault::of(9080);
    /// The service answers at once only.
    pub const ONLY_SYNCHRONOUS: Fault = Fault::of(9081);
    /// Too late: the message may be delivered already.
    pub const NOT_BEFORE_HAS_PASSED: Fault = Fault::of(9100);
    /// The message had no moment before which it was not to be delivered.
    pub const NOT_BEFORE_IS_UNSET: Fault = Fault::of(9101);

    /// The fault with this code. What no other exception is for is a technical problem.
    pub const fn of(code: u16) -> Fault {
        let exception = match code {
            9010..=9014 => Exception::PermissionDenied,
            9020..=9024 => Exception::ParameterIsNotValid,
            9050..=9052 => Exception::MessageSchemaViolation,
            9060 => Exception::MessageVirusDetection,
            9070 => Exception::InvalidMessageId,
            9080 | 9081 => Exception::SyncAsync,
            9100 | 9101 => Exception::CancelDenied,
            _ => Exception::XtaWsTechnicalProblem,
        };
        Fault { code, exception }
    }
}

/// The exceptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// 9010 to 9014.
    PermissionDenied,
    /// 9020 to 9024.
    ParameterIsNotValid,
    /// 9030 to 9032.
    XtaWsTechnicalProblem,
    /// 9050 to 9052.
    MessageSchemaViolation,
    /// 9060.
    MessageVirusDetection,
    /// 9070.
    InvalidMessageId,
    /// 9080 and 9081.
    SyncAsync,
    /// 9100 and 9101.
    CancelDenied,
}
