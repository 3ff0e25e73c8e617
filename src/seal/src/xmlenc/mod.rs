//! XML Encryption 1.1 (https://www.w3.org/TR/xmlenc-core1/), as OSCI-Transport and WS-Security use it.
//!
//! | module | holds | section |
//! |---|---|---|
//! | `read` | [`EncryptedData`], [`EncryptedKey`] from an [`xml::Reader`] | 3.1 to 3.6 |
//! | `transport` | wrapping and opening content keys | 5.5 |
//! | `cipher` | [`Decryptor`], [`Encryptor`]: content, streamed | 5.2 |
//! | `staging` | [`Staging`], [`Plaintext`]: where decrypted bytes wait for their tag | - |
//! | `base64` | text of a CipherValue, streamed | 3.3.1 |
//! | `write` | [`DataWriter`]: the XML around ciphertext | 3.1 to 3.6 |
//!
//! To decrypt: read the head with [`EncryptedData::read`], open the key with [`EncryptedKey::open`], give the ciphertext
//! to a [`Decryptor`] (with [`copy_value`], or from a MIME part), and ask it to finish: only then there is a
//! [`Plaintext`]. Whatever is wrong with key or ciphertext is one and the same [`crate::Error::Decrypt`].

mod base64;
mod cipher;
mod read;
mod staging;
mod transport;
mod write;

pub use cipher::{Decryptor, Encryptor, GCM_IV_BYTES, GCM_OLD_IV_BYTES};
pub use read::{CipherSource, EncryptedData, EncryptedKey, Receiver, copy_value};
pub use staging::{Plaintext, PlaintextReader, Staging};
pub use transport::{ContentKey, OaepHash};
pub use write::{DataWriter, ValueWriter};

pub(crate) const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
pub(crate) const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
pub(crate) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
/// Namespace of IvLength (OSCI-Transport 1.2, corrigendum 8).
pub(crate) const OSCI128: &str = "http://xoev.de/transport/osci12/8";
