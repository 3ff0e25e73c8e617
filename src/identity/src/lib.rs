//! Who calls, as others say it: access tokens of systems (OAuth 2.0) and sign-in of people (OpenID Connect).
//!
//! | module | holds |
//! |---|---|
//! | `system` | JWT access tokens (RFC 9068), bound to certificates if so wanted (RFC 8705) |
//! | `person` | sign-in by authorization code with PKCE (OpenID Connect Core 1.0, RFC 7636, RFC 9207) |
//! | `keys` | the keys of an issuer: fetched, kept, fetched again |
//! | `claims` | what a token says, and the rules that hold for all of them |
//! | `door` | small calls to a provider |
//!
//! A token gives nothing by itself: what its client or person may do stands in the configuration or with the user. All
//! cryptography is that of `seal::jose`.

mod claims;
mod door;
mod error;
mod keys;
mod person;
mod system;

pub use error::Error;
pub use keys::Pauses;
pub use person::{Back, Known, Pending, Provider, ProviderSettings, Started};
pub use seal::jose::Signing;
pub use system::{Issuer, IssuerSettings, Issuers, SystemClient};
