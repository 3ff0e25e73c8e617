//! Servers that say what a test wants: word for word, or an IMAP mailbox that breaks off.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use net::line::{Security, Server};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Says this to whoever connects, line by line as it is spoken to, and then nothing more.
pub(crate) struct Scripted {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Scripted {
    pub(crate) async fn start(says: &'static [&'static str]) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(vec![]));
        let all = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(speak(stream, says, Arc::clone(&all)));
            }
        });
        Scripted { port, heard }
    }

    pub(crate) fn server(&self, security: Security) -> Server {
        Server { host: "127.0.0.1".into(), port: self.port, security, trust: None }
    }

    /// All that was said to it.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }
}

async fn speak(mut stream: TcpStream, says: &'static [&'static str], all: Arc<Mutex<Vec<u8>>>) {
    let mut heard = [0; 4_096];
    for words in says {
        if stream.write_all(words.as_bytes()).await.is_err() {
            return;
        }
        match stream.read(&mut heard).await {
            Ok(length @ 1..) => all.lock().unwrap().extend(&heard[..length]),
            _ => return,
        }
    }
    // Half closed lines and silence are left to whoever waits.
    while let Ok(Ok(length @ 1..)) =
        tokio::time::timeout(Duration::from_secs(60), stream.read(&mut heard)).await
    {
        all.lock().unwrap().extend(&heard[..length]);
    }
}

#[derive(Default)]
struct Folder {
    mails: BTreeMap<u32, Vec<u8>>,
    breaks: Option<u32>,
}

/// A mailbox with the UIDVALIDITY 7, which gives out UIDs as the test says.
pub(crate) struct Imap {
    port: u16,
    mailbox: Arc<Mutex<Folder>>,
}

impl Imap {
    pub(crate) async fn start() -> Imap {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mailbox = Arc::new(Mutex::new(Folder::default()));
        let shared = Arc::clone(&mailbox);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Imap { port, mailbox }
    }

    pub(crate) fn server(&self) -> Server {
        Server { host: "127.0.0.1".into(), port: self.port, security: Security::Plain, trust: None }
    }

    pub(crate) fn put(&self, uid: u32, mail: &[u8]) {
        self.mailbox.lock().unwrap().mails.insert(uid, mail.to_vec());
    }

    /// From now on the line breaks where this e-mail is fetched as a whole.
    pub(crate) fn breaks(&self, uid: u32) {
        self.mailbox.lock().unwrap().breaks = Some(uid);
    }

    /// UIDs of what was not moved.
    pub(crate) fn left(&self) -> Vec<u32> {
        self.mailbox.lock().unwrap().mails.keys().copied().collect()
    }
}

async fn serve(stream: TcpStream, mailbox: Arc<Mutex<Folder>>) {
    let mut stream = BufReader::new(stream);
    if stream.write_all(b"* OK hier\r\n").await.is_err() {
        return;
    }
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|length| length > 0) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(answer) = answer(&words, &mut mailbox.lock().unwrap()) else { return };
        let answer = [answer, format!("{} OK gut\r\n", words[0]).into_bytes()].concat();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
        line.clear();
    }
}

/// What is said before the end of the answer; `None` breaks the line.
fn answer(words: &[&str], mailbox: &mut Folder) -> Option<Vec<u8>> {
    let uid = words.get(3).and_then(|it| it.parse::<u32>().ok()).unwrap_or_default();
    let mail = || mailbox.mails.get(&uid).cloned().unwrap_or_default();
    let literal = |item: &str, bytes: &[u8]| {
        let head = format!("* 1 FETCH (UID {uid} {item} {{{}}}\r\n", bytes.len());
        [head.as_bytes(), bytes, b")\r\n"].concat()
    };
    let text = match words[1..] {
        ["CAPABILITY"] => "* CAPABILITY IMAP4rev1 MOVE UIDPLUS\r\n".to_owned(),
        ["SELECT", ..] => {
            format!("* {} EXISTS\r\n* OK [UIDVALIDITY 7] gut\r\n", mailbox.mails.len())
        }
        ["UID", "SEARCH", ..] => {
            let all: String = mailbox.mails.keys().map(|uid| format!(" {uid}")).collect();
            format!("* SEARCH{all}\r\n")
        }
        ["UID", "FETCH", _, "(UID", "RFC822.SIZE", ..] => format!(
            "* 1 FETCH (UID {uid} RFC822.SIZE {} INTERNALDATE \"02-Mar-2026 12:00:00 +0000\")\r\n",
            mail().len()
        ),
        ["UID", "FETCH", _, _, "BODY.PEEK[])"] if mailbox.breaks == Some(uid) => return None,
        ["UID", "FETCH", _, _, "BODY.PEEK[])"] => return Some(literal("BODY[]", &mail())),
        ["UID", "FETCH", ..] => {
            let mail = mail();
            let end = mail.windows(4).position(|it| it == b"\r\n\r\n").map_or(mail.len(), |at| at + 4);
            return Some(literal("BODY[HEADER]<0>", &mail[..end]));
        }
        ["UID", "MOVE", ..] => {
            mailbox.mails.remove(&uid);
            String::new()
        }
        _ => String::new(),
    };
    Some(text.into_bytes())
}
