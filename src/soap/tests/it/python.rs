//! Against an independent reader and writer: Python's `email` package.

use std::io::Write;
use std::process::{Command, Stdio};

use fastrand::Rng;
use soap::mime::{Boundary, NewPart, Writer};

pub(crate) use crate::Seen;
use crate::osci_parts;

/// One line for each package: in hex; then `id:content` of each part, in hex, too.
const READER: &str = r#"
import email, email.policy, sys
for line in sys.stdin:
    package = email.message_from_bytes(bytes.fromhex(line).lstrip(b"\r\n"), policy=email.policy.compat32)
    parts = []
    for part in package.get_payload():
        content = part.get_payload(decode=True)
        if part.get_content_type() == "text/base64":
            part.replace_header("Content-Transfer-Encoding", "base64")
            content = part.get_payload(decode=True)
        content_id = str(part["Content-ID"]).strip("<>")
        parts.append(content_id.encode().hex() + ":" + content.hex())
    print(" ".join(parts))
"#;

const WRITER: &str = r#"
import io, random, sys
from email.encoders import encode_noop
from email.generator import BytesGenerator
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.policy import compat32
random.seed(11)
for count in range(150):
    package = MIMEMultipart("related", boundary="=_" + "x" * random.randrange(1, 60), type="text/xml")
    parts = []
    for number in range(random.randrange(1, 6)):
        # The generator ends lines its own way, so content that is not encoded has none of another.
        lines = [bytes(random.choice(b"--=_xyz \t\xe4\0") for _ in range(random.randrange(80))) for _ in range(9)]
        content = b"\r\n".join(lines) if number % 2 else random.randbytes(random.choice([0, 1, 2, 3, 56, 57, 58, 9000]))
        part = MIMEApplication(content, _encoder=encode_noop) if number % 2 else MIMEApplication(content)
        if number % 2:
            part.set_payload(content.decode("ascii", "surrogateescape"))
            part["Content-Transfer-Encoding"] = random.choice(["8bit", "binary"])
        content_id = "part %d of %d@x" % (number, count)
        part["Content-ID"] = "<" + content_id + ">"
        part["X-Long"] = "word " * random.randrange(60) + "end"
        package.attach(part)
        parts.append(content_id.encode().hex() + ":" + content.hex())
    out = io.BytesIO()
    BytesGenerator(out, mangle_from_=False, policy=compat32.clone(linesep="\r\n")).flatten(package)
    print(out.getvalue().hex(), " ".join(parts))
"#;

fn run(program: &str, input: String) -> String {
    let mut child = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed");
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 failed");
    feeder.join().unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn seen(parts: &str) -> Vec<Seen> {
    let part = |text: &str| {
        let (id, content) = text.split_once(':').unwrap();
        (Some(String::from_utf8(hex::decode(id).unwrap()).unwrap()), hex::decode(content).unwrap())
    };
    parts.split_whitespace().map(part).collect()
}

/// What Python sees in packages that begin with their headers.
pub(crate) fn read(packages: &[Vec<u8>]) -> Vec<Vec<Seen>> {
    let input: String = packages.iter().map(|package| hex::encode(package) + "\n").collect();
    run(READER, input).lines().map(seen).collect()
}

/// A package of ours with content that looks like framing.
fn random_package(rng: &mut Rng) -> (Vec<u8>, Vec<Seen>) {
    const LURES: [&[u8]; 8] = [
        b"\r\n",
        b"\n",
        b"\r",
        b"--",
        b"\r\n--MIME_boundary_",
        b"\0",
        b"\xe4\xff",
        b"Content-ID: <x>\r\n\r\n",
    ];
    let mut random = [0; 24];
    rng.fill(&mut random);
    let mut writer = Writer::osci(Vec::new(), Boundary::from_random(random)).unwrap();
    let mut expected = Vec::new();
    for number in 0..rng.usize(1..6) {
        let id = format!("teil {number}/{}.bin", rng.u32(..));
        let content: Vec<u8> =
            (0..rng.usize(..30)).flat_map(|_| LURES[rng.usize(..LURES.len())].to_vec()).collect();
        writer.begin(&NewPart::attachment(&id)).unwrap();
        writer.write_all(&content).unwrap();
        expected.push((Some(id), content));
    }
    (writer.finish().unwrap(), expected)
}

#[test]
fn python_reads_what_we_write() {
    let mut rng = Rng::with_seed(5);
    let (packages, expected): (Vec<_>, Vec<_>) = (0..300).map(|_| random_package(&mut rng)).unzip();
    assert_eq!(read(&packages), expected);
}

#[test]
fn we_read_what_python_writes() {
    let written = run(WRITER, String::new());
    let mut count = 0;
    for line in written.lines() {
        let (package, parts) = line.split_once(' ').unwrap();
        let package = hex::decode(package).unwrap();
        assert_eq!(osci_parts(&package[..]).unwrap(), seen(parts));
        count += 1;
    }
    assert_eq!(count, 150);
}
