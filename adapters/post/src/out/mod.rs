//! What goes out: paper by a print spool or hybrid mail, e-mail by SMTP.
