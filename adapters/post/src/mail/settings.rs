//! What an administrator says of a mailbox.

use std::time::Duration;

use net::line::Server;
use seal::identity::Identity;
use seal::x509::Trust;
use zeroize::Zeroizing;

use crate::patterns::Patterns;

/// A mailbox that letters come in by.
pub struct Settings {
    /// Id of the adapter.
    pub id: String,
    /// The IMAP server; without TLS only on the same machine.
    pub server: Server,
    /// User name.
    pub user: String,
    /// Password.
    pub password: Zeroizing<String>,
    /// Folder that e-mails come into: `INBOX`. Names of folders are as the server has them (beyond ASCII: modified UTF-7 of RFC 3501).
    pub folder: String,
    /// Folder for what was taken in, made if it is not there: `Amtsbote`.
    pub done: String,
    /// Folder for what was not read: too large, or not to be had from the server: `Amtsbote-Beiseite`.
    pub aside: String,
    /// Largest e-mail that is read, in bytes; some times as much stands in memory while it is. 50 MiB is usual.
    pub most_bytes: u64,
    /// Keys for encrypted e-mails, each with its certificate; the old ones, too.
    pub keys: Vec<Identity>,
    /// Whose signatures are trusted; absent: nobody's.
    pub trust: Option<Trust>,
    /// What references look like.
    pub patterns: Patterns,
    /// Domain of the e-mails that go out, as in [`out::mail`](crate::out::mail): its reports of failure are recognised. Empty: none.
    pub domain: String,
    /// Pause between sessions.
    pub pause: Duration,
    /// Longest time of a question to the server; fetching a large e-mail is one.
    pub within: Duration,
    /// Most e-mails of a session.
    pub at_once: usize,
}

impl Settings {
    /// A mailbox with the usual folders and limits, without keys and patterns.
    pub fn new(id: &str, server: Server, user: &str, password: Zeroizing<String>) -> Settings {
        Settings {
            id: id.to_owned(),
            server,
            user: user.to_owned(),
            password,
            folder: "INBOX".into(),
            done: "Amtsbote".into(),
            aside: "Amtsbote-Beiseite".into(),
            most_bytes: 50 << 20,
            keys: vec![],
            trust: None,
            patterns: Patterns::default(),
            domain: String::new(),
            pause: Duration::from_secs(60),
            within: Duration::from_secs(60),
            at_once: 100,
        }
    }
}
