//! Digitised post: scanned letters and e-mails come in, letters and e-mails go out. One module for each way, all adapters of the channel
//! `post`.
//!
//! | module | does |
//! |---|---|
//! | `scan` | scanned letters out of a hot folder: separated, sealed, read by OCR, taken in |
//! | `mail` | e-mails out of an IMAP mailbox: verified, decrypted, taken in |
//! | `patterns` | what references look like in e-mails |
//! | `out` | letters to a print spool or to hybrid mail, e-mails by SMTP |

pub mod mail;
mod our_ids;
pub mod out;
pub mod patterns;
pub mod scan;
