//! The virus check over the protocol of ClamAV's daemon (`clamd(8)`, command `zINSTREAM`): pieces with their lengths in, one line
//! out. A connection for each content; nothing is kept in memory but one piece.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use model::Failure;
use model::scan::{Scanner, Verdict};

/// The command, with its end.
const COMMAND: &[u8] = b"zINSTREAM\0";
/// Bytes of one piece.
const PIECE: usize = 64 << 10;
/// Longest answer that is read, in bytes.
const MOST_ANSWER: u64 = 4 << 10;
/// Longest time until a connection stands.
const CONNECT: Duration = Duration::from_secs(5);

/// Where the daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A port.
    Tcp(SocketAddr),
}

impl Address {
    /// Reads `unix:PATH` or `tcp:ADDRESS:PORT`; nothing if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Address::Unix(path.into()));
        }
        text.strip_prefix("tcp:")?.parse().ok().map(Address::Tcp)
    }
}

/// How the daemon is used.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens.
    pub address: Address,
    /// Largest content that is shown to it, in bytes: not more than its own `StreamMaxLength`.
    pub most_bytes: u64,
    /// Whether content is taken that nobody has looked at, because the daemon cannot be asked or it is too large.
    pub take_unseen: bool,
    /// Longest silence of the daemon.
    pub silence: Duration,
    /// Longest time of one content.
    pub within: Duration,
}

/// The daemon.
pub struct Clamd(Settings);

/// A connection to it.
trait Connection: Read + Write {}
impl<T: Read + Write> Connection for T {}

impl Clamd {
    /// Nothing is connected yet.
    pub fn new(settings: Settings) -> Self {
        Clamd(settings)
    }

    fn connect(&self) -> io::Result<Box<dyn Connection>> {
        let silence = Some(self.0.silence);
        Ok(match &self.0.address {
            Address::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(silence)?;
                stream.set_write_timeout(silence)?;
                Box::new(stream)
            }
            Address::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, CONNECT)?;
                stream.set_read_timeout(silence)?;
                stream.set_write_timeout(silence)?;
                Box::new(stream)
            }
        })
    }

    /// What the daemon answers. The content must be readable to its end: a part of it says nothing.
    fn ask(&self, content: &mut dyn Read) -> io::Result<Vec<u8>> {
        let mut connection = self.connect()?;
        connection.write_all(COMMAND)?;
        let end = Instant::now() + self.0.within;
        let mut piece = vec![0; PIECE];
        loop {
            let count = content.read(&mut piece)?;
            if Instant::now() > end {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let length = u32::try_from(count).unwrap_or_default().to_be_bytes();
            let sent = connection.write_all(&length).and_then(|()| connection.write_all(&piece[..count]));
            // It hangs up in the middle if it wants no more, and says so.
            if count == 0 || sent.is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        let read = BufReader::new(connection).take(MOST_ANSWER).read_to_end(&mut answer);
        if answer.is_empty() { read.and(Err(io::ErrorKind::UnexpectedEof.into())) } else { Ok(answer) }
    }

    fn unseen(&self, code: &'static str, why: &str) -> Result<Verdict, Failure> {
        tracing::warn!(code, why, taken = self.0.take_unseen, "content was not checked for viruses");
        match (self.0.take_unseen, code) {
            (true, _) => Ok(Verdict::Clean),
            (false, "virus.too-large") => Err(Failure::permanent(code, why)),
            (false, _) => Err(Failure::transient(code, why)),
        }
    }
}

impl Scanner for Clamd {
    fn scan(&self, content: &mut dyn Read, length: u64) -> Result<Verdict, Failure> {
        if length > self.0.most_bytes {
            return self.unseen("virus.too-large", "larger than what is shown to the scanner");
        }
        let answer = match self.ask(content) {
            Ok(answer) => answer,
            Err(error) => return self.unseen("virus.unavailable", &error.kind().to_string()),
        };
        let line = answer.split(|byte| *byte == 0).next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        match line.trim_end() {
            line if line.ends_with(" FOUND") => Ok(Verdict::Harmful),
            "stream: OK" => Ok(Verdict::Clean),
            line if line.contains("size limit exceeded") => {
                self.unseen("virus.too-large", "larger than what the scanner takes")
            }
            _ => self.unseen("virus.unavailable", "the scanner gave no verdict"),
        }
    }
}
