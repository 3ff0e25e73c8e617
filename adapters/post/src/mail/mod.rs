//! E-mails out of an IMAP mailbox.
