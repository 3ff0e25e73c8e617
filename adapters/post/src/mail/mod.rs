//! E-mails out of an IMAP mailbox.

mod settings;

pub use settings::Settings;
