//! Digitised post: scanned letters and e-mails come in, letters and e-mails go out.
