//! The fixed words of OSCI-Transport 1.2: namespaces, actors, and the orders with their names.

/// SOAP 1.1.
pub const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// OSCI-Transport 1.2.
pub const OSCI: &str = "http://www.osci.de/2002/04/osci";
/// The supplement "Effiziente Übertragung großer Datenmengen" (2017): feature description, chunks.
pub const OSCI2017: &str = "http://xoev.de/transport/osci12/7";
/// XML Signature.
pub const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
/// XML Encryption.
pub const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
/// XML Schema instance.
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Prefixes and namespaces of an envelope, in the order that the field writes them. Author signatures use inclusive
/// canonical forms, so an envelope that carries foreign content declares what the author's envelope declared.
pub const ENVELOPE: [(&str, &str); 5] =
    [("ds", DS), ("osci", OSCI), ("soap", SOAP), ("xenc", XENC), ("xsi", XSI)];

/// Who a header block is for: whoever receives the message next.
pub const ACTOR_NEXT: &str = "http://schemas.xmlsoap.org/soap/actor/next";
/// Who a block of certificates is for: nobody in particular.
pub const ACTOR_NONE: &str = "http://www.w3.org/2001/12/soap-envelope/actor/none";

/// What may be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names are the standard's.
pub enum Order {
    InitDialog,
    ExitDialog,
    GetMessageId,
    StoreDelivery,
    FetchDelivery,
    FetchProcessCard,
    ForwardDelivery,
    MediateDelivery,
    AcceptDelivery,
    ProcessDelivery,
    PartialStoreDelivery,
    PartialFetchDelivery,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An order.
    Order(Order),
    /// The answer to an order.
    Answer(Order),
    /// An envelope around an encrypted message.
    Encrypted,
}

const ORDERS: [(Order, &str, &str); 12] = [
    (Order::InitDialog, "InitDialog", "initDialog"),
    (Order::ExitDialog, "ExitDialog", "exitDialog"),
    (Order::GetMessageId, "GetMessageId", "getMessageId"),
    (Order::StoreDelivery, "StoreDelivery", "storeDelivery"),
    (Order::FetchDelivery, "FetchDelivery", "fetchDelivery"),
    (Order::FetchProcessCard, "FetchProcessCard", "fetchProcessCard"),
    (Order::ForwardDelivery, "ForwardDelivery", "forwardDelivery"),
    (Order::MediateDelivery, "MediateDelivery", "mediateDelivery"),
    (Order::AcceptDelivery, "AcceptDelivery", "acceptDelivery"),
    (Order::ProcessDelivery, "ProcessDelivery", "processDelivery"),
    (Order::PartialStoreDelivery, "PartialStoreDelivery", "partialStoreDelivery"),
    (Order::PartialFetchDelivery, "PartialFetchDelivery", "partialFetchDelivery"),
];

/// Schemas that every location names behind the one of the message.
const OTHER_SCHEMAS: &str =
    "http://www.w3.org/2000/09/xmldsig# oscisig.xsd http://www.w3.org/2001/04/xmlenc# oscienc.xsd";

impl Order {
    /// Name as in the schema's file name, such as `StoreDelivery`.
    pub fn name(self) -> &'static str {
        ORDERS.iter().find(|(order, ..)| *order == self).map_or("", |(_, name, _)| name)
    }

    /// Local name of the order's element, such as `storeDelivery`.
    pub fn element(self) -> &'static str {
        ORDERS.iter().find(|(order, ..)| *order == self).map_or("", |(.., element)| element)
    }

    /// Namespace of the order's element.
    pub fn namespace(self) -> &'static str {
        if self.is_partial() { OSCI2017 } else { OSCI }
    }

    /// Whether the order exists within an explicit dialog only.
    pub fn needs_dialog(self) -> bool {
        use Order::{ExitDialog, FetchDelivery, FetchProcessCard, MediateDelivery, PartialFetchDelivery};
        matches!(self, ExitDialog | FetchDelivery | FetchProcessCard | MediateDelivery | PartialFetchDelivery)
    }

    /// Whether it is of the supplement of 2017: one chunk of a message.
    pub fn is_partial(self) -> bool {
        matches!(self, Order::PartialStoreDelivery | Order::PartialFetchDelivery)
    }

    /// Whether an intermediary sends it to a passive recipient.
    pub fn is_for_recipient(self) -> bool {
        matches!(self, Order::AcceptDelivery | Order::ProcessDelivery)
    }
}

impl Kind {
    /// What `xsi:schemaLocation` says of the SOAP namespace. The field recognises messages by nothing else.
    pub fn from_schema_location(location: &str) -> Option<Self> {
        let mut words = location.split_ascii_whitespace();
        while let (Some(namespace), Some(file)) = (words.next(), words.next()) {
            if namespace == SOAP {
                return Self::from_schema(file);
            }
        }
        None
    }

    fn from_schema(file: &str) -> Option<Self> {
        let name = file.strip_prefix("soap")?.strip_suffix(".xsd")?;
        if name == "MessageEncrypted" {
            return Some(Kind::Encrypted);
        }
        let order = |name: &str| ORDERS.iter().find(|(_, known, _)| *known == name).map(|(order, ..)| *order);
        match name.strip_prefix("ResponseTo") {
            Some(name) => order(name).map(Kind::Answer),
            None => order(name).map(Kind::Order),
        }
    }

    /// The value of `xsi:schemaLocation`: one line, single spaces, since the field compares it as a text.
    pub fn schema_location(self) -> String {
        format!("{SOAP} soap{}.xsd {OTHER_SCHEMAS}", self.name())
    }

    /// Name as in the schema's file name, such as `ResponseToStoreDelivery`.
    pub fn name(self) -> String {
        match self {
            Kind::Order(order) => order.name().to_owned(),
            Kind::Answer(order) => format!("ResponseTo{}", order.name()),
            Kind::Encrypted => "MessageEncrypted".to_owned(),
        }
    }

    /// The order that this is or answers.
    pub fn order(self) -> Option<Order> {
        match self {
            Kind::Order(order) | Kind::Answer(order) => Some(order),
            Kind::Encrypted => None,
        }
    }

    /// Local name of the element that holds what is ordered or answered, such as `responseToStoreDelivery`.
    pub fn element(self) -> String {
        match self {
            Kind::Order(order) => order.element().to_owned(),
            Kind::Answer(order) => format!("responseTo{}", order.name()),
            Kind::Encrypted => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_recognised_by_the_location_that_it_writes() {
        for (order, ..) in ORDERS {
            for kind in [Kind::Order(order), Kind::Answer(order), Kind::Encrypted] {
                assert_eq!(Kind::from_schema_location(&kind.schema_location()), Some(kind));
            }
        }
    }

    #[test]
    fn a_location_counts_for_the_soap_namespace_only() {
        assert_eq!(Kind::from_schema_location("urn:other soapStoreDelivery.xsd"), None);
        assert_eq!(Kind::from_schema_location(&format!("{SOAP} soapUnheardOf.xsd")), None);
        assert_eq!(Kind::from_schema_location(SOAP), None);
    }
}
