//! Names of version 5.1.1: the namespace, and the ten operations with their ports, actions and exceptions (`xta-core.wsdl`, core
//! 3.1.1).

use crate::Exception;

/// Of the core, 3.1.1.
pub(crate) const CORE: &str = "https://xoev.de/transport/xta/core/3.1.1";
/// Of the core of version 5.1, which is read as if it were the later one.
pub(crate) const OLDER: &str = "https://xoev.de/transport/xta/core/3.1.0";
/// XML Signature, of certificates.
pub(crate) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

/// The namespace that is meant.
pub(crate) fn current(namespace: &str) -> &str {
    if namespace == OLDER { CORE } else { namespace }
}

/// A port of the service; each has a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// `core.transport.base`.
    Base,
    /// `core.sender`.
    Sender,
    /// `core.recipient`.
    Recipient,
    /// `core.reader`: the server of a reader, which a recipient calls.
    Reader,
}

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `checkAccountActive`.
    CheckAccountActive,
    /// `getTransportReport`.
    GetTransportReport,
    /// `createMessageID`.
    CreateMessageId,
    /// `lookupService`.
    LookupService,
    /// `sendMessage`.
    SendMessage,
    /// `sendMessageSync`.
    SendMessageSync,
    /// `getStatusList`.
    GetStatusList,
    /// `getMessage`.
    GetMessage,
    /// `close`.
    Close,
    /// `deliverMessage`.
    DeliverMessage,
}

/// Exceptions that every operation has.
const ALWAYS: [Exception; 5] = [
    Exception::NotImplemented,
    Exception::ParameterNotSupported,
    Exception::PermissionDenied,
    Exception::XtaWsTechnicalProblem,
    Exception::UnsupportedExtension,
];
/// Those of operations that bring a message.
const SENDING: [Exception; 4] = [
    Exception::MessageSchemaViolation,
    Exception::MessageVirusDetection,
    Exception::ParameterIsNotValid,
    Exception::SyncAsync,
];
const SENDING_SYNC: [Exception; 5] = [
    Exception::ExternalServiceUnavailable,
    Exception::MessageSchemaViolation,
    Exception::MessageVirusDetection,
    Exception::ParameterIsNotValid,
    Exception::SyncAsync,
];

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 10] = [
        Operation::CheckAccountActive,
        Operation::GetTransportReport,
        Operation::CreateMessageId,
        Operation::LookupService,
        Operation::SendMessage,
        Operation::SendMessageSync,
        Operation::GetStatusList,
        Operation::GetMessage,
        Operation::Close,
        Operation::DeliverMessage,
    ];

    /// Action of its request.
    pub fn action(self) -> &'static str {
        match self {
            Operation::CheckAccountActive => {
                "https://xoev.de/transport/xta/core/core.transport.base/checkAccountActive"
            }
            Operation::GetTransportReport => {
                "https://xoev.de/transport/xta/core/core.transport.base/getTransportReport"
            }
            Operation::CreateMessageId => "https://xoev.de/transport/xta/core/core.sender/createMessageID",
            Operation::LookupService => "https://xoev.de/transport/xta/core/core.sender/lookupService",
            Operation::SendMessage => "https://xoev.de/transport/xta/core/core.sender/sendMessage",
            Operation::SendMessageSync => "https://xoev.de/transport/xta/core/core.sender/sendMessageSync",
            Operation::GetStatusList => "https://xoev.de/transport/xta/core/core.recipient/getStatusList",
            Operation::GetMessage => "https://xoev.de/transport/xta/core/core.recipient/getMessage",
            Operation::Close => "https://xoev.de/transport/xta/core/core.recipient/close",
            Operation::DeliverMessage => "https://xoev.de/transport/xta/core/core.reader/deliverMessage",
        }
    }

    /// Action of its answer.
    pub fn answer_action(self) -> String {
        format!("{}Response", self.action())
    }

    /// Action of a fault that this exception is the detail of.
    pub fn fault_action(self, exception: Exception) -> String {
        let port = self.action().rsplit_once('/').map_or(self.action(), |(port, _)| port);
        format!("{port}/{}", element(exception))
    }

    /// Where it is asked for.
    pub fn port(self) -> Port {
        match self {
            Operation::CheckAccountActive | Operation::GetTransportReport => Port::Base,
            Operation::CreateMessageId
            | Operation::LookupService
            | Operation::SendMessage
            | Operation::SendMessageSync => Port::Sender,
            Operation::GetStatusList | Operation::GetMessage | Operation::Close => Port::Recipient,
            Operation::DeliverMessage => Port::Reader,
        }
    }

    /// The operation of a port that has this action.
    pub fn of(port: Port, action: &str) -> Option<Self> {
        Operation::ALL.into_iter().find(|it| it.port() == port && it.action() == action)
    }

    /// Exceptions that it has beside those that all have.
    pub fn exceptions(self) -> &'static [Exception] {
        match self {
            Operation::CheckAccountActive | Operation::CreateMessageId | Operation::GetStatusList => &[],
            Operation::GetTransportReport => &[Exception::InvalidMessageId],
            Operation::LookupService => {
                &[Exception::ExternalServiceUnavailable, Exception::ParameterIsNotValid]
            }
            Operation::SendMessage | Operation::DeliverMessage => &SENDING,
            Operation::SendMessageSync => &SENDING_SYNC,
            Operation::GetMessage | Operation::Close => {
                &[Exception::InvalidMessageId, Exception::ParameterIsNotValid]
            }
        }
    }

    /// The exception by which it tells `wanted`: itself, or what comes nearest of those that it has.
    pub(crate) fn exception(self, wanted: Exception) -> Exception {
        if ALWAYS.contains(&wanted) || self.exceptions().contains(&wanted) {
            return wanted;
        }
        match wanted {
            Exception::ParameterIsNotValid | Exception::InvalidMessageId => Exception::ParameterNotSupported,
            _ => Exception::XtaWsTechnicalProblem,
        }
    }
}

/// Exceptions that an operation may answer with, those that all have among them.
pub fn exceptions(operation: Operation) -> impl Iterator<Item = Exception> {
    ALWAYS.into_iter().chain(operation.exceptions().iter().copied())
}

/// Element of an exception. Taking back is not known to this version.
pub fn element(exception: Exception) -> &'static str {
    match exception {
        Exception::PermissionDenied => "PermissionDeniedException",
        Exception::ParameterIsNotValid => "ParameterIsNotValidException",
        Exception::XtaWsTechnicalProblem | Exception::CancelDenied => "TechnicalProblemException",
        Exception::MessageSchemaViolation => "MessageSchemaViolationException",
        Exception::MessageVirusDetection => "MessageVirusDetectionException",
        Exception::InvalidMessageId => "InvalidMessageIDException",
        Exception::SyncAsync => "SyncAsyncException",
        Exception::NotImplemented => "NotImplementedException",
        Exception::ParameterNotSupported => "ParameterNotSupportedException",
        Exception::UnsupportedExtension => "UnsupportedExtensionException",
        Exception::ExternalServiceUnavailable => "ExternalServiceUnavailableException",
    }
}
