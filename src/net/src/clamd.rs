//! The virus check over the protocol of ClamAV's daemon (`clamd(8)`, command `zINSTREAM`): pieces with their lengths in, one line
//! out. A connection for each content; nothing is kept in memory but one piece. Each step has its time, and all of them together.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use model::Failure;
use model::scan::{Scanner, Verdict};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// The command, with its end.
const COMMAND: &[u8] = b"zINSTREAM\0";
/// Bytes of one piece.
const PIECE: usize = 64 << 10;
/// Longest answer that is read, in bytes.
const MOST_ANSWER: u64 = 4 << 10;
/// Longest time until a connection stands.
const CONNECT: Duration = Duration::from_secs(5);
/// Pause before a daemon whose queue is full is knocked at again.
const KNOCK: Duration = Duration::from_millis(20);

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
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// A connection of which each step and the whole have an end.
struct Line {
    stream: Stream,
    silence: Duration,
    end: Instant,
}

/// What the daemon says.
struct Answer {
    text: Vec<u8>,
    /// Whether it has taken the whole content.
    is_whole: bool,
}

/// Why the daemon gave no answer.
enum Trouble {
    /// The content could not be read: that is no fault of the daemon's.
    Content(io::Error),
    /// It cannot be asked.
    Daemon(io::Error),
}

impl Clamd {
    /// Nothing is connected yet.
    pub fn new(settings: Settings) -> Self {
        Clamd(settings)
    }

    fn connect(&self) -> io::Result<Line> {
        let (silence, end) = (self.0.silence, Instant::now() + self.0.within);
        let within = CONNECT.min(silence);
        let stream = match &self.0.address {
            Address::Unix(path) => Stream::Unix(knock(path, Instant::now() + within)?),
            Address::Tcp(address) => Stream::Tcp(TcpStream::connect_timeout(address, within)?),
        };
        Ok(Line { stream, silence, end })
    }

    /// What the daemon answers. The content must be readable to its end: a part of it says nothing.
    fn ask(&self, content: &mut dyn Read, length: u64) -> Result<Answer, Trouble> {
        let mut line = self.connect().map_err(Trouble::Daemon)?;
        line.write_all(COMMAND).map_err(Trouble::Daemon)?;
        let mut piece = vec![0; PIECE];
        let mut left = length;
        let is_whole = loop {
            let count = content.read(&mut piece).map_err(Trouble::Content)?;
            let read = piece.get(..count).unwrap_or_default();
            left = left.checked_sub(count as u64).ok_or_else(|| Trouble::Content(other_length()))?;
            let length = u32::try_from(count).unwrap_or_default().to_be_bytes();
            if count == 0 && left > 0 {
                return Err(Trouble::Content(other_length()));
            }
            let sent = line.write_all(&length).and_then(|()| line.write_all(read));
            match sent {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(Trouble::Daemon(error)),
                // It hangs up in the middle if it wants no more, and says so.
                Err(_) => break false,
                Ok(()) if count == 0 => break true,
                Ok(()) => {}
            }
        };
        let mut text = Vec::new();
        let read = line.take(MOST_ANSWER).read_to_end(&mut text);
        match read {
            Err(error) if text.is_empty() || error.kind() == io::ErrorKind::TimedOut => {
                Err(Trouble::Daemon(error))
            }
            _ if text.is_empty() => Err(Trouble::Daemon(io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(Answer { text, is_whole }),
        }
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
        let Answer { text, is_whole } = match self.ask(content, length) {
            Ok(answer) => answer,
            Err(Trouble::Daemon(error)) => {
                return self.unseen("virus.unavailable", &error.kind().to_string());
            }
            // Whatever the house says of content that nobody has looked at: this one we could not even read.
            Err(Trouble::Content(error)) => {
                tracing::error!(why = %error.kind(), "content could not be read for the virus check");
                return Err(Failure::transient("virus.unavailable", "the content could not be read"));
            }
        };
        let line = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        match line.trim_end() {
            line if line.ends_with(" FOUND") => Ok(Verdict::Harmful),
            // Of what it has seen a part of, it can say that it is harmful, and nothing else.
            "stream: OK" if is_whole => Ok(Verdict::Clean),
            line if line.contains("size limit exceeded") => {
                self.unseen("virus.too-large", "larger than what the scanner takes")
            }
            _ => self.unseen("virus.unavailable", "the scanner gave no verdict"),
        }
    }
}

/// Connects to a socket of the file system. The system would let us wait for as long as the daemon's queue is full.
fn knock(path: &Path, until: Instant) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    loop {
        match connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::AGAIN | Errno::INTR) if Instant::now() < until => thread::sleep(KNOCK),
            Err(Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => return Err(error.into()),
        }
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

impl Line {
    /// How long the next step may take.
    fn step(&self) -> io::Result<Option<Duration>> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left.min(self.silence))) }
    }
}

impl Read for Line {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let step = self.step()?;
        match &mut self.stream {
            Stream::Unix(stream) => stream.set_read_timeout(step).and_then(|()| stream.read(into)),
            Stream::Tcp(stream) => stream.set_read_timeout(step).and_then(|()| stream.read(into)),
        }
        .map_err(timed_out)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let step = self.step()?;
        match &mut self.stream {
            Stream::Unix(stream) => stream.set_write_timeout(step).and_then(|()| stream.write(bytes)),
            Stream::Tcp(stream) => stream.set_write_timeout(step).and_then(|()| stream.write(bytes)),
        }
        .map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket says of its time-out that it would have to wait.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}

fn other_length() -> io::Error {
    io::Error::other("it has another length than was said")
}
