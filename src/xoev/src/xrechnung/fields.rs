//! Where an invoice says what: the business terms of EN 16931-1 (BT numbers) as paths of UBL 2.1 (Invoice, CreditNote) and of UN/CEFACT
//! CII D16B (EN 16931-3-2 and 3-3).

/// A business term that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    /// Specification that it keeps to (BT-24).
    Customization,
    /// Number (BT-1).
    Number,
    /// Code of its type (BT-3).
    TypeCode,
    /// Day of issue (BT-2).
    Issued,
    /// Day on which it is due (BT-9).
    Due,
    /// Currency (BT-5).
    Currency,
    /// Leitweg-ID or what else the buyer asks for (BT-10).
    BuyerReference,
    /// Order of the buyer (BT-13).
    Order,
    /// Order of the seller (BT-14).
    SalesOrder,
    /// Contract (BT-12).
    Contract,
    /// Project (BT-11).
    Project,
    /// An invoice before that it refers to (BT-25).
    Preceding,
    /// A term of the seller or the buyer.
    Party(Side, PartyField),
    /// Code of a means of payment (BT-81).
    MeansCode,
    /// What the payer is to write (BT-83): Kassenzeichen or another remittance text.
    Remittance,
    /// Account of the payee (BT-84).
    Iban,
    /// Name of that account (BT-85).
    AccountName,
    /// Net amount of a line (BT-131).
    LineNet,
    /// Sum of those (BT-106).
    LineTotal,
    /// Allowances on the whole (BT-107).
    Allowances,
    /// Charges on the whole (BT-108).
    Charges,
    /// Without VAT (BT-109).
    TaxExclusive,
    /// VAT (BT-110), with its currency.
    Tax,
    /// With VAT (BT-112).
    TaxInclusive,
    /// Paid already (BT-113).
    Prepaid,
    /// Rounding (BT-114).
    Rounding,
    /// To be paid (BT-115).
    Payable,
    /// Name of an attachment (BT-122).
    AttachmentId,
    /// What it is (BT-123).
    AttachmentTitle,
    /// Its bytes (BT-125).
    Attachment,
}

/// A side of the deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Seller,
    Buyer,
}

/// What is said of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PartyField {
    /// Registered name (BT-27, BT-44).
    Name,
    /// Trading name (BT-28, BT-45).
    TradingName,
    Street,
    Addition,
    Town,
    Postcode,
    Country,
    Phone,
    Email,
    /// VAT number (BT-31, BT-48) or tax number (BT-32).
    TaxId,
}

/// Which grammar an invoice is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Ubl,
    Cii,
}

impl Syntax {
    /// The grammar of a root's namespace.
    pub(crate) fn of(namespace: &str) -> Option<Syntax> {
        match namespace {
            "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
            | "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2" => Some(Syntax::Ubl),
            "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" => Some(Syntax::Cii),
            _ => None,
        }
    }

    /// What the grammar is called, where an invoice keeps to no specification that we know.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Syntax::Ubl => "ubl-2.1",
            Syntax::Cii => "cii-d16b",
        }
    }

    /// The term at a path of local names below the root.
    pub(crate) fn field(self, path: &str) -> Option<Field> {
        match self {
            Syntax::Ubl => ubl(path),
            Syntax::Cii => cii(path),
        }
    }
}

fn ubl(path: &str) -> Option<Field> {
    let party = |side, path: &str| ubl_party(path).map(|field| Field::Party(side, field));
    if let Some(rest) = path.strip_prefix("AccountingSupplierParty/Party/") {
        return party(Side::Seller, rest);
    }
    if let Some(rest) = path.strip_prefix("AccountingCustomerParty/Party/") {
        return party(Side::Buyer, rest);
    }
    Some(match path {
        "CustomizationID" => Field::Customization,
        "ID" => Field::Number,
        "InvoiceTypeCode" | "CreditNoteTypeCode" => Field::TypeCode,
        "IssueDate" => Field::Issued,
        "DueDate" | "PaymentMeans/PaymentDueDate" => Field::Due,
        "DocumentCurrencyCode" => Field::Currency,
        "BuyerReference" => Field::BuyerReference,
        "OrderReference/ID" => Field::Order,
        "OrderReference/SalesOrderID" => Field::SalesOrder,
        "ContractDocumentReference/ID" => Field::Contract,
        "ProjectReference/ID" => Field::Project,
        "BillingReference/InvoiceDocumentReference/ID" => Field::Preceding,
        "PaymentMeans/PaymentMeansCode" => Field::MeansCode,
        "PaymentMeans/PaymentID" => Field::Remittance,
        "PaymentMeans/PayeeFinancialAccount/ID" => Field::Iban,
        "PaymentMeans/PayeeFinancialAccount/Name" => Field::AccountName,
        "InvoiceLine/LineExtensionAmount" | "CreditNoteLine/LineExtensionAmount" => Field::LineNet,
        "TaxTotal/TaxAmount" => Field::Tax,
        "LegalMonetaryTotal/LineExtensionAmount" => Field::LineTotal,
        "LegalMonetaryTotal/AllowanceTotalAmount" => Field::Allowances,
        "LegalMonetaryTotal/ChargeTotalAmount" => Field::Charges,
        "LegalMonetaryTotal/TaxExclusiveAmount" => Field::TaxExclusive,
        "LegalMonetaryTotal/TaxInclusiveAmount" => Field::TaxInclusive,
        "LegalMonetaryTotal/PrepaidAmount" => Field::Prepaid,
        "LegalMonetaryTotal/PayableRoundingAmount" => Field::Rounding,
        "LegalMonetaryTotal/PayableAmount" => Field::Payable,
        "AdditionalDocumentReference/ID" => Field::AttachmentId,
        "AdditionalDocumentReference/DocumentDescription" => Field::AttachmentTitle,
        "AdditionalDocumentReference/Attachment/EmbeddedDocumentBinaryObject" => Field::Attachment,
        _ => return None,
    })
}

fn ubl_party(path: &str) -> Option<PartyField> {
    Some(match path {
        "PartyLegalEntity/RegistrationName" => PartyField::Name,
        "PartyName/Name" => PartyField::TradingName,
        "PostalAddress/StreetName" => PartyField::Street,
        "PostalAddress/AdditionalStreetName" => PartyField::Addition,
        "PostalAddress/CityName" => PartyField::Town,
        "PostalAddress/PostalZone" => PartyField::Postcode,
        "PostalAddress/Country/IdentificationCode" => PartyField::Country,
        "Contact/Telephone" => PartyField::Phone,
        "Contact/ElectronicMail" => PartyField::Email,
        "PartyTaxScheme/CompanyID" => PartyField::TaxId,
        _ => return None,
    })
}

fn cii(path: &str) -> Option<Field> {
    if let Some(rest) = path.strip_prefix("SupplyChainTradeTransaction/ApplicableHeaderTrade") {
        return cii_agreement(rest).or_else(|| cii_settlement(rest));
    }
    Some(match path {
        "ExchangedDocumentContext/GuidelineSpecifiedDocumentContextParameter/ID" => Field::Customization,
        "ExchangedDocument/ID" => Field::Number,
        "ExchangedDocument/TypeCode" => Field::TypeCode,
        "ExchangedDocument/IssueDateTime/DateTimeString" => Field::Issued,
        "SupplyChainTradeTransaction/IncludedSupplyChainTradeLineItem/SpecifiedLineTradeSettlement/\
         SpecifiedTradeSettlementLineMonetarySummation/LineTotalAmount" => Field::LineNet,
        _ => return None,
    })
}

fn cii_agreement(path: &str) -> Option<Field> {
    let party = |side, path: &str| cii_party(path).map(|field| Field::Party(side, field));
    let path = path.strip_prefix("Agreement/")?;
    if let Some(rest) = path.strip_prefix("SellerTradeParty/") {
        return party(Side::Seller, rest);
    }
    if let Some(rest) = path.strip_prefix("BuyerTradeParty/") {
        return party(Side::Buyer, rest);
    }
    Some(match path {
        "BuyerReference" => Field::BuyerReference,
        "BuyerOrderReferencedDocument/IssuerAssignedID" => Field::Order,
        "SellerOrderReferencedDocument/IssuerAssignedID" => Field::SalesOrder,
        "ContractReferencedDocument/IssuerAssignedID" => Field::Contract,
        "SpecifiedProcuringProject/ID" => Field::Project,
        "AdditionalReferencedDocument/IssuerAssignedID" => Field::AttachmentId,
        "AdditionalReferencedDocument/Name" => Field::AttachmentTitle,
        "AdditionalReferencedDocument/AttachmentBinaryObject" => Field::Attachment,
        _ => return None,
    })
}

fn cii_settlement(path: &str) -> Option<Field> {
    let path = path.strip_prefix("Settlement/")?;
    if let Some(amount) = path.strip_prefix("SpecifiedTradeSettlementHeaderMonetarySummation/") {
        return Some(match amount {
            "LineTotalAmount" => Field::LineTotal,
            "AllowanceTotalAmount" => Field::Allowances,
            "ChargeTotalAmount" => Field::Charges,
            "TaxBasisTotalAmount" => Field::TaxExclusive,
            "TaxTotalAmount" => Field::Tax,
            "GrandTotalAmount" => Field::TaxInclusive,
            "TotalPrepaidAmount" => Field::Prepaid,
            "RoundingAmount" => Field::Rounding,
            "DuePayableAmount" => Field::Payable,
            _ => return None,
        });
    }
    Some(match path {
        "PaymentReference" => Field::Remittance,
        "InvoiceCurrencyCode" => Field::Currency,
        "SpecifiedTradePaymentTerms/DueDateDateTime/DateTimeString" => Field::Due,
        "InvoiceReferencedDocument/IssuerAssignedID" => Field::Preceding,
        "SpecifiedTradeSettlementPaymentMeans/TypeCode" => Field::MeansCode,
        "SpecifiedTradeSettlementPaymentMeans/PayeePartyCreditorFinancialAccount/IBANID"
        | "SpecifiedTradeSettlementPaymentMeans/PayeePartyCreditorFinancialAccount/ProprietaryID" => {
            Field::Iban
        }
        "SpecifiedTradeSettlementPaymentMeans/PayeePartyCreditorFinancialAccount/AccountName" => {
            Field::AccountName
        }
        _ => return None,
    })
}

fn cii_party(path: &str) -> Option<PartyField> {
    Some(match path {
        "Name" => PartyField::Name,
        "SpecifiedLegalOrganization/TradingBusinessName" => PartyField::TradingName,
        "PostalTradeAddress/LineOne" => PartyField::Street,
        "PostalTradeAddress/LineTwo" => PartyField::Addition,
        "PostalTradeAddress/CityName" => PartyField::Town,
        "PostalTradeAddress/PostcodeCode" => PartyField::Postcode,
        "PostalTradeAddress/CountryID" => PartyField::Country,
        "DefinedTradeContact/TelephoneUniversalCommunication/CompleteNumber" => PartyField::Phone,
        "DefinedTradeContact/EmailURIUniversalCommunication/URIID" => PartyField::Email,
        "SpecifiedTaxRegistration/ID" => PartyField::TaxId,
        _ => return None,
    })
}
