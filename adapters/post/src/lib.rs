//! Digitised post: scanned letters and e-mails come in, letters and e-mails go out. One module for each way, all adapters of the channel
//! `post`.
//!
//! | module | does |
//! |---|---|
//! | `scan` | scanned letters out of a hot folder: separated, sealed, read by OCR, taken in |
//! | `mail` | e-mails out of an IMAP mailbox: verified, decrypted, taken in |
//! | `out` | letters to a print spool or to hybrid mail, e-mails by SMTP |

pub mod mail;
pub mod out;
pub mod scan;
