//! Payment providers, bank statements and files for the cash system: one module for each, all without state.
//!
//! | module | speaks with |
//! |---|---|
//! | `xbezahldienste` | any service of XBezahldienste 1.0.0 (ePayBL, pmPayment, epay21, GiroCheckout) |
//! | `girocheckout` | GiroCheckout (S-Public Services) |
//! | `pmpayment` | pmPayment's own interface |
//! | `epaybl` | ePayBL's SOAP service and pay page |
//! | `epay21` | epay21's SOAP service |
//! | `webhook` | any provider with signed webhooks, by a small contract of ours |
//! | `camt` | bank statements (camt.052, .053, .054) |
//! | `cash` | files for the cash system: CSV, XML, JSON |
//! | `http`, `soap`, `form`, `text` | what they need: calls and their failures, SOAP 1.1, strict forms, amounts and texts |
//!
//! What a callback says is never believed: each module only tells whether it is authentic and about our payment.

pub mod camt;
pub mod cash;
pub mod epay21;
pub mod epaybl;
mod form;
pub mod girocheckout;
mod http;
pub mod pmpayment;
mod soap;
mod text;
pub mod webhook;
pub mod xbezahldienste;
