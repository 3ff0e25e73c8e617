//! The virus check: against a stub that speaks the daemon's protocol, and against the real daemon where there is one.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use model::FailureKind;
use model::scan::{Scanner, Verdict};
use net::clamd::{Address, Clamd, Settings};

/// What the test file of the antivirus makers says, put together here so that no scanner finds this one.
fn eicar() -> Vec<u8> {
    let parts = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}", "$EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!", "$H+H*"];
    parts.concat().into_bytes()
}

/// What the stub does with a content of the daemon's protocol.
#[derive(Clone, Copy)]
enum Does {
    Judge,
    Hang,
    Drip,
    Close,
    Say(&'static str),
    Limit(usize),
    /// It says so before it has the content, and hangs up.
    Hasty(&'static str),
}

fn serve(mut stream: impl Read + Write, does: Does) {
    let mut command = [0; 10];
    stream.read_exact(&mut command).unwrap();
    assert_eq!(&command, b"zINSTREAM\0");
    let mut content = vec![];
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let length = u32::from_be_bytes(length) as usize;
        if length == 0 {
            break;
        }
        assert!(length <= 64 << 10, "pieces are small");
        let start = content.len();
        content.resize(start + length, 0);
        stream.read_exact(&mut content[start..]).unwrap();
        match does {
            Does::Close => return,
            Does::Limit(limit) if content.len() > limit => {
                stream.write_all(b"INSTREAM size limit exceeded. ERROR\0").unwrap();
                return;
            }
            Does::Hasty(answer) => {
                stream.write_all(answer.as_bytes()).unwrap();
                return;
            }
            _ => {}
        }
    }
    let harmful = content.windows(eicar().len()).any(|window| window == eicar());
    let answer = match does {
        Does::Hang => {
            // Until the other side has had enough.
            let _ = stream.read(&mut [0]);
            return;
        }
        Does::Drip => {
            // Each byte comes in time, and there is no end of them.
            while stream.write_all(b"s").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
            return;
        }
        Does::Say(answer) => answer,
        _ if harmful => "stream: Eicar-Test-Signature FOUND\0",
        _ => "stream: OK\0",
    };
    stream.write_all(answer.as_bytes()).unwrap();
}

fn stub(does: Does) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Tcp(listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap(), does)));
    address
}

fn settings(address: Address) -> Settings {
    Settings {
        address,
        most_bytes: 10 << 20,
        take_unseen: false,
        silence: Duration::from_millis(300),
        within: Duration::from_secs(60),
    }
}

fn scan(settings: Settings, content: &[u8]) -> Result<Verdict, (FailureKind, String)> {
    let scanned = Clamd::new(settings).scan(&mut &content[..], content.len() as u64);
    scanned.map_err(|failure| (failure.kind, failure.code.into_owned()))
}

#[test]
fn harmful_content_is_found_wherever_it_stands() {
    let address = stub(Does::Judge);
    assert_eq!(scan(settings(address.clone()), b"harmless"), Ok(Verdict::Clean));
    assert_eq!(scan(settings(address.clone()), b""), Ok(Verdict::Clean));
    let mut across = vec![0; (64 << 10) - 7];
    across.extend(eicar());
    across.extend(vec![0; 1 << 20]);
    assert_eq!(scan(settings(address), &across), Ok(Verdict::Harmful), "also across two pieces");
}

#[test]
fn a_socket_of_the_file_system_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clamd.ctl");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap(), Does::Judge)));
    let address = Address::parse(&format!("unix:{}", path.display())).unwrap();
    assert_eq!(scan(settings(address), &eicar()), Ok(Verdict::Harmful));
}

#[test]
fn what_was_not_shown_to_its_end_is_not_clean() {
    let hasty = |answer: &'static str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clamd.ctl");
        let listener = UnixListener::bind(&path).unwrap();
        thread::spawn(move || serve(listener.accept().unwrap().0, Does::Hasty(answer)));
        let address = Address::parse(&format!("unix:{}", path.display())).unwrap();
        // More than the socket holds.
        scan(settings(address), &vec![0; 4 << 20])
    };
    assert_eq!(hasty("stream: OK\0"), Err((FailureKind::Transient, "virus.unavailable".to_owned())));
    assert_eq!(hasty("stream: Eicar-Test-Signature FOUND\0"), Ok(Verdict::Harmful));
}

#[test]
fn a_daemon_that_cannot_be_asked_is_passing_trouble() {
    let unavailable = Err((FailureKind::Transient, "virus.unavailable".to_owned()));
    for does in
        [Does::Hang, Does::Close, Does::Say(""), Does::Say("stream: what? ERROR\0"), Does::Say("OK\0")]
    {
        assert_eq!(scan(settings(stub(does)), b"harmless"), unavailable);
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(scan(settings(Address::Tcp(nobody)), b"harmless"), unavailable);
    let missing = Address::parse("unix:/nowhere/clamd.ctl").unwrap();
    assert_eq!(scan(settings(missing), b"harmless"), unavailable);
    let slow = Settings { within: Duration::ZERO, ..settings(stub(Does::Judge)) };
    assert_eq!(scan(slow, b"harmless"), unavailable);
}

#[test]
fn a_daemon_that_does_not_take_a_connection_is_passing_trouble() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, connect, listen, socket};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clamd.ctl");
    let (queue, address) =
        (socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap(), SocketAddrUnix::new(&path));
    let address = address.unwrap();
    bind(&queue, &address).unwrap();
    listen(&queue, 0).unwrap();
    // Nobody takes it out: the queue is full.
    let first = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    connect(&first, &address).unwrap();
    let address = Address::parse(&format!("unix:{}", path.display())).unwrap();
    let unavailable = Err((FailureKind::Transient, "virus.unavailable".to_owned()));
    assert_eq!(scan(settings(address), b"harmless"), unavailable);
}

#[test]
fn an_answer_that_comes_byte_by_byte_has_an_end() {
    let brief = Settings { within: Duration::from_secs(1), ..settings(stub(Does::Drip)) };
    assert_eq!(scan(brief, b"harmless"), Err((FailureKind::Transient, "virus.unavailable".to_owned())));
}

#[test]
fn what_is_too_large_to_be_looked_at_is_refused() {
    let too_large = Err((FailureKind::Permanent, "virus.too-large".to_owned()));
    let small = Settings { most_bytes: 3, ..settings(stub(Does::Judge)) };
    assert_eq!(scan(small, b"1234"), too_large);
    assert_eq!(scan(settings(stub(Does::Limit(1_000))), &vec![0; 1 << 20]), too_large);
}

#[test]
fn what_nobody_has_looked_at_is_taken_only_if_the_house_says_so() {
    let missing = Address::parse("unix:/nowhere/clamd.ctl").unwrap();
    let unseen = Settings { take_unseen: true, ..settings(missing) };
    assert_eq!(scan(unseen, b"harmless"), Ok(Verdict::Clean));
    let small = Settings { most_bytes: 3, take_unseen: true, ..settings(stub(Does::Judge)) };
    assert_eq!(scan(small, b"1234"), Ok(Verdict::Clean));
    let seen = Settings { take_unseen: true, ..settings(stub(Does::Judge)) };
    assert_eq!(scan(seen, &eicar()), Ok(Verdict::Harmful), "harmful content never");
}

/// Breaks off in the middle.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Other.into())
    }
}

#[test]
fn a_content_that_cannot_be_read_to_its_end_is_not_clean() {
    for take_unseen in [false, true] {
        let settings = || Settings { take_unseen, ..settings(stub(Does::Judge)) };
        let scanned = Clamd::new(settings()).scan(&mut Broken, 10);
        assert_eq!(
            scanned.unwrap_err().code,
            "virus.unavailable",
            "it is our own fault, and never taken unseen"
        );
        for other in [9, 11] {
            let scanned = Clamd::new(settings()).scan(&mut &b"0123456789"[..], other);
            assert_eq!(
                scanned.unwrap_err().code,
                "virus.unavailable",
                "it is not the content that was meant"
            );
        }
    }
}

#[test]
fn an_address_is_a_path_or_a_port() {
    assert_eq!(Address::parse("tcp:127.0.0.1:3310"), Some(Address::Tcp(([127, 0, 0, 1], 3310).into())));
    for wrong in ["", "/run/clamd", "unix:", "unix:clamd", "tcp:", "tcp:3310", "tcp:clamd:3310", "http://a"] {
        assert_eq!(Address::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_real_daemon_finds_it_too() {
    let path = "/run/clamav/clamd.ctl";
    if !Path::new(path).exists() {
        eprintln!("SKIPPED: no ClamAV daemon listens at {path}: only the stub has judged the protocol");
        return;
    }
    let patient = Settings {
        silence: Duration::from_secs(30),
        ..settings(Address::parse(&format!("unix:{path}")).unwrap())
    };
    assert_eq!(scan(patient.clone(), &eicar()), Ok(Verdict::Harmful));
    assert_eq!(scan(patient, b"harmless"), Ok(Verdict::Clean));
}
