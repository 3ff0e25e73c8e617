//! Names of version 3: namespaces, and the twelve operations with their ports and actions (`XTA.wsdl`).

/// Of the web service, 2.1.1.
pub(crate) const XTA: &str = "http://xoev.de/transport/xta/211";
/// OSCI 2, of the message box.
pub(crate) const OSCI: &str = "http://www.osci.eu/ws/2008/05/transport";
/// OSCI MessageMetaData 2.02.
pub(crate) const META: &str = "http://www.osci.eu/ws/2014/10/transport";
/// WS-Addressing 1.0.
pub(crate) const WSA: &str = "http://www.w3.org/2005/08/addressing";

/// WS-Security, of tokens.
pub(crate) const WSSE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";

/// A port of the service; each has a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// `ManagementPort`.
    Management,
    /// `SendXtaPort`.
    Send,
    /// `MsgBoxPort`.
    MessageBox,
}

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `checkAccountActive`.
    CheckAccountActive,
    /// `lookupService`.
    LookupService,
    /// `getTransportReport`.
    GetTransportReport,
    /// `cancelMessage`.
    CancelMessage,
    /// `createMessageId`.
    CreateMessageId,
    /// `sendMessage`.
    SendMessage,
    /// `sendMessageSync`.
    SendMessageSync,
    /// `getStatusList`.
    GetStatusList,
    /// `getMessage`.
    GetMessage,
    /// `getNextMessage`.
    GetNextMessage,
    /// `getNextStatusList`.
    GetNextStatusList,
    /// `close`.
    Close,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 12] = [
        Operation::CheckAccountActive,
        Operation::LookupService,
        Operation::GetTransportReport,
        Operation::CancelMessage,
        Operation::CreateMessageId,
        Operation::SendMessage,
        Operation::SendMessageSync,
        Operation::GetStatusList,
        Operation::GetMessage,
        Operation::GetNextMessage,
        Operation::GetNextStatusList,
        Operation::Close,
    ];

    /// Its action, which is that of its answer and of its faults as well.
    pub fn action(self) -> &'static str {
        match self {
            Operation::CheckAccountActive => "http://www.xta.de/XTA/CheckAccountActive",
            Operation::LookupService => "http://www.xta.de/XTA/IsServiceAvailable",
            Operation::GetTransportReport => "http://www.xta.de/XTA/GetTransportReport",
            Operation::CancelMessage => "http://www.xta.de/XTA/CancelMessage",
            Operation::CreateMessageId => "http://www.xta.de/XTA/CreateMessageID",
            Operation::SendMessage => "http://www.xta.de/XTA/SendMessage",
            Operation::SendMessageSync => "http://www.xta.de/XTA/SendMessageSync",
            Operation::GetStatusList => {
                "http://www.osci.eu/ws/2008/05/transport/urn/messageTypes/MsgBoxStatusListRequest"
            }
            Operation::GetMessage => {
                "http://www.osci.eu/ws/2008/05/transport/urn/messageTypes/MsgBoxFetchRequest"
            }
            Operation::GetNextMessage => {
                "http://www.osci.eu/ws/2008/05/transport/urn/messageTypes/MsgBoxGetNextMsgRequest"
            }
            Operation::GetNextStatusList => {
                "http://www.osci.eu/ws/2008/05/transport/urn/messageTypes/MsgBoxGetNextListRequest"
            }
            Operation::Close => "http://www.osci.eu/ws/2008/05/transport/urn/messageTypes/MsgBoxCloseRequest",
        }
    }

    /// Where it is asked for.
    pub fn port(self) -> Port {
        match self {
            Operation::CheckAccountActive
            | Operation::LookupService
            | Operation::GetTransportReport
            | Operation::CancelMessage
            | Operation::CreateMessageId => Port::Management,
            Operation::SendMessage | Operation::SendMessageSync => Port::Send,
            _ => Port::MessageBox,
        }
    }

    /// The operation of a port that has this action.
    pub fn of(port: Port, action: &str) -> Option<Self> {
        Operation::ALL.into_iter().find(|it| it.port() == port && it.action() == action)
    }
}
